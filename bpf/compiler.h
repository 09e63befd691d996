/* SPDX-License-Identifier: GPL-2.0-only */
/* Words for the compiler, the same for clang's BPF and a host compiler. */
#ifndef BPF_COMPILER_H
#define BPF_COMPILER_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* linux/stddef.h has a weaker one, which lets clang leave a call in the packet's path. */
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))

#define noinline        __attribute__((noinline))
#define likely(test)    __builtin_expect(!!(test), 1)
#define unlikely(test)  __builtin_expect(!!(test), 0)

/* One access, of the whole word, where other CPUs or the agent write too. */
#define READ_ONCE(place) (*(const volatile __typeof__(place) *)&(place))

/* Hides where a value comes from, so that the compiler cannot undo a form the verifier needs. */
#define OPAQUE(value) asm volatile("" : "+r"(value))

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define swap_be16(value) __builtin_bswap16(value)
#define swap_be32(value) __builtin_bswap32(value)
#else
#define swap_be16(value) (value)
#define swap_be32(value) (value)
#endif

/* Only for constants of the protocols: folded by either compiler. */
#define CONSTANT_BE16(value) ((__be16)swap_be16((__u16)(value)))
#define CONSTANT_BE32(value) ((__be32)swap_be32((__u32)(value)))

#endif

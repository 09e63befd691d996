/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guard's maps: which sources a service takes packets from, and how many new flows a source may
 * open. Only what a service takes is judged; see docs/ARCHITECTURE.md.
 */
#ifndef SLUICE_GUARD_H
#define SLUICE_GUARD_H

#include <linux/types.h>

#include "sluice/limits.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

enum guard_answer {
	GUARD_NONE = 0, /* the list does not say */
	GUARD_DENY,
	GUARD_ALLOW,
};

/* What has to be asked for a packet of the service: bits of service.guard. */
#define GUARD_COMMON 0x1u /* there is a prefix for all services */
#define GUARD_OWN    0x2u /* there is a prefix for this one */
#define GUARD_LIMIT  0x4u /* new flows are limited */

/* Map "guard_prefixes" (LPM trie): a prefix of sources, for all services or for one. */
struct guard_prefix_key {
	__u32 bits; /* that count: 32 of the scope, and the prefix's own */
	__u32 scope;
	__be32 address[4]; /* IPv4: in the first word, the others are 0 */
};

#define GUARD_SCOPE_BITS 32u
#define GUARD_ALL        0xffffffffu /* stands for a service's number: all services */

/* The two families do not share a prefix, not even the empty one. */
static inline __attribute__((always_inline)) __u32 guard_scope(__u32 service, __u8 family)
{
	return (service + 1) << 1 | (family == 6);
}

/* The value beside it, one word: enum guard_answer in bits 0..7, the prefix's length above. */
static inline __attribute__((always_inline)) __u32 guard_prefix_word(enum guard_answer answer,
								     __u32 length)
{
	return length << 8 | (__u32)answer;
}

static inline __attribute__((always_inline)) enum guard_answer guard_word_answer(__u32 word)
{
	return (enum guard_answer)(word & 0xff);
}

static inline __attribute__((always_inline)) __u32 guard_word_length(__u32 word)
{
	return word >> 8;
}

/*
 * guard_decide - the longer prefix decides; of two that are equally long, the service's own. 0
 * stands for "no prefix".
 */
static inline __attribute__((always_inline)) enum guard_answer guard_decide(__u32 common, __u32 own)
{
	if (!own || guard_word_length(common) > guard_word_length(own))
		return guard_word_answer(common);
	return guard_word_answer(own);
}

/*
 * Map "guard_limits" (array, index service): a token bucket for each prefix of sources. It is kept
 * as the time at which the bucket would be full again: one word.
 */
struct guard_limit {
	__u64 interval_ns;  /* between two new flows at the full rate */
	__u64 burst_ns;     /* so far may that time lie ahead: interval_ns * burst */
	__be32 masks[2][4]; /* what of an address counts: IPv4 (v4-mapped), IPv6 */
	__u64 reserved[2];
};

/* Map "guard_sources" (LRU hash): to the time at which the bucket is full again, in ns. */
struct guard_source_key {
	__be32 prefix[4]; /* v4-mapped for IPv4 */
	__u32 service;
};

#pragma GCC diagnostic pop

_Static_assert(sizeof(struct guard_prefix_key) == 24, "layout of struct guard_prefix_key");
_Static_assert(sizeof(struct guard_limit) == 64, "layout of struct guard_limit");
_Static_assert(sizeof(struct guard_source_key) == 20, "layout of struct guard_source_key");

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Checksums brought up to date when words change under them (RFC 1624, equation 3). A change is the
 * sum of each old 16-bit word's complement and of the new word, in the packet's byte order, not
 * folded. No helper and no map is used.
 */
#ifndef BPF_CHECKSUM_H
#define BPF_CHECKSUM_H

#include "compiler.h"

static __always_inline __u32 sum_change16(__u16 before, __u16 after)
{
	return (__u32)(~before & 0xffff) + after;
}

static __always_inline __u32 sum_change32(__be32 before, __be32 after)
{
	return (~before & 0xffff) + (~before >> 16) + (after & 0xffff) + (after >> 16);
}

/* At most a few dozen words: their carries fit in two folds. */
static __always_inline __u16 sum_apply(__u16 checksum, __u32 change)
{
	__u32 sum = (~checksum & 0xffff) + change;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

/* A checksum after one word that it covers has changed. */
static __always_inline __u16 checksum_change(__u16 check, __be16 before, __be16 after)
{
	return sum_apply(check, sum_change16(before, after));
}

#endif

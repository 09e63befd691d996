/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entries of the flow table and words of the slot tables: how they are packed. Each is one word,
 * read and written whole, so no lock is needed on either side.
 */
#ifndef SLUICE_FLOW_H
#define SLUICE_FLOW_H

#include <linux/types.h>

/*
 * A flow entry: state in bits 0..2, last seen in bits 3..15 (in ticks, see struct settings),
 * backend in bits 16..35, tag in bits 36..63. An entry of 0 is empty; a state is never 0.
 *
 * False matches: a flow that is new to a full bucket matches one of its 8 entries by chance with
 * odds of 8 / 2^28 = 3.0e-8, and only an entry whose backend belongs to the packet's own service
 * counts.
 */
#define SLUICE_TAG_BITS   28
#define SLUICE_TAG_SHIFT  36
#define SLUICE_SEEN_BITS  13
#define SLUICE_SEEN_MASK  ((1u << SLUICE_SEEN_BITS) - 1)
#define SLUICE_STATE_MASK 7u

/* In the order of their right to stay: a lower one is evicted first. */
enum flow_state {
	FLOW_EMPTY = 0,
	FLOW_CLOSING,   /* FIN or RST seen: kept for late packets */
	FLOW_PROBATION, /* one packet seen, a SYN or not; never evicts a proven flow */
	FLOW_PROVEN,    /* more than one packet seen */
};

static inline __attribute__((always_inline)) __u64 flow_entry(__u64 hash, __u32 backend, __u32 seen,
							      enum flow_state state)
{
	return ((hash >> SLUICE_TAG_SHIFT) << SLUICE_TAG_SHIFT) | ((__u64)backend << 16) |
	       ((seen & SLUICE_SEEN_MASK) << 3) | (__u64)state;
}

static inline __attribute__((always_inline)) __u32 flow_entry_tag(__u64 entry)
{
	return (__u32)(entry >> SLUICE_TAG_SHIFT);
}

static inline __attribute__((always_inline)) __u32 flow_entry_backend(__u64 entry)
{
	return (__u32)(entry >> 16) & 0xfffff;
}

static inline __attribute__((always_inline)) __u32 flow_entry_seen(__u64 entry)
{
	return (__u32)(entry >> 3) & SLUICE_SEEN_MASK;
}

static inline __attribute__((always_inline)) enum flow_state flow_entry_state(__u64 entry)
{
	return (enum flow_state)(entry & SLUICE_STATE_MASK);
}

/* Ticks since the entry was last seen; ages wrap at 2^13 ticks, so idle entries are swept sooner. */
static inline __attribute__((always_inline)) __u32 flow_entry_age(__u64 entry, __u32 now)
{
	return (now - flow_entry_seen(entry)) & SLUICE_SEEN_MASK;
}

/*
 * A slot: the current owner in bits 0..15, the previous owner in bits 16..31, both numbers of the
 * service's own backends, or SLUICE_NO_BACKEND. A settled slot has current == previous: all its
 * flows are there. One without previous has flows elsewhere, each with an entry of its own.
 */
static inline __attribute__((always_inline)) __u32 slot_word(__u32 current, __u32 previous)
{
	return (previous << 16) | (current & 0xffff);
}

static inline __attribute__((always_inline)) __u32 slot_current(__u32 word)
{
	return word & 0xffff;
}

static inline __attribute__((always_inline)) __u32 slot_previous(__u32 word)
{
	return word >> 16;
}

/* The slot of a hash (of the flow, or of what affinity reduces it to) in a table of count slots. */
static inline __attribute__((always_inline)) __u32 slot_of_tag(__u32 tag, __u32 count)
{
	return (__u32)(((__u64)tag * count) >> SLUICE_TAG_BITS);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fragments: what is remembered of a datagram, and the frames that the data plane hands to the
 * agent because the first fragment, which has the ports, has not come yet.
 */
#ifndef SLUICE_FRAGMENT_H
#define SLUICE_FRAGMENT_H

#include <linux/types.h>

#include "sluice/flow.h"

/*
 * Identifiers of datagrams are used again, of IPv4 after 65536 of one client: a record says
 * nothing any more after so long. A tick is about a second.
 */
#define SLUICE_FRAGMENT_TICKS 5u

/* Larger frames are not held. */
#define SLUICE_HELD_FRAME_MAX 2048u

/* Bytes of the ring between the data plane and the agent: about 500 frames. */
#define SLUICE_HELD_RING_SIZE (1u << 20)

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

/* Map "fragments" (LRU hash): of a datagram under way. Written by the data plane only. */
struct fragment_key {
	__be32 source[4];
	__be32 destination[4];
	__be32 id;     /* of IPv4: 16 bits, in the order of the header */
	__u8 protocol; /* IPv4 only: an IPv6 datagram is told by its id alone */
	__u8 family;
	__u8 reserved[2];
};

struct fragment_owner {
	__u64 word;     /* fragment_word(); the rest holds for FRAGMENT_KIND_BACKEND only */
	__u64 hash;     /* of the flow, which the later fragments cannot tell */
	__u32 service;  /* index in map "services" */
	__u32 slot_tag; /* by which the flow finds its slot */
};

/* Map "held_fragments" (ring buffer), from the data plane to the agent. */
struct held_fragment {
	struct fragment_key key;
	__u32 ifindex; /* where it came in */
	__u32 length;  /* of the frame; 0: the first fragment is here, release those of the key */
};

/* A held_fragment with its frame. */
struct held_frame {
	struct held_fragment head;
	__u8 data[SLUICE_HELD_FRAME_MAX];
};

#pragma GCC diagnostic pop

enum fragment_kind {
	FRAGMENT_KIND_WAITED = 1, /* later fragments are held; the first one has not come */
	FRAGMENT_KIND_BACKEND,    /* the first one went to the backend of this id */
	FRAGMENT_KIND_VERDICT,    /* the first one got this verdict, and no backend */
};

/* Kind in bits 0..1, backend or verdict in bits 2..21, tick in bits 22..34. */
static inline __attribute__((always_inline)) __u64 fragment_word(enum fragment_kind kind,
								 __u32 number, __u32 tick)
{
	return (__u64)(tick & SLUICE_SEEN_MASK) << 22 | (__u64)(number & 0xfffff) << 2 |
	       (__u64)kind;
}

static inline __attribute__((always_inline)) enum fragment_kind fragment_kind(__u64 word)
{
	return (enum fragment_kind)(word & 3);
}

static inline __attribute__((always_inline)) __u32 fragment_number(__u64 word)
{
	return (__u32)(word >> 2) & 0xfffff;
}

static inline __attribute__((always_inline)) __u32 fragment_age(__u64 word, __u32 now)
{
	return (now - (__u32)(word >> 22)) & SLUICE_SEEN_MASK;
}

#endif

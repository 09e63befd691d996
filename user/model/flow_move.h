/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entries of one flow table put into another, of another size or with backends in other places.
 *
 * An entry holds the hash's high bits, its bucket is known by the low ones. In a smaller table the
 * bucket is known too, and where it is full the weakest entries give way. In a larger one there are
 * several that it may be: it is put into each, and all but the true one are ghosts, which packets
 * never meet; they go when the flow has been seen in its true place, or with their timeout. Pure.
 */
#ifndef MODEL_FLOW_MOVE_H
#define MODEL_FLOW_MOVE_H

#include <stddef.h>
#include <stdint.h>

#include "sluice/abi.h"

/* Records of backends that have another place now. */
struct block_move {
	uint32_t from, count, to;
	uint32_t reserved;
};

/* A table; bucket_count is a power of two. */
struct flow_table {
	struct flow_bucket *buckets;
	uint32_t bucket_count;
};

/* Which entries of a table; moves: sorted by from, what they do not have is dropped. */
struct flow_moves {
	const struct block_move *moves; /* NULL: every backend keeps its place */
	size_t count;
	uint32_t tick; /* now */
};

/*
 * flows_move - packets may use both tables meanwhile. May be done again: what the new table has
 * already is only made younger, and what packets put there themselves stays. Returns how many
 * entries found no room.
 */
uint64_t flows_move(const struct flow_table *old_table, const struct flow_table *new_table,
		    const struct flow_moves *moves);

/*
 * flow_ghosts_drop - of a table that has grown from old_count buckets at a tick: drop the copies
 * of flows that have been seen in their true place since, which is one of so many buckets from
 * this one on.
 */
uint64_t flow_ghosts_drop(const struct flow_table *table, uint32_t old_count, uint32_t tick,
			  uint32_t from, uint32_t count);

#endif

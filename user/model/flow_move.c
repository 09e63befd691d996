// SPDX-License-Identifier: GPL-2.0-only
/* Entries of one flow table put into another, and the ghosts that growing leaves. */
#include "model/flow_move.h"

#include <stdbool.h>

#include "sluice/flow.h"

static uint64_t entry_load(const __u64 *place)
{
	return __atomic_load_n(place, __ATOMIC_RELAXED);
}

static bool entry_replace(__u64 *place, uint64_t old, uint64_t entry)
{
	__u64 expected = old;

	return __atomic_compare_exchange_n(place, &expected, entry, false, __ATOMIC_RELAXED,
					   __ATOMIC_RELAXED);
}

static bool same_flow(uint64_t a, uint64_t b)
{
	return flow_entry_tag(a) == flow_entry_tag(b);
}

static bool same_backend(uint64_t a, uint64_t b)
{
	return flow_entry_backend(a) == flow_entry_backend(b);
}

/* Whether a has the better right to stay. */
static bool stronger(uint64_t a, uint64_t b, uint32_t tick)
{
	if (flow_entry_state(a) != flow_entry_state(b))
		return flow_entry_state(a) > flow_entry_state(b);
	return flow_entry_age(a, tick) < flow_entry_age(b, tick);
}

/* The place of the same flow; else a free one; else the weakest. */
static __u64 *place_choose(struct flow_bucket *bucket, uint64_t entry, uint32_t tick)
{
	__u64 *chosen = &bucket->entries[0];

	for (int i = 0; i < SLUICE_FLOWS_PER_BUCKET; i++) {
		uint64_t there = entry_load(&bucket->entries[i]), best = entry_load(chosen);

		if (there && same_flow(there, entry))
			return &bucket->entries[i];
		if (best && (!there || stronger(best, there, tick)))
			chosen = &bucket->entries[i];
	}
	return chosen;
}

/* Whether an entry has found no room, be it this one or that which gave way to it. */
static bool entry_put(struct flow_bucket *bucket, uint64_t entry, uint32_t tick)
{
	__u64 *place = place_choose(bucket, entry, tick);
	uint64_t there = entry_load(place);

	if (there && same_flow(there, entry)) {
		/* Of two flows that share a tag, or where packets went by other means: theirs. */
		if (same_backend(there, entry) && stronger(entry, there, tick))
			entry_replace(place, there, entry);
		return false;
	}
	if (there && !stronger(entry, there, tick))
		return true;
	/* If a packet was faster, that place is a packet's. */
	return !entry_replace(place, there, entry) || there;
}

static bool backend_move(const struct flow_moves *moves, uint32_t *backend)
{
	size_t low = 0, high = moves->count;

	if (!moves->moves)
		return true;
	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct block_move *move = &moves->moves[middle];

		if (*backend < move->from) {
			high = middle;
		} else if (*backend - move->from >= move->count) {
			low = middle + 1;
		} else {
			*backend = move->to + (*backend - move->from);
			return true;
		}
	}
	return false;
}

static uint64_t entry_moved(uint64_t entry, uint32_t backend)
{
	return (entry & ~(0xfffffULL << 16)) | ((uint64_t)backend << 16);
}

uint64_t flows_move(const struct flow_table *old_table, const struct flow_table *new_table,
		    const struct flow_moves *moves)
{
	uint32_t mask = new_table->bucket_count - 1;
	uint64_t lost = 0;

	for (uint32_t i = 0; i < old_table->bucket_count; i++) {
		for (int place = 0; place < SLUICE_FLOWS_PER_BUCKET; place++) {
			uint64_t entry = entry_load(&old_table->buckets[i].entries[place]);
			uint32_t backend = flow_entry_backend(entry);

			if (!entry || !backend_move(moves, &backend))
				continue;
			entry = entry_moved(entry, backend);
			/* Once in a smaller table, where i is folded into it. */
			for (uint64_t to = i; to == i || to <= mask; to += old_table->bucket_count)
				lost += entry_put(&new_table->buckets[to & mask], entry,
						  moves->tick);
		}
	}
	return lost;
}

/* Whether it was seen after the tick; ages wrap, so an entry is younger by less than half of that. */
static bool seen_since(uint64_t entry, uint32_t tick)
{
	uint32_t later = (flow_entry_seen(entry) - tick) & SLUICE_SEEN_MASK;

	return later && later <= SLUICE_SEEN_MASK / 2;
}

static bool is_copy(uint64_t entry, uint64_t of)
{
	return entry && same_flow(entry, of) && same_backend(entry, of);
}

/* Drop the copies of one entry in the buckets that the old bucket became. */
static uint64_t copies_drop(const struct flow_table *table, uint32_t old_count, uint32_t from,
			    uint64_t entry, uint32_t tick)
{
	uint64_t dropped = 0;

	for (uint32_t to = from % old_count; to < table->bucket_count; to += old_count) {
		for (int i = 0; to != from && i < SLUICE_FLOWS_PER_BUCKET; i++) {
			__u64 *place = &table->buckets[to].entries[i];
			uint64_t copy = entry_load(place);

			if (is_copy(copy, entry) && !seen_since(copy, tick))
				dropped += entry_replace(place, copy, 0);
		}
	}
	return dropped;
}

uint64_t flow_ghosts_drop(const struct flow_table *table, uint32_t old_count, uint32_t tick,
			  uint32_t from, uint32_t count)
{
	uint64_t dropped = 0;

	for (uint32_t i = from; count > 0 && i < table->bucket_count; i++, count--) {
		for (int place = 0; place < SLUICE_FLOWS_PER_BUCKET; place++) {
			uint64_t entry = entry_load(&table->buckets[i].entries[place]);

			if (entry && seen_since(entry, tick))
				dropped += copies_drop(table, old_count, i, entry, tick);
		}
	}
	return dropped;
}

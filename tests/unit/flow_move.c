// SPDX-License-Identifier: GPL-2.0-only
/* Flows put into a table of another size or with backends in other places. */
#include "model/flow_move.h"

#include "sluice/flow.h"
#include "unit.h"

#define BUCKETS_MAX 64u
#define FLOWS       60u
#define TICK        1000u

static struct flow_bucket memory[2][BUCKETS_MAX];
static uint64_t hashes[FLOWS];

static struct flow_table table_of(int which, uint32_t bucket_count)
{
	memset(memory[which], 0, sizeof(memory[which]));
	return (struct flow_table){memory[which], bucket_count};
}

/* As the data plane does. */
static void put(const struct flow_table *table, uint64_t hash, uint32_t backend, uint32_t seen)
{
	struct flow_bucket *bucket = &table->buckets[hash & (table->bucket_count - 1)];

	for (int i = 0; i < SLUICE_FLOWS_PER_BUCKET; i++) {
		if (bucket->entries[i])
			continue;
		bucket->entries[i] = flow_entry(hash, backend, seen, FLOW_PROVEN);
		return;
	}
	fail_msg("a bucket of the test is full");
}

static uint64_t *find(const struct flow_table *table, uint64_t hash)
{
	struct flow_bucket *bucket = &table->buckets[hash & (table->bucket_count - 1)];

	for (int i = 0; i < SLUICE_FLOWS_PER_BUCKET; i++) {
		uint64_t *entry = (uint64_t *)&bucket->entries[i];

		if (*entry && flow_entry_tag(*entry) == hash >> SLUICE_TAG_SHIFT)
			return entry;
	}
	return NULL;
}

static uint32_t count(const struct flow_table *table)
{
	uint32_t entries = 0;

	for (uint32_t i = 0; i < table->bucket_count; i++) {
		for (int n = 0; n < SLUICE_FLOWS_PER_BUCKET; n++)
			entries += table->buckets[i].entries[n] != 0;
	}
	return entries;
}

/* Every flow hashes to its own bucket number first, so that no bucket of the test is too full. */
static void fill(const struct flow_table *table)
{
	uint64_t random = 5;

	for (uint32_t i = 0; i < FLOWS; i++) {
		hashes[i] = (unit_next(&random) & ~(uint64_t)(BUCKETS_MAX - 1)) | i;
		put(table, hashes[i], i, TICK - i);
	}
}

static void sizes(void **context)
{
	static const uint32_t counts[][2] = {{16, 16}, {16, 64}, {64, 16}, {32, 64}, {64, 8}};
	const struct flow_moves moves = {.tick = TICK};

	(void)context;
	for (size_t n = 0; n < sizeof(counts) / sizeof(counts[0]); n++) {
		struct flow_table before = table_of(0, counts[n][0]);
		struct flow_table after = table_of(1, counts[n][1]);
		uint32_t copies = counts[n][1] > counts[n][0] ? counts[n][1] / counts[n][0] : 1;

		fill(&before);
		assert_int_equal(flows_move(&before, &after, &moves), 0);
		assert_int_equal(count(&after), FLOWS * copies);
		/* Again: nothing is there twice. */
		assert_int_equal(flows_move(&before, &after, &moves), 0);
		assert_int_equal(count(&after), FLOWS * copies);
		for (uint32_t i = 0; i < FLOWS; i++) {
			const uint64_t *entry = find(&after, hashes[i]);

			assert_non_null(entry);
			assert_int_equal(*entry, flow_entry(hashes[i], i, TICK - i, FLOW_PROVEN));
		}
	}
}

static void full(void **context)
{
	struct flow_table before = table_of(0, 2), after = table_of(1, 1);
	const struct flow_moves moves = {.tick = TICK};

	(void)context;
	for (uint64_t i = 0; i < 16; i++) {
		uint64_t hash = ((i + 1) << SLUICE_TAG_SHIFT) | (i & 1);
		enum flow_state state = i < 4 ? FLOW_PROBATION : FLOW_PROVEN;

		before.buckets[i & 1].entries[i / 2] =
			flow_entry(hash, (uint32_t)i, TICK - (uint32_t)i, state);
	}
	assert_int_equal(flows_move(&before, &after, &moves), 8);
	/* Those on probation have gone, and the oldest of the proven ones. */
	for (uint64_t i = 0; i < 16; i++)
		assert_int_equal(find(&after, (i + 1) << SLUICE_TAG_SHIFT) != NULL,
				 i >= 4 && i < 12);
}

static void places(void **context)
{
	struct flow_table before = table_of(0, 64), after = table_of(1, 64);
	static const struct block_move list[] = {{0, 10, 100, 0}, {20, 5, 0, 0}, {30, 30, 30, 0}};
	const struct flow_moves moves = {list, 3, TICK};

	(void)context;
	fill(&before);
	assert_int_equal(flows_move(&before, &after, &moves), 0);
	for (uint32_t i = 0; i < FLOWS; i++) {
		const uint64_t *entry = find(&after, hashes[i]);

		if ((i >= 10 && i < 20) || (i >= 25 && i < 30)) {
			assert_null(entry);
			continue;
		}
		assert_non_null(entry);
		assert_int_equal(flow_entry_backend(*entry), i < 10   ? i + 100
							     : i < 25 ? i - 20
								      : i);
		assert_int_equal(flow_entry_seen(*entry), TICK - i);
	}
}

/* Between the first and the second time packets went on, in the old table and in the new one. */
static void meanwhile(void **context)
{
	struct flow_table before = table_of(0, 64), after = table_of(1, 64);
	const struct flow_moves moves = {.tick = TICK + 2};

	(void)context;
	fill(&before);
	assert_int_equal(flows_move(&before, &after, &moves), 0);
	*find(&before, hashes[0]) = flow_entry(hashes[0], 0, TICK + 1, FLOW_PROVEN);
	*find(&after, hashes[1]) = flow_entry(hashes[1], 1, TICK + 2, FLOW_PROVEN);
	*find(&after, hashes[2]) = flow_entry(hashes[2], 55, TICK + 2, FLOW_PROVEN);
	put(&before, hashes[3] + (1ULL << 60), 7, TICK + 1);
	assert_int_equal(flows_move(&before, &after, &moves), 0);
	assert_int_equal(flow_entry_seen(*find(&after, hashes[0])), TICK + 1);
	assert_int_equal(flow_entry_seen(*find(&after, hashes[1])), TICK + 2);
	assert_int_equal(flow_entry_backend(*find(&after, hashes[2])), 55);
	assert_int_equal(flow_entry_backend(*find(&after, hashes[3] + (1ULL << 60))), 7);
}

static void ghosts(void **context)
{
	struct flow_table before = table_of(0, 16), after = table_of(1, 64);
	const struct flow_moves moves = {.tick = TICK};
	uint32_t seen = 0;

	(void)context;
	fill(&before);
	assert_int_equal(flows_move(&before, &after, &moves), 0);
	assert_int_equal(flow_ghosts_drop(&after, 16, TICK, 0, 64), 0);
	for (uint32_t i = 0; i < FLOWS; i += 2, seen++)
		*find(&after, hashes[i]) = flow_entry(hashes[i], i, TICK + 3, FLOW_PROVEN);
	assert_int_equal(flow_ghosts_drop(&after, 16, TICK, 0, 30) +
				 flow_ghosts_drop(&after, 16, TICK, 30, 34),
			 seen * 3);
	assert_int_equal(count(&after), FLOWS * 4 - seen * 3);
	for (uint32_t i = 0; i < FLOWS; i++)
		assert_non_null(find(&after, hashes[i]));
}

static const struct CMUnitTest cases[] = {
	CASE(sizes, "unit/flow_move: in a table of any size every flow is where packets look"),
	CASE(full, "unit/flow_move: where there is no room the weakest give way"),
	CASE(places, "unit/flow_move: flows follow their backends to other places"),
	CASE(meanwhile, "unit/flow_move: what packets did meanwhile is kept"),
	CASE(ghosts, "unit/flow_move: copies go when the flow was seen in its place"),
};

UNIT_MAIN("flow_move", cases)

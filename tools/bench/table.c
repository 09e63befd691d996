// SPDX-License-Identifier: GPL-2.0-only
/* Building a slot table, and writing it to the kernel. */
#include "model/table.h"

#include <stdlib.h>

#include "bench.h"

static void members_fill(struct table_member members[BENCH_BACKENDS], unsigned int round)
{
	for (uint32_t i = 0; i < BENCH_BACKENDS; i++)
		members[i] = (struct table_member){
			.identity = (uint64_t)(i + 1) * 0x9e3779b97f4a7c15ULL + round,
			.weight = 50 + i,
			.number = (uint16_t)i,
		};
}

static void owners_build(uint16_t *owners, unsigned int round)
{
	struct table_member members[BENCH_BACKENDS];

	members_fill(members, round);
	if (table_build(members, BENCH_BACKENDS, BENCH_SLOTS, owners))
		die("the slot table cannot be built");
}

static uint16_t *owners_new(void)
{
	uint16_t *owners = calloc(BENCH_SLOTS, sizeof(*owners));

	if (!owners)
		die("out of memory");
	return owners;
}

double table_build_ms(void)
{
	uint16_t *owners = owners_new();
	double start = clock_thread_ns();

	owners_build(owners, 1);
	start = clock_thread_ns() - start;
	free(owners);
	return start / 1e6;
}

double table_publish_ms(struct dataplane *dataplane)
{
	static const struct alive_set alive = {.bits = {~0ULL, ~0ULL}};
	uint32_t lines = (BENCH_SLOTS + SLUICE_SLOTS_PER_LINE - 1) / SLUICE_SLOTS_PER_LINE;
	uint32_t *old_words = dataplane->slots[0].slots;
	uint32_t *new_words = dataplane->slots[lines].slots;
	uint16_t *owners = owners_new();
	uint64_t word = table_word(lines, 2, 0);
	double start;

	owners_build(owners, 2);
	start = clock_thread_ns();
	slots_change(old_words, owners, BENCH_SLOTS, &alive, new_words);
	__atomic_store_n(&dataplane->services[0].table, word, __ATOMIC_RELEASE);
	start = clock_thread_ns() - start;
	__atomic_store_n(&dataplane->services[0].table, table_word(0, 1, 0), __ATOMIC_RELEASE);
	free(owners);
	return start / 1e6;
}

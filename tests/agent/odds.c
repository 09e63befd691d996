// SPDX-License-Identifier: GPL-2.0-only
/* A flow table of a million entries, all in use, and new flows that are taken for others. */
#include "rig.h"

/* By packets through the program, and by the same code in user space, which is quicker. */
#define LOOKUPS 1000000u
#define GUESSES 20000000u

/*
 * include/sluice/flow.h: a lookup in a full bucket matches by chance with odds of 8 / 2^28, so
 * on average 0.03 packets of LOOKUPS do, and 0.6 of GUESSES. More than these come by chance once
 * in 5e9 and in 5e6 runs; the random numbers are the same in every run.
 */
#define PACKET_MATCHES_MAX 4u
#define GUESS_MATCHES_MAX  7u

/*
 * So few say little about how evenly tags are spread; more agree in their first 20 bits: with odds
 * of 8 / 2^20, 152.6 of GUESSES, and by chance within five standard deviations (12.4) of that.
 */
#define NEAR_BITS 20u
#define NEAR_MIN  90u
#define NEAR_MAX  215u

/* Every entry is of some flow of the service, proven, and on a backend that owns no slot. */
static void table_fill(struct rig *rig, uint32_t service, uint32_t backend, uint64_t *random)
{
	uint32_t buckets = rig->maps->meta->flow_buckets, left = buckets * SLUICE_FLOWS_PER_BUCKET;
	uint32_t now = dataplane_tick(rig->dataplane);
	struct rig_flow flow;

	assert_int_equal(left, 1 << 20);
	while (left > 0) {
		struct flow_bucket *bucket;
		uint64_t hash;

		rig_flow_new(rig, &flow, service, random);
		hash = rig_flow_hash(rig, &flow);
		bucket = &rig->maps->flows[hash & (buckets - 1)];
		for (int i = 0; i < SLUICE_FLOWS_PER_BUCKET; i++) {
			if (bucket->entries[i])
				continue;
			bucket->entries[i] = flow_entry(hash, backend, now, FLOW_PROVEN);
			left--;
			break;
		}
	}
}

/* Of a client that none of the entries belongs to. */
static void stranger_new(struct rig *rig, struct rig_flow *flow, uint64_t *random)
{
	rig_flow_new(rig, flow, 0, random);
	flow->address ^= 0x07000000u;
}

static void guesses_count(struct rig *rig, uint64_t *random, uint32_t *ret_near, uint32_t *ret_same)
{
	uint32_t mask = rig->maps->settings.flow_mask;
	struct rig_flow flow;

	*ret_near = *ret_same = 0;
	for (uint32_t guess = 0; guess < GUESSES; guess++) {
		const struct flow_bucket *bucket;
		uint64_t hash;

		stranger_new(rig, &flow, random);
		hash = rig_flow_hash(rig, &flow);
		bucket = &rig->maps->flows[hash & mask];
		for (int i = 0; i < SLUICE_FLOWS_PER_BUCKET; i++) {
			uint64_t differs = bucket->entries[i] ^ hash;

			*ret_near += !(differs >> (64 - NEAR_BITS));
			*ret_same += !(differs >> SLUICE_TAG_SHIFT);
		}
	}
}

static void odds(void **context)
{
	struct rig *rig = *context;
	struct flow_counter counter;
	uint32_t foreign, matches = 0, near_count, same_count;
	struct rig_flow flow;
	struct state *draft;
	uint64_t random = 6;
	char text[16];

	rig_start(rig);
	draft = rig_draft(rig);
	foreign = rig_add(rig, draft, 0, 0);
	rig_change(rig, 0, draft, NULL, NULL);
	table_fill(rig, 0,
		   backend_of(rig->state, rig->services[0].name, rig_name(foreign, text))->number,
		   &random);
	for (uint32_t lookup = 0; lookup < LOOKUPS; lookup++) {
		uint32_t serial;

		stranger_new(rig, &flow, &random);
		serial = rig_run(rig, &flow, lookup % 2 ? RIG_OPEN : RIG_NEXT);
		assert_int_not_equal(serial, 0);
		matches += serial == foreign;
	}
	assert_in_range(matches, 0, PACKET_MATCHES_MAX);
	dataplane_flow_counter(rig->dataplane, &counter);
	/* Nor has any of them taken the place of a flow that is in use. */
	assert_int_equal(counter.inserts, 0);
	assert_in_range(counter.rejects, LOOKUPS - PACKET_MATCHES_MAX, LOOKUPS);
	guesses_count(rig, &random, &near_count, &same_count);
	assert_in_range(near_count, NEAR_MIN, NEAR_MAX);
	assert_in_range(same_count, 0, GUESS_MATCHES_MAX);
}

static const struct CMUnitTest cases[] = {
	{"flows/a full table of a million flows takes next to no new flow for one of them", odds,
	 rig_open_large, rig_close, NULL},
};

UNIT_MAIN("agent/odds", cases)

// SPDX-License-Identifier: GPL-2.0-only
/* Services and backends that come and go, and packets that may still be under way to them. */
#include <linux/bpf.h>
#include <time.h>

#include "rig.h"

#define QUIET_MS 50 /* see dataplane_execute() */

struct watch {
	struct rig *rig;
	struct rig_flow *flows;
	uint32_t steps, passed, forwarded;
};

/* Packets of service 0, which comes or goes; those of the others go on as ever. */
static void step_watch(void *data)
{
	struct watch *watch = data;
	struct rig *rig = watch->rig;

	watch->steps++;
	for (uint32_t i = 0; i < RIG_FLOWS; i++) {
		struct rig_flow *flow = &watch->flows[i];

		if (flow->service != 0) {
			rig_send(rig, flow, RIG_NEXT);
			continue;
		}
		rig_run(rig, flow, RIG_OPEN);
		watch->passed += rig->action == XDP_PASS;
		watch->forwarded += rig->action == XDP_TX;
		if (rig->action != XDP_PASS && rig->action != XDP_TX)
			fail_msg("step %u: dropped", watch->steps);
	}
	rig_assert(rig);
}

static void service_comes_and_goes(void **context)
{
	struct watch watch = {.rig = *context};
	struct rig *rig = *context;
	struct state *draft;
	uint64_t random = 8;

	rig_start(rig);
	watch.flows = rig_flows_open(rig, &random);
	for (int round = 0; round < 3; round++) {
		draft = rig_draft(rig);
		assert_int_equal(state_service_remove(draft, rig->services[0].name, NULL), 0);
		watch.passed = watch.forwarded = 0;
		rig_change(rig, 0, draft, step_watch, &watch);
		assert_true(watch.passed > 0 && watch.forwarded > 0);
		rig_purge(rig, dataplane_tick(rig->dataplane));
		watch.passed = watch.forwarded = 0;
		rig_service_add(rig, 0, step_watch, &watch);
		assert_true(watch.passed > 0 && watch.forwarded > 0);
	}
	free(watch.flows);
}

struct times {
	uint32_t count;
	int64_t us[8]; /* after each step */
};

static void step_time(void *data)
{
	struct times *times = data;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	assert_in_range(times->count, 0, 7);
	times->us[times->count++] = now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

/*
 * A packet that read the old table a moment before it was switched may get to the backend's record
 * a moment after that is cleared.
 */
static void clear_waits(void **context)
{
	const struct backend *record;
	struct times times = {.count = 0};
	struct rig *rig = *context;
	struct backend before;
	const struct pool *pool;
	struct state *draft;
	char text[16];

	rig_start(rig);
	draft = rig_draft(rig);
	pool = state_pool(draft, rig->services[1].name);
	record = dataplane_backend(rig->dataplane, pool->backend_base + pool->backends[0].number);
	before = *record;
	assert_int_equal(before.state, BACKEND_ALIVE);
	snprintf(text, sizeof(text), "%s", pool->backends[0].name);
	assert_int_equal(state_backend_remove(draft, pool->service->name, text, NULL), 0);
	rig_change(rig, 1, draft, step_time, &times);
	assert_int_equal(times.count, 2); /* the table, the record */
	assert_true(times.us[1] - times.us[0] >= (QUIET_MS - 2) * 1000);
	assert_int_equal(record->state, BACKEND_ABSENT);
	assert_int_equal(record->nexthop.word, before.nexthop.word);
	assert_memory_equal(record->address, before.address, sizeof(before.address));
}

/* A packet that read the clock just before a new second finds a table that was made just after. */
static void table_of_next_tick(void **context)
{
	struct rig *rig = *context;
	struct rig_flow *flows;
	struct state *draft;
	uint64_t random = 9;

	rig_start(rig);
	flows = rig_flows_open(rig, &random);
	for (uint32_t i = 0; i < RIG_SERVICES; i++) {
		struct service *service;
		char text[16];
		uint64_t word;

		draft = rig_draft(rig);
		service = &rig->maps->services[state_pool(draft, rig->services[i].name)->id];
		assert_int_equal(state_backend_drain(draft, rig->services[i].name,
						     rig_name(4 * i + 1, text), 0, NULL),
				 0);
		rig_change(rig, i, draft, NULL, NULL);
		word = service->table;
		service->table = table_word(table_line(word), table_generation(word),
					    dataplane_tick(rig->dataplane) + 1);
	}
	for (uint32_t i = 0; i < RIG_FLOWS; i++)
		rig_send(rig, &flows[i], RIG_NEXT);
	free(flows);
	rig_assert(rig);
}

static const struct CMUnitTest cases[] = {
	{"flows/a service comes and goes: its packets are passed or forwarded, not dropped between",
	 service_comes_and_goes, rig_open, rig_close, NULL},
	{"flows/a backend's record is cleared when no packet can be under way to it, and stays whole",
	 clear_waits, rig_open, rig_close, NULL},
	{"flows/a datagram that is a tick older than the table stays with the previous owner",
	 table_of_next_tick, rig_open, rig_close, NULL},
};

UNIT_MAIN("agent/services", cases)

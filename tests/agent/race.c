// SPDX-License-Identifier: GPL-2.0-only
/* Pools that change while packets keep running on another CPU. */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "rig.h"

#define CHANGES      120u
#define CHANGES_LONG 1200u /* with SLUICE_TEST_SOAK */
#define BURST        60u   /* changes between two times of rest, in which slots settle */
#define SETTLE_S     60

struct worker {
	struct rig *rig;
	struct rig_flow *flows;
	uint64_t random;
	_Atomic bool stop;
	_Atomic uint32_t rounds;
	_Atomic uint32_t tick; /* read before the last full round: every flow was seen since */
};

static void *packets_run(void *data)
{
	struct worker *worker = data;
	struct rig *rig = worker->rig;

	while (!worker->stop && !rig->failed) {
		uint32_t tick = dataplane_tick(rig->dataplane);

		for (uint32_t i = 0; i < RIG_FLOWS; i++) {
			struct rig_flow *flow = &worker->flows[i];

			if (below(&worker->random, 64) == 0) {
				rig_flow_new(rig, flow, flow->service, &worker->random);
				rig_send(rig, flow, RIG_OPEN);
			}
			rig_send(rig, flow, RIG_NEXT);
		}
		worker->tick = tick;
		worker->rounds++;
	}
	return NULL;
}

static void settle(struct worker *worker)
{
	struct rig *rig = worker->rig;
	time_t deadline = time(NULL) + SETTLE_S;

	while (rig_unsettled(rig, true) > 0 && !rig->failed) {
		assert_true(time(NULL) < deadline);
		rig_purge(rig, worker->tick);
	}
}

static void changes(void **context)
{
	uint32_t count = getenv("SLUICE_TEST_SOAK") ? CHANGES_LONG : CHANGES;
	struct rig *rig = *context;
	struct worker worker = {.rig = rig, .random = 4};
	pthread_t thread;

	rig->random = 5;
	rig_start(rig);
	worker.flows = rig_flows_open(rig, &worker.random);
	worker.tick = dataplane_tick(rig->dataplane);
	assert_int_equal(pthread_create(&thread, NULL, packets_run, &worker), 0);
	for (uint32_t change = 0; change < count && !rig->failed; change++) {
		rig_change_random(rig, NULL, NULL);
		if (change % 4 == 3)
			rig_purge(rig, worker.tick);
		if (change % BURST == BURST - 1)
			settle(&worker);
	}
	worker.stop = true;
	pthread_join(thread, NULL);
	rig_assert(rig);
	assert_true(worker.rounds > count / BURST);
	rig_assert_counters(rig);
	free(worker.flows);
}

static const struct CMUnitTest cases[] = {
	{"flows/packets that run while pools change follow the old pool or the new", changes,
	 rig_open, rig_close, NULL},
};

UNIT_MAIN("agent/race", cases)

// SPDX-License-Identifier: GPL-2.0-only
/* What the autoscaler reads: counters as memory, whatever becomes of the backends they are of. */
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/scaler_private.h"
#include "rig.h"

/* An agent that has a data plane and no more, and the record of one service that scales. */
struct scene {
	struct rig *rig;
	struct agent agent;
	struct scaler scaler;
	struct scaled scaled;
	struct sample samples[64];
	uint64_t random;
};

static void scene_open(struct scene *scene, struct rig *rig)
{
	*scene = (struct scene){.rig = rig, .agent = {.dataplane = rig->dataplane}};
	scene->scaler.agent = &scene->agent;
	scene->scaled.scaler = &scene->scaler;
	scene->scaled.samples = scene->samples;
	scene->scaled.sample_count = 64;
	rig_start(rig);
}

static const struct pool *pool_of(const struct scene *scene)
{
	return state_pool(scene->rig->state, scene->rig->services[0].name);
}

static void look(struct scene *scene)
{
	memset(scene->scaled.sums, 0, sizeof(scene->scaled.sums));
	scene->scaled.sum_broken = false;
	demand_read(&scene->scaled, pool_of(scene));
}

static void packets_send(struct scene *scene, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct rig_flow flow;

		rig_flow_new(scene->rig, &flow, 0, &scene->random);
		assert_int_not_equal(rig_run(scene->rig, &flow, RIG_OPEN), 0);
	}
}

static void counted(void **context)
{
	struct scene scene;

	scene_open(&scene, *context);
	packets_send(&scene, 50);
	look(&scene);
	/* Where counting starts from. */
	assert_true(scene.scaled.sums[SIGNAL_PACKETS] == 0);
	packets_send(&scene, 70);
	look(&scene);
	assert_false(scene.scaled.sum_broken);
	assert_true(scene.scaled.sums[SIGNAL_PACKETS] == 70);
	assert_true(scene.scaled.sums[SIGNAL_NEW_FLOWS] == 70);
	assert_true(scene.scaled.sums[SIGNAL_BYTES] >= 70 * 40);
	look(&scene);
	assert_true(scene.scaled.sums[SIGNAL_PACKETS] == 0);
}

static void backwards(void **context)
{
	struct scene scene;
	const struct pool *pool;
	uint32_t id;

	scene_open(&scene, *context);
	packets_send(&scene, 100);
	look(&scene);
	pool = pool_of(&scene);
	id = agent_backend_id(pool, &pool->backends[0]);
	for (uint32_t cpu = 0; cpu < scene.rig->maps->meta->cpus; cpu++)
		memset(&scene.rig->maps
				->backend_counters[cpu * scene.rig->maps->meta->backends_max + id],
		       0, sizeof(struct counter));
	packets_send(&scene, 10);
	look(&scene);
	assert_true(scene.scaled.sum_broken);
	for (int signal = 0; signal < SCALED_RATES; signal++)
		assert_true(scene.scaled.sums[signal] >= 0 &&
			    scene.scaled.sums[signal] < 10 * 2000);
	packets_send(&scene, 30);
	look(&scene);
	assert_false(scene.scaled.sum_broken);
	assert_true(scene.scaled.sums[SIGNAL_PACKETS] == 30);
}

static void backend_remove(struct rig *rig, const struct pool_backend *backend)
{
	struct state *draft = rig_draft(rig);

	assert_int_equal(state_backend_remove(draft, rig->services[0].name, backend->name, NULL),
			 0);
	rig_change(rig, 0, draft, NULL, NULL);
	rig_purge(rig, dataplane_tick(rig->dataplane));
}

/* Backends come and go, unseen, until another one has the number. */
static void number_reuse(struct rig *rig, uint32_t number)
{
	for (;;) {
		struct state *draft = rig_draft(rig);
		const struct pool *pool;

		assert_true(rig_add(rig, draft, 0, 100) > 0);
		rig_change(rig, 0, draft, NULL, NULL);
		pool = state_pool(rig->state, rig->services[0].name);
		if (pool->backends[pool->backend_count - 1].number == number)
			return;
		backend_remove(rig, &pool->backends[pool->backend_count - 1]);
	}
}

static void reused(void **context)
{
	struct scene scene;
	const struct pool *pool;
	uint32_t number;
	double sum;

	scene_open(&scene, *context);
	packets_send(&scene, 1000);
	look(&scene);
	pool = pool_of(&scene);
	number = pool->backends[0].number;
	backend_remove(scene.rig, &pool->backends[0]);
	number_reuse(scene.rig, number);
	packets_send(&scene, 10);
	look(&scene);
	sum = scene.scaled.sums[SIGNAL_PACKETS];
	/* Not known, or all of it: neither zero nor what the one before had counted. */
	assert_true(scene.scaled.sum_broken || sum == 10);
	assert_true(sum >= 0 && sum <= 10);
	packets_send(&scene, 30);
	look(&scene);
	assert_false(scene.scaled.sum_broken);
	assert_true(scene.scaled.sums[SIGNAL_PACKETS] == 30);
}

static void replaced(void **context)
{
	struct scene scene;
	struct state *draft;

	scene_open(&scene, *context);
	packets_send(&scene, 1000);
	look(&scene);
	/* The service goes and comes: the same numbers, other counters. */
	draft = rig_draft(scene.rig);
	assert_int_equal(state_service_remove(draft, scene.rig->services[0].name, NULL), 0);
	rig_change(scene.rig, 0, draft, NULL, NULL);
	rig_service_add(scene.rig, 0, NULL, NULL);
	packets_send(&scene, 10);
	look(&scene);
	assert_true(scene.scaled.sum_broken);
	packets_send(&scene, 30);
	look(&scene);
	assert_false(scene.scaled.sum_broken);
	assert_true(scene.scaled.sums[SIGNAL_PACKETS] == 30);
}

/* In a process that the kernel kills at its first system call other than its end. */
static void no_system_call(void **context)
{
	struct scene scene;
	int status;
	pid_t child;

	scene_open(&scene, *context);
	packets_send(&scene, 100);
	look(&scene);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		const struct pool *pool = pool_of(&scene);

		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
			syscall(SYS_exit, 2);
		for (int i = 0; i < 1000; i++)
			demand_read(&scene.scaled, pool);
		/* _exit() asks for exit_group, which is not allowed either. */
		syscall(SYS_exit, scene.scaled.sum_broken ? 3 : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static const struct CMUnitTest cases[] = {
	{"autoscale/counters: packets, flows and bytes are those that came", counted, rig_open,
	 rig_close, NULL},
	{"autoscale/counters: one that runs backwards is unknown, neither zero nor huge", backwards,
	 rig_open, rig_close, NULL},
	{"autoscale/counters: a number that another backend has now is unknown, never huge", reused,
	 rig_open, rig_close, NULL},
	{"autoscale/counters: those of a service that was replaced are unknown once", replaced,
	 rig_open, rig_close, NULL},
	{"autoscale/counters: reading them makes no system call", no_system_call, rig_open,
	 rig_close, NULL},
};

UNIT_MAIN("agent/demand", cases)

// SPDX-License-Identifier: GPL-2.0-only
/* Drains on the loop: how they go on, and their end at the deadline. */
#include "agent/drains.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "model/drain.h"

#define CHECK_MS 500

struct watched {
	struct watched *next;
	uint32_t backend; /* index in map "backends" */
	bool wanted;
	struct drain_history history;
};

struct drains {
	struct agent *agent;
	uv_timer_t timer;
	uint64_t passes; /* of the sweep, when counts were last taken */
	struct watched *watched;
};

/* ------------------------------------------------------------------ how they go on */

static struct watched *watched_find(const struct drains *drains, uint32_t backend)
{
	struct watched *watched = drains->watched;

	while (watched && watched->backend != backend)
		watched = watched->next;
	return watched;
}

static void watched_note(struct drains *drains, uint32_t backend, uint32_t live)
{
	struct watched *watched = watched_find(drains, backend);

	if (!watched) {
		watched = calloc(1, sizeof(*watched));
		if (!watched)
			return;
		watched->backend = backend;
		watched->next = drains->watched;
		drains->watched = watched;
	}
	watched->wanted = true;
	drain_note(&watched->history, clock_monotonic_ms(), live);
}

static void watched_drop_unwanted(struct drains *drains)
{
	struct watched **link = &drains->watched;

	while (*link) {
		struct watched *watched = *link;

		if (watched->wanted) {
			watched->wanted = false;
			link = &watched->next;
			continue;
		}
		*link = watched->next;
		free(watched);
	}
}

/* Once a pass: its counts are new. */
static void drains_note(struct drains *drains)
{
	const struct agent *agent = drains->agent;
	uint64_t passes = sweeper_passes(agent->sweeper);

	if (passes == drains->passes)
		return;
	drains->passes = passes;
	for (size_t i = 0; i < agent->desired->state->pool_count; i++) {
		const struct pool *pool = agent->desired->state->pools[i];

		for (size_t j = 0; j < pool->backend_count; j++) {
			const struct pool_backend *backend = &pool->backends[j];

			if (backend->life == LIFE_DRAINING)
				watched_note(drains, agent_backend_id(pool, backend),
					     agent_live(agent, pool, backend));
		}
	}
	watched_drop_unwanted(drains);
}

bool drains_eta(const struct drains *drains, uint32_t backend, double *ret_seconds)
{
	const struct watched *watched = drains ? watched_find(drains, backend) : NULL;

	return watched && drain_eta(&watched->history, ret_seconds);
}

/* ------------------------------------------------------------------ their end */

/* The autoscaler deletes its own backends instead. */
static bool drain_over(const struct pool_backend *backend, uint64_t now_ms)
{
	return backend->life == LIFE_DRAINING && backend->origin != ORIGIN_AUTOSCALE &&
	       backend->deadline_ms && backend->deadline_ms <= now_ms;
}

static int drain_end_edit(struct desired *draft, void *context, struct error *error)
{
	uint64_t now_ms = *(uint64_t *)context;

	for (size_t i = 0; i < draft->state->pool_count; i++) {
		const struct pool *pool = draft->state->pools[i];

		for (size_t j = 0; j < pool->backend_count; j++) {
			const struct pool_backend *backend = &pool->backends[j];
			int err;

			if (!drain_over(backend, now_ms))
				continue;
			err = state_backend_drained(draft->state, pool->service->name,
						    backend->name, error);
			if (err)
				return err;
			pool = draft->state->pools[i]; /* the draft's own from now on */
		}
	}
	return 0;
}

static void drains_end(struct agent *agent)
{
	struct change_cause cause = {0};
	uint64_t now_ms = clock_wall_ms();
	struct error error;
	size_t over = 0;

	for (size_t i = 0; i < agent->desired->state->pool_count; i++) {
		const struct pool *pool = agent->desired->state->pools[i];

		for (size_t j = 0; j < pool->backend_count; j++) {
			if (!drain_over(&pool->backends[j], now_ms))
				continue;
			log_info("service %s: backend %s: its drain reached the deadline with %u "
				 "live flows",
				 pool->service->name, pool->backends[j].name,
				 agent_live(agent, pool, &pool->backends[j]));
			cause = cause_make(CAUSE_AGENT, "drain of %s of %s: its deadline has come",
					   pool->backends[j].name, pool->service->name);
			over++;
		}
	}
	if (over > 1)
		cause = cause_make(CAUSE_AGENT, "drains of %zu backends: their deadlines have come",
				   over);
	if (over && agent_change(agent, &cause, drain_end_edit, &now_ms, NULL, &error))
		log_error("drain: %s", error.text);
}

static void drains_check(uv_timer_t *timer)
{
	struct drains *drains = timer->data;

	drains_note(drains);
	drains_end(drains->agent);
}

int drains_start(struct agent *agent, struct drains **ret_drains, struct error *error)
{
	struct drains *drains = calloc(1, sizeof(*drains));

	if (!drains)
		return error_set(error, -ENOMEM, "drains: out of memory");
	drains->agent = agent;
	uv_timer_init(agent->loop, &drains->timer);
	drains->timer.data = drains;
	uv_timer_start(&drains->timer, drains_check, CHECK_MS, CHECK_MS);
	*ret_drains = drains;
	return 0;
}

static void drains_closed(uv_handle_t *handle)
{
	struct drains *drains = handle->data;

	watched_drop_unwanted(drains); /* nothing is wanted between two looks */
	free(drains);
}

void drains_stop(struct drains *drains)
{
	if (drains)
		uv_close((uv_handle_t *)&drains->timer, drains_closed);
}

// SPDX-License-Identifier: GPL-2.0-only
/* The lives of a pool's backends: the ways there are, and what their health makes of the pool. */
#include <errno.h>
#include <string.h>

#include "model/state_parts.h"

const char *const backend_report_names[] = {"ready", "drain", "maint", "down", NULL};

/* All ways; any life not named here ends by being removed from the pool. */
static const struct {
	enum lifecycle from;
	enum life_event event;
	enum lifecycle to;
} ways[] = {
	{LIFE_PROVISIONING, LIFE_EVENT_CREATED, LIFE_WARMING},
	{LIFE_PROVISIONING, LIFE_EVENT_FAIL, LIFE_FAILED},
	{LIFE_PROVISIONING, LIFE_EVENT_DELETE, LIFE_DELETING},
	{LIFE_WARMING, LIFE_EVENT_WARMED, LIFE_ACTIVE},
	{LIFE_WARMING, LIFE_EVENT_DRAIN, LIFE_DRAINING},
	{LIFE_WARMING, LIFE_EVENT_DELETE, LIFE_DELETING},
	{LIFE_ACTIVE, LIFE_EVENT_COOLED, LIFE_WARMING},
	{LIFE_ACTIVE, LIFE_EVENT_DRAIN, LIFE_DRAINING},
	{LIFE_ACTIVE, LIFE_EVENT_DELETE, LIFE_DELETING},
	{LIFE_DRAINING, LIFE_EVENT_DRAIN, LIFE_DRAINING}, /* with another deadline */
	{LIFE_DRAINING, LIFE_EVENT_UNDRAIN, LIFE_WARMING},
	{LIFE_DRAINING, LIFE_EVENT_DRAINED, LIFE_DRAINED},
	{LIFE_DRAINING, LIFE_EVENT_DELETE, LIFE_DELETING},
	{LIFE_DRAINED, LIFE_EVENT_UNDRAIN, LIFE_WARMING},
	{LIFE_DRAINED, LIFE_EVENT_DELETE, LIFE_DELETING},
	{LIFE_DRAINED, LIFE_EVENT_FAIL, LIFE_FAILED},
	{LIFE_DELETING, LIFE_EVENT_FAIL, LIFE_FAILED},
	{LIFE_DELETING, LIFE_EVENT_DELETE, LIFE_DELETING},
	{LIFE_FAILED, LIFE_EVENT_FAIL, LIFE_FAILED}, /* with another note */
	{LIFE_FAILED, LIFE_EVENT_DELETE, LIFE_DELETING},
};

bool life_next(enum lifecycle life, enum life_event event, enum lifecycle *ret_life)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (ways[i].from != life || ways[i].event != event)
			continue;
		*ret_life = ways[i].to;
		return true;
	}
	return false;
}

void backend_life_settle(struct pool_backend *backend)
{
	bool warm =
		backend->health.verdict != HEALTH_WAITING && backend->health.ramp >= HEALTH_WHOLE;

	life_next(backend->life, warm ? LIFE_EVENT_WARMED : LIFE_EVENT_COOLED, &backend->life);
}

void backend_health_begin(const struct pool *pool, struct pool_backend *backend)
{
	const struct service_config *service = pool->service;
	const struct health_config *health = service->health;

	backend->health = (struct backend_health){
		.verdict = health_first(health, health && health->initial_up),
		.ramp = service->warm_up_ms ? service->warm_up_first : HEALTH_WHOLE,
		.report_weight = HEALTH_WHOLE,
	};
	backend->dead = backend->health.verdict == HEALTH_WAITING;
	backend_life_settle(backend);
}

static bool counts_down(const struct pool_backend *backend)
{
	return backend->health.verdict == HEALTH_DOWN || backend->health.report == REPORT_DOWN;
}

struct pool_health pool_health(const struct pool *pool)
{
	const struct health_config *config = pool->service->health;
	struct pool_health health = {0};

	for (size_t i = 0; i < pool->backend_count; i++) {
		const struct pool_backend *backend = &pool->backends[i];

		if ((backend->life != LIFE_ACTIVE && backend->life != LIFE_WARMING) ||
		    backend->maint || backend->health.report == REPORT_MAINT)
			continue;
		if (backend->health.verdict == HEALTH_WAITING)
			health.waiting++;
		else if (counts_down(backend))
			health.down++;
		else
			health.up++;
	}
	if (!config || !health.down)
		return health;
	if (!health.up)
		health.ignored = config->all_down == ALL_DOWN_ALL;
	else
		health.ignored = (uint64_t)health.up * 100 <
				 (uint64_t)config->panic_threshold * (health.up + health.down);
	return health;
}

void pool_health_settle(struct pool *pool)
{
	bool ignored = pool_health(pool).ignored;

	for (size_t i = 0; i < pool->backend_count; i++) {
		struct pool_backend *backend = &pool->backends[i];

		/* One that never answered takes nothing, however bad things are. */
		backend->dead = backend->health.verdict == HEALTH_WAITING ||
				(counts_down(backend) && !ignored);
	}
}

/* What serves goes on serving when its service gets probes; what was judged is judged no more. */
void pool_health_follow(struct pool *pool, const struct health_config *before)
{
	const struct health_config *health = pool->service->health;

	for (size_t i = 0; i < pool->backend_count; i++) {
		struct pool_backend *backend = &pool->backends[i];

		if (health && !before)
			backend->health.verdict = HEALTH_UP;
		if (!health && before)
			backend->health.verdict = HEALTH_UNCHECKED;
		if (!pool->service->agent_check) {
			backend->health.report = REPORT_READY;
			backend->health.report_weight = HEALTH_WHOLE;
		}
		if (!pool->service->warm_up_ms)
			backend->health.ramp = HEALTH_WHOLE;
		backend_life_settle(backend);
	}
}

static void pool_started(struct pool *pool, const struct pool *before)
{
	for (size_t b = 0; b < pool->backend_count; b++) {
		struct pool_backend *backend = &pool->backends[b];

		if (before && pool_backend(before, backend->name))
			continue;
		backend->health.ramp = HEALTH_WHOLE;
		backend_life_settle(backend);
	}
}

int state_health_started(struct state *state, const struct state *saved)
{
	for (size_t i = 0; i < state->pool_count; i++) {
		struct pool *pool;

		if (!state->pools[i]->service->warm_up_ms)
			continue;
		pool = state_pool_own(state, i);
		if (!pool)
			return -ENOMEM;
		pool_started(pool, saved ? state_pool(saved, pool->service->name) : NULL);
	}
	return 0;
}

/* Both may be changed then. */
static int backend_find(struct state *state, const char *service, const char *name,
			struct pool **ret_pool, struct pool_backend **ret_backend,
			struct error *error)
{
	int code = state_pool_edit(state, service, ret_pool, error);

	if (code)
		return code;
	*ret_backend = pool_backend_edit(*ret_pool, name);
	if (*ret_backend)
		return 0;
	return error_set(error, -ENOENT,
			 "backend %s: service %s has none of this name; 'sluice backend ls %s' "
			 "lists those that it has",
			 name, service, service);
}

int state_backend_health(struct state *state, const char *service, const char *name,
			 const struct backend_health *health, struct error *error)
{
	struct pool_backend *backend;
	struct pool *pool;
	int code = backend_find(state, service, name, &pool, &backend, error);

	if (code)
		return code;
	backend->health = *health;
	backend_life_settle(backend);
	pool_health_settle(pool);
	return 0;
}

int state_backend_maint(struct state *state, const char *service, const char *name, bool maint,
			struct error *error)
{
	struct pool_backend *backend;
	struct pool *pool;
	int code = backend_find(state, service, name, &pool, &backend, error);

	if (code)
		return code;
	backend->maint = maint;
	pool_health_settle(pool);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/* The state follows a whole config: what it dropped goes, what it has comes, the rest stays. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/state_parts.h"

static int limit_check(const char *name, uint32_t now, uint32_t wanted, struct error *error)
{
	if (now == wanted)
		return 0;
	return error_set(error, -EINVAL,
			 "limits.%s: the maps were made for %u, the config wants %u; restart "
			 "sluiced with the new config, or leave it at %u",
			 name, now, wanted, now);
}

static int limits_check(const struct limits_config *now, const struct limits_config *wanted,
			struct error *error)
{
	int code = limit_check("services", now->services, wanted->services, error);

	if (!code)
		code = limit_check("backends", now->backends, wanted->backends, error);
	if (!code)
		code = limit_check("slots", now->slots, wanted->slots, error);
	if (!code)
		code = limit_check("flows", now->flows, wanted->flows, error);
	return code;
}

static bool pool_configured(const void *things, size_t position, const void *name)
{
	const struct service_config *services = things;

	return !strcmp(services[position].name, name);
}

static int services_index(const struct config *config, struct index *ret_index)
{
	int code = 0;

	*ret_index = (struct index){0};
	for (size_t i = 0; !code && i < config->service_count; i++)
		code = index_add(ret_index, index_hash_text(config->services[i].name), i);
	return code;
}

static int services_drop(struct state *state, const struct config *config, struct error *error)
{
	bool *gone = calloc(state->pool_count + 1, sizeof(*gone));
	struct index services;
	int code = services_index(config, &services);

	if (code || !gone)
		code = error_set(error, -ENOMEM, "out of memory");
	for (size_t i = 0; !code && i < state->pool_count; i++) {
		const struct pool *pool = state->pools[i];
		const char *name = pool->service->name;

		gone[i] = pool->origin == ORIGIN_CONFIG &&
			  index_find(&services, index_hash_text(name), pool_configured,
				     config->services, name) == INDEX_NONE;
	}
	if (!code)
		code = state_pools_remove(state, gone, error);
	index_clear(&services);
	free(gone);
	return code;
}

/* What a packet's way to the pool and the pool's places in the maps are made of. */
static bool blocks_change(const struct pool *pool, const struct service_config *wanted)
{
	const struct service_config *now = pool->service;

	return !ip_equal(&now->vip, &wanted->vip) || now->protocol != wanted->protocol ||
	       now->port != wanted->port ||
	       pool->slot_count != config_slot_count(wanted->backends_max) ||
	       pool->backend_capacity != config_backend_capacity(wanted->backends_max);
}

/* New blocks, and new numbers in them; the plan sees a service that goes and one that comes. */
static int pool_move(struct state *state, struct pool *pool, struct error *error)
{
	int code = state_blocks_retire(state, pool, error);

	if (!code)
		code = state_blocks_take(state, pool, error);
	for (size_t i = 0; i < pool->backend_count; i++)
		pool->backends[i].number = NO_NUMBER;
	for (size_t i = 0; !code && i < pool->backend_count; i++) {
		if (backend_alive(&pool->backends[i]))
			code = pool_number_take(pool, &pool->backends[i], error);
	}
	return code;
}

/* Run-time limits of autoscale stay, unless the config changed the field or they fit no more. */
static void scale_keep(struct autoscale_config *wanted, const struct autoscale_config *now,
		       const struct scale_configured *before)
{
	uint32_t min = wanted->min == before->min ? now->min : wanted->min;
	uint32_t max = wanted->max == before->max ? now->max : wanted->max;

	if (wanted->signal == now->signal && wanted->target == before->target)
		wanted->target = now->target;
	if (wanted->paused == before->paused)
		wanted->paused = now->paused;
	if (min <= max) {
		wanted->min = min;
		wanted->max = max;
	}
}

/* What the pool's service is to be: without backends. */
static struct service_config *service_wanted(const struct pool *pool,
					     const struct service_config *wanted)
{
	struct service_config bare = *wanted, *service;

	bare.backend_count = 0;
	service = service_config_clone(&bare);
	if (service && service->autoscale && pool->service->autoscale)
		scale_keep(service->autoscale, pool->service->autoscale, &pool->scale_configured);
	return service;
}

/* Takes the service over. */
static int service_follow(struct state *state, struct pool *pool, struct service_config *service,
			  const struct service_config *wanted, struct error *error)
{
	bool moves = blocks_change(pool, service);
	struct service_config *before = pool_service_edit(pool);

	pool->service = service;
	pool_health_follow(pool, before->health);
	service_config_free(before);
	pool->scale_configured = scale_configured_of(wanted);
	pool->origin = ORIGIN_CONFIG;
	return moves ? pool_move(state, pool, error) : 0;
}

/* One that drained keeps its place; of what has none any more, the config has a new one. */
static bool place_changed(const struct pool_backend *now, const struct backend_config *wanted)
{
	bool placed = backend_alive(now) || now->life == LIFE_DRAINED;

	return !placed || now->port != wanted->port || !ip_equal(&now->address, &wanted->address);
}

/*
 * What left the config, and what the config has elsewhere now: that is a new backend. gone is all
 * false, for each backend of the pool; returns whether any goes.
 */
static bool backends_gone(const struct pool *pool, const struct service_config *wanted, bool *gone)
{
	bool any = false;

	for (size_t i = 0; i < pool->backend_count; i++)
		gone[i] = pool->backends[i].origin == ORIGIN_CONFIG;
	for (size_t i = 0; i < wanted->backend_count; i++) {
		const struct pool_backend *now = pool_backend(pool, wanted->backends[i].name);

		if (now)
			gone[now - pool->backends] = place_changed(now, &wanted->backends[i]);
	}
	for (size_t i = 0; i < pool->backend_count; i++)
		any |= gone[i];
	return any;
}

/* Whether the backends are what the config wants, but for what goes. */
static bool backends_fit(const struct pool *pool, const struct service_config *wanted)
{
	for (size_t i = 0; i < wanted->backend_count; i++) {
		const struct backend_config *backend = &wanted->backends[i];
		const struct pool_backend *now = pool_backend(pool, backend->name);

		if (!now || now->origin != ORIGIN_CONFIG || now->weight != backend->weight ||
		    now->drain != backend->drain || now->maint_configured != backend->maint)
			return false;
	}
	return true;
}

/* The config says something else about draining than before: so it is, whatever a person said. */
static int drain_follow(struct pool *pool, struct pool_backend *now, bool drain,
			struct error *error)
{
	if (now->drain == drain)
		return 0;
	now->drain = drain;
	if (drain && (now->life == LIFE_ACTIVE || now->life == LIFE_WARMING)) {
		now->life = LIFE_DRAINING;
		now->deadline_ms = 0;
	}
	if (!drain && (now->life == LIFE_DRAINING || now->life == LIFE_DRAINED))
		return pool_backend_undrain(pool, now, error);
	return 0;
}

static int backends_follow(struct pool *pool, const struct service_config *wanted,
			   struct error *error)
{
	for (size_t i = 0; i < wanted->backend_count; i++) {
		const struct backend_config *backend = &wanted->backends[i];
		struct pool_backend *now = pool_backend_edit(pool, backend->name);
		int code;

		if (!now) {
			code = pool_backend_add(pool, backend, ORIGIN_CONFIG, error);
			if (code) {
				error_prefix(error, "service %s: ", wanted->name);
				return code;
			}
			continue;
		}
		now->origin = ORIGIN_CONFIG;
		if (now->weight != backend->weight) {
			now->weight = backend->weight;
			now->weight_runtime = NO_WEIGHT;
		}
		/* What the config says anew counts more than what a person said. */
		if (now->maint_configured != backend->maint)
			now->maint = now->maint_configured = backend->maint;
		code = drain_follow(pool, now, backend->drain, error);
		if (code)
			return code;
	}
	return 0;
}

/* Whether the pool is what the config wants: then it stays shared with other states. */
static bool service_fits(const struct pool *pool, const struct service_config *service,
			 const struct service_config *wanted)
{
	struct scale_configured scale = scale_configured_of(wanted);

	return pool->origin == ORIGIN_CONFIG && scale.target == pool->scale_configured.target &&
	       scale.min == pool->scale_configured.min && scale.max == pool->scale_configured.max &&
	       scale.paused == pool->scale_configured.paused &&
	       service_config_equal(pool->service, service);
}

/*
 * Backends that stay have been checked by the mode and VIP that the service had; mode nat keeps the
 * packet's family. Those that take no packets any more do not matter, but what drained can come back.
 */
static int family_check(const struct pool *pool, struct error *error)
{
	int family = ip_family(&pool->service->vip);

	for (size_t i = 0; pool->service->mode == FORWARD_MODE_NAT && i < pool->backend_count;
	     i++) {
		const struct pool_backend *backend = &pool->backends[i];
		char text[IP_TEXT_MAX];

		if ((!backend_alive(backend) && backend->life != LIFE_DRAINED) ||
		    ip_family(&backend->address) == family)
			continue;
		return error_set(
			error, -EINVAL,
			"service %s: mode nat keeps the family of the VIP, which is IPv%d, "
			"and its backend %s has address %s; remove that backend, or leave "
			"the service in another mode",
			pool->service->name, family, backend->name,
			ip_format(&backend->address, text));
	}
	return 0;
}

static int pool_apply(struct state *state, const struct pool *now,
		      const struct service_config *wanted, bool *gone, struct error *error)
{
	struct service_config *service = service_wanted(now, wanted);
	bool any_gone = backends_gone(now, wanted, gone);
	struct pool *pool;
	int code;

	if (!service)
		return error_set(error, -ENOMEM, "service %s: out of memory", wanted->name);
	if (!any_gone && backends_fit(now, wanted) && service_fits(now, service, wanted)) {
		service_config_free(service);
		return 0;
	}
	code = state_pool_edit(state, wanted->name, &pool, error);
	if (code) {
		service_config_free(service);
		return code;
	}
	/* Before the pool moves: a number is not worth taking for what goes at once. */
	if (any_gone)
		pool_backends_remove(pool, gone);
	code = service_follow(state, pool, service, wanted, error);
	if (!code)
		code = family_check(pool, error);
	if (!code)
		code = backends_follow(pool, wanted, error);
	if (!code)
		pool_health_settle(pool);
	return code;
}

static int service_apply(struct state *state, const struct service_config *wanted,
			 struct error *error)
{
	const struct pool *now = state_pool(state, wanted->name);
	struct pool *pool;
	bool *gone;
	int code;

	if (!now) {
		code = state_pool_add(state, wanted, ORIGIN_CONFIG, &pool, error);
		if (!code)
			code = backends_follow(pool, wanted, error);
		if (!code)
			pool_health_settle(pool);
		return code;
	}
	gone = calloc(now->backend_count + 1, sizeof(*gone));
	if (!gone)
		return error_set(error, -ENOMEM, "service %s: out of memory", wanted->name);
	code = pool_apply(state, now, wanted, gone, error);
	free(gone);
	return code;
}

int state_apply(struct state *state, const struct config *config, struct error *error)
{
	int code = limits_check(&state->limits, &config->limits, error);

	if (!code)
		code = services_drop(state, config, error);
	for (size_t i = 0; !code && i < config->service_count; i++)
		code = service_apply(state, &config->services[i], error);
	return code ? code : state_keys_check(state, error);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Backends of a pool: added, drained, weighed, created by the autoscaler, removed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/missing.h"
#include "model/state_parts.h"
#include "sluice/limits.h"

/* Of a backend that the autoscaler makes; the same as the config's default. */
#define WEIGHT_CREATED 100

const char *const lifecycle_names[] = {"provisioning", "active",  "draining", "deleting",
				       "failed",       "drained", "warming",  NULL};
const char *const origin_names[] = {"config", "runtime", "autoscale", NULL};

bool backend_alive(const struct pool_backend *backend)
{
	return backend->life == LIFE_ACTIVE || backend->life == LIFE_WARMING ||
	       backend->life == LIFE_DRAINING;
}

bool backend_takes(const struct pool_backend *backend)
{
	return backend_alive(backend) && !backend->dead && !backend->maint &&
	       backend->health.report != REPORT_MAINT;
}

/* Of a weight; what is above 0 stays above 0, unless no share at all is left. */
static uint32_t weight_share(uint32_t weight, uint32_t share)
{
	return (weight * share + HEALTH_WHOLE - 1) / HEALTH_WHOLE;
}

uint32_t backend_weight(const struct pool_backend *backend)
{
	uint32_t weight =
		backend->weight_runtime == NO_WEIGHT ? backend->weight : backend->weight_runtime;

	if (!backend_takes(backend) || backend->life == LIFE_DRAINING ||
	    backend->health.report == REPORT_DRAIN)
		return 0;
	return weight_share(weight_share(weight, backend->health.ramp),
			    backend->health.report_weight);
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
	return backend_missing(*ret_pool, name, error);
}

static int address_check(const struct pool *pool, const char *name, const struct ip *address,
			 struct error *error)
{
	const struct pool_backend *other;
	char text[IP_TEXT_MAX];

	ip_format(address, text);
	if (!ip_is_unicast(address))
		return error_set(error, -EINVAL,
				 "backend %s: address %s is not that of a host; give the address "
				 "of a server",
				 name, text);
	if (ip_equal(address, &pool->service->vip))
		return error_set(error, -EINVAL,
				 "backend %s: address %s is the VIP of service %s; give the "
				 "server's own address",
				 name, text, pool->service->name);
	if (pool->service->mode == FORWARD_MODE_NAT &&
	    ip_family(address) != ip_family(&pool->service->vip))
		return error_set(error, -EINVAL,
				 "backend %s: address %s is not of the family of the VIP, which "
				 "mode nat keeps; give its IPv%d address",
				 name, text, ip_family(&pool->service->vip));
	other = pool_backend_at(pool, address);
	if (other)
		return error_set(error, -EEXIST,
				 "backend %s: address %s belongs to backend %s of service %s; "
				 "remove that first",
				 name, text, other->name, pool->service->name);
	return 0;
}

/* What a backend in mode nat answers tells its service only by address, port and protocol. */
static int nat_end_check(const struct state *state, const struct pool *pool, const char *name,
			 const struct ip *address, uint16_t port, struct error *error)
{
	for (size_t i = 0; i < state->pool_count; i++) {
		const struct pool *other = state->pools[i];
		const struct pool_backend *backend;

		if (other == pool || pool->service->mode != FORWARD_MODE_NAT ||
		    other->service->mode != FORWARD_MODE_NAT ||
		    other->service->protocol != pool->service->protocol)
			continue;
		backend = pool_backend_at(other, address);
		if (backend && (backend->port ? backend->port : other->service->port) ==
				       (port ? port : pool->service->port))
			return error_set(error, -EEXIST,
					 "backend %s: its address and port are those of backend "
					 "%s of service %s, which is in mode nat too; give it "
					 "another port",
					 name, backend->name, other->service->name);
	}
	return 0;
}

/* Whether as many as may be have a number, will have one, or can have theirs back. */
static bool pool_full(const struct pool *pool)
{
	uint32_t size = 0;

	/* Most pools, and those that are being filled, need not be counted. */
	if (pool->backend_count < pool->service->backends_max)
		return false;
	for (size_t i = 0; i < pool->backend_count; i++)
		size += backend_alive(&pool->backends[i]) ||
			pool->backends[i].life == LIFE_PROVISIONING ||
			pool->backends[i].life == LIFE_DRAINED;
	return size >= pool->service->backends_max;
}

/* One more of a name that is not taken. */
static int pool_append(struct pool *pool, const char *name, struct pool_backend **ret_backend,
		       struct error *error)
{
	if (!name_valid(name))
		return error_set(error, -EINVAL,
				 "backend %s: is not a name; use at most %d of a-z 0-9 . - with a "
				 "letter or digit first",
				 name, NAME_MAX_LENGTH);
	if (pool_backend(pool, name))
		return error_set(error, -EEXIST,
				 "backend %s: service %s has one of this name; remove it first or "
				 "choose another name",
				 name, pool->service->name);
	if (pool_full(pool))
		return error_set(error, -ENOSPC,
				 "backend %s: service %s has its backends_max of %u; raise it in "
				 "the config",
				 name, pool->service->name, pool->service->backends_max);
	if (pool_backend_append(pool, name, ret_backend))
		return error_set(error, -ENOMEM, "backend %s: out of memory", name);
	return 0;
}

int pool_backend_add(struct pool *pool, const struct backend_config *backend, enum origin origin,
		     struct error *error)
{
	struct pool_backend *added;
	int code = pool_append(pool, backend->name, &added, error);

	if (code)
		return code;
	code = address_check(pool, backend->name, &backend->address, error);
	if (!code && backend->weight > SLUICE_WEIGHT_MAX)
		code = error_set(error, -EINVAL,
				 "backend %s: weight %u is above %u; 0 gives it no new flows",
				 backend->name, backend->weight, SLUICE_WEIGHT_MAX);
	if (!code)
		code = pool_number_take(pool, added, error);
	if (!code && pool_backend_place(pool, added, &backend->address, backend->port))
		code = error_set(error, -ENOMEM, "backend %s: out of memory", backend->name);
	if (code) {
		pool_backend_drop_last(pool);
		return code;
	}
	added->weight = backend->weight;
	added->origin = origin;
	added->drain = backend->drain;
	added->maint = added->maint_configured = backend->maint;
	added->life = backend->drain ? LIFE_DRAINING : LIFE_ACTIVE;
	backend_health_begin(pool, added);
	return 0;
}

int state_backend_add(struct state *state, const char *service,
		      const struct backend_config *backend, enum origin origin, struct error *error)
{
	struct pool *pool;
	int code = state_pool_edit(state, service, &pool, error);

	if (!code)
		code = nat_end_check(state, pool, backend->name, &backend->address, backend->port,
				     error);
	if (!code)
		code = pool_backend_add(pool, backend, origin, error);
	if (!code)
		pool_health_settle(pool);
	return code;
}

int state_backend_remove(struct state *state, const char *service, const char *name,
			 struct error *error)
{
	struct pool_backend *backend;
	struct pool *pool;
	int code = backend_find(state, service, name, &pool, &backend, error);

	if (code)
		return code;
	pool_backend_remove(pool, backend);
	pool_health_settle(pool);
	return 0;
}

int state_backend_drain(struct state *state, const char *service, const char *name,
			uint64_t deadline_ms, struct error *error)
{
	struct pool_backend *backend;
	struct pool *pool;
	int code = backend_find(state, service, name, &pool, &backend, error);

	if (code)
		return code;
	if (!life_next(backend->life, LIFE_EVENT_DRAIN, &backend->life))
		return error_set(error, -EINVAL,
				 "backend %s: is %s and has no flows to drain; remove it instead",
				 name, lifecycle_names[backend->life]);
	backend->deadline_ms = deadline_ms;
	pool_health_settle(pool);
	return 0;
}

int state_backend_drained(struct state *state, const char *service, const char *name,
			  struct error *error)
{
	struct pool_backend *backend;
	struct pool *pool;
	int code = backend_find(state, service, name, &pool, &backend, error);

	if (code)
		return code;
	if (!life_next(backend->life, LIFE_EVENT_DRAINED, &backend->life))
		return error_set(error, -EINVAL, "backend %s: is %s, not draining", name,
				 lifecycle_names[backend->life]);
	pool_number_retire(pool, backend);
	backend->deadline_ms = 0;
	return 0;
}

int pool_backend_undrain(struct pool *pool, struct pool_backend *backend, struct error *error)
{
	int code = 0;

	if (backend->life == LIFE_DRAINED) {
		code = address_check(pool, backend->name, &backend->address, error);
		if (!code)
			code = pool_number_take(pool, backend, error);
	}
	if (code)
		return code;
	/* What was out of the tables may have died meanwhile. */
	if (backend->life == LIFE_DRAINED)
		backend_health_begin(pool, backend);
	life_next(backend->life, LIFE_EVENT_UNDRAIN, &backend->life);
	backend->deadline_ms = 0;
	backend_life_settle(backend);
	return 0;
}

int state_backend_undrain(struct state *state, const char *service, const char *name,
			  struct error *error)
{
	struct pool_backend *backend;
	struct pool *pool;
	int code = backend_find(state, service, name, &pool, &backend, error);

	if (code)
		return code;
	if (backend->life != LIFE_DRAINING && backend->life != LIFE_DRAINED)
		return error_set(error, -EINVAL,
				 "backend %s: is %s, not draining; nothing to take back", name,
				 lifecycle_names[backend->life]);
	code = pool_backend_undrain(pool, backend, error);
	if (!code)
		pool_health_settle(pool);
	return code;
}

int state_backend_weight(struct state *state, const char *service, const char *name,
			 uint32_t weight, struct error *error)
{
	struct pool_backend *backend;
	struct pool *pool;
	int code = backend_find(state, service, name, &pool, &backend, error);

	if (code)
		return code;
	if (weight > SLUICE_WEIGHT_MAX)
		return error_set(error, -EINVAL,
				 "backend %s: weight %u is above %u; 0 gives it no new flows", name,
				 weight, SLUICE_WEIGHT_MAX);
	backend->weight_runtime = weight;
	return 0;
}

/* A minted name ends in its number: remember the largest, so that no name is minted twice. */
static void sequence_follow(struct pool *pool, const char *name)
{
	const char *last = strrchr(name, '-');
	unsigned long number;
	char *end;

	if (!last || last[1] < '0' || last[1] > '9')
		return;
	errno = 0;
	number = strtoul(last + 1, &end, 10);
	if (!errno && !*end && number <= UINT32_MAX && number > pool->sequence)
		pool->sequence = (uint32_t)number;
}

int state_backend_intend(struct state *state, const char *service, const char *name,
			 struct error *error)
{
	struct pool_backend *backend;
	struct pool *pool;
	int code = state_pool_edit(state, service, &pool, error);

	if (!code)
		code = pool_append(pool, name, &backend, error);
	if (code)
		return code;
	backend->weight = WEIGHT_CREATED;
	backend->origin = ORIGIN_AUTOSCALE;
	backend->life = LIFE_PROVISIONING;
	sequence_follow(pool, name);
	return 0;
}

int state_backend_provider(struct state *state, const char *service, const char *name,
			   struct provider *provider, struct error *error)
{
	struct pool_backend *backend;
	struct pool *pool;
	int code = backend_find(state, service, name, &pool, &backend, error);

	if (code)
		return code;
	provider_put(backend->provider);
	backend->provider = provider_hold(provider);
	return 0;
}

int state_backend_created(struct state *state, const char *service, const char *name,
			  const struct ip *address, uint16_t port, struct error *error)
{
	struct pool_backend *backend;
	enum lifecycle life;
	struct pool *pool;
	int code = backend_find(state, service, name, &pool, &backend, error);

	if (code)
		return code;
	if (!life_next(backend->life, LIFE_EVENT_CREATED, &life))
		return error_set(error, -EINVAL, "backend %s: is %s, not provisioning", name,
				 lifecycle_names[backend->life]);
	code = address_check(pool, name, address, error);
	if (!code)
		code = nat_end_check(state, pool, name, address, port, error);
	if (!code)
		code = pool_number_take(pool, backend, error);
	if (code)
		return code;
	if (pool_backend_place(pool, backend, address, port))
		return error_set(error, -ENOMEM, "backend %s: out of memory", name);
	backend->life = life;
	backend_health_begin(pool, backend);
	pool_health_settle(pool);
	return 0;
}

int state_backend_fail(struct state *state, const char *service, const char *name, const char *note,
		       struct error *error)
{
	struct pool_backend *backend;
	enum lifecycle life;
	struct pool *pool;
	char *copy;
	int code = backend_find(state, service, name, &pool, &backend, error);

	if (code)
		return code;
	if (!life_next(backend->life, LIFE_EVENT_FAIL, &life))
		return error_set(error, -EINVAL,
				 "backend %s: is %s; only a creation or deletion fails", name,
				 lifecycle_names[backend->life]);
	copy = strdup(note);
	if (!copy)
		return error_set(error, -ENOMEM, "backend %s: out of memory", name);
	free(backend->note);
	backend->note = copy;
	backend->life = life;
	return 0;
}

int state_backend_deleting(struct state *state, const char *service, const char *name,
			   struct error *error)
{
	struct pool_backend *backend;
	struct pool *pool;
	int code = backend_find(state, service, name, &pool, &backend, error);

	if (code)
		return code;
	pool_number_retire(pool, backend);
	life_next(backend->life, LIFE_EVENT_DELETE, &backend->life);
	backend->deadline_ms = 0;
	pool_health_settle(pool);
	return 0;
}

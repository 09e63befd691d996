// SPDX-License-Identifier: GPL-2.0-only
/* The state as a value: made, shared with its clones, freed, searched; services added and removed. */
#include "model/state.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "model/missing.h"
#include "model/state_parts.h"

struct state *state_new(const struct limits_config *limits)
{
	struct state *state = calloc(1, sizeof(*state));

	if (state)
		state->limits = *limits;
	return state;
}

void state_free(struct state *state)
{
	if (!state)
		return;
	for (size_t i = 0; i < state->pool_count; i++)
		pool_put(state->pools[i]);
	free(state->pools);
	index_clear(&state->names);
	state_rooms_forget(state);
	free(state->retired);
	free(state);
}

struct state *state_clone(const struct state *state)
{
	struct state *clone = state_new(&state->limits);

	if (!clone)
		return NULL;
	clone->pools = calloc(state->pool_count + 1, sizeof(struct pool *));
	clone->retired = calloc(state->retired_count + 1, sizeof(*clone->retired));
	if (!clone->pools || !clone->retired || index_copy(&state->names, &clone->names)) {
		state_free(clone);
		return NULL;
	}
	for (size_t i = 0; i < state->retired_count; i++)
		clone->retired[clone->retired_count++] = state->retired[i];
	for (size_t i = 0; i < state->pool_count; i++) {
		clone->pools[clone->pool_count++] = state->pools[i];
		state->pools[i]->users++;
	}
	return clone;
}

static bool pool_named(const void *things, size_t position, const void *name)
{
	struct pool *const *pools = things;

	return !strcmp(pools[position]->service->name, name);
}

static size_t pool_position(const struct state *state, const char *service)
{
	return index_find(&state->names, index_hash_text(service), pool_named, state->pools,
			  service);
}

const struct pool *state_pool(const struct state *state, const char *service)
{
	size_t position = pool_position(state, service);

	return position == INDEX_NONE ? NULL : state->pools[position];
}

struct pool *state_pool_own(struct state *state, size_t position)
{
	struct pool *pool = state->pools[position], *copy;

	if (pool->users == 1)
		return pool;
	copy = pool_clone(pool);
	if (!copy)
		return NULL;
	pool->users--;
	state->pools[position] = copy;
	return copy;
}

int state_pool_edit(struct state *state, const char *service, struct pool **ret_pool,
		    struct error *error)
{
	size_t position = pool_position(state, service);
	struct pool *pool;

	if (position == INDEX_NONE)
		return service_missing(state, service, error);
	pool = state_pool_own(state, position);
	if (!pool)
		return error_set(error, -ENOMEM, "service %s: out of memory", service);
	*ret_pool = pool;
	return 0;
}

int state_pool_append(struct state *state, struct pool *pool)
{
	struct pool **pools =
		reallocarray(state->pools, state->pool_count + 1, sizeof(struct pool *));

	if (!pools)
		return -ENOMEM;
	state->pools = pools;
	if (index_add(&state->names, index_hash_text(pool->service->name), state->pool_count))
		return -ENOMEM;
	pools[state->pool_count++] = pool;
	return 0;
}

int state_pool_add(struct state *state, const struct service_config *service, enum origin origin,
		   struct pool **ret_pool, struct error *error)
{
	struct pool *pool = pool_new(service, origin);
	int code = pool ? state_blocks_take(state, pool, error)
			: error_set(error, -ENOMEM, "service %s: out of memory", service->name);

	if (!code && state_pool_append(state, pool)) {
		state_rooms_forget(state); /* they count its blocks */
		code = error_set(error, -ENOMEM, "service %s: out of memory", service->name);
	}
	if (code)
		pool_put(pool);
	else
		*ret_pool = pool;
	return code;
}

/* The index after pools have gone: it has room for those that stay. */
static void names_renew(struct state *state)
{
	index_empty(&state->names);
	for (size_t i = 0; i < state->pool_count; i++)
		index_add(&state->names, index_hash_text(state->pools[i]->service->name), i);
}

int state_pools_remove(struct state *state, const bool *gone, struct error *error)
{
	size_t kept = 0;
	int code = 0;

	for (size_t i = 0; i < state->pool_count; i++) {
		struct pool *pool = state->pools[i];

		if (!code && gone[i])
			code = state_blocks_retire(state, pool, error);
		if (!code && gone[i])
			pool_put(pool);
		else
			state->pools[kept++] = pool;
	}
	state->pool_count = kept;
	names_renew(state);
	return code;
}

/* Take back a service that could not be added whole: its blocks were never in the kernel. */
static void last_pool_drop(struct state *state)
{
	struct pool *pool = state->pools[--state->pool_count];

	index_remove(&state->names, index_hash_text(pool->service->name), state->pool_count);
	state_rooms_forget(state);
	pool_put(pool);
}

int state_service_add(struct state *state, const struct service_config *service, enum origin origin,
		      struct error *error)
{
	struct pool *pool;
	int code;

	if (state_pool(state, service->name))
		return error_set(error, -EEXIST,
				 "service %s: is there already; remove it first or choose "
				 "another name",
				 service->name);
	code = state_pool_add(state, service, origin, &pool, error);
	if (code)
		return code;
	code = state_keys_check(state, error);
	for (size_t i = 0; !code && i < service->backend_count; i++)
		code = pool_backend_add(pool, &service->backends[i], origin, error);
	if (code)
		last_pool_drop(state);
	else
		pool_health_settle(pool);
	return code;
}

int state_service_remove(struct state *state, const char *service, struct error *error)
{
	size_t position = pool_position(state, service);
	struct pool *pool;
	int code;

	if (position == INDEX_NONE)
		return service_missing(state, service, error);
	pool = state->pools[position];
	code = state_blocks_retire(state, pool, error);
	if (code)
		return code;
	index_remove(&state->names, index_hash_text(service), position);
	index_close_gap(&state->names, position);
	state->pool_count--;
	memmove(&state->pools[position], &state->pools[position + 1],
		(state->pool_count - position) * sizeof(struct pool *));
	pool_put(pool);
	return 0;
}

int state_purged(struct state *state)
{
	state->retired_count = 0;
	state_rooms_forget(state);
	for (size_t i = 0; i < state->pool_count; i++) {
		struct pool *pool = state->pools[i];

		if (!memchr(pool->numbers, NUMBER_RETIRED, pool->backend_capacity))
			continue;
		pool = state_pool_own(state, i);
		if (!pool)
			return -ENOMEM;
		for (uint32_t number = 0; number < pool->backend_capacity; number++) {
			if (pool->numbers[number] == NUMBER_RETIRED)
				pool->numbers[number] = NUMBER_PURGED;
		}
		pool->purged_from = 0;
	}
	return 0;
}

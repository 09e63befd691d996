// SPDX-License-Identifier: GPL-2.0-only
/* A pool as a value: made, copied when it is to be changed, shared, searched by name and address. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/state_parts.h"

void pool_backend_clear(struct pool_backend *backend)
{
	free(backend->name);
	free(backend->note);
	provider_put(backend->provider);
}

void pool_put(struct pool *pool)
{
	if (!pool || --pool->users)
		return;
	for (size_t i = 0; i < pool->backend_count; i++)
		pool_backend_clear(&pool->backends[i]);
	free(pool->backends);
	free(pool->numbers);
	index_clear(&pool->names);
	index_clear(&pool->addresses);
	service_config_free(pool_service_edit(pool));
	free(pool);
}

struct pool *pool_new(const struct service_config *service, enum origin origin)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	struct service_config bare = *service;

	if (!pool)
		return NULL;
	bare.backend_count = 0;
	pool->users = 1;
	pool->service = service_config_clone(&bare);
	pool->scale_configured = scale_configured_of(service);
	pool->origin = origin;
	if (pool->service)
		return pool;
	pool_put(pool);
	return NULL;
}

static int backend_clone(struct pool_backend *clone, const struct pool_backend *backend)
{
	*clone = *backend;
	clone->name = strdup(backend->name);
	clone->note = backend->note ? strdup(backend->note) : NULL;
	provider_hold(clone->provider);
	return clone->name && (clone->note || !backend->note) ? 0 : -ENOMEM;
}

static int pool_copy(struct pool *clone, const struct pool *pool)
{
	clone->service = service_config_clone(pool->service);
	clone->backends = calloc(pool->backend_count + 1, sizeof(*clone->backends));
	clone->numbers = malloc(pool->backend_capacity);
	if (!clone->service || !clone->backends || !clone->numbers ||
	    index_copy(&pool->names, &clone->names) ||
	    index_copy(&pool->addresses, &clone->addresses))
		return -ENOMEM;
	clone->backend_room = pool->backend_count + 1;
	memcpy(clone->numbers, pool->numbers, pool->backend_capacity);
	for (size_t i = 0; i < pool->backend_count; i++) {
		clone->backend_count = i + 1;
		if (backend_clone(&clone->backends[i], &pool->backends[i]))
			return -ENOMEM;
	}
	return 0;
}

struct pool *pool_clone(const struct pool *pool)
{
	struct pool *clone = malloc(sizeof(*clone));

	if (!clone)
		return NULL;
	*clone = *pool;
	clone->users = 1;
	clone->backend_count = 0;
	clone->names = (struct index){0};
	clone->addresses = (struct index){0};
	if (!pool_copy(clone, pool))
		return clone;
	pool_put(clone);
	return NULL;
}

/* The pool owns its service's config; only who may change the pool may change it. */
struct service_config *pool_service_edit(struct pool *pool)
{
	return (struct service_config *)(uintptr_t)pool->service;
}

struct scale_configured scale_configured_of(const struct service_config *service)
{
	const struct autoscale_config *autoscale = service->autoscale;

	if (!autoscale)
		return (struct scale_configured){0};
	return (struct scale_configured){autoscale->target, autoscale->min, autoscale->max,
					 autoscale->paused};
}

static bool backend_named(const void *things, size_t position, const void *name)
{
	const struct pool_backend *backends = things;

	return !strcmp(backends[position].name, name);
}

static size_t backend_position(const struct pool *pool, const char *name)
{
	return index_find(&pool->names, index_hash_text(name), backend_named, pool->backends, name);
}

const struct pool_backend *pool_backend(const struct pool *pool, const char *name)
{
	size_t position = backend_position(pool, name);

	return position == INDEX_NONE ? NULL : &pool->backends[position];
}

struct pool_backend *pool_backend_edit(struct pool *pool, const char *name)
{
	size_t position = backend_position(pool, name);

	return position == INDEX_NONE ? NULL : &pool->backends[position];
}

static bool backend_at(const void *things, size_t position, const void *address)
{
	const struct pool_backend *backends = things;

	return backend_alive(&backends[position]) && ip_equal(&backends[position].address, address);
}

static uint32_t address_hash(const struct ip *address)
{
	return index_hash(address->word, sizeof(address->word));
}

const struct pool_backend *pool_backend_at(const struct pool *pool, const struct ip *address)
{
	size_t position = index_find(&pool->addresses, address_hash(address), backend_at,
				     pool->backends, address);

	return position == INDEX_NONE ? NULL : &pool->backends[position];
}

static bool address_any(const struct ip *address)
{
	static const struct ip none;

	return !ip_equal(address, &none);
}

int pool_backend_place(struct pool *pool, struct pool_backend *backend, const struct ip *address,
		       uint16_t port)
{
	size_t position = (size_t)(backend - pool->backends);

	if (address_any(address) && index_add(&pool->addresses, address_hash(address), position))
		return -ENOMEM;
	backend->address = *address;
	backend->port = port;
	return 0;
}

int pool_backend_append(struct pool *pool, const char *name, struct pool_backend **ret_backend)
{
	struct pool_backend *backends = pool->backends;
	size_t room = pool->backend_room;
	char *copy;

	if (pool->backend_count >= room) {
		room = room ? room * 2 : 4;
		backends = reallocarray(backends, room, sizeof(*backends));
		if (!backends)
			return -ENOMEM;
		pool->backends = backends;
		pool->backend_room = room;
	}
	copy = strdup(name);
	if (!copy || index_add(&pool->names, index_hash_text(name), pool->backend_count)) {
		free(copy);
		return -ENOMEM;
	}
	backends[pool->backend_count] = (struct pool_backend){
		.name = copy,
		.weight_runtime = NO_WEIGHT,
		.number = NO_NUMBER,
		.health = {.ramp = HEALTH_WHOLE, .report_weight = HEALTH_WHOLE},
	};
	*ret_backend = &backends[pool->backend_count++];
	return 0;
}

/* Out of number, indexes and memory, but not out of the list. */
static void backend_forget(struct pool *pool, struct pool_backend *backend)
{
	size_t position = (size_t)(backend - pool->backends);

	pool_number_retire(pool, backend);
	index_remove(&pool->names, index_hash_text(backend->name), position);
	index_remove(&pool->addresses, address_hash(&backend->address), position);
	pool_backend_clear(backend);
}

void pool_backend_drop_last(struct pool *pool)
{
	backend_forget(pool, &pool->backends[pool->backend_count - 1]);
	pool->backend_count--;
}

void pool_backend_remove(struct pool *pool, struct pool_backend *backend)
{
	size_t position = (size_t)(backend - pool->backends);

	backend_forget(pool, backend);
	index_close_gap(&pool->names, position);
	index_close_gap(&pool->addresses, position);
	pool->backend_count--;
	memmove(backend, backend + 1, (pool->backend_count - position) * sizeof(*backend));
}

void pool_backends_remove(struct pool *pool, const bool *gone)
{
	size_t kept = 0;

	for (size_t i = 0; i < pool->backend_count; i++) {
		if (gone[i])
			backend_forget(pool, &pool->backends[i]);
		else
			pool->backends[kept++] = pool->backends[i];
	}
	pool->backend_count = kept;
	/* Anew: closing each gap would take as long for each. There is room for those that stay. */
	index_empty(&pool->names);
	index_empty(&pool->addresses);
	for (size_t i = 0; i < kept; i++) {
		const struct pool_backend *backend = &pool->backends[i];

		index_add(&pool->names, index_hash_text(backend->name), i);
		if (address_any(&backend->address))
			index_add(&pool->addresses, address_hash(&backend->address), i);
	}
}

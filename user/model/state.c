// SPDX-License-Identifier: GPL-2.0-only
/* The state as a value: made, copied, freed, searched; services added and removed. */
#include "model/state.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "model/state_parts.h"

struct state *state_new(const struct limits_config *limits)
{
	struct state *state = calloc(1, sizeof(*state));

	if (state)
		state->limits = *limits;
	return state;
}

void pool_backend_clear(struct pool_backend *backend)
{
	free(backend->name);
	free(backend->note);
}

void pool_clear(struct pool *pool)
{
	for (size_t i = 0; i < pool->backend_count; i++)
		pool_backend_clear(&pool->backends[i]);
	free(pool->backends);
	free(pool->retired);
	service_config_free(pool->service);
}

void state_free(struct state *state)
{
	if (!state)
		return;
	for (size_t i = 0; i < state->pool_count; i++)
		pool_clear(&state->pools[i]);
	free(state->pools);
	free(state->retired);
	free(state);
}

static int backend_clone(struct pool_backend *clone, const struct pool_backend *backend)
{
	*clone = *backend;
	clone->name = strdup(backend->name);
	clone->note = backend->note ? strdup(backend->note) : NULL;
	return clone->name && (clone->note || !backend->note) ? 0 : -ENOMEM;
}

static int pool_clone(struct pool *clone, const struct pool *pool)
{
	*clone = *pool;
	clone->backend_count = 0;
	clone->service = service_config_clone(pool->service);
	clone->backends = calloc(pool->backend_count + 1, sizeof(*clone->backends));
	clone->retired = malloc(pool->backend_capacity);
	if (!clone->service || !clone->backends || !clone->retired)
		return -ENOMEM;
	memcpy(clone->retired, pool->retired, pool->backend_capacity);
	for (size_t i = 0; i < pool->backend_count; i++) {
		clone->backend_count = i + 1;
		if (backend_clone(&clone->backends[i], &pool->backends[i]))
			return -ENOMEM;
	}
	return 0;
}

struct state *state_clone(const struct state *state)
{
	struct state *clone = state_new(&state->limits);

	if (!clone)
		return NULL;
	clone->pools = calloc(state->pool_count + 1, sizeof(*clone->pools));
	clone->retired = calloc(state->retired_count + 1, sizeof(*clone->retired));
	if (!clone->pools || !clone->retired)
		goto failed;
	for (size_t i = 0; i < state->retired_count; i++)
		clone->retired[clone->retired_count++] = state->retired[i];
	for (size_t i = 0; i < state->pool_count; i++) {
		clone->pool_count = i + 1;
		if (pool_clone(&clone->pools[i], &state->pools[i]))
			goto failed;
	}
	return clone;
failed:
	state_free(clone);
	return NULL;
}

struct pool *state_pool(const struct state *state, const char *service)
{
	for (size_t i = 0; i < state->pool_count; i++) {
		if (!strcmp(state->pools[i].service->name, service))
			return &state->pools[i];
	}
	return NULL;
}

struct scale_configured scale_configured_of(const struct service_config *service)
{
	const struct autoscale_config *autoscale = service->autoscale;

	if (!autoscale)
		return (struct scale_configured){0};
	return (struct scale_configured){autoscale->target, autoscale->min, autoscale->max,
					 autoscale->paused};
}

static bool key_equal(const struct service_config *a, const struct service_config *b)
{
	return a->protocol == b->protocol && a->port == b->port && ip_equal(&a->vip, &b->vip);
}

static int unknown_port_error(const struct service_config *one, const struct service_config *other,
			      struct error *error)
{
	char vip[IP_TEXT_MAX];

	return error_set(
		error, -EINVAL,
		"service %s: unknown_port %s, but %s for service %s of the same VIP %s; say "
		"the same for both",
		one->name, empty_answer_names[one->unknown_port],
		empty_answer_names[other->unknown_port], other->name, ip_format(&one->vip, vip));
}

int state_keys_check(const struct state *state, struct error *error)
{
	char vip[IP_TEXT_MAX], port[24] = "every port";

	for (size_t i = 0; i < state->pool_count; i++) {
		const struct service_config *one = state->pools[i].service;

		for (size_t n = 0; n < i; n++) {
			const struct service_config *other = state->pools[n].service;

			if (ip_equal(&one->vip, &other->vip) &&
			    one->unknown_port != other->unknown_port)
				return unknown_port_error(one, other, error);
			if (!key_equal(one, other))
				continue;
			if (one->port)
				snprintf(port, sizeof(port), "port %u", one->port);
			return error_set(error, -EEXIST,
					 "service %s: %s %s %s belongs to service %s; give it "
					 "another or remove that service",
					 one->name, ip_format(&one->vip, vip),
					 one->protocol == IPPROTO_TCP ? "tcp" : "udp", port,
					 other->name);
		}
	}
	return 0;
}

int state_pool_add(struct state *state, const struct service_config *service, enum origin origin,
		   struct error *error)
{
	struct pool *pools = reallocarray(state->pools, state->pool_count + 1, sizeof(*pools));
	struct service_config bare = *service;
	struct pool *pool;
	int code;

	if (!pools)
		return error_set(error, -ENOMEM, "service %s: out of memory", service->name);
	state->pools = pools;
	pool = &pools[state->pool_count];
	bare.backend_count = 0;
	*pool = (struct pool){
		.service = service_config_clone(&bare),
		.scale_configured = scale_configured_of(service),
		.origin = origin,
	};
	if (!pool->service)
		return error_set(error, -ENOMEM, "service %s: out of memory", service->name);
	state->pool_count++;
	code = state_blocks_take(state, state->pool_count - 1, error);
	if (code) {
		pool_clear(pool);
		state->pool_count--;
	}
	return code;
}

int state_pool_remove(struct state *state, struct pool *pool, struct error *error)
{
	size_t index = (size_t)(pool - state->pools);
	int code = state_blocks_retire(state, pool, error);

	if (code)
		return code;
	pool_clear(pool);
	state->pool_count--;
	memmove(pool, pool + 1, (state->pool_count - index) * sizeof(*pool));
	return 0;
}

/* Take back a service that could not be added whole: its blocks were never in the kernel. */
static void last_pool_drop(struct state *state)
{
	pool_clear(&state->pools[--state->pool_count]);
}

int state_service_add(struct state *state, const struct service_config *service, enum origin origin,
		      struct error *error)
{
	int code;

	if (state_pool(state, service->name))
		return error_set(error, -EEXIST,
				 "service %s: is there already; remove it first or choose "
				 "another name",
				 service->name);
	code = state_pool_add(state, service, origin, error);
	if (code)
		return code;
	code = state_keys_check(state, error);
	for (size_t i = 0; !code && i < service->backend_count; i++)
		code = pool_backend_add(&state->pools[state->pool_count - 1], &service->backends[i],
					origin, error);
	if (code)
		last_pool_drop(state);
	return code;
}

int state_service_remove(struct state *state, const char *service, struct error *error)
{
	struct pool *pool = state_pool(state, service);

	if (!pool)
		return error_set(
			error, -ENOENT,
			"service %s: is not there; 'sluice service ls' lists those that are",
			service);
	return state_pool_remove(state, pool, error);
}

void state_purged(struct state *state)
{
	state->retired_count = 0;
	for (size_t i = 0; i < state->pool_count; i++) {
		struct pool *pool = &state->pools[i];

		for (uint32_t number = 0; number < pool->backend_capacity; number++) {
			if (pool->retired[number] == NUMBER_RETIRED)
				pool->retired[number] = NUMBER_PURGED;
		}
	}
}

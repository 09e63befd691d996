// SPDX-License-Identifier: GPL-2.0-only
/* The maps held against the state that they are to be: what differs is told, nothing is written. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/dataplane_private.h"
#include "sluice/service_table.h"

struct check {
	const struct dataplane *dataplane;
	void (*found)(void *context, const char *text);
	void *context;
};

static void tell(const struct check *check, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void tell(const struct check *check, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	check->found(check->context, text);
}

/* ------------------------------------------------------------------ keys, the filter */

/* 0: there is no such key. */
static uint64_t key_target(const struct dataplane *dataplane, const struct service_key *key)
{
	return service_table_find(dataplane->maps.service_keys, dataplane->maps.settings.key_mask,
				  key);
}

static void keys_check(const struct check *check, const struct pool *pool)
{
	const char *name = pool->service->name;
	const struct service_target to_pool = {.service = pool->id};
	const struct service_target to_vip = {
		.service = SLUICE_NO_SERVICE,
		.pass = pool->service->unknown_port == EMPTY_PASS,
	};
	struct service_key key;

	service_key_fill(&key, pool);
	if (key_target(check->dataplane, &key) != target_word(&to_pool))
		tell(check, "service %s: its key leads elsewhere", name);
	vip_key_fill(&key, pool);
	if (key_target(check->dataplane, &key) != target_word(&to_vip))
		tell(check, "service %s: the entry of its VIP is another", name);
}

static bool key_is_of(const struct service_key *key, const struct pool *pool)
{
	struct service_key wanted;

	service_key_fill(&wanted, pool);
	if (!memcmp(key, &wanted, sizeof(wanted)))
		return true;
	vip_key_fill(&wanted, pool);
	return !memcmp(key, &wanted, sizeof(wanted));
}

static void strangers_check(const struct check *check, const struct state *state)
{
	struct vip_filter_line lines[SLUICE_VIP_FILTER_BITS / 512] = {0};
	const struct service_key *previous = NULL;
	struct service_key key;
	size_t keys = 0;

	while (dataplane_key_next(check->dataplane, previous, &key) == 0) {
		uint32_t bit = hash_vip_bit(key.vip);
		size_t i = 0;

		while (i < state->pool_count && !key_is_of(&key, state->pools[i]))
			i++;
		if (i == state->pool_count)
			tell(check, "a key of no service");
		lines[bit / 512].bits[bit / 64 % 8] |= 1ULL << (bit % 64);
		previous = &key;
		keys++;
	}
	if (memcmp(lines, check->dataplane->maps.vip_filter, sizeof(lines)) != 0)
		tell(check, "the filter is not that of the %zu keys", keys);
}

/* ------------------------------------------------------------------ records */

static int service_check(const struct check *check, const struct pool *pool)
{
	const struct service *record = &check->dataplane->maps.services[pool->id];
	struct service wanted = *record;
	int differs;

	service_fill(check->dataplane, pool, &wanted);
	if (record->state != SERVICE_PRESENT || memcmp(record, &wanted, sizeof(wanted)) != 0)
		tell(check, "service %s: its record differs", pool->service->name);
	differs = table_differs(check->dataplane, pool);
	if (differs > 0)
		tell(check, "service %s: its slot table differs", pool->service->name);
	return differs < 0 ? differs : 0;
}

static void backend_check(const struct check *check, const struct pool *pool,
			  const struct pool_backend *backend)
{
	uint32_t id = pool->backend_base + backend->number;
	const struct backend *record = &check->dataplane->maps.backends[id];
	enum backend_state state = backend_takes(backend) ? BACKEND_ALIVE : BACKEND_DEAD;

	if (record->state != state)
		tell(check, "backend %s of %s: its record is in state %u, not %u", backend->name,
		     pool->service->name, record->state, state);
	if (memcmp(record->address, backend->address.word, sizeof(record->address)) != 0 ||
	    record->service != pool->id || record->port != htons(backend_port(pool, backend)) ||
	    record->family != ip_family(&backend->address) ||
	    record->mode != record_mode(pool->service))
		tell(check, "backend %s of %s: its record differs", backend->name,
		     pool->service->name);
	if (check->dataplane->maps.loads[id].weight != backend_weight(backend))
		tell(check, "backend %s of %s: its weight in the maps is %u, not %u", backend->name,
		     pool->service->name, check->dataplane->maps.loads[id].weight,
		     backend_weight(backend));
}

/* Marks the records that the pool has. */
static int pool_check(const struct check *check, const struct pool *pool, bool *services,
		      bool *backends)
{
	services[pool->id] = true;
	keys_check(check, pool);
	for (size_t i = 0; i < pool->backend_count; i++) {
		const struct pool_backend *backend = &pool->backends[i];

		if (backend->number == NO_NUMBER || !backend_alive(backend))
			continue;
		backends[pool->backend_base + backend->number] = true;
		backend_check(check, pool, backend);
	}
	return service_check(check, pool);
}

int dataplane_check(const struct dataplane *dataplane, const struct state *state,
		    void (*found)(void *context, const char *text), void *context)
{
	const struct check check = {dataplane, found, context};
	const struct meta *meta = dataplane->maps.meta;
	bool *services = calloc(meta->services_max, sizeof(*services));
	bool *backends = calloc(meta->backends_max, sizeof(*backends));
	int code = services && backends ? 0 : -ENOMEM;

	for (size_t i = 0; !code && i < state->pool_count; i++)
		code = pool_check(&check, state->pools[i], services, backends);
	if (code)
		goto out;
	strangers_check(&check, state);
	for (uint32_t i = 0; i < meta->services_max; i++) {
		if (!services[i] && dataplane->maps.services[i].state != SERVICE_ABSENT)
			tell(&check, "record %u of a service that is not wanted", i);
	}
	for (uint32_t i = 0; i < meta->backends_max; i++) {
		if (!backends[i] && dataplane->maps.backends[i].state != BACKEND_ABSENT)
			tell(&check, "record %u of a backend that is not wanted", i);
	}
out:
	free(services);
	free(backends);
	return code;
}

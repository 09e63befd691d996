// SPDX-License-Identifier: GPL-2.0-only
/* Removing from adopted maps what the agent's state does not name. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/dataplane_private.h"
#include "base/log.h"

static bool key_is_wanted(const struct state *state, const struct service_key *key)
{
	for (size_t i = 0; i < state->pool_count; i++) {
		const struct service_config *service = state->pools[i]->service;

		if (memcmp(key->vip, service->vip.word, sizeof(key->vip)) != 0)
			continue;
		if (!key->protocol && !key->port)
			return true;
		if (key->protocol == service->protocol && key->port == htons(service->port))
			return true;
	}
	return false;
}

static void keys_prune(struct dataplane *dataplane, const struct state *state)
{
	struct service_key key, next;
	int more = dataplane_key_next(dataplane, NULL, &key);

	while (!more) {
		/* The next key first: after its removal a key leads nowhere. */
		more = dataplane_key_next(dataplane, &key, &next);
		if (!key_is_wanted(state, &key))
			dataplane_key_delete(dataplane, &key);
		key = next;
	}
}

/* The filter from the keys that are left; a bit that stays is never clear meanwhile. */
static void filter_renew(struct dataplane *dataplane)
{
	struct vip_filter_line lines[SLUICE_VIP_FILTER_BITS / 512] = {0};
	const struct service_key *previous = NULL;
	struct service_key key;

	while (dataplane_key_next(dataplane, previous, &key) == 0) {
		uint32_t bit = hash_vip_bit(key.vip);

		lines[bit / 512].bits[bit / 64 % 8] |= 1ULL << (bit % 64);
		previous = &key;
	}
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		for (size_t word = 0; word < 8; word++)
			__atomic_store_n(&dataplane->maps.vip_filter[i].bits[word],
					 lines[i].bits[word], __ATOMIC_RELEASE);
	}
}

static void services_prune(struct dataplane *dataplane, const bool *wanted)
{
	for (uint32_t i = 0; i < dataplane->maps.meta->services_max; i++) {
		if (!wanted[i] && dataplane->maps.services[i].state != SERVICE_ABSENT)
			service_clear(&dataplane->maps.services[i]);
	}
}

static uint32_t backends_prune(struct dataplane *dataplane, const bool *wanted)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < dataplane->maps.meta->backends_max; i++) {
		if (wanted[i] || dataplane->maps.backends[i].state == BACKEND_ABSENT)
			continue;
		backend_clear(&dataplane->maps.backends[i]);
		count++;
	}
	return count;
}

static void wanted_fill(const struct state *state, bool *services, bool *backends)
{
	for (size_t i = 0; i < state->pool_count; i++) {
		const struct pool *pool = state->pools[i];

		services[pool->id] = true;
		for (size_t b = 0; b < pool->backend_count; b++) {
			if (pool->backends[b].number != NO_NUMBER &&
			    backend_alive(&pool->backends[b]))
				backends[pool->backend_base + pool->backends[b].number] = true;
		}
	}
}

int dataplane_prune(struct dataplane *dataplane, const struct state *state, struct error *error)
{
	bool *services = calloc(dataplane->maps.meta->services_max, sizeof(*services));
	bool *backends = calloc(dataplane->maps.meta->backends_max, sizeof(*backends));
	uint32_t removed = 0;
	int code = 0;

	if (!services || !backends) {
		code = error_set(error, -ENOMEM, "out of memory");
		goto out;
	}
	wanted_fill(state, services, backends);
	keys_prune(dataplane, state);
	filter_renew(dataplane);
	services_prune(dataplane, services);
	removed = backends_prune(dataplane, backends);
	quic_ids_prune(dataplane);
	nat_replies_prune(dataplane);
	if (removed)
		log_info("removed %u backends from the adopted maps that the state does not know",
			 removed);
out:
	free(services);
	free(backends);
	return code;
}

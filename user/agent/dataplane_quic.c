// SPDX-License-Identifier: GPL-2.0-only
/* The map of QUIC server IDs, kept in step with the backends. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "agent/dataplane_private.h"
#include "base/log.h"
#include "sluice.skel.h"

static const struct quic_key no_key;

static int ids_fd(const struct dataplane *dataplane)
{
	return bpf_map__fd(dataplane->object->maps.quic_ids);
}

static bool key_equal(const struct quic_key *a, const struct quic_key *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static void key_fill(struct quic_key *key, const struct pool *pool,
		     const struct pool_backend *backend)
{
	*key = no_key;
	if (!pool->service->quic_id_length)
		return;
	key->service = pool->id;
	key->length = pool->service->quic_id_length;
	quic_server_id(pool->service, &backend->address, key->id);
}

/* Of two backends with one ID the later one has it; the config refuses such where it can. */
static void warn_if_shared(const struct pool *pool, const struct pool_backend *backend,
			   const struct quic_key *key)
{
	for (size_t i = 0; i < pool->backend_count; i++) {
		const struct pool_backend *other = &pool->backends[i];
		struct quic_key others;

		key_fill(&others, pool, other);
		if (other != backend && backend_alive(other) && key_equal(&others, key))
			log_warning("backend %s: has the QUIC server ID of backend %s of service "
				    "%s and takes it over; raise quic_id_length",
				    backend->name, other->name, pool->service->name);
	}
}

void quic_id_clear(struct dataplane *dataplane, uint32_t backend)
{
	struct quic_key *key = &dataplane->quic_keys[backend];
	uint32_t holder;

	/* The ID may have gone to another backend meanwhile. */
	if (key->length && !bpf_map_lookup_elem(ids_fd(dataplane), key, &holder) &&
	    holder == backend)
		bpf_map_delete_elem(ids_fd(dataplane), key);
	*key = no_key;
}

int quic_id_write(struct dataplane *dataplane, const struct pool *pool,
		  const struct pool_backend *backend, struct error *error)
{
	uint32_t id = pool->backend_base + backend->number;
	struct quic_key key;
	int code;

	key_fill(&key, pool, backend);
	if (!key_equal(&key, &dataplane->quic_keys[id]))
		quic_id_clear(dataplane, id);
	if (!pool->service->quic_id_length)
		return 0;
	warn_if_shared(pool, backend, &key);
	code = bpf_map_update_elem(ids_fd(dataplane), &key, &id, BPF_ANY);
	if (code)
		return error_set(error, code, "map quic_ids: cannot add the ID of backend %s: %s",
				 backend->name, strerror(-code));
	dataplane->quic_keys[id] = key;
	return 0;
}

void quic_ids_prune(struct dataplane *dataplane)
{
	const struct meta *meta = dataplane->maps.meta;
	struct quic_key key, next;
	int more = bpf_map_get_next_key(ids_fd(dataplane), NULL, &key);

	while (!more) {
		uint32_t holder = meta->backends_max;

		/* The next key first: after its removal a key leads nowhere. */
		more = bpf_map_get_next_key(ids_fd(dataplane), &key, &next);
		if (bpf_map_lookup_elem(ids_fd(dataplane), &key, &holder) ||
		    holder >= meta->backends_max || !key_equal(&dataplane->quic_keys[holder], &key))
			bpf_map_delete_elem(ids_fd(dataplane), &key);
		key = next;
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/* The map that leads what backends in mode nat answer back to their services. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "agent/dataplane_private.h"
#include "base/log.h"
#include "sluice.skel.h"

static const struct nat_key no_key;

static int replies_fd(const struct dataplane *dataplane)
{
	return bpf_map__fd(dataplane->object->maps.nat_replies);
}

static bool key_equal(const struct nat_key *a, const struct nat_key *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* With none, the data plane spares itself the lookup. */
static void use_write(struct dataplane *dataplane)
{
	__atomic_store_n(&dataplane->maps.nat_use->backends, dataplane->nat_count,
			 __ATOMIC_RELEASE);
}

void nat_reply_clear(struct dataplane *dataplane, uint32_t backend)
{
	struct nat_key *key = &dataplane->nat_keys[backend];
	struct nat_reply reply;

	if (!key->protocol)
		return;
	/* The key may have gone to another backend meanwhile. */
	if (!bpf_map_lookup_elem(replies_fd(dataplane), key, &reply) && reply.backend == backend)
		bpf_map_delete_elem(replies_fd(dataplane), key);
	*key = no_key;
	dataplane->nat_count--;
	use_write(dataplane);
}

int nat_reply_write(struct dataplane *dataplane, const struct pool *pool,
		    const struct pool_backend *backend, struct error *error)
{
	const struct service_config *service = pool->service;
	uint16_t port = backend->port ? backend->port : service->port;
	uint32_t id = pool->backend_base + backend->number;
	struct nat_key key = {.port = htons(port), .protocol = service->protocol};
	struct nat_reply reply = {.port = htons(service->port), .backend = id}, before;
	int code;

	memcpy(key.address, backend->address.word, sizeof(key.address));
	memcpy(reply.vip, service->vip.word, sizeof(reply.vip));
	if (service->mode != FORWARD_MODE_NAT || !key_equal(&key, &dataplane->nat_keys[id]))
		nat_reply_clear(dataplane, id);
	if (service->mode != FORWARD_MODE_NAT)
		return 0;
	if (!bpf_map_lookup_elem(replies_fd(dataplane), &key, &before) &&
	    memcmp(before.vip, reply.vip, sizeof(reply.vip)) != 0)
		log_warning("backend %s: its address and port were those of a backend of another "
			    "VIP; from now on its answers are those of service %s",
			    backend->name, service->name);
	code = bpf_map_update_elem(replies_fd(dataplane), &key, &reply, BPF_ANY);
	if (code)
		return error_set(error, code, "map nat_replies: cannot add backend %s: %s",
				 backend->name, strerror(-code));
	if (!dataplane->nat_keys[id].protocol)
		dataplane->nat_count++;
	dataplane->nat_keys[id] = key;
	use_write(dataplane);
	return 0;
}

void nat_replies_prune(struct dataplane *dataplane)
{
	const struct meta *meta = dataplane->maps.meta;
	struct nat_key key, next;
	int more = bpf_map_get_next_key(replies_fd(dataplane), NULL, &key);

	while (!more) {
		struct nat_reply reply = {.backend = meta->backends_max};

		/* The next key first: after its removal a key leads nowhere. */
		more = bpf_map_get_next_key(replies_fd(dataplane), &key, &next);
		if (bpf_map_lookup_elem(replies_fd(dataplane), &key, &reply) ||
		    reply.backend >= meta->backends_max ||
		    !key_equal(&dataplane->nat_keys[reply.backend], &key))
			bpf_map_delete_elem(replies_fd(dataplane), &key);
		key = next;
	}
	use_write(dataplane);
}

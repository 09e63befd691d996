/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The backend of a QUIC packet by the server ID in its connection ID, so that a connection stays
 * where it is when its client's address changes. Only packets of services that ask for it come
 * here; what has no known ID goes on as any flow does.
 */
#ifndef BPF_QUIC_PICK_H
#define BPF_QUIC_PICK_H

#include "parse.h"
#include "pick.h"
#include "quic.h"

/* Server IDs of the backends of services that route by them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct quic_key);
	__type(value, __u32); /* index in map "backends" */
} quic_ids SEC(".maps");

/*
 * quic_owner - the living backend that the packet's ID names, or BACKEND_NONE. This and quic_pin
 * are global, so that the verifier looks at each only once.
 */
noinline __u32 quic_owner(struct xdp_md *ctx, __u32 service_id, __u32 link_length, __u32 family)
{
	const struct service *service = bpf_map_lookup_elem(&services, &service_id);
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	const void *header = data + (link_length & 31);
	struct packet packet = {
		.key.family = (__u8)family, .link_length = link_length & 31, .frame = ctx};
	struct quic_key key = {.service = service_id};
	__u32 length = 0, room = 0;
	enum verdict verdict;
	const __u32 *id;

	if (!service)
		return BACKEND_NONE;
	key.length = service->quic_id_length;
	if (family == 4)
		verdict = parse_ipv4(&header, end, &packet, &length, &room);
	else
		verdict = parse_ipv6(&header, end, &packet, &length, &room);
	if (verdict != VERDICT_NONE || room < sizeof(struct udphdr))
		return BACKEND_NONE;
	room -= sizeof(struct udphdr);
	if (!quic_id_read(header + sizeof(struct udphdr), end, room, service, key.id))
		return BACKEND_NONE;
	id = bpf_map_lookup_elem(&quic_ids, &key);
	if (!id || *id - service->backend_base >= service->backend_capacity)
		return BACKEND_NONE;
	return backend_by_id(*id) ? *id : BACKEND_NONE;
}

/*
 * quic_pin - keep the flow's entry, or make one: a drain counts them, and packets without an ID
 * follow it. An entry that names another backend stays: an ID is easily made up.
 */
noinline __u32 quic_pin(__u64 hash, __u32 service_id, __u32 backend_id)
{
	struct flow_bucket *bucket = flow_bucket(hash);
	__u32 place = flow_search(hash, service_id);
	__u32 now = tick_now();
	__u64 entry;

	if (place >= SLUICE_FLOWS_PER_BUCKET || !bucket)
		return flow_insert(hash, service_id, backend_id, now);
	entry = READ_ONCE(bucket->entries[place]);
	if (flow_entry_backend(entry) == backend_id && !((entry ^ hash) >> SLUICE_TAG_SHIFT))
		flow_touch(&bucket->entries[place], entry, now, FLOW_PROVEN);
	return backend_id;
}

/* quic_pick - as backend_pick; false if the packet's ID does not tell. */
static __always_inline bool quic_pick(struct xdp_md *ctx, const struct packet *packet,
				      struct route *route)
{
	__u32 id = quic_owner(ctx, route->service_id, packet->link_length, packet->key.family);

	if (id == BACKEND_NONE)
		return false;
	route->backend_id = id;
	route->backend = backend_by_id(id);
	if (!route->backend)
		return false;
	route->hash = hash_flow(&packet->key, settings.seed);
	if (route->service->tracking != TRACKING_MINIMAL)
		quic_pin(route->hash, route->service_id, id);
	return true;
}

#endif

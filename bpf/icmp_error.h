/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ICMP errors to a VIP go to the backend of the flow that they quote. That flow's packets to the
 * client do not pass here, so the quote is turned round, and found as the client's own packets are.
 * The flow table is read only: a forged error must not make or refresh an entry.
 */
#ifndef BPF_ICMP_ERROR_H
#define BPF_ICMP_ERROR_H

#include "echo.h"
#include "icmp.h"
#include "pick.h"
#include "service.h"

/* The flow that an ICMP error is about: its key, and what was found by that. */
struct quoted_flow {
	struct flow_key key;
	__u64 hash;
	__u32 service_id;
	__u32 backend_id; /* BACKEND_NONE: the service has none */
};

/* Each CPU's own, while one packet is looked at: on the stack it would not fit. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct quoted_flow);
} quoted_flows SEC(".maps");

static __always_inline struct quoted_flow *quoted_flow(void)
{
	__u32 index = 0;

	return bpf_map_lookup_elem(&quoted_flows, &index);
}

/* The service that the quoted flow is one of; an exact port comes before any port. */
static __always_inline __u64 quoted_service(const struct flow_key *flow)
{
	struct service_key key;
	__u64 target;

	service_key_fill(&key, flow, flow->destination_port, flow->protocol);
	target = service_key_search(&key);
	if (target)
		return target;
	key.port = 0;
	return service_key_search(&key);
}

/*
 * flow_owner - the backend that a flow's next packet would go to if it opens nothing, or
 * BACKEND_NONE. Global, so that the verifier looks at it only once.
 */
noinline __u32 flow_owner(__u64 hash, __u32 service_id, __u32 slot_tag)
{
	const struct service *service = bpf_map_lookup_elem(&services, &service_id);
	const struct flow_bucket *bucket = flow_bucket(hash);
	struct unknown flow = {.hash = hash, .service_id = service_id, .now = tick_now()};

	if (!service || !bucket)
		return BACKEND_NONE;
	flow.service = service;
	flow.signals = service->protocol == IPPROTO_TCP ? SIGNAL_TCP : 0;
	flow.table = READ_ONCE(service->table);
	flow.word = slot_read(flow.table, slot_of_tag(slot_tag, service->slot_count));
	if (service->tracking == TRACKING_MINIMAL &&
	    slot_current(flow.word) == slot_previous(flow.word)) {
		__u32 id = backend_of_number(service, slot_current(flow.word));

		if (id != BACKEND_NONE)
			return id;
	}
	for (__u32 i = 0; i < SLUICE_FLOWS_PER_BUCKET; i++) {
		__u64 entry = READ_ONCE(bucket->entries[i]);

		if (flow_is_own(entry, hash, service) && backend_by_id(flow_entry_backend(entry)))
			return flow_entry_backend(entry);
	}
	return unknown_pick_by_slot(&flow);
}

/*
 * icmp_read - judge an ICMP message to a VIP. VERDICT_NONE: it is an error, and quoted_flow()->key
 * is of the flow that it is about. This and quoted_find are global, so that the verifier looks at
 * each once, and two, so that they fit the stack.
 */
noinline __u32 icmp_read(struct xdp_md *ctx, __u32 link_length, __u32 family)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	void *network = data + (link_length & 31);
	const void *header = network;
	struct quoted_flow *flow = quoted_flow();
	struct packet packet = {
		.key.family = (__u8)family, .link_length = link_length, .frame = ctx};
	enum verdict verdict;
	__u32 room = 0;

	if (!flow || parse_destination(data, end, &packet) != VERDICT_NONE)
		return VERDICT_PASS_ICMP;
	switch (parse_icmp(&header, end, &packet, &room)) {
	case ICMP_KIND_OTHER:
		return VERDICT_PASS_ICMP;
	case ICMP_KIND_ECHO:
		return echo_reply(data, network, (__u32)(header - (const void *)network), end,
				  packet.key.family);
	case ICMP_KIND_ERROR:
		break;
	}
	verdict = parse_icmp_error(header, end, room, &packet);
	if (verdict == VERDICT_NONE)
		flow->key = packet.key;
	return verdict;
}

/* quoted_find - the rest of quoted_flow(), by its key. */
noinline __u32 quoted_find(void)
{
	struct quoted_flow *flow = quoted_flow();
	struct route route = {0};

	if (!flow)
		return VERDICT_PASS_ICMP;
	/* A quote of the host's own traffic, from an address that happens to be a VIP. */
	if (!service_of_target(quoted_service(&flow->key), &route))
		return VERDICT_PASS_ICMP;
	flow->hash = hash_flow(&flow->key, settings.seed);
	flow->service_id = route.service_id;
	flow->backend_id = flow_owner(flow->hash, route.service_id,
				      slot_tag(&flow->key, route.service, flow->hash));
	return VERDICT_NONE;
}

/* icmp_pick - as backend_pick, for an ICMP message to a VIP. */
static __always_inline enum verdict icmp_pick(struct xdp_md *ctx, const struct packet *packet,
					      struct route *route)
{
	const struct quoted_flow *flow;
	enum verdict verdict;

	verdict = (enum verdict)icmp_read(ctx, packet->link_length, packet->key.family);
	if (verdict == VERDICT_NONE)
		verdict = (enum verdict)quoted_find();
	/* By order, which the verifier remembers. */
	if (verdict < VERDICT_NONE)
		return verdict;
	flow = quoted_flow();
	if (!flow)
		return VERDICT_PASS_ICMP;
	route->service_id = flow->service_id;
	route->service = bpf_map_lookup_elem(&services, &route->service_id);
	if (!route->service)
		return VERDICT_PASS_ICMP;
	route->hash = flow->hash;
	route->backend_id = flow->backend_id;
	route->backend = backend_by_id(route->backend_id);
	if (route->backend)
		return VERDICT_NONE;
	return route->service->empty == EMPTY_PASS ? VERDICT_PASS_EMPTY_POOL
						   : VERDICT_DROP_EMPTY_POOL;
}

#endif

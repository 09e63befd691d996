/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Picking the backend of a packet: a flow that is known stays where it is; one that is not goes
 * by its slot, to the current owner if it is new, and to the previous one if it is older than
 * the last change of the pool.
 */
#ifndef BPF_PICK_H
#define BPF_PICK_H

#include "flow_table.h"
#include "slot.h"

#define BACKEND_NONE SLUICE_BACKENDS_MAX

/* What pick_unknown returns: the backend's id, and this bit if the packet opened the flow. */
#define PICK_NEW_FLOW 0x80000000u

/* A packet whose flow has no entry, or one that does not hold any more. */
struct unknown {
	const struct service *service;
	__u64 table; /* the service's table word, read once */
	__u64 hash;
	__u32 service_id;
	__u32 word; /* of its slot */
	__u32 signals;
	__u32 now;
};

static __always_inline __u32 unknown_to_either(const struct unknown *flow, __u32 first,
					       __u32 second)
{
	__u32 id = backend_of_number(flow->service, first);

	return id != BACKEND_NONE ? id : backend_of_number(flow->service, second);
}

/* A new flow: its scheduler's choice, pinned. BACKEND_NONE if it found no room, or no backend. */
static __always_inline __u32 unknown_pick_new(const struct unknown *flow)
{
	const struct service *service = flow->service;
	__u32 id;

	if (service->scheduler == SCHEDULER_MAGLEV)
		id = unknown_to_either(flow, slot_current(flow->word), slot_previous(flow->word));
	else
		id = backend_of_number(service, schedule(service, flow->service_id, flow->table));
	if (id != BACKEND_NONE)
		id = flow_insert(flow->hash, flow->service_id, id, flow->now);
	if (id != BACKEND_NONE && service->scheduler == SCHEDULER_LEAST_FLOWS)
		load_add(id);
	return id;
}

/* Whether packets of an unknown flow belong to the slot's previous owner. */
static __always_inline bool unknown_is_older(const struct unknown *flow)
{
	/* One more, as the table may be younger than the packet and of the next tick. */
	__u32 since = (flow->now + 1 - table_tick(flow->table)) & SLUICE_SEEN_MASK;

	if (slot_current(flow->word) == slot_previous(flow->word))
		return false;
	return flow->signals & SIGNAL_TCP || since <= flow->service->grace_ticks;
}

/*
 * By the slot of the flow's own hash. A SYN that could not be pinned comes here too: it goes where
 * its later packets will go.
 */
static __always_inline __u32 unknown_pick_by_slot(const struct unknown *flow)
{
	struct flow_counter *counter;
	__u32 id;

	if (unknown_is_older(flow)) {
		id = backend_of_number(flow->service, slot_previous(flow->word));
		counter = flow_counter();
		if (id != BACKEND_NONE && counter) {
			counter->from_previous++;
			return id;
		}
	}
	return unknown_to_either(flow, slot_current(flow->word), slot_previous(flow->word));
}

static __always_inline __u32 unknown_pick(const struct unknown *flow)
{
	bool tcp = flow->signals & SIGNAL_TCP;
	bool opens = signals_open(flow->signals) ||
		     (flow->signals & SIGNAL_QUIC_FIRST && flow->service->quic);
	__u32 id;

	if (opens || (!tcp && flow->service->scheduler != SCHEDULER_MAGLEV)) {
		id = unknown_pick_new(flow);
		if (id != BACKEND_NONE)
			return id | PICK_NEW_FLOW;
		id = unknown_pick_by_slot(flow);
		/* Also where there is no backend: a pool of none begins with that. */
		return opens ? id | PICK_NEW_FLOW : id;
	}
	id = unknown_pick_by_slot(flow);
	if (id == BACKEND_NONE)
		return tcp || flow->service->quic ? id : id | PICK_NEW_FLOW;
	if (signals_close(flow->signals))
		return id;
	if (flow_insert(flow->hash, flow->service_id, id, flow->now) != BACKEND_NONE && !tcp)
		id |= PICK_NEW_FLOW;
	return id;
}

/*
 * pick_unknown - the backend of an unknown flow, or BACKEND_NONE; and PICK_NEW_FLOW. Out of line,
 * as established flows never come here; global, so that the verifier looks at it only once.
 */
noinline __u32 pick_unknown(__u64 hash, __u32 service_id, __u32 slot_tag, __u32 signals, __u32 now)
{
	struct unknown flow = {
		.hash = hash, .service_id = service_id, .signals = signals, .now = now};
	const struct service *service = bpf_map_lookup_elem(&services, &service_id);

	if (!service)
		return BACKEND_NONE;
	flow.service = service;
	flow.table = READ_ONCE(service->table);
	flow.word = slot_read(flow.table, slot_of_tag(slot_tag, service->slot_count));
	return unknown_pick(&flow);
}

/* The state of a known flow's entry after this packet, or FLOW_EMPTY if it is to pick afresh. */
static __always_inline enum flow_state flow_state_next(enum flow_state state, __u32 signals)
{
	if (unlikely(signals_open(signals)))
		return state == FLOW_PROBATION ? FLOW_PROBATION : FLOW_EMPTY;
	if (unlikely(signals_close(signals)) || state == FLOW_CLOSING)
		return FLOW_CLOSING;
	return FLOW_PROVEN;
}

/* pick_known - the backend that the flow is pinned to. False if there is none, or none any more. */
static __always_inline bool pick_known(struct route *route, __u32 signals, __u32 now)
{
	struct flow_bucket *bucket = flow_bucket(route->hash);
	enum flow_state state;
	__u64 entry, *place;

	if (!bucket)
		return false;
	entry = flow_find(bucket, route->hash, route->service, route->service_id, &place);
	if (!entry)
		return false;
	state = flow_state_next(flow_entry_state(entry), signals);
	if (state == FLOW_EMPTY)
		return false;
	route->backend_id = flow_entry_backend(entry);
	route->backend = backend_by_id(route->backend_id);
	if (!route->backend)
		return false;
	flow_touch(place, entry, now, state);
	return true;
}

static __always_inline __u32 slot_tag(const struct flow_key *key, const struct service *service,
				      __u64 hash)
{
	if (unlikely(service->affinity != AFFINITY_FLOW))
		hash = hash_source(key, settings.seed, service->affinity == AFFINITY_SOURCE_PORT);
	return flow_entry_tag(hash);
}

/*
 * pick_settled - minimal tracking: where the slot's owner has not changed, all its flows are
 * there, and the flow table is not touched. False where it has.
 */
static __always_inline bool pick_settled(const struct packet *packet, struct route *route)
{
	const struct service *service = route->service;
	__u32 tag = slot_tag(&packet->key, service, route->hash);
	__u32 word = slot_read(READ_ONCE(service->table), slot_of_tag(tag, service->slot_count));
	__u32 number = slot_current(word);

	if (number != slot_previous(word) || number >= service->backend_capacity)
		return false;
	route->backend_id = service->backend_base + number;
	route->backend = backend_by_id(route->backend_id);
	route->new_flow = signals_open(packet->signals) ? 1 : 0;
	return route->backend;
}

/* backend_pick - fill in the route's backend. */
static __always_inline enum verdict backend_pick(const struct packet *packet, struct route *route)
{
	const struct service *service = route->service;
	__u32 now, picked;

	route->hash = hash_flow(&packet->key, settings.seed);
	if (service->tracking == TRACKING_MINIMAL && pick_settled(packet, route))
		return VERDICT_NONE;
	now = tick_now();
	if (likely(pick_known(route, packet->signals, now)))
		return VERDICT_NONE;
	picked = pick_unknown(route->hash, route->service_id,
			      slot_tag(&packet->key, service, route->hash), packet->signals, now);
	route->new_flow = picked & PICK_NEW_FLOW ? 1 : 0;
	route->backend_id = picked & ~PICK_NEW_FLOW;
	route->backend = backend_by_id(route->backend_id);
	if (route->backend)
		return VERDICT_NONE;
	return service->empty == EMPTY_PASS ? VERDICT_PASS_EMPTY_POOL : VERDICT_DROP_EMPTY_POOL;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guard: sources that a service takes no packets from, and how many new flows a source may
 * open. It is out of line, so a service without it pays for one branch, and global, so that the
 * verifier looks at it only once. Such functions copy what they are given before a map sees it:
 * kernels before 6.3 demand that.
 */
#ifndef BPF_GUARD_H
#define BPF_GUARD_H

#include <linux/in.h>

#include "flow_table.h"
#include "maps.h"
#include "packet.h"
#include "sluice/guard.h"

/* As often a bucket is tried while other CPUs take from it; each time one of them was served. */
#define GUARD_TRIES 8

struct guard_query {
	struct flow_key key;
	__u32 service_id;
	__u32 signals;
};

/* guard_prefix_find - the word of the longest prefix that has the source, or 0. */
noinline __u32 guard_prefix_find(const struct flow_key *flow, __u32 service)
{
	struct guard_prefix_key key = {0};
	const __u32 *word;

	if (!flow)
		return 0;
	key.scope = guard_scope(service, flow->family);
	if (flow->family == 4) {
		key.bits = GUARD_SCOPE_BITS + 32;
		key.address[0] = flow->source[3];
	} else {
		key.bits = GUARD_SCOPE_BITS + 128;
		key.address[0] = flow->source[0];
		key.address[1] = flow->source[1];
		key.address[2] = flow->source[2];
		key.address[3] = flow->source[3];
	}
	word = bpf_map_lookup_elem(&guard_prefixes, &key);
	return word ? READ_ONCE(*word) : 0;
}

/* Whether the flow has an entry that this packet goes on from; a SYN opens a proven one anew. */
static __always_inline bool guard_flow_known(__u64 hash, __u32 service_id, bool opens_tcp)
{
	const struct flow_bucket *bucket = flow_bucket(hash);
	__u32 place = flow_search(hash, service_id);

	if (!bucket || place >= SLUICE_FLOWS_PER_BUCKET)
		return false;
	return !opens_tcp || flow_entry_state(READ_ONCE(bucket->entries[place])) == FLOW_PROBATION;
}

/*
 * guard_opens - whether the packet would open a flow of the service: a SYN, or a datagram of no
 * known flow; of a service that speaks QUIC only one that opens a connection.
 */
noinline __u32 guard_opens(const struct guard_query *query)
{
	const struct service *service;
	__u32 service_id;
	bool tcp;

	if (!query)
		return 0;
	service_id = query->service_id;
	service = bpf_map_lookup_elem(&services, &service_id);
	if (!service)
		return 0;
	tcp = query->signals & SIGNAL_TCP;
	if (tcp && !signals_open(query->signals))
		return 0;
	if (!tcp && service->quic && !(query->signals & SIGNAL_QUIC_FIRST))
		return 0;
	return !guard_flow_known(hash_flow(&query->key, settings.seed), service_id, tcp);
}

/*
 * guard_take - take a token of the source's bucket; whether there was one. Where the memory of the
 * buckets has no room, there is always one.
 */
noinline __u32 guard_take(const struct guard_query *query)
{
	struct guard_source_key key = {0};
	const struct guard_limit *limit;
	__u64 now, full = 0, *place;
	__u32 service_id, v6;

	if (!query)
		return 1;
	service_id = query->service_id;
	limit = bpf_map_lookup_elem(&guard_limits, &service_id);
	if (!limit)
		return 1;
	v6 = query->key.family == 6;
	key.service = service_id;
	key.prefix[0] = query->key.source[0] & (v6 ? limit->masks[1][0] : limit->masks[0][0]);
	key.prefix[1] = query->key.source[1] & (v6 ? limit->masks[1][1] : limit->masks[0][1]);
	key.prefix[2] = query->key.source[2] & (v6 ? limit->masks[1][2] : limit->masks[0][2]);
	key.prefix[3] = query->key.source[3] & (v6 ? limit->masks[1][3] : limit->masks[0][3]);
	place = bpf_map_lookup_elem(&guard_sources, &key);
	if (!place) {
		bpf_map_update_elem(&guard_sources, &key, &full, BPF_NOEXIST);
		place = bpf_map_lookup_elem(&guard_sources, &key);
	}
	if (!place)
		return 1;
	now = bpf_ktime_get_ns();
	for (int try = 0; try < GUARD_TRIES; try++) {
		__u64 before = READ_ONCE(*place);

		full = (before > now ? before : now) + limit->interval_ns;
		if (full - now > limit->burst_ns)
			return 0;
		if (__sync_val_compare_and_swap(place, before, full) == before)
			return 1;
	}
	return 0;
}

enum guard_judgement {
	GUARD_TAKEN = 0,
	GUARD_DENIED,
	GUARD_LIMITED,
};

/* guard_judge - what becomes of a packet of a service with these bits: enum guard_judgement. */
noinline __u32 guard_judge(const struct guard_query *query, __u32 bits)
{
	__u32 common = 0, own = 0;

	if (!query)
		return GUARD_TAKEN;
	if (bits & GUARD_COMMON)
		common = guard_prefix_find(&query->key, GUARD_ALL);
	if (bits & GUARD_OWN)
		own = guard_prefix_find(&query->key, query->service_id);
	if (guard_decide(common, own) == GUARD_DENY)
		return GUARD_DENIED;
	if (bits & GUARD_LIMIT && guard_opens(query) && !guard_take(query))
		return GUARD_LIMITED;
	return GUARD_TAKEN;
}

/*
 * guard_check - of a packet whose service has a guard. The service does not count what was turned
 * away: it is no demand. A copy is judged, so that the packet's own fields can stay in registers.
 */
static __always_inline enum verdict guard_check(const struct packet *packet, struct route *route)
{
	const struct guard_query query = {
		.key = packet->key, .service_id = route->service_id, .signals = packet->signals};
	__u32 judgement = guard_judge(&query, route->service->guard);

	if (judgement == GUARD_TAKEN)
		return VERDICT_NONE;
	route->service = NULL;
	return judgement == GUARD_DENIED ? VERDICT_DROP_DENIED : VERDICT_DROP_NEW_FLOW_LIMIT;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fragments of one datagram go to one backend. The first fragment, which has the ports, goes as
 * its flow does and is recorded; later ones follow the record. The memory is bounded: the oldest
 * records go first.
 */
#ifndef BPF_FRAGMENT_H
#define BPF_FRAGMENT_H

#include "service.h"
#include "slot.h"

static __always_inline void fragment_key_fill(struct fragment_key *key, const struct packet *packet)
{
#pragma unroll
	for (int i = 0; i < 4; i++) {
		key->source[i] = packet->key.source[i];
		key->destination[i] = packet->key.destination[i];
	}
	key->id = packet->fragment_id;
	/* An IPv6 fragment names what follows it, which in the first one may be an extension. */
	key->protocol = packet->key.family == 4 ? packet->key.protocol : 0;
	key->family = packet->key.family;
	key->reserved[0] = 0;
	key->reserved[1] = 0;
}

/* fragment_record - remember where the first fragment of a datagram goes. */
static __always_inline void fragment_record(const struct packet *packet, const struct route *route)
{
	struct fragment_owner owner = {
		.service = route->service_id,
		.backend = route->backend_id,
	};
	struct fragment_key key;

	fragment_key_fill(&key, packet);
	bpf_map_update_elem(&fragments, &key, &owner, BPF_ANY);
}

/* fragment_follow - route a later fragment. */
static __always_inline enum verdict fragment_follow(const struct packet *packet,
						    struct route *route)
{
	const struct fragment_owner *owner;
	struct fragment_key key;
	enum verdict verdict;

	if (packet->key.protocol == IPPROTO_ICMP || packet->key.protocol == IPPROTO_ICMPV6)
		return vip_answer(packet, VERDICT_PASS_ICMP);
	fragment_key_fill(&key, packet);
	owner = bpf_map_lookup_elem(&fragments, &key);
	if (!owner) {
		/* If the VIP passes what no service takes, the first one may have gone that way. */
		verdict = vip_answer(packet, VERDICT_DROP_NO_SERVICE);
		return verdict == VERDICT_DROP_NO_SERVICE ? VERDICT_DROP_FRAGMENT : verdict;
	}
	route->service_id = owner->service;
	route->backend_id = owner->backend;
	route->service = bpf_map_lookup_elem(&services, &route->service_id);
	route->backend = backend_by_id(route->backend_id);
	if (!route->service || !route->backend || route->backend->service != route->service_id) {
		route->service = NULL;
		route->backend = NULL;
		return VERDICT_DROP_FRAGMENT;
	}
	route->hash = hash_flow(&packet->key, settings.seed);
	return VERDICT_NONE;
}

#endif

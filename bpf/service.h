/* SPDX-License-Identifier: GPL-2.0-only */
/* Finding the service that a packet is for. */
#ifndef BPF_SERVICE_H
#define BPF_SERVICE_H

#include <linux/in.h>

#include "maps.h"
#include "packet.h"

/* vip_is_possible - false for all but a few of the addresses that are no VIP; no hash lookup. */
static __always_inline bool vip_is_possible(const struct packet *packet)
{
	__u32 bit = hash_vip_bit(packet->key.destination);
	__u32 number = bit / 512;
	const struct vip_filter_line *line = bpf_map_lookup_elem(&vip_filter, &number);

	return line && line->bits[bit / 64 % 8] >> (bit % 64) & 1;
}

static __always_inline void service_key_fill(struct service_key *key, const struct packet *packet,
					     __be16 port, __u8 protocol)
{
	key->vip[0] = packet->key.destination[0];
	key->vip[1] = packet->key.destination[1];
	key->vip[2] = packet->key.destination[2];
	key->vip[3] = packet->key.destination[3];
	key->port = port;
	key->protocol = protocol;
	key->reserved = 0;
}

/*
 * vip_answer - what becomes of a packet that no service takes: `otherwise` if it is addressed to
 * a VIP, and passed if the filter was wrong about that, or if the VIP passes such packets.
 */
static __always_inline enum verdict vip_answer(const struct packet *packet, enum verdict otherwise)
{
	const struct service_target *target;
	struct service_key key;

	service_key_fill(&key, packet, 0, 0);
	target = bpf_map_lookup_elem(&service_keys, &key);
	if (!target)
		return VERDICT_PASS_NOT_VIP;
	if (otherwise == VERDICT_DROP_NO_SERVICE && target->pass)
		return VERDICT_PASS_NO_SERVICE;
	return otherwise;
}

static __always_inline struct service *service_lookup(const struct packet *packet, __be16 port,
						      __u32 *ret_id)
{
	const struct service_target *target;
	struct service_key key;
	struct service *service;

	service_key_fill(&key, packet, port, packet->key.protocol);
	target = bpf_map_lookup_elem(&service_keys, &key);
	if (!target)
		return NULL;
	*ret_id = target->service;
	service = bpf_map_lookup_elem(&services, ret_id);
	if (!service || service->state != SERVICE_PRESENT)
		return NULL;
	return service;
}

/* service_find - exact port first, then any port, then the VIP's own answer. */
static __always_inline enum verdict service_find(const struct packet *packet, struct route *route)
{
	route->service = service_lookup(packet, packet->key.destination_port, &route->service_id);
	if (likely(route->service))
		return VERDICT_NONE;
	if (packet->key.protocol == IPPROTO_ICMP || packet->key.protocol == IPPROTO_ICMPV6)
		return vip_answer(packet, VERDICT_PASS_ICMP);
	route->service = service_lookup(packet, 0, &route->service_id);
	if (route->service)
		return VERDICT_NONE;
	return vip_answer(packet, VERDICT_DROP_NO_SERVICE);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Finding the service that a packet is for. */
#ifndef BPF_SERVICE_H
#define BPF_SERVICE_H

#include <linux/in.h>

#include "maps.h"
#include "packet.h"
#include "sluice/service_table.h"

/* vip_is_possible - false for all but a few of the addresses that are no VIP. */
static __always_inline bool vip_is_possible(struct packet *packet)
{
	const struct vip_filter_line *line;
	__u32 bit, number;

	packet->vip_hash = hash_vip(packet->key.destination);
	bit = hash_vip_filter_bit(packet->vip_hash);
	number = bit / 512;
	line = bpf_map_lookup_elem(&vip_filter, &number);
	return line && line->bits[bit / 64 % 8] >> (bit % 64) & 1;
}

static __always_inline void service_key_fill(struct service_key *key, const struct flow_key *flow,
					     __be16 port, __u8 protocol)
{
	key->vip[0] = flow->destination[0];
	key->vip[1] = flow->destination[1];
	key->vip[2] = flow->destination[2];
	key->vip[3] = flow->destination[3];
	key->port = port;
	key->protocol = protocol;
	key->reserved = 0;
}

/*
 * service_key_search - the target word of a key, wherever it lies, or 0. Out of line: most packets
 * find theirs in the first line; global, so that the verifier looks at it only once.
 */
noinline __u64 service_key_search(const struct service_key *key)
{
	__u32 start, number;

	if (!key)
		return 0;
	start = service_key_line(hash_vip(key->vip), key->port, key->protocol, settings.key_mask);
	for (__u32 probe = 0; probe < SERVICE_PROBES_MAX; probe++) {
		const struct service_line *line;
		__u64 target;

		number = (start + probe) & settings.key_mask;
		line = bpf_map_lookup_elem(&service_keys, &number);
		if (!line)
			return 0;
		target = service_line_find(line, key);
		if (target || !line->spilled)
			return target;
	}
	return 0;
}

/*
 * vip_answer - what becomes of a packet that no service takes: `otherwise` if it is addressed to
 * a VIP, and passed if the filter was wrong about that, or if the VIP passes such packets.
 */
static __always_inline enum verdict vip_answer(const struct packet *packet, enum verdict otherwise)
{
	struct service_key key;
	__u64 target;

	service_key_fill(&key, &packet->key, 0, 0);
	target = service_key_search(&key);
	if (!target)
		return VERDICT_PASS_NOT_VIP;
	if (otherwise == VERDICT_DROP_NO_SERVICE && target_pass(target))
		return VERDICT_PASS_NO_SERVICE;
	return otherwise;
}

static __always_inline bool service_of_target(__u64 target, struct route *route)
{
	struct service *service;

	if (!target)
		return false;
	route->service_id = target_service(target);
	service = bpf_map_lookup_elem(&services, &route->service_id);
	if (!service || service->state != SERVICE_PRESENT)
		return false;
	route->service = service;
	return true;
}

/* service_find - exact port first, then any port, then the VIP's own answer. */
static __always_inline enum verdict service_find(const struct packet *packet, struct route *route)
{
	__be16 port = packet->key.destination_port;
	__u8 protocol = packet->key.protocol;
	const struct service_line *line;
	struct service_key key;
	__u32 number;

	service_key_fill(&key, &packet->key, port, protocol);
	number = service_key_line(packet->vip_hash, port, protocol, settings.key_mask);
	line = bpf_map_lookup_elem(&service_keys, &number);
	if (likely(line && service_of_target(service_line_find(line, &key), route)))
		return VERDICT_NONE;
	if (line && line->spilled && service_of_target(service_key_search(&key), route))
		return VERDICT_NONE;
	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6)
		return vip_answer(packet, VERDICT_PASS_ICMP);
	key.port = 0;
	if (service_of_target(service_key_search(&key), route))
		return VERDICT_NONE;
	return vip_answer(packet, VERDICT_DROP_NO_SERVICE);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Rewriting a packet for its backend, by the backend's forward mode. */
#ifndef BPF_FORWARD_H
#define BPF_FORWARD_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "forward_gue.h"
#include "forward_nat.h"
#include "forward_push.h"
#include "maps.h"
#include "mss.h"
#include "packet.h"
#include "too_big.h"
#include "vlan.h"

/* Whether a frame comes from this MAC address, the first six bytes of a word. */
static __always_inline bool source_is(const void *data, __u64 mac)
{
	__u64 difference = (*(const __u32 *)(data + 6) ^ (__u32)mac) |
			   (*(const __u16 *)(data + 10) ^ (__u16)(mac >> 32));

	return !difference;
}

/*
 * In l2 mode the packet is still addressed to the VIP: sent back by a backend that does not take
 * it, or by a switch, it would go round for ever.
 */
static __always_inline enum verdict forward_l2(struct xdp_md *ctx, union nexthop nexthop,
					       const struct egress *port)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u64 own = *(const __u32 *)port->mac | (__u64) * (const __u16 *)(port->mac + 4) << 32;

	if (data + sizeof(struct ethhdr) > end)
		return VERDICT_DROP_MALFORMED;
	if (unlikely(source_is(data, nexthop.word) || source_is(data, own)))
		return VERDICT_DROP_LOOP;
	forward_set_macs(data, nexthop, port);
	return VERDICT_FORWARD_L2;
}

static __always_inline enum verdict forward_ipip_v4(struct xdp_md *ctx, const struct packet *packet,
						    const struct route *route,
						    union nexthop nexthop,
						    const struct egress *port)
{
	__u32 protocol = packet->key.family == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	__u32 length = packet->length + (__u32)sizeof(struct iphdr);
	__u32 traffic_class = packet->traffic_class;
	const struct backend *backend = route->backend;
	__be32 source = outer_source_v4(backend, route->hash);
	__u32 sum = backend->outer_sum;
	struct iphdr *outer;

	outer = forward_push(ctx, packet->link_length, nexthop, port, sizeof(*outer),
			     CONSTANT_BE16(ETH_P_IP));
	if (!outer)
		return VERDICT_DROP_NO_ROOM;
	if (settings.source_v4)
		sum = outer_sum(source, backend->address[3]);
	sum += length + traffic_class + protocol;
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	((__u8 *)outer)[0] = 0x45;
	outer->tos = (__u8)traffic_class;
	outer->tot_len = swap_be16((__u16)length);
	outer->id = 0;
	outer->frag_off = CONSTANT_BE16(OUTER_DONT_FRAGMENT);
	outer->ttl = OUTER_HOP_LIMIT;
	outer->protocol = (__u8)protocol;
	outer->check = swap_be16((__u16)~sum);
	outer->saddr = source;
	outer->daddr = backend->address[3];
	return VERDICT_FORWARD_IPIP;
}

static __always_inline enum verdict forward_ipip_v6(struct xdp_md *ctx, const struct packet *packet,
						    const struct route *route,
						    union nexthop nexthop,
						    const struct egress *port)
{
	__u8 protocol = packet->key.family == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	__u32 traffic_class = packet->traffic_class;
	const struct backend *backend = route->backend;
	__u32 length = packet->length;
	struct ipv6hdr *outer;

	outer = forward_push(ctx, packet->link_length, nexthop, port, sizeof(*outer),
			     CONSTANT_BE16(ETH_P_IPV6));
	if (!outer)
		return VERDICT_DROP_NO_ROOM;
	*(__be32 *)outer = swap_be32(0x60000000u | traffic_class << 20 | outer_label(route->hash));
	outer->payload_len = swap_be16((__u16)length);
	outer->nexthdr = protocol;
	outer->hop_limit = OUTER_HOP_LIMIT;
	outer_addresses_v6(outer, backend, route->hash);
	return VERDICT_FORWARD_IPIP;
}

/* The modes that most backends have, l2 and ipip. */
static __always_inline enum verdict forward_plain(struct xdp_md *ctx, const struct packet *packet,
						  const struct route *route, union nexthop nexthop,
						  const struct egress *port, enum forward_mode mode)
{
	if (mode == FORWARD_MODE_L2)
		return forward_l2(ctx, nexthop, port);
	if (route->backend->family == 4)
		return forward_ipip_v4(ctx, packet, route, nexthop, port);
	return forward_ipip_v6(ctx, packet, route, nexthop, port);
}

/*
 * forward_changed - the same of a packet that was changed before, as gue_shape() describes it. A way
 * of its own: the verifier would go the straight one once more for each kind of change.
 */
noinline __u32 forward_changed(struct xdp_md *ctx, __u32 backend_id, __u64 nexthop_word, __u64 hash,
			       __u64 shape)
{
	struct backend *backend = bpf_map_lookup_elem(&backends, &backend_id);
	union nexthop nexthop = {.word = nexthop_word};
	__u32 index = (__u32)(nexthop_word >> 48);
	const struct egress *port = bpf_map_lookup_elem(&egress, &index);
	const struct route route = {.backend = backend, .hash = hash};
	const struct packet packet = {
		.length = SHAPE_LENGTH(shape),
		.link_length = SHAPE_LINK_LENGTH(shape),
		.traffic_class = (__u8)SHAPE_TRAFFIC_CLASS(shape),
		.key.family = SHAPE_IS_IPV4(shape) ? 4 : 6,
	};

	if (!backend || !port)
		return VERDICT_DROP_NO_NEXTHOP;
	return forward_plain(ctx, &packet, &route, nexthop, port, backend_mode(backend));
}

/* What few backends ask for: changes of the packet, and modes whose headers are written out of line. */
static __always_inline enum verdict forward_special(struct xdp_md *ctx, const struct packet *packet,
						    const struct route *route,
						    union nexthop nexthop)
{
	enum forward_mode mode = backend_mode(route->backend);
	__u32 link_length = packet->link_length;
	__u64 shape;

	if (route->backend->mode & BACKEND_RETAGS) {
		link_length =
			vlan_set(ctx, link_length, packet->key.family, route->service_id, false);
		if (!link_length)
			return VERDICT_DROP_NO_ROOM;
	}
	shape = gue_shape(packet, link_length);
	if (route->backend->mode & BACKEND_CLAMPS)
		shape += mss_clamp(ctx, link_length, packet->key.family, route->service_id);
	if (mode == FORWARD_MODE_GUE)
		return (enum verdict)forward_gue(ctx, route->backend_id, nexthop.word, route->hash,
						 shape);
	if (mode == FORWARD_MODE_NAT)
		return (enum verdict)forward_nat(ctx, route->backend_id, nexthop.word,
						 nat_shape(packet, link_length));
	return (enum verdict)forward_changed(ctx, route->backend_id, nexthop.word, route->hash,
					     shape);
}

/* forward - rewrite the packet and name its way out. */
static __always_inline enum verdict forward(struct xdp_md *ctx, const struct packet *packet,
					    struct route *route)
{
	const struct backend *backend = route->backend;
	union nexthop nexthop = {.word = READ_ONCE(backend->nexthop.word)};
	__u32 index = (__u32)(nexthop.word >> 48);
	const struct egress *port = bpf_map_lookup_elem(&egress, &index);

	if (!nexthop.word || !port)
		return VERDICT_DROP_NO_NEXTHOP;
	if (unlikely(packet->length > backend->inner_mtu)) {
		enum verdict verdict =
			(enum verdict)too_big(ctx, packet->link_length, packet->key.family,
					      packet->length, backend->inner_mtu);

		if (verdict < VERDICT_NONE)
			return verdict;
	}
	route->egress = index;
	route->ifindex = port->ifindex;
	if (unlikely(backend->mode > FORWARD_MODE_IPIP))
		return forward_special(ctx, packet, route, nexthop);
	return forward_plain(ctx, packet, route, nexthop, port, backend->mode);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Forward mode gue: the packet in UDP, behind the header of generic UDP encapsulation of version 0,
 * which names the protocol of what follows. It is what "ip fou add port 6080 gue" takes. A global
 * function, so that the verifier looks at it once and the other modes do not carry it.
 */
#ifndef BPF_FORWARD_GUE_H
#define BPF_FORWARD_GUE_H

#include "forward_push.h"

/* What follows the outer IP header. */
struct gue_header {
	struct udphdr udp;
	__u8 control; /* version 0, no control message, no optional words */
	__u8 protocol;
	__be16 flags;
};

_Static_assert(sizeof(struct gue_header) == GUE_HEADERS,
	       "the overhead that the agent reckons with");

struct gue_ipv4 {
	struct iphdr ip;
	struct gue_header gue;
};

struct gue_ipv6 {
	struct ipv6hdr ip;
	struct gue_header gue;
};

/* What the outer header needs to know of the packet, in one word for a global function. */
static __always_inline __u64 gue_shape(const struct packet *packet, __u32 link_length)
{
	return packet->length | (__u64)link_length << 32 | (__u64)packet->traffic_class << 40 |
	       (__u64)packet->key.family << 48;
}

#define SHAPE_LENGTH(shape)        ((__u32)(shape))
#define SHAPE_LINK_LENGTH(shape)   ((__u32)((shape) >> 32) & 31)
#define SHAPE_TRAFFIC_CLASS(shape) ((__u32)((shape) >> 40) & 0xff)
#define SHAPE_IS_IPV4(shape)       (((shape) >> 48) == 4)

/*
 * The source port is the flow's, among those that nobody listens on, so that receivers spread flows
 * over their queues. The checksum is 0: for IPv4 it may be, for IPv6 it may in tunnels (RFC 6935,
 * RFC 6936), as what is inside has a checksum of its own, and whoever takes the header off checks
 * the addresses. To sum the whole packet up would cost more than all the rest.
 */
static __always_inline void gue_fill(struct gue_header *gue, __u64 hash, __u64 shape)
{
	gue->udp.source = swap_be16((__u16)(GUE_SOURCE_PORTS | (hash >> 20)));
	gue->udp.dest = settings.gue_port;
	gue->udp.len = swap_be16((__u16)(SHAPE_LENGTH(shape) + sizeof(*gue)));
	gue->udp.check = 0;
	gue->control = 0;
	gue->protocol = SHAPE_IS_IPV4(shape) ? IPPROTO_IPIP : IPPROTO_IPV6;
	gue->flags = 0;
}

static __always_inline enum verdict forward_gue_v4(struct xdp_md *ctx,
						   const struct backend *backend,
						   union nexthop nexthop, const struct egress *port,
						   __u64 hash, __u64 shape)
{
	__u32 length = SHAPE_LENGTH(shape) + (__u32)sizeof(struct gue_ipv4);
	__u32 traffic_class = SHAPE_TRAFFIC_CLASS(shape);
	__be32 source = outer_source_v4(backend, hash), address = backend->address[3];
	__u32 sum = outer_sum(source, address) + length + traffic_class + IPPROTO_UDP;
	struct gue_ipv4 *outer;

	outer = forward_push(ctx, SHAPE_LINK_LENGTH(shape), nexthop, port, sizeof(*outer),
			     CONSTANT_BE16(ETH_P_IP));
	if (!outer)
		return VERDICT_DROP_NO_ROOM;
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	*(__u8 *)outer = 0x45;
	outer->ip.tos = (__u8)traffic_class;
	outer->ip.tot_len = swap_be16((__u16)length);
	outer->ip.id = 0;
	outer->ip.frag_off = CONSTANT_BE16(OUTER_DONT_FRAGMENT);
	outer->ip.ttl = OUTER_HOP_LIMIT;
	outer->ip.protocol = IPPROTO_UDP;
	outer->ip.check = swap_be16((__u16)~sum);
	outer->ip.saddr = source;
	outer->ip.daddr = address;
	gue_fill(&outer->gue, hash, shape);
	return VERDICT_FORWARD_GUE;
}

static __always_inline enum verdict forward_gue_v6(struct xdp_md *ctx,
						   const struct backend *backend,
						   union nexthop nexthop, const struct egress *port,
						   __u64 hash, __u64 shape)
{
	__u32 length = SHAPE_LENGTH(shape) + (__u32)sizeof(struct gue_header);
	__u32 traffic_class = SHAPE_TRAFFIC_CLASS(shape);
	struct gue_ipv6 *outer;

	outer = forward_push(ctx, SHAPE_LINK_LENGTH(shape), nexthop, port, sizeof(*outer),
			     CONSTANT_BE16(ETH_P_IPV6));
	if (!outer)
		return VERDICT_DROP_NO_ROOM;
	*(__be32 *)outer = swap_be32(0x60000000u | traffic_class << 20 | outer_label(hash));
	outer->ip.payload_len = swap_be16((__u16)length);
	outer->ip.nexthdr = IPPROTO_UDP;
	outer->ip.hop_limit = OUTER_HOP_LIMIT;
	outer_addresses_v6(&outer->ip, backend, hash);
	gue_fill(&outer->gue, hash, shape);
	return VERDICT_FORWARD_GUE;
}

/* forward_gue - put the outer headers before the packet that gue_shape() describes. */
noinline __u32 forward_gue(struct xdp_md *ctx, __u32 backend_id, __u64 nexthop_word, __u64 hash,
			   __u64 shape)
{
	const struct backend *backend = bpf_map_lookup_elem(&backends, &backend_id);
	union nexthop nexthop = {.word = nexthop_word};
	__u32 index = (__u32)(nexthop_word >> 48);
	const struct egress *port = bpf_map_lookup_elem(&egress, &index);

	if (!backend || !port)
		return VERDICT_DROP_NO_NEXTHOP;
	if (backend->family == 4)
		return forward_gue_v4(ctx, backend, nexthop, port, hash, shape);
	return forward_gue_v6(ctx, backend, nexthop, port, hash, shape);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Rewriting a packet for its backend, by the backend's forward mode. */
#ifndef BPF_FORWARD_H
#define BPF_FORWARD_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "maps.h"
#include "packet.h"
#include "parse.h"
#include "too_big.h"

/* MAC addresses, word by word: clang copies byte arrays byte by byte. */
static __always_inline void forward_set_macs(void *data, union nexthop nexthop,
					     const struct egress *port)
{
	*(__u32 *)data = (__u32)nexthop.word;
	*(__u16 *)(data + 4) = (__u16)(nexthop.word >> 32);
	*(__u32 *)(data + 6) = *(const __u32 *)port->mac;
	*(__u16 *)(data + 10) = *(const __u16 *)(port->mac + 4);
}

static __always_inline enum verdict forward_l2(struct xdp_md *ctx, union nexthop nexthop,
					       const struct egress *port)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;

	if (data + sizeof(struct ethhdr) > end)
		return VERDICT_DROP_MALFORMED;
	forward_set_macs(data, nexthop, port);
	return VERDICT_FORWARD_L2;
}

/*
 * Make room for an outer header of `length` bytes, and put the Ethernet header and the VLAN tags
 * before it. Returns the place of the outer header, or NULL if the frame has no headroom.
 */
static __always_inline void *forward_push(struct xdp_md *ctx, const struct packet *packet,
					  union nexthop nexthop, const struct egress *port,
					  __u32 length, __be16 ethertype)
{
	__u32 link_length = packet->link_length & 31;
	__u64 type_offset = link_length - (__u32)sizeof(ethertype);
	void *data, *end;

	if (bpf_xdp_adjust_head(ctx, -(int)length))
		return NULL;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	/* Both copies of the longest link header, and the outer header, in one check. */
	if (data + sizeof(struct ethhdr) + VLAN_TAGS_MAX * VLAN_TAG_LENGTH + length > end)
		return NULL;
	if (unlikely(link_length != sizeof(struct ethhdr))) {
		/* Type and tags of two VLANs; of one, what lies behind is overwritten below. */
		*(__u32 *)(data + 12) = *(__u32 *)(data + 12 + length);
		*(__u32 *)(data + 16) = *(__u32 *)(data + 16 + length);
	}
	forward_set_macs(data, nexthop, port);
	/*
	 * The verifier follows a pointer forward only: first to the type, from there on. It has to
	 * see the bound just here: that of 6.1 forgets it when the offset is kept on the stack.
	 */
	OPAQUE(type_offset);
	data += type_offset & 31;
	if (data + sizeof(ethertype) + length > end)
		return NULL;
	*(__be16 *)data = ethertype;
	return data + sizeof(ethertype);
}

static __always_inline enum verdict forward_ipip_v4(struct xdp_md *ctx, const struct packet *packet,
						    const struct backend *backend,
						    union nexthop nexthop,
						    const struct egress *port)
{
	__u32 protocol = packet->key.family == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	__u32 length = packet->length + (__u32)sizeof(struct iphdr);
	__u32 traffic_class = packet->traffic_class;
	__u32 sum = backend->outer_sum + length + traffic_class + protocol;
	struct iphdr *outer;

	outer = forward_push(ctx, packet, nexthop, port, sizeof(*outer), CONSTANT_BE16(ETH_P_IP));
	if (!outer)
		return VERDICT_DROP_NO_ROOM;
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
	outer->saddr = backend->source[3];
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
	/* The flow's label spreads it over paths and queues on its way (RFC 6438). */
	__u32 label = (__u32)(route->hash >> 20) & 0xfffff;
	const struct backend *backend = route->backend;
	__u32 length = packet->length;
	struct ipv6hdr *outer;

	outer = forward_push(ctx, packet, nexthop, port, sizeof(*outer), CONSTANT_BE16(ETH_P_IPV6));
	if (!outer)
		return VERDICT_DROP_NO_ROOM;
	*(__be32 *)outer = swap_be32(0x60000000u | traffic_class << 20 | label);
	outer->payload_len = swap_be16((__u16)length);
	outer->nexthdr = protocol;
	outer->hop_limit = OUTER_HOP_LIMIT;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		outer->saddr.in6_u.u6_addr32[i] = backend->source[i];
		outer->daddr.in6_u.u6_addr32[i] = backend->address[i];
	}
	return VERDICT_FORWARD_IPIP;
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
	if (backend->mode == FORWARD_MODE_L2)
		return forward_l2(ctx, nexthop, port);
	if (backend->family == 4)
		return forward_ipip_v4(ctx, packet, backend, nexthop, port);
	return forward_ipip_v6(ctx, packet, route, nexthop, port);
}

#endif

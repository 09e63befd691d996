// SPDX-License-Identifier: GPL-2.0-only
/*
 * Probes on the way of clients' packets: two TC programs, one on the interfaces that packets leave
 * by, one on those that answers come in by. A packet without a mark, and one from elsewhere than a
 * VIP that is probed, passes untouched.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>

#include <bpf/bpf_helpers.h>

#include "compiler.h"
#include "sluice/abi.h"
#include "sluice/probe.h"

#define FLOWS_MAX   32768
#define ICMPV6_NEXT 58

/* By index of the backend; as many as the data plane has. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct probe_way);
} probe_targets SEC(".maps");

/* Probes under way. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FLOWS_MAX);
	__type(key, struct probe_flow);
	__type(value, struct probe_address);
} probe_flows SEC(".maps");

/* Where the fields of a packet are that are written to. */
struct layout {
	__u32 source, destination; /* of the addresses */
	__u32 transport;           /* of the header behind IP */
	__u32 checksum;            /* of TCP, UDP or ICMPv6 with its pseudo-header; 0: none */
	__u64 flags;               /* for its change */
};

static __always_inline bool layout_fill(struct layout *layout, __u8 family, __u8 protocol)
{
	__u32 network = sizeof(struct ethhdr);

	if (family == 4) {
		layout->source = network + offsetof(struct iphdr, saddr);
		layout->destination = network + offsetof(struct iphdr, daddr);
		layout->transport = network + sizeof(struct iphdr);
	} else {
		layout->source = network + offsetof(struct ipv6hdr, saddr);
		layout->destination = network + offsetof(struct ipv6hdr, daddr);
		layout->transport = network + sizeof(struct ipv6hdr);
	}
	layout->flags = BPF_F_PSEUDO_HDR;
	switch (protocol) {
	case IPPROTO_TCP:
		layout->checksum = layout->transport + 16;
		return true;
	case IPPROTO_UDP:
		layout->checksum = layout->transport + 6;
		layout->flags |= BPF_F_MARK_MANGLED_0;
		return true;
	case IPPROTO_ICMP:
		layout->checksum = 0;
		return family == 4;
	case ICMPV6_NEXT:
		layout->checksum = layout->transport + 2;
		return family == 6;
	default:
		return false;
	}
}

/* Both ports, or ICMP's identifier, as a flow has them; out: the packet leaves. */
static __always_inline bool ports_read(struct __sk_buff *skb, const struct layout *layout,
				       struct probe_flow *flow, bool out)
{
	__be16 ports[2];

	if (flow->protocol == IPPROTO_ICMP || flow->protocol == ICMPV6_NEXT)
		return !bpf_skb_load_bytes(skb, layout->transport + 4, &flow->local_port,
					   sizeof(flow->local_port));
	if (bpf_skb_load_bytes(skb, layout->transport, ports, sizeof(ports)))
		return false;
	flow->local_port = ports[out ? 0 : 1];
	flow->vip_port = ports[out ? 1 : 0];
	return true;
}

static __always_inline void address_copy(__be32 to[4], const __be32 from[4])
{
	to[0] = from[0];
	to[1] = from[1];
	to[2] = from[2];
	to[3] = from[3];
}

/* Another address in the place of one; all checksums that it is part of follow. */
static __always_inline int address_change(struct __sk_buff *skb, const struct layout *layout,
					  __u32 offset, __u8 family, __be32 from[4], __be32 to[4])
{
	__s64 difference;

	if (family == 4) {
		if (bpf_l3_csum_replace(skb, sizeof(struct ethhdr) + offsetof(struct iphdr, check),
					from[3], to[3], sizeof(to[3])))
			return -1;
		if (layout->checksum && bpf_l4_csum_replace(skb, layout->checksum, from[3], to[3],
							    layout->flags | sizeof(to[3])))
			return -1;
		return (int)bpf_skb_store_bytes(skb, offset, &to[3], sizeof(to[3]), 0);
	}
	difference = bpf_csum_diff(from, 16, to, 16, 0);
	if (difference < 0 ||
	    (layout->checksum &&
	     bpf_l4_csum_replace(skb, layout->checksum, 0, (__u64)difference, layout->flags)))
		return -1;
	return (int)bpf_skb_store_bytes(skb, offset, to, 16, 0);
}

/* The addresses of a packet without options or extension headers, its protocol, length and TOS. */
struct heads {
	__be32 source[4], destination[4];
	__u32 length, traffic_class;
	__u8 family, protocol;
};

static __always_inline bool heads_read(struct __sk_buff *skb, struct heads *heads)
{
	const __be32 mapped = CONSTANT_BE32(0xffff);

	if (skb->protocol == CONSTANT_BE16(ETH_P_IP)) {
		struct iphdr ip;

		if (bpf_skb_load_bytes(skb, sizeof(struct ethhdr), &ip, sizeof(ip)) ||
		    *(__u8 *)&ip != 0x45 || ip.frag_off & CONSTANT_BE16(0x3fff))
			return false;
		heads->source[2] = heads->destination[2] = mapped;
		heads->source[3] = ip.saddr;
		heads->destination[3] = ip.daddr;
		heads->length = swap_be16(ip.tot_len);
		heads->traffic_class = ip.tos;
		heads->family = 4;
		heads->protocol = ip.protocol;
		return true;
	}
	if (skb->protocol == CONSTANT_BE16(ETH_P_IPV6)) {
		struct ipv6hdr ip;

		if (bpf_skb_load_bytes(skb, sizeof(struct ethhdr), &ip, sizeof(ip)))
			return false;
		address_copy(heads->source, ip.saddr.in6_u.u6_addr32);
		address_copy(heads->destination, ip.daddr.in6_u.u6_addr32);
		heads->length = swap_be16(ip.payload_len) + (__u32)sizeof(ip);
		heads->traffic_class = (swap_be32(*(__be32 *)&ip) >> 20) & 0xff;
		heads->family = 6;
		heads->protocol = ip.nexthdr;
		return true;
	}
	return false;
}

/* What follows the outer IP header in mode gue. */
struct gue {
	struct udphdr udp;
	__u8 control, protocol;
	__be16 flags;
};

_Static_assert(sizeof(struct gue) == GUE_HEADERS, "as in the data plane");

static __always_inline struct gue gue_make(const struct heads *heads, const struct probe_way *way)
{
	return (struct gue){
		.udp = {.source = CONSTANT_BE16(GUE_SOURCE_PORTS),
			.dest = way->gue_port,
			.len = swap_be16((__u16)(heads->length + GUE_HEADERS))},
		.protocol = heads->family == 4 ? IPPROTO_IPIP : IPPROTO_IPV6,
	};
}

static __always_inline int push_v4(struct __sk_buff *skb, const struct heads *heads,
				   const struct probe_way *way, bool gue)
{
	struct {
		struct iphdr ip;
		struct gue gue;
	} outer = {.gue = gue_make(heads, way)};
	__u32 size = sizeof(struct iphdr) + (gue ? GUE_HEADERS : 0);
	__u32 protocol = gue ? IPPROTO_UDP : IPPROTO_IPIP, length = heads->length + size;
	__u32 sum = outer_sum(heads->source[3], way->address[3]) + length + heads->traffic_class +
		    protocol;

	if (bpf_skb_adjust_room(skb, (__s32)size, BPF_ADJ_ROOM_MAC,
				BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 |
					(gue ? BPF_F_ADJ_ROOM_ENCAP_L4_UDP : 0)))
		return -1;
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	*(__u8 *)&outer.ip = 0x45;
	outer.ip.tos = (__u8)heads->traffic_class;
	outer.ip.tot_len = swap_be16((__u16)length);
	outer.ip.frag_off = CONSTANT_BE16(OUTER_DONT_FRAGMENT);
	outer.ip.ttl = OUTER_HOP_LIMIT;
	outer.ip.protocol = (__u8)protocol;
	outer.ip.check = swap_be16((__u16)~sum);
	outer.ip.saddr = heads->source[3];
	outer.ip.daddr = way->address[3];
	if (gue)
		return (int)bpf_skb_store_bytes(skb, sizeof(struct ethhdr), &outer, sizeof(outer),
						0);
	return (int)bpf_skb_store_bytes(skb, sizeof(struct ethhdr), &outer.ip, sizeof(outer.ip), 0);
}

static __always_inline int push_v6(struct __sk_buff *skb, const struct heads *heads,
				   const struct probe_way *way, bool gue)
{
	struct {
		struct ipv6hdr ip;
		struct gue gue;
	} outer = {.gue = gue_make(heads, way)};
	__u32 size = sizeof(struct ipv6hdr) + (gue ? GUE_HEADERS : 0);

	if (bpf_skb_adjust_room(skb, (__s32)size, BPF_ADJ_ROOM_MAC,
				BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 |
					(gue ? BPF_F_ADJ_ROOM_ENCAP_L4_UDP : 0)))
		return -1;
	*(__be32 *)&outer.ip = swap_be32(0x60000000u | heads->traffic_class << 20);
	outer.ip.payload_len = swap_be16((__u16)(heads->length + (gue ? GUE_HEADERS : 0)));
	outer.ip.nexthdr = gue ? IPPROTO_UDP : IPPROTO_IPV6;
	outer.ip.hop_limit = OUTER_HOP_LIMIT;
	address_copy(outer.ip.saddr.in6_u.u6_addr32, heads->source);
	address_copy(outer.ip.daddr.in6_u.u6_addr32, way->address);
	if (gue)
		return (int)bpf_skb_store_bytes(skb, sizeof(struct ethhdr), &outer, sizeof(outer),
						0);
	return (int)bpf_skb_store_bytes(skb, sizeof(struct ethhdr), &outer.ip, sizeof(outer.ip), 0);
}

static __always_inline int push(struct __sk_buff *skb, const struct heads *heads,
				const struct probe_way *way)
{
	bool gue = way->mode == FORWARD_MODE_GUE;

	if (way->mode == FORWARD_MODE_L2)
		return 0;
	return heads->family == 4 ? push_v4(skb, heads, way, gue) : push_v6(skb, heads, way, gue);
}

static __always_inline bool address_equal(const __be32 a[4], const __be32 b[4])
{
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

/*
 * A marked packet that is for its backend goes to the VIP by the forwarding path; one that cannot
 * is dropped, for at the backend's own address it would find what clients do not.
 */
SEC("tc")
int probe_out(struct __sk_buff *skb)
{
	__u32 backend = skb->mark & ~PROBE_MARK_MASK;
	struct probe_address address;
	struct probe_flow flow = {0};
	struct heads heads = {0};
	struct layout layout;
	struct probe_way way;
	const struct probe_way *found;

	if (likely((skb->mark & PROBE_MARK_MASK) != PROBE_MARK) || !heads_read(skb, &heads))
		return TC_ACT_UNSPEC;
	found = bpf_map_lookup_elem(&probe_targets, &backend);
	if (!found || !address_equal(found->address, heads.destination))
		return TC_ACT_UNSPEC;
	way = *found;
	if (!layout_fill(&layout, heads.family, heads.protocol))
		return TC_ACT_SHOT;
	address_copy(flow.vip, way.vip);
	address_copy(flow.local, heads.source);
	flow.protocol = heads.protocol;
	address_copy(address.address, way.address);
	if (!ports_read(skb, &layout, &flow, true) ||
	    bpf_map_update_elem(&probe_flows, &flow, &address, BPF_ANY) ||
	    address_change(skb, &layout, layout.destination, heads.family, way.address, way.vip) ||
	    push(skb, &heads, &way))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

/* An answer to a probe looks as if it came from the address that the probe's socket is connected to. */
SEC("tc")
int probe_in(struct __sk_buff *skb)
{
	struct probe_flow flow = {0};
	struct heads heads = {0};
	struct probe_address address;
	const struct probe_address *found;
	struct layout layout;

	if (!heads_read(skb, &heads) || !layout_fill(&layout, heads.family, heads.protocol))
		return TC_ACT_UNSPEC;
	address_copy(flow.vip, heads.source);
	address_copy(flow.local, heads.destination);
	flow.protocol = heads.protocol;
	if (!ports_read(skb, &layout, &flow, false))
		return TC_ACT_UNSPEC;
	found = bpf_map_lookup_elem(&probe_flows, &flow);
	if (!found)
		return TC_ACT_UNSPEC;
	address = *found;
	if (address_change(skb, &layout, layout.source, heads.family, heads.source,
			   address.address))
		return TC_ACT_SHOT;
	return TC_ACT_UNSPEC;
}

char _license[] SEC("license") = "GPL";

// SPDX-License-Identifier: GPL-2.0-only
/*
 * For backends without a tunnel device: removes the outer headers of IP-in-IP and GUE packets and
 * passes what is inside to the host's stack. Everything else is passed untouched.
 */
#define JUMBO_FRAMES

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_helpers.h>

#include "decap_read.h"
#include "sluice/decap.h"

/* Outer destinations to take, v4-mapped for IPv4. None given: any unicast address. */
const volatile __be32 decap_addresses[DECAP_ADDRESSES_MAX][4] = {};
const volatile __u32 decap_address_count = 0;
/* 0: GUE is left alone. */
const volatile __be16 decap_port = CONSTANT_BE16(GUE_PORT);

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DECAP_VERDICT_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} decap_counters SEC(".maps");

static __always_inline bool address_is_unicast(const struct flow_key *key)
{
	if (key->family == 4)
		return (key->destination[3] & CONSTANT_BE32(0xf0000000)) !=
			       CONSTANT_BE32(0xe0000000) &&
		       key->destination[3] != CONSTANT_BE32(0xffffffff);
	return (key->destination[0] & CONSTANT_BE32(0xff000000)) != CONSTANT_BE32(0xff000000);
}

static __always_inline bool address_is_taken(const struct flow_key *key)
{
	if (!decap_address_count)
		return address_is_unicast(key);
	for (__u32 i = 0; i < DECAP_ADDRESSES_MAX; i++) {
		const volatile __be32 *address = decap_addresses[i];

		if (i < decap_address_count && address[0] == key->destination[0] &&
		    address[1] == key->destination[1] && address[2] == key->destination[2] &&
		    address[3] == key->destination[3])
			return true;
	}
	return false;
}

/* Carry the mark over to an inner header whose sender understands it (RFC 6040, section 4.2). */
static __always_inline void inner_mark_ipv4(struct iphdr *ip)
{
	__u32 sum;

	if (!(ip->tos & ECN_MASK) || (ip->tos & ECN_MASK) == ECN_CONGESTED)
		return;
	/* RFC 1624: HC' = ~(~HC + ~m + m'); the TOS is the low byte of its word. */
	sum = (__u16)~swap_be16(ip->check) + (__u16)~ip->tos + (ip->tos | ECN_CONGESTED);
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	ip->check = swap_be16((__u16)~sum);
	ip->tos |= ECN_CONGESTED;
}

static __always_inline void inner_mark_ipv6(__u8 *bytes)
{
	if (bytes[1] >> 4 & ECN_MASK)
		bytes[1] |= ECN_CONGESTED << 4;
}

static __always_inline void inner_mark(void *header, const void *end, const struct tunnel *tunnel)
{
	if (!tunnel->congested)
		return;
	if (tunnel->inner_family == 4 && header + sizeof(struct iphdr) <= end)
		inner_mark_ipv4(header);
	else if (header + sizeof(struct ipv6hdr) <= end)
		inner_mark_ipv6(header);
}

/* The longest link header; what is not a tag of it is not written. */
struct link {
	struct ethhdr ethernet;
	__be16 tags[VLAN_TAGS_MAX * VLAN_TAG_LENGTH / sizeof(__be16)];
};

static __always_inline void link_write(void *data, struct link *link, __u32 link_length,
				       __be16 type)
{
	if (link_length == sizeof(struct ethhdr)) {
		link->ethernet.h_proto = type;
		__builtin_memcpy(data, link, sizeof(struct ethhdr));
	} else if (link_length == sizeof(struct ethhdr) + VLAN_TAG_LENGTH) {
		link->tags[1] = type;
		__builtin_memcpy(data, link, sizeof(struct ethhdr) + VLAN_TAG_LENGTH);
	} else {
		link->tags[3] = type;
		__builtin_memcpy(data, link, sizeof(*link));
	}
}

/* Take the outer headers out: cut the front, and write the link header anew. */
static __always_inline int tunnel_remove(struct xdp_md *ctx, __u32 link_length,
					 const struct tunnel *tunnel)
{
	__be16 type =
		tunnel->inner_family == 4 ? CONSTANT_BE16(ETH_P_IP) : CONSTANT_BE16(ETH_P_IPV6);
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct link link;

	if (data + sizeof(link) > end)
		return XDP_PASS;
	__builtin_memcpy(&link, data, sizeof(link));
	if (bpf_xdp_adjust_head(ctx, (int)(tunnel->outer_length & 127)))
		return XDP_PASS;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	/* An Ethernet and an IP header, which tunnel_check_inner saw, are longer than this. */
	if (data + sizeof(link) > end)
		return XDP_DROP;
	link_write(data, &link, link_length, type);
	inner_mark(data + (link_length & 31), end, tunnel);
	return XDP_PASS;
}

static __always_inline enum decap_verdict decap_judge(const void *data, const void *end,
						      struct packet *packet, struct tunnel *tunnel)
{
	const void *header;
	enum decap_verdict verdict;

	packet->key.family = ethertype_family(parse_link(data, end, packet));
	if (!packet->key.family || parse_destination(data, end, packet) != VERDICT_NONE)
		return DECAP_PASS_OTHER;
	header = data + (packet->link_length & 31);
	verdict = packet->key.family == 4 ? tunnel_read_ipv4(header, end, decap_port, tunnel)
					  : tunnel_read_ipv6(header, end, decap_port, tunnel);
	if (verdict == DECAP_PASS_OTHER)
		return verdict;
	if (!address_is_taken(&packet->key))
		return DECAP_PASS_ADDRESS;
	if (verdict == DECAP_GUE)
		verdict = tunnel_read_gue(header, end, tunnel);
	if (verdict < DECAP_IPIP)
		return verdict;
	return tunnel_check_inner(header, end, packet, tunnel) ? verdict : DECAP_PASS_MALFORMED;
}

SEC("xdp.frags")
int decap(struct xdp_md *ctx)
{
	struct packet packet = {.frame = ctx};
	struct tunnel tunnel = {0};
	enum decap_verdict verdict;
	__u64 *packets;
	__u32 index;

	verdict =
		decap_judge((void *)(long)ctx->data, (void *)(long)ctx->data_end, &packet, &tunnel);
	index = verdict;
	packets = bpf_map_lookup_elem(&decap_counters, &index);
	if (packets)
		(*packets)++;
	if (verdict < DECAP_IPIP)
		return XDP_PASS;
	return tunnel_remove(ctx, packet.link_length, &tunnel);
}

char _license[] SEC("license") = "GPL";

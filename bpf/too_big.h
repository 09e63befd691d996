/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A packet that does not fit the way to its backend: the VIP tells the client so (RFC 1191,
 * RFC 8201), in the same frame, cut down to what is quoted. Rare, so out of line and global.
 */
#ifndef BPF_TOO_BIG_H
#define BPF_TOO_BIG_H

#include "icmp.h"
#include "reply.h"

#define IPV6_MTU_MIN 1280u

/* Whole messages of 576 bytes (RFC 1812) and of 1280 (RFC 4443); what is too big is longer. */
#define QUOTE_LENGTH_IPV4 (576u - sizeof(struct iphdr) - ICMP_HEADER_LENGTH)
#define QUOTE_LENGTH_IPV6 (IPV6_MTU_MIN - sizeof(struct ipv6hdr) - ICMP_HEADER_LENGTH)

/* Kernels before 6.12 sum no more than so much in one call. */
#define SUM_LENGTH_MAX 512u

struct too_big_ipv4 {
	struct iphdr ip;
	struct icmp_error icmp;
	__u8 quote[QUOTE_LENGTH_IPV4];
};

struct too_big_ipv6 {
	struct ipv6hdr ip;
	struct icmp_error icmp;
	__u8 quote[QUOTE_LENGTH_IPV6];
};

static __always_inline __sum16 sum_fold(__s64 sum)
{
	__u64 folded = (__u64)sum;

	folded = (folded & 0xffffffff) + (folded >> 32);
	folded = (folded & 0xffff) + (folded >> 16);
	folded = (folded & 0xffff) + (folded >> 16);
	folded = (folded & 0xffff) + (folded >> 16);
	return (__sum16)~folded;
}

/* Whether the packet is one that arrived as such: GRO may have made it of several that do fit. */
static __always_inline bool packet_is_of_wire(struct xdp_md *ctx, __u32 length)
{
	__u32 mtu = 0;

	return bpf_check_mtu(ctx, 0, &mtu, 0, 0) < 0 || !mtu || length <= mtu;
}

/* Whether the sender is to be told: VERDICT_NONE, or why not. */
static __always_inline enum verdict too_big_judge_ipv4(const struct iphdr *ip, const void *end)
{
	if ((const void *)(ip + 1) > end)
		return VERDICT_DROP_TOO_BIG;
	/* Who allows fragments gets no such message, and XDP cannot make any. */
	if (!(ip->frag_off & IPV4_DONT_FRAGMENT) || ip->frag_off & IPV4_FRAGMENT_OFFSET)
		return VERDICT_DROP_TOO_BIG;
	if (ip->protocol == IPPROTO_ICMP || source_is_bad_ipv4(ip))
		return VERDICT_DROP_TOO_BIG;
	return VERDICT_NONE;
}

static __always_inline enum verdict too_big_judge_ipv6(const struct ipv6hdr *ip, const void *end)
{
	if ((const void *)(ip + 1) > end || ip->nexthdr == IPPROTO_ICMPV6 || source_is_bad_ipv6(ip))
		return VERDICT_DROP_TOO_BIG;
	return VERDICT_NONE;
}

/* Cut the frame to so many bytes of its IP packet, and put `room` bytes before that. */
static __always_inline bool frame_make(struct xdp_md *ctx, __u32 link_length, __u32 quote, int room)
{
	int cut = (int)bpf_xdp_get_buff_len(ctx) - (int)(link_length + quote);
	void *data, *end;

	if (cut < 0 || bpf_xdp_adjust_tail(ctx, -cut) || bpf_xdp_adjust_head(ctx, -room))
		return false;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	/* The longest link header, and back to where it came from. */
	if (data + room + sizeof(struct ethhdr) + VLAN_TAGS_MAX * VLAN_TAG_LENGTH > end)
		return false;
	__builtin_memcpy(data, data + room + 6, 6);
	__builtin_memcpy(data + 6, data + room, 6);
	__builtin_memcpy(data + 12, data + room + 12, 2 + VLAN_TAGS_MAX * VLAN_TAG_LENGTH);
	return true;
}

static __always_inline enum verdict too_big_write_ipv4(struct xdp_md *ctx, __u32 link_length,
						       __u32 mtu)
{
	const struct iphdr *quoted;
	struct too_big_ipv4 *message;
	__s64 sum;
	void *end;

	if (!frame_make(ctx, link_length, QUOTE_LENGTH_IPV4,
			(int)(sizeof(struct iphdr) + ICMP_HEADER_LENGTH)))
		return VERDICT_DROP_NO_ROOM;
	message = (void *)(long)ctx->data + (link_length & 31);
	end = (void *)(long)ctx->data_end;
	if ((void *)(message + 1) > end)
		return VERDICT_DROP_NO_ROOM;
	quoted = (const struct iphdr *)message->quote;
	*(__be16 *)&message->ip = CONSTANT_BE16(0x45c0); /* network control (RFC 1812) */
	message->ip.tot_len = CONSTANT_BE16(sizeof(*message));
	message->ip.id = 0;
	message->ip.frag_off = CONSTANT_BE16(OUTER_DONT_FRAGMENT);
	message->ip.ttl = OUTER_HOP_LIMIT;
	message->ip.protocol = IPPROTO_ICMP;
	message->ip.check = 0;
	message->ip.saddr = quoted->daddr;
	message->ip.daddr = quoted->saddr;
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&message->ip, sizeof(message->ip), 0);
	message->ip.check = sum_fold(sum);
	message->icmp.type = ICMP_UNREACHABLE;
	message->icmp.code = ICMP_FRAGMENT_NEEDED;
	message->icmp.checksum = 0;
	message->icmp.value = swap_be32(mtu & 0xffff);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&message->icmp, SUM_LENGTH_MAX, 0);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)((void *)&message->icmp + SUM_LENGTH_MAX),
			    sizeof(*message) - sizeof(message->ip) - SUM_LENGTH_MAX, (__u32)sum);
	message->icmp.checksum = sum_fold(sum);
	return VERDICT_REPLY_TOO_BIG;
}

static __always_inline enum verdict too_big_write_ipv6(struct xdp_md *ctx, __u32 link_length,
						       __u32 mtu)
{
	const __u32 length = sizeof(struct too_big_ipv6) - sizeof(struct ipv6hdr);
	const struct ipv6hdr *quoted;
	struct too_big_ipv6 *message;
	__s64 sum;
	void *end;

	if (!frame_make(ctx, link_length, QUOTE_LENGTH_IPV6,
			(int)(sizeof(struct ipv6hdr) + ICMP_HEADER_LENGTH)))
		return VERDICT_DROP_NO_ROOM;
	message = (void *)(long)ctx->data + (link_length & 31);
	end = (void *)(long)ctx->data_end;
	if ((void *)(message + 1) > end)
		return VERDICT_DROP_NO_ROOM;
	quoted = (const struct ipv6hdr *)message->quote;
	*(__be32 *)&message->ip = CONSTANT_BE32(0x60000000);
	message->ip.payload_len = CONSTANT_BE16(length);
	message->ip.nexthdr = IPPROTO_ICMPV6;
	message->ip.hop_limit = OUTER_HOP_LIMIT;
	message->ip.saddr = quoted->daddr;
	message->ip.daddr = quoted->saddr;
	message->icmp.type = ICMPV6_TOO_BIG;
	message->icmp.code = 0;
	message->icmp.checksum = 0;
	message->icmp.value = swap_be32(mtu);
	/* The pseudo header: both addresses, which are summed where they are, length and protocol. */
	sum = CONSTANT_BE16(length) + CONSTANT_BE16(IPPROTO_ICMPV6);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&message->ip.saddr, 2 * sizeof(message->ip.saddr),
			    (__u32)sum);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&message->icmp, SUM_LENGTH_MAX, (__u32)sum);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)((void *)&message->icmp + SUM_LENGTH_MAX),
			    SUM_LENGTH_MAX, (__u32)sum);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)((void *)&message->icmp + 2 * SUM_LENGTH_MAX),
			    length - 2 * SUM_LENGTH_MAX, (__u32)sum);
	message->icmp.checksum = sum_fold(sum);
	return VERDICT_REPLY_TOO_BIG;
}

/*
 * too_big - a packet of `length` is longer than the mtu of its way, 0: which is not known. Returns
 * VERDICT_NONE if it is to be forwarded all the same.
 */
noinline __u32 too_big(struct xdp_md *ctx, __u32 link_length, __u32 family, __u32 length, __u32 mtu)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	void *network = data + (link_length & 31);
	enum verdict verdict;

	if (!mtu || !packet_is_of_wire(ctx, length))
		return VERDICT_NONE;
	verdict = family == 4 ? too_big_judge_ipv4(network, end) : too_big_judge_ipv6(network, end);
	if (verdict != VERDICT_NONE)
		return verdict;
	/* No IPv6 sender goes below that; and an IPv4 packet has to be as long as its quote. */
	if (length <= (family == 4 ? QUOTE_LENGTH_IPV4 : IPV6_MTU_MIN))
		return VERDICT_DROP_TOO_BIG;
	if (!settings.error_interval_ns ||
	    !reply_is_due(REPLY_KIND_ERROR, settings.error_interval_ns))
		return VERDICT_DROP_ERROR_LIMIT;
	if (family == 4)
		return too_big_write_ipv4(ctx, link_length & 31, mtu);
	return too_big_write_ipv6(ctx, link_length & 31, mtu < IPV6_MTU_MIN ? IPV6_MTU_MIN : mtu);
}

#endif

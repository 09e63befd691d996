/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Answering pings to a VIP, in the frame that they came in. The address need not be configured on
 * the host, and what answers is what forwards.
 */
#ifndef BPF_ECHO_H
#define BPF_ECHO_H

#include "checksum.h"
#include "icmp.h"
#include "reply.h"

#define ECHO_HOP_LIMIT 64u

static __always_inline void macs_swap(struct ethhdr *ethernet)
{
	__u16 *words = (__u16 *)ethernet;

#pragma unroll
	for (int i = 0; i < 3; i++) {
		__u16 word = words[i];

		words[i] = words[i + 3];
		words[i + 3] = word;
	}
}

/* Whether an answer may be sent: VERDICT_NONE; then the MAC addresses are swapped. */
static __always_inline enum verdict echo_allow(void *data, const void *end)
{
	struct ethhdr *ethernet = data;

	if ((void *)(ethernet + 1) > end || (ethernet->h_dest[0] | ethernet->h_source[0]) & 1)
		return VERDICT_PASS_ICMP;
	if (!reply_is_due(REPLY_KIND_ECHO, settings.echo_interval_ns))
		return VERDICT_DROP_ECHO_LIMIT;
	macs_swap(ethernet);
	return VERDICT_NONE;
}

static __always_inline enum verdict echo_reply_ipv4(void *data, struct iphdr *ip, const void *end)
{
	struct icmp_echo *echo = (void *)(ip + 1);
	__be16 *time_to_live = (__be16 *)&ip->ttl, *type = (__be16 *)&echo->type;
	enum verdict verdict;
	__be32 address;
	__be16 before;

	if ((void *)(echo + 1) > end || source_is_bad_ipv4(ip))
		return VERDICT_PASS_ICMP;
	verdict = echo_allow(data, end);
	if (verdict != VERDICT_NONE)
		return verdict;
	address = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = address;
	before = *time_to_live;
	ip->ttl = ECHO_HOP_LIMIT;
	ip->check = checksum_change(ip->check, before, *time_to_live);
	before = *type;
	echo->type = ICMP_ECHO_REPLY;
	echo->checksum = checksum_change(echo->checksum, before, *type);
	/* The sum of nothing but zeros: there a checksum of 0 is wrong, and this one right. */
	if (!(echo->checksum | echo->id | echo->sequence))
		echo->checksum = 0xffff;
	return VERDICT_REPLY_ECHO;
}

static __always_inline enum verdict echo_reply_ipv6(void *data, struct ipv6hdr *ip, const void *end)
{
	struct icmp_echo *echo = (void *)(ip + 1);
	__be16 *type = (__be16 *)&echo->type;
	enum verdict verdict;
	__be16 before;

	if ((void *)(echo + 1) > end || source_is_bad_ipv6(ip))
		return VERDICT_PASS_ICMP;
	verdict = echo_allow(data, end);
	if (verdict != VERDICT_NONE)
		return verdict;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		__be32 word = ip->saddr.in6_u.u6_addr32[i];

		ip->saddr.in6_u.u6_addr32[i] = ip->daddr.in6_u.u6_addr32[i];
		ip->daddr.in6_u.u6_addr32[i] = word;
	}
	ip->hop_limit = ECHO_HOP_LIMIT;
	before = *type;
	echo->type = ICMPV6_ECHO_REPLY;
	echo->checksum = checksum_change(echo->checksum, before, *type);
	return VERDICT_REPLY_ECHO;
}

/*
 * echo_reply - make an echo request the answer to it. network: the IP header, length: its length by
 * parse_icmp. What has IP options is left to the host.
 */
static __always_inline enum verdict echo_reply(void *data, void *network, __u32 length,
					       const void *end, __u8 family)
{
	if (!settings.echo_interval_ns)
		return VERDICT_PASS_ICMP;
	if (family == 6)
		return echo_reply_ipv6(data, network, end);
	return length == sizeof(struct iphdr) ? echo_reply_ipv4(data, network, end)
					      : VERDICT_PASS_ICMP;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading the outer headers of a tunnel packet. As in parse.h no helper and no map is used: the
 * same file is compiled for the host, where it is fuzzed.
 */
#ifndef BPF_DECAP_READ_H
#define BPF_DECAP_READ_H

#include "parse.h"
#include "sluice/decap.h"

/* Outer headers that are to go. */
struct tunnel {
	__u32 outer_length;
	__u32 room; /* from the outer headers to the end of the outer IP packet */
	__u8 inner_family;
	__u8 congested; /* the outer header says: congestion experienced (RFC 6040) */
};

#define ECN_MASK          3u
#define ECN_CONGESTED     3u

#define GUE_HEADER_LENGTH 4u
/* The longest outer headers: IPv4 with all options, or IPv6, and UDP and GUE. */
#define TUNNEL_LENGTH_MASK 127u

static __always_inline __u8 tunnel_inner_family(__u8 protocol)
{
	if (protocol == IPPROTO_IPIP)
		return 4;
	return protocol == IPPROTO_IPV6 ? 6 : 0;
}

/* What is behind the outer IP header: DECAP_GUE if it looks so; it is read by tunnel_read_gue. */
static __always_inline enum decap_verdict tunnel_protocol(const void *header, const void *end,
							  __u8 protocol, __be16 port,
							  struct tunnel *tunnel)
{
	const struct udphdr *udp = header + (tunnel->outer_length & TUNNEL_LENGTH_MASK);

	tunnel->inner_family = tunnel_inner_family(protocol);
	if (tunnel->inner_family)
		return DECAP_IPIP;
	if (protocol != IPPROTO_UDP || !port || (const void *)(udp + 1) > end || udp->dest != port)
		return DECAP_PASS_OTHER;
	return DECAP_GUE;
}

static __always_inline enum decap_verdict tunnel_read_ipv4(const void *header, const void *end,
							   __be16 port, struct tunnel *tunnel)
{
	const struct iphdr *ip = header;
	const __u8 *bytes = header;
	enum decap_verdict verdict;
	__u32 length;

	if ((const void *)(ip + 1) > end || bytes[0] >> 4 != 4)
		return DECAP_PASS_OTHER;
	tunnel->outer_length = (bytes[0] & 0x0f) * 4u;
	tunnel->congested = (ip->tos & ECN_MASK) == ECN_CONGESTED;
	verdict = tunnel_protocol(header, end, ip->protocol, port, tunnel);
	/* Of a fragmented GUE packet only the first one shows its port. */
	if (verdict == DECAP_PASS_OTHER || ip->frag_off & IPV4_FRAGMENT_OFFSET)
		return tunnel->inner_family ? DECAP_PASS_FRAGMENT : DECAP_PASS_OTHER;
	if (ip->frag_off & IPV4_FRAGMENT_MORE)
		return DECAP_PASS_FRAGMENT;
	length = length_read(ip->tot_len);
	if (tunnel->outer_length < sizeof(*ip) || length < tunnel->outer_length)
		return DECAP_PASS_MALFORMED;
	tunnel->room = length - tunnel->outer_length;
	return verdict;
}

static __always_inline enum decap_verdict tunnel_read_ipv6(const void *header, const void *end,
							   __be16 port, struct tunnel *tunnel)
{
	const struct ipv6hdr *ip = header;
	const __u8 *bytes = header;

	if ((const void *)(ip + 1) > end || bytes[0] >> 4 != 6)
		return DECAP_PASS_OTHER;
	tunnel->outer_length = sizeof(*ip);
	tunnel->room = length_read(ip->payload_len);
	tunnel->congested = (bytes[1] >> 4 & ECN_MASK) == ECN_CONGESTED;
	return tunnel_protocol(header, end, ip->nexthdr, port, tunnel);
}

/*
 * tunnel_read_gue - step over the UDP header and the one behind it: version 0 without optional
 * fields, which names the protocol, or version 1, where the inner packet follows at once.
 */
static __always_inline enum decap_verdict tunnel_read_gue(const void *header, const void *end,
							  struct tunnel *tunnel)
{
	const struct udphdr *udp = header + (tunnel->outer_length & TUNNEL_LENGTH_MASK);
	const __u8 *gue = (const void *)(udp + 1);
	__u32 length = sizeof(*udp);

	if ((const void *)gue + GUE_HEADER_LENGTH > end)
		return DECAP_PASS_MALFORMED;
	if (length_read(udp->len) > tunnel->room)
		return DECAP_PASS_MALFORMED;
	tunnel->room = length_read(udp->len);
	if (gue[0] >> 6 == 1) {
		tunnel->inner_family = gue[0] >> 4;
	} else {
		/* Control messages, optional words and flags are for others. */
		if (gue[0] | gue[2] | gue[3])
			return DECAP_PASS_MALFORMED;
		tunnel->inner_family = tunnel_inner_family(gue[1]);
		length += GUE_HEADER_LENGTH;
	}
	if (!tunnel->inner_family || tunnel->room < length)
		return DECAP_PASS_MALFORMED;
	tunnel->room -= length;
	tunnel->outer_length += length;
	return DECAP_GUE;
}

/* tunnel_check_inner - whether what is inside is what the outer headers say, and fits into them. */
static __always_inline bool tunnel_check_inner(const void *header, const void *end,
					       const struct packet *packet,
					       const struct tunnel *tunnel)
{
	__u32 outer_length = tunnel->outer_length & TUNNEL_LENGTH_MASK, length;
	const void *inner = header + outer_length;
	const __u8 *bytes = inner;

	if (tunnel->inner_family == 4) {
		const struct iphdr *ip = inner;

		if ((const void *)(ip + 1) > end || bytes[0] >> 4 != 4)
			return false;
		length = length_read(ip->tot_len);
	} else {
		const struct ipv6hdr *ip = inner;

		if ((const void *)(ip + 1) > end || bytes[0] >> 4 != 6)
			return false;
		length = length_read(ip->payload_len) + (__u32)sizeof(*ip);
	}
	return length <= tunnel->room &&
	       frame_has(packet->frame, inner, packet->link_length + outer_length, length, end);
}

#endif

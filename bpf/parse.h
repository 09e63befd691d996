/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading a packet's headers, which are in the frame's first buffer. No helper and no map is used
 * here, but for the length of jumbo frames: the same file is compiled for the host, where it is
 * fuzzed.
 */
#ifndef BPF_PARSE_H
#define BPF_PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "frame.h"
#include "packet.h"
#include "quic.h"

#define VLAN_TAG_LENGTH      4
#define VLAN_TAGS_MAX        2

#define IPV4_DONT_FRAGMENT   CONSTANT_BE16(0x4000)
#define IPV4_FRAGMENT_MORE   CONSTANT_BE16(0x2000)
#define IPV4_FRAGMENT_OFFSET CONSTANT_BE16(0x1fff)
#define IPV6_FRAGMENT_MORE   CONSTANT_BE16(0x0001)
#define IPV6_FRAGMENT_OFFSET CONSTANT_BE16(0xfff8)

/* A length in host order; the verifiers of 6.1 and 6.12 lose its bound in the swap. */
static __always_inline __u32 length_read(__be16 word)
{
	__u32 length = swap_be16(word);

	OPAQUE(length);
	return length & 0xffff;
}

static __always_inline bool ethertype_is_vlan(__be16 type)
{
	return type == CONSTANT_BE16(ETH_P_8021Q) || type == CONSTANT_BE16(ETH_P_8021AD);
}

/* ethertype_family - 4, 6, or 0 for what is not IP. */
static __always_inline __u8 ethertype_family(__be16 type)
{
	if (type == CONSTANT_BE16(ETH_P_IP))
		return 4;
	return type == CONSTANT_BE16(ETH_P_IPV6) ? 6 : 0;
}

/* parse_link - step over the Ethernet header and VLAN tags. Returns the type of what follows, or 0. */
static __always_inline __be16 parse_link(const void *data, const void *end, struct packet *packet)
{
	const struct ethhdr *ethernet = data;
	const void *header = ethernet + 1;
	__be16 type;

	packet->length = 0;
	if (header > end)
		return 0;
	type = ethernet->h_proto;
	if (unlikely(ethertype_is_vlan(type))) {
		for (int tag = 0; tag < VLAN_TAGS_MAX; tag++) {
			const __be16 *words = header;

			header += VLAN_TAG_LENGTH;
			if (header > end)
				return 0;
			type = words[1];
			if (!ethertype_is_vlan(type))
				break;
		}
	}
	packet->link_length = (__u32)(header - data);
	return type;
}

/*
 * parse_destination - read the destination address, which tells whether the packet is any of our
 * business. Nothing is judged here: what is not for a VIP is not ours to judge.
 */
static __always_inline enum verdict parse_destination(const void *data, const void *end,
						      struct packet *packet)
{
	const void *header = data + (packet->link_length & 31);

	packet->signals = 0;
	packet->fragment = FRAGMENT_NONE;
	if (packet->key.family == 4) {
		const struct iphdr *ip = header;

		if ((const void *)(ip + 1) > end)
			return VERDICT_PASS_NOT_IP;
		packet->key.destination[0] = 0;
		packet->key.destination[1] = 0;
		packet->key.destination[2] = CONSTANT_BE32(0xffff);
		packet->key.destination[3] = ip->daddr;
	} else {
		const struct ipv6hdr *ip = header;

		if ((const void *)(ip + 1) > end)
			return VERDICT_PASS_NOT_IP;
		packet->key.destination[0] = ip->daddr.in6_u.u6_addr32[0];
		packet->key.destination[1] = ip->daddr.in6_u.u6_addr32[1];
		packet->key.destination[2] = ip->daddr.in6_u.u6_addr32[2];
		packet->key.destination[3] = ip->daddr.in6_u.u6_addr32[3];
	}
	return VERDICT_NONE;
}

static __always_inline bool signals_are_bad(__u32 signals)
{
	const __u32 xmas = SIGNAL_FIN | SIGNAL_PSH | SIGNAL_URG;

	if (!(signals & (xmas | SIGNAL_SYN | SIGNAL_RST | SIGNAL_ACK)))
		return true;
	if (signals & SIGNAL_SYN && signals_close(signals))
		return true;
	return (signals & (xmas | SIGNAL_ACK)) == xmas;
}

/* room: bytes from header to the end of the IP packet. */
static __always_inline enum verdict parse_tcp(const void *header, const void *end, __u32 room,
					      struct packet *packet)
{
	const struct tcphdr *tcp = header;
	const __u8 *bytes = header;
	__u32 length;

	if ((const void *)(tcp + 1) > end)
		return VERDICT_DROP_MALFORMED;
	length = (bytes[12] >> 4) * 4u;
	if (length < sizeof(*tcp) || length > room)
		return VERDICT_DROP_MALFORMED;
	packet->key.source_port = tcp->source;
	packet->key.destination_port = tcp->dest;
	packet->signals = bytes[13] | SIGNAL_TCP;
	return unlikely(signals_are_bad(packet->signals)) ? VERDICT_DROP_BAD_FLAGS : VERDICT_NONE;
}

static __always_inline enum verdict parse_udp(const void *header, const void *end, __u32 room,
					      struct packet *packet)
{
	const struct udphdr *udp = header;

	if ((const void *)(udp + 1) > end || room < sizeof(*udp))
		return VERDICT_DROP_MALFORMED;
	packet->key.source_port = udp->source;
	packet->key.destination_port = udp->dest;
	if (room >= sizeof(*udp) + QUIC_VERSION_END && quic_is_first(udp + 1, end))
		packet->signals = SIGNAL_QUIC_FIRST;
	return VERDICT_NONE;
}

static __always_inline enum verdict parse_transport(const void *header, const void *end, __u32 room,
						    struct packet *packet)
{
	packet->key.source_port = 0;
	packet->key.destination_port = 0;
	if (packet->fragment == FRAGMENT_LATER)
		return VERDICT_NONE;
	if (packet->key.protocol == IPPROTO_TCP)
		return parse_tcp(header, end, room, packet);
	if (packet->key.protocol == IPPROTO_UDP)
		return parse_udp(header, end, room, packet);
	return VERDICT_NONE;
}

/*
 * The two parsers of IP headers step *header over what they read, and give the length of the IP
 * packet and its part from *header on.
 */
static __always_inline enum verdict parse_ipv4(const void **header, const void *end,
					       struct packet *packet, __u32 *ret_length,
					       __u32 *ret_room)
{
	const struct iphdr *ip = *header;
	const __u8 *bytes = *header;
	__u32 header_length, length;

	if ((const void *)(ip + 1) > end)
		return VERDICT_DROP_MALFORMED;
	header_length = (bytes[0] & 0x0f) * 4u;
	length = length_read(ip->tot_len);
	if (bytes[0] >> 4 != 4 || header_length < sizeof(*ip) || length < header_length)
		return VERDICT_DROP_MALFORMED;
	if (!frame_has(packet->frame, *header, packet->link_length, length, end))
		return VERDICT_DROP_MALFORMED;

	packet->key.source[0] = 0;
	packet->key.source[1] = 0;
	packet->key.source[2] = CONSTANT_BE32(0xffff);
	packet->key.source[3] = ip->saddr;
	packet->key.protocol = ip->protocol;
	packet->traffic_class = ip->tos;
	if (unlikely(ip->frag_off & (IPV4_FRAGMENT_MORE | IPV4_FRAGMENT_OFFSET))) {
		packet->fragment =
			ip->frag_off & IPV4_FRAGMENT_OFFSET ? FRAGMENT_LATER : FRAGMENT_FIRST;
		packet->fragment_id = ip->id;
	}
	*header += header_length;
	*ret_length = length;
	*ret_room = length - header_length;
	return VERDICT_NONE;
}

/* What RFC 8200 and the registry call extension headers; AH and the fragment header included. */
static __always_inline bool ipv6_is_extension(__u8 next_header)
{
	return next_header == IPPROTO_HOPOPTS || next_header == IPPROTO_ROUTING ||
	       next_header == IPPROTO_FRAGMENT || next_header == IPPROTO_AH ||
	       next_header == IPPROTO_DSTOPTS || next_header == IPPROTO_MH;
}

/*
 * Step over one extension header at *header; packet->next_header is its type, and afterwards
 * that of what follows.
 */
static __always_inline enum verdict parse_extension(const void **header, const void *end,
						    struct packet *packet)
{
	const __u8 *bytes = *header;
	__u32 length;

	if (*header + 8 > end)
		return VERDICT_DROP_MALFORMED;
	if (packet->next_header == IPPROTO_FRAGMENT) {
		__be16 offset = *(const __be16 *)(bytes + 2);

		packet->fragment_id = *(const __be32 *)(bytes + 4);
		if (offset & IPV6_FRAGMENT_OFFSET)
			packet->fragment = FRAGMENT_LATER;
		else if (offset & IPV6_FRAGMENT_MORE)
			packet->fragment = FRAGMENT_FIRST;
		length = 8;
	} else if (packet->next_header == IPPROTO_AH) {
		length = (bytes[1] + 2u) * 4;
	} else {
		length = (bytes[1] + 1u) * 8;
	}
	packet->next_header = bytes[0];
	*header += length;
	return VERDICT_NONE;
}

/* Walk to the transport header, or to the end of what the first fragment header allows to read. */
static __always_inline enum verdict parse_extensions(const void **header, const void *end,
						     struct packet *packet)
{
	for (int count = 0; count < SLUICE_IPV6_EXT_MAX; count++) {
		if (parse_extension(header, end, packet) != VERDICT_NONE)
			return VERDICT_DROP_MALFORMED;
		if (packet->fragment == FRAGMENT_LATER || !ipv6_is_extension(packet->next_header))
			return VERDICT_NONE;
	}
	return VERDICT_DROP_EXT_CHAIN;
}

static __always_inline enum verdict parse_ipv6(const void **header, const void *end,
					       struct packet *packet, __u32 *ret_length,
					       __u32 *ret_room)
{
	const struct ipv6hdr *ip = *header;
	const void *start = *header;
	__u32 length, offset;
	enum verdict verdict;
	__be32 first;

	if (start + sizeof(*ip) > end)
		return VERDICT_DROP_MALFORMED;
	first = *(const __be32 *)start;
	length = length_read(ip->payload_len) + (__u32)sizeof(*ip);
	if ((first & CONSTANT_BE32(0xf0000000)) != CONSTANT_BE32(0x60000000))
		return VERDICT_DROP_MALFORMED;
	if (!frame_has(packet->frame, start, packet->link_length, length, end))
		return VERDICT_DROP_MALFORMED;

	packet->key.source[0] = ip->saddr.in6_u.u6_addr32[0];
	packet->key.source[1] = ip->saddr.in6_u.u6_addr32[1];
	packet->key.source[2] = ip->saddr.in6_u.u6_addr32[2];
	packet->key.source[3] = ip->saddr.in6_u.u6_addr32[3];
	packet->traffic_class = (__u8)(swap_be32(first) >> 20);
	packet->next_header = ip->nexthdr;
	*header += sizeof(*ip);
	if (unlikely(ipv6_is_extension(packet->next_header))) {
		verdict = parse_extensions(header, end, packet);
		/* Too long a chain that leaves the packet is malformed first of all. */
		if (verdict == VERDICT_DROP_EXT_CHAIN && (__u32)(*header - start) > length)
			return VERDICT_DROP_MALFORMED;
		*ret_length = length;
		if (verdict != VERDICT_NONE)
			return verdict;
	}
	packet->key.protocol = packet->next_header;
	offset = (__u32)(*header - start);
	if (offset > length)
		return VERDICT_DROP_MALFORMED;
	*ret_length = length;
	*ret_room = length - offset;
	return VERDICT_NONE;
}

/*
 * parse_packet - read and check the rest, after parse_destination. Lengths come from the IP
 * header; a frame may be longer (padding), never shorter.
 */
static __always_inline enum verdict parse_packet(const void *data, const void *end,
						 struct packet *packet)
{
	/* The mask tells the verifier a bound that it lost on the way. */
	const void *header = data + (packet->link_length & 31);
	__u32 length = 0, room = 0;
	enum verdict verdict;

	if (packet->key.family == 4)
		verdict = parse_ipv4(&header, end, packet, &length, &room);
	else
		verdict = parse_ipv6(&header, end, packet, &length, &room);
	if (verdict == VERDICT_NONE)
		verdict = parse_transport(header, end, room, packet);
	if (verdict != VERDICT_DROP_MALFORMED)
		packet->length = length;
	return verdict;
}

#endif

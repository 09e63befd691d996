/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading ICMP and ICMPv6 messages. As in parse.h no helper and no map is used: the same file is
 * compiled for the host, where it is fuzzed.
 */
#ifndef BPF_ICMP_H
#define BPF_ICMP_H

#include "parse.h"

/* RFC 792 and RFC 4443; the kernel's headers of these names bring the C library's along. */
#define ICMP_ECHO_REPLY      0
#define ICMP_ECHO_REQUEST    8
#define ICMP_UNREACHABLE     3
#define ICMP_FRAGMENT_NEEDED 4 /* a code of that */
#define ICMP_TIME_EXCEEDED   11
#define ICMP_PARAMETER       12
#define ICMPV6_UNREACHABLE   1
#define ICMPV6_TOO_BIG       2
#define ICMPV6_PARAMETER     4
#define ICMPV6_ECHO_REQUEST  128
#define ICMPV6_ECHO_REPLY    129

#define ICMP_HEADER_LENGTH   8u
/* RFC 792: an error quotes the IP header and so much of what follows. */
#define QUOTE_TRANSPORT_MIN 8u

enum icmp_kind {
	ICMP_KIND_OTHER = 0, /* neighbour discovery, redirects, replies: the host's business */
	ICMP_KIND_ERROR,     /* quotes a packet that did not arrive */
	ICMP_KIND_ECHO,      /* asks for an answer */
};

struct icmp_echo {
	__u8 type, code;
	__sum16 checksum;
	__be16 id, sequence;
};

/* Whom an answer must not go to: no address of one host, or the VIP itself. */
struct icmp_error {
	__u8 type, code;
	__sum16 checksum;
	__be32 value; /* the MTU */
};

static __always_inline bool source_is_bad_ipv4(const struct iphdr *ip)
{
	__u8 first = *(const __u8 *)&ip->saddr;

	return first == 0 || first == 127 || first >= 224 || ip->saddr == ip->daddr;
}

static __always_inline bool source_is_bad_ipv6(const struct ipv6hdr *ip)
{
	const __be32 *source = ip->saddr.in6_u.u6_addr32, *own = ip->daddr.in6_u.u6_addr32;

	if ((source[0] & CONSTANT_BE32(0xff000000)) == CONSTANT_BE32(0xff000000))
		return true;
	/* :: and ::1, and what else is there that no host on a network has. */
	if (!(source[0] | source[1] | source[2]))
		return true;
	return source[0] == own[0] && source[1] == own[1] && source[2] == own[2] &&
	       source[3] == own[3];
}

static __always_inline enum icmp_kind icmp_kind(__u8 family, __u8 type)
{
	if (type == (family == 4 ? ICMP_ECHO_REQUEST : ICMPV6_ECHO_REQUEST))
		return ICMP_KIND_ECHO;
	if (family == 6)
		return type >= ICMPV6_UNREACHABLE && type <= ICMPV6_PARAMETER ? ICMP_KIND_ERROR
									      : ICMP_KIND_OTHER;
	if (type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER)
		return ICMP_KIND_ERROR;
	return ICMP_KIND_OTHER;
}

/* The quoted packet went from a VIP to the client: its flow, as sluice knows it, goes back. */
static __always_inline enum verdict parse_quote_ports(const void *header, const void *end,
						      __u8 protocol, struct packet *packet)
{
	const __be16 *ports = header;

	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return VERDICT_PASS_ICMP;
	if (header + QUOTE_TRANSPORT_MIN > end)
		return VERDICT_DROP_ICMP_QUOTE;
	packet->key.protocol = protocol;
	packet->key.source_port = ports[1];
	packet->key.destination_port = ports[0];
	return VERDICT_NONE;
}

/* room: bytes from the quote to the end of the IP packet. */
static __always_inline enum verdict parse_quote_ipv4(const void *quote, const void *end, __u32 room,
						     struct packet *packet)
{
	const struct iphdr *ip = quote;
	const __u8 *bytes = quote;
	__u32 header_length;

	if ((const void *)(ip + 1) > end || room < sizeof(*ip))
		return VERDICT_DROP_ICMP_QUOTE;
	header_length = (bytes[0] & 0x0f) * 4u;
	if (bytes[0] >> 4 != 4 || header_length < sizeof(*ip))
		return VERDICT_DROP_ICMP_QUOTE;
	if (ip->saddr != packet->key.destination[3])
		return VERDICT_PASS_ICMP;
	if (room < header_length + QUOTE_TRANSPORT_MIN || ip->frag_off & IPV4_FRAGMENT_OFFSET)
		return VERDICT_DROP_ICMP_QUOTE;
	packet->key.source[3] = ip->daddr;
	return parse_quote_ports(quote + header_length, end, ip->protocol, packet);
}

static __always_inline bool quote_is_from_vip(const struct ipv6hdr *ip, const struct packet *packet)
{
	return ip->saddr.in6_u.u6_addr32[0] == packet->key.destination[0] &&
	       ip->saddr.in6_u.u6_addr32[1] == packet->key.destination[1] &&
	       ip->saddr.in6_u.u6_addr32[2] == packet->key.destination[2] &&
	       ip->saddr.in6_u.u6_addr32[3] == packet->key.destination[3];
}

static __always_inline enum verdict parse_quote_ipv6(const void *quote, const void *end, __u32 room,
						     struct packet *packet)
{
	const struct ipv6hdr *ip = quote;
	const __u8 *bytes = quote;
	const void *header = ip + 1;

	if (header > end || room < sizeof(*ip) || bytes[0] >> 4 != 6)
		return VERDICT_DROP_ICMP_QUOTE;
	if (!quote_is_from_vip(ip, packet))
		return VERDICT_PASS_ICMP;
	packet->key.source[0] = ip->daddr.in6_u.u6_addr32[0];
	packet->key.source[1] = ip->daddr.in6_u.u6_addr32[1];
	packet->key.source[2] = ip->daddr.in6_u.u6_addr32[2];
	packet->key.source[3] = ip->daddr.in6_u.u6_addr32[3];
	packet->next_header = ip->nexthdr;
	if (ipv6_is_extension(packet->next_header) &&
	    parse_extensions(&header, end, packet) != VERDICT_NONE)
		return VERDICT_DROP_ICMP_QUOTE;
	if (packet->fragment == FRAGMENT_LATER)
		return VERDICT_DROP_ICMP_QUOTE;
	if ((__u32)(header - quote) + QUOTE_TRANSPORT_MIN > room)
		return VERDICT_DROP_ICMP_QUOTE;
	return parse_quote_ports(header, end, packet->next_header, packet);
}

/*
 * parse_icmp - after parse_destination, of a packet that parse_packet has taken before: step *header
 * from the IP header to the ICMP header, and tell the message's kind. ret_room: bytes of the
 * message. What is out of the ordinary is left to the host: fragments, as honest errors are small,
 * and IPv6 extension headers.
 */
static __always_inline enum icmp_kind parse_icmp(const void **header, const void *end,
						 struct packet *packet, __u32 *ret_room)
{
	const struct ipv6hdr *ipv6 = *header;
	__u32 length = 0, room = 0;
	const __u8 *bytes;

	if (packet->key.family == 4) {
		if (parse_ipv4(header, end, packet, &length, &room) != VERDICT_NONE ||
		    packet->key.protocol != IPPROTO_ICMP || packet->fragment != FRAGMENT_NONE)
			return ICMP_KIND_OTHER;
	} else {
		if ((const void *)(ipv6 + 1) > end || ipv6->nexthdr != IPPROTO_ICMPV6)
			return ICMP_KIND_OTHER;
		room = length_read(ipv6->payload_len);
		*header += sizeof(*ipv6);
	}
	bytes = *header;
	if (room < ICMP_HEADER_LENGTH || *header + ICMP_HEADER_LENGTH > end)
		return ICMP_KIND_OTHER;
	*ret_room = room;
	return icmp_kind(packet->key.family, bytes[0]);
}

/*
 * parse_icmp_error - after parse_icmp: packet->key becomes that of the quoted flow, in the
 * direction of the client's own packets.
 */
static __always_inline enum verdict parse_icmp_error(const void *header, const void *end,
						     __u32 room, struct packet *packet)
{
	const void *quote = header + ICMP_HEADER_LENGTH;

	room -= ICMP_HEADER_LENGTH;
	if (packet->key.family == 4)
		return parse_quote_ipv4(quote, end, room, packet);
	return parse_quote_ipv6(quote, end, room, packet);
}

#endif

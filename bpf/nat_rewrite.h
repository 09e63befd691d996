/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Forward mode nat: one end of a packet gets another address and port, with all checksums brought
 * up to date. What is to be done stands in a record of each CPU's own, as it would not fit the
 * stack; the functions are global, so that the verifier looks at each only once.
 */
#ifndef BPF_NAT_REWRITE_H
#define BPF_NAT_REWRITE_H

#include "checksum.h"
#include "icmp.h"
#include "maps.h"
#include "parse.h"

struct nat_job {
	__be32 address[4];  /* what the end gets; v4-mapped */
	__be32 quoted[4];   /* what it gets in the quote of an ICMP error */
	__be32 client[4];   /* of replies: where they go */
	struct nat_key key; /* of replies: the end that tells the service */
	__u32 macs[3];      /* the new destination and source, as they lie in the frame */
	__u32 link_length;
	__u32 length;      /* of replies: of the IP packet */
	__u32 ifindex;     /* of replies: where they leave */
	__u32 backend;     /* of replies: whose service it is */
	__u32 fragment_id; /* of replies: in network order */
	/* The transport header in work: the packet's, or its quote's. */
	__u32 part_place; /* in the frame */
	__u32 part_room;  /* bytes that are there */
	__u32 part_change;
	__u8 part_protocol;
	__u8 part_is_source; /* its source port changes */
	__be16 port;         /* 0: stays */
	__u8 family;
	__u8 protocol;
	__u8 traffic_class;
	__u8 is_reply; /* the source is the end that changes, in a quote the destination */
	__u8 is_error; /* an ICMP error: the flow is that of its quote */
	__u8 is_hop;   /* this host routes it: hop limit and MAC addresses; else the host's stack */
	__u8 fragment; /* of replies: enum fragment */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nat_job);
} nat_jobs SEC(".maps");

static __always_inline struct nat_job *nat_job(void)
{
	__u32 index = 0;

	return bpf_map_lookup_elem(&nat_jobs, &index);
}

/*
 * nat_transport - port and checksum of the transport header that the job names. Returns by how much
 * its own bytes change a sum over them.
 */
noinline __u32 nat_transport(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	const struct nat_job *job = nat_job();
	__u32 own = 0, checksum_at;
	__u16 *words, *check, before;

	if (!job)
		return 0;
	words = data + (job->part_place & 0x3fff);
	if ((void *)(words + 2) > end || job->part_room < 4)
		return 0;
	if (job->part_protocol == IPPROTO_ICMPV6)
		checksum_at = 2;
	else
		checksum_at = job->part_protocol == IPPROTO_TCP ? 16 : 6;
	if (job->port && job->part_protocol != IPPROTO_ICMPV6) {
		__u16 *port = job->part_is_source ? words : words + 1;

		own = sum_change16(*port, job->port);
		*port = job->port;
	}
	/* A quote may end before it. */
	check = (void *)words + checksum_at;
	if ((void *)(check + 1) > end || checksum_at + sizeof(*check) > job->part_room)
		return own;
	before = *check;
	if (job->part_protocol == IPPROTO_UDP && !before)
		return own;
	*check = sum_apply(before, job->part_change + own);
	/* 0 would say that there is none. */
	if (job->part_protocol == IPPROTO_UDP && !*check)
		*check = 0xffff;
	return own + sum_change16(before, *check);
}

/*
 * Name a transport header: that of the packet, or of the quote in it, of which room bytes are there.
 * change is that of the addresses in its pseudo header. A function of its own looks at it, or else
 * the verifier would for each way that leads to it. False: a protocol without either.
 */
static __always_inline bool nat_part(struct nat_job *job, const void *data, const void *header,
				     __u32 room, __u8 protocol, __u32 change)
{
	__u64 place = (__u64)(header - data);

	/* Pointers are not to be subtracted in 32 bits. */
	OPAQUE(place);
	job->part_place = (__u32)place;
	job->part_room = room;
	job->part_protocol = protocol;
	job->part_change = change;
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_ICMPV6;
}

/* Store the new address; returns the change. */
static __always_inline __u32 nat_address_v4(__be32 *place, const __be32 address[4])
{
	__u32 change = sum_change32(*place, address[3]);

	*place = address[3];
	return change;
}

static __always_inline __u32 nat_address_v6(__be32 *place, const __be32 address[4])
{
	__u32 change = 0;

#pragma unroll
	for (int i = 0; i < 4; i++) {
		change += sum_change32(place[i], address[i]);
		place[i] = address[i];
	}
	return change;
}

/* The outer IPv4 header; *ret_change is that of the address alone. */
static __always_inline enum verdict nat_header_v4(struct iphdr *ip, const struct nat_job *job,
						  __u32 *ret_change)
{
	__u16 *hops = (__u16 *)&ip->ttl, before = *hops;
	__u32 change;

	if (job->is_hop && ip->ttl <= 1)
		return VERDICT_DROP_TTL;
	change = nat_address_v4(job->is_reply ? &ip->saddr : &ip->daddr, job->address);
	if (job->is_hop)
		ip->ttl--;
	ip->check = sum_apply(ip->check, change + sum_change16(before, *hops));
	*ret_change = change;
	return VERDICT_NONE;
}

static __always_inline enum verdict nat_header_v6(struct ipv6hdr *ip, const struct nat_job *job,
						  __u32 *ret_change)
{
	if (job->is_hop && ip->hop_limit <= 1)
		return VERDICT_DROP_TTL;
	if (job->is_reply)
		*ret_change = nat_address_v6(ip->saddr.in6_u.u6_addr32, job->address);
	else
		*ret_change = nat_address_v6(ip->daddr.in6_u.u6_addr32, job->address);
	if (job->is_hop)
		ip->hop_limit--;
	return VERDICT_NONE;
}

/* nat_rewrite - all but the quote. VERDICT_NONE, or why the packet is to be dropped. */
noinline __u32 nat_rewrite(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct packet packet = {.frame = ctx};
	__u32 length = 0, room = 0, change = 0;
	struct nat_job *job = nat_job();
	enum verdict verdict = VERDICT_DROP_MALFORMED;
	const void *header;
	void *ip;

	if (!job || data + sizeof(struct ethhdr) > end)
		return VERDICT_DROP_MALFORMED;
	packet.link_length = job->link_length & 31;
	ip = data + packet.link_length;
	header = ip;
	/* First what does not depend on how the headers are chained: the fewer ways lead there. */
	if (job->family == 4 && ip + sizeof(struct iphdr) <= end)
		verdict = nat_header_v4(ip, job, &change);
	else if (job->family == 6 && ip + sizeof(struct ipv6hdr) <= end)
		verdict = nat_header_v6(ip, job, &change);
	if (verdict != VERDICT_NONE)
		return verdict;
	if (job->is_hop)
		__builtin_memcpy(data, job->macs, sizeof(job->macs));
	job->part_is_source = job->is_reply;
	if (job->family == 4)
		verdict = parse_ipv4(&header, end, &packet, &length, &room);
	else
		verdict = parse_ipv6(&header, end, &packet, &length, &room);
	if (verdict != VERDICT_NONE)
		return verdict;
	if (nat_part(job, data, header, room, packet.key.protocol, change) &&
	    packet.fragment != FRAGMENT_LATER)
		nat_transport(ctx);
	return VERDICT_NONE;
}

/*
 * The two rewrite the quote's IP header and name what follows it; *ret_change is that of a sum over
 * the header. room: bytes of the quote. False if nothing follows.
 */
static __always_inline bool nat_quote_v4(void *quote, const void *data, const void *end, __u32 room,
					 struct nat_job *job, __u32 *ret_change)
{
	struct iphdr *ip = quote;
	__u32 change, length;
	__u16 before;

	if ((void *)(ip + 1) > end || room < sizeof(*ip))
		return false;
	length = (*(__u8 *)quote & 0x0f) * 4u;
	if (length > room)
		return false;
	change = nat_address_v4(job->is_reply ? &ip->daddr : &ip->saddr, job->quoted);
	before = ip->check;
	ip->check = sum_apply(before, change);
	*ret_change = change + sum_change16(before, ip->check);
	return nat_part(job, data, quote + length, room - length, ip->protocol, change);
}

static __always_inline bool nat_quote_v6(void *quote, const void *data, const void *end, __u32 room,
					 struct nat_job *job, __u32 *ret_change)
{
	struct packet packet = {.fragment = FRAGMENT_NONE};
	struct ipv6hdr *ip = quote;
	const void *header = ip + 1;
	__u32 offset;

	if (header > end || room < sizeof(*ip))
		return false;
	if (job->is_reply)
		*ret_change = nat_address_v6(ip->daddr.in6_u.u6_addr32, job->quoted);
	else
		*ret_change = nat_address_v6(ip->saddr.in6_u.u6_addr32, job->quoted);
	packet.next_header = ip->nexthdr;
	if (ipv6_is_extension(packet.next_header) &&
	    parse_extensions(&header, end, &packet) != VERDICT_NONE)
		return false;
	offset = (__u32)(header - quote);
	if (offset > room)
		return false;
	return nat_part(job, data, header, room - offset, packet.next_header, *ret_change);
}

/* nat_quote - the quote of an ICMP error, and its part in the message's checksum. */
noinline __u32 nat_quote(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct nat_job *job = nat_job();
	struct packet packet = {.frame = ctx};
	__u32 room = 0, change = 0;
	const void *header;
	__u16 *check;
	bool more;

	if (!job)
		return VERDICT_DROP_MALFORMED;
	packet.key.family = job->family;
	packet.link_length = job->link_length & 31;
	header = data + packet.link_length;
	if (parse_icmp(&header, end, &packet, &room) != ICMP_KIND_ERROR)
		return VERDICT_DROP_MALFORMED;
	check = (__u16 *)header + 1;
	if (header + ICMP_HEADER_LENGTH > end || room < ICMP_HEADER_LENGTH)
		return VERDICT_DROP_MALFORMED;
	room -= ICMP_HEADER_LENGTH;
	header += ICMP_HEADER_LENGTH;
	job->part_is_source = !job->is_reply;
	if (job->family == 4)
		more = nat_quote_v4((void *)header, data, end, room, job, &change);
	else
		more = nat_quote_v6((void *)header, data, end, room, job, &change);
	if (more)
		change += nat_transport(ctx);
	*check = sum_apply(*check, change);
	return VERDICT_NONE;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Forward mode nat, there and back. A packet to a VIP gets its backend's address and port; what a
 * backend answers gets the VIP's. The way back needs no memory of flows: a backend's address, port
 * and protocol tell the service. A backend answers by way of this host, which is its router.
 */
#ifndef BPF_FORWARD_NAT_H
#define BPF_FORWARD_NAT_H

#include "mss.h"
#include "nat_fragment.h"
#include "nat_rewrite.h"
#include "vlan.h"

#define FAMILY_IPV4 2 /* AF_INET and AF_INET6: their header is the C library's */
#define FAMILY_IPV6 10

/* From the end of a backend to that of its service. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct nat_key);
	__type(value, struct nat_reply);
} nat_replies SEC(".maps");

/*
 * forward_nat - rewrite a packet to a VIP for its backend. nexthop: union nexthop; shape: link
 * length in bits 0..7, family in bits 8..15, and bit 16 for an ICMP error.
 */
noinline __u32 forward_nat(struct xdp_md *ctx, __u32 backend_id, __u64 nexthop, __u32 shape)
{
	const struct backend *backend = bpf_map_lookup_elem(&backends, &backend_id);
	__u32 index = (__u32)(nexthop >> 48);
	const struct egress *port = bpf_map_lookup_elem(&egress, &index);
	struct nat_job *job = nat_job();
	enum verdict verdict;

	if (!backend || !port || !job)
		return VERDICT_DROP_NO_NEXTHOP;
#pragma unroll
	for (int i = 0; i < 4; i++)
		job->address[i] = job->quoted[i] = backend->address[i];
	job->port = backend->port;
	job->macs[0] = (__u32)nexthop;
	job->macs[1] = (__u32)(nexthop >> 32 & 0xffff) | (__u32)port->mac[0] << 16 |
		       (__u32)port->mac[1] << 24;
	job->macs[2] = (__u32)port->mac[2] | (__u32)port->mac[3] << 8 | (__u32)port->mac[4] << 16 |
		       (__u32)port->mac[5] << 24;
	job->link_length = shape & 0xff;
	job->family = (__u8)(shape >> 8);
	job->is_error = (__u8)(shape >> 16 & 1);
	job->is_reply = 0;
	job->is_hop = 1;
	if (backend->family != job->family)
		return VERDICT_DROP_NO_NEXTHOP;
	verdict = job->is_error ? (enum verdict)nat_quote(ctx) : VERDICT_NONE;
	if (verdict == VERDICT_NONE)
		verdict = (enum verdict)nat_rewrite(ctx);
	return verdict == VERDICT_NONE ? VERDICT_FORWARD_NAT : verdict;
}

static __always_inline __u32 nat_shape(const struct packet *packet, __u32 link_length)
{
	bool is_error =
		packet->key.protocol == IPPROTO_ICMP || packet->key.protocol == IPPROTO_ICMPV6;

	return link_length | (__u32)packet->key.family << 8 | (__u32)is_error << 16;
}

/* nat_is_used - whether any backend is in mode nat: only then answers are looked for. */
static __always_inline bool nat_is_used(void)
{
	__u32 index = 0;
	const struct nat_use *use = bpf_map_lookup_elem(&nat_use, &index);

	return use && use->backends;
}

static __always_inline bool nat_same_address(const __be32 a[4], const __be32 b[4])
{
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

/*
 * nat_service - the service whose backend has the job's key, and from it the rest of the job; an exact
 * port comes first. VERDICT_NONE, or VERDICT_PASS_NOT_VIP.
 */
noinline __u32 nat_service(void)
{
	struct nat_job *job = nat_job();
	const struct nat_reply *reply;
	struct nat_key key;

	if (!job || (job->fragment == FRAGMENT_LATER && !nat_fragment_recall()))
		return VERDICT_PASS_NOT_VIP;
	key = job->key;
	reply = bpf_map_lookup_elem(&nat_replies, &key);
	if (!reply) {
		key.port = 0;
		reply = bpf_map_lookup_elem(&nat_replies, &key);
	}
	if (!reply)
		return VERDICT_PASS_NOT_VIP;
	__builtin_memcpy(job->quoted, reply->vip, sizeof(reply->vip));
	/* A router on the way to the backend speaks for itself: address is then its own. */
	if (!job->is_error || nat_same_address(job->address, job->key.address))
		__builtin_memcpy(job->address, reply->vip, sizeof(reply->vip));
	job->port = reply->port;
	job->backend = reply->backend;
	if (job->fragment == FRAGMENT_FIRST)
		nat_fragment_remember();
	return VERDICT_NONE;
}

/* What the packet tells; sender: who sent it. */
static __always_inline void nat_job_fill(struct nat_job *job, const struct packet *packet,
					 const __be32 sender[4], bool is_error)
{
	__builtin_memcpy(job->address, sender, sizeof(job->address));
	__builtin_memcpy(job->client, packet->key.destination, sizeof(job->client));
	__builtin_memcpy(job->key.address, packet->key.source, sizeof(job->key.address));
	job->key.port = packet->key.source_port;
	job->key.protocol = packet->key.protocol;
	job->key.reserved = 0;
	job->link_length = packet->link_length;
	job->family = packet->key.family;
	job->is_reply = 1;
	job->is_error = is_error;
	job->fragment = is_error ? FRAGMENT_NONE : packet->fragment; /* else the quote's */
	job->fragment_id = packet->fragment_id;
}

/*
 * nat_answer_read - what may be an answer of a backend: VERDICT_NONE and the job's key, or
 * VERDICT_PASS_NOT_VIP, or VERDICT_PASS_ICMP if its quote would have to tell.
 */
noinline __u32 nat_answer_read(struct xdp_md *ctx, __u32 link_length, __u32 family)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct packet packet = {
		.key.family = (__u8)family, .link_length = link_length, .frame = ctx};
	struct nat_job *job = nat_job();

	if (!job || parse_destination(data, end, &packet) != VERDICT_NONE ||
	    parse_packet(data, end, &packet) != VERDICT_NONE)
		return VERDICT_PASS_NOT_VIP;
	job->length = packet.length;
	job->protocol = packet.key.protocol;
	job->traffic_class = packet.traffic_class;
	if (packet.key.protocol == IPPROTO_ICMP || packet.key.protocol == IPPROTO_ICMPV6)
		return VERDICT_PASS_ICMP;
	nat_job_fill(job, &packet, packet.key.source, false);
	return VERDICT_NONE;
}

static __always_inline bool nat_sender_read(const void *header, const void *end, __u32 family,
					    __be32 sender[4])
{
	const struct ipv6hdr *ipv6 = header;
	const struct iphdr *ipv4 = header;

	sender[0] = sender[1] = 0;
	sender[2] = CONSTANT_BE32(0xffff);
	if (family == 4) {
		if ((const void *)(ipv4 + 1) > end)
			return false;
		sender[3] = ipv4->saddr;
		return true;
	}
	if ((const void *)(ipv6 + 1) > end)
		return false;
	__builtin_memcpy(sender, &ipv6->saddr, sizeof(ipv6->saddr));
	return true;
}

/* nat_error_read - the same for an ICMP error about a packet that a backend got. */
noinline __u32 nat_error_read(struct xdp_md *ctx, __u32 link_length, __u32 family)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	const void *header = data + (link_length & 31);
	struct packet packet = {
		.key.family = (__u8)family, .link_length = link_length, .frame = ctx};
	struct nat_job *job = nat_job();
	__be32 sender[4];
	__u32 room = 0;

	if (!job || parse_destination(data, end, &packet) != VERDICT_NONE ||
	    !nat_sender_read(header, end, family, sender))
		return VERDICT_PASS_NOT_VIP;
	if (parse_icmp(&header, end, &packet, &room) != ICMP_KIND_ERROR)
		return VERDICT_PASS_NOT_VIP;
	if (parse_icmp_error(header, end, room, &packet) != VERDICT_NONE)
		return VERDICT_PASS_NOT_VIP;
	nat_job_fill(job, &packet, sender, true);
	return VERDICT_NONE;
}

/*
 * nat_route - the way from here to the client. VERDICT_RETURN_NAT, VERDICT_PASS_NAT where only the
 * host's stack can find it, VERDICT_PASS_NOT_VIP if the host itself is the client, or a drop.
 */
noinline __u32 nat_route(struct xdp_md *ctx)
{
	struct bpf_fib_lookup fib = {.ifindex = ctx->ingress_ifindex};
	struct nat_job *job = nat_job();
	long code;

	if (!job)
		return VERDICT_PASS_NOT_VIP;
	fib.l4_protocol = job->protocol;
	fib.tot_len = (__u16)job->length;
	if (job->family == 4) {
		fib.family = FAMILY_IPV4;
		fib.tos = job->traffic_class;
		fib.ipv4_src = job->address[3];
		fib.ipv4_dst = job->client[3];
	} else {
		fib.family = FAMILY_IPV6;
		fib.flowinfo = swap_be32((__u32)job->traffic_class << 20);
		__builtin_memcpy(fib.ipv6_src, job->address, sizeof(fib.ipv6_src));
		__builtin_memcpy(fib.ipv6_dst, job->client, sizeof(fib.ipv6_dst));
	}
	code = bpf_fib_lookup(ctx, &fib, sizeof(fib), 0);
	job->is_hop = code == BPF_FIB_LKUP_RET_SUCCESS;
	job->ifindex = fib.ifindex;
	__builtin_memcpy((void *)job->macs, fib.dmac, sizeof(fib.dmac));
	__builtin_memcpy((void *)job->macs + sizeof(fib.dmac), fib.smac, sizeof(fib.smac));
	if (code == BPF_FIB_LKUP_RET_SUCCESS)
		return VERDICT_RETURN_NAT;
	/* The client is this host, or the host does not forward: not touched. */
	if (code == BPF_FIB_LKUP_RET_NOT_FWDED || code == BPF_FIB_LKUP_RET_FWD_DISABLED || code < 0)
		return VERDICT_PASS_NOT_VIP;
	if (code == BPF_FIB_LKUP_RET_NO_NEIGH || code == BPF_FIB_LKUP_RET_FRAG_NEEDED ||
	    code == BPF_FIB_LKUP_RET_UNSUPP_LWT)
		return VERDICT_PASS_NAT;
	return VERDICT_DROP_NO_NEXTHOP;
}

/*
 * What the service asks for besides. Here a backend's SYN-ACK passes, too. What the host's stack sends
 * on keeps its tags, by which that knows the interface. Returns the verdict, or a drop.
 */
static __always_inline enum verdict nat_finish(struct xdp_md *ctx, const struct nat_job *job,
					       enum verdict verdict)
{
	__u32 id = job->backend;
	const struct backend *backend = bpf_map_lookup_elem(&backends, &id);

	if (!backend)
		return verdict;
	if (backend->mode & BACKEND_CLAMPS)
		mss_clamp(ctx, job->link_length, job->family, backend->service);
	if (backend->mode & BACKEND_RETAGS && verdict == VERDICT_RETURN_NAT &&
	    !vlan_set(ctx, job->link_length, job->family, backend->service, true))
		return VERDICT_DROP_NO_ROOM;
	return verdict;
}

/* nat_return - a packet that is not for a VIP: if a backend answers with it, on to the client. */
static __always_inline enum verdict nat_return(struct xdp_md *ctx, struct packet *packet,
					       struct route *route)
{
	enum verdict verdict, rewritten;
	const struct nat_job *job;

	verdict = (enum verdict)nat_answer_read(ctx, packet->link_length, packet->key.family);
	if (verdict == VERDICT_PASS_ICMP)
		verdict =
			(enum verdict)nat_error_read(ctx, packet->link_length, packet->key.family);
	if (verdict == VERDICT_NONE)
		verdict = (enum verdict)nat_service();
	/* By order, which the verifier remembers. */
	if (verdict < VERDICT_NONE)
		return verdict;
	job = nat_job();
	verdict = (enum verdict)nat_route(ctx);
	if (!job || verdict == VERDICT_PASS_NOT_VIP)
		return VERDICT_PASS_NOT_VIP;
	packet->length = job->length;
	route->ifindex = job->ifindex;
	if (verdict != VERDICT_RETURN_NAT && verdict != VERDICT_PASS_NAT)
		return VERDICT_DROP_NO_NEXTHOP;
	rewritten = job->is_error ? (enum verdict)nat_quote(ctx) : VERDICT_NONE;
	if (rewritten == VERDICT_NONE)
		rewritten = (enum verdict)nat_rewrite(ctx);
	if (rewritten < VERDICT_NONE)
		return rewritten;
	return nat_finish(ctx, job, verdict);
}

#endif

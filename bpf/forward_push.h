/* SPDX-License-Identifier: GPL-2.0-only */
/* The front of a forwarded frame: its MAC addresses, and room for an outer header. */
#ifndef BPF_FORWARD_PUSH_H
#define BPF_FORWARD_PUSH_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include "maps.h"
#include "packet.h"
#include "parse.h"

/* MAC addresses, word by word: clang copies byte arrays byte by byte. */
static __always_inline void forward_set_macs(void *data, union nexthop nexthop,
					     const struct egress *port)
{
	*(__u32 *)data = (__u32)nexthop.word;
	*(__u16 *)(data + 4) = (__u16)(nexthop.word >> 32);
	*(__u32 *)(data + 6) = *(const __u32 *)port->mac;
	*(__u16 *)(data + 10) = *(const __u16 *)(port->mac + 4);
}

/*
 * Make room for an outer header of `length` bytes, and put the Ethernet header and the VLAN tags
 * before it. Returns the place of the outer header, or NULL if the frame has no headroom.
 */
static __always_inline void *forward_push(struct xdp_md *ctx, __u32 link_length,
					  union nexthop nexthop, const struct egress *port,
					  __u32 length, __be16 ethertype)
{
	__u64 type_offset = (link_length & 31) - (__u32)sizeof(ethertype);
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

/* The flow's label, in an outer IPv6 header, spreads it over paths and queues (RFC 6438). */
static __always_inline __u32 outer_label(__u64 hash)
{
	return (__u32)(hash >> 20) & 0xfffff;
}

/*
 * Outer source addresses. With a prefix configured they are the flow's, so that receivers spread
 * flows over their queues; else the host's own, as they stand in the backend's record. Settings are
 * constants: the verifier removes what is not configured.
 */
static __always_inline __be32 outer_source_v4(const struct backend *backend, __u64 hash)
{
	if (settings.source_v4)
		return settings.source_v4 | ((__be32)hash & settings.source_v4_bits);
	return backend->source[3];
}

static __always_inline void outer_addresses_v6(struct ipv6hdr *outer, const struct backend *backend,
					       __u64 hash)
{
#pragma unroll
	for (int i = 0; i < 4; i++) {
		__be32 source = backend->source[i];

		if (settings.source_v6[0])
			source = settings.source_v6[i] |
				 ((__be32)(i % 2 ? hash : hash >> 32) & settings.source_v6_bits[i]);
		outer->saddr.in6_u.u6_addr32[i] = source;
		outer->daddr.in6_u.u6_addr32[i] = backend->address[i];
	}
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The VLAN tags of what goes out, where a service does not keep those that a packet came with. */
#ifndef BPF_VLAN_H
#define BPF_VLAN_H

#include <linux/if_ether.h>

#include "maps.h"
#include "parse.h"

#define VLAN_PRIORITY CONSTANT_BE16(0xf000) /* PCP and DEI, of a tag's first word */

/* An untagged frame's header, and what follows it in a tagged one. */
struct vlan_frame {
	__u32 macs[3];
	__be16 type;
	__be16 tag;
	__be16 inner_type;
};

/*
 * vlan_set - in place of the tags that the frame has, those that the service asks for: none or one,
 * which takes the priority of the outer one that was there. MAC addresses stay. Returns the length
 * of the link header now, or 0 if the frame has no headroom; link_length says the one until now.
 * Global, as few services ask for it: the verifier looks at it once.
 */
noinline __u32 vlan_set(struct xdp_md *ctx, __u32 link_length, __u32 family, __u32 service_id,
			__u32 to_client)
{
	const struct service *service = bpf_map_lookup_elem(&services, &service_id);
	__be16 type = family == 4 ? CONSTANT_BE16(ETH_P_IP) : CONSTANT_BE16(ETH_P_IPV6);
	struct vlan_frame *frame = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u32 macs[3], vlan, wanted;
	__be16 priority;

	if (!service)
		return link_length;
	vlan = to_client ? service->client_vlan : service->vlan;
	if (vlan == VLAN_KEEP)
		return link_length;
	if ((void *)(frame + 1) > end)
		return 0;
	__builtin_memcpy(macs, frame->macs, sizeof(macs));
	priority = ethertype_is_vlan(frame->type) ? frame->tag & VLAN_PRIORITY : 0;
	wanted = sizeof(struct ethhdr) + (vlan == VLAN_NONE ? 0 : VLAN_TAG_LENGTH);
	if (bpf_xdp_adjust_head(ctx, (int)(link_length & 31) - (int)wanted))
		return 0;
	frame = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if ((void *)(frame + 1) > end)
		return 0;
	__builtin_memcpy(frame->macs, macs, sizeof(macs));
	if (vlan == VLAN_NONE) {
		frame->type = type;
		return wanted;
	}
	frame->type = CONSTANT_BE16(ETH_P_8021Q);
	frame->tag = priority | swap_be16((__u16)vlan);
	frame->inner_type = type;
	return wanted;
}

#endif

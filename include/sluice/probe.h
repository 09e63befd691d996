/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the agent and bpf/probe.bpf.c share: probes that go the way of clients' packets. Their
 * sockets are connected to the backend's own address; the mark says which backend that is. On its
 * way out a marked packet gets the VIP as its destination and the forward mode's outer header, and
 * what comes back from the VIP gets the backend's address again.
 */
#ifndef SLUICE_PROBE_H
#define SLUICE_PROBE_H

#include <linux/types.h>

#include "sluice/limits.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

/* A mark: these bits say that it is one, the others are the backend's index in map "backends". */
#define PROBE_MARK      0x51000000u
#define PROBE_MARK_MASK 0xfff00000u

_Static_assert(SLUICE_BACKENDS_MAX <= ~PROBE_MARK_MASK + 1, "a mark has room for every backend");

/* Map "probe_targets" (hash): by the backend's index. */
struct probe_way {
	__be32 vip[4];     /* v4-mapped for IPv4 */
	__be32 address[4]; /* of the backend; of the VIP's family */
	__be16 gue_port;
	__u8 mode;   /* enum forward_mode: l2, ipip or gue */
	__u8 family; /* 4 or 6 */
	__u32 reserved;
};

/* Map "probe_flows" (LRU hash): where the answers to a probe come from, to the backend's address. */
struct probe_flow {
	__be32 vip[4];
	__be32 local[4];
	__be16 vip_port;   /* 0 of ICMP */
	__be16 local_port; /* of ICMP the echo's identifier */
	__u8 protocol;
	__u8 reserved[3];
};

struct probe_address {
	__be32 address[4];
};

#pragma GCC diagnostic pop

_Static_assert(sizeof(struct probe_way) == 40, "layout of struct probe_way");
_Static_assert(sizeof(struct probe_flow) == 40, "layout of struct probe_flow");

#endif

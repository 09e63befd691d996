/* SPDX-License-Identifier: GPL-2.0-only */
/* Fixed limits and sizes that the data plane and user space agree on. */
#ifndef SLUICE_LIMITS_H
#define SLUICE_LIMITS_H

/*
 * Version of everything in this folder that lives in a map. Checked before pinned maps are
 * adopted; raise it with any change of a layout or of the meaning of a field.
 */
#define SLUICE_ABI_VERSION 13

/*
 * The oldest version whose pinned maps an agent goes on from: since then struct meta, the flow
 * table's entries, the slots' words and the counters have been as they are, and the first word of
 * struct service is the table's word. All else is made anew from what the agent wants.
 */
#define SLUICE_ABI_OLDEST 10

/* Slots are packed 16 to a value (one cache line): array maps round each value up to 8 bytes. */
#define SLUICE_SLOTS_PER_LINE 16

/* Keys of services in one cache line of the table that finds a service. */
#define SLUICE_KEYS_PER_LINE 2

/* One bucket of the flow table is one cache line. */
#define SLUICE_FLOWS_PER_BUCKET 8

/* A service's own backends are numbered in 16 bits; the last number means "none". */
#define SLUICE_NO_BACKEND           0xffffu
#define SLUICE_SERVICE_BACKENDS_MAX 0xfffeu

/* A flow entry holds a backend's number in all services in 20 bits. */
#define SLUICE_BACKENDS_MAX (1u << 20)

/* Largest weight of a backend; 0 = no new flows. */
#define SLUICE_WEIGHT_MAX 1000u

/* Prime sizes that a slot table may have. The smallest one gives at most 1% error for 8 backends. */
#define SLUICE_SLOTS_SMALL  4093u
#define SLUICE_SLOTS_MEDIUM 16381u
#define SLUICE_SLOTS_LARGE  65537u
#define SLUICE_SLOTS_HUGE   655373u

/* Interfaces that packets may leave by. */
#define SLUICE_EGRESS_MAX 256u

/* Bits of the filter in front of the service lookup; see struct vip_filter_line. */
#define SLUICE_VIP_FILTER_BITS 65536u

/* Bytes of a QUIC server ID, by the draft on QUIC load balancers. */
#define SLUICE_QUIC_ID_MAX 15u

/* IPv6 extension headers followed before a packet is given up as too long a chain. */
#define SLUICE_IPV6_EXT_MAX 6

/* Prefixes of the guard, in all lists together; they take memory only when there are any. */
#define SLUICE_GUARD_PREFIXES_MAX 524288u

/* Sources whose new flows are limited at once; the one that was idle longest gives way. */
#define SLUICE_GUARD_SOURCES_MAX 65536u

#endif

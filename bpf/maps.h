/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The maps of the data plane; their layouts are in sluice/abi.h. The sizes here are placeholders:
 * the loader sets them from its limits before it loads the object.
 */
#ifndef BPF_MAPS_H
#define BPF_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "compiler.h"
#include "sluice/abi.h"

const volatile struct settings settings = {
	.seed = 1,
	.cpus = 1,
	.services_max = 1,
	.backends_max = 1,
	.flow_mask = 0,
	.tick_shift = 8,
	.closing_ticks = 10,
	.probation_ticks = 30,
	.proven_tcp_ticks = 3600,
	.proven_udp_ticks = 120,
	.key_mask = 0,
	.echo_interval_ns = 0,
	.error_interval_ns = 0,
	.gue_port = 0,
	.source_v4 = 0,
};

/* An array that the agent reads and writes through mmap. */
#define SHARED_ARRAY(name, value_type, count)      \
	struct {                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);  \
		__uint(map_flags, BPF_F_MMAPABLE); \
		__uint(max_entries, count);        \
		__type(key, __u32);                \
		__type(value, value_type);         \
	} name SEC(".maps")

/* Datagrams under way in fragments: what became of the first one. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct fragment_key);
	__type(value, struct fragment_owner);
} fragments SEC(".maps");

/* Fragments that came before the first one of their datagram, on their way to the agent. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SLUICE_HELD_RING_SIZE);
} held_fragments SEC(".maps");

/* How much the data plane may say by itself. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, REPLY_KINDS);
	__type(key, __u32);
	__type(value, __u64);
} reply_buckets SEC(".maps");

/* Sources that are denied or allowed. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 2 * SLUICE_GUARD_PREFIXES_MAX); /* old and new ones, for a moment */
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct guard_prefix_key);
	__type(value, __u32);
} guard_prefixes SEC(".maps");

/* Sources that opened flows of services that limit them. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SLUICE_GUARD_SOURCES_MAX);
	__type(key, struct guard_source_key);
	__type(value, __u64);
} guard_sources SEC(".maps");

/* Interfaces that packets leave by; same index as "egress". */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, SLUICE_EGRESS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} egress_ports SEC(".maps");

/* From what clients connect to, to a service. */
SHARED_ARRAY(service_keys, struct service_line, 1);
/* Addresses that may be a VIP. */
SHARED_ARRAY(vip_filter, struct vip_filter_line, SLUICE_VIP_FILTER_BITS / 512);
SHARED_ARRAY(services, struct service, 1);
/* The slot tables of all services. */
SHARED_ARRAY(slots, struct slot_line, 1);
SHARED_ARRAY(backends, struct backend, 1);
/* What least_flows compares. */
SHARED_ARRAY(backend_loads, struct backend_load, 1);
/* Whether answers of backends are to be looked for. */
SHARED_ARRAY(nat_use, struct nat_use, 1);
SHARED_ARRAY(egress, struct egress, SLUICE_EGRESS_MAX);
/* The flow table. */
SHARED_ARRAY(flows, struct flow_bucket, 1);
/* Limits of new flows, by service. */
SHARED_ARRAY(guard_limits, struct guard_limit, 1);
/* Counters: one record for each CPU and thing. */
SHARED_ARRAY(backend_counters, struct counter, 1);
SHARED_ARRAY(service_counters, struct counter, 1);
SHARED_ARRAY(verdict_counters, struct verdict_counter, VERDICT_COUNT);
SHARED_ARRAY(flow_counters, struct flow_counter, 1);
/* What the maps were made for; the data plane itself does not read it. */
SHARED_ARRAY(meta, struct meta, 1);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counting. Every record has one writer, its CPU, so there are no atomics; XDP runs with
 * migration off. A service counts all that it was given, a backend what was sent to it.
 */
#ifndef BPF_COUNT_H
#define BPF_COUNT_H

#include "maps.h"
#include "packet.h"

static __always_inline void count_verdict(enum verdict verdict, const struct packet *packet,
					  __u32 cpu)
{
	__u32 index = cpu * VERDICT_COUNT + verdict;
	struct verdict_counter *counter = bpf_map_lookup_elem(&verdict_counters, &index);

	if (!counter)
		return;
	counter->packets++;
	counter->bytes += packet->length;
}

static __always_inline void counter_add(struct counter *counter, const struct packet *packet,
					__u32 new_flow)
{
	if (!counter)
		return;
	counter->packets++;
	counter->bytes += packet->length;
	if (new_flow)
		counter->new_flows++;
}

static __always_inline void count_service(const struct packet *packet, const struct route *route)
{
	__u32 index = route->cpu * settings.services_max + route->service_id;

	counter_add(bpf_map_lookup_elem(&service_counters, &index), packet, route->new_flow);
}

static __always_inline void count_backend(const struct packet *packet, const struct route *route)
{
	__u32 index = route->cpu * settings.backends_max + route->backend_id;

	counter_add(bpf_map_lookup_elem(&backend_counters, &index), packet, route->new_flow);
}

#endif

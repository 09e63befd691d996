/* SPDX-License-Identifier: GPL-2.0-only */
/* Slots and backends of a service, and the schedulers that choose a slot for a new flow. */
#ifndef BPF_SLOT_H
#define BPF_SLOT_H

#include "maps.h"
#include "packet.h"

#define SLOT_NONE slot_word(SLUICE_NO_BACKEND, SLUICE_NO_BACKEND)

/* slot_read - the word of a slot; table is the service's table word, read once a packet. */
static __always_inline __u32 slot_read(__u64 table, __u32 slot)
{
	__u32 number = table_line(table) + slot / SLUICE_SLOTS_PER_LINE;
	const struct slot_line *line = bpf_map_lookup_elem(&slots, &number);

	if (!line)
		return SLOT_NONE;
	return READ_ONCE(line->slots[slot % SLUICE_SLOTS_PER_LINE]);
}

/* backend_by_id - the record of a backend that may take packets, or NULL. */
static __always_inline struct backend *backend_by_id(__u32 id)
{
	struct backend *backend = bpf_map_lookup_elem(&backends, &id);

	return backend && READ_ONCE(backend->state) == BACKEND_ALIVE ? backend : NULL;
}

/*
 * backend_of_number - the id of the service's backend of this number, or SLUICE_BACKENDS_MAX if it
 * is none or is not alive.
 */
static __always_inline __u32 backend_of_number(const struct service *service, __u32 number)
{
	__u32 id = service->backend_base + number;

	if (number >= service->backend_capacity || !backend_by_id(id))
		return SLUICE_BACKENDS_MAX;
	return id;
}

static __always_inline __u32 slot_random(const struct service *service)
{
	return (__u32)(((__u64)bpf_get_prandom_u32() * service->slot_count) >> 32);
}

/* Each CPU takes its own turns; they start apart, so that two CPUs do not serve the same slots. */
static __always_inline __u32 slot_next(const struct service *service, __u32 service_id)
{
	__u32 cpu = bpf_get_smp_processor_id();
	__u32 index = cpu * settings.services_max + service_id;
	const struct counter *counter = bpf_map_lookup_elem(&service_counters, &index);
	__u64 turn = (__u64)service->slot_count * cpu / (settings.cpus ? settings.cpus : 1);

	if (counter)
		turn += counter->new_flows;
	return service->slot_count ? (__u32)(turn % service->slot_count) : 0;
}

/* Whether backend a has fewer live flows for its weight than b; a backend without any wins. */
static __always_inline bool load_is_less(__u32 a, __u32 b)
{
	const struct backend_load *load_a = bpf_map_lookup_elem(&backend_loads, &a);
	const struct backend_load *load_b = bpf_map_lookup_elem(&backend_loads, &b);

	if (!load_a || !load_b)
		return false;
	return (__u64)load_a->live * load_b->weight < (__u64)load_b->live * load_a->weight;
}

static __always_inline __u32 schedule_least_flows(const struct service *service, __u64 table)
{
	__u32 a = slot_current(slot_read(table, slot_random(service)));
	__u32 b = slot_current(slot_read(table, slot_random(service)));

	if (load_is_less(service->backend_base + b, service->backend_base + a))
		return b;
	return a;
}

/* schedule - the number of a backend for a new flow, for schedulers other than maglev. */
static __always_inline __u32 schedule(const struct service *service, __u32 service_id, __u64 table)
{
	if (service->scheduler == SCHEDULER_LEAST_FLOWS)
		return schedule_least_flows(service, table);
	if (service->scheduler == SCHEDULER_ROUND_ROBIN)
		return slot_current(slot_read(table, slot_next(service, service_id)));
	return slot_current(slot_read(table, slot_random(service)));
}

/* load_add - a new flow was given to a backend of a least_flows service. */
static __always_inline void load_add(__u32 backend_id)
{
	struct backend_load *load = bpf_map_lookup_elem(&backend_loads, &backend_id);

	if (load)
		__sync_fetch_and_add(&load->live, 1);
}

#endif

// SPDX-License-Identifier: GPL-2.0-only
/* Reading the data plane: counters summed over the CPUs, records, and what a table holds. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/dataplane_private.h"
#include "model/table.h"

static uint64_t load(const __u64 *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void counters_sum(const struct counter *counters, uint32_t cpus, uint32_t things,
			 uint32_t thing, struct counter *ret_counter)
{
	struct counter sum = {0};

	for (uint32_t cpu = 0; thing < things && cpu < cpus; cpu++) {
		const struct counter *counter = &counters[(size_t)cpu * things + thing];

		sum.packets += load(&counter->packets);
		sum.bytes += load(&counter->bytes);
		sum.new_flows += load(&counter->new_flows);
	}
	*ret_counter = sum;
}

void dataplane_backend_counter(const struct dataplane *dataplane, uint32_t backend,
			       struct counter *ret_counter)
{
	const struct meta *meta = dataplane->maps.meta;

	counters_sum(dataplane->maps.backend_counters, meta->cpus, meta->backends_max, backend,
		     ret_counter);
}

void dataplane_service_counter(const struct dataplane *dataplane, uint32_t service,
			       struct counter *ret_counter)
{
	const struct meta *meta = dataplane->maps.meta;

	counters_sum(dataplane->maps.service_counters, meta->cpus, meta->services_max, service,
		     ret_counter);
}

void dataplane_verdict_counter(const struct dataplane *dataplane, enum verdict verdict,
			       struct verdict_counter *ret_counter)
{
	struct verdict_counter sum = {0};

	for (uint32_t cpu = 0; cpu < dataplane->maps.meta->cpus; cpu++) {
		const struct verdict_counter *counter =
			&dataplane->maps.verdict_counters[cpu * VERDICT_COUNT + verdict];

		sum.packets += load(&counter->packets);
		sum.bytes += load(&counter->bytes);
	}
	*ret_counter = sum;
}

void dataplane_flow_counter(const struct dataplane *dataplane, struct flow_counter *ret_counter)
{
	struct flow_counter sum = {0};

	for (uint32_t cpu = 0; cpu < dataplane->maps.meta->cpus; cpu++) {
		const struct flow_counter *counter = &dataplane->maps.flow_counters[cpu];

		sum.inserts += load(&counter->inserts);
		sum.evicted_closing += load(&counter->evicted_closing);
		sum.evicted_probation += load(&counter->evicted_probation);
		sum.evicted_proven += load(&counter->evicted_proven);
		sum.rejects += load(&counter->rejects);
		sum.from_previous += load(&counter->from_previous);
		sum.races += load(&counter->races);
	}
	*ret_counter = sum;
}

const struct backend *dataplane_backend(const struct dataplane *dataplane, uint32_t backend)
{
	if (backend >= dataplane->maps.meta->backends_max)
		return NULL;
	return &dataplane->maps.backends[backend];
}

int dataplane_table(const struct dataplane *dataplane, const struct pool *pool,
		    struct table_facts *ret_facts, uint32_t *shares)
{
	const struct service *service = &dataplane->maps.services[pool->id];
	uint64_t table = __atomic_load_n(&service->table, __ATOMIC_ACQUIRE);
	const uint32_t *words = dataplane->maps.slots[table_line(table)].slots;
	struct table_member *members = NULL;
	uint16_t *owners;
	size_t member_count;

	if (service->state != SERVICE_PRESENT || service->slot_count != pool->slot_count || !table)
		return -ENOENT;
	owners = malloc(pool->slot_count * sizeof(*owners));
	if (!owners || pool_members(dataplane, pool, &members, &member_count)) {
		free(owners);
		return -ENOMEM;
	}
	if (shares)
		memset(shares, 0, pool->backend_capacity * sizeof(*shares));
	*ret_facts = (struct table_facts){.generation = table_generation(table)};
	for (uint32_t i = 0; i < pool->slot_count; i++) {
		uint32_t word = __atomic_load_n(&words[i], __ATOMIC_RELAXED);

		owners[i] = (uint16_t)slot_current(word);
		if (slot_current(word) != slot_previous(word))
			ret_facts->unsettled++;
		if (shares && owners[i] < pool->backend_capacity)
			shares[owners[i]]++;
	}
	ret_facts->digest = table_digest(members, member_count, owners, pool->slot_count);
	free(members);
	free(owners);
	return 0;
}

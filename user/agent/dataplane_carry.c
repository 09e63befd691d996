// SPDX-License-Identifier: GPL-2.0-only
/* What new maps get from those before: records, slots, counters and flows, at their new places. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/dataplane_migrate.h"
#include "base/log.h"

/* A pool whose flows go on: the same key, and blocks of the same size. */
static bool pool_carried(const struct pool *before, const struct pool *now)
{
	const struct service_config *a = before->service, *b = now->service;

	return a->protocol == b->protocol && a->port == b->port && ip_equal(&a->vip, &b->vip) &&
	       before->backend_capacity == now->backend_capacity &&
	       before->slot_count == now->slot_count;
}

static bool same_layout(const struct dataplane *dataplane, const struct old_map *map, size_t size)
{
	return dataplane->migration->meta.abi_version == dataplane->maps.meta->abi_version &&
	       map->value_size == size;
}

/* The word of the table, with its line in the new map. */
static uint64_t table_carried(uint64_t word, const struct pool *before, const struct pool *now)
{
	for (int place = 0; word && place < 2; place++) {
		if (table_line(word) == before->slot_line[place])
			return table_word(now->slot_line[place], table_generation(word),
					  table_tick(word));
	}
	return 0;
}

/*
 * The record as far as the plan goes on from it. Of another version only its table is known, which
 * is its first word; flows that such a service might still have elsewhere are found as with full
 * tracking, from where the sweep ends it again.
 */
static void service_carry(struct dataplane *dataplane, const struct pool *before,
			  const struct pool *now)
{
	const struct old_map *old = &dataplane->migration->services;
	struct service *record = &dataplane->maps.services[now->id];
	uint64_t table;

	if (!old->memory || before->id >= old->entries)
		return;
	memcpy(&table, old_record(old, before->id), sizeof(table));
	table = table_carried(table, before, now);
	if (!table)
		return;
	if (same_layout(dataplane, old, sizeof(*record)))
		memcpy(record, old_record(old, before->id), sizeof(*record));
	else
		record->tracking = TRACKING_FULL;
	record->table = table;
	record->slot_count = now->slot_count;
	record->backend_base = now->backend_base;
	record->backend_capacity = now->backend_capacity;
	record->state = SERVICE_PRESENT;
}

static void slots_carry(struct dataplane *dataplane, const struct pool *before,
			const struct pool *now)
{
	const struct old_map *old = &dataplane->migration->slots;
	uint32_t lines = config_slot_lines(now->slot_count);

	for (int place = 0; old->memory && place < 2; place++) {
		if (before->slot_line[place] + lines <= old->entries)
			memcpy(&dataplane->maps.slots[now->slot_line[place]],
			       old_record(old, before->slot_line[place]),
			       lines * sizeof(struct slot_line));
	}
}

/* What few records are needed for the plan to see that this backend was there, and nothing more. */
static void backend_seed(struct backend *record, const struct pool_backend *backend)
{
	memcpy(record->address, backend->address.word, sizeof(record->address));
	record->mode = BACKEND_MODE_MASK; /* no mode: the plan writes the way anew */
	record->state = BACKEND_ALIVE;
}

static void backends_carry(struct dataplane *dataplane, const struct pool *before,
			   const struct pool *now)
{
	const struct old_map *old = &dataplane->migration->backends;
	struct backend *records = &dataplane->maps.backends[now->backend_base];
	uint32_t count = now->backend_capacity;

	if (!old->memory || before->backend_base + count > old->entries)
		return;
	if (same_layout(dataplane, old, sizeof(*records))) {
		memcpy(records, old_record(old, before->backend_base), count * sizeof(*records));
		for (uint32_t i = 0; i < count; i++)
			records[i].service = now->id;
		return;
	}
	for (size_t i = 0; i < before->backend_count; i++) {
		if (before->backends[i].number != NO_NUMBER)
			backend_seed(&records[before->backends[i].number], &before->backends[i]);
	}
}

static void loads_carry(struct dataplane *dataplane, const struct pool *before,
			const struct pool *now)
{
	const struct old_map *old = &dataplane->migration->loads;

	if (old->memory && old->value_size == sizeof(struct backend_load) &&
	    before->backend_base + now->backend_capacity <= old->entries)
		memcpy(&dataplane->maps.loads[now->backend_base],
		       old_record(old, before->backend_base),
		       now->backend_capacity * sizeof(struct backend_load));
}

/* Of things in a row, for each CPU. */
static void counters_carry(const struct old_map *old, uint32_t old_things, uint32_t from,
			   struct counter *counters, uint32_t things, uint32_t to, uint32_t count,
			   uint32_t cpus)
{
	for (uint32_t cpu = 0; old->memory && old->value_size == sizeof(*counters) && cpu < cpus;
	     cpu++)
		memcpy(&counters[(size_t)cpu * things + to],
		       old_record(old, cpu * old_things + from), count * sizeof(*counters));
}

static void pool_carry(struct dataplane *dataplane, const struct pool *before,
		       const struct pool *now)
{
	const struct migration *migration = dataplane->migration;
	const struct meta *meta = dataplane->maps.meta;

	slots_carry(dataplane, before, now);
	backends_carry(dataplane, before, now);
	loads_carry(dataplane, before, now);
	service_carry(dataplane, before, now);
	counters_carry(&migration->backend_counters, migration->meta.backends_max,
		       before->backend_base, dataplane->maps.backend_counters, meta->backends_max,
		       now->backend_base, now->backend_capacity, meta->cpus);
	counters_carry(&migration->service_counters, migration->meta.services_max, before->id,
		       dataplane->maps.service_counters, meta->services_max, now->id, 1,
		       meta->cpus);
}

static int move_by_from(const void *a, const void *b)
{
	const struct block_move *left = a, *right = b;

	return (left->from > right->from) - (left->from < right->from);
}

static void flows_carry(struct dataplane *dataplane)
{
	struct migration *migration = dataplane->migration;
	const struct meta *meta = dataplane->maps.meta;
	struct flow_table old = {migration->flows.memory, migration->flows.entries};
	struct flow_table new = {dataplane->maps.flows, meta->flow_buckets};
	const struct flow_moves moves = {migration->moves, migration->move_count,
					 dataplane_tick(dataplane)};
	uint64_t lost;

	if (!old.buckets || migration->flows.value_size != sizeof(struct flow_bucket))
		return;
	lost = flows_move(&old, &new, &moves);
	if (lost)
		log_warning("%llu flows found no room in the smaller flow table; they go on by "
			    "their slots",
			    (unsigned long long)lost);
}

int dataplane_carry(struct dataplane *dataplane, const struct state *before,
		    const struct state *now, struct error *error)
{
	struct migration *migration = dataplane->migration;

	if (!migration)
		return 0;
	if (migration->may_move)
		migration->moves = calloc(now->pool_count + 1, sizeof(*migration->moves));
	if (migration->may_move && !migration->moves)
		return error_set(error, -ENOMEM, "out of memory");
	for (size_t i = 0; before && i < now->pool_count; i++) {
		const struct pool *pool = now->pools[i];
		const struct pool *old = state_pool(before, pool->service->name);

		if (!old || !pool_carried(old, pool))
			continue;
		pool_carry(dataplane, old, pool);
		if (migration->may_move)
			migration->moves[migration->move_count++] = (struct block_move){
				old->backend_base, pool->backend_capacity, pool->backend_base, 0};
	}
	if (migration->moves)
		qsort(migration->moves, migration->move_count, sizeof(*migration->moves),
		      move_by_from);
	flows_carry(dataplane);
	return 0;
}

bool dataplane_empty(const struct dataplane *dataplane)
{
	const struct old_map *old = dataplane->migration ? &dataplane->migration->services : NULL;

	for (uint32_t i = 0; old && old->memory && i < old->entries; i++) {
		uint64_t table;

		memcpy(&table, old_record(old, i), sizeof(table));
		if (table)
			return false;
	}
	for (uint32_t i = 0; i < dataplane->maps.meta->services_max; i++) {
		if (dataplane->maps.services[i].state != SERVICE_ABSENT)
			return false;
	}
	return true;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Carrying a plan out: its steps as writes to the maps, in an order that no packet trips over. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/dataplane_private.h"
#include "base/log.h"
#include "model/table.h"

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void service_key_fill(struct service_key *key, const struct pool *pool)
{
	*key = (struct service_key){.port = htons(pool->service->port),
				    .protocol = pool->service->protocol};
	memcpy(key->vip, pool->service->vip.word, sizeof(key->vip));
}

void vip_key_fill(struct service_key *key, const struct pool *pool)
{
	*key = (struct service_key){0};
	memcpy(key->vip, pool->service->vip.word, sizeof(key->vip));
}

static __u64 *filter_word(struct dataplane *dataplane, uint32_t bit)
{
	return &dataplane->maps.vip_filter[bit / 512].bits[bit / 64 % 8];
}

static void filter_set(struct dataplane *dataplane, uint32_t bit)
{
	__atomic_fetch_or(filter_word(dataplane, bit), 1ULL << (bit % 64), __ATOMIC_RELEASE);
}

/* Clear the bit of a key that has gone, unless another key has the same. */
static void filter_clear(struct dataplane *dataplane, uint32_t bit)
{
	struct service_key key;
	const struct service_key *previous = NULL;

	while (dataplane_key_next(dataplane, previous, &key) == 0) {
		if (hash_vip_bit(key.vip) == bit)
			return;
		previous = &key;
	}
	__atomic_fetch_and(filter_word(dataplane, bit), ~(1ULL << (bit % 64)), __ATOMIC_RELEASE);
}

static int key_write(struct dataplane *dataplane, const struct pool *pool, struct error *error)
{
	const struct service_target target = {.service = pool->id};
	struct service_key key;

	service_key_fill(&key, pool);
	filter_set(dataplane, hash_vip_bit(key.vip));
	dataplane->taken_ms = now_ms(); /* if it was another service's */
	return dataplane_key_write(dataplane, &key, &target, error);
}

static void key_remove(struct dataplane *dataplane, const struct pool *pool)
{
	struct service_key key;

	service_key_fill(&key, pool);
	dataplane_key_delete(dataplane, &key);
	filter_clear(dataplane, hash_vip_bit(key.vip));
	dataplane->taken_ms = now_ms();
}

static int vip_write(struct dataplane *dataplane, const struct pool *pool, struct error *error)
{
	const struct service_target target = {
		.service = SLUICE_NO_SERVICE,
		.pass = pool->service->unknown_port == EMPTY_PASS,
	};
	struct service_key key;

	vip_key_fill(&key, pool);
	filter_set(dataplane, hash_vip_bit(key.vip));
	return dataplane_key_write(dataplane, &key, &target, error);
}

static void vip_remove(struct dataplane *dataplane, const struct pool *pool)
{
	struct service_key key;

	vip_key_fill(&key, pool);
	dataplane_key_delete(dataplane, &key);
	filter_clear(dataplane, hash_vip_bit(key.vip));
}

static void counters_zero(struct counter *counters, uint32_t cpus, uint32_t things, uint32_t thing)
{
	for (uint32_t cpu = 0; cpu < cpus; cpu++)
		memset(&counters[(size_t)cpu * things + thing], 0, sizeof(*counters));
}

uint16_t backend_port(const struct pool *pool, const struct pool_backend *backend)
{
	return backend->port ? backend->port : pool->service->port;
}

uint8_t record_mode(const struct service_config *service)
{
	return (uint8_t)(service->mode | (service->mss ? BACKEND_CLAMPS : 0) |
			 (service_retags(service) ? BACKEND_RETAGS : 0));
}

static void backend_mark(struct backend *record, enum backend_state state)
{
	__atomic_store_n(&record->state, state, __ATOMIC_RELEASE);
}

static void backend_write(struct dataplane *dataplane, const struct pool *pool,
			  const struct pool_backend *backend)
{
	const struct meta *meta = dataplane->maps.meta;
	uint32_t id = pool->backend_base + backend->number;
	struct backend *record = &dataplane->maps.backends[id];
	const struct dataplane_way *way = &dataplane->ways[id];
	const struct dataplane_way none = {0};
	bool fresh = record->state == BACKEND_ABSENT;
	bool moved = fresh ||
		     memcmp(record->address, backend->address.word, sizeof(record->address)) != 0;

	if (fresh) {
		counters_zero(dataplane->maps.backend_counters, meta->cpus, meta->backends_max, id);
		dataplane->maps.loads[id] = (struct backend_load){0};
	}
	if (moved) {
		__atomic_store_n(&record->nexthop.word, 0, __ATOMIC_RELEASE);
		memcpy(record->address, backend->address.word, sizeof(record->address));
	}
	record->service = pool->id;
	record->port = htons(backend_port(pool, backend));
	record->family = ip_family(&backend->address);
	if (backend_mode(record) != pool->service->mode) {
		__atomic_store_n(&record->nexthop.word, 0, __ATOMIC_RELEASE);
		moved = true;
	}
	record->mode = record_mode(pool->service);
	if (moved)
		way_write(record, ip_equal(&way->address, &backend->address) ? way : &none);
	backend_mark(record, backend_takes(backend) ? BACKEND_ALIVE : BACKEND_DEAD);
}

/* By what else packets find the backend. */
static int backend_keys_write(struct dataplane *dataplane, const struct pool *pool,
			      const struct pool_backend *backend, struct error *error)
{
	int code = quic_id_write(dataplane, pool, backend, error);

	return code ? code : nat_reply_write(dataplane, pool, backend, error);
}

/*
 * Only the state is cleared: a packet that read it a moment ago finds the whole record. The rest
 * is written anew when the number is used again, after a purge.
 */
void backend_clear(struct backend *record)
{
	__atomic_store_n(&record->state, BACKEND_ABSENT, __ATOMIC_RELEASE);
}

static bool backend_is_member(const struct pool_backend *backend)
{
	return backend->number != NO_NUMBER && backend_takes(backend);
}

int pool_members(const struct dataplane *dataplane, const struct pool *pool,
		 struct table_member **ret_members, size_t *ret_count)
{
	struct table_member *members = calloc(pool->backend_count + 1, sizeof(*members));
	size_t count = 0;

	if (!members)
		return -ENOMEM;
	for (size_t i = 0; i < pool->backend_count; i++) {
		const struct pool_backend *backend = &pool->backends[i];

		if (!backend_is_member(backend))
			continue;
		members[count++] = (struct table_member){
			.identity = table_identity(&backend->address,
						   htons(backend_port(pool, backend)),
						   dataplane->maps.meta->seed),
			.weight = backend_weight(backend),
			.number = (uint16_t)backend->number,
		};
	}
	*ret_members = members;
	*ret_count = count;
	return 0;
}

/* The table that packets use now; 0 if the service has none that a new one could go on from. */
static uint64_t table_now(const struct dataplane *dataplane, const struct pool *pool)
{
	const struct service *service = &dataplane->maps.services[pool->id];
	uint32_t line = table_line(service->table);

	if (service->state != SERVICE_PRESENT || service->slot_count != pool->slot_count ||
	    service->backend_base != pool->backend_base ||
	    (line != pool->slot_line[0] && line != pool->slot_line[1]))
		return 0;
	return service->table;
}

/* Until packets that were under way at that moment have left. */
static void packets_wait(uint64_t moment_ms)
{
	uint64_t since = now_ms() - moment_ms;
	struct timespec rest;

	if (since >= TABLE_QUIET_MS)
		return;
	rest = (struct timespec){.tv_nsec = (long)(TABLE_QUIET_MS - since) * 1000000};
	while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
		;
}

static void table_publish(struct dataplane *dataplane, const struct pool *pool, uint64_t old_table,
			  const uint32_t *words)
{
	struct service *service = &dataplane->maps.services[pool->id];
	bool second = old_table && table_line(old_table) == pool->slot_line[0];
	uint32_t line = pool->slot_line[second ? 1 : 0];
	uint32_t generation = old_table ? table_generation(old_table) % 0xffff + 1 : 1;

	/* They may still read the place that was switched away from. */
	if (old_table)
		packets_wait(dataplane->switched_ms[pool->id]);
	memcpy(dataplane->maps.slots[line].slots, words, pool->slot_count * sizeof(*words));
	__atomic_store_n(&service->table, table_word(line, generation, dataplane_tick(dataplane)),
			 __ATOMIC_RELEASE);
	dataplane->taken_ms = dataplane->switched_ms[pool->id] = now_ms();
}

static void loads_write(struct dataplane *dataplane, const struct pool *pool)
{
	for (size_t i = 0; i < pool->backend_count; i++) {
		const struct pool_backend *backend = &pool->backends[i];

		if (backend->number != NO_NUMBER)
			dataplane->maps.loads[pool->backend_base + backend->number].weight =
				backend_weight(backend);
	}
}

/* Build the owners of the pool's slots and merge them with the table there is, if there is one. */
static int table_make(const struct dataplane *dataplane, const struct pool *pool,
		      const uint32_t *old_words, uint32_t *words, uint32_t *ret_moved)
{
	uint16_t *owners = malloc(pool->slot_count * sizeof(*owners));
	struct alive_set *alive = calloc(1, sizeof(*alive));
	struct table_member *members = NULL;
	size_t count = 0;
	int code = owners && alive ? pool_members(dataplane, pool, &members, &count) : -ENOMEM;

	if (!code)
		code = table_build(members, count, pool->slot_count, owners);
	if (!code) {
		for (size_t i = 0; i < count; i++)
			alive->bits[members[i].number / 64] |= 1ULL << (members[i].number % 64);
		*ret_moved = slots_change(old_words, owners, pool->slot_count, alive, words);
	}
	free(members);
	free(alive);
	free(owners);
	return code;
}

static int table_fail(const struct pool *pool, int code, struct error *error)
{
	return error_set(
		error, code, "service %s: cannot build the slot table: %s", pool->service->name,
		code == -EINVAL ? "two backends have the same address and port" : strerror(-code));
}

int dataplane_table_foresee(const struct dataplane *dataplane, const struct pool *pool,
			    uint32_t *ret_moved, struct error *error)
{
	uint64_t old_table = table_now(dataplane, pool);
	uint32_t *words;
	int code;

	*ret_moved = pool->slot_count;
	if (!old_table)
		return 0;
	words = malloc(pool->slot_count * sizeof(*words));
	code = words ? table_make(dataplane, pool,
				  dataplane->maps.slots[table_line(old_table)].slots, words,
				  ret_moved)
		     : -ENOMEM;
	free(words);
	return code ? table_fail(pool, code, error) : 0;
}

int table_differs(const struct dataplane *dataplane, const struct pool *pool)
{
	uint64_t table = table_now(dataplane, pool);
	const uint32_t *now = dataplane->maps.slots[table_line(table)].slots;
	uint32_t *words = malloc(pool->slot_count * sizeof(*words)), moved;
	int code = words ? 0 : -ENOMEM;

	if (!code && table)
		code = table_make(dataplane, pool, now, words, &moved);
	if (!code)
		code = !table || memcmp(words, now, pool->slot_count * sizeof(*words)) != 0;
	free(words);
	return code;
}

static int table_change(struct dataplane *dataplane, const struct pool *pool,
			struct plan_outcome *outcome, struct error *error)
{
	size_t size = pool->slot_count * sizeof(uint32_t);
	uint64_t old_table = table_now(dataplane, pool);
	const uint32_t *old_words =
		old_table ? dataplane->maps.slots[table_line(old_table)].slots : NULL;
	uint32_t *words = malloc(size);
	uint32_t moved = 0;
	int code = words ? table_make(dataplane, pool, old_words, words, &moved) : -ENOMEM;

	if (code) {
		free(words);
		return table_fail(pool, code, error);
	}
	loads_write(dataplane, pool);
	if (!old_words || memcmp(words, old_words, size) != 0) {
		table_publish(dataplane, pool, old_table, words);
		outcome->slots_moved += moved;
		outcome->tables_published++;
	}
	free(words);
	return 0;
}

/* A running service ends full tracking by way of the sweep, see model/sweep.h. */
static uint8_t service_tracking(const struct service *record, enum tracking wanted)
{
	if (wanted == TRACKING_FULL || record->state != SERVICE_PRESENT)
		return (uint8_t)wanted;
	return record->tracking == TRACKING_FULL ? (uint8_t)TRACKING_ENDING : record->tracking;
}

void service_fill(const struct dataplane *dataplane, const struct pool *pool,
		  struct service *record)
{
	const struct service_config *config = pool->service;
	uint64_t grace = (config->grace_ms + dataplane->tick_ms - 1) / dataplane->tick_ms;

	record->slot_count = pool->slot_count;
	record->backend_base = pool->backend_base;
	record->backend_capacity = pool->backend_capacity;
	record->grace_ticks = grace > SLUICE_SEEN_MASK ? SLUICE_SEEN_MASK : (uint32_t)grace;
	record->tracking = service_tracking(record, config->tracking);
	record->affinity = (uint8_t)config->affinity;
	record->scheduler = (uint8_t)config->scheduler;
	record->empty = (uint8_t)config->empty;
	record->quic = config->quic;
	record->quic_id_offset = config->quic_id_offset;
	record->quic_id_config = config->quic_id_config;
	record->quic_id_length = config->quic_id_length;
	record->protocol = config->protocol;
	record->mss = config->mss;
	record->vlan = config->vlan;
	record->client_vlan = config->client_vlan;
}

static void service_write(struct dataplane *dataplane, const struct pool *pool)
{
	const struct meta *meta = dataplane->maps.meta;
	struct service *record = &dataplane->maps.services[pool->id];

	if (record->state != SERVICE_PRESENT)
		counters_zero(dataplane->maps.service_counters, meta->cpus, meta->services_max,
			      pool->id);
	service_fill(dataplane, pool, record);
	guard_limit_write(dataplane, pool->id, &pool->service->new_flow_limit);
	__atomic_store_n(&record->state, SERVICE_PRESENT, __ATOMIC_RELEASE);
}

/* The rest of the record stays as it is, for packets under way. */
void service_clear(struct service *record)
{
	__atomic_store_n(&record->state, SERVICE_ABSENT, __ATOMIC_RELEASE);
}

static int step_execute(struct dataplane *dataplane, const struct plan_step *step,
			struct plan_outcome *outcome, struct error *error)
{
	const struct pool *pool = step->pool;

	switch (step->kind) {
	case PLAN_KEY_REMOVE:
		key_remove(dataplane, pool);
		return 0;
	case PLAN_VIP_REMOVE:
		vip_remove(dataplane, pool);
		return 0;
	case PLAN_BACKEND_WRITE:
		backend_write(dataplane, pool, step->backend);
		return backend_keys_write(dataplane, pool, step->backend, error);
	case PLAN_TABLE_PUBLISH:
		return table_change(dataplane, pool, outcome, error);
	case PLAN_SERVICE_WRITE:
		service_write(dataplane, pool);
		return 0;
	case PLAN_VIP_WRITE:
		return vip_write(dataplane, pool, error);
	case PLAN_KEY_WRITE:
		return key_write(dataplane, pool, error);
	case PLAN_SERVICE_CLEAR:
		packets_wait(dataplane->taken_ms);
		service_clear(&dataplane->maps.services[pool->id]);
		return 0;
	case PLAN_BACKEND_DEAD:
		backend_mark(&dataplane->maps.backends[pool->backend_base + step->backend->number],
			     BACKEND_DEAD);
		return 0;
	case PLAN_BACKEND_CLEAR:
		packets_wait(dataplane->taken_ms);
		backend_clear(
			&dataplane->maps.backends[pool->backend_base + step->backend->number]);
		quic_id_clear(dataplane, pool->backend_base + step->backend->number);
		nat_reply_clear(dataplane, pool->backend_base + step->backend->number);
		return 0;
	}
	return error_set(error, -EINVAL, "the plan has a step of unknown kind %d", (int)step->kind);
}

int dataplane_execute(struct dataplane *dataplane, const struct plan *plan,
		      struct plan_outcome *ret_outcome, struct error *error)
{
	struct plan_outcome outcome = {0};
	int code = 0;

	for (size_t i = 0; i < plan->step_count && !code; i++)
		code = step_execute(dataplane, &plan->steps[i], &outcome, error);
	*ret_outcome = outcome;
	return code;
}

// SPDX-License-Identifier: GPL-2.0-only
/* The sweep over the flow table: counting, forgetting, settling. */
#include "model/sweep.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/*
 * An entry written after the tick of this step was read looks almost 2^13 ticks old. Timeouts are
 * kept this far below 2^13, so such an age can only mean "just now".
 */
#define FUTURE_TICKS 256u

/* Full passes with TRACKING_UNSETTLING before it becomes TRACKING_MINIMAL. */
#define ENDING_PASSES 2u

/* What the sweep remembers of a service. */
struct watch {
	uint64_t table;             /* the word of the table that the rest is about; 0 = none yet */
	bool ripe;                  /* the settle time since its publication has passed */
	bool settled;               /* none of its slots has a previous owner */
	bool single;                /* it is the first change since all slots were settled */
	bool examined;              /* ripe since this pass began: what is found below counts */
	bool held;                  /* a live entry forbids settling (affinities other than flow) */
	uint8_t tracking, affinity; /* of the service when this pass began */
	uint32_t ending_passes;     /* done with TRACKING_UNSETTLING */
	uint32_t live;              /* entries of this pass */
	uint64_t *marks;   /* minimal, flow: slots that are needed; others: previous owners */
	size_t mark_words; /* of 64 bits */
};

/* The live entries of a backend. */
struct count {
	uint32_t live;
	uint16_t idle_least, idle_most; /* ticks unseen; meaningless without a live one */
};

struct sweep {
	struct sweep_maps maps;
	struct meta meta;      /* a copy: the maps may go before the sweep is freed */
	struct watch *watches; /* per service */
	struct count *counts;  /* per backend, of the pass under way */
	struct count *whole;   /* per backend, of the last full pass */
	uint64_t total, counted, passes, removed;
	uint32_t next_bucket;   /* meta->flow_buckets: the pass is over, services settle */
	uint32_t next_settling; /* service */
	bool under_way;
};

struct sweep *sweep_new(const struct sweep_maps *maps)
{
	struct sweep *sweep = calloc(1, sizeof(*sweep));

	if (!sweep)
		return NULL;
	sweep->maps = *maps;
	sweep->meta = *maps->meta;
	sweep->watches = calloc(maps->meta->services_max, sizeof(*sweep->watches));
	sweep->counts = calloc(maps->meta->backends_max, sizeof(*sweep->counts));
	sweep->whole = calloc(maps->meta->backends_max, sizeof(*sweep->whole));
	if (!sweep->watches || !sweep->counts || !sweep->whole) {
		sweep_free(sweep);
		return NULL;
	}
	return sweep;
}

void sweep_free(struct sweep *sweep)
{
	if (!sweep)
		return;
	for (uint32_t i = 0; sweep->watches && i < sweep->meta.services_max; i++)
		free(sweep->watches[i].marks);
	free(sweep->watches);
	free(sweep->counts);
	free(sweep->whole);
	free(sweep);
}

static uint64_t service_table(const struct service *service)
{
	if (__atomic_load_n(&service->state, __ATOMIC_ACQUIRE) != SERVICE_PRESENT)
		return 0;
	return __atomic_load_n(&service->table, __ATOMIC_ACQUIRE);
}

static uint32_t *slot_place(const struct sweep *sweep, uint64_t table, uint32_t slot)
{
	struct slot_line *line = &sweep->maps.slots[table_line(table)];

	return &line[slot / SLUICE_SLOTS_PER_LINE].slots[slot % SLUICE_SLOTS_PER_LINE];
}

static uint32_t slot_read(const struct sweep *sweep, uint64_t table, uint32_t slot)
{
	return __atomic_load_n(slot_place(sweep, table, slot), __ATOMIC_RELAXED);
}

static void mark(struct watch *watch, uint32_t bit)
{
	if (bit / 64 < watch->mark_words)
		watch->marks[bit / 64] |= 1ULL << (bit % 64);
}

static bool marked(const struct watch *watch, uint32_t bit)
{
	return bit / 64 < watch->mark_words && watch->marks[bit / 64] >> (bit % 64) & 1;
}

static bool marks_clear(struct watch *watch, uint32_t bit_count)
{
	size_t words = (bit_count + 63) / 64;
	uint64_t *marks = realloc(watch->marks, words * sizeof(*marks));

	if (!marks)
		return false;
	memset(marks, 0, words * sizeof(*marks));
	watch->marks = marks;
	watch->mark_words = words;
	return true;
}

static void marks_free(struct watch *watch)
{
	free(watch->marks);
	watch->marks = NULL;
	watch->mark_words = 0;
}

static uint32_t settle_ticks(const struct sweep *sweep, const struct service *service)
{
	const struct settings *settings = sweep->maps.settings;

	if (service->protocol != IPPROTO_UDP)
		return settings->proven_tcp_ticks;
	/* While the grace lasts, first datagrams go to previous owners, behind the sweep's back. */
	return service->grace_ticks < settings->proven_udp_ticks ? settings->proven_udp_ticks
								 : service->grace_ticks + 1;
}

/* Whether a slot of the table has a previous owner; previous owners are marked if there are marks. */
static bool table_unsettled(const struct sweep *sweep, const struct service *service,
			    struct watch *watch, bool mark_previous)
{
	bool unsettled = false;

	for (uint32_t slot = 0; slot < service->slot_count; slot++) {
		uint32_t word = slot_read(sweep, watch->table, slot);

		if (slot_current(word) == slot_previous(word))
			continue;
		unsettled = true;
		if (!mark_previous)
			break;
		mark(watch, slot_previous(word));
	}
	return unsettled;
}

/*
 * Full tracking is to end: this pass is the first of those that prepare it. The word in the record
 * is the memory of that: if the service was full again meanwhile, all begins anew.
 */
static void ending_begin(struct sweep *sweep, uint32_t index)
{
	struct service *service = &sweep->maps.services[index];

	if (service->tracking != TRACKING_ENDING)
		return;
	__atomic_store_n(&service->tracking, TRACKING_UNSETTLING, __ATOMIC_RELAXED);
	sweep->watches[index].ending_passes = 0;
}

/* A flow of this slot is elsewhere, or may be: packets have to ask the flow table. */
static void slot_unsettle(struct sweep *sweep, uint32_t index, uint32_t slot)
{
	uint64_t table = service_table(&sweep->maps.services[index]);
	uint32_t *place, word;

	if (!table)
		return;
	place = slot_place(sweep, table, slot);
	word = __atomic_load_n(place, __ATOMIC_RELAXED);
	if (slot_current(word) != slot_previous(word))
		return;
	__atomic_store_n(place, slot_word(slot_current(word), SLUICE_NO_BACKEND), __ATOMIC_RELEASE);
	sweep->watches[index].settled = false;
}

/* A pass that unsettled slots is over. */
static void ending_go_on(struct sweep *sweep, uint32_t index)
{
	struct service *service = &sweep->maps.services[index];
	struct watch *watch = &sweep->watches[index];

	if (service->tracking != TRACKING_UNSETTLING || ++watch->ending_passes < ENDING_PASSES)
		return;
	if (service->affinity != AFFINITY_FLOW && watch->live > 0) {
		for (uint32_t slot = 0; slot < service->slot_count; slot++)
			slot_unsettle(sweep, index, slot);
		watch->single = false;
	}
	__atomic_store_n(&service->tracking, TRACKING_MINIMAL, __ATOMIC_RELEASE);
}

/* Notice a new table, and whether the pass that begins now may settle this one. */
static void watch_begin(struct sweep *sweep, uint32_t index, uint32_t tick)
{
	const struct service *service = &sweep->maps.services[index];
	struct watch *watch = &sweep->watches[index];
	uint64_t table = service_table(service);
	uint32_t age;

	watch->examined = false;
	watch->held = false;
	watch->live = 0;
	ending_begin(sweep, index);
	watch->tracking = service->tracking;
	watch->affinity = service->affinity;
	if (table != watch->table) {
		watch->single =
			watch->settled &&
			table_generation(table) == ((table_generation(watch->table) + 1) & 0xffff);
		watch->table = table;
		watch->ripe = false;
		watch->settled = false;
		marks_free(watch);
	}
	if (!table || watch->settled)
		return;
	/* The tick in the word wraps, so the age is a lower bound: too late is safe. */
	age = (tick - table_tick(table)) & SLUICE_SEEN_MASK;
	if (age >= settle_ticks(sweep, service) && age <= SLUICE_SEEN_MASK - FUTURE_TICKS)
		watch->ripe = true;
	if (!table_unsettled(sweep, service, watch, false)) {
		watch->settled = true;
		return;
	}
	if (!watch->ripe)
		return;
	if (service->tracking == TRACKING_FULL) {
		watch->examined = true;
	} else if (service->affinity == AFFINITY_FLOW) {
		watch->examined = marks_clear(watch, service->slot_count);
	} else {
		watch->examined = marks_clear(watch, SLUICE_NO_BACKEND + 1);
		if (watch->examined)
			table_unsettled(sweep, service, watch, true);
	}
}

static void pass_begin(struct sweep *sweep, uint32_t tick)
{
	for (uint32_t i = 0; i < sweep->meta.services_max; i++)
		watch_begin(sweep, i, tick);
	memset(sweep->counts, 0, sweep->meta.backends_max * sizeof(*sweep->counts));
	sweep->counted = 0;
	sweep->next_bucket = 0;
	sweep->under_way = true;
}

static uint32_t entry_timeout(const struct settings *settings, const struct service *service,
			      enum flow_state state)
{
	switch (state) {
	case FLOW_CLOSING:
		return settings->closing_ticks;
	case FLOW_PROBATION:
		return settings->probation_ticks;
	default:
		return service->protocol == IPPROTO_UDP ? settings->proven_udp_ticks
							: settings->proven_tcp_ticks;
	}
}

static uint32_t entry_age(uint64_t entry, uint32_t tick)
{
	uint32_t age = flow_entry_age(entry, tick);

	return age > SLUICE_SEEN_MASK - FUTURE_TICKS ? 0 : age;
}

/* The service of an entry that is live; NULL for an entry that is to go. */
static const struct service *entry_service(const struct sweep *sweep, uint64_t entry, uint32_t tick)
{
	const struct sweep_maps *maps = &sweep->maps;
	const struct backend *backend;
	const struct service *service;

	if (flow_entry_backend(entry) >= sweep->meta.backends_max)
		return NULL;
	backend = &maps->backends[flow_entry_backend(entry)];
	if (__atomic_load_n(&backend->state, __ATOMIC_ACQUIRE) != BACKEND_ALIVE ||
	    backend->service >= sweep->meta.services_max)
		return NULL;
	service = &maps->services[backend->service];
	if (entry_age(entry, tick) >
	    entry_timeout(maps->settings, service, flow_entry_state(entry)))
		return NULL;
	return service;
}

/* A flow of the slot is with the backend of this number. */
static void owner_check(struct sweep *sweep, uint32_t index, uint32_t slot, uint32_t number)
{
	uint64_t table = service_table(&sweep->maps.services[index]);

	if (table && slot_current(slot_read(sweep, table, slot)) != number)
		slot_unsettle(sweep, index, slot);
}

/* What a live entry means for settling its service. */
static void entry_note(struct sweep *sweep, const struct service *service, uint64_t entry)
{
	uint32_t index = (uint32_t)(service - sweep->maps.services);
	struct watch *watch = &sweep->watches[index];
	uint32_t number = flow_entry_backend(entry) - service->backend_base;
	uint32_t slot;

	watch->live++;
	if (service->tracking == TRACKING_UNSETTLING && service->affinity == AFFINITY_FLOW)
		owner_check(sweep, index, slot_of_tag(flow_entry_tag(entry), service->slot_count),
			    number);
	if (!watch->examined || service->tracking == TRACKING_FULL)
		return;
	if (service->affinity == AFFINITY_FLOW) {
		slot = slot_of_tag(flow_entry_tag(entry), service->slot_count);
		if (slot_current(slot_read(sweep, watch->table, slot)) != number)
			mark(watch, slot);
	} else if (marked(watch, number)) {
		watch->held = true;
	}
}

static void entry_count(struct sweep *sweep, uint64_t entry, uint32_t tick)
{
	struct count *count = &sweep->counts[flow_entry_backend(entry)];
	uint16_t age = (uint16_t)entry_age(entry, tick);

	if (!count->live || age < count->idle_least)
		count->idle_least = age;
	if (!count->live || age > count->idle_most)
		count->idle_most = age;
	count->live++;
	sweep->counted++;
}

static void entry_sweep(struct sweep *sweep, uint64_t *place, uint32_t tick)
{
	uint64_t entry = __atomic_load_n(place, __ATOMIC_RELAXED);
	const struct service *service;

	if (!entry)
		return;
	service = entry_service(sweep, entry, tick);
	if (!service) {
		/* If a packet changed it meanwhile, the next pass looks at it again. */
		if (__atomic_compare_exchange_n(place, &entry, 0, false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			sweep->removed++;
		return;
	}
	entry_count(sweep, entry, tick);
	entry_note(sweep, service, entry);
}

static void counts_publish(struct sweep *sweep)
{
	struct count *counts = sweep->whole;

	sweep->whole = sweep->counts;
	sweep->counts = counts;
	sweep->total = sweep->counted;
	sweep->next_settling = 0;
	for (uint32_t i = 0; i < sweep->meta.backends_max; i++) {
		uint32_t live = sweep->whole[i].live;

		if (sweep->maps.loads[i].live != live)
			__atomic_store_n(&sweep->maps.loads[i].live, live, __ATOMIC_RELAXED);
	}
}

static bool service_may_settle(const struct watch *watch, const struct service *service)
{
	if (!watch->examined || service_table(service) != watch->table)
		return false;
	/* What the marks are depends on both. */
	if (service->tracking != watch->tracking || service->affinity != watch->affinity)
		return false;
	if (service->tracking == TRACKING_FULL || service->affinity == AFFINITY_FLOW)
		return true;
	return watch->single ? !watch->held : watch->live == 0;
}

static void service_settle(struct sweep *sweep, uint32_t index)
{
	const struct service *service = &sweep->maps.services[index];
	struct watch *watch = &sweep->watches[index];
	bool by_slot = service->tracking != TRACKING_FULL && service->affinity == AFFINITY_FLOW;

	if (!service_may_settle(watch, service))
		return;
	for (uint32_t slot = 0; slot < service->slot_count; slot++) {
		uint32_t *place = slot_place(sweep, watch->table, slot);
		uint32_t word = __atomic_load_n(place, __ATOMIC_RELAXED);
		uint32_t current = slot_current(word);

		if (current == slot_previous(word) || (by_slot && marked(watch, slot)))
			continue;
		__atomic_compare_exchange_n(place, &word, slot_word(current, current), false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	}
	marks_free(watch);
}

/* Whether the end of the pass means something to a service. */
static bool service_concerned(const struct sweep *sweep, uint32_t index)
{
	return sweep->watches[index].examined ||
	       sweep->maps.services[index].tracking == TRACKING_UNSETTLING;
}

/* Whether the pass is over: no service is left to settle. */
static bool settling_over(struct sweep *sweep)
{
	uint32_t services_max = sweep->meta.services_max;

	while (sweep->next_settling < services_max &&
	       !service_concerned(sweep, sweep->next_settling))
		sweep->next_settling++;
	if (sweep->next_settling < services_max)
		return false;
	sweep->under_way = false;
	sweep->passes++;
	return true;
}

bool sweep_step(struct sweep *sweep, uint32_t bucket_count, uint32_t tick)
{
	uint32_t buckets = sweep->meta.flow_buckets;

	/* One step settles one service, so that no step takes long. */
	if (sweep->under_way && sweep->next_bucket == buckets) {
		service_settle(sweep, sweep->next_settling);
		ending_go_on(sweep, sweep->next_settling++);
		return settling_over(sweep);
	}
	if (!sweep->under_way)
		pass_begin(sweep, tick);
	for (; bucket_count > 0 && sweep->next_bucket < buckets; bucket_count--) {
		struct flow_bucket *bucket = &sweep->maps.flows[sweep->next_bucket++];

		for (int i = 0; i < SLUICE_FLOWS_PER_BUCKET; i++)
			entry_sweep(sweep, (uint64_t *)&bucket->entries[i], tick);
	}
	if (sweep->next_bucket < buckets)
		return false;
	counts_publish(sweep);
	return settling_over(sweep);
}

uint32_t sweep_live(const struct sweep *sweep, uint32_t backend)
{
	return backend < sweep->meta.backends_max ? sweep->whole[backend].live : 0;
}

bool sweep_idle(const struct sweep *sweep, uint32_t backend, uint32_t *ret_least,
		uint32_t *ret_most)
{
	if (!sweep_live(sweep, backend))
		return false;
	*ret_least = sweep->whole[backend].idle_least;
	*ret_most = sweep->whole[backend].idle_most;
	return true;
}

uint64_t sweep_total(const struct sweep *sweep)
{
	return sweep->total;
}

uint64_t sweep_passes(const struct sweep *sweep)
{
	return sweep->passes;
}

uint64_t sweep_removed(const struct sweep *sweep)
{
	return sweep->removed;
}

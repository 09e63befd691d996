// SPDX-License-Identifier: GPL-2.0-only
/* Tests of user/model/sweep.h: what is counted, what is forgotten, and when slots settle. */
#include "unit.h"

#include <netinet/in.h>

#include "model/sweep.h"

#define BUCKETS  16u
#define BACKENDS 8u
#define SLOTS    32u /* need not be a prime here */
#define ALL      BUCKETS

enum {
	SERVICE_TCP,
	SERVICE_UDP,
	SERVICES
};

#define TCP_TICKS 100u
#define UDP_TICKS 20u

/* The memory of a small data plane: service 0 has backends 0..3, service 1 has 4..7. */
struct world {
	struct meta meta;
	struct settings settings;
	struct service services[SERVICES];
	struct slot_line slots[SERVICES * 2 * SLOTS / SLUICE_SLOTS_PER_LINE];
	struct backend backends[BACKENDS];
	struct backend_load loads[BACKENDS];
	struct flow_bucket flows[BUCKETS];
	struct sweep *sweep;
};

static struct world world;

static uint32_t *world_slots(uint32_t service)
{
	return world.slots[table_line(world.services[service].table)].slots;
}

/* A change of the table at this tick, in the place it is in. */
static void world_change(uint32_t service, uint32_t tick)
{
	struct service *record = &world.services[service];

	record->table =
		table_word(table_line(record->table), table_generation(record->table) + 1, tick);
}

static int world_make(void **context)
{
	(void)context;
	memset(&world, 0, sizeof(world));
	world.meta = (struct meta){
		.services_max = SERVICES,
		.backends_max = BACKENDS,
		.flow_buckets = BUCKETS,
		.slot_lines = sizeof(world.slots) / sizeof(world.slots[0]),
	};
	world.settings = (struct settings){
		.closing_ticks = 5,
		.probation_ticks = 10,
		.proven_tcp_ticks = TCP_TICKS,
		.proven_udp_ticks = UDP_TICKS,
	};
	for (uint32_t i = 0; i < SERVICES; i++) {
		world.services[i] = (struct service){
			.table = table_word(i * 2 * SLOTS / SLUICE_SLOTS_PER_LINE, 1, 0),
			.slot_count = SLOTS,
			.backend_base = i * 4,
			.backend_capacity = 4,
			.state = SERVICE_PRESENT,
			.protocol = i == SERVICE_UDP ? IPPROTO_UDP : IPPROTO_TCP,
		};
		for (uint32_t slot = 0; slot < SLOTS; slot++)
			world_slots(i)[slot] = slot_word(slot % 4, slot % 4);
	}
	for (uint32_t i = 0; i < BACKENDS; i++) {
		world.backends[i].state = BACKEND_ALIVE;
		world.backends[i].service = i / 4;
	}
	world.sweep = sweep_new(&(struct sweep_maps){
		.meta = &world.meta,
		.settings = &world.settings,
		.services = world.services,
		.slots = world.slots,
		.backends = world.backends,
		.loads = world.loads,
		.flows = world.flows,
	});
	return world.sweep ? 0 : -1;
}

static int world_free(void **context)
{
	(void)context;
	sweep_free(world.sweep);
	return 0;
}

/* A hash whose flow is in this slot. */
static uint64_t hash_in_slot(uint32_t slot)
{
	return (uint64_t)(((1u << SLUICE_TAG_BITS) / SLOTS) * slot + 1) << SLUICE_TAG_SHIFT;
}

static __u64 *entry_put(uint32_t bucket, int place, uint32_t slot, uint32_t backend, uint32_t seen,
			enum flow_state state)
{
	__u64 *entry = &world.flows[bucket].entries[place];

	*entry = flow_entry(hash_in_slot(slot), backend, seen, state);
	assert_int_equal(slot_of_tag(flow_entry_tag(*entry), SLOTS), slot);
	return entry;
}

/* A full pass that begins at this tick, or the rest of one. */
static void pass(uint32_t tick)
{
	uint64_t passes = sweep_passes(world.sweep);
	uint32_t steps = 1;

	while (!sweep_step(world.sweep, ALL, tick))
		assert_true(++steps <= 1 + SERVICES);
	assert_int_equal(sweep_passes(world.sweep), passes + 1);
}

static uint32_t unsettled(uint32_t service)
{
	uint32_t count = 0;

	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		uint32_t word = world_slots(service)[slot];

		count += slot_current(word) != slot_previous(word);
	}
	return count;
}

static void counts_live_flows(void **context)
{
	(void)context;
	entry_put(0, 0, 1, 0, 50, FLOW_PROVEN);
	entry_put(0, 7, 2, 0, 50, FLOW_PROBATION);
	entry_put(BUCKETS - 1, 7, 3, 5, 50, FLOW_CLOSING);
	pass(50);
	assert_int_equal(sweep_live(world.sweep, 0), 2);
	assert_int_equal(sweep_live(world.sweep, 1), 0);
	assert_int_equal(sweep_live(world.sweep, 5), 1);
	assert_int_equal(sweep_live(world.sweep, BACKENDS), 0);
	assert_int_equal(sweep_total(world.sweep), 3);
	assert_int_equal(sweep_removed(world.sweep), 0);
}

static void counts_come_whole(void **context)
{
	(void)context;
	for (uint32_t bucket = 0; bucket < BUCKETS; bucket++)
		entry_put(bucket, 0, 1, 1, 0, FLOW_PROVEN);
	for (uint32_t i = 0; i < BUCKETS / 3; i++) {
		assert_false(sweep_step(world.sweep, 3, 0));
		assert_int_equal(sweep_live(world.sweep, 1), 0);
		assert_int_equal(world.loads[1].live, 0);
	}
	assert_true(sweep_step(world.sweep, 3, 0));
	assert_int_equal(sweep_live(world.sweep, 1), BUCKETS);
	assert_int_equal(world.loads[1].live, BUCKETS);
	/* The next pass starts from nothing. */
	world.flows[0].entries[0] = 0;
	pass(0);
	assert_int_equal(sweep_live(world.sweep, 1), BUCKETS - 1);
}

static void loads_are_set_right(void **context)
{
	(void)context;
	entry_put(3, 3, 1, 2, 0, FLOW_PROVEN);
	world.loads[2] = (struct backend_load){.live = 77, .weight = 9};
	world.loads[3].live = 5;
	pass(0);
	assert_int_equal(world.loads[2].live, 1);
	assert_int_equal(world.loads[2].weight, 9);
	assert_int_equal(world.loads[3].live, 0);
}

static void idle_entries_go(void **context)
{
	const struct {
		uint32_t backend, age;
		enum flow_state state;
		bool stays;
	} rows[] = {
		{0, 5, FLOW_CLOSING, true},           {0, 6, FLOW_CLOSING, false},
		{0, 10, FLOW_PROBATION, true},        {0, 11, FLOW_PROBATION, false},
		{0, TCP_TICKS, FLOW_PROVEN, true},    {0, TCP_TICKS + 1, FLOW_PROVEN, false},
		{4, UDP_TICKS, FLOW_PROVEN, true},    {4, UDP_TICKS + 1, FLOW_PROVEN, false},
		{4, 5, FLOW_CLOSING, true},           {4, 6, FLOW_CLOSING, false},
		{0, (uint32_t)-1, FLOW_PROVEN, true}, /* written after the tick was read */
	};

	(void)context;
	/* Around a wrap of the clock as well as far from it. */
	for (uint32_t now = 3; now < 5000; now += 4000) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			__u64 *entry = entry_put(7, 1, 1, rows[i].backend, now - rows[i].age,
						 rows[i].state);

			pass(now);
			assert_int_equal(*entry != 0, rows[i].stays);
			assert_int_equal(sweep_total(world.sweep), rows[i].stays);
			*entry = 0;
		}
	}
}

static void entries_of_gone_backends_go(void **context)
{
	__u64 *absent = entry_put(0, 0, 1, 0, 0, FLOW_PROVEN);
	__u64 *dead = entry_put(0, 1, 1, 1, 0, FLOW_PROVEN);
	__u64 *alive = entry_put(0, 2, 1, 2, 0, FLOW_PROVEN);
	__u64 *wild = entry_put(0, 3, 1, BACKENDS, 0, FLOW_PROVEN);

	(void)context;
	world.backends[0].state = BACKEND_ABSENT;
	world.backends[1].state = BACKEND_DEAD;
	pass(0);
	assert_int_equal(*absent, 0);
	assert_int_equal(*dead, 0);
	assert_int_equal(*wild, 0);
	assert_int_not_equal(*alive, 0);
	assert_int_equal(sweep_removed(world.sweep), 3);
}

/* Slots 1 and 9 go from backend 1 to backends 2 and 3. */
static void two_slots_move(uint32_t service, uint32_t tick)
{
	world_slots(service)[1] = slot_word(2, 1);
	world_slots(service)[9] = slot_word(3, 1);
	world_change(service, tick);
}

static void full_settles_after_the_idle_timeout(void **context)
{
	(void)context;
	two_slots_move(SERVICE_TCP, 1000);
	two_slots_move(SERVICE_UDP, 1000);
	entry_put(0, 0, 1, 1, 1000 + TCP_TICKS, FLOW_PROVEN);
	pass(1000 + UDP_TICKS - 1);
	assert_int_equal(unsettled(SERVICE_UDP), 2);
	pass(1000 + UDP_TICKS);
	assert_int_equal(unsettled(SERVICE_UDP), 0);
	assert_int_equal(unsettled(SERVICE_TCP), 2);
	pass(1000 + TCP_TICKS - 1);
	assert_int_equal(unsettled(SERVICE_TCP), 2);
	/* The flow that is pinned elsewhere has its entry; the slot need not wait for it. */
	pass(1000 + TCP_TICKS);
	assert_int_equal(unsettled(SERVICE_TCP), 0);
	assert_int_equal(world_slots(SERVICE_TCP)[1], slot_word(2, 2));
	assert_int_equal(world_slots(SERVICE_TCP)[9], slot_word(3, 3));
	assert_int_equal(world_slots(SERVICE_TCP)[0], slot_word(0, 0));
}

static void another_change_starts_the_wait_anew(void **context)
{
	(void)context;
	two_slots_move(SERVICE_TCP, 1000);
	pass(1050);
	world_change(SERVICE_TCP, 1050);
	pass(1000 + TCP_TICKS);
	assert_int_equal(unsettled(SERVICE_TCP), 2);
	pass(1050 + TCP_TICKS);
	assert_int_equal(unsettled(SERVICE_TCP), 0);
}

static void a_change_under_way_is_left_alone(void **context)
{
	(void)context;
	two_slots_move(SERVICE_TCP, 1000);
	assert_false(sweep_step(world.sweep, BUCKETS - 1, 1000 + TCP_TICKS));
	world_change(SERVICE_TCP, 1000 + TCP_TICKS);
	pass(1000 + TCP_TICKS);
	assert_int_equal(unsettled(SERVICE_TCP), 2);
}

static void minimal_waits_for_the_slots_own_flows(void **context)
{
	uint32_t now = 1000 + TCP_TICKS;
	__u64 *other, *strange;

	(void)context;
	world.services[SERVICE_TCP].tracking = TRACKING_MINIMAL;
	two_slots_move(SERVICE_TCP, 1000);
	other = entry_put(0, 0, 1, 1, now, FLOW_PROVEN);
	entry_put(0, 1, 1, 2, now, FLOW_PROVEN); /* with the current owner */
	entry_put(0, 2, 9, 3, now, FLOW_PROVEN);
	pass(now);
	assert_int_equal(world_slots(SERVICE_TCP)[1], slot_word(2, 1));
	assert_int_equal(world_slots(SERVICE_TCP)[9], slot_word(3, 3));
	/* Neither current nor previous: a flow from two changes ago. */
	strange = entry_put(1, 0, 1, 0, now, FLOW_PROVEN);
	*other = 0;
	pass(now + 1);
	assert_int_equal(unsettled(SERVICE_TCP), 1);
	*strange = 0;
	pass(now + 2);
	assert_int_equal(unsettled(SERVICE_TCP), 0);
}

/* A change that was taken back: the slot has its first owner again, and no previous one. */
static void minimal_settles_what_came_back(void **context)
{
	uint32_t now = 1000 + TCP_TICKS;
	__u64 *other;

	(void)context;
	world.services[SERVICE_TCP].tracking = TRACKING_MINIMAL;
	world_slots(SERVICE_TCP)[4] = slot_word(0, SLUICE_NO_BACKEND);
	world_change(SERVICE_TCP, 1000);
	other = entry_put(0, 0, 4, 2, now, FLOW_PROVEN); /* begun in between */
	pass(now);
	assert_int_equal(unsettled(SERVICE_TCP), 1);
	*other = 0;
	pass(now + 1);
	assert_int_equal(world_slots(SERVICE_TCP)[4], slot_word(0, 0));
}

static void minimal_by_source_waits_for_previous_owners(void **context)
{
	uint32_t now = 1000 + TCP_TICKS;
	__u64 *entry;

	(void)context;
	world.services[SERVICE_TCP].tracking = TRACKING_MINIMAL;
	world.services[SERVICE_TCP].affinity = AFFINITY_SOURCE;
	pass(999); /* all slots are settled before the change */
	two_slots_move(SERVICE_TCP, 1000);
	entry = entry_put(0, 0, 30, 1, now, FLOW_PROVEN);
	entry_put(0, 1, 30, 2, now, FLOW_PROVEN);
	pass(now);
	assert_int_equal(unsettled(SERVICE_TCP), 2);
	*entry = 0;
	pass(now + 1);
	assert_int_equal(unsettled(SERVICE_TCP), 0);
}

static void minimal_by_source_after_two_changes_waits_for_all(void **context)
{
	uint32_t now = 1001 + TCP_TICKS;
	__u64 *entry;

	(void)context;
	world.services[SERVICE_TCP].tracking = TRACKING_MINIMAL;
	world.services[SERVICE_TCP].affinity = AFFINITY_SOURCE;
	pass(999);
	two_slots_move(SERVICE_TCP, 1000);
	world_change(SERVICE_TCP, 1001);
	entry = entry_put(0, 1, 30, 2, now, FLOW_PROVEN);
	pass(now);
	assert_int_equal(unsettled(SERVICE_TCP), 2);
	*entry = 0;
	pass(now + 1);
	assert_int_equal(unsettled(SERVICE_TCP), 0);
}

static void idle_times(void **context)
{
	uint32_t least, most;

	(void)context;
	entry_put(0, 0, 1, 1, 990, FLOW_PROVEN);
	entry_put(0, 1, 2, 1, 950, FLOW_PROVEN);
	entry_put(1, 0, 3, 1, 997, FLOW_CLOSING);
	entry_put(1, 1, 4, 1, 800, FLOW_PROVEN);  /* not live any more */
	entry_put(2, 0, 5, 2, 1001, FLOW_PROVEN); /* just now, after the tick was read */
	pass(1000);
	assert_true(sweep_idle(world.sweep, 1, &least, &most));
	assert_int_equal(least, 3);
	assert_int_equal(most, 50);
	assert_true(sweep_idle(world.sweep, 2, &least, &most));
	assert_int_equal(most, 0);
	assert_false(sweep_idle(world.sweep, 3, &least, &most));
	assert_false(sweep_idle(world.sweep, BACKENDS, &least, &most));
}

static uint8_t tracking(void)
{
	return world.services[SERVICE_TCP].tracking;
}

static void full_tracking_ends(void **context)
{
	uint32_t now = 1000 + TCP_TICKS;
	__u64 *strange;

	(void)context;
	strange = entry_put(0, 0, 5, 2, now, FLOW_PROVEN); /* slot 5 belongs to 1 */
	entry_put(0, 1, 6, 2, now, FLOW_PROVEN);           /* and slot 6 to 2 */
	pass(now);
	assert_int_equal(unsettled(SERVICE_TCP), 0);
	assert_false(sweep_step(world.sweep, 1, now)); /* the pass under way does not count */
	world.services[SERVICE_TCP].tracking = TRACKING_ENDING;
	pass(now);
	pass(now);
	assert_int_not_equal(tracking(), TRACKING_MINIMAL);
	assert_int_equal(world_slots(SERVICE_TCP)[5], slot_word(1, SLUICE_NO_BACKEND));
	assert_int_equal(unsettled(SERVICE_TCP), 1);
	strange = entry_put(1, 0, 7, 0, now, FLOW_PROVEN); /* from a packet that was under way */
	pass(now);
	assert_int_equal(tracking(), TRACKING_MINIMAL);
	assert_int_equal(world_slots(SERVICE_TCP)[7], slot_word(3, SLUICE_NO_BACKEND));
	assert_int_equal(unsettled(SERVICE_TCP), 2);
	/* They settle as with minimal tracking: when their own flows are over. */
	*strange = 0;
	pass(now + 1);
	assert_int_equal(world_slots(SERVICE_TCP)[7], slot_word(3, 3));
	assert_int_equal(unsettled(SERVICE_TCP), 1);
}

static void full_tracking_ends_during_changes(void **context)
{
	uint32_t now = 1000;

	(void)context;
	entry_put(0, 0, 5, 2, now, FLOW_PROVEN);
	entry_put(0, 1, 9, 1, now, FLOW_PROVEN);
	pass(now);
	world.services[SERVICE_TCP].tracking = TRACKING_ENDING;
	assert_false(sweep_step(world.sweep, 1, now));
	/* The table moves to its other place: what was unsettled in this pass goes with it. */
	memcpy(world_slots(SERVICE_TCP) + SLOTS, world_slots(SERVICE_TCP),
	       SLOTS * sizeof(uint32_t));
	world.services[SERVICE_TCP].table += SLOTS / SLUICE_SLOTS_PER_LINE;
	two_slots_move(SERVICE_TCP, now);
	pass(now);
	pass(now);
	assert_int_equal(tracking(), TRACKING_MINIMAL);
	assert_int_equal(world_slots(SERVICE_TCP)[5], slot_word(1, SLUICE_NO_BACKEND));
	assert_int_equal(world_slots(SERVICE_TCP)[9], slot_word(3, 1)); /* moved: its own change */
	assert_int_equal(unsettled(SERVICE_TCP), 3);
}

static void full_tracking_ends_anew(void **context)
{
	uint32_t now = 1000;

	(void)context;
	world.services[SERVICE_TCP].tracking = TRACKING_ENDING;
	pass(now);
	assert_false(sweep_step(world.sweep, BUCKETS - 1, now));
	/* Full again for a moment, and flows behind the sweep. */
	world.services[SERVICE_TCP].tracking = TRACKING_FULL;
	entry_put(0, 0, 5, 2, now, FLOW_PROVEN);
	world.services[SERVICE_TCP].tracking = TRACKING_ENDING;
	pass(now);
	pass(now);
	assert_int_not_equal(tracking(), TRACKING_MINIMAL);
	pass(now);
	assert_int_equal(tracking(), TRACKING_MINIMAL);
	assert_int_equal(world_slots(SERVICE_TCP)[5], slot_word(1, SLUICE_NO_BACKEND));
}

static void full_tracking_by_source_ends(void **context)
{
	uint32_t now = 1000 + TCP_TICKS;
	__u64 *entry;

	(void)context;
	world.services[SERVICE_TCP].affinity = AFFINITY_SOURCE;
	entry = entry_put(0, 0, 30, 1, now, FLOW_PROVEN);
	pass(now);
	world.services[SERVICE_TCP].tracking = TRACKING_ENDING;
	pass(now);
	pass(now);
	assert_int_equal(tracking(), TRACKING_MINIMAL);
	assert_int_equal(unsettled(SERVICE_TCP), SLOTS);
	pass(now);
	assert_int_equal(unsettled(SERVICE_TCP), SLOTS);
	*entry = 0;
	pass(now + 1);
	assert_int_equal(unsettled(SERVICE_TCP), 0);
}

static void absent_services_are_left_alone(void **context)
{
	(void)context;
	two_slots_move(SERVICE_TCP, 1000);
	world.services[SERVICE_TCP].state = SERVICE_ABSENT;
	pass(1000 + TCP_TICKS);
	assert_int_equal(unsettled(SERVICE_TCP), 2);
}

#define WORLD(function, sentence)                                                      \
	{                                                                              \
		.name = (sentence), .test_func = (function), .setup_func = world_make, \
		.teardown_func = world_free                                            \
	}

static const struct CMUnitTest cases[] = {
	WORLD(counts_live_flows, "flows/sweep: live flows are counted by backend"),
	WORLD(counts_come_whole, "flows/sweep: counts are of whole passes"),
	WORLD(loads_are_set_right, "flows/sweep: a pass sets the loads of least_flows right"),
	WORLD(idle_entries_go, "flows/sweep: entries go by the idle timeout of state and protocol"),
	WORLD(entries_of_gone_backends_go, "flows/sweep: entries of backends that are gone go"),
	WORLD(full_settles_after_the_idle_timeout,
	      "flows/sweep: full tracking settles after the protocol's idle timeout"),
	WORLD(another_change_starts_the_wait_anew,
	      "flows/sweep: another change starts the settle time anew"),
	WORLD(a_change_under_way_is_left_alone,
	      "flows/sweep: a pass does not settle a table that is younger than it"),
	WORLD(minimal_waits_for_the_slots_own_flows,
	      "flows/sweep: minimal tracking keeps a slot while one of its flows is elsewhere"),
	WORLD(minimal_settles_what_came_back,
	      "flows/sweep: a slot whose change was taken back waits for flows begun in between"),
	WORLD(minimal_by_source_waits_for_previous_owners,
	      "flows/sweep: minimal by source waits for the flows of previous owners"),
	WORLD(minimal_by_source_after_two_changes_waits_for_all,
	      "flows/sweep: minimal by source waits for all flows after two changes"),
	WORLD(idle_times, "unit/sweep: it knows how long live flows have been silent"),
	WORLD(full_tracking_ends,
	      "unit/sweep: full tracking ends when flows elsewhere can be found"),
	WORLD(full_tracking_ends_during_changes,
	      "unit/sweep: full tracking ends while its table changes"),
	WORLD(full_tracking_ends_anew,
	      "unit/sweep: full tracking that came back meanwhile ends from the beginning"),
	WORLD(full_tracking_by_source_ends,
	      "unit/sweep: full tracking by source ends with all slots unsettled"),
	WORLD(absent_services_are_left_alone, "flows/sweep: a removed service is left alone"),
};

UNIT_MAIN("sweep", cases)

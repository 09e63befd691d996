// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of user/model/provision.h: the protocol in a world where creations take effect late, lists
 * lag behind, answers are lost and wrong, and the agent is killed between any two steps. Every
 * order of what may happen, up to the depth that is named below, is tried; in each state that is
 * reached nothing of ours may be without a record, and from each of them all must end well.
 */
#include "unit.h"

#include "model/provision.h"

#define UNIT_MS  1000u
#define DELAY_MS (2 * UNIT_MS)
#define BEGIN_MS (1000 * UNIT_MS)
#define SLOTS    3
#define WALL_MS  1800000000000u
#define SERVICE  "web"
#define OWNER    "me"

#ifdef __SANITIZE_ADDRESS__
#define DEPTH        9
#define STATES_LEAST 1000
#else
#define DEPTH        12
#define STATES_LEAST 10000
#endif

enum record {
	RECORD_NONE = 0,
	RECORD_INTENDED,
	RECORD_THERE,
	RECORD_UNWANTED
};

/* All of it: what is on the disk, what the agent knows, and what the provisioner has. */
struct world {
	uint64_t now_ms;
	/* The journal. */
	uint8_t records[SLOTS], minted;
	/* The agent's memory. */
	uint64_t started_ms;
	struct provision memory[SLOTS];
	struct provision_list listing;
	/* Calls under way: whether they have had their effect. */
	bool effect[SLOTS];
	/* The provisioner. */
	bool objects[SLOTS];
	bool stranger[SLOTS];       /* it said that the name is another's: the list is to find it */
	uint64_t changed_ms[SLOTS]; /* the list may be so old */
	uint64_t pending_ms[SLOTS]; /* a creation may take effect before; 0 = none is left */
	/* How often it may still go wrong. */
	uint8_t kills, faults, may_mint;
};

static struct provision_input input_of(const struct world *world, size_t slot)
{
	return (struct provision_input){
		.now_ms = world->now_ms,
		.started_ms = world->started_ms,
		.delay_ms = DELAY_MS,
		.patience_ms = 1000 * DELAY_MS,
		.stage = (enum provision_stage)(world->records[slot] - 1),
		.may_create = true,
		.seed = (uint32_t)slot,
	};
}

/* ------------------------------------------------------------------ what must hold, always */

static const char *broken(const struct world *world)
{
	for (size_t i = 0; i < SLOTS; i++) {
		bool recorded = world->records[i] != RECORD_NONE;
		bool left = i >= world->may_mint; /* from a journal that was lost */

		if (!recorded && !left && !world->stranger[i] &&
		    (world->objects[i] || world->pending_ms[i] > world->now_ms))
			return "an object is there, or may come, and nobody knows it";
		if (world->records[i] == RECORD_THERE && !world->objects[i])
			return "what is in use is not there";
		if (!recorded && world->memory[i].call)
			return "a call for what has no record";
		if (world->memory[i].call == PROVISION_CALL_DELETE &&
		    world->records[i] != RECORD_UNWANTED)
			return "a deletion of what is wanted";
	}
	return NULL;
}

/* ------------------------------------------------------------------ the steps of the agent */

static void call_cut_off(struct world *world, size_t slot)
{
	if (world->memory[slot].call == PROVISION_CALL_CREATE && !world->effect[slot])
		world->pending_ms[slot] = world->now_ms + DELAY_MS;
	world->effect[slot] = false;
}

/* The next step of an object; false if there is none. */
static bool object_act(struct world *world, size_t slot)
{
	struct provision *memory = &world->memory[slot];
	struct provision_input input = input_of(world, slot);

	if (world->records[slot] == RECORD_NONE)
		return false;
	switch (provision_step(memory, &input)) {
	case PROVISION_CREATE:
		assert_int_equal(world->records[slot], RECORD_INTENDED);
		provision_begun(memory, PROVISION_CALL_CREATE, &input);
		return true;
	case PROVISION_DELETE:
		assert_int_equal(world->records[slot], RECORD_UNWANTED);
		provision_begun(memory, PROVISION_CALL_DELETE, &input);
		return true;
	case PROVISION_CANCEL:
		call_cut_off(world, slot);
		provision_cancelled(memory, &input);
		provision_list_hurry(&world->listing, world->now_ms, DELAY_MS);
		return true;
	case PROVISION_JOIN:
		world->records[slot] = RECORD_THERE;
		return true;
	case PROVISION_GIVE_UP:
		world->records[slot] = RECORD_UNWANTED;
		return true;
	case PROVISION_FORGET:
		world->stranger[slot] |= memory->verdict == PROVISION_FOREIGN;
		world->records[slot] = RECORD_NONE;
		*memory = (struct provision){0};
		return true;
	default:
		return false;
	}
}

static bool list_act(struct world *world)
{
	if (!provision_list_due(&world->listing, world->now_ms))
		return false;
	provision_list_begun(&world->listing);
	return true;
}

/* Its list, as old as it may be if stale; what nobody knows is to be deleted. */
static void list_reply(struct world *world, bool stale)
{
	provision_list_replied(&world->listing, true, world->now_ms, DELAY_MS, 1);
	for (size_t i = 0; i < SLOTS; i++) {
		bool recent = world->changed_ms[i] + DELAY_MS > world->now_ms;
		bool shown = stale && recent ? !world->objects[i] : world->objects[i];

		if (shown && world->records[i] == RECORD_NONE)
			world->records[i] = RECORD_UNWANTED;
	}
}

static void agent_kill(struct world *world)
{
	for (size_t i = 0; i < SLOTS; i++) {
		call_cut_off(world, i);
		world->memory[i] = (struct provision){0};
	}
	world->listing = (struct provision_list){0};
	world->started_ms = world->now_ms;
}

/* ------------------------------------------------------------------ the steps of the world */

static void object_set(struct world *world, size_t slot, bool there)
{
	if (world->objects[slot] != there)
		world->changed_ms[slot] = world->now_ms;
	world->objects[slot] = there;
}

static bool call_take_effect(struct world *world, size_t slot)
{
	if (!world->memory[slot].call || world->effect[slot])
		return false;
	object_set(world, slot, world->memory[slot].call == PROVISION_CALL_CREATE);
	world->effect[slot] = true;
	return true;
}

static bool late_take_effect(struct world *world, size_t slot)
{
	if (world->pending_ms[slot] <= world->now_ms)
		return false;
	object_set(world, slot, true);
	world->pending_ms[slot] = 0;
	return true;
}

static bool call_reply(struct world *world, size_t slot, enum provisioner_outcome outcome)
{
	struct provision *memory = &world->memory[slot];
	struct provision_input input = input_of(world, slot);

	if (!memory->call || (outcome == PROVISIONER_DONE && !world->effect[slot]))
		return false;
	if (memory->call == PROVISION_CALL_DELETE && outcome == PROVISIONER_CONFLICT)
		return false;
	if (outcome != PROVISIONER_DONE && outcome != PROVISIONER_CONFLICT)
		call_cut_off(world, slot);
	if (outcome != PROVISIONER_DONE)
		provision_list_hurry(&world->listing, world->now_ms, DELAY_MS);
	world->effect[slot] = false;
	provision_replied(memory, outcome, &input);
	return true;
}

static void time_pass(struct world *world, uint64_t ms)
{
	world->now_ms += ms;
	for (size_t i = 0; i < SLOTS; i++) {
		if (world->pending_ms[i] <= world->now_ms)
			world->pending_ms[i] = 0;
	}
}

/* ------------------------------------------------------------------ all that may happen next */

#define OF_A_SLOT 11
#define CHOICES   (SLOTS * OF_A_SLOT + 7)

static bool fault(struct world *world)
{
	if (!world->faults)
		return false;
	world->faults--;
	return true;
}

static bool slot_happens(struct world *world, size_t slot, int what)
{
	uint8_t *record = &world->records[slot];

	switch (what) {
	case 0:
		return object_act(world, slot);
	case 1:
		return call_take_effect(world, slot);
	case 2:
		return late_take_effect(world, slot);
	case 3:
		return call_reply(world, slot, PROVISIONER_DONE);
	case 4:
		return fault(world) && call_reply(world, slot, PROVISIONER_GOING_ON);
	case 5:
		return fault(world) && call_reply(world, slot, PROVISIONER_TIMEOUT);
	case 6:
		return fault(world) && call_reply(world, slot, PROVISIONER_RETRY);
	case 7:
		return fault(world) && call_reply(world, slot, PROVISIONER_CONFLICT);
	case 8: /* less is needed, or a person removes it */
		if (*record != RECORD_THERE && *record != RECORD_INTENDED)
			return false;
		*record = RECORD_UNWANTED;
		return true;
	case 9: /* packets have no way to it */
		if (*record != RECORD_INTENDED || world->memory[slot].verdict != PROVISION_SERVES ||
		    !fault(world))
			return false;
		provision_unreachable(&world->memory[slot]);
		return true;
	default: /* more is needed */
		if (slot != world->minted || slot >= world->may_mint)
			return false;
		world->minted++;
		*record = RECORD_INTENDED;
		return true;
	}
}

static bool happens(struct world *world, int choice)
{
	if (choice < SLOTS * OF_A_SLOT)
		return slot_happens(world, (size_t)choice / OF_A_SLOT, choice % OF_A_SLOT);
	switch (choice - SLOTS * OF_A_SLOT) {
	case 0:
		return list_act(world);
	case 1:
	case 2:
		if (!world->listing.calling)
			return false;
		list_reply(world, choice - SLOTS * OF_A_SLOT == 2);
		return true;
	case 3:
		if (!world->listing.calling || !fault(world))
			return false;
		provision_list_replied(&world->listing, false, world->now_ms, DELAY_MS, 1);
		return true;
	case 4:
		if (!world->kills)
			return false;
		world->kills--;
		agent_kill(world);
		return true;
	case 5:
		time_pass(world, UNIT_MS);
		return true;
	default: /* the last moment before what is late would be too late */
		if (world->now_ms % UNIT_MS)
			return false;
		time_pass(world, UNIT_MS - 1);
		return true;
	}
}

/* ------------------------------------------------------------------ from here on all goes well */

/* What is late comes as late as it may. */
static void fair_round(struct world *world)
{
	for (size_t i = 0; i < SLOTS; i++) {
		for (int steps = 0; steps < 4 && object_act(world, i); steps++)
			continue;
		if (world->memory[i].call) {
			call_take_effect(world, i);
			call_reply(world, i, PROVISIONER_DONE);
		}
		while (object_act(world, i))
			if (world->memory[i].call)
				break;
		if (world->pending_ms[i] > world->now_ms &&
		    world->pending_ms[i] <= world->now_ms + UNIT_MS)
			late_take_effect(world, i);
	}
	list_act(world);
	if (world->listing.calling)
		list_reply(world, true);
}

static const char *ends_badly(const struct world *from)
{
	static const uint64_t pauses_ms[] = {UNIT_MS, 301 * UNIT_MS, UNIT_MS};
	struct world world = *from;
	const char *why = NULL;

	for (size_t i = 0; i < sizeof(pauses_ms) / sizeof(pauses_ms[0]) && !why; i++) {
		for (int round = 0; round < 8 && !why; round++) {
			fair_round(&world);
			why = broken(&world);
			time_pass(&world, round < 7 ? UNIT_MS : pauses_ms[i]);
		}
	}
	for (size_t i = 0; i < SLOTS && !why; i++) {
		if (world.records[i] == RECORD_INTENDED || world.records[i] == RECORD_UNWANTED)
			why = "something is left to do for ever";
		else if (world.objects[i] != (world.records[i] == RECORD_THERE))
			why = "what is there is not what is known";
	}
	return why;
}

/* ------------------------------------------------------------------ every order */

struct seen {
	uint64_t *places;
	size_t size, count;
};

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 29;
}

/* A time by how far off it is; all that are over are alike. */
static uint64_t left(const struct world *world, uint64_t time_ms)
{
	return time_ms > world->now_ms ? time_ms - world->now_ms : 0;
}

static uint64_t memory_hash(const struct world *world, size_t slot, uint64_t hash)
{
	const struct provision *memory = &world->memory[slot];
	uint64_t start = world->started_ms + DELAY_MS;
	uint64_t settle = memory->settle_ms > start ? memory->settle_ms : start;

	hash = mix(hash, (uint64_t)memory->call | (uint64_t)memory->last << 4 |
				 (uint64_t)memory->verdict << 8 | (uint64_t)memory->gone << 12 |
				 (uint64_t)memory->failures << 16);
	hash = mix(hash, memory->call ? memory->call_ms >= settle : 2);
	hash = mix(hash, left(world, settle));
	return mix(hash, left(world, memory->retry_ms));
}

static uint64_t world_hash(const struct world *world)
{
	const struct provision_list *list = &world->listing;
	uint64_t hash = mix(world->now_ms % UNIT_MS,
			    (uint64_t)world->minted << 16 | world->kills << 8 | world->faults);

	for (size_t i = 0; i < SLOTS; i++) {
		hash = mix(hash, (uint64_t)world->records[i] << 8 | world->effect[i] << 2 |
					 world->objects[i] << 1 | world->stranger[i]);
		hash = mix(hash, left(world, world->pending_ms[i]));
		hash = mix(hash, left(world, world->changed_ms[i] + DELAY_MS));
		hash = memory_hash(world, i, hash);
	}
	hash = mix(hash, (uint64_t)list->calling | (uint64_t)list->late << 1 |
				 (list->replies ? 1ULL : 0ULL) << 2 |
				 (uint64_t)list->failures << 8);
	hash = mix(hash, left(world, list->due_ms));
	return hash ? hash : 1;
}

/* Whether it is new. */
static bool seen_add(struct seen *seen, uint64_t hash)
{
	size_t place = hash & (seen->size - 1);

	while (seen->places[place] && seen->places[place] != hash)
		place = (place + 1) & (seen->size - 1);
	if (seen->places[place])
		return false;
	seen->places[place] = hash;
	seen->count++;
	assert_true(seen->count < seen->size / 2);
	return true;
}

struct row {
	struct world *worlds;
	size_t count, room;
};

static void row_add(struct row *row, const struct world *world)
{
	if (row->count == row->room) {
		row->room = row->room ? row->room * 2 : 1024;
		row->worlds = realloc(row->worlds, row->room * sizeof(*row->worlds));
		assert_non_null(row->worlds);
	}
	row->worlds[row->count++] = *world;
}

static void look(const struct world *world, int choice, int depth)
{
	const char *why = broken(world);

	if (!why)
		why = ends_badly(world);
	if (why)
		fail_msg("%s, after choice %d at depth %d: records %d %d %d", why, choice, depth,
			 world->records[0], world->records[1], world->records[2]);
}

/* Breadth first: every state that can be reached in so many steps. Returns how many there are. */
static size_t every_order(const struct world *begin, int depth)
{
	struct seen seen = {.size = (size_t)1 << 23};
	struct row now = {0}, next = {0};

	seen.places = calloc(seen.size, sizeof(*seen.places));
	assert_non_null(seen.places);
	row_add(&now, begin);
	for (int level = 1; level <= depth; level++) {
		for (size_t i = 0; i < now.count; i++) {
			for (int choice = 0; choice < CHOICES; choice++) {
				struct world world = now.worlds[i];

				if (!happens(&world, choice) ||
				    !seen_add(&seen, world_hash(&world)))
					continue;
				look(&world, choice, level);
				row_add(&next, &world);
			}
		}
		free(now.worlds);
		now = next;
		next = (struct row){0};
	}
	free(now.worlds);
	free(seen.places);
	return seen.count;
}

static struct world world_make(uint8_t may_mint, uint8_t kills, uint8_t faults)
{
	return (struct world){.now_ms = BEGIN_MS,
			      .started_ms = BEGIN_MS,
			      .kills = kills,
			      .faults = faults,
			      .may_mint = may_mint};
}

static void one_object(void **context)
{
	struct world world = world_make(1, 3, 3);
	size_t states = every_order(&world, DEPTH + 2);

	(void)context;
	print_message("# %zu states within %d steps\n", states, DEPTH + 2);
	assert_true(states > STATES_LEAST);
}

static void two_objects(void **context)
{
	struct world world = world_make(2, 2, 1);
	size_t states = every_order(&world, DEPTH - 3);

	(void)context;
	print_message("# %zu states within %d steps\n", states, DEPTH - 3);
	assert_true(states > STATES_LEAST);
}

static void journal_lost(void **context)
{
	struct world world = world_make(1, 2, 2);
	size_t states;

	(void)context;
	world.objects[2] = true;
	states = every_order(&world, DEPTH - 2);
	print_message("# %zu states within %d steps\n", states, DEPTH - 2);
	assert_true(states > STATES_LEAST);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		CASE(one_object,
		     "autoscale/crash: one object, killed between any two steps: no orphan, "
		     "no double, and all ends well"),
		CASE(two_objects,
		     "autoscale/crash: two objects, killed between any two steps: no orphan, "
		     "no double, and all ends well"),
		CASE(journal_lost,
		     "autoscale/crash: what a lost journal leaves is found and deleted"),
	};

	return unit_run("provision", cases, sizeof(cases) / sizeof(cases[0]));
}

// SPDX-License-Identifier: GPL-2.0-only
/* The simulator's world: requests, queues, boots, drains and what they cost. */
#include "model/simulate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/simulate_private.h"

#define TARGET_SHARE 0.75 /* of a backend's capacity, unless it is given */
#define BUSY_MAX     0.99 /* of a queue's formula; what is above is in the backlog */
#define SEARCHES     7    /* of a target: within a percent */
#define TARGET_LEAST 0.1  /* of the config's */

enum stage {
	STAGE_BOOTING = 0,
	STAGE_READY,
	STAGE_DRAINING
};

struct machine {
	enum stage stage;
	double ready_s; /* when it has booted */
	double end_s;   /* of its drain, at the latest */
	double queue;   /* requests */
	double live;    /* long flows */
};

struct world {
	const struct simulation *simulation;
	struct machine *machines;
	uint32_t count, room;
	uint32_t ready, warming, booting, draining;
	struct policy_memory memory;
	struct simulation_result result;
	uint64_t random;
	int direction;  /* of the last action */
	double short_s; /* since when load is above all that is ordered; < 0: it is not */
	uint32_t shortages;
	double shares;   /* weights of all ready ones, 1 = full */
	double capacity; /* of all ready ones */
	double bad;      /* requests of this second that were refused or slow */
};

struct simulation simulation_defaults(const struct trace *trace,
				      const struct autoscale_config *scale)
{
	return (struct simulation){
		.trace = trace,
		.slow_start = true,
		.scale = scale,
		.capacity = scale->target / TARGET_SHARE,
		.boot_s = 60,
		.boot_jitter = 0.1,
		.warmup_s = 30,
		.cold = 0.1,
		.queue_s = 2,
		.slo_ms = 250,
		.service_ms = 20,
		.slo_percent = 1,
		.long_share = 0.1,
		.long_s = 60,
		.seed = 1,
	};
}

/* ------------------------------------------------------------------ chance */

/* splitmix64; a number from 0 up to but not including 1. */
static double random_part(struct world *world)
{
	uint64_t word = world->random += 0x9e3779b97f4a7c15ULL;

	word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ULL;
	word = (word ^ (word >> 27)) * 0x94d049bb133111ebULL;
	word ^= word >> 31;
	return (double)(word >> 11) * 0x1p-53;
}

/* Arrivals of a second: Poisson's law by the normal one, which it comes close to. */
static double random_arrivals(struct world *world, double rate)
{
	double radius = sqrt(-2 * log(1 - random_part(world)));
	double arrivals = rate + sqrt(rate) * radius * cos(2 * M_PI * random_part(world));

	return arrivals > 0 ? floor(arrivals + 0.5) : 0;
}

/* ------------------------------------------------------------------ machines */

static int machine_add(struct world *world, double ready_s)
{
	struct machine *machines = world->machines;

	if (world->count == world->room) {
		uint32_t room = world->room ? world->room * 2 : 64;

		machines = reallocarray(machines, room, sizeof(*machines));
		if (!machines)
			return -ENOMEM;
		world->machines = machines;
		world->room = room;
	}
	machines[world->count++] = (struct machine){.stage = STAGE_BOOTING, .ready_s = ready_s};
	return 0;
}

/* The order stays: the oldest is the first. */
static void machine_remove(struct world *world, uint32_t which)
{
	world->count--;
	memmove(world->machines + which, world->machines + which + 1,
		(world->count - which) * sizeof(*world->machines));
}

/* How much of its capacity a machine has, from cold to full. */
static double warmth(const struct simulation *simulation, const struct machine *machine,
		     double now_s)
{
	double age_s = now_s - machine->ready_s;

	if (age_s >= simulation->warmup_s)
		return 1;
	return simulation->cold + (1 - simulation->cold) * age_s / simulation->warmup_s;
}

static double share_of(const struct simulation *simulation, const struct machine *machine,
		       double now_s)
{
	return simulation->slow_start ? warmth(simulation, machine, now_s) : 1;
}

static void machines_count(struct world *world, double now_s)
{
	world->ready = world->warming = world->booting = world->draining = 0;
	world->shares = world->capacity = 0;
	for (uint32_t i = 0; i < world->count; i++) {
		struct machine *machine = &world->machines[i];

		if (machine->stage == STAGE_BOOTING && machine->ready_s <= now_s)
			machine->stage = STAGE_READY;
		world->booting += machine->stage == STAGE_BOOTING;
		world->draining += machine->stage == STAGE_DRAINING;
		if (machine->stage != STAGE_READY)
			continue;
		world->ready++;
		world->warming += now_s - machine->ready_s < world->simulation->warmup_s;
		world->shares += share_of(world->simulation, machine, now_s);
		world->capacity +=
			warmth(world->simulation, machine, now_s) * world->simulation->capacity;
	}
}

/* One second of one machine's queue. */
static void machine_serve(struct world *world, struct machine *machine, double arrivals,
			  double now_s)
{
	const struct simulation *simulation = world->simulation;
	double capacity = simulation->capacity * warmth(simulation, machine, now_s);
	double before = machine->queue, after = fmax(before + arrivals - capacity, 0);
	double refused = fmax(after - capacity * simulation->queue_s, 0), latency_ms;

	machine->queue = after - refused;
	latency_ms = simulation->service_ms / (1 - fmin(arrivals / capacity, BUSY_MAX)) +
		     1000 * (before + machine->queue) / 2 / capacity;
	refused = fmin(refused, arrivals);
	world->bad += latency_ms > simulation->slo_ms ? arrivals : refused;
	world->result.refused += refused;
	machine->live += (arrivals - refused) * simulation->long_share;
}

/* Whether it is gone: its last flow has ended, or the drain's time is over. */
static bool machine_drained(struct world *world, const struct machine *machine, double now_s)
{
	if (machine->live < 0.5 && machine->queue < 1)
		return true;
	if (now_s < machine->end_s)
		return false;
	world->result.broken += machine->live + machine->queue;
	return true;
}

static void machines_run(struct world *world, double arrivals, double now_s)
{
	double decay = exp(-1 / world->simulation->long_s);

	world->bad = world->shares > 0 ? 0 : arrivals;
	world->result.refused += world->bad;
	for (uint32_t i = world->count; i > 0; i--) {
		struct machine *machine = &world->machines[i - 1];
		double share = 0;

		world->result.backend_h += 1.0 / 3600;
		if (machine->stage == STAGE_BOOTING)
			continue;
		machine->live *= decay;
		if (machine->stage == STAGE_READY)
			share = share_of(world->simulation, machine, now_s) / world->shares;
		machine_serve(world, machine, arrivals * share, now_s);
		if (machine->stage == STAGE_DRAINING && machine_drained(world, machine, now_s))
			machine_remove(world, i - 1);
	}
}

/* ------------------------------------------------------------------ actions */

static int grow(struct world *world, uint32_t missing, double now_s)
{
	const struct simulation *simulation = world->simulation;
	bool takes_back = simulation->policy == POLICY_SLUICE || simulation->policy == POLICY_BOUND;

	for (uint32_t i = world->count; takes_back && missing && i > 0; i--) {
		if (world->machines[i - 1].stage != STAGE_DRAINING)
			continue;
		world->machines[i - 1].stage = STAGE_READY;
		missing--;
	}
	while (missing--) {
		double jitter = 1 + simulation->boot_jitter * (2 * random_part(world) - 1);

		if (machine_add(world, now_s + simulation->boot_s * jitter))
			return -ENOMEM;
	}
	return 0;
}

/*
 * Which one goes: ours the one with the fewest flows; a deployment's newest, those that boot
 * before all others; of a group of instances the oldest.
 */
static uint32_t victim(const struct world *world)
{
	enum policy policy = world->simulation->policy;
	uint32_t best = UINT32_MAX;

	for (uint32_t i = 0; i < world->count; i++) {
		const struct machine *machine = &world->machines[i];

		if (machine->stage == STAGE_DRAINING)
			continue;
		if ((policy == POLICY_SLUICE || policy == POLICY_BOUND) &&
		    machine->stage == STAGE_BOOTING)
			continue;
		if (best == UINT32_MAX || policy == POLICY_HPA || policy == POLICY_KPA ||
		    (policy != POLICY_AWS && machine->live <= world->machines[best].live))
			best = i;
	}
	return best;
}

static void shrink(struct world *world, uint32_t excess, double now_s)
{
	while (excess--) {
		uint32_t which = victim(world);

		if (which == UINT32_MAX)
			return;
		if (world->machines[which].stage == STAGE_BOOTING) {
			machine_remove(world, which);
			continue;
		}
		world->machines[which].stage = STAGE_DRAINING;
		world->machines[which].end_s = now_s + policy_grace_s(world->simulation);
	}
}

static int follow(struct world *world, uint32_t wanted, double now_s)
{
	uint32_t have = world->ready + world->booting;
	int direction = wanted > have ? 1 : -1;

	if (wanted == have)
		return 0;
	world->result.actions++;
	world->result.flips += world->direction && world->direction != direction;
	world->direction = direction;
	if (wanted > have)
		return grow(world, wanted - have, now_s);
	shrink(world, have - wanted, now_s);
	return 0;
}

/* From the second in which load is above all that is there or ordered, until enough is ordered. */
static void reaction_note(struct world *world, double rate, double now_s)
{
	double ordered = (world->ready + world->booting) * world->simulation->capacity;
	double took_s;

	if (rate > ordered) {
		if (world->short_s < 0)
			world->short_s = now_s;
		return;
	}
	if (world->short_s < 0)
		return;
	took_s = now_s - world->short_s;
	world->short_s = -1;
	world->result.react_s += (took_s - world->result.react_s) / ++world->shortages;
	world->result.react_max_s = fmax(world->result.react_max_s, took_s);
}

/* ------------------------------------------------------------------ time */

static double target_used(const struct simulation *simulation)
{
	return simulation->target > 0 ? simulation->target : simulation->scale->target;
}

static void second_tell(const struct world *world, double now_s, double rate, bool violated)
{
	const struct simulation_second second = {
		.time_s = now_s,
		.rate = rate,
		.active = world->ready,
		.booting = world->booting,
		.draining = world->draining,
		.need = (uint32_t)ceil(rate / target_used(world->simulation)),
		.capacity = world->capacity,
		.violated = violated,
	};

	if (world->simulation->watch)
		world->simulation->watch(world->simulation->context, &second);
}

static int second_run(struct world *world, uint64_t second)
{
	const struct simulation *simulation = world->simulation;
	double now_s = (double)second, rate = trace_rate(simulation->trace, now_s + 0.5);
	double arrivals = random_arrivals(world, rate);
	struct policy_view view;
	bool violated;
	int err;

	machines_count(world, now_s);
	reaction_note(world, rate, now_s);
	machines_run(world, arrivals, now_s);
	violated = world->bad > arrivals * simulation->slo_percent / 100;
	world->result.violation_s += violated;
	world->result.requests += arrivals;
	second_tell(world, now_s, rate, violated);
	if (world->count > world->result.most)
		world->result.most = world->count;
	machines_count(world, now_s + 1);
	view = (struct policy_view){
		.second = second,
		.load = arrivals,
		.true_rate = trace_rate(simulation->trace, now_s + 1.5),
		.target = target_used(simulation),
		.ready = world->ready,
		.warming = world->warming,
		.booting = world->booting,
		.draining = world->draining,
		.min = simulation->scale->min,
		.max = simulation->scale->max,
	};
	err = follow(world, policy_decide(simulation, &world->memory, &view), now_s + 1);
	return err;
}

/* The pool that the first second needs, warm. */
static int world_begin(struct world *world)
{
	const struct simulation *simulation = world->simulation;
	double need = ceil(trace_rate(simulation->trace, 0) / target_used(simulation));
	int err = 0;

	need = fmin(fmax(need, simulation->scale->min), simulation->scale->max);
	while (!err && world->count < need)
		err = machine_add(world, -simulation->warmup_s);
	return err;
}

int simulate(const struct simulation *simulation, struct simulation_result *ret_result)
{
	struct world *world = calloc(1, sizeof(*world));
	int err;

	if (!world)
		return -ENOMEM;
	world->simulation = simulation;
	world->random = simulation->seed;
	world->short_s = -1;
	err = world_begin(world);
	for (uint64_t second = 0; !err && (double)second < simulation->trace->length_s; second++)
		err = second_run(world, second);
	if (!err)
		*ret_result = world->result;
	free(world->machines);
	free(world);
	return err;
}

int simulate_target(const struct simulation *simulation, double cost_h, double *ret_target)
{
	struct simulation run = *simulation;
	struct simulation_result result;
	double low = simulation->scale->target * TARGET_LEAST, high = simulation->scale->target;
	int err;

	run.target = high;
	run.watch = NULL;
	err = simulate(&run, &result);
	if (!err && result.backend_h >= cost_h)
		low = high;
	for (int i = 0; !err && low < high && i < SEARCHES; i++) {
		run.target = (low + high) / 2;
		err = simulate(&run, &result);
		if (result.backend_h >= cost_h)
			low = run.target;
		else
			high = run.target;
	}
	*ret_target = low;
	return err;
}

int simulate_beside(struct simulation *simulation, double ours_h,
		    struct simulation_result *ret_result)
{
	double cost_h = ours_h / SIMULATE_COST_ROOM;
	int err;

	simulation->target = simulation->scale->target;
	err = simulate(simulation, ret_result);
	if (err || ret_result->backend_h >= cost_h)
		return err;
	err = simulate_target(simulation, cost_h, &simulation->target);
	return err ? err : simulate(simulation, ret_result);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Pools that change step by step, and what packets find between the steps. */
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "rig.h"

#define CHANGES       100u
#define HALF_CHANGES  30u
#define SETTLE_ROUNDS 2u
#define SETTLE_S      30

struct watch {
	struct rig *rig;
	struct rig_flow *flows;
	uint64_t random;
	uint32_t renewed; /* flows that end and begin anew at each pause */
};

/*
 * A packet of every flow. Some clients are followed by others, whose SYN is sent here and whose
 * ACK only after the next step.
 */
static void packets_send(struct watch *watch)
{
	struct rig *rig = watch->rig;

	for (uint32_t i = 0; i < RIG_FLOWS; i++)
		rig_send(rig, &watch->flows[i], RIG_NEXT);
	for (uint32_t i = 0; i < watch->renewed; i++) {
		struct rig_flow *flow = &watch->flows[below(&watch->random, RIG_FLOWS)];

		rig_flow_new(rig, flow, flow->service, &watch->random);
		rig_send(rig, flow, RIG_OPEN);
	}
}

static void all_send(void *data)
{
	struct watch *watch = data;

	packets_send(watch);
	rig_assert(watch->rig);
}

static void watch_start(struct watch *watch, struct rig *rig, uint64_t seed)
{
	*watch = (struct watch){.rig = rig, .random = seed, .renewed = 100};
	rig->random = seed + 1;
	rig_start(rig);
	watch->flows = rig_flows_open(rig, &watch->random);
}

static void each_step(void **context)
{
	struct rig *rig = *context;
	struct watch watch;

	watch_start(&watch, rig, 1);
	for (uint32_t change = 0; change < CHANGES; change++) {
		uint32_t tick = dataplane_tick(rig->dataplane);

		all_send(&watch);
		if (change % 8 == 7)
			rig_purge(rig, tick);
		rig_change_random(rig, all_send, &watch);
	}
	all_send(&watch);
	rig_assert_counters(rig);
	free(watch.flows);
}

/* Packets, and passes of the sweep as of before them with more in between, until slots settle. */
static void settle(struct watch *watch)
{
	struct rig *rig = watch->rig;
	time_t deadline = time(NULL) + SETTLE_S;
	uint32_t before = rig_unsettled(rig, false), tick;

	assert_true(rig_unsettled(rig, true) > 0);
	while (rig_unsettled(rig, true) > 0) {
		assert_true(time(NULL) < deadline);
		tick = dataplane_tick(rig->dataplane);
		do
			all_send(watch);
		while (!sweep_step(rig->sweep, rig->maps->meta->flow_buckets / 2, tick));
	}
	assert_true(rig_unsettled(rig, false) < before);
}

static void settling(void **context)
{
	struct rig *rig = *context;
	struct watch watch;

	watch_start(&watch, rig, 2);
	rig->tracking_stays = true;
	for (uint32_t round = 0; round < SETTLE_ROUNDS; round++) {
		for (uint32_t change = 0; change < 12; change++) {
			rig_change_random(rig, NULL, NULL);
			all_send(&watch);
		}
		settle(&watch);
		all_send(&watch);
	}
	for (uint32_t change = 0; change < 6; change++)
		rig_change_random(rig, all_send, &watch);
	free(watch.flows);
}

/*
 * Writes into the slot tables are paused by taking the right to write away: the handler of the
 * fault runs packets before it gives the page back. It is told nothing but the address.
 */
static struct pauses {
	struct watch watch;
	uint32_t count;
} * pauses;

static size_t tables_size(const struct rig *rig)
{
	return rig->maps->meta->slot_lines * sizeof(struct slot_line);
}

static void pause_at_fault(int number, siginfo_t *info, void *context)
{
	struct rig *rig = pauses->watch.rig;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t tables = (uintptr_t)rig->maps->slots, place = (uintptr_t)info->si_addr;

	(void)context;
	if (place < tables || place >= tables + tables_size(rig)) {
		signal(number, SIG_DFL); /* a fault of another kind: it comes again */
		return;
	}
	pauses->count++;
	packets_send(&pauses->watch);
	mprotect((char *)rig->maps->slots + (place - tables) / page * page, page,
		 PROT_READ | PROT_WRITE);
}

static void pages_protect(void *data)
{
	struct pauses *own = data;
	struct rig *rig = own->watch.rig;

	all_send(&own->watch);
	assert_int_equal(mprotect(rig->maps->slots, tables_size(rig), PROT_READ), 0);
}

static void half_written(void **context)
{
	struct sigaction action = {.sa_sigaction = pause_at_fault, .sa_flags = SA_SIGINFO}, before;
	struct rig *rig = *context;
	struct pauses own = {.count = 0};

	watch_start(&own.watch, rig, 7);
	pauses = &own;
	assert_int_equal(sigaction(SIGSEGV, &action, &before), 0);
	pages_protect(&own);
	for (uint32_t change = 0; change < HALF_CHANGES; change++)
		rig_change_random(rig, pages_protect, &own);
	sigaction(SIGSEGV, &before, NULL);
	/* A table lies on four or five pages; not every change makes one. */
	assert_true(own.count > HALF_CHANGES);
	free(own.watch.flows);
}

/* A backend of the service that owns no slot and has this number; others come and go before it. */
static uint32_t number_reuse(struct rig *rig, uint32_t service, uint32_t number)
{
	const char *name = rig->services[service].name;
	char text[16];

	for (;;) {
		struct state *draft = rig_draft(rig);
		uint32_t serial = rig_add(rig, draft, service, 0);
		const struct pool_backend *backend;

		assert_true(serial > 0);
		backend = backend_of(draft, name, rig_name(serial, text));
		if (backend->number == number) {
			rig_change(rig, service, draft, NULL, NULL);
			return serial;
		}
		rig_change(rig, service, draft, NULL, NULL);
		draft = rig_draft(rig);
		assert_int_equal(state_backend_remove(draft, name, text, NULL), 0);
		rig_change(rig, service, draft, NULL, NULL);
		rig_purge(rig, dataplane_tick(rig->dataplane));
	}
}

/* Its flows are silent from before its end until its number is another's. */
static void number_reused(struct rig *rig, struct watch *watch, uint32_t service)
{
	uint32_t silent = watch->flows[service].serial, fresh, number, count = 0;
	const char *name = rig->services[service].name;
	struct state *draft = rig_draft(rig);
	char text[16];

	number = backend_of(draft, name, rig_name(silent, text))->number;
	assert_int_equal(state_backend_remove(draft, name, text, NULL), 0);
	rig_change(rig, service, draft, NULL, NULL);
	rig_purge(rig, dataplane_tick(rig->dataplane));
	fresh = number_reuse(rig, service, number);
	for (uint32_t i = service; i < RIG_FLOWS; i += RIG_SERVICES) {
		if (watch->flows[i].serial != silent)
			continue;
		rig_send(rig, &watch->flows[i], RIG_NEXT);
		assert_int_not_equal(watch->flows[i].serial, fresh);
		count++;
	}
	assert_true(count > RIG_SERVICE_FLOWS / 8);
	rig_assert(rig);
}

static void reuse(void **context)
{
	struct rig *rig = *context;
	struct watch watch;

	watch_start(&watch, rig, 3);
	/* So that minimal tracking has entries too: pinned while their slots are not settled. */
	for (uint32_t i = 0; i < RIG_SERVICES; i++) {
		struct state *draft = rig_draft(rig);
		char text[16];

		assert_int_equal(state_backend_weight(draft, rig->services[i].name,
						      rig_name(4 * i + 1, text), 1, NULL),
				 0);
		rig_change(rig, i, draft, NULL, NULL);
	}
	all_send(&watch);
	for (uint32_t i = 0; i < RIG_SERVICES; i++)
		number_reused(rig, &watch, i);
	free(watch.flows);
}

static const struct CMUnitTest cases[] = {
	{"flows/between any two steps of a change a packet follows the old pool or the new",
	 each_step, rig_open, rig_close, NULL},
	{"flows/while a table is being written, packets do not see it", half_written, rig_open,
	 rig_close, NULL},
	{"flows/slots settle while flows go on, and nobody moves, then or later", settling,
	 rig_open, rig_close, NULL},
	{"flows/a number that another backend gets after a purge inherits no old flow", reuse,
	 rig_open, rig_close, NULL},
};

UNIT_MAIN("agent/updates", cases)

// SPDX-License-Identifier: GPL-2.0-only
/* Schedulers' shares, and affinity. */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"

#define VIP      "198.51.100.80"
#define BACKENDS 5u

static const uint32_t weights[BACKENDS] = {100, 200, 300, 400, 0};

static void pool(struct lab *lab, enum scheduler scheduler)
{
	struct service *service = lab_service(lab, 1, VIP, IPPROTO_TCP, 0);

	service->scheduler = (uint8_t)scheduler;
	for (uint32_t number = 0; number < BACKENDS; number++)
		lab_backend(lab, 1, number, NULL, NULL);
	lab_table(lab, 1, weights, BACKENDS);
}

static int send_flow(struct lab *lab, uint32_t number, int flags)
{
	struct spec spec = {.to = VIP, .port = 80, .flags = flags, .payload_length = -1};
	char text[16];

	snprintf(text, sizeof(text), "10.1.%u.%u", number >> 8 & 255, number & 255);
	spec.from = text;
	spec.source_port = (uint16_t)(1000 + number % 50000);
	return lab_send(lab, &spec);
}

/* Open flows; fail if a backend's share is not its weight's, to within so many flows. */
static void check_shares(struct lab *lab, uint32_t flows, double tolerance)
{
	uint32_t counts[BACKENDS] = {0};

	for (uint32_t i = 0; i < flows; i++) {
		int backend = send_flow(lab, i, FLAG_SYN);

		assert_in_range(backend, 0, BACKENDS - 1);
		counts[backend]++;
	}
	for (uint32_t i = 0; i < BACKENDS; i++) {
		double expected = (double)flows * weights[i] / 1000;
		double difference = (double)counts[i] - expected;

		if (difference < 0)
			difference = -difference;
		if (difference > tolerance)
			fail_msg("backend %u of weight %u got %u of %u flows", i, weights[i],
				 counts[i], flows);
	}
}

static void check_flows_stay(struct lab *lab)
{
	const uint32_t even[BACKENDS] = {1, 1, 1, 1, 1};
	int backends[500];

	memset(lab->flows, 0, LAB_BUCKETS * sizeof(struct flow_bucket));
	for (uint32_t i = 0; i < 500; i++)
		backends[i] = send_flow(lab, i, FLAG_SYN);
	lab_table(lab, 1, even, BACKENDS);
	for (uint32_t i = 0; i < 500; i++) {
		assert_int_equal(send_flow(lab, i, FLAG_SYN), backends[i]);
		assert_int_equal(send_flow(lab, i, FLAG_ACK), backends[i]);
	}
}

#define FLOWS 20000u

CASE(maglev_shares, "conformance/scheduler: maglev's shares follow weights, and flows stay")
{
	struct lab *lab = *state;

	pool(lab, SCHEDULER_MAGLEV);
	/* Six standard deviations of the largest share: 6 * sqrt(20000 * 0.4 * 0.6). */
	check_shares(lab, FLOWS, 420);
	check_flows_stay(lab);
}

CASE(random_shares, "conformance/scheduler: random's shares follow weights, and flows stay")
{
	struct lab *lab = *state;

	pool(lab, SCHEDULER_RANDOM);
	check_shares(lab, FLOWS, 420);
	check_flows_stay(lab);
}

CASE(round_robin_shares, "conformance/scheduler: round robin's shares are exact, and flows stay")
{
	struct lab *lab = *state;
	cpu_set_t before, one;
	int cpu = sched_getcpu();

	pool(lab, SCHEDULER_ROUND_ROBIN);
	/* Turns are a CPU's own: on one, a round takes every slot once, and shares are exact. */
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&one);
	CPU_SET((unsigned int)cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	check_shares(lab, LAB_SLOTS, 1);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	check_flows_stay(lab);
}

CASE(least_flows_shares,
     "conformance/scheduler: least flows keeps live flows by weight, and flows stay")
{
	struct lab *lab = *state;
	uint32_t live = 0;

	pool(lab, SCHEDULER_LEAST_FLOWS);
	/* Much closer than chance: the fuller of two is never taken. */
	check_shares(lab, 4000, 40);
	for (uint32_t i = 0; i < BACKENDS; i++)
		live += lab->loads[LAB_SERVICE_BACKENDS + i].live;
	assert_int_equal(live, 4000);
	check_flows_stay(lab);
}

CASE(least_flows_fills_an_empty_backend,
     "conformance/scheduler: least flows prefers a backend that has none")
{
	struct lab *lab = *state;

	pool(lab, SCHEDULER_LEAST_FLOWS);
	for (uint32_t i = 1; i < BACKENDS; i++)
		lab->loads[LAB_SERVICE_BACKENDS + i].live = 100000;
	lab->loads[LAB_SERVICE_BACKENDS].live = 0;
	/* It owns a tenth of the slots: two draws meet it in 19 of 100 cases. */
	uint32_t taken = 0;
	for (uint32_t i = 0; i < 2000; i++)
		taken += send_flow(lab, i, FLAG_SYN) == 0;
	assert_in_range(taken, 380 - 6 * 18, 380 + 6 * 18);
}

CASE(first_datagrams_are_scheduled,
     "conformance/scheduler: a first datagram is scheduled and the next follow it")
{
	struct lab *lab = *state;
	uint32_t seen = 0;

	pool(lab, SCHEDULER_RANDOM);
	lab_service(lab, 1, VIP, IPPROTO_UDP, 0)->scheduler = SCHEDULER_RANDOM;
	lab_table(lab, 1, weights, BACKENDS);
	for (uint16_t i = 0; i < 100; i++) {
		const struct spec spec = {.from = "10.1.2.3",
					  .to = VIP,
					  .source_port = i,
					  .port = 53,
					  .protocol = IPPROTO_UDP};
		int backend = lab_send(lab, &spec);

		assert_in_range(backend, 0, BACKENDS - 1);
		seen |= 1u << backend;
		assert_int_equal(lab_send(lab, &spec), backend);
	}
	assert_int_equal(seen, 0x0f);
}

CASE(unpinned_flow_goes_by_its_hash,
     "conformance/scheduler: a flow that finds no room goes by its hash")
{
	const struct spec syn = {
		.from = "10.1.2.3", .to = VIP, .source_port = 9, .port = 80, .flags = FLAG_SYN};
	struct lab *lab = *state;
	uint64_t hash = lab_hash(&syn);
	uint32_t now = lab_now(lab);

	pool(lab, SCHEDULER_RANDOM);
	for (uint32_t i = 0; i < SLUICE_FLOWS_PER_BUCKET; i++)
		lab->flows[hash & (LAB_BUCKETS - 1)].entries[i] =
			flow_entry(hash ^ ((uint64_t)(i + 1) << SLUICE_TAG_SHIFT),
				   LAB_SERVICE_BACKENDS, now, FLOW_PROVEN);
	/* Nowhere to keep a choice, so that each packet has to find the same one again. */
	int backend = lab_send(lab, &syn);
	for (int i = 0; i < 50; i++)
		assert_int_equal(lab_send(lab, &syn), backend);
}

static uint32_t backends_by_port(struct lab *lab, bool destination)
{
	uint32_t seen = 0;

	memset(lab->flows, 0, LAB_BUCKETS * sizeof(struct flow_bucket));
	for (uint16_t i = 0; i < 200; i++) {
		const struct spec spec = {.from = "10.1.2.3",
					  .to = VIP,
					  .flags = FLAG_SYN,
					  .source_port = destination ? 1000 : (uint16_t)(1000 + i),
					  .port = destination ? (uint16_t)(1000 + i) : 80};

		seen |= 1u << lab_send(lab, &spec);
	}
	return seen;
}

CASE(affinity_reduces_the_flow, "conformance/affinity: source and source_port ignore what they say")
{
	struct lab *lab = *state;
	struct service *service;

	pool(lab, SCHEDULER_MAGLEV);
	service = &lab->services[1];
	assert_int_equal(backends_by_port(lab, false), 0x0f);
	assert_int_equal(backends_by_port(lab, true), 0x0f);
	service->affinity = AFFINITY_SOURCE;
	assert_int_equal(__builtin_popcount(backends_by_port(lab, false)), 1);
	assert_int_equal(__builtin_popcount(backends_by_port(lab, true)), 1);
	service->affinity = AFFINITY_SOURCE_PORT;
	assert_int_equal(__builtin_popcount(backends_by_port(lab, false)), 1);
	assert_int_equal(backends_by_port(lab, true), 0x0f);
}

CASE(affinity_holds_in_minimal_tracking,
     "conformance/affinity: minimal tracking sends a source to the same backend")
{
	struct lab *lab = *state;

	pool(lab, SCHEDULER_MAGLEV);
	lab->services[1].affinity = AFFINITY_SOURCE;
	uint32_t full = backends_by_port(lab, false);
	lab->services[1].tracking = TRACKING_MINIMAL;
	assert_int_equal(backends_by_port(lab, false), full);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Random and mutated packets through the loaded program and through the model: all must agree. */
#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "differential.h"
#include "nat.h"
#include "sluice.skel.h"

#define PACKETS       100000u
#define PACKETS_WIRE  20000u
#define ROUND_PACKETS 500u /* with one config; then another */
#define ROUND_TIME_S  2    /* then a new one: what the clock forgets is not modelled */

/* What no round changes: several ports and protocols of one VIP, an any-port service beside them. */
static const struct reference_service services[REFERENCE_SERVICES] = {
	{.vip = "198.51.100.10", .protocol = IPPROTO_TCP, .port = 80},
	{.vip = "198.51.100.10", .protocol = IPPROTO_UDP, .port = 443},
	{.vip = "198.51.100.10", .protocol = IPPROTO_TCP},
	{.vip = "198.51.100.20", .protocol = IPPROTO_UDP},
	{.vip = "2001:db8:1::10", .protocol = IPPROTO_TCP, .port = 80},
	{.vip = "2001:db8:1::10", .protocol = IPPROTO_UDP, .port = 443},
	{.vip = "2001:db8:2::20", .protocol = IPPROTO_TCP},
};

/* In mode nat each has an address of its own, seldom of the wrong family. */
static void backend_make(struct round *round, uint32_t service, uint32_t number)
{
	struct reference_service *of = &round->reference->services[service];
	struct reference_backend *backend = &of->backends[number];
	bool v6 = one_in(round, 2);

	*backend = (struct reference_backend){
		.alive = !one_in(round, 5),
		.reachable = !one_in(round, 10),
		.mode = (uint8_t)random_below(round, 4),
		.egress = one_in(round, 3) ? LAB_EGRESS_OTHER : LAB_EGRESS_SAME,
		.from = v6 ? "2001:db8:9::1" : "192.0.2.1",
		.port = of->port ? (uint16_t)(8000 + number) : 0,
	};
	if (backend->mode != FORWARD_MODE_NAT) {
		snprintf(backend->to, sizeof(backend->to), "%s",
			 v6 ? "2001:db8:9::2" : "192.0.2.2");
		return;
	}
	if (!one_in(round, 8))
		v6 = strchr(of->vip, ':');
	snprintf(backend->to, sizeof(backend->to), v6 ? "fd00:1::%x:%x" : "10.1.%x.%x", service + 1,
		 number + 1);
}

static void backend_write(struct round *round, uint32_t service, uint32_t number)
{
	const struct reference_service *of = &round->reference->services[service];
	const struct reference_backend *from = &of->backends[number];
	bool tunnel = from->mode != FORWARD_MODE_L2;
	struct backend *backend = lab_backend(round->lab, service, number,
					      strchr(from->to, ':') ? "2001:db8:9::1" : "192.0.2.1",
					      tunnel ? from->to : NULL);

	backend->mode = from->mode;
	if (of->vlan != VLAN_KEEP || of->client_vlan != VLAN_KEEP)
		backend->mode |= BACKEND_RETAGS;
	backend->port = htons(from->port);
	if (from->reachable)
		backend->nexthop.egress = (uint16_t)from->egress;
	else
		backend->nexthop.word = 0;
	backend->state = from->alive ? BACKEND_ALIVE : BACKEND_DEAD;
	if (from->mode == FORWARD_MODE_NAT)
		nat_reply_set(round->lab, service, number, of->protocol, of->vip, of->port);
}

static uint16_t owner_random(struct round *round)
{
	uint32_t owner = random_below(round, REFERENCE_BACKENDS + 1);

	return (uint16_t)(owner == REFERENCE_BACKENDS ? SLUICE_NO_BACKEND : owner);
}

static void slots_make(struct round *round, struct reference_service *service)
{
	bool empty = one_in(round, 10), settled = one_in(round, 3);

	for (uint32_t slot = 0; slot < LAB_SLOTS; slot++) {
		uint16_t owner = empty ? (uint16_t)SLUICE_NO_BACKEND : owner_random(round);

		service->current[slot] = owner;
		service->previous[slot] =
			settled || !one_in(round, 3) ? owner : owner_random(round);
	}
}

static void service_write(struct round *round, uint32_t number, uint32_t now)
{
	const struct reference_service *from = &round->reference->services[number];
	struct service *service =
		lab_service(round->lab, number, from->vip, from->protocol, from->port);
	uint32_t line = number * LAB_TABLE_LINES;

	service->table = table_word(line, 1, now);
	service->grace_ticks = from->in_grace ? SLUICE_SEEN_MASK : 0;
	service->protocol = from->protocol;
	service->tracking = from->minimal ? TRACKING_MINIMAL : TRACKING_FULL;
	service->affinity = from->affinity;
	service->quic = from->quic;
	service->vlan = from->vlan;
	service->client_vlan = from->client_vlan;
	service->empty = from->empty_passes ? EMPTY_PASS : EMPTY_DROP;
	for (uint32_t slot = 0; slot < LAB_SLOTS; slot++)
		round->lab->slots[line + slot / SLUICE_SLOTS_PER_LINE]
			.slots[slot % SLUICE_SLOTS_PER_LINE] =
			slot_word(from->current[slot], from->previous[slot]);
	for (uint32_t i = 0; i < REFERENCE_BACKENDS; i++)
		backend_write(round, number, i);
}

static uint16_t vlan_random(struct round *round)
{
	static const uint16_t vlans[] = {VLAN_NONE, 1, 777, VLAN_ID_MAX};

	return one_in(round, 2) ? VLAN_KEEP : vlans[random_below(round, 4)];
}

static void round_start(struct round *round)
{
	struct lab *lab = round->lab;

	round->now = lab_now(round->lab);
	round->answer.from = NULL;
	lab_reset((void **)&lab);
	memset(round->reference, 0, sizeof(*round->reference));
	/* Without the clients' network nobody knows where answers would go. */
	round->reference->has_nat = round->has_network;
	assert_int_equal(nat_use_set(lab, round->has_network), 0);
	for (uint32_t i = 0; i < REFERENCE_SERVICES; i++) {
		struct reference_service *service = &round->reference->services[i];

		*service = services[i];
		service->minimal = one_in(round, 3);
		service->quic = service->protocol == IPPROTO_UDP && one_in(round, 2);
		service->in_grace = one_in(round, 2);
		service->empty_passes = one_in(round, 2);
		service->vip_passes = service->protocol == IPPROTO_UDP;
		service->affinity = (uint8_t)random_below(round, 3);
		service->vlan = vlan_random(round);
		service->client_vlan = vlan_random(round);
		for (uint32_t j = 0; j < REFERENCE_BACKENDS; j++)
			backend_make(round, i, j);
		slots_make(round, service);
		service_write(round, i, round->now);
	}
}

/* Backends die and come back, and slots have other owners: flows are pinned where they were. */
static void round_change(struct round *round)
{
	for (uint32_t i = 0; i < REFERENCE_SERVICES; i++) {
		struct reference_service *service = &round->reference->services[i];

		for (uint32_t j = 0; j < REFERENCE_BACKENDS; j++)
			if (one_in(round, 4))
				service->backends[j].alive = !service->backends[j].alive;
		slots_make(round, service);
		service_write(round, i, round->now);
	}
}

/* A VIP has the answer of the first of its services. */
static void round_answers(struct round *round)
{
	for (uint32_t i = REFERENCE_SERVICES; i-- > 0;)
		lab_vip_pass(round->lab, services[i].vip, round->reference->services[i].vip_passes);
}

static bool results_equal(const struct result *got, const struct result *expected)
{
	if (got->verdict != expected->verdict || got->action != expected->action)
		return false;
	/* An address that only the filter takes for a VIP is looked at, and counted so. */
	if (got->bytes != expected->bytes && got->verdict != VERDICT_PASS_NOT_VIP)
		return false;
	if (got->action == XDP_DROP)
		return true;
	return got->frame.length == expected->frame.length &&
	       !memcmp(got->frame.data, expected->frame.data, got->frame.length);
}

static void packet_fail(const struct round *round, uint32_t number, const struct frame *frame,
			const struct result *got, const struct result *expected)
{
	print_message("round seed 0x%llx, packet %u, %zu bytes:\n", (unsigned long long)round->seed,
		      number, frame->length);
	for (size_t i = 0; i < frame->length; i++)
		print_message("%02x", frame->data[i]);
	print_message("\ngot verdict %d action %u bytes %llu\n", (int)got->verdict, got->action,
		      (unsigned long long)got->bytes);
	print_message("expected verdict %d action %u bytes %llu\n", (int)expected->verdict,
		      expected->action, (unsigned long long)expected->bytes);
	frame_assert_equal(&got->frame, &expected->frame);
	fail_msg("the data plane and the model differ");
}

/* Returns false when the round is over: it has taken too long. */
static bool packet_judge(struct round *round, uint32_t number)
{
	struct result got, expected;
	struct timespec now;
	struct frame frame;

	frame_random(round, &frame);
	/* So many answers may be sent at once; then the model would have to know the time. */
	if (number % 5 == 0)
		lab_bucket(round->lab, REPLY_KIND_ECHO, 0);
	if (!lab_carries(round->lab, &frame))
		return true;
	lab_run(round->lab, &frame, &got);
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec - round->start.tv_sec > ROUND_TIME_S)
		return false;
	round->run++;
	if (!reference_run(round->reference, &frame, &expected))
		return true;
	if (!results_equal(&got, &expected))
		packet_fail(round, number, &frame, &got, &expected);
	round->seen[got.verdict]++;
	round->judged++;
	return true;
}

static void round_run(struct round *round)
{
	round->random = round->seed;
	round_start(round);
	round_answers(round);
	clock_gettime(CLOCK_MONOTONIC, &round->start);
	for (uint32_t number = 0; number < ROUND_PACKETS; number++) {
		if (!packet_judge(round, number))
			return;
		if (number % 100 == 0)
			ring_buffer__consume(round->ring);
		if (number == ROUND_PACKETS / 2) {
			round_change(round);
			round_answers(round);
		}
	}
}

static int ring_ignore(void *context, void *data, size_t size)
{
	(void)context;
	(void)data;
	(void)size;
	return 0;
}

static void assert_seen(const struct round *round)
{
	static const enum verdict wanted[] = {
		VERDICT_PASS_NOT_IP,     VERDICT_PASS_NOT_VIP,    VERDICT_PASS_NO_SERVICE,
		VERDICT_PASS_EMPTY_POOL, VERDICT_FORWARD_L2,      VERDICT_FORWARD_IPIP,
		VERDICT_FORWARD_GUE,     VERDICT_HOLD_FRAGMENT,   VERDICT_DROP_MALFORMED,
		VERDICT_DROP_BAD_FLAGS,  VERDICT_DROP_EXT_CHAIN,  VERDICT_DROP_NO_SERVICE,
		VERDICT_DROP_EMPTY_POOL, VERDICT_DROP_NO_NEXTHOP, VERDICT_DROP_LOOP,
		VERDICT_FORWARD_NAT,     VERDICT_DROP_TTL,        VERDICT_REPLY_ECHO,
		VERDICT_PASS_ICMP,       VERDICT_DROP_ICMP_QUOTE};
	static const enum verdict returned[] = {VERDICT_RETURN_NAT, VERDICT_PASS_NAT};

	for (size_t i = 0; round->has_network && i < 2; i++)
		assert_true(round->seen[returned[i]]);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		assert_true(round->seen[wanted[i]]);
}

static int differential_close(void **state)
{
	nat_network_close(*state);
	return nat_close(state);
}

CASE_WITH(random_packets, "conformance/differential: random packets fare as the plain model says",
	  .open = lab_reset, .close = differential_close)
{
	const char *seed = getenv("SLUICE_TEST_SEED"), *packets = getenv("SLUICE_TEST_PACKETS");
	struct round round = {.lab = *state};
	uint64_t wanted =
		packets ? strtoull(packets, NULL, 0) : lab_frames(round.lab, PACKETS, PACKETS_WIRE);

	round.reference = malloc(sizeof(*round.reference));
	round.ring = ring_buffer__new(bpf_map__fd(round.lab->sluice->maps.held_fragments),
				      ring_ignore, NULL, NULL);
	assert_non_null(round.reference);
	assert_non_null(round.ring);
	round.has_network = nat_network_open(round.lab);
	/* A round's seed is odd and so never 0. */
	for (uint64_t number = 1; round.judged < (seed ? 1 : wanted); number++) {
		round.seed = seed ? strtoull(seed, NULL, 0) : number * 0x9e3779b97f4a7c15ULL | 1;
		round_run(&round);
		assert_true(number < wanted);
	}
	/* The generator may not drift to what the model does not tell. */
	assert_in_range(round.judged, round.run / 5 * 4, round.run);
	if (!seed)
		assert_seen(&round);
	ring_buffer__free(round.ring);
	free(round.reference);
}

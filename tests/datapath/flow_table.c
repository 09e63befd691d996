// SPDX-License-Identifier: GPL-2.0-only
/* Who gets into the flow table, and who has to go. */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"

#define VIP    "198.51.100.80"
#define CLIENT "203.0.113.5"
#define BASE   LAB_SERVICE_BACKENDS

static const struct spec ack = {.from = CLIENT, .to = VIP, .source_port = 40000, .port = 80};
static const struct spec syn = {
	.from = CLIENT, .to = VIP, .source_port = 40000, .port = 80, .flags = FLAG_SYN};

static void pool(struct lab *lab)
{
	lab_service(lab, 1, VIP, IPPROTO_TCP, 80);
	for (uint32_t number = 0; number < 4; number++)
		lab_backend(lab, 1, number, NULL, NULL);
	lab_slots(lab, 1, 0, 0);
}

static uint64_t *bucket_of(struct lab *lab, const struct spec *spec)
{
	return (uint64_t *)lab->flows[lab_hash(spec) & (LAB_BUCKETS - 1)].entries;
}

/* An entry of some other flow of backend 3 with this state and age in ticks. */
static uint64_t other_entry(const struct spec *spec, uint32_t which, uint32_t now, uint32_t age,
			    enum flow_state state)
{
	uint64_t hash = lab_hash(spec) ^ ((uint64_t)(which + 1) << SLUICE_TAG_SHIFT);

	return flow_entry(hash, BASE + 3, now - age, state);
}

static void bucket_fill(struct lab *lab, const struct spec *spec, uint32_t age,
			enum flow_state state)
{
	uint32_t now = lab_now(lab);
	uint64_t *bucket = bucket_of(lab, spec);

	for (uint32_t i = 0; i < SLUICE_FLOWS_PER_BUCKET; i++)
		bucket[i] = other_entry(spec, i, now, age, state);
}

CASE(full_of_proven_is_left_alone,
     "conformance/flow table: a bucket full of proven flows takes no new one, whose SYN goes where its later packets will go")
{
	uint64_t before[SLUICE_FLOWS_PER_BUCKET];
	struct lab *lab = *state;
	uint64_t rejects;

	pool(lab);
	bucket_fill(lab, &ack, 1, FLOW_PROVEN);
	memcpy(before, bucket_of(lab, &ack), sizeof(before));
	rejects = lab_flow_count(lab).rejects;
	/* A SYN that cannot be pinned goes where its later packets will go: to previous. */
	lab_slots(lab, 1, 1, 0);
	assert_int_equal(lab_send(lab, &syn), 0);
	assert_int_equal(lab_send(lab, &ack), 0);
	assert_int_equal(lab_flow_count(lab).rejects, rejects + 2);
	assert_memory_equal(before, bucket_of(lab, &ack), sizeof(before));
	/* Where previous is dead, both go to current. */
	lab->backends[BASE].state = BACKEND_DEAD;
	assert_int_equal(lab_send(lab, &syn), 1);
	assert_int_equal(lab_send(lab, &ack), 1);
	assert_memory_equal(before, bucket_of(lab, &ack), sizeof(before));
}

/* Insert ack's flow, and say which of the entries that were in the bucket went. */
static int place_taken(struct lab *lab)
{
	uint64_t before[SLUICE_FLOWS_PER_BUCKET];
	uint64_t *bucket = bucket_of(lab, &ack);
	int taken = -1;

	memcpy(before, bucket, sizeof(before));
	assert_int_equal(lab_send(lab, &ack), 0);
	for (int i = 0; i < SLUICE_FLOWS_PER_BUCKET; i++) {
		if (bucket[i] == before[i])
			continue;
		assert_int_equal(taken, -1);
		taken = i;
		assert_int_equal(flow_entry_backend(bucket[i]), BASE);
		assert_int_equal(flow_entry_state(bucket[i]), FLOW_PROBATION);
	}
	return taken;
}

CASE(place_is_taken_in_order_of_rights,
     "conformance/flow table: places are taken empty first, then expired, oldest closing, oldest on probation, never proven")
{
	struct lab *lab = *state;
	uint64_t *bucket = bucket_of(lab, &ack);
	struct flow_counter before, after;
	uint32_t now;

	pool(lab);
	bucket_fill(lab, &ack, 2, FLOW_PROVEN);
	now = lab_now(lab);
	/* One of each kind; each round takes the first, and makes it a proven one. */
	bucket[1] = other_entry(&ack, 1, now, 2, FLOW_PROBATION);
	bucket[2] = other_entry(&ack, 2, now, 5, FLOW_PROBATION);
	bucket[3] = other_entry(&ack, 3, now, 1, FLOW_CLOSING);
	bucket[4] = other_entry(&ack, 4, now, 6, FLOW_CLOSING);
	bucket[5] = other_entry(&ack, 5, now, 5000, FLOW_PROVEN);
	bucket[6] = 0;
	before = lab_flow_count(lab);
	for (int place = 6; place >= 0; place--) {
		const int order[] = {-1, 1, 2, 3, 4, 5, 6};

		assert_int_equal(place_taken(lab), order[place]);
		if (place)
			bucket[order[place]] =
				other_entry(&ack, (uint32_t)order[place], now, 1, FLOW_PROVEN);
	}
	after = lab_flow_count(lab);
	assert_int_equal(after.inserts - before.inserts, 6);
	assert_int_equal(after.evicted_proven - before.evicted_proven, 1);
	assert_int_equal(after.evicted_closing - before.evicted_closing, 2);
	assert_int_equal(after.evicted_probation - before.evicted_probation, 2);
	assert_int_equal(after.rejects - before.rejects, 1);
}

CASE(expired_entries_give_way,
     "conformance/flow table: an entry past its state's timeout gives way")
{
	struct lab *lab = *state;
	uint64_t *bucket = bucket_of(lab, &ack);
	const struct {
		enum flow_state state;
		uint32_t age;
	} expired[] = {{FLOW_CLOSING, 12}, {FLOW_PROBATION, 32}, {FLOW_PROVEN, 3602}};

	pool(lab);
	for (size_t i = 0; i < 3; i++) {
		bucket_fill(lab, &ack, 2, FLOW_CLOSING);
		bucket[4] = other_entry(&ack, 4, lab_now(lab), expired[i].age, expired[i].state);
		assert_int_equal(place_taken(lab), 4);
	}
}

CASE(own_entry_is_taken_first, "conformance/flow table: a flow's own entry is replaced in place")
{
	struct lab *lab = *state;
	uint64_t *bucket = bucket_of(lab, &ack);
	uint32_t now;

	pool(lab);
	now = lab_now(lab);
	/* Of a backend that died; empty places there are. */
	bucket[5] = flow_entry(lab_hash(&ack), BASE + 9, now, FLOW_PROVEN);
	assert_int_equal(place_taken(lab), 5);
}

static void flow_spec(struct spec *spec, char text[16], uint32_t number, int flags)
{
	snprintf(text, 16, "10.%u.%u.%u", number >> 16 & 255, number >> 8 & 255, number & 255);
	*spec = (struct spec){.from = text,
			      .to = VIP,
			      .source_port = (uint16_t)(number * 40503u >> 3 | 1),
			      .port = 80,
			      .flags = flags,
			      .payload_length = -1};
}

static int send_flow(struct lab *lab, uint32_t number, int flags)
{
	struct spec spec;
	char text[16];

	flow_spec(&spec, text, number, flags);
	return lab_send(lab, &spec);
}

static bool flow_is_proven(struct lab *lab, uint32_t number)
{
	const uint64_t *entry;
	struct spec spec;
	char text[16];

	flow_spec(&spec, text, number, FLAG_ACK);
	entry = lab_entry(lab, &spec);
	return entry && flow_entry_state(*entry) == FLOW_PROVEN;
}

#define ESTABLISHED 10000u
#define FLOOD       200000u
#define FLOOD_WIRE  40000u

CASE(flood_evicts_no_proven_flow,
     "conformance/flow table: no number of SYNs or lone ACKs evicts a proven flow")
{
	bool *proven = calloc(ESTABLISHED, sizeof(*proven));
	struct lab *lab = *state;
	uint32_t proven_count = 0, flood = lab_frames(lab, FLOOD, FLOOD_WIRE);

	assert_non_null(proven);
	pool(lab);
	for (uint32_t i = 0; i < ESTABLISHED; i++) {
		assert_int_equal(send_flow(lab, i, FLAG_SYN), 0);
		assert_int_equal(send_flow(lab, i, FLAG_ACK), 0);
		proven[i] = flow_is_proven(lab, i);
		proven_count += proven[i];
	}
	/* The rest met a bucket full of proven ones. */
	assert_true(proven_count > ESTABLISHED * 99 / 100);
	for (uint32_t i = 0; i < flood; i++) {
		send_flow(lab, 0x100000 + i, FLAG_SYN);
		send_flow(lab, 0x200000 + i, FLAG_ACK);
	}
	assert_true(lab_flow_count(lab).evicted_probation > flood);
	assert_int_equal(lab_flow_count(lab).evicted_proven, 0);
	lab_slots(lab, 1, 1, 1);
	for (uint32_t i = 0; i < ESTABLISHED; i++) {
		if (proven[i])
			assert_int_equal(send_flow(lab, i, FLAG_ACK), 0);
	}
	free(proven);
}

static bool table_is_empty(const struct lab *lab)
{
	for (uint32_t i = 0; i < LAB_BUCKETS; i++) {
		for (int j = 0; j < SLUICE_FLOWS_PER_BUCKET; j++) {
			if (lab->flows[i].entries[j])
				return false;
		}
	}
	return true;
}

CASE(minimal_keeps_nothing_in_settled_slots,
     "conformance/flow table: minimal tracking keeps nothing in settled slots")
{
	struct lab *lab = *state;

	pool(lab);
	lab->services[1].tracking = TRACKING_MINIMAL;
	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(send_flow(lab, i, FLAG_SYN), 0);
		assert_int_equal(send_flow(lab, i, FLAG_ACK), 0);
		assert_int_equal(send_flow(lab, i, FLAG_FIN | FLAG_ACK), 0);
	}
	assert_true(table_is_empty(lab));
	assert_int_equal(lab_flow_count(lab).inserts, 0);
	assert_int_equal(lab_service_count(lab, 1).new_flows, 1000);
}

CASE(minimal_pins_flows_where_owners_differ,
     "conformance/flow table: minimal tracking pins flows where the owners of a slot differ")
{
	struct lab *lab = *state;

	pool(lab);
	lab->services[1].tracking = TRACKING_MINIMAL;
	assert_int_equal(lab_send(lab, &syn), 0);
	lab_slots(lab, 1, 1, 0);
	/* Older than the change: to the previous owner. A new one: to the current. */
	assert_int_equal(lab_send(lab, &ack), 0);
	assert_int_equal(send_flow(lab, 7, FLAG_SYN), 1);
	assert_int_equal(send_flow(lab, 7, FLAG_ACK), 1);
	assert_false(table_is_empty(lab));
	/* The next change keeps previous, and pinned flows stay where they are. */
	lab_slots(lab, 1, 2, 0);
	assert_int_equal(lab_send(lab, &ack), 0);
	assert_int_equal(send_flow(lab, 7, FLAG_ACK), 1);
}

CASE(entry_of_a_busy_flow_is_not_rewritten,
     "conformance/flow table: the time of a flow's entry is kept up to date")
{
	struct lab *lab = *state;
	uint64_t *entry;

	pool(lab);
	assert_int_equal(lab_send(lab, &syn), 0);
	entry = lab_entry(lab, &syn);
	assert_non_null(entry);
	assert_int_equal(lab_send(lab, &ack), 0);
	/* An old time is brought up to date. */
	*entry = flow_entry(lab_hash(&syn), BASE, flow_entry_seen(*entry) - 7, FLOW_PROVEN);
	assert_int_equal(lab_send(lab, &ack), 0);
	assert_true(flow_entry_age(*entry, lab_now(lab)) < 7);
	assert_int_equal(lab_flow_count(lab).races, 0);
}

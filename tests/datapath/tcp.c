// SPDX-License-Identifier: GPL-2.0-only
/* A TCP flow and its backend, while the pool changes. */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"

#define VIP    "198.51.100.80"
#define CLIENT "203.0.113.5"
#define FLOW   .from = CLIENT, .to = VIP, .source_port = 40000, .port = 80

static const struct spec syn = {FLOW, .flags = FLAG_SYN, .payload_length = -1};
static const struct spec ack = {FLOW, .flags = FLAG_ACK};
static const struct spec fin = {FLOW, .flags = FLAG_FIN | FLAG_ACK};
static const struct spec rst = {FLOW, .flags = FLAG_RST};

static void pool(struct lab *lab)
{
	lab_service(lab, 1, VIP, IPPROTO_TCP, 80);
	for (uint32_t number = 0; number < 4; number++)
		lab_backend(lab, 1, number, NULL, NULL);
	lab_slots(lab, 1, 0, 0);
}

static enum flow_state state_of(struct lab *lab)
{
	const uint64_t *entry = lab_entry(lab, &ack);

	return entry ? flow_entry_state(*entry) : FLOW_EMPTY;
}

static void set_alive(struct lab *lab, uint32_t number, enum backend_state state)
{
	lab->backends[LAB_SERVICE_BACKENDS + number].state = (uint8_t)state;
}

CASE(connection_stays_on_one_backend,
     "conformance/tcp: SYN, ACK and data go to one backend while the pool changes")
{
	struct lab *lab = *state;

	pool(lab);
	assert_int_equal(lab_send(lab, &syn), 0);
	assert_int_equal(state_of(lab), FLOW_PROBATION);
	/* The pool changes in the middle of the handshake; nothing is left of the old owner. */
	lab_slots(lab, 1, 1, 1);
	assert_int_equal(lab_send(lab, &ack), 0);
	assert_int_equal(state_of(lab), FLOW_PROVEN);
	lab_slots(lab, 1, 2, 1);
	assert_int_equal(lab_send(lab, &ack), 0);
	assert_int_equal(lab_send(lab, &fin), 0);
}

CASE(unknown_flow_follows_the_previous_owner,
     "conformance/tcp: a flow without record follows its slot's previous owner and is pinned")
{
	struct lab *lab = *state;

	pool(lab);
	lab_slots(lab, 1, 1, 0);
	assert_int_equal(lab_send(lab, &ack), 0);
	assert_int_equal(lab_flow_count(lab).from_previous, 1);
	/* Pinned: it stays even when its slot has forgotten the old owner. */
	lab_slots(lab, 1, 2, 1);
	assert_int_equal(lab_send(lab, &ack), 0);
	assert_int_equal(lab_flow_count(lab).from_previous, 1);
}

CASE(unknown_flow_goes_to_current_where_previous_is_dead,
     "conformance/tcp: a dead backend is nobody's previous owner")
{
	struct lab *lab = *state;

	pool(lab);
	lab_slots(lab, 1, 1, 0);
	set_alive(lab, 0, BACKEND_DEAD);
	assert_int_equal(lab_send(lab, &ack), 1);
	assert_int_equal(lab_flow_count(lab).from_previous, 0);
}

CASE(new_flow_goes_to_current, "conformance/tcp: a SYN goes to the current owner")
{
	struct lab *lab = *state;

	pool(lab);
	lab_slots(lab, 1, 1, 0);
	assert_int_equal(lab_send(lab, &syn), 1);
	assert_int_equal(lab_send(lab, &ack), 1);
}

CASE(new_flow_goes_to_previous_where_current_is_dead,
     "conformance/tcp: a SYN goes to the previous owner where there is no living current one")
{
	struct lab *lab = *state;

	pool(lab);
	lab_slots(lab, 1, 1, 0);
	set_alive(lab, 1, BACKEND_DEAD);
	assert_int_equal(lab_send(lab, &syn), 0);
	lab_slots(lab, 1, SLUICE_NO_BACKEND, 2);
	memset(lab->flows, 0, LAB_BUCKETS * sizeof(struct flow_bucket));
	assert_int_equal(lab_send(lab, &syn), 2);
}

CASE(dead_backends_flows_move_and_nobody_elses,
     "conformance/tcp: the flows of a dead backend move, and nobody else's")
{
	struct spec other = ack;
	struct lab *lab = *state;

	pool(lab);
	assert_int_equal(lab_send(lab, &syn), 0);
	assert_int_equal(lab_send(lab, &ack), 0);
	lab_slots(lab, 1, 1, 1);
	other.source_port = 40001;
	assert_int_equal(lab_send(lab, &other), 1);
	assert_int_equal(lab_send(lab, &other), 1);
	lab_slots(lab, 1, 2, 2);
	set_alive(lab, 0, BACKEND_DEAD);
	assert_int_equal(lab_send(lab, &ack), 2);
	assert_int_equal(lab_send(lab, &other), 1);
	/* It stays there, also when the old backend comes back. */
	set_alive(lab, 0, BACKEND_ALIVE);
	lab_slots(lab, 1, 0, 0);
	assert_int_equal(lab_send(lab, &ack), 2);
}

CASE(drain_sends_new_flows_elsewhere,
     "conformance/tcp: a drain sends new flows elsewhere and old ones stay")
{
	struct spec next = syn;
	struct lab *lab = *state;

	pool(lab);
	assert_int_equal(lab_send(lab, &syn), 0);
	assert_int_equal(lab_send(lab, &ack), 0);
	lab_slots(lab, 1, 1, 0);
	next.source_port = 40001;
	assert_int_equal(lab_send(lab, &next), 1);
	assert_int_equal(lab_send(lab, &ack), 0);
}

CASE(new_syn_of_an_old_flow_picks_afresh,
     "conformance/tcp: a SYN on the 5-tuple of an old flow picks afresh, in the same entry")
{
	struct lab *lab = *state;

	pool(lab);
	assert_int_equal(lab_send(lab, &syn), 0);
	assert_int_equal(lab_send(lab, &ack), 0);
	lab_slots(lab, 1, 1, 0);
	assert_int_equal(lab_send(lab, &syn), 1);
	assert_int_equal(state_of(lab), FLOW_PROBATION);
	assert_int_equal(lab_send(lab, &ack), 1);
	assert_int_equal(lab_send(lab, &fin), 1);
	lab_slots(lab, 1, 2, 1);
	assert_int_equal(lab_send(lab, &syn), 2);
	/* In place: the old entry is not left behind. */
	assert_int_equal(lab_flow_count(lab).inserts, 3);
	assert_int_equal(lab_flow_count(lab).evicted_probation, 0);
	assert_int_equal(lab_flow_count(lab).evicted_closing, 0);
}

CASE(retransmitted_syn_stays, "conformance/tcp: a retransmitted SYN stays where the first one went")
{
	struct lab *lab = *state;

	pool(lab);
	assert_int_equal(lab_send(lab, &syn), 0);
	lab_slots(lab, 1, 1, 1);
	assert_int_equal(lab_send(lab, &syn), 0);
	assert_int_equal(state_of(lab), FLOW_PROBATION);
	assert_int_equal(lab_service_count(lab, 1).new_flows, 1);
	/* Unless its backend died meanwhile. */
	set_alive(lab, 0, BACKEND_DEAD);
	assert_int_equal(lab_send(lab, &syn), 1);
}

CASE(end_of_a_flow_keeps_late_packets,
     "conformance/tcp: after FIN or RST late packets still arrive")
{
	const struct spec *const ends[] = {&fin, &rst};
	struct lab *lab = *state;

	pool(lab);
	for (size_t i = 0; i < 2; i++) {
		memset(lab->flows, 0, LAB_BUCKETS * sizeof(struct flow_bucket));
		lab_slots(lab, 1, 0, 0);
		assert_int_equal(lab_send(lab, &syn), 0);
		assert_int_equal(lab_send(lab, &ack), 0);
		assert_int_equal(lab_send(lab, ends[i]), 0);
		assert_int_equal(state_of(lab), FLOW_CLOSING);
		lab_slots(lab, 1, 1, 1);
		assert_int_equal(lab_send(lab, &ack), 0);
		assert_int_equal(state_of(lab), FLOW_CLOSING);
	}
}

CASE(end_of_an_unknown_flow_leaves_nothing,
     "conformance/tcp: FIN or RST without record leaves none")
{
	struct lab *lab = *state;

	pool(lab);
	lab_slots(lab, 1, 1, 0);
	assert_int_equal(lab_send(lab, &fin), 0);
	assert_int_equal(lab_send(lab, &rst), 0);
	assert_int_equal(state_of(lab), FLOW_EMPTY);
	assert_int_equal(lab_flow_count(lab).inserts, 0);
}

CASE(same_client_port_to_another_service,
     "conformance/tcp: the same client port to another service is another flow")
{
	struct spec other = syn;
	struct lab *lab = *state;

	pool(lab);
	lab_service(lab, 2, VIP, IPPROTO_TCP, 443);
	lab_backend(lab, 2, 9, NULL, NULL);
	lab_slots(lab, 2, 9, 9);
	other.port = 443;
	assert_int_equal(lab_send(lab, &syn), 0);
	assert_int_equal(lab_send(lab, &other), 9);
	other.flags = FLAG_ACK;
	assert_int_equal(lab_send(lab, &ack), 0);
	assert_int_equal(lab_send(lab, &other), 9);
}

static void run_on(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

CASE(flow_keeps_its_backend_on_another_cpu,
     "conformance/tcp: a flow that moves to another CPU keeps its backend")
{
	struct lab *lab = *state;
	cpu_set_t before;
	unsigned int runs = 0;

	pool(lab);
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	assert_int_equal(lab_send(lab, &syn), 0);
	lab_slots(lab, 1, 1, 1);
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &before))
			continue;
		run_on(cpu);
		assert_int_equal(lab_send(lab, &ack), 0);
		runs++;
	}
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	assert_int_equal(lab_backend_count(lab, 1, 0).packets, runs + 1);
}

CASE(syn_with_data_is_a_syn, "conformance/tcp: a SYN with data is a SYN")
{
	const struct spec open = {FLOW, .flags = FLAG_SYN, .payload_length = 100};
	struct lab *lab = *state;

	pool(lab);
	lab_slots(lab, 1, 1, 0);
	assert_int_equal(lab_send(lab, &open), 1);
	assert_int_equal(lab_send(lab, &ack), 1);
}

CASE(weight_change_moves_no_live_flow, "conformance/tcp: a change of weights moves no live flow")
{
	const uint32_t before[] = {100, 100, 100, 100}, after[] = {1, 400, 7, 90};
	int backends[200];
	struct lab *lab = *state;

	pool(lab);
	lab_table(lab, 1, before, 4);
	for (uint16_t i = 0; i < 200; i++) {
		struct spec spec = syn;

		spec.source_port = (uint16_t)(1000 + i);
		backends[i] = lab_send(lab, &spec);
	}
	lab_table(lab, 1, after, 4);
	for (uint16_t i = 0; i < 200; i++) {
		struct spec spec = ack;

		spec.source_port = (uint16_t)(1000 + i);
		assert_int_equal(lab_send(lab, &spec), backends[i]);
	}
}

CASE(reused_number_inherits_no_flow, "conformance/tcp: a purged entry's flow goes by its slot")
{
	struct lab *lab = *state;
	uint64_t *entry;

	pool(lab);
	assert_int_equal(lab_send(lab, &syn), 0);
	assert_int_equal(lab_send(lab, &ack), 0);
	/* The agent's purge, which comes before a number is used again. */
	entry = lab_entry(lab, &ack);
	assert_non_null(entry);
	*entry = 0;
	lab_slots(lab, 1, 1, 1);
	assert_int_equal(lab_send(lab, &ack), 1);
}

CASE(entry_of_another_service_is_no_match,
     "conformance/tcp: an entry with the same tag of another service is not taken or replaced")
{
	struct lab *lab = *state;
	uint64_t hash = lab_hash(&ack);

	pool(lab);
	lab_backend(lab, 2, 5, NULL, NULL);
	/* Same tag, same bucket, and a living backend, but of service 2. */
	lab->flows[hash & (LAB_BUCKETS - 1)].entries[0] =
		flow_entry(hash, 2 * LAB_SERVICE_BACKENDS + 5, lab_now(lab), FLOW_PROVEN);
	assert_int_equal(lab_send(lab, &ack), 0);
	assert_int_equal(lab_send(lab, &ack), 0);
	assert_int_equal(flow_entry_backend(lab->flows[hash & (LAB_BUCKETS - 1)].entries[0]),
			 2 * LAB_SERVICE_BACKENDS + 5);
}

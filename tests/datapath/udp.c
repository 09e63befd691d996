// SPDX-License-Identifier: GPL-2.0-only
/* UDP flows, which nobody announces: stability, grace after a change, QUIC. */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "lab.h"

#define VIP  "198.51.100.80"
#define FLOW .from = "203.0.113.5", .to = VIP, .source_port = 40000, .port = 443
#define UDP  .protocol = IPPROTO_UDP

static const struct spec datagram = {FLOW, UDP};

static void pool(struct lab *lab)
{
	lab_service(lab, 1, VIP, IPPROTO_UDP, 443);
	for (uint32_t number = 0; number < 4; number++)
		lab_backend(lab, 1, number, NULL, NULL);
	lab_slots(lab, 1, 0, 0);
}

/* Publish owners, changed so many ticks ago. */
static void change(struct lab *lab, uint32_t current, uint32_t previous, uint32_t ticks_ago)
{
	uint32_t tick = (lab_now(lab) - ticks_ago) & SLUICE_SEEN_MASK;
	uint64_t word = lab->services[1].table;

	lab_slots(lab, 1, current, previous);
	lab->services[1].table = table_word(table_line(word), 2, tick);
}

CASE(flow_stays_after_a_change,
     "conformance/udp: a flow's second packet stays after a pool change, v4 and v6")
{
	const struct spec ipv6 = {.from = "2001:db8:5::5",
				  .to = "2001:db8:80::80",
				  .source_port = 40000,
				  .port = 443,
				  UDP};
	struct lab *lab = *state;

	pool(lab);
	lab_service(lab, 2, ipv6.to, IPPROTO_UDP, 443);
	lab_backend(lab, 2, 0, NULL, NULL);
	lab_backend(lab, 2, 1, NULL, NULL);
	lab_slots(lab, 2, 0, 0);
	assert_int_equal(lab_send(lab, &datagram), 0);
	assert_int_equal(lab_send(lab, &ipv6), 0);
	lab_slots(lab, 1, 1, 1);
	lab_slots(lab, 2, 1, 1);
	assert_int_equal(lab_send(lab, &datagram), 0);
	assert_int_equal(lab_send(lab, &ipv6), 0);
	assert_int_equal(flow_entry_state(*lab_entry(lab, &datagram)), FLOW_PROVEN);
}

CASE(unknown_flow_stays_on_previous_during_grace,
     "conformance/udp: an unknown flow stays on the previous owner during grace")
{
	struct lab *lab = *state;

	pool(lab);
	lab->services[1].grace_ticks = 100;
	change(lab, 1, 0, 50);
	assert_int_equal(lab_send(lab, &datagram), 0);
	assert_int_equal(lab_flow_count(lab).from_previous, 1);
}

CASE(unknown_flow_goes_to_current_after_grace,
     "conformance/udp: after grace an unknown flow goes to the current owner")
{
	struct lab *lab = *state;

	pool(lab);
	lab->services[1].grace_ticks = 100;
	change(lab, 1, 0, 150);
	assert_int_equal(lab_send(lab, &datagram), 1);
	assert_int_equal(lab_flow_count(lab).from_previous, 0);
}

CASE(flow_of_a_dead_backend_moves,
     "conformance/udp: the next packet of a dead backend's flow moves")
{
	struct lab *lab = *state;

	pool(lab);
	assert_int_equal(lab_send(lab, &datagram), 0);
	lab->services[1].grace_ticks = 100;
	change(lab, 1, 0, 50);
	lab->backends[LAB_SERVICE_BACKENDS].state = BACKEND_DEAD;
	assert_int_equal(lab_send(lab, &datagram), 1);
	lab->backends[LAB_SERVICE_BACKENDS].state = BACKEND_ALIVE;
	assert_int_equal(lab_send(lab, &datagram), 1);
}

CASE(port_zero_is_a_port, "conformance/udp: port 0 is a port like others")
{
	const struct spec from_zero = {.from = "203.0.113.5", .to = VIP, .port = 443, UDP};
	struct lab *lab = *state;
	struct result result;
	struct frame frame;

	pool(lab);
	assert_int_equal(lab_send(lab, &from_zero), 0);
	frame_build(&frame, &(struct spec){.from = "203.0.113.5", .to = VIP, UDP});
	lab_run(lab, &frame, &result);
	assert_int_equal(result.verdict, VERDICT_DROP_NO_SERVICE);
}

/* Sends a datagram with this payload as a new flow during grace, the owner changed from 0 to 1. */
static int send_quic(struct lab *lab, uint8_t first, uint8_t version, int length)
{
	const uint8_t payload[] = {first, 0, 0, 0, version, 8, 1, 2, 3, 4, 5, 6};
	const struct spec spec = {FLOW, UDP, .payload = payload, .payload_length = length};

	memset(lab->flows, 0, LAB_BUCKETS * sizeof(struct flow_bucket));
	return lab_send(lab, &spec);
}

CASE(quic_openers_count_as_a_syn,
     "conformance/udp: a QUIC Initial or 0-RTT packet counts as a SYN, if asked for")
{
	struct lab *lab = *state;

	pool(lab);
	lab->services[1].grace_ticks = 100;
	change(lab, 1, 0, 50);
	assert_int_equal(send_quic(lab, 0xc3, 1, 12), 0); /* QUIC is not asked for */
	lab->services[1].quic = 1;
	assert_int_equal(send_quic(lab, 0xc3, 1, 12), 1); /* Initial */
	assert_int_equal(send_quic(lab, 0xd3, 1, 12), 1); /* 0-RTT */
	assert_int_equal(send_quic(lab, 0xe3, 1, 12), 0); /* Handshake */
	assert_int_equal(send_quic(lab, 0xf3, 1, 12), 0); /* Retry */
	assert_int_equal(send_quic(lab, 0xc3, 0, 12), 0); /* version negotiation */
	assert_int_equal(send_quic(lab, 0x43, 1, 12), 0); /* short header */
	assert_int_equal(send_quic(lab, 0xc3, 1, 4), 0);  /* cut within the version */
}

CASE(quic_opener_of_a_known_flow_stays,
     "conformance/udp: a QUIC Initial packet of a known flow stays")
{
	const uint8_t payload[] = {0xc3, 0, 0, 0, 1, 8};
	const struct spec initial = {FLOW, UDP, .payload = payload, .payload_length = 6};
	struct lab *lab = *state;

	pool(lab);
	lab->services[1].quic = 1;
	assert_int_equal(lab_send(lab, &initial), 0);
	lab_slots(lab, 1, 1, 0);
	assert_int_equal(lab_send(lab, &initial), 0);
	assert_int_equal(lab_send(lab, &datagram), 0);
}

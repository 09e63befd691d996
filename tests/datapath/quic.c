// SPDX-License-Identifier: GPL-2.0-only
/* QUIC packets by the server ID in their connection ID: what has one, and what goes as a flow. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <string.h>

#include "lab.h"
#include "sluice.skel.h"

#define VIP      "198.51.100.80"
#define VIP6     "2001:db8:80::80"
#define ID       3 /* bytes of a server ID */
#define CONFIG   2 /* top three bits of the connection ID */
#define OWNER    5 /* of the flows' slots, where the IDs name others */
#define ID_START 1 /* behind the byte with the configuration */
#define LONG_ID  6 /* where a long header has its connection ID */

enum {
	INITIAL = 0xc0,
	ZERO_RTT = 0xd0,
	HANDSHAKE = 0xe0,
	SHORT = 0x40,
};

static const struct spec client = {.from = "203.0.113.5",
				   .to = VIP,
				   .source_port = 40000,
				   .port = 443,
				   .protocol = IPPROTO_UDP};
static const struct spec moved = {.from = "198.18.7.9",
				  .to = VIP,
				  .source_port = 51111,
				  .port = 443,
				  .protocol = IPPROTO_UDP};

static void id_give(struct lab *lab, uint32_t service, uint32_t number)
{
	struct quic_key key = {
		.service = service, .id = {0xaa, 0xbb, (uint8_t)number}, .length = ID};
	uint32_t backend = service * LAB_SERVICE_BACKENDS + number;

	assert_int_equal(bpf_map_update_elem(bpf_map__fd(lab->sluice->maps.quic_ids), &key,
					     &backend, BPF_ANY),
			 0);
}

static void service_fill(struct lab *lab, uint32_t id, const char *vip)
{
	struct service *service = lab_service(lab, id, vip, IPPROTO_UDP, 443);

	service->quic = 1;
	service->quic_id_length = ID;
	service->quic_id_offset = ID_START;
	service->quic_id_config = CONFIG;
	for (uint32_t number = 0; number < 8; number++) {
		lab_backend(lab, id, number, NULL, NULL);
		if (number != OWNER)
			id_give(lab, id, number);
	}
	lab_slots(lab, id, OWNER, OWNER);
}

static int setup(void **state)
{
	int fd, code = lab_reset(state);
	struct lab *lab = *state;
	struct quic_key key;

	fd = bpf_map__fd(lab->sluice->maps.quic_ids);
	while (!bpf_map_get_next_key(fd, NULL, &key))
		bpf_map_delete_elem(fd, &key);
	service_fill(lab, 1, VIP);
	service_fill(lab, 2, VIP6);
	return code;
}

#define QUIC_CASE(function, text) CASE_WITH(function, text, .open = setup)

/* A connection ID of 8 bytes that names a backend, in a packet of this kind. */
static int packet_fill(uint8_t payload[32], int first, uint32_t backend, uint32_t version)
{
	uint8_t *id = payload + 1;

	memset(payload, 0x11, 32);
	payload[0] = (uint8_t)first;
	if (first & 0x80) {
		for (int i = 0; i < 4; i++)
			payload[1 + i] = (uint8_t)(version >> (24 - 8 * i));
		payload[5] = 8;
		id = payload + LONG_ID;
	}
	id[0] = CONFIG << 5 | 7;
	id[1] = 0xaa;
	id[2] = 0xbb;
	id[3] = (uint8_t)backend;
	return 32;
}

static int send_payload(struct lab *lab, const struct spec *flow, const uint8_t *payload,
			int length)
{
	struct spec spec = *flow;

	spec.payload = payload;
	spec.payload_length = length;
	return lab_send(lab, &spec);
}

static int send_version(struct lab *lab, const struct spec *flow, int first, uint32_t backend,
			uint32_t version)
{
	uint8_t payload[32];
	int length = packet_fill(payload, first, backend, version);

	return send_payload(lab, flow, payload, length);
}

static int send_id(struct lab *lab, const struct spec *flow, int first, uint32_t backend)
{
	return send_version(lab, flow, first, backend, 1);
}

QUIC_CASE(openers_go_by_hash,
	  "conformance/U5 a QUIC Initial or 0-RTT packet goes by hash, whatever its ID")
{
	struct lab *lab = *state;

	assert_int_equal(send_id(lab, &client, INITIAL, 3), OWNER);
	assert_int_equal(send_id(lab, &moved, ZERO_RTT, 3), OWNER);
	assert_int_equal(flow_entry_state(*lab_entry(lab, &client)), FLOW_PROBATION);
	assert_int_equal(lab_service_count(lab, 1).new_flows, 2);
}

QUIC_CASE(later_packets_go_by_id,
	  "conformance/U5 later QUIC packets go by connection ID, v4 and v6")
{
	const struct spec ipv6 = {.from = "2001:db8:5::5",
				  .to = VIP6,
				  .source_port = 40000,
				  .port = 443,
				  .protocol = IPPROTO_UDP};
	const uint8_t hops[] = {0, 60, 0xff};
	struct spec options = client, extended = ipv6;
	struct lab *lab = *state;

	options.options = 8;
	options.vlans = 1;
	extended.extensions = hops;
	for (uint32_t backend = 0; backend < OWNER; backend++) {
		int expected = (int)backend;

		assert_int_equal(send_id(lab, &client, SHORT, backend), expected);
		assert_int_equal(send_id(lab, &client, 0, backend), expected);
		assert_int_equal(send_id(lab, &client, HANDSHAKE, backend), expected);
		assert_int_equal(send_id(lab, &options, SHORT, backend), expected);
		assert_int_equal(send_id(lab, &ipv6, SHORT, backend), expected);
		assert_int_equal(send_id(lab, &extended, HANDSHAKE, backend), expected);
	}
	assert_int_equal(lab_backend_count(lab, 1, 3).packets, 4);
}

QUIC_CASE(versions_number_types_in_their_own_way,
	  "conformance/U5 QUIC version 2 numbers its packet types in its own way")
{
	const uint32_t version_2 = 0x6b3343cf;
	struct lab *lab = *state;

	assert_int_equal(send_version(lab, &client, 0xd0, 3, version_2), OWNER); /* Initial */
	assert_int_equal(send_version(lab, &client, 0xe0, 3, version_2), OWNER); /* 0-RTT */
	assert_int_equal(send_version(lab, &client, 0xf0, 3, version_2), 3);     /* Handshake */
	assert_int_equal(send_version(lab, &client, 0xe0, 3, 0), OWNER);         /* negotiation */
}

QUIC_CASE(unknown_ids_follow_the_flow,
	  "conformance/U6 a QUIC packet with an unknown ID follows its flow")
{
	struct lab *lab = *state;
	uint8_t payload[32];

	assert_int_equal(send_id(lab, &client, INITIAL, 0), OWNER);
	lab_slots(lab, 1, 1, 1);
	assert_int_equal(send_id(lab, &client, SHORT, 200), OWNER);
	assert_int_equal(send_id(lab, &moved, SHORT, 200), 1);
	/* An ID of another configuration, and one that says that it has none. */
	packet_fill(payload, SHORT, 3, 1);
	payload[1] = (CONFIG + 1) << 5 | 7;
	assert_int_equal(send_payload(lab, &client, payload, 32), OWNER);
	payload[1] = 0xff;
	assert_int_equal(send_payload(lab, &client, payload, 32), OWNER);
	/* The same bytes are an ID of this service only. */
	lab->services[1].quic_id_length = 0;
	assert_int_equal(send_id(lab, &client, SHORT, 3), OWNER);
}

QUIC_CASE(client_address_changes,
	  "conformance/U7 a client's address changes, its ID does not: same backend")
{
	struct lab *lab = *state;

	assert_int_equal(send_id(lab, &client, SHORT, 3), 3);
	assert_int_equal(send_id(lab, &moved, SHORT, 3), 3);
	/* Both have an entry, so that a drain counts them, and packets without an ID stay. */
	assert_int_equal(flow_entry_backend(*lab_entry(lab, &moved)), LAB_SERVICE_BACKENDS + 3);
	assert_int_equal(send_id(lab, &moved, SHORT, 200), 3);
	assert_int_equal(send_id(lab, &moved, SHORT, 3), 3);
	assert_int_equal(flow_entry_state(*lab_entry(lab, &moved)), FLOW_PROVEN);
}

QUIC_CASE(an_id_does_not_move_a_flow,
	  "conformance/U7 an ID that somebody made up does not move a pinned flow")
{
	struct lab *lab = *state;

	assert_int_equal(send_id(lab, &client, INITIAL, 0), OWNER);
	assert_int_equal(send_id(lab, &client, SHORT, 3), 3);
	assert_int_equal(flow_entry_backend(*lab_entry(lab, &client)),
			 LAB_SERVICE_BACKENDS + OWNER);
	lab->services[1].tracking = TRACKING_MINIMAL;
	assert_int_equal(send_id(lab, &moved, SHORT, 3), 3);
	assert_null(lab_entry(lab, &moved));
}

QUIC_CASE(truncated_ids_follow_the_flow, "conformance/U8 a truncated ID is none, at every length")
{
	struct lab *lab = *state;
	uint8_t payload[32];

	packet_fill(payload, SHORT, 3, 1);
	for (int length = 1; length < 1 + ID_START + ID; length++)
		assert_int_equal(send_payload(lab, &client, payload, length), OWNER);
	lab->flows[lab_hash(&client) & (LAB_BUCKETS - 1)] = (struct flow_bucket){0};
	assert_int_equal(send_payload(lab, &client, payload, 1 + ID_START + ID), 3);

	lab->flows[lab_hash(&client) & (LAB_BUCKETS - 1)] = (struct flow_bucket){0};
	packet_fill(payload, HANDSHAKE, 3, 1);
	for (int length = 1; length < LONG_ID + ID_START + ID; length++)
		assert_int_equal(send_payload(lab, &client, payload, length), OWNER);
	assert_int_equal(send_payload(lab, &client, payload, LONG_ID + ID_START + ID), 3);
	/* By the length that the header gives, not by what lies behind it. */
	payload[5] = ID_START + ID - 1;
	assert_int_equal(send_payload(lab, &client, payload, 32), OWNER);
	payload[5] = 21;
	assert_int_equal(send_payload(lab, &client, payload, 32), OWNER);
}

QUIC_CASE(padding_is_no_id, "conformance/U8 bytes behind the IP packet are no ID")
{
	struct spec spec = client;
	struct lab *lab = *state;
	struct result result;
	struct frame frame;
	uint8_t payload[32];

	packet_fill(payload, SHORT, 3, 1);
	spec.payload = payload;
	spec.payload_length = ID_START + ID;
	spec.padding = 20;
	frame_build(&frame, &spec);
	frame.data[frame.length - spec.padding] = 3;
	lab_run(lab, &frame, &result);
	assert_int_equal(result.backend, OWNER);
}

QUIC_CASE(dead_backends_ids_follow_the_flow,
	  "conformance/U6 the ID of a dead backend leads nowhere: the flow does")
{
	struct lab *lab = *state;

	lab->backends[LAB_SERVICE_BACKENDS + 3].state = BACKEND_DEAD;
	assert_int_equal(send_id(lab, &client, SHORT, 3), OWNER);
	lab->backends[LAB_SERVICE_BACKENDS + 3].state = BACKEND_ALIVE;
	assert_int_equal(send_id(lab, &client, SHORT, 3), 3);
}

QUIC_CASE(ids_have_any_place_and_length, "conformance/U5 a server ID may have any place and length")
{
	struct quic_key key = {.service = 1, .length = 15};
	uint32_t backend = LAB_SERVICE_BACKENDS + 6;
	struct lab *lab = *state;
	uint8_t payload[32] = {SHORT};

	for (int i = 0; i < 31; i++)
		payload[1 + i] = (uint8_t)(0xe0 + i);
	for (int offset = 0; offset <= 5; offset++) {
		lab->services[1].quic_id_offset = (uint8_t)offset;
		lab->services[1].quic_id_length = 15;
		lab->services[1].quic_id_config = 7; /* of 0xe0 */
		memcpy(key.id, payload + 1 + offset, 15);
		assert_int_equal(send_payload(lab, &client, payload, 32), OWNER);
		assert_int_equal(bpf_map_update_elem(bpf_map__fd(lab->sluice->maps.quic_ids), &key,
						     &backend, BPF_ANY),
				 0);
		assert_int_equal(send_payload(lab, &client, payload, 32), 6);
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/* Forward mode gue: outer headers byte by byte, and out again through the backends' program. */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "lab.h"
#include "sluice/decap.h"

#define VIP4  "198.51.100.80"
#define VIP6  "2001:db8:80::80"
#define FROM4 .from = "203.0.113.5", .to = VIP4, .source_port = 40000, .port = 80
#define FROM6 .from = "2001:db8:5::5", .to = VIP6, .source_port = 40000, .port = 80

/* By family of the backend: its tunnel's ends. */
static const char *const ends[][2] = {{"192.0.2.1", "192.0.2.11"}, {"2001:db8::1", "2001:db8::11"}};

static void service_for(struct lab *lab, const struct spec *spec, const char *const end[2])
{
	lab_service(lab, 1, spec->to, spec->protocol ? spec->protocol : IPPROTO_TCP, spec->port);
	lab_backend(lab, 1, 3, end[0], end[1])->mode = FORWARD_MODE_GUE;
	lab_slots(lab, 1, 3, 3);
}

static struct outer outer_of(const struct spec *spec, const struct frame *frame,
			     const char *const end[2])
{
	uint64_t hash = lab_hash(spec);

	return (struct outer){
		.from = end[0],
		.to = end[1],
		.traffic_class = spec->traffic_class,
		.inner_family = strchr(spec->to, ':') ? 6 : 4,
		.inner_length = frame->length - frame_link_length(frame) - spec->padding,
		.label = (uint32_t)(hash >> 20) & 0xfffff,
		.gue_source = (uint16_t)(GUE_SOURCE_PORTS | (hash >> 20)),
	};
}

static void check(struct lab *lab, const struct spec *spec, const char *const end[2])
{
	struct frame frame, expected, out;
	struct result result;
	struct outer outer;
	uint64_t before;

	service_for(lab, spec, end);
	frame_build(&frame, spec);
	lab_run(lab, &frame, &result);
	assert_int_equal(result.action, XDP_TX);
	assert_int_equal(result.verdict, VERDICT_FORWARD_GUE);
	outer = outer_of(spec, &frame, end);
	assert_int_equal(result.bytes, outer.inner_length);
	expected = frame;
	frame_wrap(&expected, &outer);
	lab_backend_mac(1, 3, expected.data);
	memcpy(expected.data + 6, lab_own_mac, 6);
	frame_assert_equal(&result.frame, &expected);

	before = lab_decap_count(lab, DECAP_GUE);
	assert_int_equal(lab_decap(lab, &result.frame, &out), XDP_PASS);
	assert_int_equal(lab_decap_count(lab, DECAP_GUE), before + 1);
	memcpy(frame.data, expected.data, 12);
	frame_assert_equal(&out, &frame);
}

CASE(headers_are_exact_and_come_off,
     "conformance/F17 gue: outer headers are exact, and come off again")
{
	const struct spec specs[] = {
		{FROM4},
		{FROM6},
		{FROM4, .protocol = IPPROTO_UDP, .payload_length = 700},
		{FROM6, .protocol = IPPROTO_UDP},
		{FROM4, .options = 40},
		{FROM4, .hop_limit = 1},
		{FROM4, .payload_length = -1, .padding = 6},
		{FROM4, .vlans = 1},
		{FROM6, .vlans = 2},
		{FROM4, .more = true, .protocol = IPPROTO_UDP},
	};

	for (size_t i = 0; i < 2 * sizeof(specs) / sizeof(specs[0]); i++)
		check(*state, &specs[i / 2], ends[i % 2]);
}

CASE(traffic_class_is_copied, "conformance/F12 gue: DSCP and ECN are copied")
{
	for (unsigned int value = 0; value < 256; value++) {
		const struct spec specs[] = {{FROM4, .traffic_class = (uint8_t)value},
					     {FROM6, .traffic_class = (uint8_t)value}};

		for (size_t i = 0; i < 4; i++)
			check(*state, &specs[i / 2], ends[i % 2]);
	}
}

CASE(outer_checksum_is_exact, "conformance/F14 gue: outer lengths and checksum are exact")
{
	static const char *const high[2] = {"255.255.255.255", "255.255.255.254"};

	for (int length = 1; length < 600; length++) {
		const struct spec spec = {FROM4, .payload_length = length,
					  .traffic_class = (uint8_t)(length & 0xff)};

		check(*state, &spec, length % 2 ? ends[0] : high);
	}
}

/* The frame's UDP header behind an outer IPv4 header. */
#define SOURCE_PORT_AT (14 + 20)

CASE(source_port_is_the_flows,
     "conformance/F13 gue: the source port is constant for a flow, spread over flows")
{
	struct lab *lab = *state;
	bool seen[65536] = {false};
	unsigned int ports = 0;
	struct spec spec = {FROM4};

	service_for(lab, &spec, ends[0]);
	for (unsigned int i = 0; i < 256; i++) {
		struct result first, second;
		struct frame frame;
		unsigned int port;

		spec.source_port = (uint16_t)(1024 + i);
		spec.payload_length = 10;
		frame_build(&frame, &spec);
		lab_run(lab, &frame, &first);
		spec.payload_length = 400;
		frame_build(&frame, &spec);
		lab_run(lab, &frame, &second);
		assert_memory_equal(first.frame.data + SOURCE_PORT_AT,
				    second.frame.data + SOURCE_PORT_AT, 2);
		port = (unsigned int)first.frame.data[SOURCE_PORT_AT] << 8 |
		       first.frame.data[SOURCE_PORT_AT + 1];
		assert_true(port >= GUE_SOURCE_PORTS);
		ports += !seen[port];
		seen[port] = true;
	}
	/* 256 of 16384 at random: about two meet. */
	assert_true(ports > 230);
}

CASE(other_interface_is_redirected_to, "conformance/F19 gue: a backend behind another interface")
{
	const struct spec spec = {FROM4};
	struct lab *lab = *state;
	struct result result;
	struct frame frame;

	service_for(lab, &spec, ends[1]);
	lab->backends[LAB_SERVICE_BACKENDS + 3].nexthop.egress = LAB_EGRESS_OTHER;
	frame_build(&frame, &spec);
	lab_run(lab, &frame, &result);
	assert_int_equal(result.action, XDP_REDIRECT);
	assert_int_equal(result.verdict, VERDICT_FORWARD_GUE);
}

static void wrap(struct frame *frame, const struct spec *spec, const char *const end[2])
{
	struct outer outer;

	frame_build(frame, spec);
	outer = outer_of(spec, frame, end);
	frame_wrap(frame, &outer);
}

static void assert_decap(struct lab *lab, const struct frame *frame, enum decap_verdict verdict)
{
	uint64_t before = lab_decap_count(lab, verdict);
	struct frame out;

	assert_int_equal(lab_decap(lab, frame, &out), XDP_PASS);
	assert_int_equal(lab_decap_count(lab, verdict), before + 1);
	if (verdict < DECAP_IPIP)
		frame_assert_equal(&out, frame);
}

CASE(other_gue_is_untouched,
     "conformance/H4 decap: GUE that is not ours to take off is untouched and counted")
{
	const struct spec spec = {FROM4};
	/* Offsets behind the outer IPv4 header, and what is put there. */
	const struct {
		size_t at;
		uint8_t value;
		enum decap_verdict verdict;
	} changes[] = {
		{3, 0xc1, DECAP_PASS_OTHER},      /* another port */
		{4, 0xff, DECAP_PASS_MALFORMED},  /* UDP length beyond the packet */
		{5, 11, DECAP_PASS_MALFORMED},    /* or too short for the inner packet */
		{8, 0x20, DECAP_PASS_MALFORMED},  /* a control message */
		{8, 0x01, DECAP_PASS_MALFORMED},  /* an optional word */
		{8, 0x80, DECAP_PASS_MALFORMED},  /* version 2 */
		{9, 17, DECAP_PASS_MALFORMED},    /* neither IPv4 nor IPv6 */
		{9, 41, DECAP_PASS_MALFORMED},    /* not what follows */
		{10, 0x80, DECAP_PASS_MALFORMED}, /* flags */
		{15, 0xff, DECAP_PASS_MALFORMED}, /* the inner packet is longer than the outer */
	};
	struct lab *lab = *state;
	struct frame frame;

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		wrap(&frame, &spec, ends[0]);
		frame.data[34 + changes[i].at] = changes[i].value;
		assert_decap(lab, &frame, changes[i].verdict);
	}
	wrap(&frame, &spec, ends[0]);
	frame.data[20] = 0x20;
	assert_decap(lab, &frame, DECAP_PASS_FRAGMENT);
	for (size_t length = 34 + 12; length < 34 + 12 + 20; length++) {
		wrap(&frame, &spec, ends[0]);
		frame.length = length;
		assert_decap(lab, &frame, DECAP_PASS_MALFORMED);
	}
}

CASE(direct_variant_is_taken_off,
     "conformance/H4 decap: GUE version 1, where IP follows UDP, comes off")
{
	const struct spec specs[] = {{FROM4}, {FROM6}};

	for (size_t i = 0; i < 4; i++) {
		struct frame frame, expected, out;
		size_t header = 14 + (i % 2 ? 40 : 20) + 8;

		wrap(&frame, &specs[i / 2], ends[i % 2]);
		/* Without the four bytes of GUE: the UDP header's length, no IP length, says so. */
		memmove(frame.data + header, frame.data + header + 4, frame.length - header - 4);
		frame.data[header - 3] = (uint8_t)(frame.data[header - 3] - 4);
		frame_build(&expected, &specs[i / 2]);
		assert_int_equal(lab_decap(*state, &frame, &out), XDP_PASS);
		/* What the frame has beyond its packet stays as padding. */
		out.length -= 4;
		frame_assert_equal(&out, &expected);
	}
}

CASE(overhead_is_what_is_put_in_front,
     "conformance/I8 gue: too big is reckoned with the headers that are put in front")
{
	const struct spec spec = {FROM4};

	for (size_t i = 0; i < 2; i++) {
		struct lab *lab = *state;
		struct result result;
		struct frame frame;

		service_for(lab, &spec, ends[i]);
		frame_build(&frame, &spec);
		lab_run(lab, &frame, &result);
		assert_int_equal(result.frame.length - frame.length,
				 backend_overhead(&lab->backends[LAB_SERVICE_BACKENDS + 3]));
	}
}

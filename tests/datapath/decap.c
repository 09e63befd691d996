// SPDX-License-Identifier: GPL-2.0-only
/* The backends' program: what the data plane wraps comes out again; all else is untouched. */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "lab.h"

#define VIP4  "198.51.100.80"
#define VIP6  "2001:db8:80::80"
#define FROM4 .from = "203.0.113.5", .to = VIP4, .source_port = 40000, .port = 80
#define FROM6 .from = "2001:db8:5::5", .to = VIP6, .source_port = 40000, .port = 80

static void check_round_trip(struct lab *lab, const struct spec *spec, const char *source,
			     const char *address)
{
	struct frame frame, out;
	struct result result;

	lab_service(lab, 1, spec->to, spec->protocol ? spec->protocol : IPPROTO_TCP, 80);
	lab_backend(lab, 1, 0, source, address);
	lab_slots(lab, 1, 0, 0);
	frame_build(&frame, spec);
	lab_run(lab, &frame, &result);
	assert_int_equal(result.verdict, VERDICT_FORWARD_IPIP);
	assert_int_equal(lab_decap(lab, &result.frame, &out), XDP_PASS);
	/* The link is the last one's, the rest is what the client sent. */
	memcpy(frame.data, result.frame.data, 12);
	frame_assert_equal(&out, &frame);
}

CASE(wrapped_packets_come_out_again,
     "conformance/decap: what the data plane wraps comes out again, all families and VLANs")
{
	struct lab *lab = *state;

	for (unsigned int vlans = 0; vlans <= 2; vlans++) {
		const struct spec specs[] = {
			{FROM4, .vlans = vlans},
			{FROM6, .vlans = vlans},
			{FROM4, .vlans = vlans, .protocol = IPPROTO_UDP, .payload_length = 700},
			{FROM4, .vlans = vlans, .options = 40, .traffic_class = 0xb9},
			{FROM6, .vlans = vlans, .traffic_class = 0x6a},
			{FROM4, .vlans = vlans, .payload_length = -1, .padding = 6},
		};

		for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
			check_round_trip(lab, &specs[i], "192.0.2.1", "192.0.2.11");
			check_round_trip(lab, &specs[i], "2001:db8::1", "2001:db8::11");
		}
	}
}

static void assert_untouched(struct lab *lab, const struct frame *frame)
{
	struct frame out;

	assert_int_equal(lab_decap(lab, frame, &out), XDP_PASS);
	frame_assert_equal(&out, frame);
}

static size_t wrapped_length(const struct spec *spec)
{
	struct frame frame;

	frame_build(&frame, spec);
	return frame.length - frame_link_length(&frame) - spec->padding;
}

static void wrap(struct frame *frame, const struct spec *spec, const char *to)
{
	const struct outer outer = {
		.from = strchr(to, ':') ? "2001:db8::1" : "192.0.2.1",
		.to = to,
		.inner_family = strchr(spec->to, ':') ? 6 : 4,
		.inner_length = wrapped_length(spec),
	};

	frame_build(frame, spec);
	frame_wrap(frame, &outer);
}

CASE(everything_else_is_untouched, "conformance/decap: everything else passes untouched")
{
	const struct spec plain[] = {
		{FROM4}, {FROM6}, {FROM4, .protocol = IPPROTO_ICMP}, {FROM4, .fragment = 800}};
	const struct spec inner = {FROM4};
	struct lab *lab = *state;
	struct frame frame;

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		frame_build(&frame, &plain[i]);
		assert_untouched(lab, &frame);
	}
	wrap(&frame, &inner, "224.0.0.1");
	assert_untouched(lab, &frame);
	wrap(&frame, &inner, "ff02::1");
	assert_untouched(lab, &frame);
	/* A fragment of a tunnel packet; an inner version that is not the protocol's. */
	wrap(&frame, &inner, "192.0.2.11");
	frame.data[20] = 0x20;
	assert_untouched(lab, &frame);
	wrap(&frame, &inner, "192.0.2.11");
	frame.data[34] = 0x65;
	assert_untouched(lab, &frame);
	wrap(&frame, &inner, "192.0.2.11");
	frame.data[12] = 0x08;
	frame.data[13] = 0x06;
	assert_untouched(lab, &frame);
}

CASE(cut_packets_are_untouched, "conformance/decap: a tunnel packet cut short passes untouched")
{
	const struct spec inners[] = {{FROM4}, {FROM6}};
	const char *const outers[] = {"192.0.2.11", "2001:db8::11"};
	struct lab *lab = *state;
	struct frame frame;

	for (size_t i = 0; i < 4; i++) {
		wrap(&frame, &inners[i % 2], outers[i / 2]);
		size_t whole = 14 + (i / 2 ? 40u : 20u) + (i % 2 ? 40u : 20u);

		for (size_t length = 14; length < whole; length++) {
			frame.length = length;
			assert_untouched(lab, &frame);
		}
	}
}

CASE(congestion_mark_is_carried_over,
     "conformance/decap: a congestion mark of the way is carried over, checksum exact")
{
	const char *const outers[] = {"192.0.2.11", "2001:db8::11"};
	struct lab *lab = *state;

	for (unsigned int value = 0; value < 256; value++) {
		for (size_t i = 0; i < 4; i++) {
			struct spec spec = {FROM4, .traffic_class = (uint8_t)value};
			const struct spec six = {FROM6, .traffic_class = (uint8_t)value};
			struct frame frame, expected, out;

			if (i % 2)
				spec = six;
			wrap(&frame, &spec, outers[i / 2]);
			if (i / 2)
				frame.data[15] |= 0x30;
			else
				frame.data[15] |= 0x03;
			if (value & 3)
				spec.traffic_class |= 3;
			frame_build(&expected, &spec);
			assert_int_equal(lab_decap(lab, &frame, &out), XDP_PASS);
			frame_assert_equal(&out, &expected);
		}
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/* Frames in several buffers: a test run puts what is longer than a page into further ones. */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "lab.h"

#define VIP4  "198.51.100.80"
#define VIP6  "2001:db8:80::80"
#define FROM4 .from = "203.0.113.5", .to = VIP4, .source_port = 40000, .port = 80
#define FROM6 .from = "2001:db8:5::5", .to = VIP6, .source_port = 40000, .port = 80

/* Over veth there is the case of TCP both ways. */
#define LONG_CASE(function, text)                    \
	CASE_WITH(function, text, .open = lab_reset, \
		  .not_on_wire = "the wire's MTU is less than these frames need")

static void pools(struct lab *lab, const char *source, const char *address)
{
	static const char *const vips[] = {VIP4, VIP6, VIP4, VIP6};

	lab_jumbo(lab);
	for (uint32_t id = 1; id <= 4; id++) {
		lab_service(lab, id, vips[id - 1], id > 2 ? IPPROTO_UDP : IPPROTO_TCP, 80);
		lab_backend(lab, id, 0, source, address);
		lab_slots(lab, id, 0, 0);
	}
}

static const struct spec specs[] = {
	{FROM4, .payload_length = 3400},
	{FROM4, .payload_length = 3500},
	{FROM4, .payload_length = 8960, .vlans = 2},
	{FROM4, .payload_length = 8000, .padding = 7, .options = 40},
	{FROM4, .payload_length = 8960, .protocol = IPPROTO_UDP, .more = true, .id = 7},
	{FROM6, .payload_length = 3456},
	{FROM6, .payload_length = 8940, .vlans = 1},
	{FROM6, .payload_length = 5000, .protocol = IPPROTO_UDP},
};

LONG_CASE(jumbo_frames_go_their_way,
	  "conformance/F18 a frame in several buffers is forwarded whole: l2")
{
	struct lab *lab = *state;

	pools(lab, NULL, NULL);
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct frame frame, expected;
		struct result result;
		uint8_t mac[6];

		frame_build(&frame, &specs[i]);
		expected = frame;
		lab_run(lab, &frame, &result);
		assert_int_equal(result.verdict, VERDICT_FORWARD_L2);
		assert_int_equal(result.action, XDP_TX);
		memcpy(mac, result.frame.data, sizeof(mac));
		assert_int_equal(result.backend, 0);
		frame_set_macs(&expected, mac, lab_own_mac);
		frame_assert_equal(&result.frame, &expected);
		assert_int_equal(result.bytes,
				 frame.length - frame_link_length(&frame) - specs[i].padding);
	}
}

LONG_CASE(
	jumbo_frames_are_wrapped,
	"conformance/F18 a frame in several buffers is wrapped, and comes out at the backend as it was")
{
	static const char *const ways[][2] = {{"192.0.2.1", "192.0.2.11"},
					      {"2001:db8::1", "2001:db8::11"}};
	struct lab *lab = *state;

	for (size_t i = 0; i < 2 * sizeof(specs) / sizeof(specs[0]); i++) {
		const struct spec *spec = &specs[i / 2];
		struct frame frame, out;
		struct result result;

		pools(lab, ways[i % 2][0], ways[i % 2][1]);
		frame_build(&frame, spec);
		lab_run(lab, &frame, &result);
		assert_int_equal(result.verdict, VERDICT_FORWARD_IPIP);
		assert_int_equal(result.frame.length, frame.length + (i % 2 ? 40 : 20));
		assert_int_equal(lab_decap(lab, &result.frame, &out), XDP_PASS);
		memcpy(frame.data, result.frame.data, 12);
		frame_assert_equal(&out, &frame);
	}
}

LONG_CASE(cut_jumbo_frames_are_malformed,
	  "conformance/F18 a frame in several buffers that ends before its packet is malformed")
{
	struct lab *lab = *state;
	struct result result;
	struct frame frame;

	pools(lab, NULL, NULL);
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		size_t length;

		frame_build(&frame, &specs[i]);
		length = frame.length - specs[i].padding;
		for (size_t cut = 1; cut < length - 1500; cut += 701) {
			frame.length = length - cut;
			lab_run(lab, &frame, &result);
			assert_int_equal(result.verdict, VERDICT_DROP_MALFORMED);
			assert_int_equal(result.bytes, 0);
		}
	}
}

LONG_CASE(
	jumbo_frames_are_too_big,
	"conformance/F18 a frame in several buffers that is too long for the tunnel: the client is told")
{
	const struct spec spec = {FROM4, .payload_length = 8960, .whole = true};
	struct lab *lab = *state;
	struct result result;
	struct frame frame;

	pools(lab, "192.0.2.1", "192.0.2.11");
	lab->backends[1 * LAB_SERVICE_BACKENDS].inner_mtu = 8980;
	lab_bucket(lab, REPLY_KIND_ERROR, 0);
	frame_build(&frame, &spec);
	lab_run(lab, &frame, &result);
	/* GRO has not made it: the loopback interface's MTU is larger. */
	assert_int_equal(result.verdict, VERDICT_REPLY_TOO_BIG);
	assert_int_equal(result.frame.length, 14 + 576);
	assert_memory_equal(result.frame.data + 14 + 28, frame.data + 14, 548);
	assert_int_equal(result.frame.data[14 + 26] * 256 + result.frame.data[14 + 27], 8980);
}

CASE(plain_program_takes_one_buffer,
     "conformance/F18 the program for jumbo frames treats all others as the plain one does")
{
	struct lab *lab = *state;

	for (int length = -1; length < 3000; length += 97) {
		const struct spec spec = {FROM4, .payload_length = length};
		struct result plain, jumbo;
		struct frame frame;

		pools(lab, "192.0.2.1", "192.0.2.11");
		frame_build(&frame, &spec);
		lab_run(lab, &frame, &jumbo);
		lab->variant = lab->sluice;
		lab_run(lab, &frame, &plain);
		assert_int_equal(plain.verdict, jumbo.verdict);
		frame_assert_equal(&plain.frame, &jumbo.frame);
	}
}

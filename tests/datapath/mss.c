// SPDX-License-Identifier: GPL-2.0-only
/* Clamping the MSS of SYNs: lowered, never raised, put in where it is absent, checksum right. */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "lab.h"

#define VIP4           "198.51.100.80"
#define VIP6           "2001:db8:80::80"

#define SYN4           .from = "203.0.113.5", .to = VIP4, .source_port = 1000, .port = 80, .flags = FLAG_SYN
#define SYN6           .from = "2001:db8:5::5", .to = VIP6, .source_port = 1000, .port = 80, .flags = FLAG_SYN
#define OPTIONS(bytes) .tcp_options = (bytes), .tcp_options_length = sizeof(bytes)

static void pools(struct lab *lab, uint16_t mss)
{
	lab_service(lab, 1, VIP4, IPPROTO_TCP, 80)->mss = mss;
	lab_service(lab, 2, VIP6, IPPROTO_TCP, 80)->mss = mss;
	for (uint32_t id = 1; id <= 2; id++) {
		lab_backend(lab, id, 0, NULL, NULL)->mode |= BACKEND_CLAMPS;
		lab_slots(lab, id, 0, 0);
	}
}

/* The frame with the right TCP checksum, by a sum over everything. */
static void syn_build(struct frame *frame, const struct spec *spec)
{
	bool ipv6 = strchr(spec->to, ':');
	uint8_t summed[200] = {0};
	size_t link, header, length;
	uint16_t sum;

	frame_build(frame, spec);
	link = frame_link_length(frame);
	header = link + (ipv6 ? 40 : 20 + spec->options);
	length = frame->length - spec->padding - header;
	frame->data[header + 16] = 0;
	frame->data[header + 17] = 0;
	memcpy(summed, frame->data + link + (ipv6 ? 8 : 12), ipv6 ? 32 : 8);
	summed[35] = IPPROTO_TCP;
	summed[37] = (uint8_t)length;
	memcpy(summed + 40, frame->data + header, length);
	sum = internet_sum(summed, 40 + length);
	frame->data[header + 16] = (uint8_t)(sum >> 8);
	frame->data[header + 17] = (uint8_t)sum;
}

/* What is sent comes out as what is expected, to the backend. */
static void check(struct lab *lab, const struct spec *sent, const struct spec *wanted)
{
	struct frame frame, expected;
	struct result result;
	uint8_t mac[6];

	syn_build(&frame, sent);
	syn_build(&expected, wanted);
	lab_backend_mac(strchr(sent->to, ':') ? 2 : 1, 0, mac);
	frame_set_macs(&expected, mac, lab_own_mac);
	lab_run(lab, &frame, &result);
	assert_int_equal(result.verdict, VERDICT_FORWARD_L2);
	frame_assert_equal(&result.frame, &expected);
}

CASE(mss_is_lowered, "conformance/I10 the MSS of a SYN is lowered, at any offset, checksum right")
{
	/* At an even and at an odd offset. */
	const uint8_t even[] = {2, 4, 0x05, 0xb4, 1, 3, 3, 7},
		      odd[] = {1, 2, 4, 0x05, 0xb4, 3, 3, 7};
	uint8_t even_low[sizeof(even)], odd_low[sizeof(odd)];
	struct lab *lab = *state;

	for (uint16_t mss = 88; mss < 1460; mss = (uint16_t)(mss + 7)) {
		pools(lab, mss);
		memcpy(even_low, even, sizeof(even));
		memcpy(odd_low, odd, sizeof(odd));
		even_low[2] = odd_low[3] = (uint8_t)(mss >> 8);
		even_low[3] = odd_low[4] = (uint8_t)mss;
		check(lab, &(struct spec){SYN4, OPTIONS(even), .payload_length = -1},
		      &(struct spec){SYN4, OPTIONS(even_low), .payload_length = -1});
		check(lab, &(struct spec){SYN6, OPTIONS(odd), .payload_length = 9, .vlans = 2},
		      &(struct spec){SYN6, OPTIONS(odd_low), .payload_length = 9, .vlans = 2});
		check(lab, &(struct spec){SYN4, OPTIONS(odd), .options = 8},
		      &(struct spec){SYN4, OPTIONS(odd_low), .options = 8});
	}
}

CASE(mss_is_never_raised, "conformance/I10 the MSS is never raised")
{
	const uint8_t same[] = {2, 4, 0x05, 0x78}, lower[] = {2, 4, 0x02, 0x18};
	struct lab *lab = *state;

	pools(lab, 1400);
	check(lab, &(struct spec){SYN4, OPTIONS(same)}, &(struct spec){SYN4, OPTIONS(same)});
	check(lab, &(struct spec){SYN6, OPTIONS(lower)}, &(struct spec){SYN6, OPTIONS(lower)});
	pools(lab, 0);
	check(lab, &(struct spec){SYN4, OPTIONS(same)}, &(struct spec){SYN4, OPTIONS(same)});
}

CASE(absent_option_is_added,
     "conformance/I10 an absent MSS is added, with no more than its absence means")
{
	const uint8_t added4[] = {2, 4, 0x02, 0x18}, added6[] = {2, 4, 0x04, 0xc4};
	const uint8_t scale[] = {1, 3, 3, 7}, scale_added[] = {1, 3, 3, 7, 2, 4, 0x01, 0xf4};
	struct lab *lab = *state;
	struct result result;
	struct frame frame;

	pools(lab, 1400);
	/* No more than what its absence means. */
	check(lab, &(struct spec){SYN4, .payload_length = -1},
	      &(struct spec){SYN4, OPTIONS(added4), .payload_length = -1});
	check(lab, &(struct spec){SYN6, .payload_length = -1, .vlans = 1},
	      &(struct spec){SYN6, OPTIONS(added6), .payload_length = -1, .vlans = 1});
	pools(lab, 500);
	check(lab, &(struct spec){SYN4, OPTIONS(scale), .payload_length = -1, .options = 4},
	      &(struct spec){SYN4, OPTIONS(scale_added), .payload_length = -1, .options = 4});
	/* It takes the place of padding. */
	check(lab, &(struct spec){SYN4, OPTIONS(scale), .payload_length = -1, .padding = 6},
	      &(struct spec){SYN4, OPTIONS(scale_added), .payload_length = -1, .padding = 2});
	/* The outer header counts it. */
	lab_backend(lab, 1, 0, "10.0.0.9", "10.0.1.1")->mode |= BACKEND_CLAMPS;
	frame_build(&frame, &(struct spec){SYN4, .payload_length = -1});
	lab_run(lab, &frame, &result);
	assert_int_equal(result.verdict, VERDICT_FORWARD_IPIP);
	assert_int_equal(result.frame.length, 14 + 20 + 20 + 24);
	assert_int_equal(result.frame.data[17], 20 + 20 + 24);
	assert_int_equal(result.frame.data[37], 20 + 24);
}

CASE(others_are_left_alone,
     "conformance/I10 broken or full options, data behind them and other packets stay")
{
	const uint8_t ended[] = {1, 0, 0, 0}, zero[] = {8, 0, 2, 4}, cut[] = {1, 1, 1, 2},
		      beyond[] = {1, 1, 3, 9}, wrong[] = {2, 3, 5, 1}, big[] = {2, 4, 0x23, 0};
	uint8_t full[40];
	struct lab *lab = *state;
	struct spec specs[] = {
		{SYN4, OPTIONS(ended), .payload_length = -1},
		{SYN4, OPTIONS(zero), .payload_length = -1},
		{SYN4, OPTIONS(cut), .payload_length = -1},
		{SYN6, OPTIONS(beyond), .payload_length = -1},
		{SYN6, OPTIONS(wrong), .payload_length = -1},
		/* No room in the header; and data behind it. */
		{SYN4, OPTIONS(full), .payload_length = -1},
		{SYN4},
		{.from = "203.0.113.5", .to = VIP4, .source_port = 1000, .port = 80, OPTIONS(big)},
	};

	memset(full, 1, sizeof(full));
	pools(lab, 88);
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		check(lab, &specs[i], &specs[i]);
}

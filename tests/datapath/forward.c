// SPDX-License-Identifier: GPL-2.0-only
/* Forwarding: what leaves, byte by byte, in each mode and family. */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "lab.h"

#define VIP4    "198.51.100.80"
#define VIP6    "2001:db8:80::80"
#define CLIENT4 "203.0.113.5"
#define CLIENT6 "2001:db8:5::5"

/* A packet, and the ends of its tunnel; tunnel_to NULL: l2. */
struct forward_case {
	struct spec spec;
	const char *tunnel_from, *tunnel_to;
};

static void service_for(struct lab *lab, const struct forward_case *test)
{
	uint8_t protocol = test->spec.protocol ? test->spec.protocol : IPPROTO_TCP;

	lab_service(lab, 1, test->spec.to, protocol, test->spec.port);
	lab_backend(lab, 1, 3, test->tunnel_from, test->tunnel_to);
	lab_slots(lab, 1, 3, 3);
}

static size_t ip_length(const struct forward_case *test, const struct frame *frame)
{
	return frame->length - frame_link_length(frame) - test->spec.padding;
}

static void expect(const struct forward_case *test, const struct frame *frame,
		   struct frame *ret_expected)
{
	uint8_t mac[6];

	*ret_expected = *frame;
	if (test->tunnel_to) {
		const struct outer outer = {
			.from = test->tunnel_from,
			.to = test->tunnel_to,
			.traffic_class = test->spec.traffic_class,
			.inner_family = strchr(test->spec.to, ':') ? 6 : 4,
			.inner_length = ip_length(test, frame),
			.label = (uint32_t)(lab_hash(&test->spec) >> 20) & 0xfffff,
		};

		frame_wrap(ret_expected, &outer);
	}
	lab_backend_mac(1, 3, mac);
	frame_set_macs(ret_expected, mac, lab_own_mac);
}

static void check(struct lab *lab, const struct forward_case *test)
{
	struct frame frame, expected;
	struct result result;

	service_for(lab, test);
	frame_build(&frame, &test->spec);
	lab_run(lab, &frame, &result);
	assert_int_equal(result.action, XDP_TX);
	assert_int_equal(result.verdict,
			 test->tunnel_to ? VERDICT_FORWARD_IPIP : VERDICT_FORWARD_L2);
	assert_int_equal(result.bytes, ip_length(test, &frame));
	expect(test, &frame, &expected);
	frame_assert_equal(&result.frame, &expected);
}

#define FROM4 .from = CLIENT4, .to = VIP4, .source_port = 40000, .port = 80
#define FROM6 .from = CLIENT6, .to = VIP6, .source_port = 40000, .port = 80
#define VIA4  .tunnel_from = "192.0.2.1", .tunnel_to = "192.0.2.11"
#define VIA6  .tunnel_from = "2001:db8::1", .tunnel_to = "2001:db8::11"

CASE(l2_changes_macs_only, "conformance/forward: l2 changes MAC addresses only")
{
	const struct forward_case tests[] = {
		{.spec = {FROM4}},
		{.spec = {FROM6}},
		{.spec = {FROM4, .protocol = IPPROTO_UDP}},
		{.spec = {FROM6, .protocol = IPPROTO_UDP}},
		{.spec = {FROM4, .hop_limit = 1}},
	};

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		check(*state, &tests[i]);
}

/* A frame that was forwarded once comes back as it left, and by the backend that did not take it. */
CASE(l2_does_not_loop,
     "conformance/P12 what came from the backend or from this host goes round no more")
{
	struct lab *lab = *state;
	const struct forward_case test = {.spec = {FROM4}};
	struct frame frame, again;
	struct result result;
	uint8_t mac[6];

	service_for(lab, &test);
	frame_build(&frame, &test.spec);
	lab_run(lab, &frame, &result);
	assert_int_equal(result.verdict, VERDICT_FORWARD_L2);
	again = result.frame;
	lab_run(lab, &again, &result);
	assert_int_equal(result.verdict, VERDICT_DROP_LOOP);
	lab_backend_mac(1, 3, mac);
	frame_set_macs(&again, lab_own_mac, mac);
	lab_run(lab, &again, &result);
	assert_int_equal(result.verdict, VERDICT_DROP_LOOP);
	assert_int_equal(result.action, XDP_DROP);
	/* Any other backend's packet is a client's. */
	mac[5]++;
	frame_set_macs(&again, lab_own_mac, mac);
	lab_run(lab, &again, &result);
	assert_int_equal(result.verdict, VERDICT_FORWARD_L2);
}

CASE(ipip_has_exact_outer_headers,
     "conformance/forward: ipip puts exact outer headers on all four family combinations")
{
	const struct forward_case tests[] = {
		{.spec = {FROM4}, VIA4},
		{.spec = {FROM6}, VIA4},
		{.spec = {FROM4}, VIA6},
		{.spec = {FROM6}, VIA6},
		{.spec = {FROM4, .protocol = IPPROTO_UDP}, VIA4},
		{.spec = {FROM6, .protocol = IPPROTO_UDP}, VIA6},
	};

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		check(*state, &tests[i]);
}

CASE(outer_checksum_is_exact, "conformance/F14 the outer checksum is exact for every length")
{
	struct lab *lab = *state;
	const char *const ends[][2] = {{"255.255.255.254", "255.255.255.253"},
				       {"0.0.0.1", "0.0.0.2"},
				       {"192.0.2.1", "192.0.2.11"}};

	/* Lengths that go through all sums modulo 256, so that every carry is met. */
	for (size_t i = 0; i < 3; i++) {
		for (int length = 1; length < 600; length++) {
			const struct forward_case test = {
				.spec = {FROM4, .payload_length = length,
					 .traffic_class = (uint8_t)(length & 0xff)},
				.tunnel_from = ends[i][0],
				.tunnel_to = ends[i][1],
			};

			check(lab, &test);
		}
	}
}

CASE(outer_checksum_folds_twice,
     "conformance/F14 the outer checksum is exact where its carries carry")
{
	struct lab *lab = *state;

	/* 0x4500 + 0x4000 + 0x4000 + 4 + 0xffff + x + y + total length = 0x2ffff after all */
	for (unsigned int low = 0; low < 256; low++) {
		char address[16];
		const struct forward_case test = {
			.spec = {FROM4}, .tunnel_from = "255.255.255.255", .tunnel_to = address};

		snprintf(address, sizeof(address), "255.255.58.%u", low);
		check(lab, &test);
	}
}

CASE(traffic_class_is_copied, "conformance/forward: DSCP and ECN are copied to the outer header")
{
	for (unsigned int value = 0; value < 256; value++) {
		const struct forward_case tests[] = {
			{.spec = {FROM4, .traffic_class = (uint8_t)value}, VIA4},
			{.spec = {FROM6, .traffic_class = (uint8_t)value}, VIA4},
			{.spec = {FROM4, .traffic_class = (uint8_t)value}, VIA6},
			{.spec = {FROM6, .traffic_class = (uint8_t)value}, VIA6},
		};

		for (size_t i = 0; i < 4; i++)
			check(*state, &tests[i]);
	}
}

CASE(vlan_tags_are_kept, "conformance/F15 one VLAN tag and two are kept")
{
	for (unsigned int vlans = 1; vlans <= 2; vlans++) {
		const struct forward_case tests[] = {
			{.spec = {FROM4, .vlans = vlans}},
			{.spec = {FROM6, .vlans = vlans}},
			{.spec = {FROM4, .vlans = vlans}, VIA4},
			{.spec = {FROM6, .vlans = vlans}, VIA4},
			{.spec = {FROM4, .vlans = vlans}, VIA6},
			{.spec = {FROM6, .vlans = vlans}, VIA6},
		};

		for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
			check(*state, &tests[i]);
	}
}

CASE(ip_length_counts_not_the_frames, "conformance/F16 in a padded frame the IP length counts")
{
	const struct forward_case tests[] = {
		{.spec = {FROM4, .payload_length = -1, .padding = 6}},
		{.spec = {FROM4, .payload_length = -1, .padding = 6}, VIA4},
		{.spec = {FROM4, .payload_length = -1, .padding = 6}, VIA6},
		{.spec = {FROM6, .payload_length = -1, .padding = 100}, VIA6},
		{.spec = {FROM4, .protocol = IPPROTO_UDP, .payload_length = 1, .padding = 17},
		 VIA4},
	};

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		check(*state, &tests[i]);
}

CASE(ip_options_are_forwarded, "conformance/forward: packets with IP options are forwarded")
{
	const struct forward_case tests[] = {
		{.spec = {FROM4, .options = 4}},
		{.spec = {FROM4, .options = 40}, VIA4},
		{.spec = {FROM4, .options = 12, .protocol = IPPROTO_UDP}, VIA6},
	};

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		check(*state, &tests[i]);
}

CASE(udp_zero_checksum_is_kept, "conformance/forward: a zero UDP checksum is kept")
{
	/* The builder's UDP checksum is 0, and outputs are compared byte by byte. */
	const struct forward_case tests[] = {
		{.spec = {FROM4, .protocol = IPPROTO_UDP}, VIA4},
		{.spec = {FROM6, .protocol = IPPROTO_UDP}, VIA4},
	};

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		check(*state, &tests[i]);
}

CASE(other_interface_is_redirected_to,
     "conformance/F19 a backend behind another interface is redirected to")
{
	const struct forward_case test = {.spec = {FROM4}, VIA4};
	struct frame frame, expected;
	struct lab *lab = *state;
	struct result result;

	service_for(lab, &test);
	lab->backends[LAB_SERVICE_BACKENDS + 3].nexthop.egress = LAB_EGRESS_OTHER;
	frame_build(&frame, &test.spec);
	lab_run(lab, &frame, &result);
	assert_int_equal(result.action, XDP_REDIRECT);
	expect(&test, &frame, &expected);
	frame_assert_equal(&result.frame, &expected);
}

CASE(outer_label_is_the_flows,
     "conformance/F13 the outer flow label is constant for a flow and spread over flows")
{
	const struct forward_case test = {.spec = {FROM4}, VIA6};
	struct lab *lab = *state;
	uint32_t seen = 0;

	service_for(lab, &test);
	for (uint16_t port = 1000; port < 1016; port++) {
		struct spec spec = test.spec;
		struct result first, second;
		struct frame frame;

		spec.source_port = port;
		frame_build(&frame, &spec);
		lab_run(lab, &frame, &first);
		spec.payload_length = 400;
		frame_build(&frame, &spec);
		lab_run(lab, &frame, &second);
		assert_memory_equal(first.frame.data + 14, second.frame.data + 14, 4);
		seen |= 1u << (first.frame.data[17] & 31);
	}
	assert_true(__builtin_popcount(seen) > 4);
}

CASE(no_nexthop_is_a_drop, "conformance/forward: no known next hop is a drop of its own")
{
	const struct forward_case test = {.spec = {FROM4}, VIA4};
	struct lab *lab = *state;
	struct result result;
	struct frame frame;

	service_for(lab, &test);
	lab->backends[LAB_SERVICE_BACKENDS + 3].nexthop.word = 0;
	frame_build(&frame, &test.spec);
	lab_run(lab, &frame, &result);
	assert_int_equal(result.action, XDP_DROP);
	assert_int_equal(result.verdict, VERDICT_DROP_NO_NEXTHOP);
	assert_int_equal(lab_backend_count(lab, 1, 3).packets, 0);
}

CASE(services_of_one_vip_have_their_own_pools,
     "conformance/forward: ports and protocols of one VIP have pools of their own")
{
	struct spec spec = {FROM4};
	struct lab *lab = *state;

	lab_service(lab, 1, VIP4, IPPROTO_TCP, 80);
	lab_service(lab, 2, VIP4, IPPROTO_TCP, 443);
	lab_service(lab, 3, VIP4, IPPROTO_UDP, 80);
	for (uint32_t id = 1; id <= 3; id++) {
		lab_backend(lab, id, id + 10, NULL, NULL);
		lab_slots(lab, id, id + 10, id + 10);
	}
	assert_int_equal(lab_send(lab, &spec), 11);
	spec.port = 443;
	assert_int_equal(lab_send(lab, &spec), 12);
	spec.port = 80;
	spec.protocol = IPPROTO_UDP;
	assert_int_equal(lab_send(lab, &spec), 13);
}

CASE(exact_port_beats_any_port, "conformance/forward: an exact port beats any port")
{
	struct spec spec = {FROM4};
	struct lab *lab = *state;

	lab_service(lab, 1, VIP4, IPPROTO_TCP, 80);
	lab_service(lab, 2, VIP4, IPPROTO_TCP, 0);
	for (uint32_t id = 1; id <= 2; id++) {
		lab_backend(lab, id, id, NULL, NULL);
		lab_slots(lab, id, id, id);
	}
	assert_int_equal(lab_send(lab, &spec), 1);
	for (uint16_t port = 81; port < 90; port++) {
		spec.port = port;
		assert_int_equal(lab_send(lab, &spec), 2);
	}
}

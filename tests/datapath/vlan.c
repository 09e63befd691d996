// SPDX-License-Identifier: GPL-2.0-only
/* VLAN tags that a service does not keep: pushed, popped and changed, there and on nat's way back. */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "lab.h"
#include "nat.h"

#define VIP4     "198.51.100.80"
#define VIP6     "2001:db8:80::80"
#define FROM4    .from = "203.0.113.5", .to = VIP4, .source_port = 40000, .port = 80
#define FROM6    .from = "2001:db8:5::5", .to = VIP6, .source_port = 40000, .port = 80
#define OWN_VLAN 777

static void pool(struct lab *lab, const struct spec *spec, enum forward_mode mode, uint16_t vlan)
{
	struct backend *backend;

	lab_service(lab, 1, spec->to, IPPROTO_TCP, spec->port)->vlan = vlan;
	if (mode == FORWARD_MODE_L2)
		backend = lab_backend(lab, 1, 3, NULL, NULL);
	else
		backend = lab_backend(lab, 1, 3, "192.0.2.1", "192.0.2.11");
	backend->mode = (uint8_t)(mode | BACKEND_RETAGS);
	lab_slots(lab, 1, 3, 3);
}

/* What its backend gets is what it would get with its tags kept, but for these. */
static void check(struct lab *lab, const struct spec *spec, enum forward_mode mode, uint16_t vlan,
		  uint8_t priority)
{
	struct frame frame, expected;
	struct result result;

	lab_reset((void **)&lab);
	frame_build(&frame, spec);
	if (spec->vlans)
		frame.data[14] |= priority;
	pool(lab, spec, mode, VLAN_KEEP);
	lab_run(lab, &frame, &result);
	assert_int_equal(result.action, XDP_TX);
	expected = result.frame;
	frame_retag(&expected, vlan);
	lab->services[1].vlan = vlan;
	lab_run(lab, &frame, &result);
	assert_int_equal(result.action, XDP_TX);
	frame_assert_equal(&result.frame, &expected);
}

CASE(tags_are_the_services,
     "conformance/F15 VLAN tags are pushed, popped and changed, from 0 to 2, in l2, ipip and gue")
{
	const enum forward_mode modes[] = {FORWARD_MODE_L2, FORWARD_MODE_IPIP, FORWARD_MODE_GUE};
	const uint16_t wanted[] = {VLAN_NONE, 1, OWN_VLAN, VLAN_ID_MAX};
	struct lab *lab = *state;

	for (unsigned int i = 0; i < 3 * 4 * 3; i++) {
		const struct spec ipv4 = {FROM4, .vlans = i % 3, .padding = i};
		const struct spec ipv6 = {FROM6, .vlans = i % 3};

		check(lab, &ipv4, modes[i / 12], wanted[i / 3 % 4], 0xf0);
		check(lab, &ipv6, modes[i / 12], wanted[i / 3 % 4], 0xa0);
	}
}

CASE(clamped_packets_are_retagged, "conformance/F15 a SYN gets its MSS and its VLAN")
{
	const uint8_t high[] = {2, 4, 0x05, 0xb4};
	const struct spec syn = {
		FROM4,      .flags = FLAG_SYN,   .payload_length = -1,
		.vlans = 2, .tcp_options = high, .tcp_options_length = sizeof(high)};
	struct lab *lab = *state;
	struct result result;
	struct frame frame;

	frame_build(&frame, &syn);
	pool(lab, &syn, FORWARD_MODE_L2, OWN_VLAN);
	lab->services[1].mss = 1000;
	lab->backends[LAB_SERVICE_BACKENDS + 3].mode |= BACKEND_CLAMPS;
	lab_run(lab, &frame, &result);
	assert_int_equal(result.verdict, VERDICT_FORWARD_L2);
	assert_int_equal(frame_link_length(&result.frame), 18);
	assert_int_equal(result.frame.data[18 + 40 + 2], 1000 >> 8);
	assert_int_equal(result.frame.data[18 + 40 + 3], 1000 & 0xff);
}

NAT_CASE(nat_has_tags_of_its_own, "conformance/F15 mode nat puts packets into the backends' VLAN")
{
	struct lab *lab = *state;
	struct frame frame, expected;
	struct result result;

	for (unsigned int i = 0; i < 6; i++) {
		struct spec spec = nat_request(i % 2, IPPROTO_TCP);
		uint32_t id = nat_service(i % 2, IPPROTO_TCP);

		spec.vlans = i / 2;
		frame_build(&frame, &spec);
		nat_sum(&frame);
		lab->backends[id * LAB_SERVICE_BACKENDS + NAT_NUMBER].mode |= BACKEND_RETAGS;
		lab->services[id].vlan = VLAN_KEEP;
		lab_run(lab, &frame, &result);
		expected = result.frame;
		frame_retag(&expected, OWN_VLAN);
		lab->services[id].vlan = OWN_VLAN;
		lab_run(lab, &frame, &result);
		assert_int_equal(result.verdict, VERDICT_FORWARD_NAT);
		frame_assert_equal(&result.frame, &expected);
	}
}

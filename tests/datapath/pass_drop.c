// SPDX-License-Identifier: GPL-2.0-only
/* What is passed to the host, bytes identical, and what is dropped, with its reason counted. */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "lab.h"

#define VIP4    "198.51.100.80"
#define VIP6    "2001:db8:80::80"
#define HOST4   "198.51.100.9"
#define HOST6   "2001:db8:80::9"
#define CLIENT4 "203.0.113.5"
#define CLIENT6 "2001:db8:5::5"

static void services(struct lab *lab)
{
	lab_service(lab, 1, VIP4, IPPROTO_TCP, 80);
	lab_service(lab, 2, VIP6, IPPROTO_TCP, 80);
	for (uint32_t id = 1; id <= 2; id++) {
		lab_backend(lab, id, 0, NULL, NULL);
		lab_slots(lab, id, 0, 0);
	}
}

static void assert_passed(struct lab *lab, const struct frame *frame, enum verdict verdict)
{
	struct result result;

	lab_run(lab, frame, &result);
	assert_int_equal(result.action, XDP_PASS);
	assert_int_equal(result.verdict, verdict);
	frame_assert_equal(&result.frame, frame);
}

static void assert_dropped(struct lab *lab, const struct frame *frame, enum verdict verdict)
{
	struct result result;

	lab_run(lab, frame, &result);
	assert_int_equal(result.action, XDP_DROP);
	assert_int_equal(result.verdict, verdict);
}

CASE(what_is_not_for_a_vip_passes,
     "conformance/pass: what is not for a VIP passes, bytes identical")
{
	static const uint8_t chain[] = {0, 43, 44, 60, 60, 60, 60, 60, 60, 0xff};
	const struct spec specs[] = {
		{.from = CLIENT4, .to = HOST4, .port = 80},
		{.from = CLIENT6, .to = HOST6, .port = 80},
		{.from = CLIENT4, .to = HOST4, .port = 179},
		{.from = CLIENT4, .to = HOST4, .options = 8, .protocol = 2},
		{.from = CLIENT4, .to = HOST4, .more = true},
		{.from = CLIENT4, .to = HOST4, .fragment = 800},
		{.from = CLIENT6, .to = HOST6, .extensions = chain, .fragment = 800},
		{.from = CLIENT4, .to = HOST4, .flags = -1},
		{.from = CLIENT6, .to = "ff02::1:ff00:80", .protocol = IPPROTO_ICMPV6},
		{.from = VIP4, .to = CLIENT4, .source_port = 80, .port = 40000},
		{.from = CLIENT4, .to = HOST4, .vlans = 2},
	};
	struct lab *lab = *state;
	struct frame frame;

	services(lab);
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		frame_build(&frame, &specs[i]);
		assert_passed(lab, &frame, VERDICT_PASS_NOT_VIP);
	}
}

CASE(what_is_not_ip_passes, "conformance/pass: ARP, LLDP and what else is not IP passes")
{
	const struct spec spec = {.from = CLIENT4, .to = VIP4, .port = 80};
	const uint16_t types[] = {0x0806, 0x88cc, 0x8847, 0x0026, 0x8863};
	struct lab *lab = *state;
	struct frame frame;

	services(lab);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		frame_build(&frame, &spec);
		frame.data[12] = (uint8_t)(types[i] >> 8);
		frame.data[13] = (uint8_t)types[i];
		assert_passed(lab, &frame, VERDICT_PASS_NOT_IP);
	}
	/* A third tag is more than is looked through. */
	frame_build(&frame, &(struct spec){.from = CLIENT4, .to = VIP4, .port = 80, .vlans = 3});
	assert_passed(lab, &frame, VERDICT_PASS_NOT_IP);
}

CASE(the_filter_alone_is_no_vip,
     "conformance/pass: an address that only the filter takes for a VIP passes, even malformed")
{
	static const uint8_t chain[] = {0, 60, 60, 60, 60, 60, 60, 60, 0xff};
	const struct spec specs[] = {
		{.from = CLIENT4, .to = HOST4, .port = 80},
		{.from = CLIENT4, .to = HOST4, .flags = -1},
		{.from = CLIENT4, .to = HOST4, .fragment = 800},
		{.from = CLIENT4, .to = HOST4, .protocol = IPPROTO_ICMP},
		{.from = CLIENT6, .to = HOST6, .extensions = chain},
	};
	struct lab *lab = *state;
	struct frame frame;

	services(lab);
	memset(lab->vip_filter, 0xff, SLUICE_VIP_FILTER_BITS / 8);
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		frame_build(&frame, &specs[i]);
		assert_passed(lab, &frame, VERDICT_PASS_NOT_VIP);
	}
	/* Malformed, but not ours to judge: an IP length beyond the frame, an IHL below 5. */
	frame_build(&frame, &specs[0]);
	frame.data[16] = 0x7f;
	assert_passed(lab, &frame, VERDICT_PASS_NOT_VIP);
	frame_build(&frame, &specs[0]);
	frame.data[14] = 0x44;
	assert_passed(lab, &frame, VERDICT_PASS_NOT_VIP);
}

CASE(icmp_to_a_vip_passes, "conformance/pass: ICMP to a VIP is left to the host")
{
	const struct spec specs[] = {
		{.from = CLIENT4, .to = VIP4, .protocol = IPPROTO_ICMP},
		{.from = CLIENT6, .to = VIP6, .protocol = IPPROTO_ICMPV6},
		{.from = CLIENT4, .to = VIP4, .protocol = IPPROTO_ICMP, .fragment = 1480},
	};
	struct lab *lab = *state;
	struct frame frame;

	services(lab);
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		frame_build(&frame, &specs[i]);
		assert_passed(lab, &frame, VERDICT_PASS_ICMP);
	}
}

CASE(what_no_service_takes_gets_the_vips_answer,
     "conformance/drop: what no service takes gets the VIP's answer")
{
	const struct spec specs[] = {
		{.from = CLIENT4, .to = VIP4, .port = 81},
		{.from = CLIENT4, .to = VIP4, .port = 80, .protocol = IPPROTO_UDP},
		{.from = CLIENT4, .to = VIP4, .protocol = 132},
		{.from = CLIENT4, .to = VIP4, .protocol = 4},
	};
	struct lab *lab = *state;
	struct frame frame;

	services(lab);
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		frame_build(&frame, &specs[i]);
		lab_vip_pass(lab, VIP4, false);
		assert_dropped(lab, &frame, VERDICT_DROP_NO_SERVICE);
		lab_vip_pass(lab, VIP4, true);
		assert_passed(lab, &frame, VERDICT_PASS_NO_SERVICE);
	}
}

CASE(empty_pool_gets_the_configured_answer,
     "conformance/drop: an empty pool gives the configured answer")
{
	const struct spec spec = {.from = CLIENT4, .to = VIP4, .port = 80};
	struct lab *lab = *state;
	struct frame frame;

	services(lab);
	frame_build(&frame, &spec);
	lab_slots(lab, 1, SLUICE_NO_BACKEND, SLUICE_NO_BACKEND);
	assert_dropped(lab, &frame, VERDICT_DROP_EMPTY_POOL);
	lab->services[1].tracking = TRACKING_MINIMAL;
	assert_dropped(lab, &frame, VERDICT_DROP_EMPTY_POOL);
	lab->services[1].empty = EMPTY_PASS;
	assert_passed(lab, &frame, VERDICT_PASS_EMPTY_POOL);
	lab->services[1].tracking = TRACKING_FULL;
	assert_passed(lab, &frame, VERDICT_PASS_EMPTY_POOL);
}

CASE(empty_pool_counts_who_knocks,
     "conformance/counters: what would open a flow is counted as one where there is no backend")
{
	const struct spec old = {.from = CLIENT4, .to = VIP4, .port = 80};
	const struct spec knock = {.from = CLIENT4, .to = VIP4, .port = 80, .flags = FLAG_SYN};
	struct lab *lab = *state;
	struct frame frame;

	services(lab);
	lab_slots(lab, 1, SLUICE_NO_BACKEND, SLUICE_NO_BACKEND);
	frame_build(&frame, &old);
	assert_dropped(lab, &frame, VERDICT_DROP_EMPTY_POOL);
	assert_int_equal(lab_service_count(lab, 1).new_flows, 0);
	frame_build(&frame, &knock);
	assert_dropped(lab, &frame, VERDICT_DROP_EMPTY_POOL);
	assert_dropped(lab, &frame, VERDICT_DROP_EMPTY_POOL);
	assert_int_equal(lab_service_count(lab, 1).new_flows, 2);
	assert_int_equal(lab_service_count(lab, 1).packets, 3);
}

CASE(removed_backend_never_gets_a_packet,
     "conformance/drop: a dead or removed backend never gets a packet")
{
	const struct spec spec = {.from = CLIENT4, .to = VIP4, .port = 80};
	const enum backend_state states[] = {BACKEND_DEAD, BACKEND_ABSENT};
	struct lab *lab = *state;
	struct frame frame;

	services(lab);
	frame_build(&frame, &spec);
	assert_int_equal(lab_send(lab, &spec), 0);
	for (size_t i = 0; i < 2; i++) {
		/* Still in the slots, still in the flow's entry. */
		lab->backends[LAB_SERVICE_BACKENDS].state = (uint8_t)states[i];
		assert_dropped(lab, &frame, VERDICT_DROP_EMPTY_POOL);
	}
}

CASE(absent_service_is_none, "conformance/drop: a key of a service that is not there is no service")
{
	const struct spec spec = {.from = CLIENT4, .to = VIP4, .port = 80};
	struct lab *lab = *state;
	struct frame frame;

	services(lab);
	lab->services[1].state = SERVICE_ABSENT;
	frame_build(&frame, &spec);
	assert_dropped(lab, &frame, VERDICT_DROP_NO_SERVICE);
}

CASE(bad_tcp_flags_are_dropped,
     "conformance/drop: TCP flags that no honest sender uses are dropped, all others taken")
{
	struct lab *lab = *state;
	struct frame frame;

	services(lab);
	for (int flags = 0; flags < 64; flags++) {
		const struct spec spec = {
			.from = CLIENT4, .to = VIP4, .port = 80, .flags = flags ? flags : -1};
		bool bad = !flags || (flags & FLAG_SYN && flags & (FLAG_FIN | FLAG_RST)) ||
			   (flags & (FLAG_FIN | FLAG_PSH | FLAG_URG | FLAG_ACK)) ==
				   (FLAG_FIN | FLAG_PSH | FLAG_URG);

		frame_build(&frame, &spec);
		if (bad)
			assert_dropped(lab, &frame, VERDICT_DROP_BAD_FLAGS);
		else
			assert_int_equal(lab_send(lab, &spec), 0);
	}
}

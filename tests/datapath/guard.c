// SPDX-License-Identifier: GPL-2.0-only
/* The guard: denied and allowed sources, and the limit of new flows. */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/ip.h"
#include "lab.h"

#define VIP4    "198.51.100.80"
#define VIP6    "2001:db8:80::80"
#define HOST4   "198.51.100.9"
#define CLIENT4 "203.0.113.5"
#define CLIENT6 "2001:db8:5::5"

/* Services 1 (IPv4) and 2 (IPv6) of TCP port 80, 3 of TCP port 81, 4 of UDP port 443. */
static void services(struct lab *lab, uint8_t guard)
{
	lab_service(lab, 1, VIP4, IPPROTO_TCP, 80);
	lab_service(lab, 2, VIP6, IPPROTO_TCP, 80);
	lab_service(lab, 3, VIP4, IPPROTO_TCP, 81);
	lab_service(lab, 4, VIP4, IPPROTO_UDP, 443);
	for (uint32_t id = 1; id <= 4; id++) {
		lab_backend(lab, id, 0, NULL, NULL);
		lab_slots(lab, id, 0, 0);
		lab->services[id].guard = guard;
	}
}

static enum verdict verdict_of(struct lab *lab, const struct spec *spec)
{
	struct result result;
	struct frame frame;

	frame_build(&frame, spec);
	lab_run(lab, &frame, &result);
	return result.verdict;
}

static enum verdict from(struct lab *lab, const char *source, const char *vip, uint16_t port)
{
	const struct spec spec = {.from = source, .to = vip, .source_port = 40000, .port = port};

	return verdict_of(lab, &spec);
}

CASE(the_longest_prefix_decides,
     "conformance/P13 the longest prefix decides: allowed inside denied inside allowed")
{
	struct lab *lab = *state;

	services(lab, GUARD_COMMON);
	lab_guard(lab, GUARD_ALL, "203.0.113.0/24", GUARD_DENY);
	lab_guard(lab, GUARD_ALL, "203.0.113.0/28", GUARD_ALLOW);
	lab_guard(lab, GUARD_ALL, "203.0.113.5/32", GUARD_DENY);
	assert_int_equal(from(lab, "203.0.113.99", VIP4, 80), VERDICT_DROP_DENIED);
	assert_int_equal(from(lab, "203.0.113.7", VIP4, 80), VERDICT_FORWARD_L2);
	assert_int_equal(from(lab, CLIENT4, VIP4, 80), VERDICT_DROP_DENIED);
	assert_int_equal(from(lab, "203.0.114.1", VIP4, 80), VERDICT_FORWARD_L2);
	lab_guard(lab, GUARD_ALL, "2001:db8::/32", GUARD_DENY);
	lab_guard(lab, GUARD_ALL, "2001:db8:5::/64", GUARD_ALLOW);
	assert_int_equal(from(lab, CLIENT6, VIP6, 80), VERDICT_FORWARD_L2);
	assert_int_equal(from(lab, "2001:db8:6::5", VIP6, 80), VERDICT_DROP_DENIED);
	assert_int_equal(from(lab, "2001:db9::5", VIP6, 80), VERDICT_FORWARD_L2);
}

CASE(an_empty_prefix_is_of_one_family, "conformance/P13 0.0.0.0/0 and ::/0 are each of one family")
{
	struct lab *lab = *state;

	services(lab, GUARD_COMMON);
	lab_guard(lab, GUARD_ALL, "::/0", GUARD_DENY);
	assert_int_equal(from(lab, CLIENT4, VIP4, 80), VERDICT_FORWARD_L2);
	assert_int_equal(from(lab, CLIENT6, VIP6, 80), VERDICT_DROP_DENIED);
	lab_guard(lab, GUARD_ALL, "::/0", GUARD_NONE);
	lab_guard(lab, GUARD_ALL, "0.0.0.0/0", GUARD_DENY);
	assert_int_equal(from(lab, CLIENT4, VIP4, 80), VERDICT_DROP_DENIED);
	assert_int_equal(from(lab, CLIENT6, VIP6, 80), VERDICT_FORWARD_L2);
}

CASE(a_service_has_a_list_of_its_own,
     "conformance/P13 a service's own list beside that of all: the longer prefix, else its own")
{
	struct lab *lab = *state;

	services(lab, GUARD_COMMON | GUARD_OWN);
	lab_guard(lab, 1, "203.0.113.0/24", GUARD_DENY);
	assert_int_equal(from(lab, CLIENT4, VIP4, 80), VERDICT_DROP_DENIED);
	assert_int_equal(from(lab, CLIENT4, VIP4, 81), VERDICT_FORWARD_L2);
	/* The longer prefix of both lists; of two that are equally long, the service's. */
	lab_guard(lab, GUARD_ALL, "203.0.113.5/32", GUARD_ALLOW);
	assert_int_equal(from(lab, CLIENT4, VIP4, 80), VERDICT_FORWARD_L2);
	lab_guard(lab, 1, "203.0.113.5/32", GUARD_DENY);
	assert_int_equal(from(lab, CLIENT4, VIP4, 80), VERDICT_DROP_DENIED);
	lab_guard(lab, GUARD_ALL, "203.0.113.5/32", GUARD_DENY);
	lab_guard(lab, 1, "203.0.113.5/32", GUARD_ALLOW);
	assert_int_equal(from(lab, CLIENT4, VIP4, 80), VERDICT_FORWARD_L2);
	assert_int_equal(from(lab, CLIENT4, VIP4, 81), VERDICT_DROP_DENIED);
}

CASE(what_is_denied_is_counted_as_that_only,
     "conformance/P13 a denied packet moves its verdict's counter, and no other")
{
	const struct spec spec = {.from = CLIENT4, .to = VIP4, .source_port = 40000, .port = 80};
	struct lab *lab = *state;
	struct result result;
	struct frame frame;

	services(lab, GUARD_COMMON);
	lab_guard(lab, GUARD_ALL, "203.0.113.0/24", GUARD_DENY);
	frame_build(&frame, &spec);
	lab_run(lab, &frame, &result);
	assert_int_equal(result.action, XDP_DROP);
	assert_int_equal(result.verdict, VERDICT_DROP_DENIED);
	assert_int_equal(result.bytes, frame.length - frame_link_length(&frame));
	assert_int_equal(lab_service_count(lab, 1).packets, 0);
	assert_int_equal(lab_backend_count(lab, 1, 0).packets, 0);
	assert_null(lab_entry(lab, &spec));
}

CASE(a_running_flow_of_a_denied_source_ends,
     "conformance/P13 a running flow of a source that is denied is dropped, and goes on later")
{
	struct spec spec = {.from = CLIENT4, .to = VIP4, .source_port = 40000, .port = 80};
	struct lab *lab = *state;

	services(lab, 0);
	spec.flags = FLAG_SYN;
	assert_int_equal(verdict_of(lab, &spec), VERDICT_FORWARD_L2);
	spec.flags = FLAG_ACK;
	assert_int_equal(verdict_of(lab, &spec), VERDICT_FORWARD_L2);
	lab_guard(lab, GUARD_ALL, "203.0.113.5/32", GUARD_DENY);
	lab->services[1].guard = GUARD_COMMON;
	assert_int_equal(verdict_of(lab, &spec), VERDICT_DROP_DENIED);
	lab_guard(lab, GUARD_ALL, "203.0.113.5/32", GUARD_NONE);
	assert_int_equal(verdict_of(lab, &spec), VERDICT_FORWARD_L2);
}

CASE(only_what_a_service_takes_is_judged,
     "conformance/P13 only what a service takes is judged: not the host's own, nor ICMP")
{
	const struct spec specs[] = {
		{.from = CLIENT4, .to = HOST4, .port = 80},
		{.from = CLIENT4, .to = HOST4, .more = true},
		{.from = CLIENT4, .to = HOST4, .options = 8, .protocol = 2},
		{.from = CLIENT6, .to = "2001:db8:80::9", .port = 179},
	};
	const struct spec echo = {.from = CLIENT4, .to = VIP4, .protocol = IPPROTO_ICMP};
	struct lab *lab = *state;

	services(lab, GUARD_COMMON);
	lab_guard(lab, GUARD_ALL, "0.0.0.0/0", GUARD_DENY);
	lab_guard(lab, GUARD_ALL, "::/0", GUARD_DENY);
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		assert_int_equal(verdict_of(lab, &specs[i]), VERDICT_PASS_NOT_VIP);
	assert_int_not_equal(verdict_of(lab, &echo), VERDICT_DROP_DENIED);
	assert_int_equal(from(lab, CLIENT4, VIP4, 999), VERDICT_DROP_NO_SERVICE);
}

CASE(fragments_of_a_denied_datagram_are_denied,
     "conformance/P13 later fragments of a denied datagram are denied")
{
	struct spec spec = {.from = CLIENT4,
			    .to = VIP4,
			    .source_port = 40000,
			    .port = 443,
			    .protocol = IPPROTO_UDP,
			    .payload_length = 800,
			    .more = true,
			    .id = 77};
	struct lab *lab = *state;

	services(lab, GUARD_COMMON);
	lab_guard(lab, GUARD_ALL, "203.0.113.0/24", GUARD_DENY);
	assert_int_equal(verdict_of(lab, &spec), VERDICT_DROP_DENIED);
	spec.more = false;
	spec.fragment = 808;
	assert_int_equal(verdict_of(lab, &spec), VERDICT_DROP_DENIED);
}

/* ------------------------------------------------------------------ new flows */

static struct spec syn(const char *source, const char *vip, uint16_t source_port)
{
	return (struct spec){.from = source,
			     .to = vip,
			     .source_port = source_port,
			     .port = 80,
			     .flags = FLAG_SYN};
}

/* How many of so many SYNs, each of a flow of its own, are let through. */
static uint32_t opened(struct lab *lab, const char *source, const char *vip, uint32_t count)
{
	static uint16_t port = 10000;
	uint32_t taken = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct spec spec = syn(source, vip, port++);
		enum verdict verdict = verdict_of(lab, &spec);

		if (verdict == VERDICT_FORWARD_L2)
			taken++;
		else
			assert_int_equal(verdict, VERDICT_DROP_NEW_FLOW_LIMIT);
	}
	return taken;
}

/* So slow that none is let through but the burst; a bucket that is refilled is set so by hand. */
static void limit(struct lab *lab, uint32_t service, uint32_t burst, uint32_t prefix4,
		  uint32_t prefix6)
{
	struct guard_limit *record = &lab->guard_limits[service];

	lab_guard_limit(lab, service, 1, burst, prefix4, prefix6);
	record->interval_ns = 86400000000000ULL;
	record->burst_ns = burst * record->interval_ns;
}

CASE(a_source_opens_so_many_flows_at_once,
     "conformance/P13 a source opens as many flows at once as its burst, its neighbour too")
{
	struct lab *lab = *state;

	services(lab, 0);
	limit(lab, 1, 5, 32, 64);
	assert_int_equal(opened(lab, CLIENT4, VIP4, 20), 5);
	assert_int_equal(opened(lab, "203.0.113.6", VIP4, 20), 5);
	assert_int_equal(lab_service_count(lab, 1).new_flows, 10);
	assert_int_equal(lab_service_count(lab, 1).packets, 10);
}

CASE(sources_of_one_prefix_share_the_limit,
     "conformance/P13 sources of one prefix share the limit, services do not")
{
	struct lab *lab = *state;

	services(lab, 0);
	limit(lab, 1, 4, 24, 64);
	limit(lab, 2, 4, 32, 64);
	assert_int_equal(opened(lab, "203.0.113.5", VIP4, 3), 3);
	assert_int_equal(opened(lab, "203.0.113.6", VIP4, 3), 1);
	assert_int_equal(opened(lab, "203.0.112.6", VIP4, 3), 3);
	assert_int_equal(opened(lab, "2001:db8:5::5", VIP6, 3), 3);
	assert_int_equal(opened(lab, "2001:db8:5::ffff:6", VIP6, 3), 1);
	assert_int_equal(opened(lab, "2001:db8:5:1::5", VIP6, 3), 3);
	/* Another service, of the same VIP too, has buckets of its own. */
	limit(lab, 3, 4, 24, 64);
	assert_int_equal(from(lab, "203.0.113.5", VIP4, 81), VERDICT_FORWARD_L2);
}

CASE(only_what_opens_a_flow_is_limited,
     "conformance/P13 only what opens a flow is limited: no SYN again, no established flow")
{
	struct spec spec = syn(CLIENT4, VIP4, 40000);
	struct spec late = syn(CLIENT4, VIP4, 40001);
	struct lab *lab = *state;

	services(lab, 0);
	limit(lab, 1, 1, 32, 64);
	assert_int_equal(verdict_of(lab, &spec), VERDICT_FORWARD_L2);
	/* The SYN again, and all that follows it. */
	for (int i = 0; i < 5; i++)
		assert_int_equal(verdict_of(lab, &spec), VERDICT_FORWARD_L2);
	spec.flags = FLAG_ACK | FLAG_PSH;
	for (int i = 0; i < 5; i++)
		assert_int_equal(verdict_of(lab, &spec), VERDICT_FORWARD_L2);
	assert_int_equal(verdict_of(lab, &late), VERDICT_DROP_NEW_FLOW_LIMIT);
	assert_null(lab_entry(lab, &late));
	/* A flow that is older than the limit, and of which there is no entry. */
	late.flags = FLAG_ACK;
	assert_int_equal(verdict_of(lab, &late), VERDICT_FORWARD_L2);
	/* A SYN on the addresses of a flow that has proved itself opens another one. */
	spec.flags = FLAG_SYN;
	assert_int_equal(verdict_of(lab, &spec), VERDICT_DROP_NEW_FLOW_LIMIT);
	spec.flags = FLAG_FIN | FLAG_ACK;
	assert_int_equal(verdict_of(lab, &spec), VERDICT_FORWARD_L2);
}

static struct spec datagram(uint16_t source_port)
{
	return (struct spec){.from = CLIENT4,
			     .to = VIP4,
			     .source_port = source_port,
			     .port = 443,
			     .protocol = IPPROTO_UDP};
}

CASE(a_datagram_of_a_known_flow_is_not_limited,
     "conformance/P13 a datagram of a known flow is not limited, nor when its backend dies")
{
	struct lab *lab = *state;
	struct spec spec;

	services(lab, 0);
	limit(lab, 4, 2, 32, 64);
	for (int round = 0; round < 3; round++) {
		for (uint16_t port = 40000; port < 40004; port++) {
			spec = datagram(port);
			assert_int_equal(verdict_of(lab, &spec),
					 port < 40002 ? VERDICT_FORWARD_L2
						      : VERDICT_DROP_NEW_FLOW_LIMIT);
		}
	}
	/* Its backend dies: it moves, and is no new flow. */
	lab_backend(lab, 4, 1, NULL, NULL);
	lab_slots(lab, 4, 1, 1);
	lab->backends[4 * LAB_SERVICE_BACKENDS].state = BACKEND_DEAD;
	spec = datagram(40000);
	assert_int_equal(lab_send(lab, &spec), 1);
}

CASE(the_first_fragment_of_a_limited_flow_takes_the_others_along,
     "conformance/P13 later fragments of a datagram over the limit go with the first one")
{
	struct spec spec = datagram(40000);
	struct lab *lab = *state;

	services(lab, 0);
	limit(lab, 4, 1, 32, 64);
	assert_int_equal(verdict_of(lab, &spec), VERDICT_FORWARD_L2);
	spec = datagram(40001);
	spec.payload_length = 800;
	spec.more = true;
	spec.id = 78;
	assert_int_equal(verdict_of(lab, &spec), VERDICT_DROP_NEW_FLOW_LIMIT);
	spec.more = false;
	spec.fragment = 808;
	assert_int_equal(verdict_of(lab, &spec), VERDICT_DROP_NEW_FLOW_LIMIT);
}

CASE(a_bucket_fills_again, "conformance/P13 a bucket fills again at its rate")
{
	struct guard_source_key key = {.service = 1};
	struct lab *lab = *state;
	struct ip ip;

	services(lab, 0);
	limit(lab, 1, 3, 32, 64);
	assert_int_equal(opened(lab, CLIENT4, VIP4, 4), 3);
	/* As if two intervals had passed. */
	assert_int_equal(ip_parse(CLIENT4, &ip), 0);
	memcpy(key.prefix, ip.word, sizeof(key.prefix));
	lab_guard_source_age(lab, &key, 2 * lab->guard_limits[1].interval_ns);
	assert_int_equal(opened(lab, CLIENT4, VIP4, 4), 2);
}

CASE(minimal_tracking_limits_every_syn,
     "conformance/P13 minimal tracking limits every SYN, and nothing else")
{
	struct spec spec = syn(CLIENT4, VIP4, 40000);
	struct lab *lab = *state;

	services(lab, 0);
	lab->services[1].tracking = TRACKING_MINIMAL;
	limit(lab, 1, 2, 32, 64);
	assert_int_equal(opened(lab, CLIENT4, VIP4, 5), 2);
	spec.flags = FLAG_ACK;
	assert_int_equal(verdict_of(lab, &spec), VERDICT_FORWARD_L2);
}

CASE(a_flood_of_sources_is_bounded,
     "conformance/P13 sources without number take no more memory than there is")
{
	struct lab *lab = *state;
	uint32_t taken = 0;
	char source[32];

	services(lab, 0);
	limit(lab, 1, 1, 32, 64);
	for (uint32_t i = 0; i < 70000; i++) {
		struct spec spec = syn(source, VIP4, 40000);

		snprintf(source, sizeof(source), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		taken += lab_send(lab, &spec) == 0;
	}
	assert_int_equal(taken, 70000);
	assert_in_range(lab_guard_sources(lab), 1, SLUICE_GUARD_SOURCES_MAX);
}

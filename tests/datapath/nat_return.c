// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mode nat, the way back: what a backend answers comes from the VIP, and goes where the routing
 * table says. Skipped where there can be no network for that.
 */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "nat.h"

static const uint8_t client_mac[6] = NAT_CLIENT_MAC_BYTES, router_mac[6] = NAT_ROUTER_MAC_BYTES;

static bool has_network;

static int enter(void **state)
{
	has_network = nat_network_open(*state);
	return nat_open(state);
}

static int leave(void **state)
{
	nat_network_close(*state);
	return nat_close(state);
}

#define RETURN_CASE(function, text) CASE_WITH(function, text, .open = enter, .close = leave)

static void need_network(void)
{
	if (!has_network)
		skip();
}

/* The frame as the client is to get it. */
static void expect(struct lab *lab, const struct frame *frame, struct frame *expected)
{
	struct result result;

	frame_set_macs(expected, client_mac, router_mac);
	lab_run(lab, frame, &result);
	assert_int_equal(result.verdict, VERDICT_RETURN_NAT);
	assert_int_equal(result.action, XDP_REDIRECT); /* by another interface than it came in by */
	assert_true(result.bytes > 0);
	frame_assert_equal(&result.frame, expected);
}

static void expect_untouched(struct lab *lab, const struct frame *frame)
{
	struct result result;

	lab_run(lab, frame, &result);
	assert_int_equal(result.verdict, VERDICT_PASS_NOT_VIP);
	frame_assert_equal(&result.frame, frame);
}

static struct spec returned(const struct spec *answer)
{
	struct spec spec = *answer;

	spec.from = strchr(answer->from, ':') ? NAT_VIP6 : NAT_VIP4;
	spec.source_port = nat_port(answer->protocol);
	spec.hop_limit = 60;
	return spec;
}

static void check_return(struct lab *lab, const struct spec *answer, bool sums)
{
	const struct spec expected_spec = returned(answer);
	struct frame frame, expected;

	frame_build(&frame, answer);
	frame_build(&expected, &expected_spec);
	if (sums) {
		nat_sum(&frame);
		nat_sum(&expected);
	}
	expect(lab, &frame, &expected);
}

RETURN_CASE(answers_come_from_the_vip,
	    "conformance/N2 what a backend answers comes from the VIP, v4 and v6")
{
	struct lab *lab = *state;

	need_network();
	for (int i = 0; i < 4; i++) {
		struct spec answer = nat_answer(i & 1, i & 2 ? IPPROTO_UDP : IPPROTO_TCP);

		check_return(lab, &answer, true);
		answer.flags = FLAG_SYN | FLAG_ACK;
		answer.payload_length = 1203;
		answer.traffic_class = 0x2a;
		check_return(lab, &answer, true);
	}
	/* They are nobody's flows: neither an entry nor a packet of the service. */
	assert_int_equal(lab_service_count(lab, NAT_TCP4).packets, 0);
	assert_int_equal(lab_backend_count(lab, NAT_TCP4, NAT_NUMBER).packets, 0);
	assert_int_equal(lab_flow_count(lab).inserts, 0);
}

RETURN_CASE(offers_are_clamped,
	    "conformance/I10 the MSS of a SYN-ACK that comes back through nat is lowered")
{
	const uint8_t high[] = {2, 4, 0x05, 0xb4}, low[] = {2, 4, 0x03, 0xe8};
	struct lab *lab = *state;

	need_network();
	for (int i = 0; i < 2; i++) {
		struct spec answer = nat_answer(i, IPPROTO_TCP), expected_spec = returned(&answer);
		uint32_t id = nat_service(i, IPPROTO_TCP);
		struct frame frame, expected;

		lab->services[id].mss = 1000;
		lab->backends[id * LAB_SERVICE_BACKENDS + NAT_NUMBER].mode |= BACKEND_CLAMPS;
		answer.flags = expected_spec.flags = FLAG_SYN | FLAG_ACK;
		answer.tcp_options = high;
		expected_spec.tcp_options = low;
		answer.tcp_options_length = expected_spec.tcp_options_length = sizeof(high);
		frame_build(&frame, &answer);
		frame_build(&expected, &expected_spec);
		nat_sum(&frame);
		nat_sum(&expected);
		expect(lab, &frame, &expected);
		answer.flags = FLAG_ACK;
		check_return(lab, &answer, true);
	}
}

RETURN_CASE(answers_have_tags_of_their_own,
	    "conformance/F15 answers through nat leave in the clients' VLAN")
{
	struct lab *lab = *state;

	need_network();
	for (unsigned int i = 0; i < 6; i++) {
		struct spec answer = nat_answer(i % 2, IPPROTO_TCP), expected_spec;
		uint32_t id = nat_service(i % 2, IPPROTO_TCP);
		struct frame frame, expected;

		lab->services[id].client_vlan = VLAN_NONE;
		lab->backends[id * LAB_SERVICE_BACKENDS + NAT_NUMBER].mode |= BACKEND_RETAGS;
		expected_spec = returned(&answer);
		answer.vlans = i / 2;
		frame_build(&frame, &answer);
		frame_build(&expected, &expected_spec);
		nat_sum(&frame);
		nat_sum(&expected);
		expect(lab, &frame, &expected);
	}
}

RETURN_CASE(no_checksum_stays_none, "conformance/N3 on the way back no checksum of UDP stays none")
{
	const struct spec answer = nat_answer(false, IPPROTO_UDP);
	const struct spec ipv6 = nat_answer(true, IPPROTO_UDP);

	need_network();
	check_return(*state, &answer, false);
	check_return(*state, &ipv6, false);
}

RETURN_CASE(checksums_are_exact,
	    "conformance/N6 on the way back checksums are exact at many values")
{
	uint8_t payload[10] = {0};

	need_network();
	for (uint32_t word = 0; word < 65536; word += 509) {
		struct spec answer = nat_answer(word & 1, word & 2 ? IPPROTO_UDP : IPPROTO_TCP);

		payload[0] = (uint8_t)(word >> 8);
		payload[1] = (uint8_t)word;
		answer.payload = payload;
		answer.id = (uint16_t)(word * 5 + 1);
		check_return(*state, &answer, true);
	}
}

RETURN_CASE(others_are_left_alone,
	    "conformance/N2 other packets, and the host's own, are not touched")
{
	struct lab *lab = *state;
	struct frame frame;
	struct spec spec;

	need_network();
	spec = nat_answer(false, IPPROTO_TCP);
	spec.source_port = NAT_BACKEND_PORT + 1;
	frame_build(&frame, &spec);
	expect_untouched(lab, &frame);
	spec = nat_answer(false, IPPROTO_TCP);
	spec.from = "10.1.2.4";
	frame_build(&frame, &spec);
	expect_untouched(lab, &frame);
	/* The host talks to a backend itself, or nobody is the router here. */
	spec = nat_answer(false, IPPROTO_TCP);
	spec.to = NAT_HOST4;
	frame_build(&frame, &spec);
	expect_untouched(lab, &frame);
	spec.to = NAT_UNROUTED4;
	frame_build(&frame, &spec);
	expect_untouched(lab, &frame);
	assert_int_equal(nat_forwarding_set("0"), 0);
	spec.to = NAT_CLIENT4;
	frame_build(&frame, &spec);
	expect_untouched(lab, &frame);
}

RETURN_CASE(unknown_neighbours_are_the_hosts,
	    "conformance/N2 without a neighbour entry the host's stack goes on")
{
	struct spec answer = nat_answer(false, IPPROTO_TCP), expected_spec;
	struct frame frame, expected;
	struct lab *lab = *state;
	struct result result;

	need_network();
	answer.to = NAT_UNKNOWN4;
	expected_spec = returned(&answer);
	expected_spec.hop_limit = 61; /* the host takes one off */
	frame_build(&frame, &answer);
	nat_sum(&frame);
	frame_build(&expected, &expected_spec);
	nat_sum(&expected);
	lab_run(lab, &frame, &result);
	assert_int_equal(result.verdict, VERDICT_PASS_NAT);
	assert_int_equal(result.action, XDP_PASS);
	frame_assert_equal(&result.frame, &expected);
}

RETURN_CASE(drops_are_counted,
	    "conformance/F11 an answer whose hop limit ends, or that may go nowhere, is dropped")
{
	struct lab *lab = *state;
	struct result result;
	struct frame frame;
	struct spec spec;

	need_network();
	spec = nat_answer(false, IPPROTO_TCP);
	spec.hop_limit = 1;
	frame_build(&frame, &spec);
	lab_run(lab, &frame, &result);
	assert_int_equal(result.verdict, VERDICT_DROP_TTL);
	spec = nat_answer(false, IPPROTO_TCP);
	spec.to = NAT_NOWHERE4;
	frame_build(&frame, &spec);
	lab_run(lab, &frame, &result);
	assert_int_equal(result.verdict, VERDICT_DROP_NO_NEXTHOP);
	assert_int_equal(result.action, XDP_DROP);
}

/* An error from the backend, or from a router before it, about what the client sent. */
RETURN_CASE(errors_tell_the_client,
	    "conformance/N4 an error from a backend: inner and outer rewritten, v4 and v6")
{
	struct lab *lab = *state;

	need_network();
	for (int i = 0; i < 16; i++) {
		bool is_ipv6 = i & 1, from_router = i & 8;
		struct spec quoted = nat_request(is_ipv6, i & 2 ? IPPROTO_UDP : IPPROTO_TCP);
		const char *router = is_ipv6 ? "fd00:1::1" : "10.1.2.1", *from = quoted.to;
		struct frame frame, expected;
		size_t more = i & 4 ? 0 : 12;

		nat_error(&expected, from_router ? router : from, 60, &quoted, more);
		quoted.to = is_ipv6 ? NAT_BACKEND6 : NAT_BACKEND4;
		quoted.port = NAT_BACKEND_PORT;
		nat_error(&frame, from_router ? router : quoted.to, 61, &quoted, more);
		expect(lab, &frame, &expected);
	}
}

static const uint8_t fragment_chain[] = {44, 0xff};

/* A datagram's fragment from there on, as it is sent; the first one has the port. */
static struct spec fragment_of(struct spec answer, unsigned int offset, bool more)
{
	answer.fragment = offset;
	answer.more = more;
	if (strchr(answer.from, ':'))
		answer.extensions = fragment_chain;
	return answer;
}

/* What a fragment's addresses alone change: of a first one the port and the checksum, too. */
static void check_fragment(struct lab *lab, const struct spec *answer)
{
	const struct spec expected_spec = returned(answer);
	struct frame frame, expected;

	frame_build(&frame, answer);
	frame_build(&expected, &expected_spec);
	expect(lab, &frame, &expected);
}

RETURN_CASE(fragments_of_answers_come_from_the_vip,
	    "conformance/N2 all fragments of an answer come from the VIP, v4 and v6")
{
	struct lab *lab = *state;

	need_network();
	for (uint16_t i = 0; i < 20; i++) {
		struct spec answer = nat_answer(i & 1, IPPROTO_UDP), fragment;
		struct frame frame;

		answer.id = (uint16_t)(100 + i);
		fragment = fragment_of(answer, 0, true);
		check_fragment(lab, &fragment);
		fragment = fragment_of(answer, 800, true);
		check_fragment(lab, &fragment);
		fragment = fragment_of(answer, 1600, false);
		check_fragment(lab, &fragment);
		/* Of a datagram that nobody has seen the start of, nobody knows what it is. */
		fragment.id = 99;
		frame_build(&frame, &fragment);
		expect_untouched(lab, &frame);
	}
	assert_int_equal(lab_flow_count(lab).inserts, 0);
}

RETURN_CASE(quoted_fragments_are_no_answers,
	    "conformance/N2 a fragment that an ICMP error quotes is no answer's first one")
{
	struct spec quoted = nat_request(true, IPPROTO_UDP), later = nat_answer(true, IPPROTO_UDP);
	struct lab *lab = *state;
	struct result result;
	struct frame frame;

	need_network();
	quoted.to = NAT_BACKEND6;
	quoted.port = NAT_BACKEND_PORT;
	quoted.id = later.id = 9;
	quoted = fragment_of(quoted, 0, true);
	nat_error(&frame, quoted.to, 61, &quoted, 12);
	lab_run(lab, &frame, &result);
	assert_int_equal(result.verdict, VERDICT_RETURN_NAT);
	later = fragment_of(later, 800, false);
	frame_build(&frame, &later);
	expect_untouched(lab, &frame);
}

RETURN_CASE(
	fragments_of_others_are_left_alone,
	"conformance/N2 fragments that are no answer's, or no answer's any more, are not touched")
{
	struct spec own = nat_answer(false, IPPROTO_UDP), later;
	struct lab *lab = *state;
	struct frame frame;

	need_network();
	own.id = 7;
	own.source_port = NAT_BACKEND_PORT + 1;
	own.more = true;
	frame_build(&frame, &own);
	expect_untouched(lab, &frame);
	later = fragment_of(own, 800, false);
	frame_build(&frame, &later);
	expect_untouched(lab, &frame);

	own.source_port = NAT_BACKEND_PORT;
	check_fragment(lab, &own);
	check_fragment(lab, &later);
	later.from = "10.1.2.4";
	frame_build(&frame, &later);
	expect_untouched(lab, &frame);
	later.from = own.from;
	later.protocol = IPPROTO_TCP;
	frame_build(&frame, &later);
	expect_untouched(lab, &frame);
	later.protocol = own.protocol;
	lab_fragments_age(lab, SLUICE_FRAGMENT_TICKS + 2);
	frame_build(&frame, &later);
	expect_untouched(lab, &frame);
}

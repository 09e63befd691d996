// SPDX-License-Identifier: GPL-2.0-only
/* Outer sources from a prefix: by the flow, constant for it, and the checksum exact. */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "lab.h"

#define VIP4   "198.51.100.80"
#define VIP6   "2001:db8:80::80"
#define FLOWS  256u
#define OUTER  14
#define PREFIX 8 /* bytes of the IPv6 one; 2 of the IPv4 one */

static const struct {
	const char *from, *to;
} ends[] = {{"192.0.2.1", "192.0.2.11"}, {"2001:db8::1", "2001:db8::11"}};

/* The outer source, as text. */
static void source_of(const struct frame *frame, int family, char text[INET6_ADDRSTRLEN])
{
	const uint8_t *place = frame->data + OUTER + (family == AF_INET ? 12 : 8);

	assert_non_null(inet_ntop(family, place, text, INET6_ADDRSTRLEN));
}

static void assert_in_prefix(const char *text, int family)
{
	uint8_t address[16], prefix[16];

	assert_int_equal(inet_pton(family, text, address), 1);
	assert_int_equal(
		inet_pton(family, family == AF_INET ? LAB_SPREAD_V4 : LAB_SPREAD_V6, prefix), 1);
	assert_memory_equal(address, prefix, family == AF_INET ? 2 : PREFIX);
}

/* One packet: everything but the source is as without a prefix, checksum and lengths exact. */
static void check(struct lab *lab, const struct spec *spec, size_t to, enum forward_mode mode,
		  char source[INET6_ADDRSTRLEN])
{
	struct frame frame, expected;
	struct result result;
	struct outer outer = {.from = source, .to = ends[to].to};
	uint64_t hash = lab_hash(spec);

	frame_build(&frame, spec);
	lab_run(lab, &frame, &result);
	source_of(&result.frame, to ? AF_INET6 : AF_INET, source);
	outer.traffic_class = spec->traffic_class;
	outer.inner_family = strchr(spec->to, ':') ? 6 : 4;
	outer.inner_length = frame.length - frame_link_length(&frame);
	outer.label = (uint32_t)(hash >> 20) & 0xfffff;
	if (mode == FORWARD_MODE_GUE)
		outer.gue_source = (uint16_t)(GUE_SOURCE_PORTS | (hash >> 20));
	expected = frame;
	frame_wrap(&expected, &outer);
	lab_backend_mac(1, 3, expected.data);
	memcpy(expected.data + 6, lab_own_mac, 6);
	frame_assert_equal(&result.frame, &expected);
}

static void service_for(struct lab *lab, const char *vip, size_t to, enum forward_mode mode)
{
	struct backend *backend;

	lab_service(lab, 1, vip, IPPROTO_TCP, 80);
	backend = lab_backend(lab, 1, 3, ends[to].from, ends[to].to);
	backend->mode = (uint8_t)mode;
	lab_slots(lab, 1, 3, 3);
}

/* Flows of a client: each keeps its source; how many there are. */
static unsigned int sources_count(struct lab *lab, struct spec *spec, size_t to,
				  enum forward_mode mode)
{
	char seen[FLOWS][INET6_ADDRSTRLEN];
	unsigned int count = 0;

	for (unsigned int i = 0; i < FLOWS; i++) {
		char again[INET6_ADDRSTRLEN];
		bool known = false;

		spec->source_port = (uint16_t)(1024 + i);
		spec->payload_length = 10;
		check(lab, spec, to, mode, seen[count]);
		assert_in_prefix(seen[count], to ? AF_INET6 : AF_INET);
		spec->payload_length = 1 + (int)i;
		spec->traffic_class = (uint8_t)i;
		check(lab, spec, to, mode, again);
		assert_string_equal(again, seen[count]);
		for (unsigned int j = 0; j < count; j++)
			known = known || !strcmp(seen[j], seen[count]);
		count += !known;
	}
	return count;
}

CASE(source_is_the_flows,
     "conformance/F13 outer source: from the prefix, constant for a flow, spread over flows")
{
	static const enum forward_mode modes[] = {FORWARD_MODE_IPIP, FORWARD_MODE_GUE};
	struct lab *lab = *state;

	lab_spread(lab);
	for (size_t i = 0; i < 8; i++) {
		struct spec spec = {.from = i % 2 ? "203.0.113.5" : "2001:db8:5::5",
				    .to = i % 2 ? VIP4 : VIP6,
				    .port = 80};

		service_for(lab, spec.to, i / 2 % 2, modes[i / 4]);
		/* 256 of 65536 at random: hardly two meet. */
		assert_true(sources_count(lab, &spec, i / 2 % 2, modes[i / 4]) > 240);
	}
}

CASE(own_address_without_a_prefix,
     "conformance/F13 outer source: the host's own address without a prefix")
{
	struct lab *lab = *state;
	char source[INET6_ADDRSTRLEN];

	for (size_t to = 0; to < 2; to++) {
		const struct spec spec = {
			.from = "203.0.113.5", .to = VIP4, .source_port = 1024, .port = 80};

		service_for(lab, VIP4, to, FORWARD_MODE_IPIP);
		check(lab, &spec, to, FORWARD_MODE_IPIP, source);
		assert_string_equal(source, ends[to].from);
	}
}

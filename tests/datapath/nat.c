// SPDX-License-Identifier: GPL-2.0-only
/* Mode nat, to the backend: address, port, hop limit and every checksum, also in quotes. */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "nat.h"

static const struct frame *expected_at(struct frame *frame, uint32_t service)
{
	uint8_t mac[6];

	lab_backend_mac(service, NAT_NUMBER, mac);
	frame_set_macs(frame, mac, lab_own_mac);
	return frame;
}

/* A client's packet, and the same as its backend is to get it. */
static void check_forward(struct lab *lab, struct spec spec, bool sums)
{
	bool is_ipv6 = strchr(spec.to, ':');
	struct frame frame, expected;
	struct result result;

	frame_build(&frame, &spec);
	if (sums)
		nat_sum(&frame);
	spec.to = is_ipv6 ? NAT_BACKEND6 : NAT_BACKEND4;
	spec.port = NAT_BACKEND_PORT;
	spec.hop_limit = 60;
	frame_build(&expected, &spec);
	if (sums)
		nat_sum(&expected);
	lab_run(lab, &frame, &result);
	assert_int_equal(result.verdict, VERDICT_FORWARD_NAT);
	assert_int_equal(result.action, XDP_TX);
	frame_assert_equal(&result.frame,
			   expected_at(&expected, nat_service(is_ipv6, spec.protocol)));
}

NAT_CASE(every_field_is_right,
	 "conformance/N1 address, port, hop limit and checksums, v4 and v6, TCP and UDP")
{
	const uint8_t extensions[] = {IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, 0xff};
	struct lab *lab = *state;

	for (int i = 0; i < 4; i++) {
		bool is_ipv6 = i & 1;
		struct spec spec = nat_request(is_ipv6, i & 2 ? IPPROTO_UDP : IPPROTO_TCP);

		check_forward(lab, spec, true);
		spec.payload_length = 1201;
		spec.traffic_class = 0x2a;
		spec.vlans = 2;
		check_forward(lab, spec, true);
		spec.padding = 7;
		spec.options = is_ipv6 ? 0 : 12;
		spec.extensions = is_ipv6 ? extensions : NULL;
		check_forward(lab, spec, true);
	}
	assert_int_equal(lab_backend_count(lab, NAT_TCP4, NAT_NUMBER).packets, 3);
}

NAT_CASE(no_checksum_stays_none, "conformance/N3 no checksum of UDP stays none")
{
	struct lab *lab = *state;

	check_forward(lab, nat_request(false, IPPROTO_UDP), false);
	check_forward(lab, nat_request(true, IPPROTO_UDP), false);
}

/* The word that makes a packet's checksum, or that of what its backend gets, a wanted one. */
static void check_sum_near(struct lab *lab, const struct spec *request, const struct spec *summed)
{
	uint8_t payload[10] = {0};
	struct spec spec = *summed;
	struct frame frame;
	uint16_t sum;

	spec.payload = payload;
	frame_build(&frame, &spec);
	nat_sum(&frame);
	sum = nat_sum_read(&frame);
	for (int offset = -2; offset <= 2; offset++) {
		uint16_t word = (uint16_t)(sum + offset);

		payload[0] = (uint8_t)(word >> 8);
		payload[1] = (uint8_t)word;
		spec = *request;
		spec.payload = payload;
		check_forward(lab, spec, true);
	}
}

NAT_CASE(checksums_0_and_ffff, "conformance/N6 checksums of 0 and 0xffff, before and after")
{
	struct lab *lab = *state;

	for (int i = 0; i < 4; i++) {
		const struct spec request = nat_request(i & 1, i & 2 ? IPPROTO_UDP : IPPROTO_TCP);
		struct spec rewritten = request;

		rewritten.to = i & 1 ? NAT_BACKEND6 : NAT_BACKEND4;
		rewritten.port = NAT_BACKEND_PORT;
		check_sum_near(lab, &request, &request);
		check_sum_near(lab, &request, &rewritten);
	}
}

NAT_CASE(checksums_at_many_values, "conformance/N6 checksums are exact at many values")
{
	struct lab *lab = *state;
	uint8_t payload[10] = {0};

	for (uint32_t word = 0; word < 65536; word += 251) {
		struct spec spec = nat_request(word & 1, word & 2 ? IPPROTO_UDP : IPPROTO_TCP);

		payload[0] = (uint8_t)(word >> 8);
		payload[1] = (uint8_t)word;
		spec.payload = payload;
		spec.source_port = (uint16_t)(word * 7 + 1);
		spec.id = (uint16_t)(word + 1);
		check_forward(lab, spec, true);
	}
}

NAT_CASE(hop_limit_ends,
	 "conformance/F11 a hop limit of 1 or 0 ends here in mode nat, and is counted")
{
	struct lab *lab = *state;
	struct result result;
	struct frame frame;

	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		struct spec spec = nat_request(is_ipv6, IPPROTO_TCP);

		spec.hop_limit = 1;
		frame_build(&frame, &spec);
		lab_run(lab, &frame, &result);
		assert_int_equal(result.verdict, VERDICT_DROP_TTL);
		assert_int_equal(result.bytes, is_ipv6 ? 70 : 50);
		frame.data[14 + (is_ipv6 ? 7 : 8)] = 0;
		lab_run(lab, &frame, &result);
		assert_int_equal(result.verdict, VERDICT_DROP_TTL);
	}
}

NAT_CASE(fragments_get_the_address,
	 "conformance/N1 a first fragment gets address and port, a later one the address")
{
	struct spec first = nat_request(false, IPPROTO_UDP), later = first;
	struct frame frame, expected;
	struct lab *lab = *state;
	struct result result;

	first.more = true;
	first.payload_length = 16;
	check_forward(lab, first, false);
	later.fragment = 24;
	frame_build(&frame, &later);
	later.to = NAT_BACKEND4;
	later.hop_limit = 60;
	frame_build(&expected, &later);
	lab_run(lab, &frame, &result);
	assert_int_equal(result.verdict, VERDICT_FORWARD_NAT);
	frame_assert_equal(&result.frame, expected_at(&expected, NAT_UDP4));
}

NAT_CASE(any_port_stays, "conformance/N1 a service of any port keeps the port")
{
	struct spec spec = nat_request(false, IPPROTO_TCP);
	struct frame frame, expected;
	struct lab *lab = *state;
	struct result result;

	lab_service(lab, NAT_TCP4, NAT_VIP4, IPPROTO_TCP, 0);
	lab_slots(lab, NAT_TCP4, NAT_NUMBER, NAT_NUMBER);
	lab->backends[NAT_TCP4 * LAB_SERVICE_BACKENDS + NAT_NUMBER].port = 0;
	spec.port = 4711;
	frame_build(&frame, &spec);
	nat_sum(&frame);
	spec.to = NAT_BACKEND4;
	spec.hop_limit = 60;
	frame_build(&expected, &spec);
	nat_sum(&expected);
	lab_run(lab, &frame, &result);
	frame_assert_equal(&result.frame, expected_at(&expected, NAT_TCP4));
}

/* A router's error about what the VIP sent; the backend is told of what it sent itself. */
NAT_CASE(errors_tell_the_backend,
	 "conformance/N4 an error to the VIP is rewritten with its quote for the backend")
{
	struct lab *lab = *state;

	for (int i = 0; i < 8; i++) {
		bool is_ipv6 = i & 1;
		struct spec answer = nat_answer(is_ipv6, i & 2 ? IPPROTO_UDP : IPPROTO_TCP);
		struct spec quoted = answer;
		size_t more = i & 4 ? 0 : 12; /* of a UDP quote these are payload */
		struct frame frame, expected;
		struct result result;

		quoted.from = is_ipv6 ? NAT_VIP6 : NAT_VIP4;
		quoted.source_port = nat_port(quoted.protocol);
		nat_error(&frame, is_ipv6 ? NAT_ROUTER6 : NAT_ROUTER4, 61, &quoted, more);
		nat_error(&expected, is_ipv6 ? NAT_ROUTER6 : NAT_ROUTER4, 60, &answer, more);
		lab_run(lab, &frame, &result);
		assert_int_equal(result.verdict, VERDICT_FORWARD_NAT);
		frame_assert_equal(&result.frame,
				   expected_at(&expected, nat_service(is_ipv6, answer.protocol)));
	}
}

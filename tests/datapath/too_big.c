// SPDX-License-Identifier: GPL-2.0-only
/* Packets that do not fit the way to their backend: the client is told how long they may be. */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "lab.h"

#define VIP4    "198.51.100.80"
#define VIP6    "2001:db8:80::80"
#define CLIENT4 "203.0.113.5"
#define CLIENT6 "2001:db8:5::5"
#define FROM4   .from = CLIENT4, .to = VIP4, .source_port = 1000, .port = 80
#define FROM6   .from = CLIENT6, .to = VIP6, .source_port = 1000, .port = 80

/* Payloads that make packets of 1500 bytes, with 20 bytes of TCP or 8 of UDP. */
#define TCP4_1500 1460
#define TCP6_1500 1440
#define UDP4_1500 1472

static void pools(struct lab *lab, uint16_t inner_mtu)
{
	static const char *const vips[] = {VIP4, VIP6, VIP4};

	for (uint32_t id = 1; id <= 3; id++) {
		lab_service(lab, id, vips[id - 1], id == 3 ? IPPROTO_UDP : IPPROTO_TCP, 80);
		lab_backend(lab, id, 0, "10.0.0.9", "10.0.1.1")->inner_mtu = inner_mtu;
		lab_slots(lab, id, 0, 0);
	}
	lab_bucket(lab, REPLY_KIND_ERROR, 0);
}

static void sum_put(struct frame *frame, size_t place, uint16_t sum)
{
	frame->data[place] = (uint8_t)(sum >> 8);
	frame->data[place + 1] = (uint8_t)sum;
}

/* What the VIP is to say about a frame: built by hand from RFC 792 and RFC 4443. */
static void answer_build(struct frame *frame, const struct spec *about, uint16_t mtu)
{
	bool ipv6 = strchr(about->to, ':');
	size_t header = ipv6 ? 40 : 20, total = ipv6 ? 1280 : 576;
	uint8_t message[1280] = {ipv6 ? 2 : 3,        ipv6 ? 0 : 4, 0, 0, 0, 0,
				 (uint8_t)(mtu >> 8), (uint8_t)mtu};
	uint8_t pseudo[40 + 1240] = {0};
	const struct spec spec = {.from = about->to,
				  .to = about->from,
				  .protocol = ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
				  .traffic_class = ipv6 ? 0 : 0xc0,
				  .hop_limit = 64,
				  .payload = message,
				  .payload_length = (int)(total - header),
				  .vlans = about->vlans,
				  .whole = true};
	struct frame quoted;
	size_t link;

	frame_build(&quoted, about);
	link = frame_link_length(&quoted);
	memcpy(message + 8, quoted.data + link, total - header - 8);
	frame_build(frame, &spec);
	if (ipv6) {
		memset(frame->data + link + 1, 0, 3); /* no flow label */
		memcpy(pseudo, frame->data + link + 8, 32);
		sum_put(frame, link + header + 2, 0);
		pseudo[34] = (1280 - 40) >> 8;
		pseudo[35] = (1280 - 40) & 0xff;
		pseudo[39] = IPPROTO_ICMPV6;
		memcpy(pseudo + 40, frame->data + link + header, 1240);
		sum_put(frame, link + header + 2, internet_sum(pseudo, sizeof(pseudo)));
	} else {
		memset(frame->data + link + 4, 0, 2); /* the ID */
		sum_put(frame, link + 10, 0);
		sum_put(frame, link + 10, internet_sum(frame->data + link, 20));
		sum_put(frame, link + header + 2,
			internet_sum(frame->data + link + header, total - header));
	}
	frame_set_macs(frame, quoted.data + 6, quoted.data);
}

static void check_told(struct lab *lab, const struct spec *spec, uint16_t mtu)
{
	struct frame frame, expected;
	struct result result;

	lab_bucket(lab, REPLY_KIND_ERROR, 0);
	frame_build(&frame, spec);
	answer_build(&expected, spec, mtu);
	lab_run(lab, &frame, &result);
	assert_int_equal(result.verdict, VERDICT_REPLY_TOO_BIG);
	assert_int_equal(result.action, XDP_TX);
	frame_assert_equal(&result.frame, &expected);
}

static enum verdict verdict_of(struct lab *lab, const struct spec *spec)
{
	struct result result;
	struct frame frame;

	frame_build(&frame, spec);
	lab_run(lab, &frame, &result);
	return result.verdict;
}

CASE(client_is_told,
     "conformance/I8 too long for the tunnel: the VIP tells the client the MTU, v4 and v6")
{
	struct lab *lab = *state;

	pools(lab, 1480);
	for (unsigned int vlans = 0; vlans <= 2; vlans++) {
		check_told(lab,
			   &(struct spec){FROM4, .payload_length = TCP4_1500, .whole = true,
					  .vlans = vlans},
			   1480);
		check_told(lab,
			   &(struct spec){FROM4, .payload_length = UDP4_1500, .whole = true,
					  .protocol = IPPROTO_UDP, .vlans = vlans, .padding = 3},
			   1480);
		check_told(lab, &(struct spec){FROM6, .payload_length = TCP6_1500, .vlans = vlans},
			   1480);
	}
	check_told(lab, &(struct spec){FROM4, .payload_length = 1440, .whole = true, .options = 40},
		   1480);
	/* Counted for the service, and not for a backend that has not got it. */
	assert_int_equal(lab_service_count(lab, 2).packets, 3);
	assert_int_equal(lab_backend_count(lab, 2, 0).packets, 0);
}

/* Payloads of all residues: each carry of the sum comes up somewhere. */
CASE(checksum_is_exact, "conformance/I8 the checksum of such a message is exact")
{
	uint8_t payload[1500];
	struct lab *lab = *state;

	pools(lab, 1480);
	for (unsigned int seed = 0; seed < 2000; seed++) {
		uint32_t random = seed * 2654435761u + 1;

		for (size_t i = 0; i < sizeof(payload); i++) {
			random = random * 1664525u + 1013904223u;
			payload[i] = seed % 3 ? (uint8_t)(random >> 24) : 0xff;
		}
		check_told(lab,
			   &(struct spec){FROM4, .payload = payload, .payload_length = TCP4_1500,
					  .whole = true, .id = (uint16_t)seed},
			   1480);
		check_told(lab,
			   &(struct spec){.from = CLIENT6,
					  .to = VIP6,
					  .port = 80,
					  .source_port = (uint16_t)(seed + 1),
					  .payload = payload,
					  .payload_length = TCP6_1500},
			   1480);
	}
}

CASE(limit_is_exact, "conformance/I8 the limit is exact, and padding does not count")
{
	struct spec spec = {FROM4, .payload_length = 1440, .whole = true};
	struct spec spec6 = {FROM6, .payload_length = 1420};
	struct lab *lab = *state;

	pools(lab, 1480);
	assert_int_equal(verdict_of(lab, &spec), VERDICT_FORWARD_IPIP);
	assert_int_equal(verdict_of(lab, &spec6), VERDICT_FORWARD_IPIP);
	/* Padding is no part of the packet. */
	spec.padding = 100;
	assert_int_equal(verdict_of(lab, &spec), VERDICT_FORWARD_IPIP);
	spec.padding = 0;
	spec.payload_length++;
	spec6.payload_length++;
	check_told(lab, &spec, 1480);
	check_told(lab, &spec6, 1480);
	/* A way whose MTU is not known sets none; one of l2 sets its own. */
	lab->backends[LAB_SERVICE_BACKENDS].inner_mtu = 0;
	assert_int_equal(verdict_of(lab, &spec), VERDICT_FORWARD_IPIP);
	lab_backend(lab, 1, 0, NULL, NULL)->inner_mtu = 1480;
	check_told(lab, &spec, 1480);
}

CASE(no_ipv6_mtu_is_below_1280, "conformance/I8 no MTU below 1280 is told to IPv6")
{
	struct spec spec = {FROM6, .payload_length = 1221};
	struct lab *lab = *state;

	pools(lab, 1200);
	check_told(lab, &spec, 1280);
	/* One of 1280 is as short as its sender may make it. */
	spec.payload_length = 1220;
	assert_int_equal(verdict_of(lab, &spec), VERDICT_DROP_TOO_BIG);
}

CASE(without_df_it_is_dropped,
     "conformance/I9 without DF it is dropped and counted, and goes through in fragments")
{
	struct spec spec = {FROM4, .payload_length = UDP4_1500, .protocol = IPPROTO_UDP};
	struct lab *lab = *state;
	struct result result;
	struct frame frame;

	pools(lab, 1480);
	frame_build(&frame, &spec);
	lab_run(lab, &frame, &result);
	assert_int_equal(result.verdict, VERDICT_DROP_TOO_BIG);
	assert_int_equal(result.action, XDP_DROP);
	assert_int_equal(result.bytes, 1500);
	/* It goes through in fragments. */
	spec.more = true;
	spec.payload_length = 720;
	assert_int_equal(verdict_of(lab, &spec), VERDICT_FORWARD_IPIP);
	spec.more = false;
	spec.fragment = 728;
	assert_int_equal(verdict_of(lab, &spec), VERDICT_FORWARD_IPIP);
}

CASE(some_are_never_told,
     "conformance/I8 ICMP errors and senders that are no host get no such message")
{
	static const char *const sources[] = {"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.1.1.1",
					      VIP4};
	struct spec spec = {FROM4, .payload_length = TCP4_1500, .whole = true};
	struct lab *lab = *state;
	/* A quote of TCP from VIP4, port 80, to CLIENT4, port 1000. */
	uint8_t error[1472] = {3,   4,  0,   0, 0,   0, 0,           0,  0x45, 0,   0,
			       0,   0,  0,   0, 0,   0, IPPROTO_TCP, 0,  0,    198, 51,
			       100, 80, 203, 0, 113, 5, 0,           80, 3,    232};

	pools(lab, 1480);
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		spec.from = sources[i];
		assert_int_equal(verdict_of(lab, &spec), VERDICT_DROP_TOO_BIG);
	}
	/* ICMP errors are not answered by ICMP errors: this one would go to a backend. */
	spec = (struct spec){.from = CLIENT4,
			     .to = VIP4,
			     .protocol = IPPROTO_ICMP,
			     .whole = true,
			     .payload = error,
			     .payload_length = sizeof(error)};
	assert_int_equal(verdict_of(lab, &spec), VERDICT_DROP_TOO_BIG);
}

CASE(errors_are_limited, "conformance/I11 such messages are limited")
{
	const struct spec spec = {FROM4, .payload_length = TCP4_1500, .whole = true};
	struct lab *lab = *state;
	enum verdict verdict = VERDICT_REPLY_TOO_BIG;
	unsigned int told = 0;

	pools(lab, 1480);
	lab_bucket(lab, REPLY_KIND_ERROR, 10000000000u);
	assert_int_equal(verdict_of(lab, &spec), VERDICT_DROP_ERROR_LIMIT);
	lab_bucket(lab, REPLY_KIND_ERROR, 0);
	/* Pings have a bucket of their own. */
	lab_bucket(lab, REPLY_KIND_ECHO, 10000000000u);
	for (int i = 0; i < 1000 && verdict == VERDICT_REPLY_TOO_BIG; i++) {
		verdict = verdict_of(lab, &spec);
		told += verdict == VERDICT_REPLY_TOO_BIG;
	}
	assert_int_equal(verdict, VERDICT_DROP_ERROR_LIMIT);
	assert_true(told >= 10);
}

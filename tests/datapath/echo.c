// SPDX-License-Identifier: GPL-2.0-only
/* Pings to a VIP: answered in place, checksum exact, for VIPs only, and not without end. */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "lab.h"

#define VIP4    "198.51.100.80"
#define VIP6    "2001:db8:80::80"
#define CLIENT4 "203.0.113.5"
#define CLIENT6 "2001:db8:5::5"

#define PING(source, destination) \
	.from = (source), .to = (destination), .id = 7, .sequence = 1, .length = 56, .fill = 'a'

struct ping {
	const char *from, *to;
	uint16_t id, sequence;
	size_t length; /* of the data behind the 8 bytes */
	uint8_t fill;  /* what that consists of */
	unsigned int vlans, options, padding;
	const uint8_t *extensions;
	bool reply; /* build the answer instead, as the VIP's host would send it */
	bool more;
};

static bool is_ipv6(const struct ping *ping)
{
	return strchr(ping->to, ':');
}

/* Where the ICMP header starts. */
static size_t message_offset(const struct ping *ping)
{
	return 14 + 4 * ping->vlans + (is_ipv6(ping) ? 40 : 20 + ping->options);
}

/* The checksum as RFC 792 and RFC 4443 have it, by a sum over everything. */
static void checksum_fill(struct frame *frame, const struct ping *ping)
{
	size_t offset = message_offset(ping), length = 8 + ping->length;
	uint8_t summed[1600] = {0};
	size_t pseudo = 0;
	uint16_t sum;

	frame->data[offset + 2] = 0;
	frame->data[offset + 3] = 0;
	if (is_ipv6(ping)) {
		memcpy(summed, frame->data + offset - 32, 32);
		summed[34] = (uint8_t)(length >> 8);
		summed[35] = (uint8_t)length;
		summed[39] = IPPROTO_ICMPV6;
		pseudo = 40;
	}
	memcpy(summed + pseudo, frame->data + offset, length);
	sum = internet_sum(summed, pseudo + length);
	frame->data[offset + 2] = (uint8_t)(sum >> 8);
	frame->data[offset + 3] = (uint8_t)sum;
}

static void ping_build(struct frame *frame, const struct ping *ping)
{
	bool ipv6 = is_ipv6(ping);
	uint8_t message[1500] = {ipv6 ? 128 : 8,
				 0,
				 0,
				 0,
				 (uint8_t)(ping->id >> 8),
				 (uint8_t)ping->id,
				 (uint8_t)(ping->sequence >> 8),
				 (uint8_t)ping->sequence};
	const struct spec spec = {
		.from = ping->reply ? ping->to : ping->from,
		.to = ping->reply ? ping->from : ping->to,
		.protocol = ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
		.hop_limit = ping->reply ? 64 : 0,
		.payload = message,
		.payload_length = (int)(8 + ping->length),
		.vlans = ping->vlans,
		.options = ping->options,
		.padding = ping->padding,
		.extensions = ping->extensions,
		.more = ping->more,
	};

	memset(message + 8, ping->fill, ping->length);
	if (ping->reply)
		message[0] = ipv6 ? 129 : 0;
	frame_build(frame, &spec);
	if (!ping->extensions)
		checksum_fill(frame, ping);
}

static void services(struct lab *lab)
{
	lab_service(lab, 1, VIP4, IPPROTO_TCP, 80);
	lab_service(lab, 2, VIP6, IPPROTO_UDP, 443);
}

static void check_answered(struct lab *lab, struct ping ping)
{
	struct frame frame, expected;
	struct result result;

	lab_bucket(lab, REPLY_KIND_ECHO, 0);
	ping_build(&frame, &ping);
	ping.reply = true;
	ping_build(&expected, &ping);
	frame_set_macs(&expected, frame.data + 6, frame.data);
	lab_run(lab, &frame, &result);
	assert_int_equal(result.verdict, VERDICT_REPLY_ECHO);
	assert_int_equal(result.action, XDP_TX);
	assert_int_equal(result.bytes, frame.length - 14 - 4 * ping.vlans - ping.padding);
	frame_assert_equal(&result.frame, &expected);
}

CASE(pings_are_answered,
     "conformance/I1 a ping to a VIP is answered, v4 and v6, with VLAN tags and padding")
{
	struct lab *lab = *state;

	services(lab);
	for (unsigned int vlans = 0; vlans <= 2; vlans++) {
		check_answered(lab, (struct ping){PING(CLIENT4, VIP4), .vlans = vlans});
		check_answered(lab, (struct ping){PING(CLIENT6, VIP6), .vlans = vlans});
		check_answered(lab, (struct ping){.from = CLIENT4,
						  .to = VIP4,
						  .id = 7,
						  .sequence = 1,
						  .vlans = vlans});
		check_answered(lab, (struct ping){.from = CLIENT4,
						  .to = VIP4,
						  .id = 7,
						  .length = 1,
						  .fill = 255,
						  .vlans = vlans,
						  .padding = 17});
	}
	check_answered(
		lab,
		(struct ping){.from = CLIENT4, .to = VIP4, .id = 7, .length = 1400, .fill = 98});
	check_answered(
		lab,
		(struct ping){.from = CLIENT6, .to = VIP6, .id = 7, .length = 1400, .fill = 98});
	assert_int_equal(lab_service_count(lab, 1).packets, 0);
}

/* Every value that the checksum can have, so that each carry comes up. */
CASE(checksum_is_exact_at_every_value,
     "conformance/I1 the checksum of an answer is exact at every value")
{
	static const struct ping pings[] = {{.from = CLIENT4, .to = VIP4, .length = 2},
					    {.from = CLIENT6, .to = VIP6, .length = 2}};
	struct lab *lab = *state;

	services(lab);
	for (uint32_t value = 0; value <= 0xffff;
	     value += value < 0x200 || value > 0xfe00 ? 1 : 61) {
		for (size_t i = 0; i < 2; i++) {
			struct ping ping = pings[i];

			ping.id = (uint16_t)value;
			ping.sequence = value & 1 ? 0x0800 : 0;
			check_answered(lab, ping);
		}
	}
}

/* A bad checksum stays bad: no answer makes good what came broken. */
CASE(broken_ping_stays_broken, "conformance/I1 an answer does not mend a broken checksum")
{
	struct ping ping = {PING(CLIENT4, VIP4)};
	struct lab *lab = *state;
	struct frame frame;
	struct result result;

	services(lab);
	lab_bucket(lab, REPLY_KIND_ECHO, 0);
	ping_build(&frame, &ping);
	frame.data[60] ^= 4;
	lab_run(lab, &frame, &result);
	assert_int_equal(result.verdict, VERDICT_REPLY_ECHO);
	assert_int_not_equal(internet_sum(result.frame.data + 34, 64), 0);
}

static void assert_passes(struct lab *lab, const struct frame *frame, enum verdict verdict)
{
	struct result result;

	lab_run(lab, frame, &result);
	assert_int_equal(result.verdict, verdict);
	assert_int_equal(result.action, XDP_PASS);
	frame_assert_equal(&result.frame, frame);
}

CASE(only_vips_answer, "conformance/I1 nobody else's address is answered for")
{
	static const struct ping pings[] = {
		{PING(CLIENT4, "198.51.100.1")},
		{PING(CLIENT6, "2001:db8:80::1")},
		{PING(VIP4, CLIENT4)},
	};
	struct lab *lab = *state;
	struct frame frame;

	services(lab);
	lab_bucket(lab, REPLY_KIND_ECHO, 0);
	/* Where the filter errs, too. */
	for (int i = 0; i < 2; i++) {
		for (size_t j = 0; j < sizeof(pings) / sizeof(pings[0]); j++) {
			ping_build(&frame, &pings[j]);
			assert_passes(lab, &frame, VERDICT_PASS_NOT_VIP);
		}
		memset(lab->vip_filter, 0xff, SLUICE_VIP_FILTER_BITS / 8);
	}
}

CASE(odd_pings_are_left_to_the_host,
     "conformance/I1 pings with options, from no host's address or in fragments are left to the host")
{
	static const uint8_t chain[] = {60, 0xff};
	static const struct ping pings[] = {
		{PING(CLIENT4, VIP4), .options = 4},
		{PING(CLIENT6, VIP6), .extensions = chain},
		{PING(CLIENT4, VIP4), .more = true},
		{PING(CLIENT4, VIP4), .reply = true},
		{PING("0.0.0.0", VIP4)},
		{PING("127.0.0.1", VIP4)},
		{PING("224.0.0.1", VIP4)},
		{PING("255.255.255.255", VIP4)},
		{PING(VIP4, VIP4)},
		{PING("::", VIP6)},
		{PING("::1", VIP6)},
		{PING("ff02::1", VIP6)},
		{PING(VIP6, VIP6)},
	};
	struct ping plain = {PING(CLIENT4, VIP4)};
	struct lab *lab = *state;
	struct frame frame;

	services(lab);
	lab_bucket(lab, REPLY_KIND_ECHO, 0);
	for (size_t i = 0; i < sizeof(pings) / sizeof(pings[0]); i++) {
		ping_build(&frame, &pings[i]);
		if (pings[i].reply) {
			/* An answer that comes to the VIP is no question. */
			plain.reply = true;
			ping_build(&frame, &plain);
			memcpy(frame.data + 26, frame.data + 30, 4);
			memcpy(frame.data + 30, "\xc6\x33\x64\x50", 4);
			plain.reply = false;
		}
		assert_passes(lab, &frame, VERDICT_PASS_ICMP);
	}
	/* Sent to all, or from all, on the link. */
	ping_build(&frame, &plain);
	memset(frame.data, 0xff, 6);
	assert_passes(lab, &frame, VERDICT_PASS_ICMP);
	ping_build(&frame, &plain);
	frame.data[6] = 1;
	assert_passes(lab, &frame, VERDICT_PASS_ICMP);
	/* ICMP that is cut short, and ICMP of the other family. */
	ping_build(&frame, &plain);
	frame.data[17] = 27;
	assert_passes(lab, &frame, VERDICT_PASS_ICMP);
	ping_build(&frame, &plain);
	frame.data[23] = IPPROTO_ICMPV6;
	frame.data[34] = 128;
	assert_passes(lab, &frame, VERDICT_PASS_ICMP);
}

CASE(answers_are_limited,
     "conformance/I11 answers to pings are limited, and one comes after a silence")
{
	struct ping ping = {PING(CLIENT4, VIP4)};
	struct lab *lab = *state;
	struct result result;
	struct frame frame;
	unsigned int answered = 0;

	services(lab);
	ping_build(&frame, &ping);
	/* Ten at once after a silence. */
	lab_bucket(lab, REPLY_KIND_ECHO, 10000000000u);
	lab_run(lab, &frame, &result);
	assert_int_equal(result.verdict, VERDICT_DROP_ECHO_LIMIT);
	assert_int_equal(result.action, XDP_DROP);
	lab_bucket(lab, REPLY_KIND_ECHO, 0);
	lab_run(lab, &frame, &result);
	assert_int_equal(result.verdict, VERDICT_REPLY_ECHO);
	for (int i = 0; i < 1000 && result.verdict == VERDICT_REPLY_ECHO; i++) {
		lab_run(lab, &frame, &result);
		answered++;
	}
	assert_int_equal(result.verdict, VERDICT_DROP_ECHO_LIMIT);
	assert_true(answered >= 9);
}

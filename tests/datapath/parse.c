// SPDX-License-Identifier: GPL-2.0-only
/* Headers that lie, end early or go on too long. */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "lab.h"

#define VIP4    "198.51.100.80"
#define VIP6    "2001:db8:80::80"
#define CLIENT4 "203.0.113.5"
#define CLIENT6 "2001:db8:5::5"

static void services(struct lab *lab)
{
	const struct {
		const char *vip;
		uint8_t protocol;
	} list[] = {
		{VIP4, IPPROTO_TCP}, {VIP6, IPPROTO_TCP}, {VIP4, IPPROTO_UDP}, {VIP6, IPPROTO_UDP}};

	for (uint32_t id = 0; id < 4; id++) {
		lab_service(lab, id, list[id].vip, list[id].protocol, 80);
		lab_backend(lab, id, 1, "192.0.2.1", "192.0.2.11");
		lab_slots(lab, id, 1, 1);
	}
}

static void assert_malformed(struct lab *lab, const struct frame *frame)
{
	struct result result;

	lab_run(lab, frame, &result);
	assert_int_equal(result.action, XDP_DROP);
	assert_int_equal(result.verdict, VERDICT_DROP_MALFORMED);
	assert_int_equal(result.bytes, 0);
}

static void assert_forwarded(struct lab *lab, const struct frame *frame)
{
	struct result result;

	lab_run(lab, frame, &result);
	assert_int_equal(result.verdict, VERDICT_FORWARD_IPIP);
}

static void set_word(struct frame *frame, size_t offset, unsigned int value)
{
	frame->data[offset] = (uint8_t)(value >> 8);
	frame->data[offset + 1] = (uint8_t)value;
}

CASE(lengths_that_contradict_are_malformed,
     "conformance/parse: lengths that contradict each other or the frame are malformed, bytes not counted")
{
	const struct spec ipv4 = {.from = CLIENT4, .to = VIP4, .port = 80};
	const struct spec ipv6 = {.from = CLIENT6, .to = VIP6, .port = 80};
	const unsigned int bad4[] = {0, 19, 20, 39, 51, 0xffff};
	const unsigned int bad6[] = {0, 19, 31, 0xffff};
	struct lab *lab = *state;
	struct frame frame;

	services(lab);
	for (size_t i = 0; i < sizeof(bad4) / sizeof(bad4[0]); i++) {
		frame_build(&frame, &ipv4);
		set_word(&frame, 16, bad4[i]);
		assert_malformed(lab, &frame);
	}
	for (size_t i = 0; i < sizeof(bad6) / sizeof(bad6[0]); i++) {
		frame_build(&frame, &ipv6);
		set_word(&frame, 18, bad6[i]);
		assert_malformed(lab, &frame);
	}
	/* The shortest that holds its headers. */
	frame_build(&frame, &ipv4);
	set_word(&frame, 16, 40);
	assert_forwarded(lab, &frame);
	frame_build(&frame, &ipv6);
	set_word(&frame, 18, 20);
	assert_forwarded(lab, &frame);
}

CASE(versions_and_header_lengths_are_checked,
     "conformance/parse: a wrong IP version or header length is malformed")
{
	const struct spec ipv4 = {.from = CLIENT4, .to = VIP4, .port = 80};
	const struct spec ipv6 = {.from = CLIENT6, .to = VIP6, .port = 80};
	struct lab *lab = *state;
	struct frame frame;

	services(lab);
	for (unsigned int first = 0; first < 256; first++) {
		if (first != 0x45) {
			frame_build(&frame, &ipv4);
			frame.data[14] = (uint8_t)first;
			if (first >> 4 != 4 || (first & 15) < 5)
				assert_malformed(lab, &frame);
		}
		if (first >> 4 != 6) {
			frame_build(&frame, &ipv6);
			frame.data[14] = (uint8_t)first;
			assert_malformed(lab, &frame);
		}
	}
}

CASE(tcp_data_offsets_are_checked, "conformance/parse: a TCP header must fit its packet")
{
	const struct spec spec = {.from = CLIENT4, .to = VIP4, .port = 80, .payload_length = 8};
	struct lab *lab = *state;
	struct frame frame;

	services(lab);
	for (unsigned int words = 0; words < 16; words++) {
		frame_build(&frame, &spec);
		frame.data[14 + 20 + 12] = (uint8_t)(words << 4);
		if (words < 5 || words > 7)
			assert_malformed(lab, &frame);
		else
			assert_forwarded(lab, &frame);
	}
}

/* destination_end: bytes from which on the destination is known; whole: bytes of all headers. */
static void cut_everywhere(struct lab *lab, const struct spec *spec, size_t destination_end)
{
	struct frame frame, cut;
	struct result result;

	frame_build(&frame, spec);
	/* The kernel takes no frame shorter than an Ethernet header. */
	for (size_t length = 14; length < frame.length; length++) {
		memcpy(cut.data, frame.data, length);
		cut.length = length;
		if (!lab_carries(lab, &cut))
			continue;
		if (length >= destination_end) {
			assert_malformed(lab, &cut);
			continue;
		}
		lab_run(lab, &cut, &result);
		assert_int_equal(result.action, XDP_PASS);
		assert_int_equal(result.verdict, VERDICT_PASS_NOT_IP);
		assert_int_equal(result.bytes, 0);
		frame_assert_equal(&result.frame, &cut);
	}
	assert_forwarded(lab, &frame);
}

CASE(truncation_anywhere_is_counted,
     "conformance/parse: a frame cut at any byte is passed before its destination is known, and malformed from there on")
{
	static const uint8_t chain[] = {0, 60, 0xff};
	struct lab *lab = *state;

	services(lab);
	for (unsigned int vlans = 0; vlans <= 2; vlans++) {
		const struct spec tcp4 = {
			.from = CLIENT4, .to = VIP4, .port = 80, .vlans = vlans, .options = 8};
		const struct spec udp4 = {.from = CLIENT4,
					  .to = VIP4,
					  .port = 80,
					  .vlans = vlans,
					  .protocol = IPPROTO_UDP};
		const struct spec tcp6 = {.from = CLIENT6,
					  .to = VIP6,
					  .port = 80,
					  .vlans = vlans,
					  .extensions = chain};
		const struct spec udp6 = {.from = CLIENT6,
					  .to = VIP6,
					  .port = 80,
					  .vlans = vlans,
					  .protocol = IPPROTO_UDP};

		cut_everywhere(lab, &tcp4, 34 + 4 * vlans);
		cut_everywhere(lab, &udp4, 34 + 4 * vlans);
		cut_everywhere(lab, &tcp6, 54 + 4 * vlans);
		cut_everywhere(lab, &udp6, 54 + 4 * vlans);
	}
}

CASE(extension_headers_are_followed,
     "conformance/parse: IPv6 extension headers are followed to the port")
{
	static const uint8_t chains[][8] = {
		{0, 0xff},
		{43, 0xff},
		{60, 0xff},
		{51, 0xff},
		{135, 0xff},
		{44, 0xff},
		{0, 60, 43, 51, 60, 0xff},
		{0, 60, 43, 44, 51, 60, 0xff},
	};
	struct lab *lab = *state;
	struct frame frame;

	services(lab);
	for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
		const struct spec spec = {
			.from = CLIENT6, .to = VIP6, .port = 80, .extensions = chains[i]};
		const struct spec other = {
			.from = CLIENT6, .to = VIP6, .port = 81, .extensions = chains[i]};
		struct result result;

		frame_build(&frame, &spec);
		assert_forwarded(lab, &frame);
		/* The port is really read behind the chain. */
		frame_build(&frame, &other);
		lab_run(lab, &frame, &result);
		assert_int_equal(result.verdict, VERDICT_DROP_NO_SERVICE);
	}
}

CASE(long_chains_are_given_up,
     "conformance/parse: too long a chain of extension headers is dropped")
{
	static const uint8_t longest[] = {0, 60, 60, 60, 60, 60, 0xff};
	static const uint8_t too_long[] = {0, 60, 60, 60, 60, 60, 60, 0xff};
	struct spec spec = {.from = CLIENT6, .to = VIP6, .port = 80, .extensions = longest};
	struct lab *lab = *state;
	struct result result;
	struct frame frame;

	services(lab);
	frame_build(&frame, &spec);
	assert_forwarded(lab, &frame);
	spec.extensions = too_long;
	frame_build(&frame, &spec);
	lab_run(lab, &frame, &result);
	assert_int_equal(result.action, XDP_DROP);
	assert_int_equal(result.verdict, VERDICT_DROP_EXT_CHAIN);
	assert_int_equal(result.bytes, frame.length - 14);
	/* The last one that is read ends behind the packet. */
	frame.data[14 + 40 + 5 * 16 + 1] = 255;
	assert_malformed(lab, &frame);
}

CASE(chains_that_leave_the_packet_are_malformed,
     "conformance/parse: a chain that leaves the packet is malformed")
{
	static const uint8_t chain[] = {0, 60, 0xff};
	const struct spec spec = {.from = CLIENT6, .to = VIP6, .port = 80, .extensions = chain};
	struct lab *lab = *state;
	struct frame frame;

	services(lab);
	for (unsigned int length = 4; length < 256; length++) {
		frame_build(&frame, &spec);
		frame.data[14 + 40 + 1] = (uint8_t)length;
		assert_malformed(lab, &frame);
	}
}

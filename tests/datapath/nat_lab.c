// SPDX-License-Identifier: GPL-2.0-only
/* Pools in mode nat, and packets with right checksums, apart from the data plane's own code. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>

#include "base/ip.h"
#include "nat.h"
#include "sluice.skel.h"

uint32_t nat_service(bool is_ipv6, uint8_t protocol)
{
	if (protocol == IPPROTO_UDP)
		return is_ipv6 ? NAT_UDP6 : NAT_UDP4;
	return is_ipv6 ? NAT_TCP6 : NAT_TCP4;
}

uint16_t nat_port(uint8_t protocol)
{
	return protocol == IPPROTO_UDP ? 53 : 80;
}

static void words_fill(__be32 words[4], const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(text, &ip), 0);
	memcpy(words, ip.word, sizeof(ip.word));
}

void nat_reply_set(struct lab *lab, uint32_t service, uint32_t number, uint8_t protocol,
		   const char *vip, uint16_t port)
{
	uint32_t id = service * LAB_SERVICE_BACKENDS + number;
	const struct backend *backend = &lab->backends[id];
	struct nat_key key = {.port = backend->port, .protocol = protocol};
	struct nat_reply reply = {.port = htons(port), .backend = id};

	memcpy(key.address, backend->address, sizeof(key.address));
	words_fill(reply.vip, vip);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(lab->sluice->maps.nat_replies), &key,
					     &reply, BPF_ANY),
			 0);
}

static void pool_fill(struct lab *lab, bool is_ipv6, uint8_t protocol)
{
	const char *vip = is_ipv6 ? NAT_VIP6 : NAT_VIP4;
	uint32_t id = nat_service(is_ipv6, protocol);
	struct backend *backend;

	lab_service(lab, id, vip, protocol, nat_port(protocol));
	lab->services[id].protocol = protocol;
	backend = lab_backend(lab, id, NAT_NUMBER, NULL, NULL);
	words_fill(backend->address, is_ipv6 ? NAT_BACKEND6 : NAT_BACKEND4);
	backend->family = is_ipv6 ? 6 : 4;
	backend->mode = FORWARD_MODE_NAT;
	backend->port = htons(NAT_BACKEND_PORT);
	lab_slots(lab, id, NAT_NUMBER, NAT_NUMBER);
	nat_reply_set(lab, id, NAT_NUMBER, protocol, vip, nat_port(protocol));
}

int nat_use_set(struct lab *lab, uint64_t backends)
{
	struct nat_use use = {.backends = backends};
	uint32_t zero = 0;

	return bpf_map_update_elem(bpf_map__fd(lab->sluice->maps.nat_use), &zero, &use, BPF_ANY);
}

int nat_close(void **state)
{
	return nat_use_set(*state, 0);
}

int nat_open(void **state)
{
	int code = lab_reset(state);
	struct lab *lab = *state;

	for (int i = 0; i < 4; i++)
		pool_fill(lab, i & 1, i & 2 ? IPPROTO_UDP : IPPROTO_TCP);
	return code ? code : nat_use_set(lab, 4);
}

struct spec nat_request(bool is_ipv6, uint8_t protocol)
{
	return (struct spec){.from = is_ipv6 ? NAT_CLIENT6 : NAT_CLIENT4,
			     .to = is_ipv6 ? NAT_VIP6 : NAT_VIP4,
			     .protocol = protocol,
			     .source_port = NAT_CLIENT_PORT,
			     .port = nat_port(protocol)};
}

struct spec nat_answer(bool is_ipv6, uint8_t protocol)
{
	return (struct spec){.from = is_ipv6 ? NAT_BACKEND6 : NAT_BACKEND4,
			     .to = is_ipv6 ? NAT_CLIENT6 : NAT_CLIENT4,
			     .protocol = protocol,
			     .source_port = NAT_BACKEND_PORT,
			     .port = NAT_CLIENT_PORT};
}

/* Where the IP header, and what it carries, start. */
struct layout {
	size_t ip, transport, end;
	bool is_ipv6;
	uint8_t protocol;
};

static struct layout layout_of(const struct frame *frame)
{
	size_t ip = frame_link_length(frame);
	const uint8_t *bytes = frame->data + ip;
	struct layout layout = {.ip = ip, .is_ipv6 = bytes[0] >> 4 == 6};

	if (!layout.is_ipv6) {
		layout.protocol = bytes[9];
		layout.transport = ip + (bytes[0] & 15) * 4u;
		layout.end = ip + (size_t)bytes[2] * 256 + bytes[3];
		return layout;
	}
	layout.protocol = bytes[6];
	layout.transport = ip + 40;
	layout.end = ip + 40 + (size_t)bytes[4] * 256 + bytes[5];
	while (layout.protocol == IPPROTO_HOPOPTS || layout.protocol == IPPROTO_DSTOPTS ||
	       layout.protocol == IPPROTO_FRAGMENT) {
		layout.protocol = frame->data[layout.transport];
		layout.transport += (frame->data[layout.transport + 1] + 1u) * 8;
	}
	return layout;
}

static size_t sum_place(const struct layout *layout)
{
	if (layout->protocol == IPPROTO_TCP)
		return layout->transport + 16;
	return layout->transport + (layout->protocol == IPPROTO_UDP ? 6 : 2);
}

uint16_t nat_sum_read(const struct frame *frame)
{
	struct layout layout = layout_of(frame);
	const uint8_t *place = frame->data + sum_place(&layout);

	return (uint16_t)(place[0] << 8 | place[1]);
}

void nat_sum(struct frame *frame)
{
	struct layout layout = layout_of(frame);
	size_t addresses = layout.is_ipv6 ? 32 : 8, length = layout.end - layout.transport;
	uint8_t text[40 + FRAME_MAX] = {0}, *place = frame->data + sum_place(&layout);
	uint16_t sum;

	place[0] = place[1] = 0;
	memcpy(text, frame->data + layout.ip + (layout.is_ipv6 ? 8 : 12), addresses);
	text[addresses] = (uint8_t)(length >> 8);
	text[addresses + 1] = (uint8_t)length;
	text[addresses + 3] = layout.protocol;
	memcpy(text + addresses + 4, frame->data + layout.transport, length);
	sum = internet_sum(text, addresses + 4 + length);
	if (!sum && layout.protocol == IPPROTO_UDP)
		sum = 0xffff;
	place[0] = (uint8_t)(sum >> 8);
	place[1] = (uint8_t)sum;
}

void nat_error(struct frame *frame, const char *from, uint8_t hop_limit, const struct spec *quoted,
	       size_t more)
{
	bool is_ipv6 = strchr(from, ':');
	uint8_t message[128] = {is_ipv6 ? 1 : 3, is_ipv6 ? 4 : 3};
	size_t length = (is_ipv6 ? 48u : 28u) + more;
	struct spec spec = {.from = from,
			    .to = quoted->from,
			    .protocol = is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
			    .hop_limit = hop_limit,
			    .payload = message,
			    .payload_length = (int)(8 + length)};
	struct frame inner;
	uint16_t sum;

	frame_build(&inner, quoted);
	nat_sum(&inner);
	memcpy(message + 8, inner.data + 14, length);
	sum = internet_sum(message, 8 + length);
	message[2] = (uint8_t)(sum >> 8);
	message[3] = (uint8_t)sum;
	frame_build(frame, &spec);
	if (is_ipv6)
		nat_sum(frame);
}

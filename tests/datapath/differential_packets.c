// SPDX-License-Identifier: GPL-2.0-only
/* Random packets: what clients, routers and backends may send, and what nobody should. */
#include <netinet/in.h>
#include <string.h>

#include "differential.h"
#include "nat.h"

uint32_t random_below(struct round *round, uint32_t limit)
{
	round->random ^= round->random << 13;
	round->random ^= round->random >> 7;
	round->random ^= round->random << 17;
	return (uint32_t)(round->random >> 32) % limit;
}

bool one_in(struct round *round, uint32_t limit)
{
	return !random_below(round, limit);
}

static uint8_t protocol_random(struct round *round)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP,
					    IPPROTO_UDP, IPPROTO_UDP, IPPROTO_GRE, IPPROTO_ICMP};

	return protocols[random_below(round, sizeof(protocols))];
}

static void spec_fragment(struct round *round, struct spec *spec)
{
	spec->id = (uint16_t)(1 + random_below(round, 8));
	spec->fragment = one_in(round, 2) ? 0 : 8 * (1 + random_below(round, 20));
	spec->more = !spec->fragment || one_in(round, 2);
}

/* Extension headers, one too many among them, and that of fragments. */
static void spec_extensions(struct round *round, struct spec *spec, uint8_t types[9])
{
	static const uint8_t kinds[] = {0, 43, 51, 60, 135};
	uint32_t count = one_in(round, 4) ? random_below(round, 8) : 0;
	bool fragment = one_in(round, 5);

	for (uint32_t i = 0; i < count; i++)
		types[i] = kinds[random_below(round, sizeof(kinds))];
	if (fragment) {
		types[count++] = IPPROTO_FRAGMENT;
		spec_fragment(round, spec);
	}
	types[count] = 0xff;
	spec->extensions = types;
}

static void spec_random(struct round *round, struct spec *spec, uint8_t types[9],
			uint8_t payload[64])
{
	static const char *const sources[2][3] = {
		{"203.0.113.1", "203.0.113.2", "203.0.113.3"},
		{"2001:db8:5::1", "2001:db8:5::2", "2001:db8:6::1"}};
	static const uint16_t ports[] = {80, 80, 443, 443, 8080, 0};
	const struct reference_service *service =
		&round->reference->services[random_below(round, REFERENCE_SERVICES)];
	const char *to = service->vip;
	bool v6 = strchr(to, ':');

	if (one_in(round, 20))
		to = v6 ? "2001:db8:7::7" : "198.51.100.99";
	*spec = (struct spec){
		.from = sources[v6][random_below(round, 3)],
		.to = to,
		.source_port = (uint16_t)(1024 + random_below(round, 16)),
		.port = ports[random_below(round, sizeof(ports) / sizeof(ports[0]))],
		.protocol = one_in(round, 4) ? protocol_random(round) : service->protocol,
		.traffic_class = (uint8_t)random_below(round, 256),
		.hop_limit = (uint8_t)(one_in(round, 20) ? 1 : 61),
		.vlans = one_in(round, 4) ? random_below(round, 4) : 0,
		.payload = payload,
		.payload_length = (int)random_below(round, 64) - 1,
		.padding = one_in(round, 4) ? random_below(round, 40) : 0,
	};
	if (service->port && one_in(round, 2))
		spec->port = service->port;
	for (uint32_t i = 0; i < 64; i++)
		payload[i] = (uint8_t)random_below(round, 256);
	if (one_in(round, 2))
		payload[0] |= 0xc0;
	if (one_in(round, 3))
		spec->flags = (int)random_below(round, 256);
	else if (one_in(round, 2))
		spec->flags = FLAG_SYN;
	if (v6) {
		spec_extensions(round, spec, types);
		return;
	}
	spec->options = one_in(round, 6) ? 4 * random_below(round, 11) : 0;
	if (one_in(round, 5))
		spec_fragment(round, spec);
}

/* Some come from this host itself, or from a backend of some service. */
static void source_random(struct round *round, struct frame *frame)
{
	uint32_t service = random_below(round, REFERENCE_SERVICES);
	uint32_t backend = random_below(round, REFERENCE_BACKENDS);

	if (one_in(round, 50))
		memcpy(frame->data + 6, lab_own_mac, 6);
	else if (one_in(round, 10))
		lab_backend_mac(service, backend, frame->data + 6);
}

static void frame_mutate(struct round *round, struct frame *frame)
{
	switch (random_below(round, 8)) {
	case 0: /* cut; the kernel takes no frame without an Ethernet header */
		frame->length = 14 + random_below(round, (uint32_t)frame->length - 13);
		break;
	case 1: /* a length or a version near the start of the IP header */
		frame->data[14 + random_below(round, 8)] = (uint8_t)random_below(round, 80);
		break;
	case 2:
	case 3:
		for (uint32_t count = 1 + random_below(round, 3); count; count--)
			frame->data[random_below(round, (uint32_t)frame->length)] ^=
				(uint8_t)(1u << random_below(round, 8));
		break;
	default:
		break;
	}
}

static const struct reference_service *service_random(struct round *round)
{
	return &round->reference->services[random_below(round, REFERENCE_SERVICES)];
}

/* Where answers go, and whom errors are about: the client most often. */
static const char *client_random(struct round *round, bool v6)
{
	static const char *const others[] = {NAT_UNKNOWN4, NAT_HOST4, NAT_NOWHERE4, NAT_UNROUTED4};

	if (v6)
		return NAT_CLIENT6;
	return one_in(round, 4) ? others[random_below(round, 4)] : NAT_CLIENT4;
}

static uint16_t client_port_random(struct round *round)
{
	return (uint16_t)(1024 + random_below(round, 16));
}

/* Its checksum is right, or what it was built with. */
static void sum_random(struct round *round, struct frame *frame, const struct spec *spec)
{
	if (!spec->fragment && !spec->more && one_in(round, 2))
		nat_sum(frame);
}

static void ping_random(struct round *round, struct frame *frame)
{
	const struct reference_service *service = service_random(round);
	bool v6 = strchr(service->vip, ':');
	uint8_t message[40] = {v6 ? 128 : 8};
	struct spec spec = {.from = v6 ? NAT_CLIENT6 : NAT_CLIENT4,
			    .to = service->vip,
			    .protocol = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
			    .vlans = one_in(round, 4) ? random_below(round, 3) : 0,
			    .options = one_in(round, 8) && !v6 ? 4 : 0,
			    .payload = message,
			    .payload_length = 8 + (int)random_below(round, 32)};
	uint16_t sum;

	for (size_t i = 4; i < sizeof(message); i++)
		message[i] = one_in(round, 3) ? 0 : (uint8_t)random_below(round, 256);
	sum = internet_sum(message, (size_t)spec.payload_length);
	message[2] = (uint8_t)(sum >> 8);
	message[3] = (uint8_t)sum;
	frame_build(frame, &spec);
	if (v6)
		sum_random(round, frame, &spec);
}

/* An ICMP error from a router, or from one end, about a packet between the two. */
static void error_random(struct round *round, struct frame *frame, const struct spec *quoted,
			 const char *from)
{
	static const uint8_t types[2][6] = {{3, 11, 12, 3, 11, 5}, {1, 2, 3, 4, 1, 135}};
	bool v6 = strchr(quoted->to, ':');
	uint8_t message[8 + FRAME_MAX] = {types[v6][random_below(round, 6)]};
	struct spec spec = {.from = from,
			    .to = quoted->from,
			    .protocol = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
			    .hop_limit = one_in(round, 20) ? 1 : 61,
			    .vlans = one_in(round, 4) ? random_below(round, 3) : 0,
			    .options = one_in(round, 8) && !v6 ? 4 : 0,
			    .traffic_class = (uint8_t)random_below(round, 256),
			    .payload = message};
	size_t length;
	struct frame inner;
	uint16_t sum;

	frame_build(&inner, quoted);
	sum_random(round, &inner, quoted);
	length = inner.length - 14;
	if (one_in(round, 3))
		length = random_below(round, (uint32_t)length);
	memcpy(message + 8, inner.data + 14, length);
	sum = internet_sum(message, 8 + length);
	message[2] = (uint8_t)(sum >> 8);
	message[3] = (uint8_t)sum;
	spec.payload_length = (int)(8 + length);
	frame_build(frame, &spec);
	if (v6)
		sum_random(round, frame, &spec);
}

/* The packet from a service or backend to a client that an error is about. */
static struct spec flow_random(struct round *round, const char *from, const char *to,
			       uint8_t protocol, uint16_t port)
{
	static const uint8_t chains[][3] = {{0xff}, {60, 0xff}, {44, 0xff}, {0, 43, 0xff}};
	bool v6 = strchr(from, ':');
	struct spec spec = {.from = from,
			    .to = to,
			    .protocol = protocol,
			    .source_port = port ? port : (uint16_t)random_below(round, 65536),
			    .port = client_port_random(round)};

	if (v6 && one_in(round, 4))
		spec.extensions = chains[random_below(round, 4)];
	else if (!v6 && one_in(round, 6))
		spec.options = 4 * random_below(round, 4);
	if (one_in(round, 10))
		spec.fragment = 80;
	spec.more = one_in(round, 10);
	spec.id = (uint16_t)(1 + random_below(round, 8));
	return spec;
}

static void vip_error_random(struct round *round, struct frame *frame)
{
	static const char *const clients[2][3] = {
		{"203.0.113.1", "203.0.113.2", "203.0.113.3"},
		{"2001:db8:5::1", "2001:db8:5::2", "2001:db8:6::1"}};
	const struct reference_service *service = service_random(round);
	bool v6 = strchr(service->vip, ':');
	const char *client = clients[v6][random_below(round, 3)];
	struct spec quoted = flow_random(round, service->vip, client, service->protocol,
					 one_in(round, 10) ? 4711 : service->port);

	error_random(round, frame, &quoted, v6 ? NAT_ROUTER6 : NAT_ROUTER4);
}

/* A fragment of it, often one behind the first one that was sent last; or the whole. */
static void answer_fragment(struct round *round, struct spec *spec)
{
	static const uint8_t chain[] = {IPPROTO_FRAGMENT, 0xff};

	spec->fragment = 0;
	if (one_in(round, 2))
		return;
	if (round->answer.from && one_in(round, 2)) {
		*spec = round->answer;
		spec->fragment = 8 * (1 + random_below(round, 20));
		spec->more = one_in(round, 2);
		return;
	}
	spec_fragment(round, spec);
	if (strchr(spec->from, ':'))
		spec->extensions = chain;
	if (!spec->fragment)
		round->answer = *spec;
}

/* What a backend in mode nat answers, or an error about what it got. */
static void answer_random(struct round *round, struct frame *frame)
{
	const struct reference_service *service = service_random(round);
	const struct reference_backend *backend =
		&service->backends[random_below(round, REFERENCE_BACKENDS)];
	bool v6 = strchr(backend->to, ':');
	const char *client = client_random(round, v6);
	uint16_t port = one_in(round, 10) ? 4711 : backend->port;
	struct spec spec;

	if (one_in(round, 3)) {
		spec = flow_random(round, client, backend->to, service->protocol,
				   client_port_random(round));
		spec.port = port ? port : 99;
		error_random(round, frame, &spec,
			     one_in(round, 2) ? backend->to
			     : v6             ? NAT_ROUTER6
					      : NAT_ROUTER4);
		return;
	}
	spec = flow_random(round, backend->to, client, service->protocol, port);
	spec.hop_limit = one_in(round, 20) ? 1 : 61;
	spec.vlans = one_in(round, 3) ? random_below(round, 3) : 0;
	answer_fragment(round, &spec);
	frame_build(frame, &spec);
	sum_random(round, frame, &spec);
}

void frame_random(struct round *round, struct frame *frame)
{
	uint8_t types[9], payload[64];
	struct spec spec;

	switch (random_below(round, 12)) {
	case 0:
		ping_random(round, frame);
		break;
	case 1:
		vip_error_random(round, frame);
		break;
	case 2:
		answer_random(round, frame);
		break;
	default:
		spec_random(round, &spec, types, payload);
		frame_build(frame, &spec);
		sum_random(round, frame, &spec);
	}
	source_random(round, frame);
	frame_mutate(round, frame);
}

// SPDX-License-Identifier: GPL-2.0-only
/* The model: a frame is read byte by byte, then judged as the description says. */
#include "reference.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "base/ip.h"

#define EXTENSIONS_MAX 6
#define QUIC_V2        0x6b3343cfu

/* A packet as it is read; offsets are of the frame. */
struct reading {
	const uint8_t *data;
	size_t size, network, transport, end; /* of the frame, its IP header, and so on */
	struct flow_key key;
	uint8_t traffic_class;
	bool first, later; /* of a fragmented datagram */
	uint32_t id;
	int flags; /* of TCP; -1: not TCP */
	bool quic_first;
	uint64_t bytes;
};

static size_t word_at(const uint8_t *data, size_t at)
{
	return (size_t)data[at] << 8 | data[at + 1];
}

/* The family, or 0 for a frame that is not IP or has no whole IP header. */
static int read_link(struct reading *reading)
{
	size_t at = 12;

	for (int tags = 0; tags < 2; tags++) {
		if (at + 2 > reading->size)
			return 0;
		if (word_at(reading->data, at) != 0x8100 && word_at(reading->data, at) != 0x88a8)
			break;
		at += 4;
	}
	if (at + 2 > reading->size)
		return 0;
	reading->network = at + 2;
	if (word_at(reading->data, at) == 0x0800 && reading->network + 20 <= reading->size)
		return 4;
	return word_at(reading->data, at) == 0x86dd && reading->network + 40 <= reading->size ? 6
											      : 0;
}

static void address_read(const uint8_t *bytes, int family, __be32 address[4])
{
	address[0] = address[1] = 0;
	address[2] = htonl(0xffff);
	if (family == 4)
		memcpy(&address[3], bytes, 4);
	else
		memcpy(address, bytes, 16);
}

static bool read_ipv4(struct reading *reading)
{
	const uint8_t *ip = reading->data + reading->network;
	size_t header = (ip[0] & 15u) * 4u, length = word_at(ip, 2), offset = word_at(ip, 6);

	if (ip[0] >> 4 != 4 || header < 20 || length < header ||
	    reading->network + length > reading->size)
		return false;
	address_read(ip + 12, 4, reading->key.source);
	reading->traffic_class = ip[1];
	reading->key.protocol = ip[9];
	reading->later = offset & 0x1fff;
	reading->first = !reading->later && offset & 0x2000;
	if (reading->later || reading->first)
		memcpy(&reading->id, ip + 4, 2);
	reading->transport = reading->network + header;
	reading->end = reading->network + length;
	reading->bytes = length;
	return true;
}

static bool is_extension(uint8_t type)
{
	return type == 0 || type == 43 || type == 44 || type == 51 || type == 60 || type == 135;
}

static void read_fragment_header(struct reading *reading, const uint8_t *header)
{
	size_t offset = word_at(header, 2);

	memcpy(&reading->id, header + 4, 4);
	if (offset & 0xfff8)
		reading->later = true;
	else if (offset & 1)
		reading->first = true;
}

/* Whether the chain leads to a transport header, or a later fragment. */
static enum verdict read_chain(struct reading *reading, uint8_t type)
{
	for (int count = 0; is_extension(type) && !reading->later; count++) {
		const uint8_t *header = reading->data + reading->transport;

		if (count == EXTENSIONS_MAX)
			return VERDICT_DROP_EXT_CHAIN;
		/* What is longer than the packet is told by where the chain ends. */
		if (reading->transport + 8 > reading->size)
			return VERDICT_DROP_MALFORMED;
		if (type == 44)
			read_fragment_header(reading, header);
		if (type == 44)
			reading->transport += 8;
		else
			reading->transport +=
				type == 51 ? (header[1] + 2u) * 4u : (header[1] + 1u) * 8u;
		type = header[0];
	}
	reading->key.protocol = type;
	return reading->transport > reading->end ? VERDICT_DROP_MALFORMED : VERDICT_NONE;
}

static enum verdict read_ipv6(struct reading *reading)
{
	const uint8_t *ip = reading->data + reading->network;
	enum verdict verdict;

	reading->end = reading->network + 40 + word_at(ip, 4);
	if (ip[0] >> 4 != 6 || reading->end > reading->size)
		return VERDICT_DROP_MALFORMED;
	address_read(ip + 8, 6, reading->key.source);
	reading->traffic_class = (uint8_t)(word_at(ip, 0) >> 4);
	reading->transport = reading->network + 40;
	verdict = read_chain(reading, ip[6]);
	if (verdict == VERDICT_NONE)
		reading->bytes = reading->end - reading->network;
	return verdict;
}

static bool flags_are_bad(int flags)
{
	if (!(flags & 0x3f))
		return true;
	if (flags & FLAG_SYN && flags & (FLAG_FIN | FLAG_RST))
		return true;
	return flags & FLAG_FIN && flags & FLAG_PSH && flags & FLAG_URG && !(flags & FLAG_ACK);
}

static bool is_quic_first(const uint8_t *payload, size_t length)
{
	uint32_t version;

	if (length < 5 || payload[0] < 0xc0)
		return false;
	version = (uint32_t)word_at(payload, 1) << 16 | (uint32_t)word_at(payload, 3);
	if (version == QUIC_V2)
		return (payload[0] >> 4 & 3) == 1 || (payload[0] >> 4 & 3) == 2;
	return version && (payload[0] >> 4 & 3) <= 1;
}

static enum verdict read_transport(struct reading *reading)
{
	const uint8_t *header = reading->data + reading->transport;
	size_t room = reading->end - reading->transport;
	bool tcp = reading->key.protocol == IPPROTO_TCP;

	reading->flags = -1;
	if (reading->later || (!tcp && reading->key.protocol != IPPROTO_UDP))
		return VERDICT_NONE;
	if (room < (tcp ? 20 : 8))
		return VERDICT_DROP_MALFORMED;
	if (tcp && ((header[12] >> 4) < 5 || (header[12] >> 4) * 4u > room))
		return VERDICT_DROP_MALFORMED;
	memcpy(&reading->key.source_port, header, 2);
	memcpy(&reading->key.destination_port, header + 2, 2);
	if (!tcp) {
		reading->quic_first = is_quic_first(header + 8, room - 8);
		return VERDICT_NONE;
	}
	reading->flags = header[13];
	return flags_are_bad(header[13]) ? VERDICT_DROP_BAD_FLAGS : VERDICT_NONE;
}

static enum verdict read_packet(struct reading *reading)
{
	enum verdict verdict;

	if (reading->key.family == 6)
		verdict = read_ipv6(reading);
	else
		verdict = read_ipv4(reading) ? VERDICT_NONE : VERDICT_DROP_MALFORMED;
	if (verdict == VERDICT_NONE)
		verdict = read_transport(reading);
	if (verdict == VERDICT_DROP_MALFORMED)
		reading->bytes = 0;
	return verdict;
}

static bool is_vip(const struct reference_service *service, const struct flow_key *key)
{
	struct ip vip;

	return !ip_parse(service->vip, &vip) &&
	       !memcmp(vip.word, key->destination, sizeof(vip.word));
}

/* The first service of the address, which has its VIP's answer, or -1. */
static int vip_find(const struct reference *reference, const struct flow_key *key)
{
	for (uint32_t i = 0; i < REFERENCE_SERVICES; i++)
		if (is_vip(&reference->services[i], key))
			return (int)i;
	return -1;
}

static int service_of_port(const struct reference *reference, const struct flow_key *key,
			   uint16_t port)
{
	for (uint32_t i = 0; i < REFERENCE_SERVICES; i++) {
		const struct reference_service *service = &reference->services[i];

		if (is_vip(service, key) && service->protocol == key->protocol &&
		    service->port == port)
			return (int)i;
	}
	return -1;
}

static int service_find(const struct reference *reference, const struct flow_key *key)
{
	int exact = service_of_port(reference, key, ntohs(key->destination_port));

	return exact >= 0 ? exact : service_of_port(reference, key, 0);
}

static bool is_alive(const struct reference_service *service, uint32_t backend)
{
	return backend < REFERENCE_BACKENDS && service->backends[backend].alive;
}

static uint32_t either(const struct reference_service *service, uint32_t one, uint32_t other)
{
	return is_alive(service, one) ? one : other;
}

static struct reference_flow *flow_find(struct reference *reference, const struct flow_key *key,
					uint32_t service)
{
	for (uint32_t i = 0; i < reference->flow_count; i++) {
		struct reference_flow *flow = &reference->flows[i];

		if (flow->service == service && !memcmp(&flow->key, key, sizeof(*key)))
			return flow;
	}
	return NULL;
}

static void flow_pin(struct reference *reference, const struct flow_key *key, uint32_t service,
		     uint32_t backend)
{
	struct reference_flow *flow = flow_find(reference, key, service);

	if (!flow)
		flow = &reference->flows[reference->flow_count++];
	*flow = (struct reference_flow){*key, service, backend, FLOW_PROBATION};
}

static uint32_t slot_of(const struct reference_service *service, const struct flow_key *key)
{
	uint64_t hash = hash_flow(key, LAB_SEED);

	if (service->affinity != AFFINITY_FLOW)
		hash = hash_source(key, LAB_SEED, service->affinity == AFFINITY_SOURCE_PORT);
	return slot_of_tag(flow_entry_tag(hash), LAB_SLOTS);
}

static bool reading_opens(const struct reading *reading, const struct reference_service *service)
{
	if (reading->flags >= 0)
		return (reading->flags & (FLAG_SYN | FLAG_ACK)) == FLAG_SYN;
	return service->quic && reading->quic_first;
}

static bool reading_closes(const struct reading *reading)
{
	return reading->flags >= 0 && reading->flags & (FLAG_FIN | FLAG_RST);
}

/* Where a flow that nobody remembers goes, and whether it is remembered from now on. */
static uint32_t unknown_pick(struct reference *reference, const struct reading *reading,
			     uint32_t number, uint32_t slot)
{
	const struct reference_service *service = &reference->services[number];
	uint32_t current = service->current[slot], previous = service->previous[slot];
	bool opens = reading_opens(reading, service);
	uint32_t backend = either(service, current, previous);

	if (!opens && (reading->flags >= 0 || service->in_grace))
		backend = either(service, previous, current);
	if (is_alive(service, backend) && (opens || !reading_closes(reading)))
		flow_pin(reference, &reading->key, number, backend);
	return backend;
}

/* The backend that a known flow stays on, or none: a SYN after its handshake opens it anew. */
static uint32_t known_pick(struct reference_flow *flow, const struct reading *reading,
			   const struct reference_service *service)
{
	bool syn = reading->flags >= 0 && reading_opens(reading, service);

	if (!flow || !is_alive(service, flow->backend) || (syn && flow->state != FLOW_PROBATION))
		return SLUICE_NO_BACKEND;
	if (syn)
		return flow->backend;
	if (reading_closes(reading) || flow->state == FLOW_CLOSING)
		flow->state = FLOW_CLOSING;
	else
		flow->state = FLOW_PROVEN;
	return flow->backend;
}

static uint32_t backend_pick(struct reference *reference, const struct reading *reading,
			     uint32_t number)
{
	const struct reference_service *service = &reference->services[number];
	uint32_t slot = slot_of(service, &reading->key), backend;

	if (service->minimal && service->current[slot] == service->previous[slot] &&
	    is_alive(service, service->current[slot]))
		return service->current[slot];
	backend = known_pick(flow_find(reference, &reading->key, number), reading, service);
	if (backend != SLUICE_NO_BACKEND)
		return backend;
	return unknown_pick(reference, reading, number, slot);
}

static struct fragment_key datagram_key(const struct reading *reading)
{
	struct fragment_key key = {.id = reading->id, .family = reading->key.family};

	memcpy(key.source, reading->key.source, sizeof(key.source));
	memcpy(key.destination, reading->key.destination, sizeof(key.destination));
	key.protocol = reading->key.family == 4 ? reading->key.protocol : 0;
	return key;
}

static struct reference_datagram *datagram_find(struct reference *reference,
						const struct reading *reading)
{
	struct fragment_key key = datagram_key(reading);

	for (uint32_t i = 0; i < reference->datagram_count; i++)
		if (!memcmp(&reference->datagrams[i].key, &key, sizeof(key)))
			return &reference->datagrams[i];
	return NULL;
}

struct decision {
	enum verdict verdict; /* VERDICT_NONE: to the backend */
	uint32_t service, backend;
	uint64_t hash;
};

static void datagram_record(struct reference *reference, const struct reading *reading,
			    const struct decision *decision)
{
	struct reference_datagram *datagram = datagram_find(reference, reading);

	if (!datagram)
		datagram = &reference->datagrams[reference->datagram_count++];
	*datagram =
		(struct reference_datagram){datagram_key(reading), decision->verdict,
					    decision->service, decision->backend, decision->hash};
}

static bool is_icmp(const struct reading *reading)
{
	return reading->key.protocol == IPPROTO_ICMP || reading->key.protocol == IPPROTO_ICMPV6;
}

static struct decision later_decide(struct reference *reference, const struct reading *reading)
{
	const struct reference_datagram *datagram = datagram_find(reference, reading);

	if (is_icmp(reading))
		return (struct decision){.verdict = VERDICT_PASS_ICMP};
	if (!datagram)
		return (struct decision){.verdict = VERDICT_HOLD_FRAGMENT};
	return (struct decision){datagram->verdict, datagram->service, datagram->backend,
				 datagram->hash};
}

static struct decision decide(struct reference *reference, const struct reading *reading, int vip)
{
	struct decision decision = {.verdict = VERDICT_NONE};
	int service = service_find(reference, &reading->key);

	if (is_icmp(reading)) {
		decision.verdict = VERDICT_PASS_ICMP;
	} else if (service < 0) {
		decision.verdict = reference->services[vip].vip_passes ? VERDICT_PASS_NO_SERVICE
								       : VERDICT_DROP_NO_SERVICE;
	} else {
		decision.service = (uint32_t)service;
		decision.backend = backend_pick(reference, reading, decision.service);
		decision.hash = hash_flow(&reading->key, LAB_SEED);
		if (!is_alive(&reference->services[service], decision.backend))
			decision.verdict = reference->services[service].empty_passes
						   ? VERDICT_PASS_EMPTY_POOL
						   : VERDICT_DROP_EMPTY_POOL;
	}
	if (reading->first)
		datagram_record(reference, reading, &decision);
	return decision;
}

static void wrap(struct frame *frame, const struct reading *reading,
		 const struct reference_backend *backend, uint64_t hash)
{
	const struct outer outer = {
		.from = backend->from,
		.to = backend->to,
		.traffic_class = reading->traffic_class,
		.inner_family = reading->key.family,
		.inner_length = reading->end - reading->network,
		.label = (uint32_t)(hash >> 20) & 0xfffff,
		.gue_source = backend->mode == FORWARD_MODE_GUE
				      ? (uint16_t)(0xc000 | (hash >> 20 & 0x3fff))
				      : 0,
	};

	frame_wrap(frame, &outer);
}

/* Whether the frame comes from this host, or from the backend that it would go to. */
static bool goes_round(const struct reading *reading, const uint8_t backend[6])
{
	return !memcmp(reading->data + 6, lab_own_mac, 6) || !memcmp(reading->data + 6, backend, 6);
}

static void forward(const struct reference *reference, const struct reading *reading,
		    const struct decision *decision, struct result *result)
{
	static const enum verdict verdicts[] = {
		[FORWARD_MODE_L2] = VERDICT_FORWARD_L2,
		[FORWARD_MODE_IPIP] = VERDICT_FORWARD_IPIP,
		[FORWARD_MODE_GUE] = VERDICT_FORWARD_GUE,
	};
	const struct reference_backend *backend =
		&reference->services[decision->service].backends[decision->backend];
	uint8_t mac[6];

	lab_backend_mac(decision->service, decision->backend, mac);
	result->action = XDP_DROP;
	if (!backend->reachable) {
		result->verdict = VERDICT_DROP_NO_NEXTHOP;
		return;
	}
	if (backend->mode == FORWARD_MODE_L2 && goes_round(reading, mac)) {
		result->verdict = VERDICT_DROP_LOOP;
		return;
	}
	result->verdict = verdicts[backend->mode];
	result->action = backend->egress == LAB_EGRESS_SAME ? XDP_TX : XDP_REDIRECT;
	if (backend->mode != FORWARD_MODE_L2)
		wrap(&result->frame, reading, backend, decision->hash);
	frame_set_macs(&result->frame, mac, lab_own_mac);
}

static uint32_t action_of(enum verdict verdict)
{
#define REFERENCE_ACTION(name, label, action, meaning) [VERDICT_##name] = VERDICT_ACTION_##action,
	static const enum verdict_action actions[] = {SLUICE_VERDICTS(REFERENCE_ACTION)};

	return actions[verdict] == VERDICT_ACTION_PASS ? XDP_PASS : XDP_DROP;
}

bool reference_run(struct reference *reference, const struct frame *frame,
		   struct result *ret_result)
{
	struct reading reading = {.data = frame->data, .size = frame->length};
	struct decision decision = {.verdict = VERDICT_PASS_NOT_IP};
	int vip = -1;

	ret_result->frame = *frame;
	reading.key.family = (uint8_t)read_link(&reading);
	if (reading.key.family) {
		size_t at = reading.network + (reading.key.family == 4 ? 16 : 24);

		address_read(frame->data + at, reading.key.family, reading.key.destination);
		vip = vip_find(reference, &reading.key);
		decision.verdict = vip < 0 ? VERDICT_PASS_NOT_VIP : read_packet(&reading);
	}
	if (vip >= 0 && decision.verdict == VERDICT_NONE)
		decision = reading.later ? later_decide(reference, &reading)
					 : decide(reference, &reading, vip);
	ret_result->bytes = reading.bytes;
	if (decision.verdict == VERDICT_NONE) {
		forward(reference, &reading, &decision, ret_result);
		return true;
	}
	ret_result->verdict = decision.verdict;
	ret_result->action = action_of(decision.verdict);
	return decision.verdict != VERDICT_PASS_ICMP || reading.later;
}

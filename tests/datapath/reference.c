// SPDX-License-Identifier: GPL-2.0-only
/* The model: a frame that was read is judged as the description says. */
#include "reference.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "base/ip.h"
#include "reference_parts.h"

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

int reference_service(const struct reference *reference, const struct flow_key *key)
{
	int exact = service_of_port(reference, key, ntohs(key->destination_port));

	return exact >= 0 ? exact : service_of_port(reference, key, 0);
}

bool reference_is_alive(const struct reference_service *service, uint32_t backend)
{
	return backend < REFERENCE_BACKENDS && service->backends[backend].alive;
}

static uint32_t either(const struct reference_service *service, uint32_t one, uint32_t other)
{
	return reference_is_alive(service, one) ? one : other;
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
	if (reference_is_alive(service, backend) && (opens || !reading_closes(reading)))
		flow_pin(reference, &reading->key, number, backend);
	return backend;
}

/* The backend that a known flow stays on, or none: a SYN after its handshake opens it anew. */
static uint32_t known_pick(struct reference_flow *flow, const struct reading *reading,
			   const struct reference_service *service)
{
	bool syn = reading->flags >= 0 && reading_opens(reading, service);

	if (!flow || !reference_is_alive(service, flow->backend) ||
	    (syn && flow->state != FLOW_PROBATION))
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
	    reference_is_alive(service, service->current[slot]))
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

struct reference_datagram *reference_datagram(struct reference *reference,
					      const struct reading *reading)
{
	struct fragment_key key = datagram_key(reading);

	for (uint32_t i = 0; i < reference->datagram_count; i++)
		if (!memcmp(&reference->datagrams[i].key, &key, sizeof(key)))
			return &reference->datagrams[i];
	return NULL;
}

void reference_datagram_record(struct reference *reference, const struct reading *reading,
			       const struct decision *decision)
{
	struct reference_datagram *datagram = reference_datagram(reference, reading);

	if (!datagram)
		datagram = &reference->datagrams[reference->datagram_count++];
	*datagram = (struct reference_datagram){.key = datagram_key(reading),
						.verdict = decision->verdict,
						.service = decision->service,
						.backend = decision->backend,
						.flow = reading->key};
}

static bool is_icmp(const struct reading *reading)
{
	return reading->key.protocol == IPPROTO_ICMP || reading->key.protocol == IPPROTO_ICMPV6;
}

/* Its backend, or if that has died meanwhile the one that its flow would have now. */
static uint32_t datagram_backend(struct reference *reference,
				 const struct reference_datagram *datagram)
{
	const struct reference_service *service = &reference->services[datagram->service];
	const struct reference_flow *flow =
		flow_find(reference, &datagram->flow, datagram->service);
	const struct reading reading = {.key = datagram->flow,
					.flags = datagram->flow.protocol == IPPROTO_TCP ? FLAG_ACK
											: -1};

	if (reference_is_alive(service, datagram->backend))
		return datagram->backend;
	if (flow && reference_is_alive(service, flow->backend))
		return flow->backend;
	return unknown_pick(reference, &reading, datagram->service,
			    slot_of(service, &datagram->flow));
}

static struct decision later_decide(struct reference *reference, const struct reading *reading)
{
	const struct reference_datagram *datagram = reference_datagram(reference, reading);
	struct decision decision = {.verdict = VERDICT_HOLD_FRAGMENT};

	if (is_icmp(reading))
		return (struct decision){.verdict = VERDICT_PASS_ICMP};
	if (!datagram)
		return decision;
	decision.verdict = datagram->verdict;
	if (datagram->verdict != VERDICT_NONE)
		return decision;
	decision.service = datagram->service;
	decision.backend = datagram_backend(reference, datagram);
	decision.hash = hash_flow(&datagram->flow, LAB_SEED);
	if (!reference_is_alive(&reference->services[datagram->service], decision.backend))
		decision.verdict = VERDICT_DROP_FRAGMENT;
	return decision;
}

uint32_t reference_owner(struct reference *reference, const struct flow_key *key, uint32_t number)
{
	const struct reference_service *service = &reference->services[number];
	const struct reference_flow *flow = flow_find(reference, key, number);
	uint32_t slot = slot_of(service, key);
	uint32_t current = service->current[slot], previous = service->previous[slot];

	if (service->minimal && current == previous && reference_is_alive(service, current))
		return current;
	if (flow && reference_is_alive(service, flow->backend))
		return flow->backend;
	if (service->protocol == IPPROTO_TCP || service->in_grace)
		return either(service, previous, current);
	return either(service, current, previous);
}

static struct decision decide(struct reference *reference, const struct reading *reading, int vip,
			      struct result *result)
{
	struct decision decision = {.verdict = VERDICT_NONE};
	int service = reference_service(reference, &reading->key);

	if (is_icmp(reading)) {
		decision = reference_icmp(reference, reading, result);
	} else if (service < 0) {
		decision.verdict = reference->services[vip].vip_passes ? VERDICT_PASS_NO_SERVICE
								       : VERDICT_DROP_NO_SERVICE;
	} else {
		decision.service = (uint32_t)service;
		decision.backend = backend_pick(reference, reading, decision.service);
		decision.hash = hash_flow(&reading->key, LAB_SEED);
		if (!reference_is_alive(&reference->services[service], decision.backend))
			decision.verdict = reference->services[service].empty_passes
						   ? VERDICT_PASS_EMPTY_POOL
						   : VERDICT_DROP_EMPTY_POOL;
	}
	if (reading->first)
		reference_datagram_record(reference, reading, &decision);
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

/* Of what the data plane forwards the way out decides. */
static uint32_t action_of(enum verdict verdict)
{
#define REFERENCE_ACTION(name, label, action, meaning) [VERDICT_##name] = VERDICT_ACTION_##action,
	static const enum verdict_action actions[] = {SLUICE_VERDICTS(REFERENCE_ACTION)};

	if (actions[verdict] == VERDICT_ACTION_DROP)
		return XDP_DROP;
	return actions[verdict] == VERDICT_ACTION_PASS ? XDP_PASS : XDP_TX;
}

static void forward(const struct reference *reference, const struct reading *reading,
		    const struct decision *decision, struct result *result)
{
	static const enum verdict verdicts[] = {
		[FORWARD_MODE_L2] = VERDICT_FORWARD_L2,
		[FORWARD_MODE_IPIP] = VERDICT_FORWARD_IPIP,
		[FORWARD_MODE_GUE] = VERDICT_FORWARD_GUE,
	};
	const struct reference_service *service = &reference->services[decision->service];
	const struct reference_backend *backend = &service->backends[decision->backend];
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
	if (backend->mode == FORWARD_MODE_NAT)
		reference_nat(reference, reading, decision, result);
	else
		result->verdict = verdicts[backend->mode];
	if (action_of(result->verdict) == XDP_DROP)
		return;
	result->action = backend->egress == LAB_EGRESS_SAME ? XDP_TX : XDP_REDIRECT;
	if (backend->mode == FORWARD_MODE_IPIP || backend->mode == FORWARD_MODE_GUE)
		wrap(&result->frame, reading, backend, decision->hash);
	frame_set_macs(&result->frame, mac, lab_own_mac);
	frame_retag(&result->frame, service->vlan);
}

bool reference_run(struct reference *reference, const struct frame *frame,
		   struct result *ret_result)
{
	struct reading reading = {.data = frame->data, .size = frame->length};
	struct decision decision = {.verdict = VERDICT_PASS_NOT_IP};
	int vip = -1;

	ret_result->frame = *frame;
	ret_result->action = XDP_PASS;
	ret_result->verdict = VERDICT_PASS_NOT_VIP;
	reading.key.family = (uint8_t)reference_read_link(&reading);
	if (reading.key.family) {
		size_t at = reading.network + (reading.key.family == 4 ? 16 : 24);

		reference_address(frame->data + at, reading.key.family, reading.key.destination);
		vip = vip_find(reference, &reading.key);
		decision.verdict = reference_read_packet(&reading);
		if (vip < 0 && (!reference->has_nat || decision.verdict != VERDICT_NONE))
			return true;
		if (vip < 0)
			return reference_nat_return(reference, &reading, ret_result);
	}
	if (decision.verdict == VERDICT_NONE)
		decision = reading.later ? later_decide(reference, &reading)
					 : decide(reference, &reading, vip, ret_result);
	ret_result->bytes = reading.bytes;
	ret_result->verdict = decision.verdict;
	if (decision.verdict == VERDICT_NONE)
		forward(reference, &reading, &decision, ret_result);
	else
		ret_result->action = action_of(decision.verdict);
	return true;
}

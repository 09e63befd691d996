// SPDX-License-Identifier: GPL-2.0-only
/* The model's mode nat: one end of a packet gets another address and port, sums brought up to date. */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "base/ip.h"
#include "nat.h"
#include "reference_parts.h"

/* What one end gets; a port of 0 stays. */
struct end {
	struct ip address, quoted;
	__be16 port;
	bool is_source;
};

static uint32_t address_put(struct reading *reading, struct frame *frame, size_t network,
			    bool is_source, const struct ip *address)
{
	size_t width = reading->key.family == 4 ? 4 : 16;
	size_t place = network + (width == 4 ? 12 : 8) + (is_source ? 0 : width);

	return reference_put(frame->data + place, (const uint8_t *)address->word + 16 - width,
			     width);
}

/* Port and checksum of a header, of which there is as much as before the end; its own change. */
static uint32_t transport_put(struct frame *frame, size_t place, size_t end, uint8_t protocol,
			      uint32_t address_change, bool is_source, __be16 port)
{
	size_t check = place + (protocol == IPPROTO_TCP ? 16 : protocol == IPPROTO_UDP ? 6 : 2);
	uint8_t before[2], *sum = frame->data + check;
	uint32_t own = 0;

	if (place + 4 > end)
		return 0;
	if (port && protocol != IPPROTO_ICMPV6)
		own = reference_put(frame->data + place + (is_source ? 0 : 2),
				    (const uint8_t *)&port, 2);
	if (check + 2 > end || (protocol == IPPROTO_UDP && !reference_word(sum, 0)))
		return own;
	memcpy(before, sum, 2);
	reference_sum(sum, address_change + own);
	if (protocol == IPPROTO_UDP && !reference_word(sum, 0))
		sum[0] = sum[1] = 0xff;
	return own + 0xffff - (uint32_t)reference_word(before, 0) +
	       (uint32_t)reference_word(sum, 0);
}

/* The quote of an ICMP error, in which the ends are the other way round. */
static void quote_put(struct reading *reading, struct frame *frame, const struct end *end)
{
	struct reading quote = {.data = frame->data,
				.size = frame->length,
				.network = reading->transport + 8,
				.end = frame->length};
	uint8_t *ip = frame->data + quote.network, before[2];
	uint32_t change, message;

	memcpy(before, ip + 10, 2);
	change = message =
		address_put(reading, frame, quote.network, !end->is_source, &end->quoted);
	if (reading->key.family == 4) {
		quote.transport = quote.network + (ip[0] & 15u) * 4u;
		quote.key.protocol = ip[9];
		reference_sum(ip + 10, change);
		message += 0xffff - (uint32_t)reference_word(before, 0) +
			   (uint32_t)reference_word(ip, 10);
	} else {
		quote.transport = quote.network + 40;
		reference_read_chain(&quote, ip[6]);
	}
	message += transport_put(frame, quote.transport, reading->end, quote.key.protocol, change,
				 !end->is_source, end->port);
	reference_sum(frame->data + reading->transport + 2, message);
}

/* All but MAC addresses. is_hop: this host routes it. False: its hop limit ends here. */
static bool packet_put(struct reading *reading, struct frame *frame, const struct end *end,
		       bool is_error, bool is_hop)
{
	uint8_t *ip = frame->data + reading->network;
	uint8_t *hops = ip + (reading->key.family == 4 ? 8 : 7);
	uint8_t protocol = reading->key.protocol;
	uint32_t change;

	if (is_hop && *hops <= 1)
		return false;
	if (is_error)
		quote_put(reading, frame, end);
	change = address_put(reading, frame, reading->network, end->is_source, &end->address);
	if (reading->key.family == 4) {
		const uint8_t word[2] = {(uint8_t)(ip[8] - is_hop), ip[9]};

		reference_sum(ip + 10, change + reference_put(ip + 8, word, 2));
	} else {
		*hops = (uint8_t)(*hops - is_hop);
	}
	if (!reading->later &&
	    (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_ICMPV6))
		transport_put(frame, reading->transport, reading->end, protocol, change,
			      end->is_source, end->port);
	return true;
}

void reference_nat(const struct reference *reference, const struct reading *reading,
		   const struct decision *decision, struct result *result)
{
	const struct reference_service *service = &reference->services[decision->service];
	const struct reference_backend *backend = &service->backends[decision->backend];
	struct end end = {.port = htons(backend->port)};
	struct reading copy = *reading;

	ip_parse(backend->to, &end.address);
	end.quoted = end.address;
	result->verdict = VERDICT_FORWARD_NAT;
	if (ip_family(&end.address) != reading->key.family)
		result->verdict = VERDICT_DROP_NO_NEXTHOP;
	else if (!packet_put(&copy, &result->frame, &end, decision->is_error, true))
		result->verdict = VERDICT_DROP_TTL;
}

/* The backend whose address and port this is; an exact port comes first. */
static const struct reference_backend *answerer(const struct reference *reference,
						const struct flow_key *key, __be16 port,
						const struct reference_service **ret_service)
{
	for (uint32_t i = 0; i < REFERENCE_SERVICES * REFERENCE_BACKENDS; i++) {
		const struct reference_service *service =
			&reference->services[i / REFERENCE_BACKENDS];
		const struct reference_backend *backend =
			&service->backends[i % REFERENCE_BACKENDS];
		struct ip address;

		*ret_service = service;
		if (backend->mode == FORWARD_MODE_NAT && service->protocol == key->protocol &&
		    htons(backend->port) == port && !ip_parse(backend->to, &address) &&
		    !memcmp(address.word, key->source, sizeof(address.word)))
			return backend;
	}
	return NULL;
}

/* The way to a client is the network's: which the model knows of some only. */
static enum verdict way_to(const struct flow_key *key)
{
	static const struct {
		const char *client;
		enum verdict verdict;
	} ways[] = {{NAT_CLIENT4, VERDICT_RETURN_NAT},     {NAT_CLIENT6, VERDICT_RETURN_NAT},
		    {NAT_UNKNOWN4, VERDICT_PASS_NAT},      {NAT_HOST4, VERDICT_PASS_NOT_VIP},
		    {NAT_UNROUTED4, VERDICT_PASS_NOT_VIP}, {NAT_NOWHERE4, VERDICT_DROP_NO_NEXTHOP}};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct ip address;

		if (!ip_parse(ways[i].client, &address) &&
		    !memcmp(address.word, key->destination, sizeof(address.word)))
			return ways[i].verdict;
	}
	return VERDICT_NONE;
}

static void answer_put(struct reading *reading, const struct end *end, bool is_error,
		       enum verdict verdict, uint16_t vlan, struct result *result)
{
	static const uint8_t client[6] = NAT_CLIENT_MAC_BYTES, router[6] = NAT_ROUTER_MAC_BYTES;
	bool is_hop = verdict == VERDICT_RETURN_NAT;

	result->verdict = verdict;
	result->bytes = reading->bytes;
	result->action = XDP_DROP;
	if (verdict == VERDICT_DROP_NO_NEXTHOP)
		return;
	if (!packet_put(reading, &result->frame, end, is_error, is_hop)) {
		result->verdict = VERDICT_DROP_TTL;
		return;
	}
	result->action = is_hop ? XDP_REDIRECT : XDP_PASS;
	if (!is_hop)
		return;
	frame_set_macs(&result->frame, client, router);
	frame_retag(&result->frame, vlan);
}

/* A fragment behind the first one is what that one was. False: nobody knows that. */
static bool later_read(struct reference *reference, const struct reading *reading,
		       struct flow_key *key)
{
	const struct reference_datagram *datagram = reference_datagram(reference, reading);

	if (!datagram)
		return false;
	*key = datagram->flow;
	return true;
}

bool reference_nat_return(struct reference *reference, struct reading *reading,
			  struct result *result)
{
	struct flow_key key = reading->key;
	const struct reference_service *service;
	const struct reference_backend *backend;
	struct end end = {.is_source = true};
	enum verdict verdict;
	bool is_error = key.protocol == IPPROTO_ICMP || key.protocol == IPPROTO_ICMPV6;

	if (is_error ? reference_icmp_error(reading, &key) != VERDICT_NONE
		     : reading->later && !later_read(reference, reading, &key))
		return true;
	backend = answerer(reference, &key, key.source_port, &service);
	if (!backend)
		backend = answerer(reference, &key, 0, &service);
	if (!backend)
		return true;
	if (reading->first)
		reference_datagram_record(reference, reading, &(struct decision){0});
	verdict = way_to(&reading->key);
	if (verdict == VERDICT_PASS_NOT_VIP || verdict == VERDICT_NONE)
		return verdict == VERDICT_PASS_NOT_VIP;
	ip_parse(service->vip, &end.address);
	end.quoted = end.address;
	end.port = htons(service->port);
	/* A router on the way to the backend speaks for itself. */
	if (is_error && memcmp(reading->key.source, key.source, sizeof(key.source)))
		memcpy(end.address.word, reading->key.source, sizeof(end.address.word));
	answer_put(reading, &end, is_error, verdict, service->client_vlan, result);
	return true;
}

// SPDX-License-Identifier: GPL-2.0-only
/* The model's ICMP: pings to a VIP are answered, errors go to the backend of the flow they quote. */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "base/ip.h"
#include "reference_parts.h"

#define HEADER_LENGTH 8u /* of ICMP, and of the transport header that a quote has to have */

enum kind {
	KIND_OTHER,
	KIND_ERROR,
	KIND_ECHO,
};

/* What has extension headers or is a fragment is none of ours. */
static enum kind kind_of(const struct reading *reading)
{
	uint8_t protocol = reading->key.family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	bool direct = reading->key.family == 4 || reading->transport == reading->network + 40;
	uint8_t type;

	if (reading->key.protocol != protocol || reading->first || reading->later || !direct ||
	    reading->end - reading->transport < HEADER_LENGTH)
		return KIND_OTHER;
	type = reading->data[reading->transport];
	if (reading->key.family == 6)
		return type == 128 ? KIND_ECHO : type >= 1 && type <= 4 ? KIND_ERROR : KIND_OTHER;
	return type == 8                               ? KIND_ECHO
	       : type == 3 || type == 11 || type == 12 ? KIND_ERROR
						       : KIND_OTHER;
}

uint32_t reference_put(uint8_t *place, const uint8_t *bytes, size_t length)
{
	uint32_t change = 0;

	for (size_t i = 0; i < length; i += 2) {
		change += 0xffff - (uint32_t)reference_word(place, i);
		change += (uint32_t)reference_word(bytes, i);
		place[i] = bytes[i];
		place[i + 1] = bytes[i + 1];
	}
	return change;
}

void reference_sum(uint8_t *place, uint32_t change)
{
	uint32_t sum = 0xffff - (uint32_t)reference_word(place, 0) + change;

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	place[0] = (uint8_t)((0xffff - sum) >> 8);
	place[1] = (uint8_t)(0xffff - sum);
}

/* No address of one host, or the VIP's own. */
static bool source_is_bad(const struct reading *reading)
{
	const uint8_t *ip = reading->data + reading->network;
	static const uint8_t zeros[12];

	if (reading->key.family == 4)
		return ip[12] == 0 || ip[12] == 127 || ip[12] >= 224 ||
		       !memcmp(ip + 12, ip + 16, 4);
	return ip[8] == 0xff || !memcmp(ip + 8, zeros, 12) || !memcmp(ip + 8, ip + 24, 16);
}

/* In the frame that it came in: addresses swapped, hop limit anew, sums brought up to date. */
static void echo_answer(const struct reading *reading, struct frame *frame)
{
	size_t width = reading->key.family == 4 ? 4 : 16;
	uint8_t *ip = frame->data + reading->network, *icmp = frame->data + reading->transport;
	const uint8_t *from = reading->data + reading->network + (width == 4 ? 12 : 8);
	const uint8_t type[2] = {width == 4 ? 0 : 129, icmp[1]};

	frame_set_macs(frame, reading->data + 6, reading->data);
	memcpy(frame->data + (from - reading->data), from + width, width);
	memcpy(frame->data + (from - reading->data) + width, from, width);
	reference_sum(icmp + 2, reference_put(icmp, type, 2));
	if (width == 16) {
		ip[7] = 64;
		return;
	}
	reference_sum(ip + 10, reference_put(ip + 8, (const uint8_t[2]){64, ip[9]}, 2));
	/* A sum over nothing but zeros. */
	if (!memcmp(icmp + 2, "\0\0\0\0\0", 6))
		icmp[2] = icmp[3] = 0xff;
}

static enum verdict echo(const struct reading *reading, struct frame *frame)
{
	bool has_options = reading->key.family == 4 && reading->transport != reading->network + 20;

	if (has_options || source_is_bad(reading) || (reading->data[0] | reading->data[6]) & 1)
		return VERDICT_PASS_ICMP;
	echo_answer(reading, frame);
	return VERDICT_REPLY_ECHO;
}

static enum verdict quote_read_ports(const struct reading *quote, size_t end, uint8_t protocol,
				     struct flow_key *key)
{
	const uint8_t *ports = quote->data + quote->transport;

	if (quote->later || quote->transport + HEADER_LENGTH > end)
		return VERDICT_DROP_ICMP_QUOTE;
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return VERDICT_PASS_ICMP;
	key->protocol = protocol;
	memcpy(&key->destination_port, ports, 2);
	memcpy(&key->source_port, ports + 2, 2);
	return VERDICT_NONE;
}

static enum verdict quote_read_ipv4(struct reading *quote, size_t end, struct flow_key *key)
{
	const uint8_t *ip = quote->data + quote->network;
	__be32 sender[4];

	if (quote->network + 20 > end || ip[0] >> 4 != 4 || (ip[0] & 15) < 5)
		return VERDICT_DROP_ICMP_QUOTE;
	reference_address(ip + 12, 4, sender);
	if (memcmp(sender, key->destination, sizeof(sender)))
		return VERDICT_PASS_ICMP;
	reference_address(ip + 16, 4, key->source);
	quote->transport = quote->network + (ip[0] & 15u) * 4u;
	quote->later = reference_word(ip, 6) & 0x1fff;
	return quote_read_ports(quote, end, ip[9], key);
}

static enum verdict quote_read_ipv6(struct reading *quote, size_t end, struct flow_key *key)
{
	const uint8_t *ip = quote->data + quote->network;

	if (quote->network + 40 > end || ip[0] >> 4 != 6)
		return VERDICT_DROP_ICMP_QUOTE;
	if (memcmp(ip + 8, key->destination, 16))
		return VERDICT_PASS_ICMP;
	reference_address(ip + 24, 6, key->source);
	quote->transport = quote->network + 40;
	if (reference_read_chain(quote, ip[6]) != VERDICT_NONE)
		return VERDICT_DROP_ICMP_QUOTE;
	return quote_read_ports(quote, end, quote->key.protocol, key);
}

enum verdict reference_icmp_error(const struct reading *reading, struct flow_key *ret_key)
{
	struct reading quote = {.data = reading->data,
				.size = reading->size,
				.network = reading->transport + HEADER_LENGTH,
				.end = reading->size};

	*ret_key = reading->key;
	if (kind_of(reading) != KIND_ERROR)
		return VERDICT_PASS_ICMP;
	if (reading->key.family == 4)
		return quote_read_ipv4(&quote, reading->end, ret_key);
	return quote_read_ipv6(&quote, reading->end, ret_key);
}

struct decision reference_icmp(struct reference *reference, const struct reading *reading,
			       struct result *result)
{
	struct decision decision = {.verdict = VERDICT_PASS_ICMP, .is_error = true};
	struct flow_key key;
	int service;

	if (kind_of(reading) == KIND_ECHO)
		decision.verdict = echo(reading, &result->frame);
	else
		decision.verdict = reference_icmp_error(reading, &key);
	if (decision.verdict != VERDICT_NONE)
		return decision;
	service = reference_service(reference, &key);
	if (service < 0)
		return (struct decision){.verdict = VERDICT_PASS_ICMP};
	decision.service = (uint32_t)service;
	decision.hash = hash_flow(&key, LAB_SEED);
	decision.backend = reference_owner(reference, &key, decision.service);
	if (!reference_is_alive(&reference->services[service], decision.backend))
		decision.verdict = reference->services[service].empty_passes
					   ? VERDICT_PASS_EMPTY_POOL
					   : VERDICT_DROP_EMPTY_POOL;
	return decision;
}

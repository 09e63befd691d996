// SPDX-License-Identifier: GPL-2.0-only
/* The model reads a frame, byte by byte. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "reference_parts.h"

#define EXTENSIONS_MAX 6
#define QUIC_V2        0x6b3343cfu

size_t reference_word(const uint8_t *data, size_t at)
{
	return (size_t)data[at] << 8 | data[at + 1];
}

int reference_read_link(struct reading *reading)
{
	size_t at = 12;

	for (int tags = 0; tags < 2; tags++) {
		if (at + 2 > reading->size)
			return 0;
		if (reference_word(reading->data, at) != 0x8100 &&
		    reference_word(reading->data, at) != 0x88a8)
			break;
		at += 4;
	}
	if (at + 2 > reading->size)
		return 0;
	reading->network = at + 2;
	if (reference_word(reading->data, at) == 0x0800 && reading->network + 20 <= reading->size)
		return 4;
	return reference_word(reading->data, at) == 0x86dd && reading->network + 40 <= reading->size
		       ? 6
		       : 0;
}

void reference_address(const uint8_t *bytes, int family, __be32 address[4])
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
	size_t header = (ip[0] & 15u) * 4u, length = reference_word(ip, 2),
	       offset = reference_word(ip, 6);

	if (ip[0] >> 4 != 4 || header < 20 || length < header ||
	    reading->network + length > reading->size)
		return false;
	reference_address(ip + 12, 4, reading->key.source);
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
	size_t offset = reference_word(header, 2);

	memcpy(&reading->id, header + 4, 4);
	if (offset & 0xfff8)
		reading->later = true;
	else if (offset & 1)
		reading->first = true;
}

enum verdict reference_read_chain(struct reading *reading, uint8_t type)
{
	for (int count = 0; is_extension(type) && !reading->later; count++) {
		const uint8_t *header = reading->data + reading->transport;

		if (count == EXTENSIONS_MAX)
			return reading->transport > reading->end ? VERDICT_DROP_MALFORMED
								 : VERDICT_DROP_EXT_CHAIN;
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

	reading->end = reading->network + 40 + reference_word(ip, 4);
	if (ip[0] >> 4 != 6 || reading->end > reading->size)
		return VERDICT_DROP_MALFORMED;
	reference_address(ip + 8, 6, reading->key.source);
	reading->traffic_class = (uint8_t)(reference_word(ip, 0) >> 4);
	reading->transport = reading->network + 40;
	verdict = reference_read_chain(reading, ip[6]);
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
	version = (uint32_t)reference_word(payload, 1) << 16 | (uint32_t)reference_word(payload, 3);
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

enum verdict reference_read_packet(struct reading *reading)
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

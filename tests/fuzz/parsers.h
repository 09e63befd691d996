/* SPDX-License-Identifier: GPL-2.0-only */
/* One input through the data plane's parsers, and what must hold of their answers. */
#ifndef TESTS_FUZZ_PARSERS_H
#define TESTS_FUZZ_PARSERS_H

#include "fuzz.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#include "../../bpf/icmp.h"
#include "../../bpf/parse.h"
#include "../../bpf/quic.h"
#pragma GCC diagnostic pop

static inline void fuzz_packet(const uint8_t *data, const uint8_t *end, struct packet *packet)
{
	size_t network = (size_t)(end - data) - packet->link_length;
	enum verdict verdict = parse_packet(data, end, packet);

	FUZZ_REQUIRE(verdict == VERDICT_NONE || verdict == VERDICT_DROP_MALFORMED ||
		     verdict == VERDICT_DROP_BAD_FLAGS || verdict == VERDICT_DROP_EXT_CHAIN);
	FUZZ_REQUIRE(packet->length <= network);
	FUZZ_REQUIRE(packet->fragment <= FRAGMENT_LATER);
	FUZZ_REQUIRE(verdict != VERDICT_DROP_MALFORMED || !packet->length);
	/* The packet is whole; it is its chain that is too long. */
	FUZZ_REQUIRE(verdict != VERDICT_DROP_EXT_CHAIN || packet->length >= 40);
	if (verdict == VERDICT_DROP_BAD_FLAGS)
		FUZZ_REQUIRE(packet->key.protocol == IPPROTO_TCP && packet->signals & SIGNAL_TCP);
	if (verdict != VERDICT_NONE)
		return;
	FUZZ_REQUIRE(packet->length >= (packet->key.family == 4 ? 20u : 40u));
	if (packet->fragment == FRAGMENT_LATER)
		FUZZ_REQUIRE(!packet->key.source_port && !packet->key.destination_port &&
			     !packet->signals);
}

/* As the data plane does for ICMP to a VIP: only what parse_packet has taken comes here. */
static inline void fuzz_icmp(const uint8_t *data, const uint8_t *end, struct packet *packet)
{
	const void *header = data + packet->link_length;
	enum icmp_kind kind;
	enum verdict verdict;
	uint32_t room = 0;

	FUZZ_REQUIRE(parse_destination(data, end, packet) == VERDICT_NONE);
	kind = parse_icmp(&header, end, packet, &room);
	if (kind == ICMP_KIND_OTHER)
		return;
	FUZZ_REQUIRE(kind == ICMP_KIND_ERROR || kind == ICMP_KIND_ECHO);
	FUZZ_REQUIRE(room >= ICMP_HEADER_LENGTH);
	FUZZ_REQUIRE(room <= (size_t)(end - (const uint8_t *)header));
	if (kind != ICMP_KIND_ERROR)
		return;
	verdict = parse_icmp_error(header, end, room, packet);
	FUZZ_REQUIRE(verdict == VERDICT_NONE || verdict == VERDICT_PASS_ICMP ||
		     verdict == VERDICT_DROP_ICMP_QUOTE);
	if (verdict == VERDICT_NONE)
		FUZZ_REQUIRE(packet->key.protocol == IPPROTO_TCP ||
			     packet->key.protocol == IPPROTO_UDP);
}

/* The input as a UDP payload, to services with IDs of each length and at some offsets. */
static inline void fuzz_quic(const uint8_t *data, const uint8_t *end)
{
	uint32_t size = (uint32_t)(end - data);

	for (uint32_t length = 1; length <= SLUICE_QUIC_ID_MAX; length++) {
		for (uint32_t offset = 0; offset + length <= QUIC_ID_MAX; offset += 3) {
			struct service service = {.quic_id_length = (uint8_t)length,
						  .quic_id_offset = (uint8_t)offset};
			uint8_t id[SLUICE_QUIC_ID_MAX + 1];

			memset(id, 0xa5, sizeof(id));
			service.quic_id_config = size > 1 ? data[1] >> 5 : 0;
			if (quic_id_read(data, end, size, &service, id))
				FUZZ_REQUIRE(1 + offset + length <= size);
			for (uint32_t i = length; i < sizeof(id); i++)
				FUZZ_REQUIRE(id[i] == 0xa5);
			FUZZ_REQUIRE(!quic_id_read(data, end, 0, &service, id));
		}
	}
}

static inline void fuzz_frame(const uint8_t *data, const uint8_t *end)
{
	struct packet packet;
	enum verdict verdict;
	__be16 type;

	memset(&packet, 0, sizeof(packet));
	type = parse_link(data, end, &packet);
	FUZZ_REQUIRE(!packet.length);
	packet.key.family = ethertype_family(type);
	if (!packet.key.family)
		return;
	FUZZ_REQUIRE(packet.link_length == 14 || packet.link_length == 18 ||
		     packet.link_length == 22);
	FUZZ_REQUIRE(packet.link_length <= (size_t)(end - data));
	verdict = parse_destination(data, end, &packet);
	FUZZ_REQUIRE(verdict == VERDICT_NONE || verdict == VERDICT_PASS_NOT_IP);
	if (verdict != VERDICT_NONE)
		return;
	fuzz_packet(data, end, &packet);
	if (packet.length)
		fuzz_icmp(data, end, &packet);
}

static inline void fuzz_parsers(const uint8_t *input, size_t size)
{
	uint8_t *data = fuzz_copy(input, size);

	fuzz_frame(data, data + size);
	fuzz_quic(data, data + size);
	FUZZ_REQUIRE(!size || !memcmp(data, input, size));
	free(data);
}

#endif

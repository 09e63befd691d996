/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading QUIC packets as far as a balancer has to: what opens a connection, and the server ID in a
 * connection ID. No helper and no map is used here: the same file is compiled for the host, where
 * it is fuzzed.
 */
#ifndef BPF_QUIC_H
#define BPF_QUIC_H

#include "compiler.h"
#include "sluice/abi.h"

/* RFC 9000, section 17. */
#define QUIC_LONG         0x80u
#define QUIC_FIXED        0x40u
#define QUIC_TYPE_INITIAL 0u
#define QUIC_TYPE_0RTT    1u
#define QUIC_VERSION_END  5u /* of a long header: first byte, version */
#define QUIC_LONG_ID      6u /* then the connection ID's length, and the ID itself */
#define QUIC_SHORT_ID     1u
#define QUIC_ID_MAX       20u
/* RFC 9369 numbers the types of long headers in another way, on purpose. */
#define QUIC_VERSION_2 CONSTANT_BE32(0x6b3343cf)

/* The first bytes of a payload, which are there: see quic_is_first. */
static __always_inline bool quic_bytes_are_first(const __u8 bytes[QUIC_VERSION_END])
{
	__u32 version, type;

	if ((bytes[0] & (QUIC_LONG | QUIC_FIXED)) != (QUIC_LONG | QUIC_FIXED))
		return false;
	__builtin_memcpy(&version, bytes + 1, sizeof(version));
	if (!version) /* a version negotiation */
		return false;
	type = (bytes[0] >> 4) & 3u;
	if (version == QUIC_VERSION_2)
		type = (type - 1) & 3u;
	return type <= QUIC_TYPE_0RTT;
}

/* quic_is_first - an Initial or 0-RTT packet: a client may send it before it knows a server's ID. */
static __always_inline bool quic_is_first(const void *payload, const void *end)
{
	return payload + QUIC_VERSION_END <= end && quic_bytes_are_first(payload);
}

/* Where the connection ID starts in the payload, or 0 if it has none that a server gave. */
static __always_inline __u32 quic_id_start(const void *payload, const void *end, __u32 room,
					   __u32 needed)
{
	const __u8 *bytes = payload;

	if (payload + QUIC_SHORT_ID > end || room < QUIC_SHORT_ID)
		return 0;
	/* The fixed bit is not looked at: RFC 9287 lets peers set it at random. */
	if (!(bytes[0] & QUIC_LONG))
		return QUIC_SHORT_ID;
	if (payload + QUIC_LONG_ID > end || room < QUIC_LONG_ID || quic_bytes_are_first(bytes))
		return 0;
	if (!(bytes[1] | bytes[2] | bytes[3] | bytes[4]))
		return 0;
	return bytes[5] >= needed && bytes[5] <= QUIC_ID_MAX ? QUIC_LONG_ID : 0;
}

/*
 * quic_id_read - the server ID of a packet to a service with quic_id_length; room: bytes of the UDP
 * payload by the headers' lengths. Only the bytes of the ID are written. False if there is none:
 * the packet opens a connection, is too short, or has an ID of another configuration.
 */
static __always_inline bool quic_id_read(const void *payload, const void *end, __u32 room,
					 const struct service *service,
					 __u8 ret_id[SLUICE_QUIC_ID_MAX])
{
	__u32 offset = service->quic_id_offset, length = service->quic_id_length;
	__u32 start = quic_id_start(payload, end, room, offset + length);
	const __u8 *bytes;

	if (!start || start + offset + length > room)
		return false;
	bytes = payload + start;
	/* The first byte of an ID names the configuration, unless the server ID itself is there. */
	if ((const void *)(bytes + 1) > end || (offset && bytes[0] >> 5 != service->quic_id_config))
		return false;
	bytes += offset & 31;
	for (__u32 i = 0; i < SLUICE_QUIC_ID_MAX && i < length; i++) {
		if ((const void *)(bytes + i + 1) > end)
			return false;
		ret_id[i] = bytes[i];
	}
	return true;
}

#endif

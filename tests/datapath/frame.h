/* SPDX-License-Identifier: GPL-2.0-only */
/* Ethernet frames for tests: built from a description, wrapped in tunnels, compared. */
#ifndef DATAPATH_FRAME_H
#define DATAPATH_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX 9216

#define FLAG_FIN  0x01
#define FLAG_SYN  0x02
#define FLAG_RST  0x04
#define FLAG_PSH  0x08
#define FLAG_ACK  0x10
#define FLAG_URG  0x20

struct frame {
	size_t length;
	uint8_t data[FRAME_MAX];
};

/* What is not given: TCP, ACK, TTL 61, 10 bytes of payload, no VLAN. */
struct spec {
	const char *from, *to; /* addresses; the family is theirs */
	uint16_t source_port, port;
	uint8_t protocol; /* IPPROTO_*; 0: TCP */
	int flags;        /* of TCP; 0: ACK, -1: none */
	const uint8_t *tcp_options;
	unsigned int tcp_options_length; /* a multiple of 4 */
	uint8_t traffic_class;           /* DSCP and ECN */
	uint8_t hop_limit;               /* 0: 61 */
	unsigned int vlans;              /* tags: 0..3 */
	unsigned int options;            /* IPv4 options, in bytes, a multiple of 4 */
	const uint8_t *extensions;       /* IPv6: types of the extension headers, ended by 0xff */
	const uint8_t *payload;          /* NULL: payload_length bytes counting up */
	int payload_length;              /* 0: 10; -1: none */
	unsigned int padding;            /* bytes behind the IP packet */
	unsigned int fragment;           /* offset in bytes */
	bool more;                       /* more fragments follow */
	bool whole;                      /* IPv4: do not fragment */
	uint16_t id;                     /* of the datagram */
};

void frame_build(struct frame *frame, const struct spec *spec);

/* Where the IP header starts. */
size_t frame_link_length(const struct frame *frame);

struct outer {
	const char *from, *to;
	uint8_t traffic_class;
	uint8_t inner_family;
	size_t inner_length; /* of the IP packet inside, without padding */
	uint32_t label;      /* IPv6 */
	uint16_t gue_source; /* UDP source port of GUE; 0: IP in IP */
};

/* frame_wrap - put the outer headers of a tunnel in front of the frame's IP packet. */
void frame_wrap(struct frame *frame, const struct outer *outer);

void frame_set_macs(struct frame *frame, const uint8_t to[6], const uint8_t from[6]);

/*
 * frame_retag - in place of the frame's VLAN tags none (VLAN_NONE), or one of this ID, which takes the
 * priority of the outer one that was there; VLAN_KEEP changes nothing.
 */
void frame_retag(struct frame *frame, uint16_t vlan);

/* frame_assert_equal - fail with both frames in hex if they differ. */
void frame_assert_equal(const struct frame *got, const struct frame *expected);

/* internet_sum - the checksum of RFC 1071 over length bytes. */
uint16_t internet_sum(const uint8_t *data, size_t length);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What the cases of mode nat share: a pool for each family and protocol, checksums, ICMP errors. */
#ifndef DATAPATH_NAT_H
#define DATAPATH_NAT_H

#include "lab.h"

#define NAT_VIP4         "198.51.100.80"
#define NAT_VIP6         "2001:db8:80::80"
#define NAT_CLIENT4      "203.0.113.5"
#define NAT_CLIENT6      "2001:db8:5::5"
#define NAT_ROUTER4      "203.0.113.1"
#define NAT_ROUTER6      "2001:db8:5::1"
#define NAT_BACKEND4     "10.1.2.3"
#define NAT_BACKEND6     "fd00:1::23"
#define NAT_BACKEND_PORT 8080
#define NAT_CLIENT_PORT  40000
#define NAT_NUMBER       3 /* of the backend in its service */

/* The network that clients are in, for the way back. */
#define NAT_UNKNOWN4   "203.0.113.6" /* on the segment, but its MAC address is not known */
#define NAT_HOST4      "203.0.113.7" /* this host */
#define NAT_NOWHERE4   "192.0.2.9"   /* to where nothing may go */
#define NAT_UNROUTED4  "198.18.0.1"  /* to where there is no route */
#define NAT_CLIENT_MAC "02:ee:00:00:00:05"
#define NAT_CLIENT_MAC_BYTES        \
	{                           \
		2, 0xee, 0, 0, 0, 5 \
	}
#define NAT_ROUTER_MAC "02:cc:00:00:00:07" /* of this host on the segment */
#define NAT_ROUTER_MAC_BYTES        \
	{                           \
		2, 0xcc, 0, 0, 0, 7 \
	}

/* Services; nat_service() gives that of a packet. */
#define NAT_TCP4 1
#define NAT_TCP6 2
#define NAT_UDP4 3
#define NAT_UDP6 4

uint32_t nat_service(bool is_ipv6, uint8_t protocol);

/* nat_port - of the service. */
uint16_t nat_port(uint8_t protocol);

/* nat_open - for cmocka: empty maps, then the four services, the way back included. */
int nat_open(void **state);

/* nat_close - no answers are looked for any more. */
int nat_close(void **state);

#define NAT_CASE(function, text) CASE_WITH(function, text, .open = nat_open, .close = nat_close)

/*
 * nat_network_open - make that network. False where it cannot be had: then no route leads anywhere.
 * nat_network_close - undo it.
 */
bool nat_network_open(struct lab *lab);
void nat_network_close(struct lab *lab);

/* nat_forwarding_set - whether this host is a router: "1" or "0". Returns 0 or -1. */
int nat_forwarding_set(const char *value);

/* nat_use_set - so many backends are in mode nat; 0: no answers are looked for. */
int nat_use_set(struct lab *lab, uint64_t backends);

/* nat_reply_set - what this backend answers goes out under its service's VIP and port. */
void nat_reply_set(struct lab *lab, uint32_t service, uint32_t number, uint8_t protocol,
		   const char *vip, uint16_t port);

/* The client's packet to the VIP, and what its backend answers. */
struct spec nat_request(bool is_ipv6, uint8_t protocol);
struct spec nat_answer(bool is_ipv6, uint8_t protocol);

/* nat_sum - put the right checksum of TCP, UDP or ICMPv6 into a frame; nat_sum_read - what is there. */
void nat_sum(struct frame *frame);
uint16_t nat_sum_read(const struct frame *frame);

/*
 * nat_error - a port that is unreachable, from this address to the quoted packet's source. The
 * quote is the IP header, 8 bytes, and so many more.
 */
void nat_error(struct frame *frame, const char *from, uint8_t hop_limit, const struct spec *quoted,
	       size_t more);

#endif

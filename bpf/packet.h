/* SPDX-License-Identifier: GPL-2.0-only */
/* What the stages know of a packet: first what the parser read, then what was decided. */
#ifndef BPF_PACKET_H
#define BPF_PACKET_H

#include "compiler.h"
#include "sluice/abi.h"

enum fragment {
	FRAGMENT_NONE = 0, /* a whole datagram */
	FRAGMENT_FIRST,    /* has the ports */
	FRAGMENT_LATER,    /* has none; what lies there must never be read as such */
};

/*
 * What a packet says about the life of its flow: the TCP flags as they are, and these. Bits that
 * are only ever combined, never chosen by a branch, keep the verifier's paths few.
 */
#define SIGNAL_FIN        0x01u
#define SIGNAL_SYN        0x02u
#define SIGNAL_RST        0x04u
#define SIGNAL_PSH        0x08u
#define SIGNAL_ACK        0x10u
#define SIGNAL_URG        0x20u
#define SIGNAL_TCP        0x100u
#define SIGNAL_QUIC_FIRST 0x200u /* QUIC Initial or 0-RTT, if the service speaks QUIC */

static __always_inline bool signals_open(__u32 signals)
{
	return (signals & (SIGNAL_SYN | SIGNAL_ACK)) == SIGNAL_SYN;
}

static __always_inline bool signals_close(__u32 signals)
{
	return signals & (SIGNAL_FIN | SIGNAL_RST);
}

struct packet {
	const void *frame; /* see frame_has() */
	struct flow_key key;
	__u64 vip_hash;     /* hash_vip() of the destination */
	__u32 length;       /* of the IP packet by its header; 0 until that is validated */
	__u32 fragment_id;  /* in network order; only of fragments */
	__u32 link_length;  /* Ethernet header and VLAN tags: where the IP header starts */
	__u32 signals;      /* SIGNAL_* */
	__u8 fragment;      /* enum fragment */
	__u8 traffic_class; /* DSCP and ECN */
	__u8 may_be_vip;    /* the filter has the destination's bit */
	__u8 next_header;   /* IPv6: while the chain is being walked */
};

struct route {
	struct service *service; /* NULL: none found, and nothing below counts */
	struct backend *backend; /* NULL: none given */
	__u64 hash;              /* of the flow */
	__u32 service_id;
	__u32 backend_id;
	__u32 egress;  /* index in egress_ports */
	__u32 ifindex; /* of that */
	__u32 cpu;
	__u32 new_flow; /* 1: this packet opened it */
};

#endif

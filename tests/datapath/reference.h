/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What should become of a packet: a plain, slow model of the data plane, written from its
 * description and not from its code. The hashes alone are shared, as every host computes them.
 */
#ifndef DATAPATH_REFERENCE_H
#define DATAPATH_REFERENCE_H

#include "lab.h"

#define REFERENCE_SERVICES 7u
#define REFERENCE_BACKENDS 8u
#define REFERENCE_MEMORY   1024u /* flows and datagrams, each; a case has fewer packets */

struct reference_backend {
	bool alive, reachable;
	uint8_t mode;     /* enum forward_mode */
	uint32_t egress;  /* LAB_EGRESS_* */
	const char *from; /* of the tunnel */
	char to[40];      /* its other end; nat: the address that packets get, and the port */
	uint16_t port;
};

struct reference_service {
	const char *vip;
	uint8_t protocol;
	uint16_t port; /* 0: any */
	bool minimal, quic, in_grace, empty_passes, vip_passes;
	uint8_t affinity;           /* enum affinity */
	uint16_t vlan, client_vlan; /* VLAN_KEEP, VLAN_NONE or an ID */
	struct reference_backend backends[REFERENCE_BACKENDS];
	uint16_t current[LAB_SLOTS], previous[LAB_SLOTS];
};

struct reference_flow {
	struct flow_key key;
	uint32_t service, backend;
	enum flow_state state;
};

/* What became of the first fragment of a datagram, which may be an answer in mode nat. */
struct reference_datagram {
	struct fragment_key key;
	enum verdict verdict; /* VERDICT_NONE: it went to the backend */
	uint32_t service, backend;
	struct flow_key flow;
};

struct reference {
	struct reference_service services[REFERENCE_SERVICES];
	struct reference_flow flows[REFERENCE_MEMORY];
	struct reference_datagram datagrams[REFERENCE_MEMORY];
	uint32_t flow_count, datagram_count;
	bool has_nat; /* answers of backends in mode nat are looked for */
};

/* reference_run - what lab_run should give. False for what it does not tell: ways to unknown clients. */
bool reference_run(struct reference *reference, const struct frame *frame,
		   struct result *ret_result);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the model have of one another. */
#ifndef DATAPATH_REFERENCE_PARTS_H
#define DATAPATH_REFERENCE_PARTS_H

#include "reference.h"

/* A packet as it is read; offsets are of the frame. */
struct reading {
	const uint8_t *data;
	size_t size, network, transport, end; /* of the frame, its IP header, and so on */
	struct flow_key key;
	uint8_t traffic_class;
	bool first, later; /* of a fragmented datagram */
	uint32_t id;
	int flags; /* of TCP; -1: not TCP */
	bool quic_first;
	uint64_t bytes;
};

struct decision {
	enum verdict verdict; /* VERDICT_NONE: to the backend */
	uint32_t service, backend;
	uint64_t hash;
	bool is_error; /* an ICMP error: its quote is of the flow */
};

/* reference_word - two bytes of a frame. */
size_t reference_word(const uint8_t *data, size_t at);

/* reference_read_link - the family, or 0 for a frame that is not IP or has no whole IP header. */
int reference_read_link(struct reading *reading);

void reference_address(const uint8_t *bytes, int family, __be32 address[4]);

/* reference_read_chain - whether it leads to a transport header, or a later fragment. */
enum verdict reference_read_chain(struct reading *reading, uint8_t type);

/* reference_read_packet - behind the link: VERDICT_NONE, or why it is none. */
enum verdict reference_read_packet(struct reading *reading);

/* reference_service - that takes the flow, or -1. */
int reference_service(const struct reference *reference, const struct flow_key *key);

bool reference_is_alive(const struct reference_service *service, uint32_t backend);

/* reference_owner - the backend that the flow's next packet goes to if it opens nothing. */
uint32_t reference_owner(struct reference *reference, const struct flow_key *key, uint32_t service);

/* reference_icmp - an ICMP message to a VIP; what is answered is answered in the result's frame. */
struct decision reference_icmp(struct reference *reference, const struct reading *reading,
			       struct result *result);

/* reference_icmp_error - read what an ICMP error quotes: the key is that of the client's packets. */
enum verdict reference_icmp_error(const struct reading *reading, struct flow_key *ret_key);

/* What is known of the datagram that the fragment is of: NULL if nothing is. */
struct reference_datagram *reference_datagram(struct reference *reference,
					      const struct reading *reading);
void reference_datagram_record(struct reference *reference, const struct reading *reading,
			       const struct decision *decision);

/* reference_nat - write what a backend in mode nat gets into the result. */
void reference_nat(const struct reference *reference, const struct reading *reading,
		   const struct decision *decision, struct result *result);

/*
 * reference_nat_return - a packet that is not to a VIP: what becomes of it if a backend in mode nat
 * answers with it. False: the model does not tell.
 */
bool reference_nat_return(struct reference *reference, struct reading *reading,
			  struct result *result);

/* reference_put - store bytes; returns how that changes a sum over them (RFC 1624). */
uint32_t reference_put(uint8_t *place, const uint8_t *bytes, size_t length);

/* reference_sum - bring a checksum up to date. */
void reference_sum(uint8_t *place, uint32_t change);

#endif

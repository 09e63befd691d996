/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The agent's own data plane, opened and attached nowhere, with pools whose every change is kept
 * in mind: a packet that is run through the program is checked against what the pools were while
 * it was under way.
 *
 * Each change of a service makes a new version of its table. `oldest` and `newest` are the
 * versions that a packet may find: they differ while a change is being carried out. All this is
 * worked out here from the members of the pools, not read from the maps.
 */
#ifndef AGENT_RIG_H
#define AGENT_RIG_H

#include <stdatomic.h>

#include "../unit/make.h"
#include "agent/dataplane.h"
#include "agent/dataplane_maps.h"
#include "model/sweep.h"

#define RIG_SERVICES      4u
#define RIG_BACKENDS_MAX  8u
#define RIG_SLOTS         SLUICE_SLOTS_SMALL
#define RIG_VERSIONS_MAX  1024u
#define RIG_SERIALS_MAX   4096u
#define RIG_FRAME_MAX     128u
#define RIG_NEVER         UINT32_MAX
#define RIG_SERVICE_FLOWS 1000u
#define RIG_FLOWS         (RIG_SERVICES * RIG_SERVICE_FLOWS)

enum rig_packet {
	RIG_OPEN, /* a TCP SYN, or a first datagram */
	RIG_NEXT, /* a TCP ACK, or another datagram */
};

struct rig_flow {
	uint32_t service;
	uint32_t address; /* of the client, host order */
	uint16_t port;
	uint32_t serial; /* of the backend it is on; 0: none yet */
};

struct rig_service {
	const char *name;
	struct ip vip;
	uint8_t protocol;
	_Atomic uint32_t oldest, newest;
	uint16_t *tables[RIG_VERSIONS_MAX]; /* by version: the serial of each slot's owner */
	uint64_t sent, opened;              /* packets run, and flows opened by a TCP SYN */
	uint64_t counted_before;            /* packets counted by backends that are gone */
};

/* In which versions of its service a backend takes packets: from born to before died. */
struct rig_life {
	_Atomic uint32_t born, died;
	uint32_t service;
};

struct rig {
	struct config config;
	char pin_dir[64], state_dir[64];
	struct dataplane *dataplane;
	const struct dataplane_maps *maps;
	struct sweep *sweep;
	struct state *state; /* in force */
	struct rig_service services[RIG_SERVICES];
	struct rig_life lives[RIG_SERIALS_MAX];
	uint32_t serials; /* given so far; a serial is a backend's name and address, for ever */
	int program;
	uint32_t action; /* XDP_*: what became of the last packet */
	uint64_t random;
	bool tracking_stays; /* rig_change_random does not change it */
	char failure[256];   /* the first packet that went wrong; written by who sends */
	_Atomic bool failed;
};

/* below - a random number below the limit. */
static inline uint32_t below(uint64_t *random, uint32_t limit)
{
	return (uint32_t)(unit_next(random) % limit);
}

/* For cmocka's setup and teardown of a case; *context is the rig. */
int rig_open(void **context);       /* slots settle after 2 seconds */
int rig_open_large(void **context); /* a flow table of a million entries, which last */
int rig_close(void **context);

/* rig_start - four services (TCP and UDP, either tracking mode) with four backends each. */
void rig_start(struct rig *rig);

/* rig_service_add - one of the four, which the rig does not have now. */
void rig_service_add(struct rig *rig, uint32_t service, void (*on_step)(void *data), void *data);

/* rig_draft - a copy of the state in force, to be edited and given to rig_change. */
struct state *rig_draft(const struct rig *rig);

/* rig_add - add a backend; returns its serial, or 0 if the pool has no number for it now. */
uint32_t rig_add(struct rig *rig, struct state *draft, uint32_t service, uint32_t weight);

/* rig_name - the name of the backend with this serial. */
const char *rig_name(uint32_t serial, char text[16]);

/*
 * rig_change - carry out the change of one service, or its end. With on_step: one step at a time, and it is
 * called after each. The rig takes the draft over.
 */
void rig_change(struct rig *rig, uint32_t service, struct state *draft, void (*on_step)(void *data),
		void *data);

/* rig_change_random - one of: add, drain, undrain, weigh, remove what drains, track otherwise, kill. */
void rig_change_random(struct rig *rig, void (*on_step)(void *data), void *data);

/* rig_purge - two passes of the sweep as of that tick, then numbers that were retired are free. */
void rig_purge(struct rig *rig, uint32_t tick);

/* rig_unsettled - slots with a previous owner, of all services or of those with full tracking. */
uint32_t rig_unsettled(const struct rig *rig, bool full_only);

/* rig_flow_new - another client for this service. */
void rig_flow_new(struct rig *rig, struct rig_flow *flow, uint32_t service, uint64_t *random);

/* rig_flows_open - RIG_FLOWS flows, each opened and answered. */
struct rig_flow *rig_flows_open(struct rig *rig, uint64_t *random);

uint64_t rig_flow_hash(const struct rig *rig, const struct rig_flow *flow);

/* rig_run - run a packet; returns the serial of the backend that got it whole, or 0. */
uint32_t rig_run(struct rig *rig, const struct rig_flow *flow, enum rig_packet kind);

/*
 * rig_send - run a packet and check where it went: a flow stays where it is while its backend
 * takes packets; a TCP SYN goes to its slot's owner in one of the versions that it may have found;
 * whatever else is new to the data plane goes to an owner of its slot, then or before. Keeps
 * where it went. False, and rig->failure, if it went wrong.
 */
bool rig_send(struct rig *rig, struct rig_flow *flow, enum rig_packet kind);

/* rig_assert - that nothing went wrong so far. */
void rig_assert(struct rig *rig);

/* rig_assert_counters - packets sent = those that services counted = those that backends did. */
void rig_assert_counters(const struct rig *rig);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the next hops share among themselves; nobody else includes it. */
#ifndef AGENT_NEXTHOP_PRIVATE_H
#define AGENT_NEXTHOP_PRIVATE_H

#include "agent/nexthop.h"
#include "agent/nexthop_netlink.h"

#define TARGET_CHAINS 16384u /* of the hash tables by address */

enum target_state {
	TARGET_ASKING = 0, /* the answer is under way; what the data plane has stays */
	TARGET_KNOWN,
	TARGET_NONE, /* known that there is no way */
};

/* Whose MAC address packets are sent to: a neighbour on an interface, for all targets behind it. */
struct via {
	struct via *chain; /* next in the chain by address */
	uint32_t index;    /* in nexthops->vias */
	uint32_t ifindex;
	struct ip address;
	struct target *first;
	struct neighbour_facts neighbour; /* heard last */
	bool stale;                       /* events may have been missed: to be looked at anew */
	uint64_t asked_turn;              /* in which it was asked for last */
};

/* An address that backends have, and the way to it. */
struct target {
	struct target *by_address; /* next in the chain */
	uint32_t index;            /* in nexthops->targets */
	uint32_t first;            /* backend, head of the list of watches */
	struct ip address;
	struct route_facts route;
	struct via *via; /* NULL: there is no way */
	struct target *via_next, *via_before;
	enum target_state state;
	struct dataplane_nexthop hop;
	const char *problem;
};

#define NO_BACKEND UINT32_MAX /* ends a list of watches */

/* A backend; it is watched if it has a target. */
struct watch {
	struct target *target;
	uint32_t next; /* backend of the same target */
	enum forward_mode mode;
};

struct nexthops {
	struct dataplane *dataplane;
	struct notice notice;
	struct netlink netlink;
	uv_poll_t poll;
	uv_timer_t turn, change;
	int open_handles;
	struct watch *watches; /* per backend */
	struct target **targets;
	uint32_t target_count, target_room;
	uint32_t next_check, next_resolve; /* in targets, where the round goes on */
	struct via **vias;
	uint32_t via_count, via_room;
	uint32_t next_ask, next_use; /* in vias, where the round goes on */
	uint64_t turn_number;
	uint32_t asked;           /* neighbours asked for in this turn */
	uint32_t logged;          /* lines about targets in this turn, written or not */
	struct link_facts *links; /* interfaces that were asked about */
	size_t link_count;
	struct target *by_address[TARGET_CHAINS];
	struct via *vias_by_address[TARGET_CHAINS];
};

/* In nexthop_resolve.c. */

/* target_resolve - find the way to a target: the route, then the neighbour. */
void target_resolve(struct nexthops *nexthops, struct target *target);
/* target_log_turn - at the end of a turn: how many lines were not written. */
void target_log_turn(struct nexthops *nexthops);
/* watch_push - tell the data plane what is known of the way to a backend. */
void watch_push(struct nexthops *nexthops, uint32_t backend);
/* watch_refused - whether the backend's mode cannot use the way there is. */
bool watch_refused(const struct watch *watch);
/* link_known - the facts of an interface, if it was asked about; else NULL. */
struct link_facts *link_known(const struct nexthops *nexthops, uint32_t ifindex);
/* change_run - a timer's: find all ways anew, some at a time. */
void change_run(uv_timer_t *timer);
/* events_read - handle the events that have come. */
void events_read(struct nexthops *nexthops);
/* target_chain - the hash chain of an address. */
uint32_t target_chain(const struct ip *ip);

/* In nexthop_via.c. */

/* via_join - have the target go by this neighbour. Returns 0 or -ENOMEM. */
int via_join(struct nexthops *nexthops, struct target *target, uint32_t ifindex,
	     const struct ip *address);
/* via_leave - the last target's leaving frees the via. */
void via_leave(struct nexthops *nexthops, struct target *target);
struct via *via_find(const struct nexthops *nexthops, uint32_t ifindex, const struct ip *address);
/* via_look - what the kernel knows of the neighbour, if that is not known by events. */
void via_look(struct nexthops *nexthops, struct via *via);
/* via_ask - have the kernel ask for, or check, the neighbour; at most once a turn. */
void via_ask(struct nexthops *nexthops, struct via *via);
bool via_usable(const struct via *via);
/* via_turn - ask for a part of those that are not known, use a part of those that are. */
void via_turn(struct nexthops *nexthops);

#endif

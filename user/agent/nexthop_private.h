/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the next hops share among themselves; nobody else includes it. */
#ifndef AGENT_NEXTHOP_PRIVATE_H
#define AGENT_NEXTHOP_PRIVATE_H

#include "agent/nexthop.h"
#include "agent/nexthop_netlink.h"

#define TARGET_CHAINS 4096u /* of the hash tables by address */

enum target_state {
	TARGET_ASKING = 0, /* the answer is under way; what the data plane has stays */
	TARGET_KNOWN,
	TARGET_NONE, /* known that there is no way */
};

/* An address that backends have, and the way to it. */
struct target {
	struct target *by_address, *by_via; /* next in the chain */
	uint32_t index;                     /* in nexthops->targets */
	uint32_t first;                     /* backend, head of the list of watches */
	struct ip address;
	struct route_facts route;
	enum target_state state;
	bool chained; /* is in a chain by via */
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
	struct netlink netlink;
	uv_poll_t poll;
	uv_timer_t turn, change;
	int open_handles;
	struct watch *watches; /* per backend */
	struct target **targets;
	uint32_t target_count, target_room;
	uint32_t next_use, next_resolve; /* in targets, where the round goes on */
	struct link_facts *links;        /* interfaces that were asked about */
	size_t link_count;
	struct target *by_address[TARGET_CHAINS], *by_via[TARGET_CHAINS];
};

/* In nexthop_resolve.c. */

/* target_resolve - find the way to a target: the route, then the neighbour. */
void target_resolve(struct nexthops *nexthops, struct target *target);
/* target_ask - have the kernel ask for, or check, the target's neighbour. */
void target_ask(struct nexthops *nexthops, struct target *target);
/* target_unchain - events of its neighbour do not reach it any more. */
void target_unchain(struct nexthops *nexthops, struct target *target);
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

#endif

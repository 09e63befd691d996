/* SPDX-License-Identifier: GPL-2.0-only */
/* The rtnetlink messages behind the next hops: questions with their answers, and events. */
#ifndef AGENT_NEXTHOP_NETLINK_H
#define AGENT_NEXTHOP_NETLINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/ip.h"

struct mnl_socket;

struct netlink {
	struct mnl_socket *questions; /* answered while the question is sent, so never waited for */
	struct mnl_socket *events;    /* non-blocking, for a poll */
	uint32_t port;                /* of questions */
	uint32_t sequence;
};

struct route_facts {
	bool local; /* the address is the host's own */
	bool gateway;
	uint32_t ifindex;
	struct ip via;    /* whose MAC address to send to: the gateway or the address itself */
	struct ip source; /* what the host would send from */
	uint32_t mtu;     /* of the route; 0 = the interface's */
};

struct neighbour_facts {
	uint32_t ifindex;
	struct ip address;
	uint16_t state; /* NUD_* */
	bool removed;
	bool has_mac;
	uint8_t mac[6];
};

struct link_facts {
	uint32_t ifindex;
	char name[IF_NAMESIZE];
	uint32_t mtu;
	bool up;
	bool removed;
	uint8_t mac[6];
};

/* netlink_open - both sockets, events subscribed to. Returns 0 or -errno. */
int netlink_open(struct netlink *netlink, struct error *error);
void netlink_close(struct netlink *netlink);

/* Questions; 0, or the kernel's -errno: -ENETUNREACH and the like, -ENOENT, -ENODEV. */
int netlink_route(struct netlink *netlink, const struct ip *address, struct route_facts *ret_route);
int netlink_neighbour(struct netlink *netlink, uint32_t ifindex, const struct ip *address,
		      struct neighbour_facts *ret_neighbour);
int netlink_link(struct netlink *netlink, uint32_t ifindex, struct link_facts *ret_link);

/*
 * netlink_neighbour_use - tell the kernel that the neighbour is in use, as if a packet were sent
 * to it: an unknown or failed one is asked for, a stale one is checked. The outcome is an event.
 */
int netlink_neighbour_use(struct netlink *netlink, uint32_t ifindex, const struct ip *address);

struct netlink_handler {
	void (*neighbour)(void *data, const struct neighbour_facts *neighbour);
	void (*link)(void *data, const struct link_facts *link);
	void (*routes)(void *data); /* routes or addresses changed */
	void (*lost)(void *data);   /* events were lost: anything may have changed */
	void *data;
};

/* netlink_events - handle all events that have come. */
void netlink_events(struct netlink *netlink, const struct netlink_handler *handler);

#endif

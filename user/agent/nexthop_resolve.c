// SPDX-License-Identifier: GPL-2.0-only
/* Finding the ways to the backends, and following what changes them. */
#include <errno.h>
#include <linux/neighbour.h>
#include <stdlib.h>
#include <string.h>

#include "agent/nexthop_private.h"
#include "base/log.h"
#include "sluice/hash.h"

#define CHANGE_DELAY_MS 20 /* route changes come in bursts */
/* Targets resolved before the loop has its turn again. */
#define RESOLVE_AT_ONCE 256u

/* Lines about targets in a turn: a gateway that fails takes thousands with it. */
#define LOG_MAX 20u

uint32_t target_chain(const struct ip *ip)
{
	uint64_t hash = hash_pair(hash_pair(0, ip->word[0], ip->word[1]), ip->word[2], ip->word[3]);

	return (uint32_t)hash_last(hash) % TARGET_CHAINS;
}

/* ---------------------------------------------------------------- interfaces */

struct link_facts *link_known(const struct nexthops *nexthops, uint32_t ifindex)
{
	for (size_t i = 0; i < nexthops->link_count; i++) {
		if (nexthops->links[i].ifindex == ifindex)
			return &nexthops->links[i];
	}
	return NULL;
}

/* The facts of an interface, asked for once and kept up to date by events; NULL if it is not there. */
static const struct link_facts *link_get(struct nexthops *nexthops, uint32_t ifindex)
{
	struct link_facts *link = link_known(nexthops, ifindex);
	struct link_facts fresh = {0};

	if (link)
		return link;
	if (netlink_link(&nexthops->netlink, ifindex, &fresh) || fresh.ifindex != ifindex)
		return NULL;
	link = realloc(nexthops->links, (nexthops->link_count + 1) * sizeof(*link));
	if (!link)
		return NULL;
	nexthops->links = link;
	link[nexthops->link_count] = fresh;
	return &link[nexthops->link_count++];
}

/* ------------------------------------------------------------------- pushing */

bool watch_refused(const struct watch *watch)
{
	return watch->mode == FORWARD_MODE_L2 && watch->target->route.gateway;
}

void watch_push(struct nexthops *nexthops, uint32_t backend)
{
	const struct watch *watch = &nexthops->watches[backend];
	const struct target *target = watch->target;
	const struct dataplane_nexthop none = {0};
	bool usable = target->state == TARGET_KNOWN && !watch_refused(watch);
	char text[IP_TEXT_MAX];
	int code;

	if (target->state == TARGET_ASKING)
		return;
	code = dataplane_nexthop_set(nexthops->dataplane, backend, &target->address,
				     usable ? &target->hop : &none);
	if (code)
		log_warning("backend %s: its next hop cannot be used: %s",
			    ip_format(&target->address, text), strerror(-code));
}

static void target_log(struct nexthops *nexthops, const struct target *target)
{
	char address[IP_TEXT_MAX];
	const uint8_t *mac = target->hop.mac;

	if (target->state != TARGET_KNOWN && nexthops->logged++ >= LOG_MAX)
		return;
	ip_format(&target->address, address);
	if (target->state == TARGET_KNOWN)
		log_debug("backend %s: next hop %02x:%02x:%02x:%02x:%02x:%02x on interface %u",
			  address, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5],
			  target->hop.ifindex);
	else
		log_warning("backend %s is not reachable: %s", address, target->problem);
	if (target->state != TARGET_KNOWN)
		notice_tell(&nexthops->notice, "nexthop", "backend address %s is not reachable: %s",
			    address, target->problem);
}

void nexthop_notice(struct nexthops *nexthops, const struct notice *notice)
{
	nexthops->notice = *notice;
}

void target_log_turn(struct nexthops *nexthops)
{
	if (nexthops->logged > LOG_MAX)
		log_warning("%u more backends are not reachable; `sluice backend ls` says why",
			    nexthops->logged - LOG_MAX);
	nexthops->logged = 0;
}

/* Keep what was found out about a target, and tell the data plane if that is news. */
static void target_set(struct nexthops *nexthops, struct target *target, enum target_state state,
		       const struct dataplane_nexthop *hop, const char *problem)
{
	bool same = target->state == state && target->problem == problem &&
		    memcmp(&target->hop, hop, sizeof(*hop)) == 0;

	if (same)
		return;
	target->state = state;
	target->hop = *hop;
	target->problem = problem;
	if (state == TARGET_ASKING)
		return;
	target_log(nexthops, target);
	for (uint32_t b = target->first; b != NO_BACKEND; b = nexthops->watches[b].next)
		watch_push(nexthops, b);
}

static void target_none(struct nexthops *nexthops, struct target *target, const char *problem)
{
	const struct dataplane_nexthop none = {0};

	target_set(nexthops, target, TARGET_NONE, &none, problem);
}

/* ----------------------------------------------------------------- resolving */

/* What is known of the neighbour means for the target. */
static void target_neighbour(struct nexthops *nexthops, struct target *target)
{
	const struct via *via = target->via;
	const struct link_facts *link = link_get(nexthops, via->ifindex);
	struct dataplane_nexthop hop = {
		.ifindex = via->ifindex,
		.source = target->route.source,
	};

	if (!link || !link->up) {
		target_none(nexthops, target, "the interface towards it is down or gone");
	} else if (via_usable(via)) {
		hop.mtu = target->route.mtu ? target->route.mtu : link->mtu;
		memcpy(hop.mac, via->neighbour.mac, sizeof(hop.mac));
		memcpy(hop.source_mac, link->mac, sizeof(hop.source_mac));
		target_set(nexthops, target, TARGET_KNOWN, &hop, NULL);
	} else if (!via->neighbour.removed && via->neighbour.state & NUD_FAILED) {
		target_none(nexthops, target, "its neighbour does not answer");
	} else if (target->state == TARGET_ASKING) {
		target->problem = "its neighbour has not answered yet";
	}
}

/* Find the way to a target: the route, then the neighbour. */
void target_resolve(struct nexthops *nexthops, struct target *target)
{
	struct route_facts route = {0};
	int code = netlink_route(&nexthops->netlink, &target->address, &route);

	target->route = route;
	if (code || (!route.ifindex && !route.local)) {
		via_leave(nexthops, target);
		target_none(nexthops, target, "there is no route to it");
		return;
	}
	if (route.local) {
		via_leave(nexthops, target);
		target_none(nexthops, target, "the address is this host's own");
		return;
	}
	if (via_join(nexthops, target, route.ifindex, &route.via)) {
		target_none(nexthops, target, "out of memory");
		return;
	}
	via_look(nexthops, target->via);
	target_neighbour(nexthops, target);
	if (target->state != TARGET_KNOWN || !via_usable(target->via))
		via_ask(nexthops, target->via);
}

/* Find all ways anew, some at a time. */
void change_run(uv_timer_t *timer)
{
	struct nexthops *nexthops = timer->data;
	uint32_t end = nexthops->next_resolve + RESOLVE_AT_ONCE;

	while (nexthops->next_resolve < nexthops->target_count && nexthops->next_resolve < end)
		target_resolve(nexthops, nexthops->targets[nexthops->next_resolve++]);
	if (nexthops->next_resolve < nexthops->target_count)
		uv_timer_start(timer, change_run, 1, 0);
}

/* Something changed on which any way may depend. */
static void change_soon(struct nexthops *nexthops)
{
	nexthops->next_resolve = 0;
	if (!uv_is_active((uv_handle_t *)&nexthops->change))
		uv_timer_start(&nexthops->change, change_run, CHANGE_DELAY_MS, 0);
}

/* -------------------------------------------------------------------- events */

static void on_neighbour(void *data, const struct neighbour_facts *neighbour)
{
	struct nexthops *nexthops = data;
	struct via *via = via_find(nexthops, neighbour->ifindex, &neighbour->address);
	struct target *next;

	if (!via)
		return;
	via->neighbour = *neighbour;
	via->stale = false;
	for (struct target *target = via->first; target; target = next) {
		next = target->via_next;
		target_neighbour(nexthops, target);
	}
	if (neighbour->removed)
		via_ask(nexthops, via);
}

static void on_link(void *data, const struct link_facts *fresh)
{
	struct nexthops *nexthops = data;
	struct link_facts *link = link_known(nexthops, fresh->ifindex);

	dataplane_links_renew(nexthops->dataplane);
	if (fresh->removed) {
		dataplane_egress_forget(nexthops->dataplane, fresh->ifindex);
		if (link)
			*link = nexthops->links[--nexthops->link_count];
		change_soon(nexthops);
		return;
	}
	if (!link || memcmp(link, fresh, sizeof(*link)) == 0)
		return;
	*link = *fresh;
	change_soon(nexthops);
}

static void on_routes(void *data)
{
	change_soon(data);
}

static void on_lost(void *data)
{
	struct nexthops *nexthops = data;

	log_warning("rtnetlink: events were lost; all next hops are found anew");
	nexthops->link_count = 0;
	for (uint32_t i = 0; i < nexthops->via_count; i++)
		nexthops->vias[i]->stale = true;
	dataplane_links_renew(nexthops->dataplane);
	change_soon(nexthops);
}

void events_read(struct nexthops *nexthops)
{
	const struct netlink_handler handler = {
		.neighbour = on_neighbour,
		.link = on_link,
		.routes = on_routes,
		.lost = on_lost,
		.data = nexthops,
	};

	netlink_events(&nexthops->netlink, &handler);
}

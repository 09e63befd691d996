// SPDX-License-Identifier: GPL-2.0-only
/* Next hops of the backends, watched on the agent's loop; one target for each address. */
#include "agent/nexthop.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/nexthop_netlink.h"
#include "base/log.h"
#include "sluice/hash.h"

#define TABLE_SIZE      4096u /* chains of the hash tables by address */

#define TURN_MS         1000 /* unknown neighbours are asked for each turn */
#define USE_TURNS       10u  /* known ones are used once in so many turns, so none goes cold */
#define CHANGE_DELAY_MS 20   /* route changes come in bursts */
#define RESOLVE_AT_ONCE 256u /* targets resolved before the loop has its turn again */
#define NEIGHBOUR_USABLE \
	(NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

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

#define NO_BACKEND UINT32_MAX

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
	struct target *by_address[TABLE_SIZE], *by_via[TABLE_SIZE];
};

static uint32_t chain_of(const struct ip *ip)
{
	uint64_t hash = hash_pair(hash_pair(0, ip->word[0], ip->word[1]), ip->word[2], ip->word[3]);

	return (uint32_t)hash_last(hash) % TABLE_SIZE;
}

static struct target *target_find(const struct nexthops *nexthops, const struct ip *address)
{
	struct target *target = nexthops->by_address[chain_of(address)];

	while (target && !ip_equal(&target->address, address))
		target = target->by_address;
	return target;
}

static void via_unchain(struct nexthops *nexthops, struct target *target)
{
	struct target **place = &nexthops->by_via[chain_of(&target->route.via)];

	if (!target->chained)
		return;
	while (*place != target)
		place = &(*place)->by_via;
	*place = target->by_via;
	target->chained = false;
}

static void via_chain(struct nexthops *nexthops, struct target *target)
{
	struct target **chain = &nexthops->by_via[chain_of(&target->route.via)];

	target->by_via = *chain;
	*chain = target;
	target->chained = true;
}

/* ---------------------------------------------------------------- interfaces */

static struct link_facts *link_known(const struct nexthops *nexthops, uint32_t ifindex)
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

static bool watch_refused(const struct watch *watch)
{
	return watch->mode == FORWARD_MODE_L2 && watch->target->route.gateway;
}

static void watch_push(struct nexthops *nexthops, uint32_t backend)
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

static void target_log(const struct target *target)
{
	char address[IP_TEXT_MAX];
	const uint8_t *mac = target->hop.mac;

	ip_format(&target->address, address);
	if (target->state == TARGET_KNOWN)
		log_debug("backend %s: next hop %02x:%02x:%02x:%02x:%02x:%02x on interface %u",
			  address, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5],
			  target->hop.ifindex);
	else
		log_warning("backend %s is not reachable: %s", address, target->problem);
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
	target_log(target);
	for (uint32_t b = target->first; b != NO_BACKEND; b = nexthops->watches[b].next)
		watch_push(nexthops, b);
}

static void target_none(struct nexthops *nexthops, struct target *target, const char *problem)
{
	const struct dataplane_nexthop none = {0};

	target_set(nexthops, target, TARGET_NONE, &none, problem);
}

/* ----------------------------------------------------------------- resolving */

/*
 * While the neighbour has not answered, what was known before stays in use: the entry may only
 * have been collected. What has failed before stays so until an answer comes.
 */
static void target_ask(struct nexthops *nexthops, struct target *target)
{
	int code = netlink_neighbour_use(&nexthops->netlink, target->route.ifindex,
					 &target->route.via);

	if (code)
		log_debug("asking for a neighbour on interface %u: %s", target->route.ifindex,
			  strerror(-code));
	if (target->state != TARGET_NONE && !target->problem)
		target->problem = "its neighbour has not answered yet";
}

static void target_neighbour(struct nexthops *nexthops, struct target *target,
			     const struct neighbour_facts *neighbour)
{
	const struct link_facts *link = link_get(nexthops, target->route.ifindex);
	struct dataplane_nexthop hop = {
		.ifindex = target->route.ifindex,
		.source = target->route.source,
	};
	uint32_t mtu;

	if (!link || !link->up) {
		target_none(nexthops, target, "the interface towards it is down or gone");
	} else if (!neighbour->removed && neighbour->state & NEIGHBOUR_USABLE &&
		   neighbour->has_mac) {
		mtu = target->route.mtu ? target->route.mtu : link->mtu;
		hop.mtu = mtu > UINT16_MAX ? UINT16_MAX : (uint16_t)mtu;
		memcpy(hop.mac, neighbour->mac, sizeof(hop.mac));
		memcpy(hop.source_mac, link->mac, sizeof(hop.source_mac));
		target_set(nexthops, target, TARGET_KNOWN, &hop, NULL);
	} else if (!neighbour->removed && neighbour->state & NUD_FAILED) {
		target_none(nexthops, target, "its neighbour does not answer");
	}
}

static void target_neighbour_find(struct nexthops *nexthops, struct target *target)
{
	struct neighbour_facts neighbour = {0};
	int code = netlink_neighbour(&nexthops->netlink, target->route.ifindex, &target->route.via,
				     &neighbour);

	if (code)
		neighbour.removed = true;
	/* A failure from before is no answer: it is asked for now. */
	if (neighbour.state & NUD_FAILED && target->state == TARGET_ASKING)
		neighbour.state = NUD_NONE;
	target_neighbour(nexthops, target, &neighbour);
	if (target->state != TARGET_KNOWN || neighbour.removed ||
	    !(neighbour.state & NEIGHBOUR_USABLE))
		target_ask(nexthops, target);
}

/* Find the way to a target: the route, then the neighbour. */
static void target_resolve(struct nexthops *nexthops, struct target *target)
{
	struct route_facts route = {0};
	int code = netlink_route(&nexthops->netlink, &target->address, &route);

	via_unchain(nexthops, target);
	target->route = route;
	if (code || (!route.ifindex && !route.local)) {
		target_none(nexthops, target, "there is no route to it");
		return;
	}
	if (route.local) {
		target_none(nexthops, target, "the address is this host's own");
		return;
	}
	via_chain(nexthops, target);
	target_neighbour_find(nexthops, target);
}

static void change_soon(struct nexthops *nexthops)
{
	nexthops->next_resolve = 0;
	if (!uv_is_active((uv_handle_t *)&nexthops->change))
		uv_timer_start(&nexthops->change, nexthops->change.timer_cb, CHANGE_DELAY_MS, 0);
}

/* Something changed on which any route may depend: find all ways anew, some at a time. */
static void change_run(uv_timer_t *timer)
{
	struct nexthops *nexthops = timer->data;
	uint32_t end = nexthops->next_resolve + RESOLVE_AT_ONCE;

	while (nexthops->next_resolve < nexthops->target_count && nexthops->next_resolve < end)
		target_resolve(nexthops, nexthops->targets[nexthops->next_resolve++]);
	if (nexthops->next_resolve < nexthops->target_count)
		uv_timer_start(timer, change_run, 1, 0);
}

/* Each turn: ask for what is not known, and use a part of what is. */
static void turn_run(uv_timer_t *timer)
{
	struct nexthops *nexthops = timer->data;
	uint32_t count = nexthops->target_count, share = (count + USE_TURNS - 1) / USE_TURNS;

	for (uint32_t i = 0; i < count; i++) {
		struct target *target = nexthops->targets[i];

		if (target->state != TARGET_KNOWN && target->chained)
			target_ask(nexthops, target);
	}
	for (; share > 0; share--) {
		if (nexthops->next_use >= count)
			nexthops->next_use = 0;
		target_resolve(nexthops, nexthops->targets[nexthops->next_use]);
		if (nexthops->targets[nexthops->next_use]->state == TARGET_KNOWN)
			target_ask(nexthops, nexthops->targets[nexthops->next_use]);
		nexthops->next_use++;
	}
}

/* -------------------------------------------------------------------- events */

static void on_neighbour(void *data, const struct neighbour_facts *neighbour)
{
	struct nexthops *nexthops = data;
	struct target *target = nexthops->by_via[chain_of(&neighbour->address)];

	for (; target; target = target->by_via) {
		if (target->route.ifindex != neighbour->ifindex ||
		    !ip_equal(&target->route.via, &neighbour->address))
			continue;
		target_neighbour(nexthops, target, neighbour);
		if (neighbour->removed)
			target_ask(nexthops, target);
	}
}

static void on_link(void *data, const struct link_facts *fresh)
{
	struct nexthops *nexthops = data;
	struct link_facts *link = link_known(nexthops, fresh->ifindex);

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
	change_soon(nexthops);
}

static void events_read(struct nexthops *nexthops)
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

static void poll_run(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	events_read(poll->data);
}

/* ------------------------------------------------------------ start and stop */

static void nexthops_free(struct nexthops *nexthops)
{
	for (uint32_t i = 0; i < nexthops->target_count; i++)
		free(nexthops->targets[i]);
	netlink_close(&nexthops->netlink);
	free(nexthops->targets);
	free(nexthops->links);
	free(nexthops->watches);
	free(nexthops);
}

static void handle_closed(uv_handle_t *handle)
{
	struct nexthops *nexthops = handle->data;

	if (--nexthops->open_handles == 0)
		nexthops_free(nexthops);
}

static int handles_start(struct nexthops *nexthops, uv_loop_t *loop)
{
	int fd = mnl_socket_get_fd(nexthops->netlink.events);
	int code = uv_poll_init(loop, &nexthops->poll, fd);

	if (code)
		return code;
	nexthops->poll.data = nexthops->turn.data = nexthops->change.data = nexthops;
	uv_timer_init(loop, &nexthops->turn);
	uv_timer_init(loop, &nexthops->change);
	nexthops->open_handles = 3;
	uv_poll_start(&nexthops->poll, UV_READABLE, poll_run);
	uv_timer_start(&nexthops->turn, turn_run, TURN_MS, TURN_MS);
	uv_timer_start(&nexthops->change, change_run, CHANGE_DELAY_MS, 0);
	return 0;
}

int nexthop_start(uv_loop_t *loop, struct dataplane *dataplane, struct nexthops **ret_nexthops,
		  struct error *error)
{
	struct nexthops *nexthops = calloc(1, sizeof(*nexthops));
	int code = -ENOMEM;

	if (nexthops) {
		nexthops->dataplane = dataplane;
		nexthops->watches =
			calloc(dataplane_meta(dataplane)->backends_max, sizeof(*nexthops->watches));
	}
	if (!nexthops || !nexthops->watches)
		error_set(error, code, "out of memory for the next hops");
	else
		code = netlink_open(&nexthops->netlink, error);
	if (!code) {
		code = handles_start(nexthops, loop);
		if (code)
			error_set(error, code, "rtnetlink: cannot be polled: %s",
				  uv_strerror(code));
	}
	if (code) {
		if (nexthops)
			nexthops_free(nexthops);
		return code;
	}
	*ret_nexthops = nexthops;
	return 0;
}

void nexthop_stop(struct nexthops *nexthops)
{
	if (!nexthops)
		return;
	uv_close((uv_handle_t *)&nexthops->poll, handle_closed);
	uv_close((uv_handle_t *)&nexthops->turn, handle_closed);
	uv_close((uv_handle_t *)&nexthops->change, handle_closed);
}

/* ------------------------------------------------------------------- watches */

static struct target *target_make(struct nexthops *nexthops, const struct ip *address)
{
	struct target **chain = &nexthops->by_address[chain_of(address)];
	struct target *target;

	if (nexthops->target_count == nexthops->target_room) {
		uint32_t room = nexthops->target_room ? nexthops->target_room * 2 : 64;
		struct target **targets =
			realloc(nexthops->targets, room * sizeof(struct target *));

		if (!targets)
			return NULL;
		nexthops->targets = targets;
		nexthops->target_room = room;
	}
	target = calloc(1, sizeof(*target));
	if (!target)
		return NULL;
	target->address = *address;
	target->first = NO_BACKEND;
	target->index = nexthops->target_count;
	nexthops->targets[nexthops->target_count++] = target;
	target->by_address = *chain;
	*chain = target;
	return target;
}

static void target_free(struct nexthops *nexthops, struct target *target)
{
	struct target **place = &nexthops->by_address[chain_of(&target->address)];
	struct target *last = nexthops->targets[--nexthops->target_count];

	while (*place != target)
		place = &(*place)->by_address;
	*place = target->by_address;
	via_unchain(nexthops, target);
	nexthops->targets[target->index] = last;
	last->index = target->index;
	free(target);
}

int nexthop_watch(struct nexthops *nexthops, uint32_t backend, const struct ip *address,
		  enum forward_mode mode)
{
	struct watch *watch = &nexthops->watches[backend];
	struct target *target;

	if (watch->target && ip_equal(&watch->target->address, address) && watch->mode == mode)
		return 0;
	nexthop_unwatch(nexthops, backend);
	target = target_find(nexthops, address);
	if (!target) {
		target = target_make(nexthops, address);
		if (!target)
			return -ENOMEM;
		target_resolve(nexthops, target);
	}
	*watch = (struct watch){.target = target, .next = target->first, .mode = mode};
	target->first = backend;
	watch_push(nexthops, backend);
	if (watch_refused(watch)) {
		char text[IP_TEXT_MAX];

		log_warning("backend %s: mode l2 needs it on a segment of this host, and the way "
			    "to it is by a gateway; use mode ipip",
			    ip_format(address, text));
	}
	return 0;
}

void nexthop_unwatch(struct nexthops *nexthops, uint32_t backend)
{
	struct watch *watch = &nexthops->watches[backend];
	struct target *target = watch->target;
	uint32_t *place;

	if (!target)
		return;
	place = &target->first;
	while (*place != backend)
		place = &nexthops->watches[*place].next;
	*place = watch->next;
	watch->target = NULL;
	if (target->first == NO_BACKEND)
		target_free(nexthops, target);
}

bool nexthop_known(const struct nexthops *nexthops, uint32_t backend)
{
	const struct watch *watch = &nexthops->watches[backend];

	return watch->target && watch->target->state == TARGET_KNOWN && !watch_refused(watch);
}

/* Whether there is nothing more to wait for: each way is known, or known not to be there. */
static bool plan_is_answered(const struct nexthops *nexthops, const struct plan *plan)
{
	for (size_t i = 0; i < plan->step_count; i++) {
		const struct plan_step *step = &plan->steps[i];
		const struct watch *watch;

		if (step->kind != PLAN_BACKEND_WRITE)
			continue;
		watch = &nexthops->watches[step->pool->backend_base + step->backend->number];
		if (watch->target->state == TARGET_ASKING)
			return false;
	}
	return true;
}

int nexthop_prepare(struct nexthops *nexthops, const struct plan *plan, unsigned int timeout_ms)
{
	struct pollfd events = {.fd = mnl_socket_get_fd(nexthops->netlink.events),
				.events = POLLIN};
	uint64_t deadline = uv_hrtime() + timeout_ms * 1000000ULL;

	for (size_t i = 0; i < plan->step_count; i++) {
		const struct plan_step *step = &plan->steps[i];
		int code;

		if (step->kind != PLAN_BACKEND_WRITE)
			continue;
		code = nexthop_watch(nexthops, step->pool->backend_base + step->backend->number,
				     &step->backend->address, step->pool->service->mode);
		if (code)
			return code;
	}
	while (!plan_is_answered(nexthops, plan)) {
		uint64_t now = uv_hrtime();

		if (now >= deadline || poll(&events, 1, (int)((deadline - now) / 1000000) + 1) == 0)
			break;
		events_read(nexthops);
	}
	return 0;
}

void nexthop_finish(struct nexthops *nexthops, const struct plan *plan)
{
	for (size_t i = 0; i < plan->step_count; i++) {
		const struct plan_step *step = &plan->steps[i];

		if (step->kind == PLAN_BACKEND_CLEAR)
			nexthop_unwatch(nexthops, step->pool->backend_base + step->backend->number);
	}
}

bool nexthop_view(const struct nexthops *nexthops, uint32_t backend, struct nexthop_view *ret_view)
{
	const struct watch *watch = &nexthops->watches[backend];
	const struct target *target = watch->target;
	const struct link_facts *link;

	if (!target)
		return false;
	*ret_view = (struct nexthop_view){.known = nexthop_known(nexthops, backend)};
	link = link_known(nexthops, target->route.ifindex);
	if (link)
		snprintf(ret_view->interface, sizeof(ret_view->interface), "%s", link->name);
	if (ret_view->known)
		memcpy(ret_view->mac, target->hop.mac, sizeof(ret_view->mac));
	else if (watch_refused(watch))
		ret_view->problem = "mode l2 needs it on a segment of this host, and the way to it "
				    "is by a gateway";
	else
		ret_view->problem =
			target->problem ? target->problem : "its neighbour has not answered yet";
	return true;
}

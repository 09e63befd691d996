// SPDX-License-Identifier: GPL-2.0-only
/* Next hops of the backends, watched on the agent's loop; one target for each address. */
#include "agent/nexthop.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/nexthop_private.h"
#include "base/log.h"

#define TURN_MS 1000 /* unknown neighbours are asked for each turn */
/*
 * A tenth of the targets, at most so many, are looked up anew in a turn: not every change of a way
 * is an event.
 */
#define CHECK_TURNS 10u
#define CHECK_MAX   64u

static void turn_run(uv_timer_t *timer)
{
	struct nexthops *nexthops = timer->data;
	uint32_t count = nexthops->target_count, share = (count + CHECK_TURNS - 1) / CHECK_TURNS;

	via_turn(nexthops);
	for (share = share < CHECK_MAX ? share : CHECK_MAX; share > 0; share--) {
		if (nexthops->next_check >= count)
			nexthops->next_check = 0;
		target_resolve(nexthops, nexthops->targets[nexthops->next_check++]);
	}
	target_log_turn(nexthops);
}

static void poll_run(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	events_read(poll->data);
}

static void nexthops_free(struct nexthops *nexthops)
{
	for (uint32_t i = 0; i < nexthops->target_count; i++)
		free(nexthops->targets[i]);
	for (uint32_t i = 0; i < nexthops->via_count; i++)
		free(nexthops->vias[i]);
	free(nexthops->vias);
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
	uv_timer_start(&nexthops->change, change_run, 1, 0);
	return 0;
}

int nexthop_start(uv_loop_t *loop, struct dataplane *dataplane, struct nexthops **ret_nexthops,
		  struct error *error)
{
	struct nexthops *nexthops = calloc(1, sizeof(*nexthops));
	int code = -ENOMEM;

	if (nexthops) {
		nexthops->dataplane = dataplane;
		nexthops->turn_number = 1;
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

static struct target *target_find(const struct nexthops *nexthops, const struct ip *address)
{
	struct target *target = nexthops->by_address[target_chain(address)];

	while (target && !ip_equal(&target->address, address))
		target = target->by_address;
	return target;
}

static struct target *target_make(struct nexthops *nexthops, const struct ip *address)
{
	struct target **chain = &nexthops->by_address[target_chain(address)];
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
	struct target **place = &nexthops->by_address[target_chain(&target->address)];
	struct target *last = nexthops->targets[--nexthops->target_count];

	while (*place != target)
		place = &(*place)->by_address;
	*place = target->by_address;
	via_leave(nexthops, target);
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
			    "to it is by a gateway; use mode ipip or gue",
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

/*
 * Whether there is nothing more to wait for: each way is known, or known not to be there. What was
 * answered stays so, and *from is the first step that was not.
 */
static bool plan_is_answered(const struct nexthops *nexthops, const struct plan *plan, size_t *from)
{
	for (; *from < plan->step_count; (*from)++) {
		const struct plan_step *step = &plan->steps[*from];
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
	size_t answered = 0;

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
	while (!plan_is_answered(nexthops, plan, &answered)) {
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

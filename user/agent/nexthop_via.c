// SPDX-License-Identifier: GPL-2.0-only
/* The neighbours that packets to the backends go to: asked for, used, and followed by events. */
#include <errno.h>
#include <linux/neighbour.h>
#include <stdlib.h>
#include <string.h>

#include "agent/nexthop_private.h"
#include "base/log.h"

/* Neighbours asked for in a turn: each may be a broadcast on the segment. */
#define ASK_MAX 2000u
/* Known ones are used once in so many turns, so none goes cold: the kernel forgets after 60 s. */
#define USE_TURNS 10u
/* Of so many as are used in a turn at least; more only if a round would take too long else. */
#define USE_MAX        200u
#define USE_TURNS_LONG 45u

/* States of a neighbour in which its MAC address may be used. */
#define NEIGHBOUR_USABLE \
	(NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

bool via_usable(const struct via *via)
{
	return !via->neighbour.removed && via->neighbour.state & NEIGHBOUR_USABLE &&
	       via->neighbour.has_mac;
}

struct via *via_find(const struct nexthops *nexthops, uint32_t ifindex, const struct ip *address)
{
	struct via *via = nexthops->vias_by_address[target_chain(address)];

	while (via && (via->ifindex != ifindex || !ip_equal(&via->address, address)))
		via = via->chain;
	return via;
}

static struct via *via_make(struct nexthops *nexthops, uint32_t ifindex, const struct ip *address)
{
	struct via **chain = &nexthops->vias_by_address[target_chain(address)];
	struct via *via;

	if (nexthops->via_count == nexthops->via_room) {
		uint32_t room = nexthops->via_room ? nexthops->via_room * 2 : 64;
		struct via **vias = reallocarray(nexthops->vias, room, sizeof(struct via *));

		if (!vias)
			return NULL;
		nexthops->vias = vias;
		nexthops->via_room = room;
	}
	via = calloc(1, sizeof(*via));
	if (!via)
		return NULL;
	*via = (struct via){
		.chain = *chain,
		.index = nexthops->via_count,
		.ifindex = ifindex,
		.address = *address,
		.neighbour.removed = true,
		.stale = true,
	};
	nexthops->vias[nexthops->via_count++] = via;
	*chain = via;
	return via;
}

static void via_free(struct nexthops *nexthops, struct via *via)
{
	struct via **place = &nexthops->vias_by_address[target_chain(&via->address)];
	struct via *last = nexthops->vias[--nexthops->via_count];

	while (*place != via)
		place = &(*place)->chain;
	*place = via->chain;
	nexthops->vias[via->index] = last;
	last->index = via->index;
	free(via);
}

void via_leave(struct nexthops *nexthops, struct target *target)
{
	struct via *via = target->via;

	if (!via)
		return;
	if (target->via_before)
		target->via_before->via_next = target->via_next;
	else
		via->first = target->via_next;
	if (target->via_next)
		target->via_next->via_before = target->via_before;
	target->via = NULL;
	if (!via->first)
		via_free(nexthops, via);
}

int via_join(struct nexthops *nexthops, struct target *target, uint32_t ifindex,
	     const struct ip *address)
{
	struct via *via = target->via;

	if (via && via->ifindex == ifindex && ip_equal(&via->address, address))
		return 0;
	via_leave(nexthops, target);
	via = via_find(nexthops, ifindex, address);
	if (!via)
		via = via_make(nexthops, ifindex, address);
	if (!via)
		return -ENOMEM;
	target->via = via;
	target->via_before = NULL;
	target->via_next = via->first;
	if (via->first)
		via->first->via_before = target;
	via->first = target;
	return 0;
}

void via_look(struct nexthops *nexthops, struct via *via)
{
	struct neighbour_facts neighbour = {0};

	if (!via->stale)
		return;
	if (netlink_neighbour(&nexthops->netlink, via->ifindex, &via->address, &neighbour))
		neighbour.removed = true;
	/* A failure from before is no answer: it is asked for now. */
	if (neighbour.state & NUD_FAILED && !via->asked_turn)
		neighbour.state = NUD_NONE;
	via->neighbour = neighbour;
	via->stale = false;
}

/*
 * While the neighbour has not answered, what was known before stays in use: the entry may only
 * have been collected. What has failed before stays so until an answer comes.
 */
void via_ask(struct nexthops *nexthops, struct via *via)
{
	int code;

	if (via->asked_turn == nexthops->turn_number || nexthops->asked >= ASK_MAX)
		return; /* it has its turn */
	via->asked_turn = nexthops->turn_number;
	nexthops->asked++;
	code = netlink_neighbour_use(&nexthops->netlink, via->ifindex, &via->address);
	if (code)
		log_debug("asking for a neighbour on interface %u: %s", via->ifindex,
			  strerror(-code));
}

static void via_use(struct nexthops *nexthops, struct via *via)
{
	if (!via_usable(via))
		return;
	via->stale = true;
	via_look(nexthops, via);
	via_ask(nexthops, via);
}

void via_turn(struct nexthops *nexthops)
{
	uint32_t count = nexthops->via_count, share = (count + USE_TURNS - 1) / USE_TURNS;
	uint32_t at_least = (count + USE_TURNS_LONG - 1) / USE_TURNS_LONG;

	nexthops->turn_number++;
	nexthops->asked = 0;
	if (share > USE_MAX)
		share = at_least > USE_MAX ? at_least : USE_MAX;
	for (; share > 0; share--) {
		if (nexthops->next_use >= count)
			nexthops->next_use = 0;
		via_use(nexthops, nexthops->vias[nexthops->next_use++]);
	}
	for (uint32_t i = 0; i < count && nexthops->asked < ASK_MAX; i++) {
		if (nexthops->next_ask >= count)
			nexthops->next_ask = 0;
		if (!via_usable(nexthops->vias[nexthops->next_ask]))
			via_ask(nexthops, nexthops->vias[nexthops->next_ask]);
		nexthops->next_ask++;
	}
}

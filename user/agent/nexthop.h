/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keeps the next hops of the backends fresh: routes, neighbours and links by rtnetlink, on the
 * agent's loop. What is found goes to dataplane_nexthop_set().
 */
#ifndef AGENT_NEXTHOP_H
#define AGENT_NEXTHOP_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "agent/dataplane.h"
#include "base/error.h"
#include "base/ip.h"
#include "model/plan.h"

struct nexthops;

/* nexthop_notice - tell this of backends that are not reachable, and of those that are again. */
void nexthop_notice(struct nexthops *nexthops, const struct notice *notice);

/* nexthop_start - the loop and the data plane must outlive it. Returns 0 or -errno. */
int nexthop_start(uv_loop_t *loop, struct dataplane *dataplane, struct nexthops **ret_nexthops,
		  struct error *error);

/* nexthop_stop - its memory goes when the loop has closed its handles: run the loop once more. */
void nexthop_stop(struct nexthops *nexthops);

/*
 * nexthop_watch - keep the way to this backend (index in map "backends") fresh; watching it again
 * with the same address is free. Returns 0 or -ENOMEM.
 */
int nexthop_watch(struct nexthops *nexthops, uint32_t backend, const struct ip *address,
		  enum forward_mode mode);
void nexthop_unwatch(struct nexthops *nexthops, uint32_t backend);

/* nexthop_known - whether packets can be sent to it now. */
bool nexthop_known(const struct nexthops *nexthops, uint32_t backend);

/*
 * nexthop_prepare - watch every backend that the plan writes and wait, at most timeout_ms, until
 * their next hops are known, so that no packet meets a backend without one. One that does not
 * answer is no error: it stays watched. Returns 0 or -ENOMEM.
 */
int nexthop_prepare(struct nexthops *nexthops, const struct plan *plan, unsigned int timeout_ms);

/* nexthop_finish - stop watching the backends that the plan has cleared. */
void nexthop_finish(struct nexthops *nexthops, const struct plan *plan);

struct nexthop_view {
	bool known;
	char interface[IF_NAMESIZE]; /* "" when there is no route */
	uint8_t mac[6];
	const char *problem; /* why it is not known, for people; NULL when it is */
};

/* nexthop_view - what to show of a backend's way; false if it is not watched. */
bool nexthop_view(const struct nexthops *nexthops, uint32_t backend, struct nexthop_view *ret_view);

#endif

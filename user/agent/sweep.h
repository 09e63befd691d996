/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Drives the sweep over the flow table (model/sweep.h) on the agent's loop: a slice at a time. A
 * full pass takes a second, and longer only for tables of more than 3 million flows.
 */
#ifndef AGENT_SWEEP_H
#define AGENT_SWEEP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "agent/dataplane.h"
#include "base/error.h"

struct sweeper;

/*
 * sweeper_start - on_purged (may be NULL) is called on the loop when the purge that was asked for
 * last is complete. Returns 0 or -errno.
 */
int sweeper_start(uv_loop_t *loop, struct dataplane *dataplane, void (*on_purged)(void *data),
		  void *data, struct sweeper **ret_sweeper, struct error *error);

/* sweeper_stop - its memory goes when the loop has closed its handle. */
void sweeper_stop(struct sweeper *sweeper);

/*
 * sweeper_purge - something was retired: call on_purged after two full passes that begin from now
 * on, when no entry of it is left. Asking again starts the wait anew.
 */
void sweeper_purge(struct sweeper *sweeper);

/* The counts of the last full pass; 0 before the first, see sweeper_passes(). */
uint32_t sweeper_live(const struct sweeper *sweeper, uint32_t backend);
/* sweeper_idle - ticks that its live flows are unseen, least and most. False: there is none. */
bool sweeper_idle(const struct sweeper *sweeper, uint32_t backend, uint32_t *ret_least,
		  uint32_t *ret_most);
uint64_t sweeper_total(const struct sweeper *sweeper);

/* sweeper_passes - full passes done. A count is true for its moment only after a pass since then. */
uint64_t sweeper_passes(const struct sweeper *sweeper);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a change would do, before it is done: services, backends and prefixes that come, change and
 * go, the slots that would have another owner, and the live flows that would leave their backend.
 * Pure: what only the kernel's maps know is asked for through a source.
 */
#ifndef MODEL_IMPACT_H
#define MODEL_IMPACT_H

#include <jansson.h>

#include "model/guard.h"
#include "model/plan.h"

/* What is in the maps now. */
struct impact_source {
	/* Slots whose owner would change when this pool's table is published. 0 or -errno. */
	int (*slots_moved)(void *data, const struct pool *pool, uint32_t *ret_moved);
	/* Live flows of a backend of the old state. */
	uint32_t (*live_flows)(void *data, const struct pool *pool,
			       const struct pool_backend *backend);
	void *data;
};

/* One whole change: two states with the plan between them, and two guards. */
struct impact_change {
	const struct state *old_state, *new_state;
	const struct plan *plan;
	const struct guard *old_guard, *new_guard;
};

/*
 * impact_make - {"steps", "slots_moved", "flows_moved", "backends": {"created", "removed",
 * "drained", "changed"}, "services": [...], "guard": [...]}; docs/API.md has each field. Only what
 * changes for packets or for the autoscaler is in it: a value that a person set at run time and that
 * the config has from now on does not change. Returns 0, -ENOMEM, or what the source gave.
 */
int impact_make(const struct impact_change *change, const struct impact_source *source,
		json_t **ret_impact);

/* impact_guard - of the guard alone: [{"service", "added", "removed", "changed", "rules"}]. */
json_t *impact_guard(const struct guard *old_guard, const struct guard *new_guard);

#endif

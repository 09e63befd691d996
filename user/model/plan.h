/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The plan: old state and new state in, ordered map writes out. Adding goes backends, tables,
 * services, keys, VIPs; removing goes the other way round: a packet between two writes finds the
 * old pool or the new, never a record that is not there. Pure.
 */
#ifndef MODEL_PLAN_H
#define MODEL_PLAN_H

#include "model/state.h"

enum plan_kind {
	PLAN_KEY_REMOVE, /* delete the service's entry in service_keys: nobody has that key now */
	PLAN_VIP_REMOVE, /* delete the VIP's own entry; its bit of the filter goes with its last key */
	PLAN_BACKEND_WRITE, /* write a backend's record, alive or dead */
	PLAN_TABLE_PUBLISH, /* build the service's table, merge with the old one, publish */
	PLAN_SERVICE_WRITE, /* write the service's record (its table word is not touched) */
	PLAN_VIP_WRITE,     /* set the filter bit, then the VIP's own entry */
	PLAN_KEY_WRITE,     /* add the service's entry, or let that of another service point here */
	PLAN_SERVICE_CLEAR, /* clear the service's record */
	PLAN_BACKEND_DEAD,  /* mark the record as dead: the tables name it no more */
	PLAN_BACKEND_CLEAR, /* mark the record as absent */
};

/* "key_remove" and so on: the words of plan_to_json. */
extern const char *const plan_kind_names[];

struct plan_step {
	enum plan_kind kind;
	const struct pool *pool;            /* in the new state; of removals in the old state */
	const struct pool_backend *backend; /* PLAN_BACKEND_*; else NULL */
	bool created;                       /* PLAN_TABLE_PUBLISH of a new service: no old table */
};

struct plan {
	struct plan_step *steps;
	size_t step_count;
};

/*
 * plan_make - the steps from old to new. The plan points into both states, which must outlive it.
 * A service that has other blocks of the maps in the new state is one that goes and one that
 * comes; its key moves from the one to the other at once.
 * A table is published if and only if the set of (number, effective weight, alive) changed.
 * Returns 0 or -ENOMEM. plan_free takes NULL.
 */
int plan_make(const struct state *old_state, const struct state *new_state, struct plan **ret_plan);
void plan_free(struct plan *plan);

/* plan_to_json - a readable list of the steps, for the API and for tests. */
json_t *plan_to_json(const struct plan *plan);

#endif

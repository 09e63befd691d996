/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What leads from one state, or guard, to the next, as JSON: the journal holds this of each change,
 * and an image puts it together again. Pure.
 *
 * A delta is an object of what has changed, all optional: "head" (what a state has besides its
 * pools), "pools" (those that came or changed, whole), "removed" (names of those that went),
 * "guard" (of each list: run-time rules that were set, and that went).
 */
#ifndef MODEL_STATE_DELTA_H
#define MODEL_STATE_DELTA_H

#include <jansson.h>

#include "model/guard.h"
#include "model/state.h"

/* state_delta - into an object. old: NULL = all of now. Returns 0 or -ENOMEM. */
int state_delta(const struct state *old, const struct state *now, json_t *delta);

/* guard_delta - into an object. old: NULL = all of now. Returns 0 or -ENOMEM. */
int guard_delta(const struct guard *old, const struct guard *now, json_t *delta);

/* pool_delta - one pool as the only one of a delta: 0 or -ENOMEM. */
int pool_delta(const struct pool *pool, json_t *delta);

/*
 * guard_rules_delta - a part of a list's run-time rules as the only ones of a delta. service: NULL
 * = the list for all.
 */
int guard_rules_delta(const char *service, const struct guard_rule *rules, size_t count,
		      json_t *delta);

/* A state, and a guard, that deltas are applied to in their order. Begins as {0}. */
struct state_image {
	json_t *head, *pools;      /* pools: by name */
	struct guard_trail *guard; /* by list */
};

/* 0; -EINVAL for what is no delta, with a message; -ENOMEM. */
int state_image_apply(struct state_image *image, const json_t *delta, struct error *error);

/* state_image_state - as state_to_json: a new reference, or NULL. */
json_t *state_image_state(const struct state_image *image);

/* state_image_guard - as guard_to_json. 0, -EINVAL with a message, -ENOMEM. */
int state_image_guard(const struct state_image *image, json_t **ret_guard, struct error *error);
void state_image_clear(struct state_image *image);

#endif

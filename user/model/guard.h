/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the guard is to answer: for all services, and for each that has a list of its own, what is
 * configured and what a person set at run time. A prefix that is set at run time keeps its answer
 * over reloads, unless the config says something else about that very prefix than it did before.
 */
#ifndef MODEL_GUARD_H
#define MODEL_GUARD_H

#include <jansson.h>

#include "model/config.h"
#include "model/guard_list.h"
#include "model/state.h"

struct guard_scope {
	char *service; /* NULL: all services */
	struct guard_list *configured, *runtime, *effective;
};

/* The first scope is that of all services. */
struct guard {
	struct guard_scope *scopes;
	size_t scope_count;
};

struct guard *guard_new(void);
struct guard *guard_clone(const struct guard *guard);
void guard_free(struct guard *guard);

/* guard_scope_find - of a service, or of all (NULL). NULL: it has none. */
const struct guard_scope *guard_scope_find(const struct guard *guard, const char *service);

/*
 * guard_set - give prefixes an answer at run time; GUARD_NONE takes a prefix out of the list.
 * Returns 0, -EINVAL for a prefix with two answers, -ENOENT for one to be taken out that is not
 * there, -ENOSPC above SLUICE_GUARD_PREFIXES_MAX, -ENOMEM; with a message. On error the guard is
 * to be thrown away.
 */
int guard_set(struct guard *guard, const char *service, const struct guard_rule *rules,
	      size_t count, struct error *error);

/* guard_apply - follow a config, whose list files are loaded. Errors as above. */
int guard_apply(struct guard *guard, const struct config *config, struct error *error);

/* guard_prune - forget the lists of services that are not in the state. */
void guard_prune(struct guard *guard, const struct state *state);

/*
 * guard_parts - the lists by the numbers that the map has them by. The array is the caller's, its
 * lists are not. NULL: no memory.
 */
struct guard_part *guard_parts(const struct guard *guard, const struct state *state,
			       size_t *ret_count);

/* guard_bits - GUARD_COMMON and GUARD_OWN of a service. */
uint8_t guard_bits(const struct guard *guard, const char *service);

/* guard_to_json, guard_from_json - what was set at run time, for the saved state of version 0.1. */
json_t *guard_to_json(const struct guard *guard);
int guard_from_json(const json_t *array, struct guard **ret_guard, struct error *error);

/* ------------------------------------------------------------------ records of the maps */

void guard_prefix_key_fill(struct guard_prefix_key *key, uint32_t service,
			   const struct prefix *prefix);
/* guard_prefix_key_read - the other way; false for a key that no prefix has. */
bool guard_prefix_key_read(const struct guard_prefix_key *key, uint32_t *ret_service,
			   struct prefix *ret_prefix);
void guard_limit_fill(struct guard_limit *record, const struct new_flow_limit *limit);

#endif

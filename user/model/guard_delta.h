/* SPDX-License-Identifier: GPL-2.0-only */
/* The trail of one or more lists of the guard: what was set and what went, in its order. */
#ifndef MODEL_GUARD_DELTA_H
#define MODEL_GUARD_DELTA_H

#include <jansson.h>

#include "base/error.h"

struct guard_trail;

/* guard_trail_add - "guard" of a delta; NULL is none. *trail is made when it is needed. */
int guard_trail_add(struct guard_trail **trail, const json_t *array, struct error *error);

/* guard_trail_end - what is left of it all, as guard_to_json has it. trail: may be NULL. */
int guard_trail_end(const struct guard_trail *trail, json_t **ret_guard, struct error *error);
void guard_trail_free(struct guard_trail *trail);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A change of the state in words, for the journal and the events: "backend web-1 of web: active ->
 * draining". The values of a provisioner's options are never told: they may be secrets. Pure.
 */
#ifndef MODEL_CHANGE_WORDS_H
#define MODEL_CHANGE_WORDS_H

#include <jansson.h>

#include "model/guard.h"
#include "model/state.h"

/* So many lines at most; one more says how many there would be. */
#define CHANGE_WORDS_MAX 20

/*
 * change_words - *ret_changes: an array of lines, *ret_services: of the names of the services that
 * they concern, all of them. 0, or -ENOMEM.
 */
int change_words(const struct state *old, const struct state *now, const struct guard *old_guard,
		 const struct guard *now_guard, json_t **ret_changes, json_t **ret_services);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What provisioners answer, as JSON objects: read with every field checked. Pure. */
#ifndef MODEL_ANSWER_H
#define MODEL_ANSWER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"

/* answer_decode - a new reference, or NULL and what is wrong with the text. */
json_t *answer_decode(const char *text, size_t length, char *ret_wrong, size_t wrong_size);

/*
 * answer_capabilities - which of the verbs of these names (NULL-terminated) it has, and how late its
 * list may show a change. Returns what is wrong with the answer, or NULL.
 */
const char *answer_capabilities(const json_t *answer, const char *const *names, bool *ret_verbs,
				uint32_t *ret_delay_ms);

/*
 * answer_created - where the backend of this name is; port 0: the service's. Returns what is wrong
 * with the answer, or NULL.
 */
const char *answer_created(const json_t *answer, const char *name, struct ip *ret_address,
			   uint16_t *ret_port);

/*
 * answer_list - its array of objects with a name, borrowed. NULL if it is not one: a list in which one
 * object has no name may lack others, too.
 */
const json_t *answer_list(const json_t *answer);

#endif

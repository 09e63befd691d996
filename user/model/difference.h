/* SPDX-License-Identifier: GPL-2.0-only */
/* What differs between two JSON objects of one form, field by field, with the path of each. */
#ifndef MODEL_DIFFERENCE_H
#define MODEL_DIFFERENCE_H

#include <jansson.h>

/*
 * difference_add - append {"field", "from", "to"} to the list for every field that differs, objects
 * below being gone into ("autoscale.max"). A field that is not there is null. Either object may be
 * NULL: it has no fields. Returns 0 or -ENOMEM.
 */
int difference_add(json_t *list, const json_t *from, const json_t *to, const char *path);

#endif

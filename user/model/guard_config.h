/* SPDX-License-Identifier: GPL-2.0-only */
/* The guard as a config writes it: lists of prefixes, files with such lists, a limit of new flows. */
#ifndef MODEL_GUARD_CONFIG_H
#define MODEL_GUARD_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/guard_list.h"

/* The lists of one scope. */
struct guard_lists {
	struct guard_rule *rules; /* in any order */
	size_t count;
	size_t own_count; /* the first of them: those that the config itself has, without files */
	char *deny_file, *allow_file; /* NULL: none; their prefixes are not in rules until loaded */
};

/* New flows of each prefix of sources so long. */
struct new_flow_limit {
	uint32_t rate;  /* a second; 0: no limit */
	uint32_t burst; /* at once */
	uint32_t prefix4, prefix6;
};

#define GUARD_RATE_MAX 1000000u

/* guard_lists_add - one more rule. Returns 0 or -ENOMEM. */
int guard_lists_add(struct guard_lists *lists, const struct prefix *prefix,
		    enum guard_answer answer);

/*
 * guard_lists_read - the rules of a text: a prefix a line; what is behind a # and empty lines do
 * not count. name stands for the file in messages, which read "name:line: what is wrong".
 * Returns 0, -EINVAL or -ENOMEM.
 */
int guard_lists_read(struct guard_lists *lists, const char *text, const char *name,
		     enum guard_answer answer, struct error *error);

/* guard_lists_clear - what is in it, without the struct itself. */
void guard_lists_clear(struct guard_lists *lists);

#endif

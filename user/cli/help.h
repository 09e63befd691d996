/* SPDX-License-Identifier: GPL-2.0-only */
/* Help on every level, made from the verbs' own tables. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/verb.h"

/* help_verb - one verb: usage, summary, parameters, example. On stdout. */
void help_verb(const struct verb *verb);

/* help_group - the verbs that start with a word; "": all. Returns how many were shown. */
int help_group(const char *word);

/*
 * verb_find - the verb that the first words name; *ret_used is how many words its name has. If
 * there is none: -EINVAL with a message, or *ret_group is the words' group with its verb missing.
 */
int verb_find(int count, char **words, const struct verb **ret_verb, int *ret_used,
	      const char **ret_group, struct error *error);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What may come next on a command line that is being typed; the shells' completions ask for it. */
#ifndef CLI_COMPLETE_H
#define CLI_COMPLETE_H

#include "cli/verb.h"

/*
 * complete_print - the words that may stand where the last word is, which is what was typed of it:
 * one a line, with a tab and what it means behind it; ":file" where it is a file's name. Names of
 * services and backends are asked of the agent; without one there are none.
 */
void complete_print(struct call *call, int count, char **words);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The saved state of version 0.1: one file, state.json, which the journal took the place of. */
#ifndef AGENT_SAVED_H
#define AGENT_SAVED_H

#include "agent/desired.h"

/*
 * saved_read - returns 0; -ENOENT if there is no file; -EINVAL for one that is damaged, with a
 * message.
 */
int saved_read(const char *state_dir, uint64_t *ret_instance, struct desired **ret_desired,
	       struct error *error);

#endif

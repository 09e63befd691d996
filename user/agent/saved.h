/* SPDX-License-Identifier: GPL-2.0-only */
/* The saved state: what the agent wants, in one file that is replaced before each change. */
#ifndef AGENT_SAVED_H
#define AGENT_SAVED_H

#include "agent/desired.h"

/* saved_write - replace state_dir/state.json. instance: that of the maps. Returns 0 or -errno. */
int saved_write(const char *state_dir, uint64_t instance, const struct desired *desired,
		struct error *error);

/*
 * saved_keep - saved_write, unless the file says it already: an agent that starts again needs no
 * room on its disk.
 */
int saved_keep(const char *state_dir, uint64_t instance, const struct desired *desired,
	       struct error *error);

/*
 * saved_read - returns 0; -ENOENT if there is no file; -EINVAL for one that is damaged, with a
 * message.
 */
int saved_read(const char *state_dir, uint64_t *ret_instance, struct desired **ret_desired,
	       struct error *error);

#endif

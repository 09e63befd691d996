/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Carrying the guard's lists to the kernel, around a plan: what is new is written before the plan,
 * what is old is removed after it. So a service has its lists before its first packet, and every
 * packet meets its source's old answer or its new one.
 */
#ifndef AGENT_GUARD_H
#define AGENT_GUARD_H

#include "agent/agent.h"
#include "model/guard_list.h"

/* guard_begin - from what is wanted now to a draft. The changes are to be ended or cleared. */
int guard_begin(struct agent *agent, const struct desired *now, const struct desired *draft,
		struct guard_changes *ret_changes, struct error *error);

/* guard_end - after the plan. Takes the changes; what cannot be removed is logged. */
void guard_end(struct agent *agent, const struct desired *before, const struct desired *now,
	       struct guard_changes *changes);

/* guard_check - how many prefixes of the map are not as wanted. 0 or -errno. */
int guard_check(struct agent *agent, size_t *ret_count);

/* guard_begin_adopted - of a start: from what the map holds, whoever wrote it. */
int guard_begin_adopted(struct agent *agent, const struct desired *draft,
			struct guard_changes *ret_changes, struct error *error);

/* guard_end_adopted - after the plan and the pruning; also the bits of every service. */
void guard_end_adopted(struct agent *agent, struct guard_changes *changes);

#endif

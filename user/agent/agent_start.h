/* SPDX-License-Identifier: GPL-2.0-only */
/* What agent.c and agent_start.c share with nobody else. */
#ifndef AGENT_AGENT_START_H
#define AGENT_AGENT_START_H

#include "agent/agent.h"

/* A backend that answers does so in far less; one that does not must not hold up the others. */
#define AGENT_NEXTHOP_WAIT_MS 200u

/* agent_execute - prepare next hops, write to the kernel, let go of what was cleared. */
int agent_execute(struct agent *agent, const struct plan *plan, struct plan_outcome *ret_outcome,
		  struct error *error);

/* agent_apply_check - whether a running agent can follow the config, as far as can be told before. */
int agent_apply_check(const struct agent *agent, const struct config *config, struct error *error);

/* agent_apply_edit - the edit that follows a whole config; context is that. */
int agent_apply_edit(struct desired *draft, void *context, struct error *error);

/* agent_retired_any - whether numbers wait for a purge of the flow table. */
bool agent_retired_any(const struct state *state);

/* agent_purged - the sweeper's call: retired numbers are free. data is the agent. */
void agent_purged(void *data);

#endif

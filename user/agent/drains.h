/* SPDX-License-Identifier: GPL-2.0-only */
/* Watches the drains: how the live flows fall, and when the deadline has come. */
#ifndef AGENT_DRAINS_H
#define AGENT_DRAINS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/agent.h"
#include "base/error.h"

struct drains;

/* drains_start - the agent must outlive it. Returns 0 or -errno. */
int drains_start(struct agent *agent, struct drains **ret_drains, struct error *error);

/* drains_stop - its memory goes when the loop has closed its timer. Takes NULL. */
void drains_stop(struct drains *drains);

/*
 * drains_eta - seconds until the backend (index in map "backends") that drains has no live flow,
 * see model/drain.h. False if that cannot be said. drains may be NULL.
 */
bool drains_eta(const struct drains *drains, uint32_t backend, double *ret_seconds);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What the API shows of health. New references, or NULL when out of memory. */
#ifndef AGENT_VIEW_HEALTH_H
#define AGENT_VIEW_HEALTH_H

#include <jansson.h>

#include "agent/agent.h"

/* view_backend_health - the field "health" of a backend; null if nothing watches it. */
json_t *view_backend_health(const struct agent *agent, const struct pool *pool,
			    const struct pool_backend *backend);

/* view_health - of one service, and of all. */
json_t *view_health(const struct agent *agent, const struct pool *pool);
json_t *view_healths(const struct agent *agent);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the API shows, as JSON; docs/API.md says what each field means. All return a new
 * reference, or NULL when out of memory.
 */
#ifndef AGENT_VIEW_H
#define AGENT_VIEW_H

#include <jansson.h>

#include "agent/agent.h"

json_t *view_status(const struct agent *agent);
json_t *view_interface(const struct dataplane_interface *interface);

json_t *view_services(const struct agent *agent);
json_t *view_service(const struct agent *agent, const struct pool *pool);
json_t *view_backends(const struct agent *agent, const struct pool *pool);
json_t *view_backend(const struct agent *agent, const struct pool *pool,
		     const struct pool_backend *backend);

json_t *view_scales(const struct agent *agent);
json_t *view_scale(const struct agent *agent, const struct pool *pool);

/* view_backend_note - what there is to say about a backend's trouble, or NULL. */
const char *view_backend_note(const struct agent *agent, const struct pool *pool,
			      const struct pool_backend *backend);

#endif

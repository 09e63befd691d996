/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All that the agent wants, and saves: the state of the data plane, the guard's lists, and the
 * objects without a service that a provisioner has yet to delete.
 */
#ifndef AGENT_DESIRED_H
#define AGENT_DESIRED_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/guard.h"
#include "model/state.h"

/* A backend that sluice created, whose service or autoscaling is gone: to be deleted by name. */
struct orphan {
	char *name;
	struct provider *provider;
	uint64_t call_timeout_ms;
};

struct desired {
	struct state *state;
	struct guard *guard; /* of what the config says, nothing is saved */
	struct orphan *orphans;
	size_t orphan_count;
};

/* NULL: no memory. desired_free takes NULL. */
struct desired *desired_new(const struct limits_config *limits);
struct desired *desired_clone(const struct desired *desired);
void desired_free(struct desired *desired);

/*
 * desired_orphan_add - remember to delete an object by name; one user of the provider more. Returns
 * 0 or -ENOMEM.
 */
int desired_orphan_add(struct desired *desired, const char *name, struct provider *provider,
		       uint64_t call_timeout_ms);
void desired_orphan_remove(struct desired *desired, const char *name);

/*
 * desired_settle - after an edit that led from old to desired: created backends whose service or
 * autoscaling went leave their pool and become orphans; lists of services that went, go. Returns
 * 0 or -errno.
 */
int desired_settle(struct desired *desired, const struct desired *old, struct error *error);

json_t *desired_to_json(const struct desired *desired);
json_t *desired_orphans_to_json(const struct desired *desired);
int desired_from_json(const json_t *object, struct desired **ret_desired, struct error *error);

#endif

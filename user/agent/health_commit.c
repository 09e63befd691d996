// SPDX-License-Identifier: GPL-2.0-only
/* What probes and reports have changed goes into force: all that fell together as one change. */
#include <stdio.h>

#include "agent/health_private.h"
#include "base/log.h"

/* After a change that failed. */
#define RETRY_MS 1000u

static int commit_edit(struct desired *draft, void *context, struct error *error)
{
	const struct health_monitor *monitor = context;

	for (uint32_t i = 0; i < monitor->watch_max; i++) {
		const struct watch *watch = monitor->watches[i];
		int err;

		if (!watch || !watch->dirty)
			continue;
		err = state_backend_health(draft->state, watch->service, watch->name, &watch->now,
					   error);
		if (err)
			return err;
	}
	return 0;
}

/* "web-1 of web is down: connection refused" */
static void watch_describe(const struct watch *watch, const struct pool_backend *before, char *text,
			   size_t size)
{
	const char *reason = watch->report.reason;

	if (watch->now.report != before->health.report)
		snprintf(text, size, "%s of %s says %s%s%s", watch->name, watch->service,
			 backend_report_names[watch->now.report], *reason ? ": " : "", reason);
	else if (watch->now.report_weight != before->health.report_weight)
		snprintf(text, size, "%s of %s asks for %u.%u%% of its weight", watch->name,
			 watch->service, watch->now.report_weight / 10,
			 watch->now.report_weight % 10);
	else if (watch->now.verdict != before->health.verdict)
		snprintf(text, size, "%s of %s is %s: %s", watch->name, watch->service,
			 health_verdict_names[watch->now.verdict],
			 watch->last.known ? watch->last.why : "by its config");
	else
		snprintf(text, size, "%s of %s warms up: %u%%", watch->name, watch->service,
			 watch->now.ramp / 10);
}

static const struct pool_backend *backend_before(const struct watch *watch)
{
	const struct pool *pool = state_pool(watch->monitor->agent->desired->state, watch->service);

	return pool ? pool_backend(pool, watch->name) : NULL;
}

void health_commit(struct health_monitor *monitor)
{
	char text[CAUSE_WHY_MAX] = "";
	struct change_cause cause;
	struct error error = {""};
	size_t dirty = 0;

	monitor->commit_ms = 0;
	for (uint32_t i = 0; i < monitor->watch_max; i++) {
		const struct watch *watch = monitor->watches[i];
		const struct pool_backend *before =
			watch && watch->dirty ? backend_before(watch) : NULL;

		if (before && !dirty++)
			watch_describe(watch, before, text, sizeof(text));
	}
	if (!dirty)
		return;
	if (dirty > 1)
		cause = cause_make(CAUSE_HEALTH, "%zu backends: %s, and others", dirty, text);
	else
		cause = cause_make(CAUSE_HEALTH, "%s", text);
	if (!agent_change(monitor->agent, &cause, commit_edit, monitor, NULL, &error))
		return;
	log_error("health: %s", error.text);
	monitor->commit_ms = monitor_now() + RETRY_MS;
}

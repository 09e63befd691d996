// SPDX-License-Identifier: GPL-2.0-only
/* One watched backend: its rules, its machine, and when the machine is to be looked at again. */
#include <stdlib.h>
#include <string.h>

#include "agent/health_private.h"
#include "base/log.h"

/* So long after a verdict others may fall that are to be one change with it. */
#define COMMIT_MS 2u

static struct health_rules rules_of(const struct service_config *service)
{
	const struct health_config *health = service->health;
	struct health_rules rules = {
		.checked = health,
		.rise = 1,
		.fall = 1,
		.ramp_ms = service->warm_up_ms,
		.ramp_first = service->warm_up_first,
	};

	if (!health)
		return rules;
	rules.rise = health->rise;
	rules.fall = health->fall;
	rules.hold_ms = health->hold_ms;
	rules.hold_max_ms = health->hold_max_ms;
	return rules;
}

static void wake_run(struct watch *watch, uint64_t now_ms)
{
	watch_step(watch, HEALTH_EVENT_TIME, now_ms);
}

void watch_step(struct watch *watch, enum health_event event, uint64_t now_ms)
{
	struct health_monitor *monitor = watch->monitor;
	enum health_verdict before = watch->machine.verdict;
	struct health_output output = health_step(
		&watch->machine, &watch->rules, event,
		now_ms > watch->machine.stepped_ms ? now_ms : watch->machine.stepped_ms);

	if (output.verdict != before)
		watch->verdict_ms = now_ms;
	if (output.wake_ms)
		schedule_set(&monitor->schedule, &watch->wake_due.moment, output.wake_ms);
	else
		schedule_remove(&monitor->schedule, &watch->wake_due.moment);
	if (output.verdict == watch->now.verdict && output.ramp == watch->now.ramp)
		return;
	watch->now.verdict = output.verdict;
	watch->now.ramp = output.ramp;
	watch->dirty = true;
	if (!monitor->commit_ms)
		monitor->commit_ms = now_ms + COMMIT_MS;
}

/* Loaded when the first probe is to go by it. */
static struct probe_path *path_open(struct health_monitor *monitor)
{
	struct error error = {""};

	if (monitor->path || monitor->path_failed)
		return monitor->path;
	if (probe_path_open(monitor->agent->dataplane, monitor->agent->config, &monitor->path,
			    &error)) {
		log_warning("%s; until then they go to the backends' own addresses", error.text);
		monitor->path_failed = true;
		monitor->path = NULL;
	}
	return monitor->path;
}

/* By the path, where that was asked for and can be had. */
static void path_follow(struct watch *watch)
{
	const struct service_config *service = watch->config;
	const struct health_config *health = service->health;
	bool wanted = health && health->via == PROBE_VIA_PATH && health->type != PROBE_EXEC &&
		      service->mode != FORWARD_MODE_NAT &&
		      ip_family(&service->vip) == ip_family(&watch->address);

	if (watch->by_path && !wanted)
		probe_path_remove(watch->monitor->path, watch->backend);
	watch->by_path =
		wanted && path_open(watch->monitor) &&
		!probe_path_set(watch->monitor->path, watch->backend, service, &watch->address);
}

void watch_config(struct watch *watch, const struct service_config *config)
{
	const struct service_config *before = watch->config;
	uint64_t now_ms = monitor_now();

	watch->config = config;
	if (before == config)
		return;
	watch->rules = rules_of(config);
	path_follow(watch);
	probe_cancel(watch->probe);
	probe_cancel(watch->question);
	watch->probe = watch->question = NULL;
	schedule_remove(&watch->monitor->schedule, &watch->probe_due.moment);
	schedule_remove(&watch->monitor->schedule, &watch->ask_due.moment);
	if (config->health)
		watch_probe_first(watch, now_ms);
	if (config->agent_check) {
		watch_ask_due(watch, now_ms);
	} else {
		watch->report = report_none();
		watch->now.report = REPORT_READY;
		watch->now.report_weight = HEALTH_WHOLE;
	}
	watch_step(watch, HEALTH_EVENT_TIME, now_ms);
}

struct watch *watch_new(struct health_monitor *monitor, const struct pool *pool,
			const struct pool_backend *backend, uint32_t id)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->monitor = monitor;
	watch->backend = id;
	watch->service = strdup(pool->service->name);
	watch->name = strdup(backend->name);
	watch->address = backend->address;
	watch->port = backend->port;
	watch->service_port = pool->service->port;
	watch->weight = backend->weight;
	watch->now = backend->health;
	watch->report = report_none();
	watch->report.state = backend->health.report;
	watch->report.weight = backend->health.report_weight;
	watch->verdict_ms = watch->heard_ms = monitor_now();
	watch->probe_due = (struct due){.watch = watch, .run = watch_probe_due};
	watch->wake_due = (struct due){.watch = watch, .run = wake_run};
	watch->ask_due = (struct due){.watch = watch, .run = watch_ask_due};
	if (!watch->service || !watch->name) {
		watch_free(watch);
		return NULL;
	}
	watch->rules = rules_of(pool->service);
	health_begin(&watch->machine, backend->health.verdict, backend->health.ramp, &watch->rules,
		     monitor->starting, watch->verdict_ms);
	return watch;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	if (watch->by_path)
		probe_path_remove(watch->monitor->path, watch->backend);
	probe_cancel(watch->probe);
	probe_cancel(watch->question);
	schedule_remove(&watch->monitor->schedule, &watch->probe_due.moment);
	schedule_remove(&watch->monitor->schedule, &watch->wake_due.moment);
	schedule_remove(&watch->monitor->schedule, &watch->ask_due.moment);
	free(watch->service);
	free(watch->name);
	free(watch);
}

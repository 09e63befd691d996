// SPDX-License-Identifier: GPL-2.0-only
/* A watched backend's probes: when they begin, when they are given up, what their results do. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/health_private.h"
#include "sluice/probe.h"

struct probe_target watch_target(const struct watch *watch)
{
	const struct service_config *service = watch->config;
	const struct health_config *health = service->health;
	uint16_t own = watch->port ? watch->port : watch->service_port;
	struct probe_target target = {.address = watch->address, .port = own};

	if (watch->by_path)
		target.mark = PROBE_MARK | watch->backend;
	/* Only mode nat sends packets to a backend's own port. */
	if (service->mode != FORWARD_MODE_NAT)
		target.port = watch->service_port;
	if (health && health->port)
		target.port = health->port;
	return target;
}

/* Early results, not late ones, spread the probes: the interval is what was promised at most. */
static void next_set(struct watch *watch, uint64_t from_ms)
{
	const struct health_config *health = watch->config->health;
	bool rests = watch->machine.verdict == HEALTH_DOWN && !watch->machine.streak;
	uint64_t interval_ms = rests ? health->down_interval_ms : health->interval_ms;
	uint64_t at_ms = from_ms + monitor_jitter(watch->monitor, interval_ms, health->jitter);

	uint64_t now_ms = monitor_now();

	if (watch->again || at_ms < now_ms)
		at_ms = now_ms;
	watch->again = false;
	schedule_set(&watch->monitor->schedule, &watch->probe_due.moment, at_ms);
}

void watch_probe_first(struct watch *watch, uint64_t now_ms)
{
	uint64_t interval_ms = watch->config->health->interval_ms;

	/* At a start all of them at once would be a burst; one that is new has waited enough. */
	if (watch->monitor->starting)
		now_ms += interval_ms - monitor_jitter(watch->monitor, interval_ms, 100);
	schedule_set(&watch->monitor->schedule, &watch->probe_due.moment, now_ms);
}

static void result_take(struct watch *watch, bool passed, const char *why, uint64_t now_ms)
{
	watch->last.known = true;
	watch->last.passed = passed;
	snprintf(watch->last.why, sizeof(watch->last.why), "%s", why);
	watch->last.at_ms = now_ms;
	watch->last.took_ms = now_ms - watch->begun_ms;
	if (passed)
		watch->passes++;
	else
		watch->failures++;
	watch_step(watch, passed ? HEALTH_EVENT_PASS : HEALTH_EVENT_FAIL, now_ms);
}

static void probe_done(void *context, const struct probe_result *result)
{
	struct watch *watch = context;

	watch->probe = NULL;
	result_take(watch, result->passed, result->why, monitor_now());
	next_set(watch, watch->begun_ms);
	monitor_arm(watch->monitor);
}

/* What this host lacks says nothing about a backend. */
static bool own_fault(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOMEM || err == -ENOBUFS ||
	       err == -EPERM || err == -EACCES || err == -EADDRINUSE || err == -EADDRNOTAVAIL ||
	       err == -EAGAIN;
}

/* Without a way to the backend clients' packets find none either; all else is this host's fault. */
static void path_fail(struct watch *watch, int err, const struct error *error, uint64_t now_ms)
{
	if (err == -EHOSTUNREACH)
		result_take(watch, false, error->text, now_ms);
	else
		watch->discarded++;
	next_set(watch, now_ms);
}

static void probe_begin(struct watch *watch, uint64_t now_ms)
{
	const struct health_config *health = watch->config->health;
	struct probe_target target = watch_target(watch);
	struct error error = {""};
	int err =
		watch->by_path ? probe_path_ready(watch->monitor->path, watch->backend, &error) : 0;

	watch->begun_ms = now_ms;
	if (err) {
		path_fail(watch, err, &error, now_ms);
		return;
	}
	err = probe_start(watch->monitor->prober, health, &target, probe_done, watch,
			  &watch->probe);
	if (!err) {
		schedule_set(&watch->monitor->schedule, &watch->probe_due.moment,
			     now_ms + health->timeout_ms);
		return;
	}
	if (own_fault(err))
		watch->discarded++;
	else
		result_take(watch, false, strerror(-err), now_ms);
	next_set(watch, now_ms);
}

/* Whether the loop was away for a part of this probe that may have made it late. */
static bool was_away(const struct watch *watch)
{
	const struct health_monitor *monitor = watch->monitor;

	return monitor->stall_end_ms > watch->begun_ms &&
	       monitor->stall_ms * 4 > watch->config->health->timeout_ms;
}

static void probe_give_up(struct watch *watch, uint64_t now_ms)
{
	char why[PROBE_WHY_MAX];

	probe_cancel(watch->probe);
	watch->probe = NULL;
	if (was_away(watch)) {
		watch->discarded++;
		watch->again = true;
	} else {
		snprintf(why, sizeof(why), "no answer within %ju ms",
			 (uintmax_t)watch->config->health->timeout_ms);
		result_take(watch, false, why, now_ms);
	}
	next_set(watch, watch->again ? now_ms : watch->begun_ms);
}

void watch_probe_due(struct watch *watch, uint64_t now_ms)
{
	if (!watch->probe) {
		probe_begin(watch, now_ms);
		return;
	}
	/* Its answer may be there already; then this schedules the next one. */
	prober_poll(watch->monitor->prober);
	if (watch->probe)
		probe_give_up(watch, now_ms);
}

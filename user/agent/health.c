// SPDX-License-Identifier: GPL-2.0-only
/* The health monitor: which backends are watched, and the one timer that everything is due by. */
#include "agent/health.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/health_private.h"
#include "base/log.h"

/* The loop was away so long: what timed out meanwhile may have been answered in time. */
#define STALL_LEAST_MS 20u

const uint64_t health_lateness_bounds_ms[HEALTH_LATENESS_BOUNDS] = {1,  2,   5,   10,  20,
								    50, 100, 200, 1000};

uint64_t monitor_now(void)
{
	return uv_hrtime() / 1000000;
}

uint64_t monitor_jitter(struct health_monitor *monitor, uint64_t interval_ms, uint32_t percent)
{
	uint64_t most = interval_ms * percent / 100;

	/* xorshift: any spread will do. */
	monitor->random ^= monitor->random << 13;
	monitor->random ^= monitor->random >> 7;
	monitor->random ^= monitor->random << 17;
	return interval_ms - (most ? monitor->random % (most + 1) : 0);
}

/* ------------------------------------------------------------------ the timer */

static void timer_fired(uv_timer_t *timer);

void monitor_arm(struct health_monitor *monitor)
{
	const struct moment *first = schedule_first(&monitor->schedule);
	uint64_t now_ms = monitor_now(), at_ms = first ? first->at_ms : UINT64_MAX;

	if (monitor->commit_ms && monitor->commit_ms < at_ms)
		at_ms = monitor->commit_ms;
	if (at_ms == UINT64_MAX) {
		uv_timer_stop(&monitor->timer);
		return;
	}
	uv_update_time(monitor->agent->loop);
	uv_timer_start(&monitor->timer, timer_fired, at_ms > now_ms ? at_ms - now_ms : 0, 0);
}

static void lateness_note(struct health_monitor *monitor, uint64_t late_ms, uint64_t now_ms)
{
	if (late_ms < STALL_LEAST_MS)
		return;
	monitor->stall_ms = late_ms;
	monitor->stall_end_ms = now_ms;
	/* What came while the loop was away is heard before anything is judged. */
	prober_poll(monitor->prober);
}

static void due_run(struct health_monitor *monitor, struct due *due, uint64_t now_ms)
{
	uint64_t late_ms = now_ms - due->moment.at_ms;
	size_t bound = 0;

	schedule_remove(&monitor->schedule, &due->moment);
	if (due == &due->watch->probe_due && !due->watch->probe) {
		while (bound < HEALTH_LATENESS_BOUNDS && late_ms > health_lateness_bounds_ms[bound])
			bound++;
		monitor->lateness.counts[bound]++;
		monitor->lateness.sum_ms += late_ms;
	}
	due->run(due->watch, now_ms);
}

static void timer_fired(uv_timer_t *timer)
{
	struct health_monitor *monitor = timer->data;
	const struct moment *first = schedule_first(&monitor->schedule);
	uint64_t now_ms = monitor_now();

	if (first && first->at_ms < now_ms)
		lateness_note(monitor, now_ms - first->at_ms, now_ms);
	/* Only what is due now: what is scheduled meanwhile waits for the loop's next turn. */
	while ((first = schedule_first(&monitor->schedule)) && first->at_ms <= now_ms)
		due_run(monitor, (struct due *)(uintptr_t)first, now_ms);
	if (monitor->commit_ms && monitor->commit_ms <= monitor_now())
		health_commit(monitor);
	monitor_arm(monitor);
}

/* ------------------------------------------------------------------ which are watched */

static bool service_watched(const struct service_config *service)
{
	return service->health || service->agent_check || service->warm_up_ms;
}

static bool watch_fits(const struct watch *watch, const struct pool *pool,
		       const struct pool_backend *backend)
{
	return watch && !strcmp(watch->service, pool->service->name) &&
	       !strcmp(watch->name, backend->name) &&
	       ip_equal(&watch->address, &backend->address) && watch->port == backend->port;
}

static void backend_follow(struct health_monitor *monitor, const struct pool *pool,
			   const struct pool_backend *backend)
{
	uint32_t id = agent_backend_id(pool, backend);
	struct watch *watch = monitor->watches[id];

	if (!watch_fits(watch, pool, backend)) {
		watch_free(watch);
		watch = monitor->watches[id] = watch_new(monitor, pool, backend, id);
		if (!watch) {
			log_error("service %s: backend %s: not probed: out of memory",
				  pool->service->name, backend->name);
			return;
		}
	}
	watch->wanted = true;
	watch->weight = backend->weight;
	watch->service_port = pool->service->port;
	watch_config(watch, pool->service);
	watch->now = (struct backend_health){
		.verdict = watch->machine.verdict,
		.ramp = watch->machine.ramp,
		.report = watch->now.report,
		.report_weight = watch->now.report_weight,
	};
	watch->dirty = memcmp(&watch->now, &backend->health, sizeof(watch->now)) != 0;
	if (watch->dirty && !monitor->commit_ms)
		monitor->commit_ms = monitor_now() + 1;
}

void health_follow(struct health_monitor *monitor)
{
	const struct state *state;

	if (!monitor)
		return;
	state = monitor->agent->desired->state;
	for (size_t i = 0; i < state->pool_count; i++) {
		const struct pool *pool = state->pools[i];

		for (size_t b = 0; service_watched(pool->service) && b < pool->backend_count; b++) {
			if (backend_alive(&pool->backends[b]))
				backend_follow(monitor, pool, &pool->backends[b]);
		}
	}
	for (uint32_t i = 0; i < monitor->watch_max; i++) {
		struct watch *watch = monitor->watches[i];

		if (!watch)
			continue;
		if (!watch->wanted) {
			watch_free(watch);
			monitor->watches[i] = NULL;
			continue;
		}
		watch->wanted = false;
	}
	monitor->starting = false;
	monitor_arm(monitor);
}

void health_probe_now(struct health_monitor *monitor, uint32_t backend)
{
	struct watch *watch = backend < monitor->watch_max ? monitor->watches[backend] : NULL;

	if (!watch || !watch->config->health)
		return;
	if (watch->probe)
		watch->again = true;
	else
		schedule_set(&monitor->schedule, &watch->probe_due.moment, monitor_now());
	monitor_arm(monitor);
}

/* ------------------------------------------------------------------ start and stop */

int health_start(struct agent *agent, struct health_monitor **ret_monitor, struct error *error)
{
	struct health_monitor *monitor = calloc(1, sizeof(*monitor));
	int err;

	if (!monitor)
		return error_set(error, -ENOMEM, "health: out of memory");
	monitor->agent = agent;
	monitor->watch_max = dataplane_meta(agent->dataplane)->backends_max;
	monitor->random = uv_hrtime() | 1;
	monitor->starting = true;
	monitor->watches = calloc(monitor->watch_max, sizeof(struct watch *));
	err = monitor->watches ? prober_start(agent->loop, agent->children, &monitor->prober, error)
			       : error_set(error, -ENOMEM, "health: out of memory");
	if (err) {
		free(monitor->watches);
		free(monitor);
		return err;
	}
	uv_timer_init(agent->loop, &monitor->timer);
	monitor->timer.data = monitor;
	*ret_monitor = monitor;
	health_follow(monitor);
	return 0;
}

static void timer_closed(uv_handle_t *handle)
{
	struct health_monitor *monitor = handle->data;

	schedule_clear(&monitor->schedule);
	free(monitor->watches);
	free(monitor);
}

void health_stop(struct health_monitor *monitor)
{
	if (!monitor)
		return;
	for (uint32_t i = 0; i < monitor->watch_max; i++)
		watch_free(monitor->watches[i]);
	prober_stop(monitor->prober);
	probe_path_close(monitor->path);
	uv_close((uv_handle_t *)&monitor->timer, timer_closed);
}

/* ------------------------------------------------------------------ what is known */

static double ago_s(uint64_t now_ms, uint64_t then_ms)
{
	return (double)(now_ms - then_ms) / 1000;
}

bool health_facts(const struct health_monitor *monitor, uint32_t backend,
		  struct health_facts *ret_facts)
{
	const struct watch *watch =
		monitor && backend < monitor->watch_max ? monitor->watches[backend] : NULL;
	uint64_t now_ms = monitor_now();

	if (!watch)
		return false;
	*ret_facts = (struct health_facts){
		.probed = watch->config->health,
		.asked = watch->config->agent_check,
		.result_known = watch->last.known,
		.passed = watch->last.passed,
		.why = watch->last.why,
		.result_ago_s = watch->last.known ? ago_s(now_ms, watch->last.at_ms) : 0,
		.took_ms = (double)watch->last.took_ms,
		.verdict_s = ago_s(now_ms, watch->verdict_ms),
		.streak = watch->machine.streak,
		.passes = watch->passes,
		.failures = watch->failures,
		.discarded = watch->discarded,
		.path = watch_target(watch).mark,
		.report_fresh = watch_report_fresh(watch, now_ms),
		.report = watch->report,
		.report_problem = *watch->report_problem ? watch->report_problem : NULL,
	};
	if (watch->machine.verdict == HEALTH_DOWN && watch->machine.hold_until_ms > now_ms)
		ret_facts->hold_s = ago_s(watch->machine.hold_until_ms, now_ms);
	return true;
}

bool health_figures(const struct health_monitor *monitor, uint32_t backend,
		    struct report_figures *ret_figures, uint64_t *ret_heard_ms)
{
	const struct watch *watch =
		monitor && backend < monitor->watch_max ? monitor->watches[backend] : NULL;

	if (!watch || !watch_report_fresh(watch, monitor_now()))
		return false;
	*ret_figures = watch->report.figures;
	*ret_heard_ms = watch->heard_ms;
	return true;
}

struct health_lateness health_lateness(const struct health_monitor *monitor)
{
	return monitor->lateness;
}

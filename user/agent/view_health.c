// SPDX-License-Identifier: GPL-2.0-only
/* Turns what the health monitor knows into the API's JSON. */
#include "agent/view_health.h"

#include <math.h>

#include "agent/health.h"

static json_t *integer(uint64_t number)
{
	return json_integer((json_int_t)number);
}

static json_t *figure(double number)
{
	return isfinite(number) ? json_real(number) : json_null();
}

static json_t *result_view(const struct health_facts *facts)
{
	if (!facts->result_known)
		return json_null();
	return json_pack("{sb,ss,sf,sf}", "passed", facts->passed, "why", facts->why, "ago_s",
			 facts->result_ago_s, "took_ms", facts->took_ms);
}

static json_t *report_view(const struct health_facts *facts)
{
	const struct report *report = &facts->report;

	if (!facts->asked)
		return json_null();
	return json_pack(
		"{ss,ss?,sf,so,so,so,sb,ss?}", "state", backend_report_names[report->state],
		"reason", *report->reason ? report->reason : NULL, "weight_percent",
		(double)report->weight * 100 / HEALTH_WHOLE, "cpu", figure(report->figures.cpu),
		"memory", figure(report->figures.memory), "custom", figure(report->figures.custom),
		"fresh", facts->report_fresh, "problem", facts->report_problem);
}

json_t *view_backend_health(const struct agent *agent, const struct pool *pool,
			    const struct pool_backend *backend)
{
	uint32_t id = agent_backend_id(pool, backend);
	struct health_facts facts;

	if (id == NO_NUMBER || !health_facts(agent->health, id, &facts))
		return json_null();
	return json_pack(
		"{ss,sf,sb,sf,so,so,so,so,ss?,so,sf,so}", "verdict",
		health_verdict_names[backend->health.verdict], "since_s", facts.verdict_s, "dead",
		backend->dead, "warm_percent", (double)backend->health.ramp * 100 / HEALTH_WHOLE,
		"against", integer(facts.streak), "passes", integer(facts.passes), "failures",
		integer(facts.failures), "discarded", integer(facts.discarded), "via",
		facts.probed ? probe_via_names[facts.path ? PROBE_VIA_PATH : PROBE_VIA_ADDRESS]
			     : NULL,
		"last", result_view(&facts), "hold_s", facts.hold_s, "report", report_view(&facts));
}

json_t *view_health(const struct agent *agent, const struct pool *pool)
{
	const struct health_config *config = pool->service->health;
	struct pool_health health = pool_health(pool);
	json_t *list = json_array();

	for (size_t i = 0; list && i < pool->backend_count; i++) {
		const struct pool_backend *backend = &pool->backends[i];

		json_array_append_new(list, json_pack("{ss,ss,sb,so,so}", "name", backend->name,
						      "state", lifecycle_names[backend->life],
						      "maint", backend->maint, "weight_effective",
						      integer(backend_weight(backend)), "health",
						      view_backend_health(agent, pool, backend)));
	}
	return json_pack("{ss,ss?,so,so,so,sb,so}", "service", pool->service->name, "type",
			 config ? probe_type_names[config->type] : NULL, "up", integer(health.up),
			 "down", integer(health.down), "waiting", integer(health.waiting),
			 "ignored", health.ignored, "backends", list);
}

json_t *view_healths(const struct agent *agent)
{
	const struct state *state = agent->desired->state;
	json_t *list = json_array();

	for (size_t i = 0; list && i < state->pool_count; i++)
		json_array_append_new(list, view_health(agent, state->pools[i]));
	return json_pack("{so}", "health", list);
}

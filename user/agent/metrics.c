// SPDX-License-Identifier: GPL-2.0-only
/* Writes the metrics in Prometheus' text format; what was removed is simply not written. */
#include "agent/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/fragment.h"
#include "agent/health.h"
#include "agent/scaler.h"
#include "model/guard.h"
#include "sluice/verdict.h"

#define INTERFACES_MAX 256u

static const char *const verdict_labels[] = {
#define VERDICT_LABEL(name, label, action, meaning) label,
	SLUICE_VERDICTS(VERDICT_LABEL)
#undef VERDICT_LABEL
};

/* The head of a metric; its name is that which the lines after it begin with. */
static void head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP sluice_%s %s\n# TYPE sluice_%s %s\n", name, help, name, type);
}

/* Names of services and backends, and words of our own, need no escapes. */
__attribute__((format(printf, 3, 4))) static void line(FILE *out, double value, const char *format,
						       ...)
{
	va_list arguments;

	fputs("sluice_", out);
	va_start(arguments, format);
	vfprintf(out, format, arguments);
	va_end(arguments);
	fprintf(out, " %.15g\n", value);
}

/* An interface may have any name without space and slash. */
static void label_escape(char text[2 * IF_NAMESIZE], const char *name)
{
	for (; *name; name++) {
		if (*name == '"' || *name == '\\')
			*text++ = '\\';
		*text++ = *name;
	}
	*text = '\0';
}

static void write_agent(FILE *out, const struct agent *agent)
{
	struct dataplane_interface interfaces[INTERFACES_MAX];
	size_t count = dataplane_interfaces(agent->dataplane, interfaces, INTERFACES_MAX);

	head(out, "build_info", "gauge", "The version, as a label.");
	line(out, 1, "build_info{version=\"%s\"}", SLUICE_VERSION);
	head(out, "uptime_seconds", "gauge", "Time since the agent started.");
	line(out, (double)(clock_monotonic_ms() - agent->started_ms) / 1000, "uptime_seconds");
	head(out, "interface_attached", "gauge",
	     "1 for an interface that packets are taken from, 0 if it has gone.");
	for (size_t i = 0; i < count && i < INTERFACES_MAX; i++) {
		char name[2 * IF_NAMESIZE];

		label_escape(name, interfaces[i].name);
		line(out, interfaces[i].ifindex != 0,
		     "interface_attached{interface=\"%s\",mode=\"%s\"}", name,
		     attach_mode_names[interfaces[i].mode]);
	}
}

static void write_verdicts(FILE *out, const struct agent *agent)
{
	struct verdict_counter counters[VERDICT_COUNT];

	for (enum verdict i = 0; i < VERDICT_COUNT; i++)
		dataplane_verdict_counter(agent->dataplane, i, &counters[i]);
	head(out, "verdict_packets_total", "counter", "Packets by what was decided for them.");
	for (enum verdict i = 0; i < VERDICT_COUNT; i++)
		line(out, (double)counters[i].packets, "verdict_packets_total{verdict=\"%s\"}",
		     verdict_labels[i]);
	head(out, "verdict_bytes_total", "counter", "Bytes by the IP header's length, likewise.");
	for (enum verdict i = 0; i < VERDICT_COUNT; i++)
		line(out, (double)counters[i].bytes, "verdict_bytes_total{verdict=\"%s\"}",
		     verdict_labels[i]);
}

static void write_flow_table(FILE *out, const struct agent *agent)
{
	const struct meta *meta = dataplane_meta(agent->dataplane);
	struct flow_counter counter;

	dataplane_flow_counter(agent->dataplane, &counter);
	head(out, "flow_table_entries", "gauge", "Live entries at the last sweep.");
	line(out, (double)sweeper_total(agent->sweeper), "flow_table_entries");
	head(out, "flow_table_capacity", "gauge", "Entries that the flow table has room for.");
	line(out, (double)meta->flow_buckets * SLUICE_FLOWS_PER_BUCKET, "flow_table_capacity");
	head(out, "flow_table_inserts_total", "counter", "Entries made.");
	line(out, (double)counter.inserts, "flow_table_inserts_total");
	head(out, "flow_table_evictions_total", "counter",
	     "Entries that gave way to another, by their state.");
	line(out, (double)counter.evicted_closing, "flow_table_evictions_total{state=\"closing\"}");
	line(out, (double)counter.evicted_probation,
	     "flow_table_evictions_total{state=\"probation\"}");
	line(out, (double)counter.evicted_proven, "flow_table_evictions_total{state=\"proven\"}");
	head(out, "flow_table_rejects_total", "counter", "Flows that found no room.");
	line(out, (double)counter.rejects, "flow_table_rejects_total");
}

static void write_fragments(FILE *out, const struct agent *agent)
{
	struct fragments_count count;

	fragments_count(agent->fragments, &count);
	head(out, "fragments_held", "gauge",
	     "Fragments that wait for the first one of their datagram.");
	line(out, (double)count.held, "fragments_held");
	head(out, "fragments_released_total", "counter",
	     "Fragments that waited, by why they wait no more.");
	line(out, (double)count.returned, "fragments_released_total{reason=\"first_came\"}");
	line(out, (double)count.expired, "fragments_released_total{reason=\"expired\"}");
	line(out, (double)count.displaced, "fragments_released_total{reason=\"displaced\"}");
}

/* Of the list for all services the label is empty. */
static void write_guard(FILE *out, const struct agent *agent)
{
	const struct guard *guard = agent->desired->guard;

	head(out, "guard_prefixes", "gauge", "Prefixes in a list of the guard, by their answer.");
	for (size_t i = 0; i < guard->scope_count; i++) {
		const struct guard_scope *scope = &guard->scopes[i];
		size_t counts[] = {0, 0, 0};

		for (size_t n = 0; scope->effective && n < scope->effective->count; n++)
			counts[scope->effective->rules[n].answer]++;
		for (int answer = GUARD_DENY; answer <= GUARD_ALLOW; answer++)
			line(out, (double)counts[answer],
			     "guard_prefixes{service=\"%s\",answer=\"%s\"}",
			     scope->service ? scope->service : "", guard_answer_names[answer]);
	}
}

/* ------------------------------------------------------------------ services, backends */

/* Which number of a counter or record a metric shows. */
typedef double (*service_value_fn)(const struct agent *agent, const struct pool *pool);
typedef double (*backend_value_fn)(const struct agent *agent, const struct pool *pool,
				   const struct pool_backend *backend);

static struct counter service_counter(const struct agent *agent, const struct pool *pool)
{
	struct counter counter;

	dataplane_service_counter(agent->dataplane, pool->id, &counter);
	return counter;
}

static double service_packets(const struct agent *agent, const struct pool *pool)
{
	return (double)service_counter(agent, pool).packets;
}

static double service_bytes(const struct agent *agent, const struct pool *pool)
{
	return (double)service_counter(agent, pool).bytes;
}

static double service_new_flows(const struct agent *agent, const struct pool *pool)
{
	return (double)service_counter(agent, pool).new_flows;
}

static double service_unsettled(const struct agent *agent, const struct pool *pool)
{
	struct table_facts facts = {0};

	dataplane_table(agent->dataplane, pool, &facts, NULL);
	return facts.unsettled;
}

static struct counter backend_counter(const struct agent *agent, const struct pool *pool,
				      const struct pool_backend *backend)
{
	struct counter counter;

	dataplane_backend_counter(agent->dataplane, agent_backend_id(pool, backend), &counter);
	return counter;
}

static double backend_packets(const struct agent *agent, const struct pool *pool,
			      const struct pool_backend *backend)
{
	return (double)backend_counter(agent, pool, backend).packets;
}

static double backend_bytes(const struct agent *agent, const struct pool *pool,
			    const struct pool_backend *backend)
{
	return (double)backend_counter(agent, pool, backend).bytes;
}

static double backend_new_flows(const struct agent *agent, const struct pool *pool,
				const struct pool_backend *backend)
{
	return (double)backend_counter(agent, pool, backend).new_flows;
}

static double backend_weight_value(const struct agent *agent, const struct pool *pool,
				   const struct pool_backend *backend)
{
	(void)agent;
	(void)pool;
	return backend_weight(backend);
}

static double backend_reachable(const struct agent *agent, const struct pool *pool,
				const struct pool_backend *backend)
{
	return nexthop_known(agent->nexthops, agent_backend_id(pool, backend));
}

static double backend_live(const struct agent *agent, const struct pool *pool,
			   const struct pool_backend *backend)
{
	return agent_live(agent, pool, backend);
}

static const struct {
	const char *name, *type, *help;
	service_value_fn value;
} service_metrics[] = {
	{"service_packets_total", "counter", "Packets given to backends.", service_packets},
	{"service_bytes_total", "counter", "Bytes given to backends.", service_bytes},
	{"service_new_flows_total", "counter", "Flows given a backend.", service_new_flows},
	{"service_unsettled_slots", "gauge", "Slots with a previous owner.", service_unsettled},
};

static const struct {
	const char *name, *type, *help;
	backend_value_fn value;
} backend_metrics[] = {
	{"backend_packets_total", "counter", "Packets sent to the backend.", backend_packets},
	{"backend_bytes_total", "counter", "Bytes sent to the backend.", backend_bytes},
	{"backend_new_flows_total", "counter", "Flows given to it.", backend_new_flows},
	{"backend_weight", "gauge", "Effective weight.", backend_weight_value},
	{"backend_reachable", "gauge", "1 if its next hop is known.", backend_reachable},
	{"backend_live_flows", "gauge", "Live flows at the last sweep.", backend_live},
};

static void write_services(FILE *out, const struct agent *agent)
{
	const struct state *state = agent->desired->state;

	for (size_t m = 0; m < sizeof(service_metrics) / sizeof(service_metrics[0]); m++) {
		head(out, service_metrics[m].name, service_metrics[m].type,
		     service_metrics[m].help);
		for (size_t i = 0; i < state->pool_count; i++)
			line(out, service_metrics[m].value(agent, state->pools[i]),
			     "%s{service=\"%s\"}", service_metrics[m].name,
			     state->pools[i]->service->name);
	}
}

/* Only of backends that are in the tables: others have no counters. */
static void write_backend_metric(FILE *out, const struct agent *agent, size_t metric)
{
	const struct state *state = agent->desired->state;

	head(out, backend_metrics[metric].name, backend_metrics[metric].type,
	     backend_metrics[metric].help);
	for (size_t i = 0; i < state->pool_count; i++) {
		const struct pool *pool = state->pools[i];

		for (size_t j = 0; j < pool->backend_count; j++) {
			const struct pool_backend *backend = &pool->backends[j];

			if (backend->number != NO_NUMBER)
				line(out, backend_metrics[metric].value(agent, pool, backend),
				     "%s{service=\"%s\",backend=\"%s\"}",
				     backend_metrics[metric].name, pool->service->name,
				     backend->name);
		}
	}
}

static void write_backends(FILE *out, const struct agent *agent)
{
	const struct state *state = agent->desired->state;

	for (size_t m = 0; m < sizeof(backend_metrics) / sizeof(backend_metrics[0]); m++)
		write_backend_metric(out, agent, m);
	head(out, "backends", "gauge", "Backends by state.");
	for (size_t i = 0; i < state->pool_count; i++) {
		const struct pool *pool = state->pools[i];

		for (unsigned int life = 0; lifecycle_names[life]; life++) {
			unsigned int count = 0;

			for (size_t j = 0; j < pool->backend_count; j++)
				count += (unsigned int)pool->backends[j].life == life;
			line(out, count, "backends{service=\"%s\",state=\"%s\"}",
			     pool->service->name, lifecycle_names[life]);
		}
	}
}

/* ------------------------------------------------------------------ health */

static double backend_up(const struct pool_backend *backend, const struct health_facts *facts)
{
	(void)facts;
	return !backend->dead && !backend->maint;
}

static double backend_passes(const struct pool_backend *backend, const struct health_facts *facts)
{
	(void)backend;
	return (double)facts->passes;
}

static double backend_failures(const struct pool_backend *backend, const struct health_facts *facts)
{
	(void)backend;
	return (double)facts->failures;
}

static double backend_took(const struct pool_backend *backend, const struct health_facts *facts)
{
	(void)backend;
	return facts->took_ms / 1000;
}

static const struct {
	const char *name, *type, *help;
	double (*value)(const struct pool_backend *backend, const struct health_facts *facts);
} health_metrics[] = {
	{"backend_up", "gauge", "1 if it takes packets: neither dead nor in maintenance.",
	 backend_up},
	{"probe_passes_total", "counter", "Probes that succeeded.", backend_passes},
	{"probe_failures_total", "counter", "Probes that failed.", backend_failures},
	{"probe_duration_seconds", "gauge", "What the last probe took.", backend_took},
};

static void write_health_metric(FILE *out, const struct agent *agent, size_t metric)
{
	const struct state *state = agent->desired->state;
	struct health_facts facts;

	head(out, health_metrics[metric].name, health_metrics[metric].type,
	     health_metrics[metric].help);
	for (size_t i = 0; i < state->pool_count; i++) {
		const struct pool *pool = state->pools[i];

		for (size_t b = 0; b < pool->backend_count; b++) {
			const struct pool_backend *backend = &pool->backends[b];
			uint32_t id = agent_backend_id(pool, backend);

			if (id != NO_NUMBER && health_facts(agent->health, id, &facts))
				line(out, health_metrics[metric].value(backend, &facts),
				     "%s{service=\"%s\",backend=\"%s\"}",
				     health_metrics[metric].name, pool->service->name,
				     backend->name);
		}
	}
}

static void write_health(FILE *out, const struct agent *agent)
{
	struct health_lateness lateness = health_lateness(agent->health);
	uint64_t probes = 0;

	for (size_t m = 0; m < sizeof(health_metrics) / sizeof(health_metrics[0]); m++)
		write_health_metric(out, agent, m);
	head(out, "probe_lateness_seconds", "histogram", "How late probes began.");
	for (size_t i = 0; i <= HEALTH_LATENESS_BOUNDS; i++) {
		probes += lateness.counts[i];
		if (i < HEALTH_LATENESS_BOUNDS)
			line(out, (double)probes, "probe_lateness_seconds_bucket{le=\"%g\"}",
			     (double)health_lateness_bounds_ms[i] / 1000);
	}
	line(out, (double)probes, "probe_lateness_seconds_bucket{le=\"+Inf\"}");
	line(out, (double)lateness.sum_ms / 1000, "probe_lateness_seconds_sum");
	line(out, (double)probes, "probe_lateness_seconds_count");
}

/* ------------------------------------------------------------------ scaling */

static double scale_value(const struct pool *pool, const struct scaler_facts *facts, size_t metric)
{
	const struct autoscale_config *config = pool->service->autoscale;
	const double values[] = {
		facts->output.demand, facts->output.need, config->min,
		config->max,          config->target,     config->paused,
	};

	return values[metric];
}

static void write_scale(FILE *out, const struct agent *agent)
{
	static const char *const names[] = {"scale_demand", "scale_need",   "scale_min",
					    "scale_max",    "scale_target", "scale_paused"};
	static const char *const helps[] = {
		"The signal's rate of the whole service.",
		"Backends needed for it.",
		"Lower limit of the pool.",
		"Upper limit of the pool.",
		"The signal's rate meant for a backend.",
		"1 if no decisions are taken.",
	};
	const struct state *state = agent->desired->state;

	for (size_t m = 0; m < sizeof(names) / sizeof(names[0]); m++) {
		head(out, names[m], "gauge", helps[m]);
		for (size_t i = 0; i < state->pool_count; i++) {
			const char *service = state->pools[i]->service->name;
			const struct scaler_facts *facts = scaler_facts(agent->scaler, service);

			if (facts && state->pools[i]->service->autoscale)
				line(out, scale_value(state->pools[i], facts, m),
				     "%s{service=\"%s\"}", names[m], service);
		}
	}
}

static void write_actions(FILE *out, const char *service, const struct scaler_facts *facts)
{
	for (int i = 0; i < SCALER_ACTIONS; i++)
		line(out, (double)facts->actions[i],
		     "scale_actions_total{service=\"%s\",action=\"%s\"}", service,
		     scaler_action_names[i]);
}

static void write_calls(FILE *out, const char *service, const struct scaler_facts *facts)
{
	for (int verb = 0; verb < SCALER_VERBS; verb++) {
		for (int result = 0; result < PROVISIONER_OUTCOMES; result++)
			line(out, (double)facts->calls[verb][result],
			     "provisioner_calls_total{service=\"%s\",verb=\"%s\",result=\"%s\"}",
			     service, scaler_verb_names[verb], provisioner_outcome_names[result]);
	}
}

static void write_scaler(FILE *out, const struct agent *agent, const char *name, const char *help,
			 void (*write)(FILE *out, const char *service,
				       const struct scaler_facts *facts))
{
	const struct state *state = agent->desired->state;

	head(out, name, "counter", help);
	for (size_t i = 0; i < state->pool_count; i++) {
		const char *service = state->pools[i]->service->name;
		const struct scaler_facts *facts = scaler_facts(agent->scaler, service);

		if (facts)
			write(out, service, facts);
	}
}

static char *metrics_text(const struct agent *agent, size_t *ret_length)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_length);

	if (!out)
		return NULL;
	write_agent(out, agent);
	write_verdicts(out, agent);
	write_services(out, agent);
	write_backends(out, agent);
	write_health(out, agent);
	write_flow_table(out, agent);
	write_fragments(out, agent);
	write_guard(out, agent);
	write_scale(out, agent);
	write_scaler(out, agent, "scale_actions_total", "What the autoscaler did.", write_actions);
	write_scaler(out, agent, "provisioner_calls_total", "Calls of provisioners by result.",
		     write_calls);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

static void text_answer(struct http_response *response, int status, const char *text)
{
	response->status = status;
	response->type = "text/plain; charset=utf-8";
	response->body = strdup(text);
	response->length = response->body ? strlen(text) : 0;
}

void metrics_handle(void *context, const struct http_request *request,
		    struct http_response *response)
{
	bool metrics = !strcmp(request->path, "/metrics");

	if (!metrics && strcmp(request->path, "/healthz")) {
		text_answer(response, 404, "not here: /metrics and /healthz are\n");
	} else if (strcmp(request->method, "GET") && strcmp(request->method, "HEAD")) {
		text_answer(response, 405, "only GET\n");
		response->allow = "GET, HEAD";
	} else if (!metrics) {
		text_answer(response, 200, "ok\n");
	} else {
		response->type = "text/plain; version=0.0.4; charset=utf-8";
		response->body = metrics_text(context, &response->length);
		if (!response->body)
			text_answer(response, 500, "out of memory\n");
	}
}

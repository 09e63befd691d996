// SPDX-License-Identifier: GPL-2.0-only
/* The verb "scale simulate": policies against a trace of load. No agent is asked. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/input.h"
#include "cli/output.h"
#include "cli/scale_plot.h"
#include "cli/scale_simulate.h"
#include "model/simulate.h"

#define FILE_SIZE_MAX (64u << 20)

/* What is simulated without --config: a pool of any size, all else as by default. */
static const char config_default[] =
	"services: [{name: web, vip: 192.0.2.1, protocol: tcp, port: 80, backends_max: 2000,"
	" autoscale: {provisioner: /bin/true, signal: new_flows, target: 75, min: 2, max: 1000,"
	" step_down: 10, creating_max: 1000}}]\n";

struct setting {
	struct config *config;
	struct trace trace;
	struct simulation simulation;
	struct plot plot;
	json_t *runs;
};

/* ------------------------------------------------------------------ what is simulated */

static int config_load(struct call *call, struct config **ret_config, struct error *error)
{
	const char *path = call_text(call, "--config");
	size_t length = sizeof(config_default) - 1;
	char *text = NULL;
	int code = 0;

	if (path)
		code = input_read(path, FILE_SIZE_MAX, &text, &length, error);
	if (!code)
		code = config_parse(path ? text : config_default, length, path ? path : "default",
				    ret_config, error);
	free(text);
	return code == -EINVAL ? -EBADMSG : code;
}

static const struct autoscale_config *scale_find(struct call *call, const struct config *config,
						 struct error *error)
{
	const char *name = call_text(call, "--service");

	for (size_t i = 0; i < config->service_count; i++) {
		const struct service_config *service = &config->services[i];

		if (service->autoscale && (!name || !strcmp(name, service->name)))
			return service->autoscale;
	}
	error_set(error, -ENOENT,
		  "%s: the config has no service of this name that scales; give one an 'autoscale' "
		  "section",
		  name ? name : "simulate");
	return NULL;
}

static int trace_load(struct call *call, struct trace *ret_trace, struct error *error)
{
	const char *name = call_text(call, "--trace");
	size_t length;
	char *text;
	int code = trace_named(name, ret_trace);

	if (code != -ENOENT)
		return code ? error_set(error, code, "%s: out of memory", name) : 0;
	code = input_read(name, FILE_SIZE_MAX, &text, &length, error);
	if (code)
		return code;
	code = trace_read(text, name, ret_trace, error);
	free(text);
	return code == -EINVAL ? -EBADMSG : code;
}

static void simulation_set(struct call *call, struct simulation *simulation)
{
	const struct value *boot = call_value(call, "--boot"), *warmup;

	warmup = call_value(call, "--warmup");
	if (boot->text)
		simulation->boot_s = (double)boot->number / 1000;
	if (warmup->text)
		simulation->warmup_s = (double)warmup->number / 1000;
	if (call_text(call, "--seed"))
		simulation->seed = call_value(call, "--seed")->number;
	if (call_text(call, "--capacity"))
		simulation->capacity = call_value(call, "--capacity")->real;
}

static int setting_open(struct call *call, struct setting *setting, struct error *error)
{
	const struct autoscale_config *scale;
	int code = config_load(call, &setting->config, error);

	if (code)
		return code;
	scale = scale_find(call, setting->config, error);
	if (!scale)
		return -ENOENT;
	code = trace_load(call, &setting->trace, error);
	if (code)
		return code;
	setting->simulation = simulation_defaults(&setting->trace, scale);
	simulation_set(call, &setting->simulation);
	setting->runs = json_array();
	return setting->runs ? 0 : error_set(error, -ENOMEM, "simulate: out of memory");
}

static void setting_close(struct setting *setting)
{
	json_decref(setting->runs);
	plot_clear(&setting->plot);
	trace_clear(&setting->trace);
	config_free(setting->config);
}

/* ------------------------------------------------------------------ runs */

static void watch(void *context, const struct simulation_second *second)
{
	struct setting *setting = context;
	const struct plot_point point = {
		.time_s = second->time_s,
		.load = second->rate,
		.capacity = second->capacity,
		.need = second->need,
		.pool = second->active + second->booting,
		.violated = second->violated,
	};

	plot_add(&setting->plot, &point);
}

static double percent(double part, double whole)
{
	return whole > 0 ? 100 * part / whole : 0;
}

static void run_add(struct setting *setting, const struct simulation *run,
		    const struct simulation_result *result)
{
	json_array_append_new(
		setting->runs,
		json_pack("{ss,sb,sf,sf,sf,sI,sI,sf,sf,sf,sf,sI}", "policy",
			  policy_names[run->policy], "slow_start", run->slow_start, "target",
			  run->target > 0 ? run->target : run->scale->target, "violation_s",
			  result->violation_s, "backend_h", result->backend_h, "actions",
			  (json_int_t)result->actions, "flips", (json_int_t)result->flips,
			  "broken_percent", percent(result->broken, result->requests),
			  "refused_percent", percent(result->refused, result->requests), "react_s",
			  result->react_s, "react_max_s", result->react_max_s, "most",
			  (json_int_t)result->most));
}

static int run_one(struct setting *setting, enum policy policy, struct simulation_result *result,
		   struct error *error)
{
	struct simulation run = setting->simulation;

	run.policy = policy;
	if (simulate(&run, result))
		return error_set(error, -ENOMEM, "simulate: out of memory");
	run_add(setting, &run, result);
	return 0;
}

/* One of the others: at the same target, and where it is cheaper at the one that costs as much. */
static int run_other(struct setting *setting, enum policy policy, bool slow_start, double ours_h,
		     struct error *error)
{
	struct simulation run = setting->simulation;
	struct simulation_result result;
	int code;

	setting->simulation.slow_start = slow_start;
	code = run_one(setting, policy, &result, error);
	setting->simulation.slow_start = true;
	if (code || result.backend_h * SIMULATE_COST_ROOM >= ours_h)
		return code;
	run.policy = policy;
	run.slow_start = slow_start;
	if (simulate_beside(&run, ours_h, &result))
		return error_set(error, -ENOMEM, "simulate: out of memory");
	run_add(setting, &run, &result);
	return 0;
}

static int run_all(struct setting *setting, struct error *error)
{
	struct simulation_result ours, result;
	int code = run_one(setting, POLICY_SLUICE, &ours, error);

	for (int policy = POLICY_HPA; !code && policy <= POLICY_AWS; policy++) {
		for (int slow = 0; !code && slow < 2; slow++)
			code = run_other(setting, (enum policy)policy, slow, ours.backend_h, error);
	}
	return code ? code : run_one(setting, POLICY_BOUND, &result, error);
}

static int run_named(struct call *call, struct setting *setting, struct error *error)
{
	const char *name = call_text(call, "--policy");
	struct simulation_result result;
	int policy = POLICY_SLUICE;

	while (name && policy < POLICIES && strcmp(policy_names[policy], name) != 0)
		policy++;
	if (policy == POLICIES)
		return run_all(setting, error);
	if (call_text(call, "--plot")) {
		setting->simulation.watch = watch;
		setting->simulation.context = setting;
		setting->plot.length_s = setting->trace.length_s;
		setting->plot.title = policy_names[policy];
	}
	setting->simulation.slow_start = !call_text(call, "--no-slow-start");
	if (call_text(call, "--target"))
		setting->simulation.target = call_value(call, "--target")->real;
	return run_one(setting, (enum policy)policy, &result, error);
}

/* ------------------------------------------------------------------ what is said */

static void number_add(struct grid *grid, const char *format, double number)
{
	char text[64];

	/* The formats are those of this file. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof(text), format, number);
#pragma GCC diagnostic pop
	grid_add(grid, text);
}

static int runs_print(const struct call *call, const json_t *runs, struct error *error)
{
	struct grid grid = {
		.titles = {"POLICY", "SLOW START", ">TARGET", ">VIOLATION", ">BACKEND-HOURS",
			   ">ACTIONS", ">FLIPS", ">BROKEN", ">REFUSED", ">REACTS", ">AT MOST",
			   ">BACKENDS"},
	};
	const json_t *run;
	size_t i;

	json_array_foreach(runs, i, run)
	{
		grid_add(&grid, field_text(run, "policy"));
		grid_add(&grid, json_is_true(json_object_get(run, "slow_start")) ? "yes" : "no");
		number_add(&grid, "%.1f", field_number(run, "target"));
		number_add(&grid, "%.0f s", field_number(run, "violation_s"));
		number_add(&grid, "%.2f", field_number(run, "backend_h"));
		number_add(&grid, "%.0f", field_number(run, "actions"));
		number_add(&grid, "%.0f", field_number(run, "flips"));
		number_add(&grid, "%.5f%%", field_number(run, "broken_percent"));
		number_add(&grid, "%.3f%%", field_number(run, "refused_percent"));
		number_add(&grid, "%.1f s", field_number(run, "react_s"));
		number_add(&grid, "%.0f s", field_number(run, "react_max_s"));
		number_add(&grid, "%.0f", field_number(run, "most"));
	}
	return grid_print(&grid, call->colour, error);
}

int scale_simulate_run(struct call *call, struct error *error)
{
	const char *plot = call_text(call, "--plot");
	struct setting setting = {0};
	int code;

	if (plot && call_text(call, "--policy") && !strcmp(call_text(call, "--policy"), "all"))
		return error_set(error, -EINVAL,
				 "--plot: shows one policy, and --policy is all; choose one");
	code = setting_open(call, &setting, error);
	if (!code)
		code = run_named(call, &setting, error);
	if (!code && plot)
		code = plot_write(&setting.plot, plot, error);
	if (!code && call->json)
		code = print_json(setting.runs, error);
	else if (!code)
		code = runs_print(call, setting.runs, error);
	setting_close(&setting);
	return code;
}

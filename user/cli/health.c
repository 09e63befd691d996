// SPDX-License-Identifier: GPL-2.0-only
/* The verb "health": how the probes of backends went, and what backends say of themselves. */
#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/number.h"
#include "cli/output.h"

/* "up 5m0s", "down 3s, held for 4s", "maint" */
static void verdict_add(struct grid *grid, const json_t *backend)
{
	const json_t *health = json_object_get(backend, "health");
	char since[NUMBER_TEXT_MAX], hold[NUMBER_TEXT_MAX], text[4 * NUMBER_TEXT_MAX];
	double hold_s = field_number(health, "hold_s");

	if (json_is_true(json_object_get(backend, "maint")))
		snprintf(text, sizeof(text), "maint");
	else if (!json_is_object(health))
		snprintf(text, sizeof(text), "-");
	else if (hold_s > 0)
		snprintf(text, sizeof(text), "%s %s, held for %s", field_text(health, "verdict"),
			 duration_format(field_number(health, "since_s"), since),
			 duration_format(hold_s, hold));
	else
		snprintf(text, sizeof(text), "%s %s", field_text(health, "verdict"),
			 duration_format(field_number(health, "since_s"), since));
	grid_add(grid, text);
}

/* "connected, 0.4 ms, 1s ago" */
static void last_add(struct grid *grid, const json_t *health)
{
	const json_t *last = json_object_get(health, "last");
	char ago[NUMBER_TEXT_MAX], text[256];

	if (!json_is_object(last)) {
		grid_add(grid, "");
		return;
	}
	snprintf(text, sizeof(text), "%s, %.0f ms, %s ago", field_text(last, "why"),
		 field_number(last, "took_ms"), duration_format(field_number(last, "ago_s"), ago));
	grid_add(grid, text);
}

static void figure_append(char *text, size_t size, const json_t *report, const char *name)
{
	const json_t *value = json_object_get(report, name);
	size_t length = strlen(text);

	if (json_is_number(value))
		snprintf(text + length, size - length, ", %s %g", name, json_number_value(value));
}

/* "drain: deploying, weight 50%, cpu 93", with "(stale)" */
static void report_add(struct grid *grid, const json_t *health)
{
	const json_t *report = json_object_get(health, "report");
	const char *reason = json_string_value(json_object_get(report, "reason"));
	const char *problem = json_string_value(json_object_get(report, "problem"));
	char text[512] = "";

	if (!json_is_object(report)) {
		grid_add(grid, "");
		return;
	}
	snprintf(text, sizeof(text), "%s%s%s, weight %g%%", field_text(report, "state"),
		 reason ? ": " : "", reason ? reason : "", field_number(report, "weight_percent"));
	figure_append(text, sizeof(text), report, "cpu");
	figure_append(text, sizeof(text), report, "memory");
	figure_append(text, sizeof(text), report, "custom");
	if (!json_is_true(json_object_get(report, "fresh")))
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " (stale%s%s)",
			 problem ? ": " : "", problem ? problem : "");
	grid_add(grid, text);
}

static int service_print(const struct call *call, const json_t *service, struct error *error)
{
	struct grid grid = {.titles = {"BACKEND", "HEALTH", "STATE", ">WEIGHT", ">PASSED",
				       ">FAILED", "VIA", "LAST PROBE", "REPORT"}};
	const char *type = json_string_value(json_object_get(service, "type"));
	const json_t *backend;
	size_t i;

	printf("%s: %s, %.0f up, %.0f down, %.0f waiting%s\n", field_text(service, "service"),
	       type ? type : "no probes", field_number(service, "up"),
	       field_number(service, "down"), field_number(service, "waiting"),
	       json_is_true(json_object_get(service, "ignored"))
		       ? "; too few are up: those that are down take flows, too"
		       : "");
	json_array_foreach(field_array(service, "backends"), i, backend)
	{
		const json_t *health = json_object_get(backend, "health");

		grid_add(&grid, field_text(backend, "name"));
		verdict_add(&grid, backend);
		grid_add(&grid, field_text(backend, "state"));
		grid_add_count(&grid, json_object_get(backend, "weight_effective"));
		grid_add_count(&grid, json_object_get(health, "passes"));
		grid_add_count(&grid, json_object_get(health, "failures"));
		grid_add(&grid, json_is_string(json_object_get(health, "via"))
					? field_text(health, "via")
					: "");
		last_add(&grid, health);
		report_add(&grid, health);
	}
	return grid_print(&grid, call->colour, error);
}

static int health_run(struct call *call, struct error *error)
{
	const char *name = call_text(call, "SERVICE");
	json_t *answer = NULL;
	const json_t *service;
	size_t i;
	int code = name ? client_get(call, &answer, error, "/v1/health/%s", name)
			: client_get(call, &answer, error, "/v1/health");

	if (code)
		return code;
	if (call->json) {
		code = print_json(answer, error);
	} else if (name) {
		code = service_print(call, answer, error);
	} else {
		json_array_foreach(field_array(answer, "health"), i, service)
		{
			if (i)
				printf("\n");
			code = service_print(call, service, error);
			if (code)
				break;
		}
	}
	json_decref(answer);
	return code;
}

const struct verb health_verbs[] = {
	{
		.name = "health",
		.summary = "show how the backends' probes went, and what they say of themselves",
		.example = "sluice health web",
		.parameters = {{.name = "SERVICE",
				.help = "name of the service (default: all)",
				.kind = PARAMETER_NAME}},
		.run = health_run,
	},
	{0},
};

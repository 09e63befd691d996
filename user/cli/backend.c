// SPDX-License-Identifier: GPL-2.0-only
/* The verbs "backend ...": list, add, remove, drain, weigh. */
#include "cli/backend.h"

#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/number.h"
#include "cli/output.h"
#include "model/config.h"

/* "100", or "20 (100)": what a person set, and what is configured. */
static void weight_add(struct grid *grid, const json_t *backend)
{
	const json_t *runtime = json_object_get(backend, "weight_runtime");
	char text[NUMBER_TEXT_MAX * 2];

	if (json_is_number(runtime))
		snprintf(text, sizeof(text), "%.0f (%.0f)", json_number_value(runtime),
			 field_number(backend, "weight"));
	else
		snprintf(text, sizeof(text), "%.0f", field_number(backend, "weight"));
	grid_add(grid, text);
}

/* ", 1 straggler, idle 12s", ", 3 stragglers, idle 2s to 5m0s" */
static void stragglers_append(char *text, size_t size, const json_t *drain)
{
	const json_t *stragglers = json_object_get(drain, "stragglers");
	char least[NUMBER_TEXT_MAX], most[NUMBER_TEXT_MAX];
	double flows = field_number(stragglers, "flows");
	size_t length = strlen(text);

	if (!json_is_object(stragglers))
		return;
	duration_format(field_number(stragglers, "idle_min_s"), least);
	duration_format(field_number(stragglers, "idle_max_s"), most);
	if (strcmp(least, most) != 0)
		snprintf(text + length, size - length, ", %.0f stragglers, idle %s to %s", flows,
			 least, most);
	else
		snprintf(text + length, size - length, ", %.0f straggler%s, idle %s", flows,
			 flows > 1 ? "s" : "", most);
}

/* "12s left, done in about 4s" */
static void drain_add(struct grid *grid, const json_t *backend)
{
	const json_t *drain = json_object_get(backend, "drain");
	const json_t *deadline = json_object_get(drain, "deadline_in_s");
	const json_t *eta = json_object_get(drain, "eta_s");
	char left[NUMBER_TEXT_MAX], done[NUMBER_TEXT_MAX], text[8 * NUMBER_TEXT_MAX];

	if (!json_is_object(drain)) {
		grid_add(grid, "");
		return;
	}
	if (json_is_number(deadline))
		snprintf(text, sizeof(text), "%s left",
			 duration_format(json_number_value(deadline), left));
	else
		snprintf(text, sizeof(text), "no deadline");
	if (json_is_number(eta))
		snprintf(text + strlen(text), sizeof(text) - strlen(text), ", done in about %s",
			 duration_format(json_number_value(eta), done));
	stragglers_append(text, sizeof(text), drain);
	grid_add(grid, text);
}

static const char *note_of(const json_t *backend)
{
	const char *note = json_string_value(json_object_get(backend, "note"));

	if (note && *note)
		return note;
	return json_is_false(json_object_get(backend, "reachable")) ? "next hop is not known" : "";
}

int backends_print(const struct call *call, const json_t *backends, struct error *error)
{
	struct grid grid = {
		.titles = {"NAME", "ADDRESS", ">PORT", ">WEIGHT", "STATE", ">SHARE", ">LIVE FLOWS",
			   ">NEW FLOWS", ">PACKETS", ">BYTES", "ORIGIN", "DRAIN", "NOTE"},
	};
	const json_t *backend;
	char text[NUMBER_TEXT_MAX];
	size_t i;

	json_array_foreach(backends, i, backend)
	{
		const json_t *port = json_object_get(backend, "port");

		grid_add(&grid, field_text(backend, "name"));
		grid_add(&grid, field_text(backend, "address"));
		snprintf(text, sizeof(text), "%.0f", json_number_value(port));
		grid_add(&grid, json_number_value(port) > 0 ? text : "");
		weight_add(&grid, backend);
		grid_add(&grid, field_text(backend, "state"));
		snprintf(text, sizeof(text), "%.1f%%", 100 * field_number(backend, "share"));
		grid_add(&grid, text);
		grid_add_count(&grid, json_object_get(backend, "live_flows"));
		grid_add_count(&grid, json_object_get(backend, "new_flows"));
		grid_add_count(&grid, json_object_get(backend, "packets"));
		grid_add_bytes(&grid, json_object_get(backend, "bytes"));
		grid_add(&grid, field_text(backend, "origin"));
		drain_add(&grid, backend);
		grid_add(&grid, note_of(backend));
	}
	return grid_print(&grid, call->colour, error);
}

static int list_run(struct call *call, struct error *error)
{
	json_t *answer = NULL;
	int code = client_get(call, &answer, error, "/v1/services/%s/backends",
			      call_text(call, "SERVICE"));

	if (code)
		return code;
	if (call->json)
		code = print_json(answer, error);
	else
		code = backends_print(call, field_array(answer, "backends"), error);
	json_decref(answer);
	return code;
}

/* Ask for a change of one backend; say what was done, or print the backend as it is then. */
static int backend_change(struct call *call, const char *method, const char *suffix, json_t *body,
			  const char *done, struct error *error)
{
	const char *service = call_text(call, "SERVICE"), *name = call_text(call, "BACKEND");
	json_t *answer = NULL;
	char left[NUMBER_TEXT_MAX];
	const json_t *deadline;
	int code = client_change(call, method, body, &answer, error,
				 "/v1/services/%s/backends/%s%s", service, name, suffix);

	if (code)
		return code;
	deadline = json_object_get(json_object_get(answer, "drain"), "deadline_in_s");
	if (call->json)
		code = print_json(answer, error);
	else if (json_is_number(deadline))
		talk("%s of %s: %s; it has %.0f live flows and %s", name, service, done,
		     field_number(answer, "live_flows"),
		     duration_format(json_number_value(deadline), left));
	else
		talk("%s of %s: %s", name, service, done);
	json_decref(answer);
	return code;
}

static int add_run(struct call *call, struct error *error)
{
	const char *service = call_text(call, "SERVICE");
	json_t *answer = NULL;
	int code = client_change(call, "POST", call_body(call), &answer, error,
				 "/v1/services/%s/backends", service);

	if (code)
		return code;
	if (call->json)
		code = print_json(answer, error);
	else
		talk("%s of %s: added", call_text(call, "BACKEND"), service);
	json_decref(answer);
	return code;
}

static int remove_run(struct call *call, struct error *error)
{
	return backend_change(call, "DELETE", "", NULL, "removed", error);
}

static int drain_run(struct call *call, struct error *error)
{
	const struct value *deadline = call_value(call, "--deadline");
	json_t *body = json_object();

	if (deadline->text)
		json_object_set_new(body, "deadline_s",
				    deadline->number % 1000
					    ? json_real((double)deadline->number / 1000)
					    : json_integer((json_int_t)(deadline->number / 1000)));
	return backend_change(call, "POST", "/drain", body, "draining, no new flows", error);
}

static int undrain_run(struct call *call, struct error *error)
{
	return backend_change(call, "POST", "/undrain", json_object(), "takes new flows again",
			      error);
}

static int maint_run(struct call *call, struct error *error)
{
	return backend_change(call, "POST", "/maint", json_object(), "in maintenance, no packets",
			      error);
}

static int ready_run(struct call *call, struct error *error)
{
	return backend_change(call, "POST", "/ready", json_object(), "out of maintenance", error);
}

static int weight_run(struct call *call, struct error *error)
{
	char done[64];

	snprintf(done, sizeof(done), "weight is now %s", call_text(call, "WEIGHT"));
	return backend_change(call, "PUT", "/weight", call_body(call), done, error);
}

const struct verb backend_verbs[] = {
	{
		.name = "backend ls",
		.summary = "list a service's backends with their share and traffic",
		.example = "sluice backend ls web",
		.parameters = {PARAMETER_SERVICE},
		.run = list_run,
	},
	{
		.name = "backend add",
		.summary = "add a backend to a service",
		.example = "sluice backend add web web-3 192.0.2.13 --weight 50",
		.parameters =
			{
				PARAMETER_SERVICE,
				{.name = "BACKEND",
				 .help = "name of the new backend",
				 .key = "name",
				 .kind = PARAMETER_NAME,
				 .required = true},
				{.name = "ADDRESS",
				 .help = "its IP address",
				 .key = "address",
				 .kind = PARAMETER_ADDRESS,
				 .required = true},
				{.name = "--port",
				 .letter = 'p',
				 .value = "PORT",
				 .key = "port",
				 .kind = PARAMETER_PORT,
				 .help = "where it listens (default: the service's)"},
				{.name = "--weight",
				 .letter = 'w',
				 .value = "N",
				 .key = "weight",
				 .kind = PARAMETER_NUMBER,
				 .maximum = SLUICE_WEIGHT_MAX,
				 .help = "its share of new flows (default 100; 0 = none)"},
			},
		.run = add_run,
	},
	{
		.name = "backend rm",
		.summary = "remove a backend at once; its flows break (see backend drain)",
		.example = "sluice backend rm web web-3",
		.parameters = {PARAMETER_SERVICE, PARAMETER_BACKEND},
		.run = remove_run,
	},
	{
		.name = "backend drain",
		.summary = "give a backend no new flows; its flows go on until they end",
		.example = "sluice backend drain web web-2 --deadline 30s",
		.parameters =
			{
				PARAMETER_SERVICE,
				PARAMETER_BACKEND,
				{.name = "--deadline",
				 .letter = 'd',
				 .value = "TIME",
				 .kind = PARAMETER_DURATION,
				 .help = "e.g. 30s, 5m (default: drain_ms of the service)"},
			},
		.run = drain_run,
	},
	{
		.name = "backend undrain",
		.summary = "take a drain back",
		.example = "sluice backend undrain web web-2",
		.parameters = {PARAMETER_SERVICE, PARAMETER_BACKEND},
		.run = undrain_run,
	},
	{
		.name = "backend maint",
		.summary = "take a backend out at once, whatever its health; its flows move",
		.example = "sluice backend maint web web-2",
		.parameters = {PARAMETER_SERVICE, PARAMETER_BACKEND},
		.run = maint_run,
	},
	{
		.name = "backend ready",
		.summary = "end a backend's maintenance: its health decides again",
		.example = "sluice backend ready web web-2",
		.parameters = {PARAMETER_SERVICE, PARAMETER_BACKEND},
		.run = ready_run,
	},
	{
		.name = "backend weight",
		.summary = "set a backend's share of new flows",
		.example = "sluice backend weight web web-2 50",
		.parameters =
			{
				PARAMETER_SERVICE,
				PARAMETER_BACKEND,
				{.name = "WEIGHT",
				 .help = "0 to 1000; 0 = no new flows",
				 .key = "weight",
				 .kind = PARAMETER_NUMBER,
				 .maximum = SLUICE_WEIGHT_MAX,
				 .required = true},
			},
		.run = weight_run,
	},
	{0},
};

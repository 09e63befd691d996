// SPDX-License-Identifier: GPL-2.0-only
/* The verb "scale show": all services that scale as a table, or one decision with its reasons. */
#include "cli/scale_show.h"

#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/number.h"
#include "cli/output.h"

/* ------------------------------------------------------------------ all services */

static void limits_add(struct grid *grid, const json_t *scale)
{
	char text[NUMBER_TEXT_MAX * 2];

	snprintf(text, sizeof(text), "%.0f-%.0f", field_number(scale, "min"),
		 field_number(scale, "max"));
	grid_add(grid, text);
}

static void pool_add(struct grid *grid, const json_t *scale)
{
	static const char *const states[] = {"provisioning", "draining", "deleting", "failed"};

	grid_add_count(grid, json_object_get(scale, "active"));
	for (size_t i = 0; i < 4; i++)
		grid_add_count(grid, field_number(scale, states[i]) > 0
					     ? json_object_get(scale, states[i])
					     : NULL);
}

/* What the number is of, behind it: rates are of a second, parts in percent. */
static const char *unit_of(const char *signal)
{
	static const struct {
		const char *signal, *unit;
	} units[] = {{"packets", "/s"},
		     {"new_flows", "/s"},
		     {"bytes", "/s"},
		     {"cpu", "%"},
		     {"memory", "%"}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(units[i].signal, signal) == 0)
			return units[i].unit;
	return "";
}

/* "12.3/s", "70%" */
static void amount_add(struct grid *grid, const char *signal, double amount)
{
	char text[NUMBER_TEXT_MAX + 8], number[NUMBER_TEXT_MAX];

	snprintf(text, sizeof(text), "%s%s", count_format(amount, number), unit_of(signal));
	grid_add(grid, text);
}

static const char *state_of(const json_t *scale)
{
	if (json_is_true(json_object_get(scale, "paused")))
		return "paused";
	return field_text(scale, "why");
}

static int scales_print(const struct call *call, const json_t *scales, struct error *error)
{
	struct grid grid = {
		.titles = {"SERVICE", "SIGNAL", ">DEMAND", ">TARGET", ">NEED", ">LIMITS", ">ACTIVE",
			   ">PROVISIONING", ">DRAINING", ">DELETING", ">FAILED", "STATE",
			   "LAST DECISION"},
	};
	const json_t *scale;
	size_t i;

	json_array_foreach(scales, i, scale)
	{
		const char *signal = field_text(scale, "signal");

		grid_add(&grid, field_text(scale, "service"));
		grid_add(&grid, signal);
		amount_add(&grid, signal, field_number(scale, "demand"));
		amount_add(&grid, signal, field_number(scale, "target"));
		grid_add_count(&grid, json_object_get(scale, "need"));
		limits_add(&grid, scale);
		pool_add(&grid, scale);
		grid_add(&grid, state_of(scale));
		grid_add(&grid, field_text(scale, "text"));
	}
	return grid_print(&grid, call->colour, error);
}

/* ------------------------------------------------------------------ one service */

static void line(const char *name, const char *text)
{
	printf("%-12s %s\n", name, text);
}

/* "1 active, 2 provisioning; need 4 by schedule, 1 to 8 are allowed" */
static void pool_print(const json_t *scale)
{
	static const char *const states[] = {"warming",  "provisioning", "draining",
					     "deleting", "failed",       "standby"};

	printf("%-12s %.0f active", "pool", field_number(scale, "active"));
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (field_number(scale, states[i]) > 0)
			printf(", %.0f %s", field_number(scale, states[i]), states[i]);
	printf("; need %.0f by %s, %.0f to %.0f are allowed\n", field_number(scale, "need"),
	       field_text(scale, "reason"), field_number(scale, "min"), field_number(scale, "max"));
}

/* "2,500", "unknown", "180% (3 of 4 report)" */
static void value_add(struct grid *grid, const json_t *signal)
{
	const json_t *value = json_object_get(signal, "value");
	const json_t *reported = json_object_get(signal, "reported");
	char text[4 * NUMBER_TEXT_MAX] = "unknown", number[NUMBER_TEXT_MAX];
	double known = field_number(reported, "known"), asked = field_number(reported, "asked");

	if (json_is_number(value))
		snprintf(text, sizeof(text), "%s%s", count_format(json_number_value(value), number),
			 unit_of(field_text(signal, "signal")));
	if (known < asked)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " (%.0f of %.0f report)",
			 known, asked);
	grid_add(grid, text);
}

static int signals_print(const struct call *call, const json_t *scale, struct error *error)
{
	struct grid grid = {.titles = {"SIGNAL", ">VALUE", ">ESTIMATE", ">MEAN OF", ">FORECAST",
				       ">TARGET EACH", ">NEED", "DECIDES"}};
	char window[NUMBER_TEXT_MAX];
	const json_t *signal;
	size_t i;

	json_array_foreach(field_array(scale, "signals"), i, signal)
	{
		const char *name = field_text(signal, "signal");
		bool known = json_is_number(json_object_get(signal, "value"));

		grid_add(&grid, name);
		value_add(&grid, signal);
		amount_add(&grid, name, field_number(signal, "estimate"));
		grid_add(&grid, duration_format(field_number(signal, "window_s"), window));
		amount_add(&grid, name, field_number(signal, "forecast"));
		amount_add(&grid, name, field_number(signal, "target"));
		grid_add_count(&grid, known ? json_object_get(signal, "need") : NULL);
		grid_add(&grid, !json_is_true(json_object_get(signal, "decides")) ? ""
				: json_is_true(json_object_get(signal, "trend"))
					? "yes, by its trend"
					: "yes");
	}
	return grid_print(&grid, call->colour, error);
}

static void waits_print(const json_t *scale)
{
	const json_t *hold = json_object_get(scale, "hold");
	const json_t *floors = json_object_get(scale, "floors");
	const json_t *backoff = json_object_get(scale, "backoff");
	const json_t *unhealthy = json_object_get(scale, "unhealthy");
	char whole[NUMBER_TEXT_MAX], left[NUMBER_TEXT_MAX];

	printf("%-12s %s", "hold", duration_format(field_number(hold, "for_s"), whole));
	if (field_number(hold, "left_s") > 0)
		printf(", %s left: %.0f were needed within it",
		       duration_format(field_number(hold, "left_s"), left),
		       field_number(hold, "need"));
	printf("\n%-12s min %.0f, schedule %.0f, yesterday %.0f, first packet %.0f\n", "at least",
	       field_number(floors, "min"), field_number(floors, "schedule"),
	       field_number(floors, "yesterday"), field_number(floors, "first_packet"));
	printf("%-12s %.0f of %.0f; above %.0f%% nothing is done\n", "unhealthy",
	       field_number(unhealthy, "count"), field_number(unhealthy, "of"),
	       field_number(unhealthy, "percent_max"));
	printf("%-12s %s, a backend takes %s to carry its share", "provisioner",
	       field_text(scale, "provisioner"),
	       duration_format(field_number(scale, "lead_s"), whole));
	if (field_number(backoff, "failures") > 0)
		printf("; %s %.0f times in a row, asked again in %s",
		       json_is_true(json_object_get(backoff, "quota")) ? "had no more to give"
								       : "failed",
		       field_number(backoff, "failures"),
		       duration_format(field_number(backoff, "left_s"), left));
	putchar('\n');
}

static void pending_print(const json_t *scale)
{
	const json_t *backend;
	size_t i;

	json_array_foreach(field_array(scale, "pending"), i, backend)
	{
		const char *note = json_string_value(json_object_get(backend, "note"));

		printf("%-12s %s is %s%s%s\n", i ? "" : "pending", field_text(backend, "name"),
		       field_text(backend, "state"), note ? ": " : "", note ? note : "");
	}
}

static int scale_print(const struct call *call, const json_t *scale, struct error *error)
{
	bool dry_run = json_is_true(json_object_get(scale, "dry_run"));
	int code;

	printf("%s: %s%s\n", field_text(scale, "service"), state_of(scale),
	       dry_run ? "; DRY RUN: what follows is only said, nothing of it is done" : "");
	line("decision", field_text(scale, "text"));
	line("next", field_text(scale, "next"));
	pool_print(scale);
	waits_print(scale);
	pending_print(scale);
	putchar('\n');
	code = signals_print(call, scale, error);
	return code;
}

int scale_show_run(struct call *call, struct error *error)
{
	const char *service = call_text(call, "SERVICE");
	json_t *answer = NULL;
	int code;

	if (service)
		code = client_get(call, &answer, error, "/v1/scale/%s", service);
	else
		code = client_get(call, &answer, error, "/v1/scale");
	if (code)
		return code;
	if (call->json) {
		code = print_json(answer, error);
	} else if (service) {
		code = scale_print(call, answer, error);
	} else {
		code = scales_print(call, json_object_get(answer, "scale"), error);
		if (!json_array_size(json_object_get(answer, "scale")))
			talk("no service scales; give one an 'autoscale' section in the config");
	}
	json_decref(answer);
	return code;
}

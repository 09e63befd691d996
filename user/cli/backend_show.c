// SPDX-License-Identifier: GPL-2.0-only
/* The verb "backend show": what is configured, what was set, what is found, and what comes of it. */
#include <stdio.h>
#include <string.h>

#include "cli/backend.h"
#include "cli/client.h"
#include "cli/number.h"
#include "cli/output.h"

static void line_print(const char *name, const char *text)
{
	printf("  %-12s %s\n", name, text);
}

static void number_print(const char *name, double number)
{
	printf("  %-12s %.0f\n", name, number);
}

static void configured_print(const json_t *backend)
{
	const json_t *configured = json_object_get(backend, "configured");
	const char *origin = field_text(backend, "origin");

	printf("configured\n");
	if (!json_is_object(configured)) {
		line_print("origin", strcmp(origin, "autoscale") == 0
					     ? "created by the autoscaler, not in the config"
					     : "added at run time, not in the config");
	} else {
		number_print("weight", field_number(configured, "weight"));
		line_print("drain",
			   json_is_true(json_object_get(configured, "drain")) ? "yes" : "no");
		line_print("maint",
			   json_is_true(json_object_get(configured, "maint")) ? "yes" : "no");
	}
	line_print("address", field_text(backend, "address"));
	if (field_number(backend, "port") > 0)
		number_print("port", field_number(backend, "port"));
}

static void administrative_print(const json_t *backend)
{
	const json_t *set = json_object_get(backend, "administrative");
	const json_t *weight = json_object_get(set, "weight");
	const char *drain = json_string_value(json_object_get(set, "drain"));
	const char *maint = json_string_value(json_object_get(set, "maint"));
	const json_t *deadline =
		json_object_get(json_object_get(backend, "drain"), "deadline_in_s");
	char left[NUMBER_TEXT_MAX], text[NUMBER_TEXT_MAX + 32];

	printf("administrative (set at run time)\n");
	if (json_is_number(weight))
		number_print("weight", json_number_value(weight));
	if (drain)
		line_print("drain", drain);
	if (maint)
		line_print("maint", maint);
	if (json_is_number(deadline)) {
		snprintf(text, sizeof(text), "in %s",
			 duration_format(json_number_value(deadline), left));
		line_print("deadline", text);
	}
	if (!json_is_number(weight) && !drain && !maint && !json_is_number(deadline))
		line_print("nothing", "");
}

static void operational_print(const struct call *call, const json_t *backend)
{
	const char *state = field_text(backend, "state"), *note = field_text(backend, "note");
	const char *escape = call->colour ? state_colour(state) : "";
	const json_t *nexthop = json_object_get(backend, "nexthop");
	char text[128];

	printf("operational\n  %-12s %s%s%s\n", "state", escape, state, *escape ? "\033[0m" : "");
	if (json_is_object(nexthop)) {
		snprintf(text, sizeof(text), "%s by %s", field_text(nexthop, "mac"),
			 field_text(nexthop, "interface"));
		line_print("next hop", text);
	} else {
		line_print("next hop", "not known");
	}
	snprintf(text, sizeof(text), "%.1f%% of the slots", 100 * field_number(backend, "share"));
	line_print("share", text);
	number_print("live flows", field_number(backend, "live_flows"));
	number_print("new flows", field_number(backend, "new_flows"));
	number_print("packets", field_number(backend, "packets"));
	if (json_is_string(json_object_get(backend, "note")))
		line_print("note", note);
}

static int show_run(struct call *call, struct error *error)
{
	json_t *answer = NULL;
	int code = client_get(call, &answer, error, "/v1/services/%s/backends/%s",
			      call_text(call, "SERVICE"), call_text(call, "BACKEND"));

	if (code)
		return code;
	if (call->json) {
		code = print_json(answer, error);
	} else {
		printf("backend %s of %s\n", field_text(answer, "name"),
		       call_text(call, "SERVICE"));
		configured_print(answer);
		administrative_print(answer);
		operational_print(call, answer);
		printf("effective: it takes %s; %s\n", field_text(answer, "effect"),
		       field_text(answer, "why"));
	}
	json_decref(answer);
	return code;
}

const struct verb backend_show_verbs[] = {
	{
		.name = "backend show",
		.summary =
			"show what is configured, set and found of a backend, and what comes of it",
		.example = "sluice backend show web web-2",
		.parameters = {PARAMETER_SERVICE, PARAMETER_BACKEND},
		.run = show_run,
	},
	{0},
};

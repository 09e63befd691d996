// SPDX-License-Identifier: GPL-2.0-only
/* The verb "scale history": past decisions, why they fell, and what came of them. */
#include "cli/scale_history.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/output.h"

#define LAST_DEFAULT 20u

static void action_print(const json_t *action)
{
	const json_t *took = json_object_get(action, "took_s");
	const char *outcome = json_string_value(json_object_get(action, "outcome"));
	const char *note = json_string_value(json_object_get(action, "note"));

	printf("%26s%s %s: %s", "", field_text(action, "action"), field_text(action, "backend"),
	       outcome ? outcome : "under way");
	if (json_is_number(took))
		printf(" after %.1f s", json_number_value(took));
	if (note)
		printf(": %s", note);
	putchar('\n');
}

static void decision_print(const json_t *decision)
{
	const json_t *action;
	char change[32];
	size_t i;

	snprintf(change, sizeof(change), "%.0f -> %.0f", field_number(decision, "from"),
		 field_number(decision, "to"));
	printf("%-24s  %-10s %s\n", field_text(decision, "time"), change,
	       field_text(decision, "text"));
	json_array_foreach(field_array(decision, "actions"), i, action) action_print(action);
}

int scale_history_run(struct call *call, struct error *error)
{
	const struct value *last = call_value(call, "--last");
	const char *service = call_text(call, "SERVICE");
	const json_t *decision;
	json_t *answer = NULL;
	size_t i;
	int code = client_get(call, &answer, error, "/v1/scale/%s/history?limit=%llu", service,
			      last->text ? (unsigned long long)last->number
					 : (unsigned long long)LAST_DEFAULT);

	if (code)
		return code;
	if (call->json) {
		code = print_json(answer, error);
	} else {
		json_array_foreach(field_array(answer, "decisions"), i, decision)
			decision_print(decision);
		if (!json_array_size(json_object_get(answer, "decisions")))
			talk("%s: no decision has changed anything yet", service);
		if (ferror(stdout))
			code = error_set(error, -EIO, "output: cannot be written");
	}
	json_decref(answer);
	return code;
}

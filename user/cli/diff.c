// SPDX-License-Identifier: GPL-2.0-only
/* The verb "diff": what is running and the config does not say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/output.h"
#include "cli/sending.h"

#define WHERE_MAX 192

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* "backend web-2 of web", "service web", "interface eth1", or "" */
static const char *where_text(const json_t *entry, char text[WHERE_MAX])
{
	const char *interface = text_of(entry, "interface"), *service = text_of(entry, "service"),
		   *backend = text_of(entry, "backend");

	if (backend)
		snprintf(text, WHERE_MAX, "backend %s of %s", backend, service);
	else if (service)
		snprintf(text, WHERE_MAX, "service %s", service);
	else if (interface)
		snprintf(text, WHERE_MAX, "interface %s", interface);
	else
		snprintf(text, WHERE_MAX, "agent");
	return text;
}

/* A value of a field; of a whole thing only whether it is there. */
static void value_add(struct grid *grid, const json_t *value, bool whole)
{
	char *text;

	if (whole || !value || json_is_null(value)) {
		grid_add(grid, !whole ? "none" : json_is_null(value) ? "absent" : "there");
		return;
	}
	if (json_is_string(value)) {
		grid_add(grid, *json_string_value(value) ? json_string_value(value) : "\"\"");
		return;
	}
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(12));
	grid_add(grid, text ? text : "?");
	free(text);
}

static void entries_add(struct grid *grid, const json_t *diff)
{
	const json_t *entry;
	char where[WHERE_MAX];
	size_t i;

	json_array_foreach(field_array(diff, "differences"), i, entry)
	{
		const char *field = text_of(entry, "field");

		grid_add(grid, where_text(entry, where));
		grid_add(grid, field ? field : "");
		value_add(grid, json_object_get(entry, "config"), !field);
		value_add(grid, json_object_get(entry, "running"), !field);
	}
}

static void guard_add(struct grid *grid, const json_t *scope)
{
	double total = field_number(scope, "added") + field_number(scope, "removed") +
		       field_number(scope, "changed");
	size_t shown = json_array_size(field_array(scope, "rules")), i;
	const char *service = text_of(scope, "service");
	char where[WHERE_MAX], more[64];
	const json_t *rule;

	snprintf(where, sizeof(where), "guard of %s%s", service ? "service " : "all services",
		 service ? service : "");
	json_array_foreach(field_array(scope, "rules"), i, rule)
	{
		grid_add(grid, where);
		grid_add(grid, field_text(rule, "prefix"));
		grid_add(grid, field_text(rule, "from"));
		grid_add(grid, field_text(rule, "to"));
	}
	if (total <= (double)shown)
		return;
	snprintf(more, sizeof(more), "and %.0f more", total - (double)shown);
	grid_add(grid, where);
	grid_add(grid, more);
	grid_add(grid, "");
	grid_add(grid, "");
}

static int diff_print(const struct call *call, const json_t *diff, struct error *error)
{
	struct grid grid = {.titles = {"WHERE", "FIELD", "CONFIG", "RUNNING"}};
	const json_t *scope;
	size_t i;

	entries_add(&grid, diff);
	json_array_foreach(field_array(diff, "guard"), i, scope) guard_add(&grid, scope);
	if (grid.cell_count)
		return grid_print(&grid, call->colour, error);
	printf("no differences\n");
	return 0;
}

static int diff_ask(const struct call *call, json_t **ret_diff, struct error *error)
{
	const char *path = call_text(call, "--file");
	struct sending sending = {0};
	int code;

	if (!path)
		return client_get(call, ret_diff, error, "/v1/diff");
	code = sending_read(path, &sending, error);
	if (!code)
		code = sending_post(call, &sending, "/v1/diff", ret_diff, error);
	sending_clear(&sending);
	return code;
}

static int diff_run(struct call *call, struct error *error)
{
	json_t *diff = NULL;
	int code = diff_ask(call, &diff, error);

	if (code)
		return code;
	if (json_array_size(field_array(diff, "differences")) ||
	    json_array_size(field_array(diff, "guard")))
		call->status = EXIT_DIFFERENT;
	code = call->json ? print_json(diff, error) : diff_print(call, diff, error);
	json_decref(diff);
	return code;
}

const struct verb diff_verbs[] = {
	{
		.name = "diff",
		.summary = "list what was changed at run time: exit status 3, or 0 for nothing",
		.example = "sluice diff",
		.parameters =
			{
				{.name = "--file",
				 .letter = 'f',
				 .value = "FILE",
				 .kind = PARAMETER_TEXT,
				 .help = "compare with this config, not the one applied last"},
			},
		.run = diff_run,
	},
	{0},
};

// SPDX-License-Identifier: GPL-2.0-only
/* The verbs "plan" and "apply": what a whole config would do, and doing it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/output.h"
#include "cli/sending.h"

#define VALUE_TEXT_MAX 256

/* ------------------------------------------------------------------ what would change */

/* A mark at the start of a line, with its colour: what comes, what goes, what changes. */
static void mark_print(const struct call *call, int indent, const char *action)
{
	static const struct {
		const char *action, *mark, *colour;
	} marks[] = {
		{"add", "+", "\033[32m"},     {"attach", "+", "\033[32m"},
		{"remove", "-", "\033[31m"},  {"detach", "-", "\033[31m"},
		{"replace", "!", "\033[31m"}, {"", "~", "\033[33m"},
	};
	size_t i = 0;

	while (*marks[i].action && strcmp(marks[i].action, action) != 0)
		i++;
	printf("%*s%s%s%s ", indent, "", call->colour ? marks[i].colour : "", marks[i].mark,
	       call->colour ? "\033[0m" : "");
}

static const char *value_text(const json_t *value, char text[VALUE_TEXT_MAX])
{
	char *dump;

	if (json_is_string(value) && *json_string_value(value)) {
		snprintf(text, VALUE_TEXT_MAX, "%s", json_string_value(value));
	} else if (!value || json_is_null(value)) {
		snprintf(text, VALUE_TEXT_MAX, "none");
	} else {
		dump = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(12));
		snprintf(text, VALUE_TEXT_MAX, "%s", dump ? dump : "?");
		free(dump);
	}
	return text;
}

/* The value that a field of this name gets, or had; NULL: it is not among those that change. */
static const json_t *field_value(const json_t *change, const char *name, const char *which)
{
	const json_t *field;
	size_t i;

	json_array_foreach(field_array(change, "fields"), i, field)
	{
		if (strcmp(field_text(field, "field"), name) == 0)
			return json_object_get(field, which);
	}
	return NULL;
}

/* "weight 100 -> 50, state active -> draining" */
static void fields_print(const json_t *change)
{
	char from[VALUE_TEXT_MAX], to[VALUE_TEXT_MAX];
	const json_t *field;
	size_t i;

	json_array_foreach(field_array(change, "fields"), i, field)
		printf("%s %s %s -> %s", i ? "," : "", field_text(field, "field"),
		       value_text(json_object_get(field, "from"), from),
		       value_text(json_object_get(field, "to"), to));
}

/* " (192.0.2.80 tcp 80, l2)" of what comes or goes: the fields named, in their order. */
static void facts_print(const json_t *change, const char *which, const char *const *names)
{
	char text[VALUE_TEXT_MAX];
	bool any = false;

	for (size_t i = 0; names[i]; i++) {
		const json_t *value = field_value(change, names[i], which);

		if (!value || json_is_null(value))
			continue;
		printf("%s%s", any ? " " : " (", value_text(value, text));
		any = true;
	}
	printf("%s", any ? ")" : "");
}

static void flows_print(const json_t *change, const char *what)
{
	double flows = field_number(change, "flows_moved");

	if (flows > 0)
		printf(": %.0f live flow%s %s", flows, flows == 1 ? "" : "s", what);
}

static void backend_print(const struct call *call, const json_t *backend)
{
	static const char *const facts[] = {"address", "port", NULL};
	const char *action = field_text(backend, "action");

	mark_print(call, 2, action);
	printf("backend %s", field_text(backend, "name"));
	if (strcmp(action, "add") == 0) {
		facts_print(backend, "to", facts);
		printf(", weight %.0f", json_number_value(field_value(backend, "weight", "to")));
		if (strcmp(value_text(field_value(backend, "state", "to"),
				      (char[VALUE_TEXT_MAX]){""}),
			   "active") != 0)
			printf(", draining");
		if (json_is_true(field_value(backend, "maint", "to")))
			printf(", in maintenance");
	} else if (strcmp(action, "remove") == 0) {
		facts_print(backend, "from", facts);
	} else {
		fields_print(backend);
	}
	flows_print(backend, "leave it");
	if (field_number(backend, "flows_moved") > 0 &&
	    (strcmp(action, "remove") == 0 || strcmp(action, "maint") == 0))
		printf("; 'drain: true' first spares them");
	putchar('\n');
}

static void service_print(const struct call *call, const json_t *service)
{
	static const char *const facts[] = {"vip", "protocol", "port", "mode", NULL};
	const char *action = field_text(service, "action");
	const json_t *backend;
	size_t i;

	mark_print(call, 0, action);
	printf("service %s", field_text(service, "name"));
	if (strcmp(action, "add") == 0)
		facts_print(service, "to", facts);
	else if (strcmp(action, "remove") == 0)
		facts_print(service, "from", facts);
	else
		fields_print(service);
	flows_print(service, strcmp(action, "remove") == 0 ? "end" : "move");
	putchar('\n');
	/* Of what goes as a whole, the backends go without saying. */
	if (strcmp(action, "remove") != 0) {
		json_array_foreach(field_array(service, "backends"), i, backend)
			backend_print(call, backend);
	}
	if (field_number(service, "slots_moved") > 0)
		printf("  slots: %.0f of %.0f%s\n", field_number(service, "slots_moved"),
		       field_number(service, "slots"),
		       strcmp(action, "change") == 0 ? " change their owner" : ", a new table");
}

static void guard_print(const struct call *call, const json_t *scope)
{
	double added = field_number(scope, "added"), removed = field_number(scope, "removed"),
	       changed = field_number(scope, "changed"), shown;
	const char *service = json_string_value(json_object_get(scope, "service"));
	const json_t *rule;
	size_t i;

	mark_print(call, 0, "");
	printf("guard of %s%s: %.0f prefixes added, %.0f removed, %.0f changed\n",
	       service ? "service " : "all services", service ? service : "", added, removed,
	       changed);
	json_array_foreach(field_array(scope, "rules"), i, rule)
	{
		const char *from = field_text(rule, "from"), *to = field_text(rule, "to");
		bool comes = strcmp(from, "none") == 0, goes = strcmp(to, "none") == 0;

		mark_print(call, 2, comes ? "add" : goes ? "remove" : "");
		printf("%s %s%s%s\n", comes ? to : from, field_text(rule, "prefix"),
		       comes || goes ? "" : " -> ", comes || goes ? "" : to);
	}
	shown = (double)json_array_size(field_array(scope, "rules"));
	if (added + removed + changed > shown)
		printf("  and %.0f more\n", added + removed + changed - shown);
}

static size_t changes_count(const json_t *plan)
{
	return json_array_size(field_array(plan, "services")) +
	       json_array_size(field_array(plan, "guard")) +
	       json_array_size(field_array(plan, "interfaces"));
}

static void plan_print(const struct call *call, const json_t *plan)
{
	const json_t *one, *backends = json_object_get(plan, "backends");
	size_t i;

	json_array_foreach(field_array(plan, "interfaces"), i, one)
	{
		mark_print(call, 0, field_text(one, "action"));
		printf("interface %s: %s\n", field_text(one, "name"), field_text(one, "action"));
	}
	json_array_foreach(field_array(plan, "services"), i, one) service_print(call, one);
	json_array_foreach(field_array(plan, "guard"), i, one) guard_print(call, one);
	if (!changes_count(plan))
		printf("no changes\n");
	else
		printf("plan: %.0f steps; backends: %.0f created, %.0f drained, %.0f changed, "
		       "%.0f removed; %.0f slots move; %.0f live flows move\n",
		       field_number(plan, "steps"), field_number(backends, "created"),
		       field_number(backends, "drained"), field_number(backends, "changed"),
		       field_number(backends, "removed"), field_number(plan, "slots_moved"),
		       field_number(plan, "flows_moved"));
}

/* ------------------------------------------------------------------ the verbs */

static int plan_run(struct call *call, struct error *error)
{
	struct sending sending = {0};
	json_t *plan = NULL;
	int code = sending_read(call_text(call, "--file"), &sending, error);

	if (!code)
		code = sending_post(call, &sending, "/v1/plan", &plan, error);
	if (!code && changes_count(plan))
		call->status = EXIT_DIFFERENT;
	if (!code && call->json)
		code = print_json(plan, error);
	else if (!code)
		plan_print(call, plan);
	json_decref(plan);
	sending_clear(&sending);
	return code;
}

/* What was done, and what was foreseen if the pools have changed in between. */
static void applied_talk(const char *path, const json_t *plan, const json_t *answer)
{
	talk("%s: applied, %.0f steps, %.0f slots moved", path, field_number(answer, "steps"),
	     field_number(answer, "slots_moved"));
	if (field_number(plan, "slots_moved") != field_number(answer, "slots_moved"))
		talk("%s: %.0f slots were planned to move; something else changed the pools in "
		     "between, 'sluice diff' shows what is set at run time",
		     path, field_number(plan, "slots_moved"));
}

static int apply_run(struct call *call, struct error *error)
{
	const char *path = call_text(call, "--file");
	json_t *plan = NULL, *answer = NULL;
	struct sending sending = {0};
	int code;

	if (call_text(call, "--dry-run"))
		return plan_run(call, error);
	code = sending_read(path, &sending, error);
	if (!code && !call->json)
		code = sending_post(call, &sending, "/v1/plan", &plan, error);
	if (plan) {
		plan_print(call, plan);
		fflush(stdout);
	}
	if (!code)
		code = sending_post(call, &sending, "/v1/config", &answer, error);
	if (!code && call->json)
		code = print_json(answer, error);
	else if (!code)
		applied_talk(path, plan, answer);
	json_decref(plan);
	json_decref(answer);
	sending_clear(&sending);
	return code;
}

#define PARAMETER_FILE                                                                    \
	{                                                                                 \
		.name = "--file", .letter = 'f', .value = "FILE", .kind = PARAMETER_TEXT, \
		.required = true, .help = "the config; - is standard input",              \
	}

const struct verb plan_verbs[] = {
	{
		.name = "plan",
		.summary = "show what a config would change: exit status 3, or 0 for nothing",
		.example = "sluice plan -f /etc/sluice/sluice.yaml",
		.parameters = {PARAMETER_FILE},
		.run = plan_run,
	},
	{
		.name = "apply",
		.summary = "make a whole config take effect: all of it, or nothing",
		.example = "sluice apply -f /etc/sluice/sluice.yaml",
		.parameters =
			{
				PARAMETER_FILE,
				{.name = "--dry-run",
				 .letter = 'n',
				 .kind = PARAMETER_FLAG,
				 .help = "change nothing: the same as 'sluice plan'"},
			},
		.run = apply_run,
	},
	{0},
};

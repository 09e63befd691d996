// SPDX-License-Identifier: GPL-2.0-only
/* The verbs "guard ...": list the prefixes of sources, ask for one address, deny, allow, remove. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/input.h"
#include "cli/output.h"
#include "model/guard_config.h"

#define LIMIT_DEFAULT 100u
#define PAGE_MAX      10000u
#define LIST_SIZE_MAX ((size_t)64 << 20)
/* So many prefixes in one request: far below the 4 MiB that it may have. */
#define REQUEST_MAX 50000u

/* "/v1/guard?limit=100&service=web&address=..."; value NULL: left out. */
static int query_add(char *path, size_t size, const char *key, const char *value)
{
	size_t length = strlen(path);
	char *escaped;
	int added;

	if (!value)
		return 0;
	escaped = client_escape(value);
	if (!escaped)
		return -ENOMEM;
	added = snprintf(path + length, size - length, "%c%s=%s", strchr(path, '?') ? '&' : '?',
			 key, escaped);
	free(escaped);
	return added >= (int)(size - length) ? -EINVAL : 0;
}

static int rules_print(const struct call *call, const json_t *rules, struct error *error)
{
	struct grid grid = {.titles = {"PREFIX", "ANSWER", "SERVICE", "ORIGIN"}};
	const json_t *rule;
	size_t i;

	json_array_foreach(rules, i, rule)
	{
		const char *service = json_string_value(json_object_get(rule, "service"));

		grid_add(&grid, field_text(rule, "prefix"));
		grid_add(&grid, field_text(rule, "answer"));
		grid_add(&grid, service ? service : "(all)");
		grid_add(&grid, field_text(rule, "origin"));
	}
	return grid_print(&grid, call->colour, error);
}

/* ------------------------------------------------------------------ guard ls */

/* The list a page at a time, up to limit rules. */
static int list_get(const struct call *call, uint64_t limit, json_t **ret_answer,
		    struct error *error)
{
	json_t *whole = NULL;
	const char *next;

	do {
		uint64_t listed = json_array_size(json_object_get(whole, "rules"));
		uint64_t page = limit - listed < PAGE_MAX ? limit - listed : PAGE_MAX;
		char path[1024];
		json_t *part = NULL;
		int code;

		snprintf(path, sizeof(path), "/v1/guard?limit=%llu", (unsigned long long)page);
		code = query_add(path, sizeof(path), "service", call_text(call, "--service"));
		if (!code)
			code = query_add(path, sizeof(path), "answer", call_text(call, "--answer"));
		if (!code)
			code = query_add(path, sizeof(path), "after",
					 json_string_value(json_object_get(whole, "next")));
		if (!code)
			code = client_send(call, "GET", path, NULL, 0, &part, error);
		else
			error_set(error, code, "request: out of memory");
		if (code) {
			json_decref(whole);
			return code;
		}
		if (whole) {
			json_array_extend(json_object_get(whole, "rules"),
					  json_object_get(part, "rules"));
			json_object_set(whole, "next", json_object_get(part, "next"));
			json_decref(part);
		} else {
			whole = part;
		}
		next = json_string_value(json_object_get(whole, "next"));
	} while (next && json_array_size(json_object_get(whole, "rules")) < limit);
	*ret_answer = whole;
	return 0;
}

static int list_print(const struct call *call, const json_t *answer, struct error *error)
{
	const json_t *rules = field_array(answer, "rules");
	int code = rules_print(call, rules, error);

	if (!code && json_is_string(json_object_get(answer, "next")))
		talk("%zu are listed, of %.0f denied and %.0f allowed; --limit lists more",
		     json_array_size(rules), field_number(answer, "deny"),
		     field_number(answer, "allow"));
	return code;
}

static int address_run(struct call *call, struct error *error)
{
	char path[1024] = "/v1/guard";
	json_t *answer = NULL;
	int code = query_add(path, sizeof(path), "address", call_text(call, "--address"));

	if (!code)
		code = query_add(path, sizeof(path), "service", call_text(call, "--service"));
	if (code)
		return error_set(error, code, "request: out of memory");
	code = client_send(call, "GET", path, NULL, 0, &answer, error);
	if (code)
		return code;
	if (call->json) {
		code = print_json(answer, error);
	} else {
		printf("%s: %s\n\n", field_text(answer, "address"),
		       strcmp(field_text(answer, "answer"), "none") == 0
			       ? "allowed, no prefix has it"
			       : field_text(answer, "answer"));
		code = rules_print(call, field_array(answer, "rules"), error);
	}
	json_decref(answer);
	return code;
}

static int list_run(struct call *call, struct error *error)
{
	const struct value *limit = call_value(call, "--limit");
	json_t *answer = NULL;
	int code;

	if (call_text(call, "--address"))
		return address_run(call, error);
	code = list_get(call, limit->text ? limit->number : LIMIT_DEFAULT, &answer, error);
	if (code)
		return code;
	code = call->json ? print_json(answer, error) : list_print(call, answer, error);
	json_decref(answer);
	return code;
}

/* ------------------------------------------------------------------ guard deny, allow, rm */

static int prefixes_read(const struct call *call, struct guard_lists *lists, struct error *error)
{
	const char *text = call_text(call, "PREFIX"), *path = call_text(call, "--file");
	struct prefix prefix;
	size_t length;
	char *content;
	int code;

	if (!text == !path)
		return error_set(error, -EINVAL, "PREFIX: give one, or a list of them with --file");
	if (text) {
		code = prefix_parse(text, &prefix, error);
		if (code)
			error_prefix(error, "PREFIX: ");
		else if (guard_lists_add(lists, &prefix, GUARD_NONE))
			code = error_set(error, -ENOMEM, "out of memory");
		return code;
	}
	code = input_read(path, LIST_SIZE_MAX, &content, &length, error);
	if (code)
		return code;
	code = guard_lists_read(lists, content, path, GUARD_NONE, error);
	free(content);
	/* What the file says is wrong, not how the verb was called. */
	return code == -EINVAL ? -EBADMSG : code;
}

/* Up to REQUEST_MAX of them from `first` on. */
static int part_put(const struct call *call, const char *field, const struct guard_lists *lists,
		    size_t first, json_t **ret_answer, struct error *error)
{
	json_t *prefixes = json_array(), *body;
	char text[PREFIX_TEXT_MAX];

	for (size_t i = first; i < lists->count && i < first + REQUEST_MAX; i++)
		json_array_append_new(prefixes,
				      json_string(prefix_format(&lists->rules[i].prefix, text)));
	body = json_pack("{ss?,so}", "service", call_text(call, "--service"), field, prefixes);
	return client_change(call, "PUT", body, ret_answer, error, "/v1/guard");
}

static int change(struct call *call, const char *field, const char *done, struct error *error)
{
	const char *service = call_text(call, "--service");
	struct guard_lists lists = {0};
	json_t *answer = NULL;
	int code = prefixes_read(call, &lists, error);

	for (size_t first = 0; !code && first < lists.count; first += REQUEST_MAX) {
		json_decref(answer);
		answer = NULL;
		code = part_put(call, field, &lists, first, &answer, error);
	}
	if (!code && call->json && answer)
		code = print_json(answer, error);
	else if (!code && call_text(call, "PREFIX"))
		talk("%s: %s for %s", call_text(call, "PREFIX"), done,
		     service ? service : "all services");
	else if (!code)
		talk("%zu prefixes: %s for %s", lists.count, done,
		     service ? service : "all services");
	json_decref(answer);
	guard_lists_clear(&lists);
	return code;
}

static int deny_run(struct call *call, struct error *error)
{
	return change(call, "deny", "denied", error);
}

static int allow_run(struct call *call, struct error *error)
{
	return change(call, "allow", "allowed", error);
}

static int remove_run(struct call *call, struct error *error)
{
	return change(call, "remove", "taken off the list", error);
}

static const char *const answer_words[] = {"deny", "allow", NULL};

#define PARAMETER_LIST                                                        \
	{                                                                     \
		.name = "--service", .value = "NAME", .kind = PARAMETER_NAME, \
		.help = "the list of this service instead of that for all",   \
	}
#define PARAMETERS_CHANGE                                                                        \
	{                                                                                        \
		{                                                                                \
			.name = "PREFIX",                                                        \
			.kind = PARAMETER_TEXT,                                                  \
			.help = "e.g. 203.0.113.0/24, 2001:db8::/32, or an address",             \
		},                                                                               \
			PARAMETER_LIST,                                                          \
			{                                                                        \
				.name = "--file",                                                \
				.letter = 'f',                                                   \
				.value = "FILE",                                                 \
				.kind = PARAMETER_TEXT,                                          \
				.help = "prefixes from a file, one a line; - is standard input", \
			},                                                                       \
	}

const struct verb guard_verbs[] = {
	{
		.name = "guard ls",
		.summary = "list the prefixes of sources that are denied or allowed",
		.example = "sluice guard ls --service web --address 203.0.113.7",
		.parameters =
			{
				PARAMETER_LIST,
				{.name = "--answer",
				 .value = "WORD",
				 .kind = PARAMETER_CHOICE,
				 .choices = answer_words,
				 .help = "only those with this answer: deny, allow"},
				{.name = "--address",
				 .value = "ADDRESS",
				 .kind = PARAMETER_ADDRESS,
				 .help = "what a packet from this address meets, and why"},
				{.name = "--limit",
				 .letter = 'n',
				 .value = "N",
				 .kind = PARAMETER_NUMBER,
				 .minimum = 1,
				 .maximum = 1000000,
				 .help = "prefixes listed (default 100)"},
			},
		.run = list_run,
	},
	{
		.name = "guard deny",
		.summary = "take no packets from a prefix of sources, not even of running flows",
		.example = "sluice guard deny 203.0.113.0/24",
		.parameters = PARAMETERS_CHANGE,
		.run = deny_run,
	},
	{
		.name = "guard allow",
		.summary = "take packets from a prefix, also inside a shorter one that is denied",
		.example = "sluice guard allow 203.0.113.7 --service web",
		.parameters = PARAMETERS_CHANGE,
		.run = allow_run,
	},
	{
		.name = "guard rm",
		.summary = "take a prefix off the list, whatever its answer was",
		.example = "sluice guard rm 203.0.113.0/24",
		.parameters = PARAMETERS_CHANGE,
		.run = remove_run,
	},
	{0},
};

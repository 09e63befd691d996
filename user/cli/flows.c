// SPDX-License-Identifier: GPL-2.0-only
/* The verb "flows": what the flow table holds. Its entries have tags, not addresses. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/number.h"
#include "cli/output.h"

#define LIMIT_DEFAULT 20

static int flows_print(const struct call *call, const json_t *flows, struct error *error)
{
	struct grid grid = {
		.titles = {"SERVICE", "BACKEND", "STATE", ">IDLE", ">SLOT", "TAG"},
	};
	char text[NUMBER_TEXT_MAX];
	const json_t *flow;
	size_t i;

	json_array_foreach(flows, i, flow)
	{
		const json_t *slot = json_object_get(flow, "slot");

		grid_add(&grid, field_text(flow, "service"));
		grid_add(&grid, field_text(flow, "backend"));
		grid_add(&grid, field_text(flow, "state"));
		grid_add(&grid, duration_format(field_number(flow, "idle_s"), text));
		snprintf(text, sizeof(text), "%.0f", json_number_value(slot));
		grid_add(&grid, json_is_number(slot) ? text : "");
		grid_add(&grid, field_text(flow, "tag"));
	}
	return grid_print(&grid, call->colour, error);
}

static int answer_print(const struct call *call, const json_t *answer, struct error *error)
{
	struct grid grid = {.titles = {"SERVICE", "BACKEND", ">LIVE FLOWS"}};
	const json_t *states = json_object_get(answer, "states"), *backend;
	const json_t *client = json_object_get(answer, "client");
	size_t listed = json_array_size(field_array(answer, "flows")), i;
	int code;

	printf("matched     %.0f: %.0f proven, %.0f on probation, %.0f closing\n\n",
	       field_number(answer, "matched"), field_number(states, "proven"),
	       field_number(states, "probation"), field_number(states, "closing"));
	json_array_foreach(field_array(answer, "backends"), i, backend)
	{
		grid_add(&grid, field_text(backend, "service"));
		grid_add(&grid, field_text(backend, "backend"));
		grid_add_count(&grid, json_object_get(backend, "live"));
	}
	code = grid_print(&grid, call->colour, error);
	if (json_is_object(client))
		printf("\nslot %.0f: current owner %s, previous owner %s\n",
		       field_number(client, "slot"), field_text(client, "current"),
		       field_text(client, "previous"));
	if (code || !listed)
		return code;
	putchar('\n');
	code = flows_print(call, field_array(answer, "flows"), error);
	if ((double)listed < field_number(answer, "matched"))
		talk("%zu of %.0f flows are listed; --limit lists more", listed,
		     field_number(answer, "matched"));
	return code;
}

/* Add "&key=value" to the request's path. */
static int query_add(char *path, size_t size, const char *key, const char *value)
{
	char *escaped = client_escape(value);
	size_t length = strlen(path);
	int added;

	if (!escaped)
		return -ENOMEM;
	added = snprintf(path + length, size - length, "&%s=%s", key, escaped);
	free(escaped);
	return added >= (int)(size - length) ? -EINVAL : 0;
}

/* Add a number of one object to that of another. */
static void number_merge(json_t *whole, const json_t *part, const char *key)
{
	json_object_set_new(
		whole, key,
		json_integer((json_int_t)(field_number(whole, key) + field_number(part, key))));
}

static bool same_backend(const json_t *one, const json_t *other)
{
	return json_equal(json_object_get(one, "backend"), json_object_get(other, "backend")) &&
	       json_equal(json_object_get(one, "service"), json_object_get(other, "service"));
}

/* The lists are alike, but for a backend that came or went between two requests. */
static void backends_merge(json_t *whole, const json_t *part)
{
	const json_t *backend;
	size_t i;

	json_array_foreach(part, i, backend)
	{
		size_t place = i;

		if (!same_backend(json_array_get(whole, place), backend))
			place = 0;
		while (place < json_array_size(whole) &&
		       !same_backend(json_array_get(whole, place), backend))
			place++;
		if (place < json_array_size(whole))
			number_merge(json_array_get(whole, place), backend, "live");
		else
			json_array_append(whole, (json_t *)(uintptr_t)backend);
	}
}

/* The answer about a part of the table, to that about the parts before it. */
static void answer_merge(json_t *whole, const json_t *part)
{
	static const char *const states[] = {"closing", "probation", "proven"};

	number_merge(whole, part, "matched");
	for (size_t i = 0; i < 3; i++)
		number_merge(json_object_get(whole, "states"), json_object_get(part, "states"),
			     states[i]);
	backends_merge(json_object_get(whole, "backends"), json_object_get(part, "backends"));
	json_array_extend(json_object_get(whole, "flows"), json_object_get(part, "flows"));
	json_object_set(whole, "next", json_object_get(part, "next"));
}

/* Ask about the whole table, a part of it at a time; filters: of the query, "&key=value"... */
static int flows_get(const struct call *call, const char *filters, uint64_t limit,
		     json_t **ret_answer, struct error *error)
{
	json_t *whole = NULL, *next;
	char path[1200];

	do {
		uint64_t listed = json_array_size(json_object_get(whole, "flows"));
		json_t *part = NULL;
		int code;

		snprintf(path, sizeof(path), "/v1/flows?limit=%llu%s",
			 (unsigned long long)(limit - listed), filters);
		if (whole)
			snprintf(path + strlen(path), sizeof(path) - strlen(path), "&after=%.0f",
				 field_number(whole, "next"));
		code = client_send(call, "GET", path, NULL, 0, &part, error);
		if (code) {
			json_decref(whole);
			return code;
		}
		if (whole) {
			answer_merge(whole, part);
			json_decref(part);
		} else {
			whole = part;
		}
		next = json_object_get(whole, "next");
	} while (json_is_integer(next));
	*ret_answer = whole;
	return 0;
}

static int flows_run(struct call *call, struct error *error)
{
	const struct value *limit = call_value(call, "--limit");
	static const char *const filters[] = {"service", "backend", "client"};
	char path[1024] = "";
	json_t *answer = NULL;
	int code = 0;

	if (!call_text(call, "--service") &&
	    (call_text(call, "--client") || call_text(call, "--backend")))
		return error_set(error, -EINVAL,
				 "--service: it is missing; a backend and a client "
				 "are those of a service");
	for (size_t i = 0; i < 3 && !code; i++) {
		char option[16];

		snprintf(option, sizeof(option), "--%s", filters[i]);
		if (call_text(call, option))
			code = query_add(path, sizeof(path), filters[i], call_text(call, option));
	}
	if (code)
		return error_set(error, code, "request: too long; use shorter names");
	code = flows_get(call, path, limit->text ? limit->number : LIMIT_DEFAULT, &answer, error);
	if (!code)
		code = call->json ? print_json(answer, error) : answer_print(call, answer, error);
	json_decref(answer);
	return code;
}

const struct verb flows_verbs[] = {
	{
		.name = "flows",
		.summary = "count and list the entries of the flow table (tags, not addresses)",
		.example = "sluice flows --service web --client 198.51.100.7:40312",
		.parameters =
			{
				{.name = "--service",
				 .value = "NAME",
				 .kind = PARAMETER_NAME,
				 .help = "those of a service"},
				{.name = "--backend",
				 .value = "NAME",
				 .kind = PARAMETER_NAME,
				 .help = "those on one of its backends"},
				{.name = "--client",
				 .value = "ADDRESS:PORT",
				 .kind = PARAMETER_TEXT,
				 .help = "the one flow of this client, e.g. 198.51.100.7:40312, [2001:db8::7]:40312"},
				{.name = "--limit",
				 .letter = 'n',
				 .value = "N",
				 .kind = PARAMETER_NUMBER,
				 .maximum = 10000,
				 .help = "entries listed (default 20; all are counted)"},
			},
		.run = flows_run,
	},
	{0},
};

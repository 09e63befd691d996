// SPDX-License-Identifier: GPL-2.0-only
/* The verbs "events" and "journal": what happened, who or what did it, and why. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/output.h"

#define LAST_DEFAULT 30u
#define RETRY_S      1u

/* "root (pid 4242)", "uid 1000 (pid 4242)", or "config". */
static void who_text(const json_t *event, char *text, size_t size)
{
	const char *user = json_string_value(json_object_get(event, "user"));

	if (!json_object_get(event, "uid"))
		snprintf(text, size, "%s", field_text(event, "by"));
	else if (user)
		snprintf(text, size, "%s (pid %.0f)", user, field_number(event, "pid"));
	else
		snprintf(text, size, "uid %.0f (pid %.0f)", field_number(event, "uid"),
			 field_number(event, "pid"));
}

static int event_print(const struct call *call, const json_t *event)
{
	const json_t *change;
	char who[96];
	size_t i;

	if (call->json) {
		json_dumpf(event, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
		return ferror(stdout) ? -EIO : 0;
	}
	who_text(event, who, sizeof(who));
	printf("%-24s %6.0f  %-12s %-20s %s\n", field_text(event, "time"),
	       field_number(event, "sequence"), field_text(event, "event"), who,
	       field_text(event, "why"));
	json_array_foreach(field_array(event, "changes"), i, change)
		printf("%-24s %6s  %s\n", "", "", json_string_value(change));
	return ferror(stdout) ? -EIO : 0;
}

static int query_make(const struct call *call, char *path, size_t size, const char *what)
{
	const struct value *last = call_value(call, "--last"), *since = call_value(call, "--since");
	const char *service = call_text(call, "--service");
	int length = snprintf(path, size, "%s?limit=%llu", what,
			      last->text    ? (unsigned long long)last->number
			      : since->text ? 4096ull
					    : (unsigned long long)LAST_DEFAULT);

	if (service)
		length += snprintf(path + length, size - (size_t)length, "&service=%s", service);
	if (since->text)
		snprintf(path + length, size - (size_t)length, "&since_ms=%llu",
			 (unsigned long long)time(NULL) * 1000 - since->number);
	return 0;
}

static int list_run(struct call *call, const char *what, struct error *error)
{
	const json_t *event;
	json_t *answer = NULL;
	char path[512];
	size_t i;
	int code;

	query_make(call, path, sizeof(path), what);
	code = client_send(call, "GET", path, NULL, 0, &answer, error);
	if (code)
		return code;
	json_array_foreach(field_array(answer, "events"), i, event)
	{
		code = event_print(call, event);
		if (code)
			break;
	}
	if (!json_array_size(json_object_get(answer, "events")) && !call->json)
		talk("nothing yet");
	json_decref(answer);
	return code ? error_set(error, code, "output: cannot be written") : 0;
}

/* ------------------------------------------------------------------ events --follow */

struct following {
	const struct call *call;
	uint64_t last; /* the number of the last one that was shown */
	bool closed;   /* nobody reads the output */
};

static bool line_come(void *context, const char *line, size_t length)
{
	struct following *following = context;
	json_t *event = json_loadb(line, length, 0, NULL), *sequence;

	if (!event)
		return true; /* an empty line, to find out whether we are there */
	sequence = json_object_get(event, "sequence");
	if (sequence)
		following->last = (uint64_t)json_integer_value(sequence);
	following->closed = event_print(following->call, event) != 0 || fflush(stdout) != 0;
	json_decref(event);
	return !following->closed;
}

/* Also over restarts of the agent, whose numbers go on. */
static int follow_run(struct call *call, struct error *error)
{
	struct following following = {.call = call};
	char first[512], path[600];
	bool told = false;
	int code;

	query_make(call, first, sizeof(first), "/v1/events");
	for (;;) {
		if (following.last)
			snprintf(path, sizeof(path), "%s&follow=1&after=%llu", first,
				 (unsigned long long)following.last);
		else
			snprintf(path, sizeof(path), "%s&follow=1", first);
		code = client_lines(call, path, line_come, &following, error);
		if (following.closed)
			return error_set(error, -EPIPE, "output: cannot be written");
		/* Refused, or never there: no matter of waiting. */
		if (code && !following.last && !told)
			return code;
		if (!told)
			talk("the agent has gone; waiting for it");
		told = true;
		sleep(RETRY_S);
	}
}

static int events_run(struct call *call, struct error *error)
{
	return call_text(call, "--follow") ? follow_run(call, error)
					   : list_run(call, "/v1/events", error);
}

static int journal_run(struct call *call, struct error *error)
{
	return list_run(call, "/v1/journal", error);
}

#define PARAMETERS_EVENTS                                                                     \
	{.name = "--service",                                                                 \
	 .value = "NAME",                                                                     \
	 .kind = PARAMETER_NAME,                                                              \
	 .help = "only what concerns this service"},                                          \
		{.name = "--since",                                                           \
		 .value = "TIME",                                                             \
		 .kind = PARAMETER_DURATION,                                                  \
		 .help = "only the latest, e.g. 10m"},                                        \
	{                                                                                     \
		.name = "--last", .letter = 'n', .value = "N", .kind = PARAMETER_NUMBER,      \
		.minimum = 1, .maximum = 4096, .help = "so many of the latest (default: 30)", \
	}

const struct verb events_verbs[] = {
	{
		.name = "events",
		.summary = "show what happened: changes and all else, who or what did it, and why",
		.example = "sluice events --follow",
		.parameters =
			{
				PARAMETERS_EVENTS,
				{.name = "--follow",
				 .letter = 'f',
				 .kind = PARAMETER_FLAG,
				 .help = "go on with what happens from now on, until interrupted"},
			},
		.run = events_run,
	},
	{
		.name = "journal",
		.summary = "show the changes that are journaled: what, who, and why",
		.example = "sluice journal --service web --since 1h",
		.parameters = {PARAMETERS_EVENTS},
		.run = journal_run,
	},
	{0},
};

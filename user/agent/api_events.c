// SPDX-License-Identifier: GPL-2.0-only
/* The requests for events and for the journal, as a list or a stream, and for the maps' check. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api_call.h"
#include "agent/guard.h"
#include "agent/journal.h"
#include "model/scale_history.h"

#define LIMIT_DEFAULT 100u
#define LIMIT_MAX     4096u

struct query {
	struct event_filter filter;
	uint64_t after;
	uint64_t limit;
	bool after_given, follow;
};

static int number_read(const struct api_call *call, const char *name, uint64_t max, bool *ret_given,
		       uint64_t *number, struct error *error)
{
	const char *text = http_query(call->request, name);
	unsigned long long value;
	char *end;

	*ret_given = text != NULL;
	if (!text)
		return 0;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || value > max)
		return error_set(error, -EINVAL, "%s: not a whole number of at most %" PRIu64, name,
				 max);
	*number = value;
	return 0;
}

static int query_read(const struct api_call *call, struct query *query, struct error *error)
{
	uint64_t follow = 0;
	bool given;
	int err = number_read(call, "after", INT64_MAX, &query->after_given, &query->after, error);

	if (!err)
		err = number_read(call, "since_ms", INT64_MAX, &given, &query->filter.since_ms,
				  error);
	query->limit = LIMIT_DEFAULT;
	if (!err)
		err = number_read(call, "limit", LIMIT_MAX, &given, &query->limit, error);
	if (!err)
		err = number_read(call, "follow", 1, &given, &follow, error);
	query->filter.service = http_query(call->request, "service");
	query->follow = follow != 0;
	return err;
}

/* ------------------------------------------------------------------ a list */

static int list_answer(struct api_call *call, const struct query *query, struct error *error)
{
	const struct event_log *log = journal_events(call->agent->journal);
	uint64_t after = query->after_given ? query->after
					    : event_log_tail(log, &query->filter, query->limit);
	json_t *events = json_array();
	const struct event *event;

	while ((event = event_log_after(log, after)) != NULL &&
	       json_array_size(events) < query->limit) {
		after = event->sequence;
		if (event_fits(event, &query->filter) &&
		    json_array_append_new(events, json_loads(event->text, 0, NULL)))
			break;
	}
	call->answer = json_pack("{so,sI,so,sb}", "events", events, "last", (json_int_t)after,
				 "next", event ? json_integer((json_int_t)after) : json_null(),
				 "lost", query->after_given && event_log_lost(log, query->after));
	return call->answer ? 0 : error_set(error, -ENOMEM, "events: out of memory");
}

/* ------------------------------------------------------------------ a stream */

/* A reader: what it has got, and the line that it is getting. */
struct follower {
	struct agent *agent;
	struct event_filter filter;
	char *service;
	uint64_t after;
	char *line;
	size_t length, sent;
};

static void follower_free(void *context)
{
	struct follower *follower = context;

	free(follower->service);
	free(follower->line);
	free(follower);
}

/* A copy, for an event may make room while a slow reader gets it. */
static bool line_set(struct follower *follower, const char *text, size_t length)
{
	free(follower->line);
	follower->line = malloc(length + 1);
	follower->length = follower->sent = 0;
	if (!follower->line)
		return false;
	memcpy(follower->line, text, length);
	follower->line[length] = '\n';
	follower->length = length + 1;
	return true;
}

static bool line_next(struct follower *follower)
{
	static const char lost[] =
		"{\"event\":\"lost\",\"why\":\"the reader was too slow, or events "
		"after that number are forgotten\"}";
	const struct event_log *log = journal_events(follower->agent->journal);
	const struct event *event;

	if (follower->after && event_log_lost(log, follower->after)) {
		event = event_log_after(log, 0);
		follower->after = event ? event->sequence - 1 : event_log_last(log);
		return line_set(follower, lost, sizeof(lost) - 1);
	}
	while ((event = event_log_after(log, follower->after)) != NULL) {
		follower->after = event->sequence;
		if (event_fits(event, &follower->filter))
			return line_set(follower, event->text, event->length);
	}
	return false;
}

static size_t follower_read(void *context, char *buffer, size_t room)
{
	struct follower *follower = context;
	size_t filled = 0;

	while (filled < room) {
		size_t some = follower->length - follower->sent;

		if (!some) {
			if (!line_next(follower))
				break;
			continue;
		}
		if (some > room - filled)
			some = room - filled;
		memcpy(buffer + filled, follower->line + follower->sent, some);
		follower->sent += some;
		filled += some;
	}
	return filled;
}

static int stream_answer(struct api_call *call, const struct query *query, struct error *error)
{
	const struct event_log *log = journal_events(call->agent->journal);
	const char *service = query->filter.service;
	struct follower *follower;

	if (!http_stream_room(call->agent->api))
		return error_set(error, -EBUSY,
				 "events: %u readers follow already; end one of them",
				 HTTP_STREAMS_MAX);
	follower = calloc(1, sizeof(*follower));
	if (!follower)
		return error_set(error, -ENOMEM, "events: out of memory");
	*follower = (struct follower){
		.agent = call->agent,
		.filter = query->filter,
		.service = service ? strdup(service) : NULL,
		.after = query->after_given ? query->after
					    : event_log_tail(log, &query->filter, query->limit),
	};
	follower->filter.service = follower->service;
	if (service && !follower->service) {
		free(follower);
		return error_set(error, -ENOMEM, "events: out of memory");
	}
	call->stream.read = follower_read;
	call->stream.free = follower_free;
	call->stream.context = follower;
	return 0;
}

int api_events_get(struct api_call *call, struct error *error)
{
	struct query query = {0};
	int err = query_read(call, &query, error);

	if (err)
		return err;
	return query.follow ? stream_answer(call, &query, error) : list_answer(call, &query, error);
}

int api_journal_get(struct api_call *call, struct error *error)
{
	struct query query = {.filter.changes_only = true};
	int err = query_read(call, &query, error);

	if (err)
		return err;
	if (query.follow)
		return error_set(error, -EINVAL, "follow: the journal is no stream; follow events");
	return list_answer(call, &query, error);
}

#define DECISIONS_DEFAULT 20u

int api_scale_history_get(struct api_call *call, struct error *error)
{
	const char *service = call->names[0];
	uint64_t limit = DECISIONS_DEFAULT;
	const struct pool *pool;
	json_t *decisions;
	bool given;
	int err = api_pool(call, &pool, error);

	if (!err)
		err = number_read(call, "limit", LIMIT_MAX, &given, &limit, error);
	if (err)
		return err;
	decisions = scale_history(journal_events(call->agent->journal), service, limit);
	if (!decisions)
		return error_set(error, -ENOMEM, "history: out of memory");
	call->answer = json_pack("{ss,so}", "service", service, "decisions", decisions);
	return 0;
}

/* ------------------------------------------------------------------ whether the maps are right */

#define FINDINGS_MAX 100u

static void finding_add(void *context, const char *text)
{
	json_t *list = context;

	if (json_array_size(list) < FINDINGS_MAX)
		json_array_append_new(list, json_string(text));
}

int api_check_get(struct api_call *call, struct error *error)
{
	json_t *list = json_array();
	size_t prefixes = 0;
	int err = list ? dataplane_check(call->agent->dataplane, call->agent->desired->state,
					 finding_add, list)
		       : -ENOMEM;

	if (!err)
		err = guard_check(call->agent, &prefixes);
	if (err) {
		json_decref(list);
		return error_set(error, err, "check: %s", strerror(-err));
	}
	if (prefixes)
		finding_add(list, "prefixes of the guard differ");
	call->answer =
		json_pack("{sb,so}", "equal", json_array_size(list) == 0, "differences", list);
	return 0;
}

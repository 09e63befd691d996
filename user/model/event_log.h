/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The events that the agent remembers: the latest ones, in their order, bounded in number and in
 * bytes. Each is kept as the JSON object that the API shows. Pure.
 */
#ifndef MODEL_EVENT_LOG_H
#define MODEL_EVENT_LOG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event {
	uint64_t sequence;
	uint64_t time_ms; /* since 1970 */
	bool change;      /* of what is wanted: the journal's */
	char *services;   /* ",web,api,", or "" */
	size_t length;
	char *text; /* JSON, one line without its end; NUL-terminated */
};

struct event_log;

/* NULL: no memory. event_log_free takes NULL. */
struct event_log *event_log_new(size_t count_max, size_t bytes_max);
void event_log_free(struct event_log *log);

/*
 * event_log_add - an object with "sequence", "time_ms", "event" and perhaps "services", behind all
 * that are there: a number that is not above theirs, and what is no such object, is -EINVAL. The
 * oldest ones make room. 0, -EINVAL or -ENOMEM.
 */
int event_log_add(struct event_log *log, const json_t *object);

/* event_log_after - the first with a number above this one; NULL: there is none. */
const struct event *event_log_after(const struct event_log *log, uint64_t sequence);

/* event_log_last - the sequence of the newest; 0: there is none. */
uint64_t event_log_last(const struct event_log *log);
/* event_log_lost - whether events behind this one were there and had to make room. */
bool event_log_lost(const struct event_log *log, uint64_t sequence);
size_t event_log_count(const struct event_log *log);

/* What a reader asks for. */
struct event_filter {
	const char *service; /* NULL: any, and those that concern none */
	uint64_t since_ms;
	bool changes_only;
};
bool event_fits(const struct event *event, const struct event_filter *filter);

/*
 * event_log_tail - the sequence to read on from, so that event_log_after gives the last `count`
 * that fit.
 */
uint64_t event_log_tail(const struct event_log *log, const struct event_filter *filter,
			size_t count);

#endif

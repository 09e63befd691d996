// SPDX-License-Identifier: GPL-2.0-only
/* The latest events, in a ring. */
#include "model/event_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct event_log {
	size_t count_max, bytes_max;
	size_t first, count, bytes; /* events[first] is the oldest */
	uint64_t dropped;           /* the newest of those that made room; 0: none did */
	struct event events[];
};

struct event_log *event_log_new(size_t count_max, size_t bytes_max)
{
	struct event_log *log = calloc(1, sizeof(*log) + count_max * sizeof(log->events[0]));

	if (log) {
		log->count_max = count_max;
		log->bytes_max = bytes_max;
	}
	return log;
}

/* The oldest is 0. */
static struct event *event_at(const struct event_log *log, size_t index)
{
	return (struct event *)(uintptr_t)&log->events[(log->first + index) % log->count_max];
}

static size_t event_bytes(const struct event *event)
{
	return event->length + strlen(event->services) + 2;
}

static void event_drop(struct event_log *log)
{
	struct event *event = event_at(log, 0);

	log->bytes -= event_bytes(event);
	log->dropped = event->sequence;
	free(event->text);
	free(event->services);
	log->first = (log->first + 1) % log->count_max;
	log->count--;
}

void event_log_free(struct event_log *log)
{
	while (log && log->count)
		event_drop(log);
	free(log);
}

static char *services_join(const json_t *list)
{
	size_t size = 2, i;
	const json_t *item;
	char *text, *end;

	json_array_foreach(list, i, item) size += json_string_length(item) + 1;
	text = end = malloc(size);
	if (!text)
		return NULL;
	json_array_foreach(list, i, item)
	{
		*end++ = ',';
		end = stpcpy(end, json_is_string(item) ? json_string_value(item) : "");
	}
	if (json_array_size(list))
		*end++ = ',';
	*end = '\0';
	return text;
}

int event_log_add(struct event_log *log, const json_t *object)
{
	const json_t *sequence = json_object_get(object, "sequence");
	const json_t *time_ms = json_object_get(object, "time_ms");
	const char *word = json_string_value(json_object_get(object, "event"));
	struct event event = {
		.sequence = (uint64_t)json_integer_value(sequence),
		.time_ms = (uint64_t)json_integer_value(time_ms),
		.change = word && !strcmp(word, "change"),
	};

	if (!json_is_integer(time_ms) || !word || event.sequence <= event_log_last(log))
		return -EINVAL;
	event.text = json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER);
	event.services = services_join(json_object_get(object, "services"));
	if (!event.text || !event.services) {
		free(event.text);
		free(event.services);
		return -ENOMEM;
	}
	event.length = strlen(event.text);
	while (log->count &&
	       (log->count == log->count_max || log->bytes + event_bytes(&event) > log->bytes_max))
		event_drop(log);
	*event_at(log, log->count++) = event;
	log->bytes += event_bytes(&event);
	return 0;
}

/* The index of the first with a number above this one; the count if there is none. */
static size_t index_after(const struct event_log *log, uint64_t sequence)
{
	size_t low = 0, high = log->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (event_at(log, middle)->sequence > sequence)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

const struct event *event_log_after(const struct event_log *log, uint64_t sequence)
{
	size_t index = index_after(log, sequence);

	return index < log->count ? event_at(log, index) : NULL;
}

uint64_t event_log_last(const struct event_log *log)
{
	return log->count ? event_at(log, log->count - 1)->sequence : 0;
}

bool event_log_lost(const struct event_log *log, uint64_t sequence)
{
	return sequence < log->dropped;
}

size_t event_log_count(const struct event_log *log)
{
	return log->count;
}

/* Whether ",web,api," has the name. */
static bool services_have(const char *services, const char *name)
{
	size_t length = strlen(name);

	while (*services == ',' && services[1]) {
		services++;
		if (!strncmp(services, name, length) && services[length] == ',')
			return true;
		services += strcspn(services, ",");
	}
	return false;
}

bool event_fits(const struct event *event, const struct event_filter *filter)
{
	return event->time_ms >= filter->since_ms && (event->change || !filter->changes_only) &&
	       (!filter->service || services_have(event->services, filter->service));
}

uint64_t event_log_tail(const struct event_log *log, const struct event_filter *filter,
			size_t count)
{
	size_t index = log->count;

	while (index && count) {
		index--;
		count -= event_fits(event_at(log, index), filter);
	}
	if (count)
		return 0;
	return index < log->count ? event_at(log, index)->sequence - 1 : event_log_last(log);
}

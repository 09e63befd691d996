// SPDX-License-Identifier: GPL-2.0-only
/* The autoscaler's past decisions, put together from events. */
#include "model/scale_history.h"

#include <string.h>

struct history {
	json_t *decisions; /* those of all events */
	bool failed;       /* no memory */
};

static void set(struct history *history, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value))
		history->failed = true;
}

static void copy(struct history *history, json_t *object, const char *key, const json_t *from)
{
	const json_t *value = json_object_get(from, key);

	set(history, object, key, value ? json_deep_copy(value) : json_null());
}

static json_t *last_of(const json_t *list)
{
	size_t size = json_array_size(list);

	return size ? json_array_get(list, size - 1) : NULL;
}

/* The latest action of a backend, or NULL. */
static json_t *action_find(const struct history *history, const char *backend)
{
	for (size_t i = json_array_size(history->decisions); i--;) {
		const json_t *actions =
			json_object_get(json_array_get(history->decisions, i), "actions");

		for (size_t j = json_array_size(actions); j--;) {
			json_t *action = json_array_get(actions, j);
			const char *name = json_string_value(json_object_get(action, "backend"));

			if (name && !strcmp(name, backend))
				return action;
		}
	}
	return NULL;
}

static void action_end(struct history *history, json_t *action, const char *outcome,
		       const json_t *event)
{
	double begun_ms = json_number_value(json_object_get(action, "time_ms"));
	double ended_ms = json_number_value(json_object_get(event, "time_ms"));

	set(history, action, "outcome", json_string(outcome));
	if (json_is_null(json_object_get(action, "took_s")))
		set(history, action, "took_s", json_real((ended_ms - begun_ms) / 1000));
}

/* The decision that an action belongs to: that of the action before, or a new one. */
static json_t *decision_of(struct history *history, const json_t *event, const json_t *scale)
{
	json_t *last = last_of(history->decisions);

	if (last &&
	    json_equal(json_object_get(last, "decision"), json_object_get(scale, "decision")))
		return last;
	last = json_object();
	if (!last || json_array_append_new(history->decisions, last)) {
		history->failed = true;
		return NULL;
	}
	copy(history, last, "decision", scale);
	copy(history, last, "time", event);
	copy(history, last, "time_ms", event);
	copy(history, last, "from", scale);
	copy(history, last, "to", scale);
	copy(history, last, "why", scale);
	copy(history, last, "text", scale);
	set(history, last, "actions", json_array());
	return last;
}

static void action_add(struct history *history, const json_t *event, const json_t *scale)
{
	const char *kind = json_string_value(json_object_get(scale, "action"));
	const char *backend = json_string_value(json_object_get(scale, "backend"));
	bool back = !strcmp(kind, "undrain") || !strcmp(kind, "wake");
	json_t *before = backend ? action_find(history, backend) : NULL;
	json_t *decision = decision_of(history, event, scale), *action = json_object();

	if (!decision || !action ||
	    json_array_append(json_object_get(decision, "actions"), action)) {
		history->failed = true;
		json_decref(action);
		return;
	}
	/* What drained is in use again. */
	if (before && back && json_is_null(json_object_get(before, "outcome")))
		action_end(history, before, "taken back", event);
	copy(history, action, "action", scale);
	copy(history, action, "backend", scale);
	copy(history, action, "time_ms", event);
	set(history, action, "outcome", back ? json_string("done") : json_null());
	set(history, action, "took_s", json_null());
	set(history, action, "note", json_null());
	json_decref(action);
}

static void outcome_add(struct history *history, const json_t *event, const json_t *scale)
{
	const char *outcome = json_string_value(json_object_get(scale, "outcome"));
	const char *backend = json_string_value(json_object_get(scale, "backend"));
	json_t *action = outcome && backend ? action_find(history, backend) : NULL;
	const char *before = json_string_value(json_object_get(action, "outcome"));

	/* Of a creation that failed it is no news that nothing is left of it. */
	if (!action || (before && !strcmp(before, "failed")))
		return;
	action_end(history, action, outcome, event);
	if (json_object_get(scale, "note"))
		copy(history, action, "note", scale);
}

static void event_take(struct history *history, const struct event *event)
{
	json_t *object = json_loadb(event->text, event->length, 0, NULL);
	const json_t *scale = json_object_get(object, "scale");

	if (json_is_string(json_object_get(scale, "action")))
		action_add(history, object, scale);
	else if (scale)
		outcome_add(history, object, scale);
	json_decref(object);
}

json_t *scale_history(const struct event_log *log, const char *service, size_t count)
{
	const struct event_filter filter = {.service = service};
	struct history history = {.decisions = json_array()};
	const struct event *event = event_log_after(log, 0);

	history.failed = !history.decisions;
	for (; event && !history.failed; event = event_log_after(log, event->sequence)) {
		/* Most events are of another kind: they need not be read. */
		if (event_fits(event, &filter) && strstr(event->text, "\"scale\":{"))
			event_take(&history, event);
	}
	if (history.failed) {
		json_decref(history.decisions);
		return NULL;
	}
	while (json_array_size(history.decisions) > count)
		json_array_remove(history.decisions, 0);
	return history.decisions;
}

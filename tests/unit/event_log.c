// SPDX-License-Identifier: GPL-2.0-only
/* Tests of user/model/event_log.h: order, bounds, filters. */
#include "unit.h"

#include <errno.h>

#include "model/event_log.h"

static int add(struct event_log *log, uint64_t sequence, const char *event, const char *one,
	       const char *other)
{
	json_t *object = json_pack("{s:I, s:I, s:s, s:[s*, s*]}", "sequence", (json_int_t)sequence,
				   "time_ms", 1000 * (json_int_t)sequence, "event", event,
				   "services", one, other);
	int code = event_log_add(log, object);

	assert_non_null(object);
	json_decref(object);
	return code;
}

/* The numbers of those that fit, from one on, as "3 4 7". */
static const char *listed(const struct event_log *log, const struct event_filter *filter,
			  uint64_t after)
{
	static char text[256];
	const struct event *event;

	*text = '\0';
	while ((event = event_log_after(log, after)) != NULL) {
		after = event->sequence;
		if (event_fits(event, filter))
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%llu",
				 *text ? " " : "", (unsigned long long)after);
	}
	return text;
}

static void ordered(void **context)
{
	struct event_log *log = event_log_new(8, 4096);
	const struct event_filter all = {0};

	(void)context;
	assert_int_equal(event_log_last(log), 0);
	assert_null(event_log_after(log, 0));
	assert_int_equal(add(log, 5, "change", NULL, NULL), 0);
	assert_int_equal(add(log, 5, "change", NULL, NULL), -EINVAL);
	assert_int_equal(add(log, 4, "change", NULL, NULL), -EINVAL);
	assert_int_equal(add(log, 9, "change", NULL, NULL), 0);
	assert_string_equal(listed(log, &all, 0), "5 9");
	assert_string_equal(listed(log, &all, 5), "9");
	assert_string_equal(listed(log, &all, 7), "9");
	assert_string_equal(listed(log, &all, 9), "");
	assert_int_equal(event_log_last(log), 9);
	event_log_free(log);
	event_log_free(NULL);
}

static void not_events(void **context)
{
	struct event_log *log = event_log_new(8, 4096);
	json_t *object = json_pack("{s:i, s:i}", "sequence", 1, "time_ms", 2);

	(void)context;
	assert_int_equal(event_log_add(log, object), -EINVAL);
	assert_int_equal(event_log_add(log, NULL), -EINVAL);
	assert_int_equal(event_log_count(log), 0);
	json_decref(object);
	event_log_free(log);
}

static void bounded(void **context)
{
	const struct event_filter all = {0};
	struct event_log *few = event_log_new(3, 1 << 20), *small = event_log_new(1000, 300);

	(void)context;
	for (uint64_t sequence = 1; sequence <= 100; sequence++) {
		assert_int_equal(add(few, sequence, "change", NULL, NULL), 0);
		assert_int_equal(add(small, sequence, "change", NULL, NULL), 0);
		assert_true(event_log_count(few) <= 3);
		assert_true(event_log_count(small) * 50 <= 300);
	}
	assert_string_equal(listed(few, &all, 0), "98 99 100");
	assert_int_equal(event_log_last(small), 100);
	assert_true(event_log_count(small) > 1);
	event_log_free(few);
	event_log_free(small);
}

static void filtered(void **context)
{
	struct event_log *log = event_log_new(8, 4096);

	(void)context;
	add(log, 1, "change", "web", NULL);
	add(log, 2, "interface", NULL, NULL);
	add(log, 3, "provisioner", "web-2", "web");
	add(log, 4, "change", "web-2", NULL);
	add(log, 5, "change", "we", "b");
	assert_string_equal(listed(log, &(struct event_filter){.service = "web"}, 0), "1 3");
	assert_string_equal(listed(log, &(struct event_filter){.service = "web-2"}, 0), "3 4");
	assert_string_equal(listed(log, &(struct event_filter){.service = "b"}, 0), "5");
	assert_string_equal(listed(log, &(struct event_filter){.service = ""}, 0), "");
	assert_string_equal(listed(log, &(struct event_filter){.changes_only = true}, 0), "1 4 5");
	assert_string_equal(listed(log, &(struct event_filter){.since_ms = 3001}, 0), "4 5");
	event_log_free(log);
}

static void tail(void **context)
{
	const struct event_filter all = {0}, web = {.service = "web"};
	struct event_log *log = event_log_new(8, 4096);

	(void)context;
	assert_int_equal(event_log_tail(log, &all, 3), 0);
	for (uint64_t sequence = 1; sequence <= 6; sequence++)
		add(log, sequence, "change", sequence % 2 ? "web" : "api", NULL);
	assert_string_equal(listed(log, &all, event_log_tail(log, &all, 0)), "");
	assert_string_equal(listed(log, &all, event_log_tail(log, &all, 2)), "5 6");
	assert_string_equal(listed(log, &web, event_log_tail(log, &web, 2)), "3 5");
	assert_string_equal(listed(log, &web, event_log_tail(log, &web, 50)), "1 3 5");
	event_log_free(log);
}

static const struct CMUnitTest cases[] = {
	CASE(ordered, "control/events: numbers rise, and reading goes on behind any of them"),
	CASE(not_events, "control/events: what is no event is not taken"),
	CASE(bounded, "control/events: the oldest go when there are too many, or too many bytes"),
	CASE(filtered, "control/events: filters by service, kind and time"),
	CASE(tail, "control/events: the last ones that fit are found"),
};

UNIT_MAIN("event_log", cases)

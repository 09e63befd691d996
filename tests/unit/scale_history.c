// SPDX-License-Identifier: GPL-2.0-only
/* Tests of user/model/scale_history.h: decisions and what came of them, put together from events. */
#include "unit.h"

#include "model/scale_history.h"

static void event(struct event_log *log, uint64_t time_ms, const char *scale)
{
	json_t *object = json_pack(
		"{sI,sI,ss,ss,s[s]}", "sequence", (json_int_t)event_log_last(log) + 1, "time_ms",
		(json_int_t)time_ms, "time", "then", "event", "change", "services", "web");

	if (scale)
		assert_int_equal(json_object_set_new(object, "scale", json_loads(scale, 0, NULL)),
				 0);
	assert_int_equal(event_log_add(log, object), 0);
	json_decref(object);
}

static const json_t *action_of(const json_t *decisions, size_t decision, size_t action)
{
	return json_array_get(json_object_get(json_array_get(decisions, decision), "actions"),
			      action);
}

static void assert_action(const json_t *action, const char *name, const char *outcome,
			  double took_s)
{
	const char *found = json_string_value(json_object_get(action, "outcome"));

	assert_string_equal(json_string_value(json_object_get(action, "backend")), name);
	assert_string_equal(found ? found : "none", outcome);
	assert_true(json_number_value(json_object_get(action, "took_s")) == took_s);
}

static struct event_log *log_full(void)
{
	struct event_log *log = event_log_new(100, 100000);

	event(log, 500, NULL);
	event(log, 1000,
	      "{\"decision\":1000,\"action\":\"create\",\"backend\":\"a\",\"from\":0,\"to\":2,"
	      "\"why\":\"up\",\"text\":\"need 2\"}");
	event(log, 1001,
	      "{\"decision\":1000,\"action\":\"create\",\"backend\":\"b\",\"from\":0,\"to\":2,"
	      "\"why\":\"up\"}");
	event(log, 3500, "{\"backend\":\"a\",\"outcome\":\"created\"}");
	event(log, 4001, "{\"backend\":\"b\",\"outcome\":\"failed\",\"note\":\"no quota\"}");
	event(log, 5000, "{\"backend\":\"b\",\"outcome\":\"deleted\"}");
	event(log, 9000,
	      "{\"decision\":9000,\"action\":\"drain\",\"backend\":\"a\",\"from\":1,\"to\":0,"
	      "\"why\":\"down\",\"text\":\"need 0\"}");
	event(log, 9500,
	      "{\"decision\":9500,\"action\":\"undrain\",\"backend\":\"a\",\"from\":0,\"to\":1,"
	      "\"why\":\"up\",\"text\":\"need 1\"}");
	event(log, 10000,
	      "{\"decision\":10000,\"action\":\"drain\",\"backend\":\"a\",\"from\":1,\"to\":0,"
	      "\"why\":\"down\",\"text\":\"need 0\"}");
	return log;
}

static void put_together(void **context)
{
	struct event_log *log = log_full();
	json_t *decisions = scale_history(log, "web", 10);

	(void)context;
	assert_int_equal(json_array_size(decisions), 4);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(decisions, 0), "text")), "need 2");
	assert_action(action_of(decisions, 0, 0), "a", "created", 2.5);
	assert_action(action_of(decisions, 0, 1), "b", "failed", 3);
	assert_string_equal(json_string_value(json_object_get(action_of(decisions, 0, 1), "note")),
			    "no quota");
	assert_action(action_of(decisions, 1, 0), "a", "taken back", 0.5);
	assert_action(action_of(decisions, 2, 0), "a", "done", 0);
	assert_action(action_of(decisions, 3, 0), "a", "none", 0);
	json_decref(decisions);
	event(log, 12000, "{\"backend\":\"a\",\"outcome\":\"drained\"}");
	event(log, 12500, "{\"backend\":\"a\",\"outcome\":\"deleted\"}");
	event(log, 13000, "{\"backend\":\"x\",\"outcome\":\"deleted\"}");
	decisions = scale_history(log, "web", 1);
	assert_int_equal(json_array_size(decisions), 1);
	assert_action(action_of(decisions, 0, 0), "a", "deleted", 2);
	json_decref(decisions);
	decisions = scale_history(log, "other", 10);
	assert_int_equal(json_array_size(decisions), 0);
	json_decref(decisions);
	event_log_free(log);
}

/* The event of a decision has made room for others: what came of it belongs to nothing. */
static void forgotten(void **context)
{
	struct event_log *log = event_log_new(2, 100000);
	json_t *decisions;

	(void)context;
	event(log, 1000,
	      "{\"decision\":1000,\"action\":\"create\",\"backend\":\"a\",\"from\":0,\"to\":1,"
	      "\"why\":\"up\",\"text\":\"need 1\"}");
	event(log, 2000, NULL);
	event(log, 3000, "{\"backend\":\"a\",\"outcome\":\"created\"}");
	decisions = scale_history(log, "web", 10);
	assert_int_equal(json_array_size(decisions), 0);
	json_decref(decisions);
	event_log_free(log);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		CASE(put_together, "autoscale/history: decisions and what came of them are put "
				   "together from events"),
		CASE(forgotten, "autoscale/history: what came of a forgotten decision is left out"),
	};

	return unit_run("scale_history", cases, sizeof(cases) / sizeof(cases[0]));
}

// SPDX-License-Identifier: GPL-2.0-only
/* Tests of user/model/state_delta.h: deltas, one after the other, make the state again. */
#include "make.h"

#include <errno.h>

#include "model/state_delta.h"

/* Pools in the order of their names: an image need not keep the state's. */
static json_t *sorted(json_t *state)
{
	json_t *by_name = json_object(), *pool;
	size_t i;

	json_array_foreach(json_object_get(state, "pools"), i, pool)
	{
		json_object_set(by_name,
				json_string_value(
					json_object_get(json_object_get(pool, "service"), "name")),
				pool);
	}
	json_object_set_new(state, "pools", by_name);
	return state;
}

static void assert_image(const struct state_image *image, const struct state *state,
			 const struct guard *guard)
{
	json_t *want = sorted(state_to_json(state)), *got = sorted(state_image_state(image));
	json_t *want_guard = guard_to_json(guard), *got_guard = NULL;
	struct guard *read = NULL;
	struct error error;

	assert_true(json_equal(want, got));
	assert_int_equal(state_image_guard(image, &got_guard, &error), 0);
	/* By way of the reader: lists of the trail come in the order in which they were first set. */
	assert_int_equal(guard_from_json(got_guard, &read, &error), 0);
	for (size_t i = 0; i < guard->scope_count; i++) {
		const struct guard_scope *scope = &guard->scopes[i];
		const struct guard_scope *found = guard_scope_find(read, scope->service);
		const char *text = scope->runtime ? guard_list_text(scope->runtime) : "";
		const char *text_found =
			found && found->runtime ? guard_list_text(found->runtime) : "";

		assert_string_equal(text, text_found);
	}
	assert_true(json_array_size(got_guard) == json_array_size(want_guard));
	guard_free(read);
	json_decref(want);
	json_decref(got);
	json_decref(want_guard);
	json_decref(got_guard);
}

/* One random change; names and addresses are few, so that much of it meets what is there. */
static void change_make(struct state *state, struct guard *guard, uint64_t *seed)
{
	static const char *const services[] = {"a", "b", "c"};
	static const char *const backends[] = {"x", "y", "z"};
	static const char *const addresses[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3"};
	size_t place = unit_next(seed) % 3;
	const char *service = services[unit_next(seed) % 3], *backend = backends[place];
	struct service_config config =
		service_make(service, "192.0.2.80", (uint16_t)(80 + (*service - 'a')), 8);
	struct backend_config one =
		backend_make(backend, addresses[place], 1 + (uint32_t)(unit_next(seed) % 100));
	struct guard_rule rule = {.answer = (enum guard_answer)(unit_next(seed) % 3)};
	struct error error;
	char text[32];

	snprintf(text, sizeof(text), "10.%u.0.0/16", (unsigned int)(unit_next(seed) % 4));
	assert_int_equal(prefix_parse(text, &rule.prefix, &error), 0);
	switch (unit_next(seed) % 8) {
	case 0:
		state_service_add(state, &config, ORIGIN_RUNTIME, &error);
		break;
	case 1:
		state_service_remove(state, service, &error);
		break;
	case 2:
	case 3:
		state_backend_add(state, service, &one, ORIGIN_RUNTIME, &error);
		break;
	case 4:
		state_backend_remove(state, service, backend, &error);
		break;
	case 5:
		state_backend_drain(state, service, backend, unit_next(seed) % 2 * 1000, &error);
		break;
	case 6:
		state_purged(state);
		break;
	default:
		/* On an error the guard is to be thrown away; so the caller's clone is. */
		if (rule.answer != GUARD_NONE)
			guard_set(guard, unit_next(seed) % 2 ? service : NULL, &rule, 1, &error);
	}
	guard_prune(guard, state);
}

static void random_changes(void **context)
{
	struct state *state = state_new(&limits_small);
	struct guard *guard = guard_new();
	struct state_image image = {0};
	uint64_t seed = 11;
	size_t empty = 0;

	(void)context;
	for (int round = 0; round < 600; round++) {
		struct state *next = state_clone(state);
		struct guard *next_guard = guard_clone(guard);
		json_t *delta = json_object(), *again = json_object();
		struct error error = {""};

		change_make(next, next_guard, &seed);
		assert_int_equal(state_delta(round ? state : NULL, next, delta), 0);
		assert_int_equal(guard_delta(round ? guard : NULL, next_guard, delta), 0);
		assert_int_equal(state_image_apply(&image, delta, &error), 0);
		assert_image(&image, next, next_guard);
		/* And nothing leads from a state to itself. */
		assert_int_equal(state_delta(next, next, again), 0);
		assert_int_equal(guard_delta(next_guard, next_guard, again), 0);
		assert_int_equal(json_object_size(again), 0);
		empty += json_object_size(delta) == 0;
		json_decref(delta);
		json_decref(again);
		state_free(state);
		guard_free(guard);
		state = next;
		guard = next_guard;
	}
	assert_true(empty > 10 && empty < 500);
	state_image_clear(&image);
	state_free(state);
	guard_free(guard);
}

static void only_what_changed(void **context)
{
	struct state *state = state_new(&limits_small), *next;
	struct service_config a = service_make("a", "192.0.2.1", 80, 8);
	struct service_config b = service_make("b", "192.0.2.2", 80, 8);
	json_t *delta = json_object();
	struct error error;

	(void)context;
	assert_int_equal(state_service_add(state, &a, ORIGIN_CONFIG, &error), 0);
	assert_int_equal(state_service_add(state, &b, ORIGIN_CONFIG, &error), 0);
	next = state_clone(state);
	backend_add(next, "b", "x", "10.0.0.1");
	assert_int_equal(state_delta(state, next, delta), 0);
	assert_int_equal(json_object_size(delta), 1);
	assert_int_equal(json_array_size(json_object_get(delta, "pools")), 1);
	json_decref(delta);
	state_free(state);
	state_free(next);
}

static void refused(void **context)
{
	static const char *const texts[] = {
		"[]",
		"{\"head\":1}",
		"{\"pools\":{}}",
		"{\"pools\":[{}]}",
		"{\"removed\":[\"none\"]}",
		"{\"removed\":7}",
		"{\"guard\":{}}",
		"{\"guard\":[{\"set\":\"\"}]}",
		"{\"guard\":[{\"service\":null,\"set\":7}]}",
		"{\"guard\":[{\"service\":null,\"set\":\"deny rubbish none\"}]}",
	};

	(void)context;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct state_image image = {0};
		struct error error = {""};
		json_t *delta = json_loads(texts[i], 0, NULL);

		assert_non_null(delta);
		assert_int_equal(state_image_apply(&image, delta, &error), -EINVAL);
		assert_string_not_equal(error.text, "");
		json_decref(delta);
		state_image_clear(&image);
	}
}

static const struct CMUnitTest cases[] = {
	CASE(random_changes, "control/journal: deltas of any changes make the state again"),
	CASE(only_what_changed, "control/journal: a delta has the changed service, and no other"),
	CASE(refused, "control/journal: what is no delta is refused"),
};

UNIT_MAIN("state_delta", cases)

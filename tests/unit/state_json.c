// SPDX-License-Identifier: GPL-2.0-only
/* Tests of the saved state: what survives the way through JSON, and what is refused on it. */
#include "make.h"

#include <errno.h>

/* A state with something of everything. */
static struct state *state_full(void)
{
	struct state *state = state_new(&limits_small);
	json_t *options = json_pack("{ss}", "bridge", "br0");
	struct provider *provider = provider_new("/usr/lib/p", "me", options, 5000);
	struct ip address = ip_make("2001:db8::9");
	struct web web;

	web_make(&web);
	web.service.autoscale = &web.scale;
	apply(state, &web);
	service_add(state, "gone", "192.0.2.81", 8);
	service_add(state, "dns", "2001:db8::53", 30);
	assert_int_equal(state_service_remove(state, "gone", NULL), 0);
	backend_add(state, "dns", "d1", "2001:db8::1");
	backend_add(state, "dns", "d2", "2001:db8::2");
	backend_add(state, "dns", "d3", "2001:db8::3");
	assert_int_equal(state_backend_remove(state, "dns", "d1", NULL), 0);
	pool_edit(state, "dns")->numbers[0] = NUMBER_PURGED;
	assert_int_equal(state_backend_remove(state, "dns", "d2", NULL), 0);
	assert_int_equal(state_backend_intend(state, "web", "web-sluice-1", NULL), 0);
	assert_int_equal(state_backend_provider(state, "web", "web-sluice-1", provider, NULL), 0);
	provider_put(provider);
	json_decref(options);
	assert_int_equal(state_backend_created(state, "web", "web-sluice-1", &address, 8, NULL), 0);
	assert_int_equal(state_backend_drain(state, "web", "web-sluice-1", 1790000000000, NULL), 0);
	assert_int_equal(state_backend_intend(state, "web", "web-sluice-2", NULL), 0);
	assert_int_equal(state_backend_fail(state, "web", "web-sluice-2", "no \"quota\"", NULL), 0);
	assert_int_equal(state_backend_weight(state, "web", "w1", 0, NULL), 0);
	return state;
}

static void json_round_trip(void **context)
{
	struct state *state = state_full(), *copy = NULL;
	json_t *first = state_to_json(state), *second, *third;
	struct error error;

	(void)context;
	assert_non_null(first);
	if (state_from_json(first, &copy, &error))
		fail_msg("%s", error.text);
	second = state_to_json(copy);
	assert_true(json_equal(first, second));
	assert_int_equal(steps_since(state_clone(state), copy), 0);
	assert_int_equal(copy->retired_count, 1);
	assert_int_equal(state_pool(copy, "dns")->numbers[0], NUMBER_PURGED);
	assert_int_equal(state_pool(copy, "dns")->numbers[1], NUMBER_RETIRED);
	assert_string_equal(backend_of(copy, "web", "web-sluice-2")->note, "no \"quota\"");
	assert_string_equal(backend_of(copy, "web", "web-sluice-1")->provider->owner, "me");
	assert_int_equal(backend_of(copy, "web", "web-sluice-1")->provider->delay_ms, 5000);
	state_free(state);
	state = state_clone(copy);
	state_free(copy);
	third = state_to_json(state);
	assert_true(json_equal(first, third));
	json_decref(first);
	json_decref(second);
	json_decref(third);
	state_free(state);
}

/* Follow "pools.0.id" down. */
static json_t *json_at(json_t *value, const char *path)
{
	char copy[128], *saved = NULL;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *part = strtok_r(copy, ".", &saved); part; part = strtok_r(NULL, ".", &saved))
		value = json_is_array(value) ? json_array_get(value, strtoul(part, NULL, 10))
					     : json_object_get(value, part);
	return value;
}

static void json_damage(void **context)
{
	static const struct {
		const char *path, *key, *value;
	} rows[] = {
		{"", "version", "2"},
		{"", "limits", "null"},
		{"limits", "services", "-1"},
		{"limits", "services", "1"},
		{"limits", "slots", "1000"},
		{"", "pools", "7"},
		{"", "retired", "[{}]"},
		{"pools.0", "id", "1"},
		{"pools.0", "id", "99"},
		{"pools.0", "backend_base", "14"},
		{"pools.0", "backend_capacity", "0"},
		{"pools.0", "slot_count", "16381"},
		{"pools.0", "slot_line", "[0]"},
		{"pools.0", "slot_line", "[0, 0]"},
		{"pools.0", "origin", "\"nowhere\""},
		{"pools.0", "sequence", "\"1\""},
		{"pools.0", "retired", "[-1]"},
		{"pools.0", "retired", "[14]"},
		{"pools.0", "scale_configured", "{}"},
		{"pools.0", "service", "[]"},
		{"pools.0", "backends", "{}"},
		{"pools.0.service", "name", "\"dns\""},
		{"pools.0.service", "backends_max", "9"},
		{"pools.1.service", "protocol", "\"sctp\""},
		{"pools.0.backends.0", "name", "\"w2\""},
		{"pools.0.backends.0", "name", "\"W\""},
		{"pools.0.backends.0", "address", "\"10.0.0.2\""},
		{"pools.0.backends.0", "address", "\"0.0.0.0\""},
		{"pools.0.backends.0", "number", "1"},
		{"pools.0.backends.0", "number", "14"},
		{"pools.0.backends.0", "number", "null"},
		{"pools.0.backends.0", "state", "\"lazy\""},
		{"pools.0.backends.0", "weight", "1001"},
		{"pools.0.backends.0", "weight_runtime", "4294967295"},
		{"pools.0.backends.0", "deadline_ms", "\"soon\""},
		{"pools.0.backends.0", "port", "65536"},
	};
	struct state *state = state_full();

	(void)context;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *object = state_to_json(state), *place = json_at(object, rows[i].path);
		struct error error = {.text = ""};
		struct state *copy = NULL;

		assert_true(json_is_object(place));
		json_object_set_new(place, rows[i].key,
				    json_loads(rows[i].value, JSON_DECODE_ANY, NULL));
		if (state_from_json(object, &copy, &error) != -EINVAL)
			fail_msg("%s.%s = %s is taken", rows[i].path, rows[i].key, rows[i].value);
		assert_null(copy);
		assert_int_equal(strncmp(error.text, "saved state: ", 13), 0);
		json_decref(object);
	}
	state_free(state);
}

static void json_damage_says_where(void **context)
{
	struct state *state = state_full(), *copy = NULL;
	json_t *object = state_to_json(state);
	struct error error;

	(void)context;
	json_object_set_new(json_at(object, "pools.1.backends.0"), "weight", json_integer(-1));
	assert_refused(state_from_json(object, &copy, &error), -EINVAL, &error,
		       "saved state: pools[1].weight: is absent, not a whole number, or out of "
		       "range");
	json_decref(object);
	state_free(state);
}

static const struct CMUnitTest cases[] = {
	CASE(json_round_trip, "unit/state: a state survives the way through JSON"),
	CASE(json_damage, "unit/state: a damaged saved state is refused"),
	CASE(json_damage_says_where, "unit/state: a damaged saved state is refused with its place"),
};

UNIT_MAIN("state_json", cases)

// SPDX-License-Identifier: GPL-2.0-only
/* States share what they have in common, and no edit of one is seen in another. */
#include <errno.h>

#include "make.h"

#define SERVICES 6

static struct state *state_of_services(void)
{
	struct state *state = state_new(&limits_small);

	for (int i = 0; i < SERVICES; i++) {
		char name[] = "s0", vip[] = "192.0.2.10", address[] = "10.0.0.1";

		name[1] = (char)('0' + i);
		vip[9] = (char)('0' + i);
		service_add(state, name, vip, 8);
		backend_add(state, name, "w1", address);
		address[7] = '2';
		backend_add(state, name, "w2", address);
	}
	return state;
}

/* How many pools the two have in common. */
static int shared(const struct state *a, const struct state *b)
{
	int count = 0;

	for (size_t i = 0; i < a->pool_count; i++)
		count += state_pool(b, a->pools[i]->service->name) == a->pools[i];
	return count;
}

static void edits_unshare(void **context)
{
	struct state *before = state_of_services(), *after = state_clone(before);
	struct error error;

	(void)context;
	assert_int_equal(shared(before, after), SERVICES);
	assert_int_equal(state_backend_weight(after, "s1", "w1", 7, &error), 0);
	assert_int_equal(shared(before, after), SERVICES - 1);
	assert_int_equal(state_backend_drain(after, "s1", "w2", 0, &error), 0);
	assert_int_equal(shared(before, after), SERVICES - 1);
	assert_int_equal(backend_weight(backend_of(before, "s1", "w1")), 100);
	assert_int_equal(backend_weight(backend_of(after, "s1", "w1")), 7);
	assert_int_equal(backend_of(before, "s1", "w2")->life, LIFE_ACTIVE);
	assert_int_equal(state_service_remove(after, "s0", &error), 0);
	assert_int_equal(shared(before, after), SERVICES - 2);
	assert_null(state_pool(after, "s0"));
	assert_string_equal(state_pool(after, "s5")->service->name, "s5");
	state_free(before);
	assert_int_equal(backend_weight(backend_of(after, "s1", "w1")), 7);
	assert_int_equal(backend_weight(backend_of(after, "s2", "w1")), 100);
	state_free(after);
}

static void failed_edits_unseen(void **context)
{
	struct state *before = state_of_services(), *draft = state_clone(before);
	struct backend_config twin = backend_make("w3", "10.0.0.1", 100);
	struct error error;

	(void)context;
	assert_int_equal(state_backend_add(draft, "s3", &twin, ORIGIN_RUNTIME, &error), -EEXIST);
	assert_null(pool_backend(state_pool(draft, "s3"), "w3"));
	assert_int_equal(state_backend_add(draft, "s9", &twin, ORIGIN_RUNTIME, &error), -ENOENT);
	state_free(draft);
	assert_int_equal(state_pool(before, "s3")->backend_count, 2);
	assert_int_equal(state_pool(before, "s3")->users, 1);
	state_free(before);
}

/* A plan looks at what differs alone: its steps are of that one pool. */
static void plan_of_one(void **context)
{
	struct state *before = state_of_services(), *after = state_clone(before);
	struct plan *plan;
	struct error error;

	(void)context;
	assert_int_equal(state_backend_weight(after, "s4", "w1", 7, &error), 0);
	assert_int_equal(plan_make(before, after, &plan), 0);
	assert_int_equal(plan->step_count, 1);
	assert_int_equal(plan->steps[0].kind, PLAN_TABLE_PUBLISH);
	assert_string_equal(plan->steps[0].pool->service->name, "s4");
	plan_free(plan);
	state_free(before);
	state_free(after);
}

static void reload_shares(void **context)
{
	struct state *before = state_new(&limits_small), *after;
	struct web web;

	(void)context;
	web_make(&web);
	web.service.autoscale = &web.scale;
	apply(before, &web);
	after = state_clone(before);
	apply(after, &web);
	assert_int_equal(shared(before, after), 1);
	web.backends[0].weight = 9;
	apply(after, &web);
	assert_int_equal(shared(before, after), 0);
	state_free(after);
	after = state_clone(before);
	web.backends[0].weight = 100;
	web.service.drain_ms++;
	apply(after, &web);
	assert_int_equal(shared(before, after), 0);
	assert_int_equal(state_pool(before, "web")->service->drain_ms + 1,
			 state_pool(after, "web")->service->drain_ms);
	state_free(before);
	state_free(after);
}

static void purge_shares(void **context)
{
	struct state *before = state_of_services(), *after;
	struct error error;

	(void)context;
	assert_int_equal(state_backend_remove(before, "s2", "w1", &error), 0);
	after = state_clone(before);
	assert_int_equal(state_purged(after), 0);
	assert_int_equal(shared(before, after), SERVICES - 1);
	assert_int_equal(state_pool(before, "s2")->numbers[0], NUMBER_RETIRED);
	assert_int_equal(state_pool(after, "s2")->numbers[0], NUMBER_PURGED);
	state_free(before);
	state_free(after);
}

/* Many backends come and go, some of one pool; names and addresses are found all the time. */
static void names_and_addresses(void **context)
{
	struct limits_config limits = {
		.services = 1, .backends = 1024, .slots = 1 << 21, .flows = 1024};
	struct state *state = state_new(&limits);
	bool there[200] = {false};
	uint64_t random = 3;
	char name[16], address[24];
	struct error error;

	(void)context;
	service_add(state, "a", "192.0.2.1", 200);
	for (int i = 0; i < 3000; i++) {
		uint32_t number = (uint32_t)(unit_next(&random) % 200);
		struct backend_config backend;

		snprintf(name, sizeof(name), "w%u", number);
		snprintf(address, sizeof(address), "10.0.1.%u", number);
		backend = backend_make(name, address, 100);
		assert_int_equal(!pool_backend(state_pool(state, "a"), name), !there[number]);
		if (there[number]) {
			backend.name = (char *)(uintptr_t) "other";
			assert_int_equal(
				state_backend_add(state, "a", &backend, ORIGIN_RUNTIME, &error),
				-EEXIST);
			assert_int_equal(state_backend_remove(state, "a", name, &error), 0);
		} else {
			assert_int_equal(
				state_backend_add(state, "a", &backend, ORIGIN_RUNTIME, &error), 0);
		}
		there[number] = !there[number];
		if (i % 30 == 29)
			assert_int_equal(state_purged(state), 0);
	}
	state_free(state);
}

static const struct CMUnitTest cases[] = {
	CASE(edits_unshare, "unit/share: an edit makes its own pool its own, and no other"),
	CASE(failed_edits_unseen, "unit/share: an edit that fails is not seen in the original"),
	CASE(plan_of_one, "unit/share: a plan has steps of what the states do not share"),
	CASE(reload_shares, "unit/share: a reload shares what the config did not change"),
	CASE(purge_shares, "unit/share: a purge shares pools without retired numbers"),
	CASE(names_and_addresses, "unit/share: backends that come and go are found by name and "
				  "address"),
};

UNIT_MAIN("share", cases)

// SPDX-License-Identifier: GPL-2.0-only
/* Tests of user/model/state.h: blocks and numbers, lives of backends, reloads, saved state. */
#include "make.h"

#include <errno.h>

#include "sluice/limits.h"

static void blocks_are_apart(void **context)
{
	struct state *state = state_new(&limits_small);
	const struct pool *a, *b;

	(void)context;
	service_add(state, "a", "192.0.2.1", 8);
	service_add(state, "b", "192.0.2.2", 30);
	a = state_pool(state, "a");
	b = state_pool(state, "b");
	assert_int_equal(a->backend_capacity, 14);
	assert_int_equal(b->backend_capacity, 41);
	assert_int_equal(a->id, 0);
	assert_int_equal(b->id, 1);
	assert_int_equal(b->backend_base, 14);
	assert_int_equal(a->slot_count, SLUICE_SLOTS_SMALL);
	assert_int_equal(b->slot_count, SLUICE_SLOTS_MEDIUM);
	/* 4,093 slots fill 256 lines, 16,381 fill 1,024. */
	assert_int_equal(a->slot_line[0], 0);
	assert_int_equal(a->slot_line[1], 256);
	assert_int_equal(b->slot_line[0], 512);
	assert_int_equal(b->slot_line[1], 1536);
	assert_null(state_pool(state, "c"));
	state_free(state);
}

static void blocks_wait_for_purge(void **context)
{
	struct state *state = state_new(&limits_small);

	(void)context;
	service_add(state, "a", "192.0.2.1", 8);
	service_add(state, "b", "192.0.2.2", 8);
	assert_int_equal(state_service_remove(state, "a", NULL), 0);
	assert_int_equal(state->retired_count, 1);
	service_add(state, "c", "192.0.2.3", 8);
	assert_int_equal(state_pool(state, "c")->id, 2);
	assert_int_equal(state_pool(state, "c")->backend_base, 28);
	assert_int_equal(state_pool(state, "c")->slot_line[0], 1024);
	assert_int_equal(state_purged(state), 0);
	service_add(state, "d", "192.0.2.4", 8);
	assert_int_equal(state_pool(state, "d")->id, 0);
	assert_int_equal(state_pool(state, "d")->backend_base, 0);
	assert_int_equal(state_pool(state, "d")->slot_line[0], 0);
	assert_int_equal(state_pool(state, "d")->slot_line[1], 256);
	state_free(state);
}

static void numbers_wait_for_purge(void **context)
{
	struct state *state = state_new(&limits_small);
	struct error error;

	(void)context;
	service_add(state, "a", "192.0.2.1", 1);
	/* A capacity of 1 + 0 + 4. */
	for (uint32_t number = 0; number < 5; number++) {
		backend_add(state, "a", "w", "10.0.0.1");
		assert_int_equal(backend_of(state, "a", "w")->number, number);
		if (number == 2)
			assert_int_equal(state_purged(state), 0);
		assert_int_equal(state_backend_remove(state, "a", "w", NULL), 0);
	}
	/* 0 and 1 were purged and come back after the fresh ones; 2, 3, 4 wait. */
	backend_add(state, "a", "w", "10.0.0.1");
	assert_int_equal(backend_of(state, "a", "w")->number, 0);
	assert_int_equal(state_backend_remove(state, "a", "w", NULL), 0);
	backend_add(state, "a", "w", "10.0.0.1");
	assert_int_equal(state_backend_remove(state, "a", "w", NULL), 0);
	{
		struct backend_config backend = backend_make("w", "10.0.0.1", 100);

		assert_int_equal(state_backend_add(state, "a", &backend, ORIGIN_RUNTIME, &error),
				 -ENOSPC);
	}
	assert_message(&error, "backend w: all 5 numbers of service a are in use or wait until "
			       "flows of removed backends are gone; try again later or raise "
			       "backends_max");
	assert_null(pool_backend(state_pool(state, "a"), "w"));
	assert_int_equal(state_purged(state), 0);
	backend_add(state, "a", "w", "10.0.0.1");
	assert_int_equal(backend_of(state, "a", "w")->number, 0);
	state_free(state);
}

static void limits_are_named(void **context)
{
	struct limits_config limits = {.services = 1, .backends = 100, .slots = 20000, .flows = 8};
	struct service_config service = service_make("b", "192.0.2.2", 80, 8);
	struct state *state = state_new(&limits);
	struct error error;

	(void)context;
	service_add(state, "a", "192.0.2.1", 8);
	assert_refused(state_service_add(state, &service, ORIGIN_CONFIG, &error), -ENOSPC, &error,
		       "service b: no room left in limits.services 1; raise it (and lower "
		       "backends_max where it is too large)");
	state->limits.services = 4;
	service.backends_max = 80;
	assert_refused(state_service_add(state, &service, ORIGIN_CONFIG, &error), -ENOSPC, &error,
		       "service b: no room left in limits.backends 100; raise it (and lower "
		       "backends_max where it is too large)");
	service.backends_max = 30;
	assert_refused(state_service_add(state, &service, ORIGIN_CONFIG, &error), -ENOSPC, &error,
		       "service b: no room left in limits.slots 20000; raise it (and lower "
		       "backends_max where it is too large)");
	assert_int_equal(state->pool_count, 1);
	service.backends_max = 8;
	assert_int_equal(state_service_add(state, &service, ORIGIN_CONFIG, &error), 0);
	assert_int_equal(state_service_remove(state, "b", &error), 0);
	assert_refused(state_service_add(state, &service, ORIGIN_CONFIG, &error), -ENOSPC, &error,
		       "service b: no room left in limits.slots 20000; raise it (and lower "
		       "backends_max where it is too large), or try again when flows of removed "
		       "services are gone");
	state_free(state);
}

static void services_refused(void **context)
{
	struct service_config service = service_make("a", "192.0.2.2", 80, 8);
	struct backend_config twins[] = {backend_make("w1", "10.0.0.1", 1),
					 backend_make("w2", "10.0.0.1", 1)};
	struct state *state = state_new(&limits_small);
	struct error error;

	(void)context;
	service_add(state, "a", "192.0.2.1", 8);
	assert_refused(state_service_add(state, &service, ORIGIN_RUNTIME, &error), -EEXIST, &error,
		       "service a: is there already; remove it first or choose another name");
	service = service_make("b", "192.0.2.1", 80, 8);
	assert_refused(state_service_add(state, &service, ORIGIN_RUNTIME, &error), -EEXIST, &error,
		       "service b: 192.0.2.1 tcp port 80 belongs to service a; give it another or "
		       "remove that service");
	service.vip = ip_make("192.0.2.3");
	service.backends = twins;
	service.backend_count = 2;
	assert_refused(state_service_add(state, &service, ORIGIN_RUNTIME, &error), -EEXIST, &error,
		       "backend w2: address 10.0.0.1 belongs to backend w1 of service b; remove "
		       "that first");
	assert_refused(state_service_remove(state, "b", &error), -ENOENT, &error,
		       "service b: there is none of this name; 'sluice service ls' lists them");
	assert_int_equal(state->pool_count, 1);
	assert_int_equal(state->retired_count, 0);
	state_free(state);
}

static void backends_refused(void **context)
{
	struct backend_config backend = backend_make("w2", "10.0.0.1", 100);
	struct state *state = state_new(&limits_small);
	struct error error;

	(void)context;
	service_add(state, "a", "192.0.2.1", 2);
	backend_add(state, "a", "w1", "10.0.0.1");
	assert_refused(state_backend_add(state, "b", &backend, ORIGIN_RUNTIME, &error), -ENOENT,
		       &error,
		       "service b: there is none of this name; 'sluice service ls' lists them");
	assert_refused(state_backend_add(state, "a", &backend, ORIGIN_RUNTIME, &error), -EEXIST,
		       &error,
		       "backend w2: address 10.0.0.1 belongs to backend w1 of service a; remove "
		       "that first");
	backend = backend_make("w1", "10.0.0.2", 100);
	assert_refused(state_backend_add(state, "a", &backend, ORIGIN_RUNTIME, &error), -EEXIST,
		       &error,
		       "backend w1: service a has one of this name; remove it first or choose "
		       "another name");
	backend = backend_make("w2", "192.0.2.1", 100);
	assert_refused(state_backend_add(state, "a", &backend, ORIGIN_RUNTIME, &error), -EINVAL,
		       &error,
		       "backend w2: address 192.0.2.1 is the VIP of service a; give the server's "
		       "own address");
	backend = backend_make("w2", "10.0.0.2", 1001);
	assert_refused(state_backend_add(state, "a", &backend, ORIGIN_RUNTIME, &error), -EINVAL,
		       &error, "backend w2: weight 1001 is above 1000; 0 gives it no new flows");
	assert_refused(state_backend_weight(state, "a", "w1", 1001, &error), -EINVAL, &error,
		       "backend w1: weight 1001 is above 1000; 0 gives it no new flows");
	assert_refused(
		state_backend_remove(state, "a", "w9", &error), -ENOENT, &error,
		"backend w9: service a has none of this name; 'sluice backend ls a' lists them");
	service_edit(state, "a")->mode = FORWARD_MODE_NAT;
	backend = backend_make("w2", "2001:db8::2", 100);
	assert_refused(state_backend_add(state, "a", &backend, ORIGIN_RUNTIME, &error), -EINVAL,
		       &error,
		       "backend w2: address 2001:db8::2 is not of the family of the VIP, which "
		       "mode nat keeps; give its IPv4 address");
	backend_add(state, "a", "w2", "10.0.0.2");
	assert_refused(state_backend_intend(state, "a", "w3", &error), -ENOSPC, &error,
		       "backend w3: service a has its backends_max of 2; raise it in the config");
	assert_refused(state_backend_undrain(state, "a", "w1", &error), -EINVAL, &error,
		       "backend w1: is active, not draining; nothing to take back");
	state_free(state);
}

static void life_of_a_backend(void **context)
{
	struct state *state = state_new(&limits_small);
	struct ip address = ip_make("10.0.0.9");
	const struct pool_backend *backend;
	struct error error;

	(void)context;
	service_add(state, "a", "192.0.2.1", 8);
	assert_int_equal(state_backend_intend(state, "a", "a-sluice-7", &error), 0);
	assert_int_equal(state_pool(state, "a")->sequence, 7);
	backend = backend_of(state, "a", "a-sluice-7");
	assert_int_equal(backend->life, LIFE_PROVISIONING);
	assert_int_equal(backend->origin, ORIGIN_AUTOSCALE);
	assert_int_equal(backend->number, NO_NUMBER);
	assert_false(backend_alive(backend));
	assert_int_equal(backend_weight(backend), 0);
	assert_refused(state_backend_drain(state, "a", "a-sluice-7", 0, &error), -EINVAL, &error,
		       "backend a-sluice-7: is provisioning and has no flows to drain; remove it "
		       "instead");
	assert_int_equal(state_backend_created(state, "a", "a-sluice-7", &address, 81, &error), 0);
	assert_int_equal(backend->life, LIFE_ACTIVE);
	assert_int_equal(backend->port, 81);
	assert_int_equal(backend->number, 0);
	assert_int_equal(backend_weight(backend), 100);
	assert_int_equal(state_backend_created(state, "a", "a-sluice-7", &address, 81, &error),
			 -EINVAL);
	assert_int_equal(state_backend_fail(state, "a", "a-sluice-7", "x", &error), -EINVAL);
	assert_int_equal(state_backend_weight(state, "a", "a-sluice-7", 5, &error), 0);
	assert_int_equal(backend_weight(backend), 5);
	assert_int_equal(state_backend_drain(state, "a", "a-sluice-7", 1234, &error), 0);
	assert_int_equal(backend_weight(backend), 0);
	assert_true(backend_alive(backend));
	assert_int_equal(state_backend_drain(state, "a", "a-sluice-7", 5678, &error), 0);
	assert_int_equal(backend->deadline_ms, 5678);
	assert_int_equal(state_backend_undrain(state, "a", "a-sluice-7", &error), 0);
	assert_int_equal(backend->deadline_ms, 0);
	assert_int_equal(backend_weight(backend), 5);
	assert_int_equal(state_backend_deleting(state, "a", "a-sluice-7", &error), 0);
	assert_int_equal(backend->number, NO_NUMBER);
	assert_false(backend_alive(backend));
	assert_int_equal(state_pool(state, "a")->numbers[0], NUMBER_RETIRED);
	assert_int_equal(state_backend_fail(state, "a", "a-sluice-7", "quota", &error), 0);
	assert_string_equal(backend->note, "quota");
	assert_int_equal(state_backend_deleting(state, "a", "a-sluice-7", &error), 0);
	assert_int_equal(state_backend_remove(state, "a", "a-sluice-7", &error), 0);
	assert_null(pool_backend(state_pool(state, "a"), "a-sluice-7"));
	/* Its name is not minted again. */
	assert_int_equal(state_backend_intend(state, "a", "a-sluice-3", &error), 0);
	assert_int_equal(state_pool(state, "a")->sequence, 7);
	state_free(state);
}

static void drained_and_back(void **context)
{
	struct state *state = state_new(&limits_small);
	const struct pool_backend *backend;
	struct error error;

	(void)context;
	service_add(state, "a", "192.0.2.1", 2);
	backend_add(state, "a", "w1", "10.0.0.1");
	backend_add(state, "a", "w2", "10.0.0.2");
	assert_refused(state_backend_drained(state, "a", "w1", &error), -EINVAL, &error,
		       "backend w1: is active, not draining");
	assert_int_equal(state_backend_drain(state, "a", "w1", 5, &error), 0);
	assert_int_equal(state_backend_drained(state, "a", "w1", &error), 0);
	backend = backend_of(state, "a", "w1");
	assert_false(backend_alive(backend));
	assert_int_equal(backend->number, NO_NUMBER);
	assert_int_equal(backend->deadline_ms, 0);
	/* Its place in the pool is kept for it, its number is not. */
	assert_int_equal(state_backend_intend(state, "a", "w3", &error), -ENOSPC);
	assert_int_equal(state_backend_undrain(state, "a", "w1", &error), 0);
	assert_true(backend_alive(backend));
	assert_int_equal(backend->number, 2);
	assert_int_equal(backend_weight(backend), 100);
	state_free(state);
}

static void reload_changes_nothing(void **context)
{
	struct state *state = state_new(&limits_small), *before;
	struct web web;

	(void)context;
	web_make(&web);
	apply(state, &web);
	before = state_clone(state);
	apply(state, &web);
	assert_int_equal(steps_since(before, state), 0);
	state_free(state);
}

static void reload_keeps_runtime(void **context)
{
	struct state *state = state_new(&limits_small);
	struct ip address = ip_make("10.0.0.9");
	struct web web;

	(void)context;
	web_make(&web);
	web.service.autoscale = &web.scale;
	apply(state, &web);
	backend_add(state, "web", "extra", "10.0.0.8");
	assert_int_equal(state_backend_intend(state, "web", "web-sluice-1", NULL), 0);
	assert_int_equal(state_backend_created(state, "web", "web-sluice-1", &address, 0, NULL), 0);
	assert_int_equal(state_backend_weight(state, "web", "w1", 7, NULL), 0);
	assert_int_equal(state_backend_weight(state, "web", "w2", 7, NULL), 0);
	assert_int_equal(state_backend_drain(state, "web", "w2", 99, NULL), 0);
	service_edit(state, "web")->autoscale->max = 6;
	service_edit(state, "web")->autoscale->paused = true;
	assert_int_equal(state_backend_drain(state, "web", "w1", 99, NULL), 0);
	assert_int_equal(state_backend_drained(state, "web", "w1", NULL), 0);
	web.backends[1].weight = 50;
	web.scale.min = 2;
	apply(state, &web);
	assert_int_equal(backend_of(state, "web", "w1")->life, LIFE_DRAINED);
	assert_int_equal(backend_of(state, "web", "w1")->weight_runtime, 7);
	assert_int_equal(backend_of(state, "web", "w2")->life, LIFE_DRAINING);
	assert_int_equal(backend_of(state, "web", "w2")->deadline_ms, 99);
	assert_int_equal(backend_of(state, "web", "w2")->weight, 50);
	assert_int_equal(backend_of(state, "web", "w2")->weight_runtime, NO_WEIGHT);
	assert_int_equal(backend_of(state, "web", "extra")->origin, ORIGIN_RUNTIME);
	assert_int_equal(backend_of(state, "web", "web-sluice-1")->life, LIFE_ACTIVE);
	assert_int_equal(state_pool(state, "web")->service->autoscale->max, 6);
	assert_int_equal(state_pool(state, "web")->service->autoscale->min, 2);
	assert_true(state_pool(state, "web")->service->autoscale->paused);
	web.scale.max = 5;
	apply(state, &web);
	assert_int_equal(state_pool(state, "web")->service->autoscale->max, 5);
	state_free(state);
}

static void reload_follows_config(void **context)
{
	struct state *state = state_new(&limits_small);
	struct web web;

	(void)context;
	web_make(&web);
	apply(state, &web);
	backend_add(state, "web", "w3", "10.0.0.3");
	/* w1 has another address, w2 is dropped, w3 is the config's now. */
	web.backends[0] = backend_make("w1", "10.0.0.2", 100);
	web.backends[1] = backend_make("w3", "10.0.0.3", 20);
	apply(state, &web);
	assert_int_equal(state_pool(state, "web")->backend_count, 2);
	assert_int_equal(backend_of(state, "web", "w1")->number, 3);
	assert_int_equal(backend_of(state, "web", "w3")->number, 2);
	assert_int_equal(backend_of(state, "web", "w3")->origin, ORIGIN_CONFIG);
	assert_int_equal(backend_of(state, "web", "w3")->weight, 20);
	web.config.service_count = 0;
	apply(state, &web);
	assert_int_equal(state->pool_count, 0);
	assert_int_equal(state->retired_count, 1);
	state_free(state);
}

static void reload_moves_blocks(void **context)
{
	struct state *state = state_new(&limits_small);
	struct ip address = ip_make("10.0.0.9");
	struct web web;

	(void)context;
	web_make(&web);
	apply(state, &web);
	assert_int_equal(state_backend_intend(state, "web", "web-sluice-4", NULL), 0);
	assert_int_equal(state_backend_created(state, "web", "web-sluice-4", &address, 0, NULL), 0);
	assert_int_equal(state_backend_intend(state, "web", "web-sluice-5", NULL), 0);
	assert_int_equal(state_backend_weight(state, "web", "w1", 7, NULL), 0);
	web.service.port = 443;
	apply(state, &web);
	/* What the autoscaler has made is not forgotten, nor what a person set. */
	assert_int_equal(state_pool(state, "web")->id, 1);
	assert_int_equal(state_pool(state, "web")->sequence, 5);
	assert_int_equal(backend_of(state, "web", "web-sluice-4")->number, 2);
	assert_int_equal(backend_of(state, "web", "web-sluice-5")->life, LIFE_PROVISIONING);
	assert_int_equal(backend_weight(backend_of(state, "web", "w1")), 7);
	assert_int_equal(state->retired_count, 1);
	web.service.backends_max = 9;
	apply(state, &web);
	assert_int_equal(state_pool(state, "web")->slot_count, SLUICE_SLOTS_MEDIUM);
	assert_int_equal(state->retired_count, 2);
	state_free(state);
}

static void reload_drains(void **context)
{
	struct state *state = state_new(&limits_small);
	const struct pool_backend *w1;
	struct web web;

	(void)context;
	web_make(&web);
	web.backends[1].drain = true;
	apply(state, &web);
	assert_int_equal(backend_of(state, "web", "w2")->life, LIFE_DRAINING);
	assert_int_not_equal(backend_of(state, "web", "w2")->number, NO_NUMBER);
	/* A person's word stays until the config says something else about that very field. */
	assert_int_equal(state_backend_undrain(state, "web", "w2", NULL), 0);
	assert_int_equal(state_backend_drain(state, "web", "w1", 99, NULL), 0);
	web.backends[0].weight = 7;
	apply(state, &web);
	assert_int_equal(backend_of(state, "web", "w2")->life, LIFE_ACTIVE);
	w1 = backend_of(state, "web", "w1");
	assert_int_equal(w1->life, LIFE_DRAINING);
	/* The config says what a person said before: his deadline stays. */
	web.backends[0].drain = true;
	apply(state, &web);
	assert_int_equal(backend_of(state, "web", "w1")->deadline_ms, 99);
	assert_int_equal(state_backend_drained(state, "web", "w1", NULL), 0);
	apply(state, &web);
	assert_int_equal(backend_of(state, "web", "w1")->life, LIFE_DRAINED);
	web.backends[0].drain = web.backends[1].drain = false;
	apply(state, &web);
	w1 = backend_of(state, "web", "w1");
	assert_int_equal(w1->life, LIFE_ACTIVE);
	assert_int_equal(w1->deadline_ms, 0);
	assert_int_not_equal(w1->number, NO_NUMBER);
	state_free(state);
}

static void reload_maint(void **context)
{
	struct state *state = state_new(&limits_small);
	struct web web;

	(void)context;
	web_make(&web);
	web.backends[1].maint = true;
	apply(state, &web);
	assert_true(backend_of(state, "web", "w2")->maint);
	assert_false(backend_takes(backend_of(state, "web", "w2")));
	/* As with drains: a person's word stays until the config says something else. */
	assert_int_equal(state_backend_maint(state, "web", "w2", false, NULL), 0);
	assert_int_equal(state_backend_maint(state, "web", "w1", true, NULL), 0);
	web.backends[0].weight = 7;
	apply(state, &web);
	assert_false(backend_of(state, "web", "w2")->maint);
	assert_true(backend_of(state, "web", "w1")->maint);
	web.backends[0].maint = true;
	apply(state, &web);
	assert_true(backend_of(state, "web", "w1")->maint);
	web.backends[0].maint = web.backends[1].maint = false;
	apply(state, &web);
	assert_false(backend_of(state, "web", "w1")->maint);
	assert_false(backend_of(state, "web", "w2")->maint);
	state_free(state);
}

static void reload_config_wins(void **context)
{
	struct state *state = state_new(&limits_small);
	struct service_config service = service_make("web", "192.0.2.81", 80, 8);
	struct error error;
	struct web web;

	(void)context;
	assert_int_equal(state_service_add(state, &service, ORIGIN_RUNTIME, NULL), 0);
	service.name = (char *)(uintptr_t) "other";
	service.vip = ip_make("192.0.2.82");
	assert_int_equal(state_service_add(state, &service, ORIGIN_RUNTIME, NULL), 0);
	web_make(&web);
	apply(state, &web);
	assert_int_equal(state->pool_count, 2);
	assert_int_equal(state_pool(state, "web")->origin, ORIGIN_CONFIG);
	assert_true(ip_equal(&state_pool(state, "web")->service->vip, &web.service.vip));
	assert_int_equal(state_pool(state, "other")->origin, ORIGIN_RUNTIME);
	web.service.vip = ip_make("192.0.2.82");
	assert_refused(state_apply(state, &web.config, &error), -EEXIST, &error,
		       "service other: 192.0.2.82 tcp port 80 belongs to service web; give it "
		       "another or remove that service");
	state_free(state);
}

static void reload_keeps_limits(void **context)
{
	struct state *state = state_new(&limits_small);
	struct error error;
	struct web web;

	(void)context;
	web_make(&web);
	web.config.limits.backends = 2048;
	assert_refused(state_apply(state, &web.config, &error), -EINVAL, &error,
		       "limits.backends: the maps were made for 1024, the config wants 2048; "
		       "restart sluiced with the new config, or leave it at 1024");
	state_free(state);
}

static void reload_checks_families(void **context)
{
	struct state *state = state_new(&limits_small), *trial;
	struct error error;
	struct web web;

	(void)context;
	web_make(&web);
	web.service.mode = FORWARD_MODE_IPIP;
	apply(state, &web);
	backend_add(state, "web", "far", "2001:db8::1");
	web.service.mode = FORWARD_MODE_NAT;
	trial = state_clone(state);
	assert_refused(state_apply(trial, &web.config, &error), -EINVAL, &error,
		       "service web: mode nat keeps the family of the VIP, which is IPv4, and its "
		       "backend far has address 2001:db8::1; remove that backend, or leave the "
		       "service in another mode");
	state_free(trial);
	assert_int_equal(state_pool(state, "web")->service->mode, FORWARD_MODE_IPIP);
	assert_int_equal(backend_of(state, "web", "far")->life, LIFE_ACTIVE);
	/* One that drained can come back, as what it is. */
	assert_int_equal(state_backend_drain(state, "web", "far", 99, NULL), 0);
	assert_int_equal(state_backend_drained(state, "web", "far", NULL), 0);
	trial = state_clone(state);
	assert_int_equal(state_apply(trial, &web.config, NULL), -EINVAL);
	state_free(trial);
	assert_int_equal(state_backend_remove(state, "web", "far", NULL), 0);
	apply(state, &web);
	assert_int_equal(state_pool(state, "web")->service->mode, FORWARD_MODE_NAT);
	state_free(state);
}

static const struct CMUnitTest cases[] = {
	CASE(blocks_are_apart, "unit/state: each service has records and slot lines of its own"),
	CASE(blocks_wait_for_purge, "unit/state: blocks of a removed service wait for a purge"),
	CASE(numbers_wait_for_purge, "unit/state: numbers of removed backends wait for a purge"),
	CASE(limits_are_named, "unit/state: a limit that is reached is named"),
	CASE(services_refused, "unit/state: doubled services are refused and change nothing"),
	CASE(backends_refused, "unit/state: wrong changes of backends are refused with a reason"),
	CASE(life_of_a_backend, "unit/state: a backend is created, weighed, drained and deleted"),
	CASE(drained_and_back, "unit/state: a drained backend can come back, with a new number"),
	CASE(reload_changes_nothing, "unit/state: the same config again changes nothing"),
	CASE(reload_keeps_runtime, "unit/state: run-time changes survive a reload"),
	CASE(reload_drains, "unit/state: a drain of the config, and a person's beside it"),
	CASE(reload_maint, "unit/state: maint of the config, and a person's beside it"),
	CASE(reload_follows_config, "unit/state: a reload follows addresses, names and weights"),
	CASE(reload_moves_blocks, "unit/state: a new port or table size keeps the pool"),
	CASE(reload_config_wins, "unit/state: the config wins over services added at run time"),
	CASE(reload_checks_families,
	     "unit/state: a reload to mode nat is refused while a backend is of another family"),
	CASE(reload_keeps_limits, "unit/state: a reload cannot change the size of the maps"),
};

UNIT_MAIN("state", cases)

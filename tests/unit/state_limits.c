// SPDX-License-Identifier: GPL-2.0-only
/* Other limits for a state that has services: what fits stays, what does not gets other places. */
#include <errno.h>

#include "make.h"

static void larger(void **context)
{
	struct limits_config limits = limits_small;
	struct state *before = state_new(&limits_small), *after;
	struct error error;

	(void)context;
	service_add(before, "a", "192.0.2.1", 8);
	service_add(before, "b", "192.0.2.2", 8);
	assert_int_equal(state_service_remove(before, "a", &error), 0);
	after = state_clone(before);
	limits.services = limits.backends = 4096;
	limits.slots = limits.flows = 1 << 22;
	assert_int_equal(state_limits_change(after, &limits, &error), 0);
	assert_ptr_equal(state_pool(after, "b"), state_pool(before, "b"));
	assert_int_equal(after->retired_count, 1);
	assert_int_equal(after->limits.flows, 1 << 22);
	assert_int_equal(steps_since(before, after), 0);
	state_free(after);
}

static void smaller(void **context)
{
	struct limits_config limits = {
		.services = 2, .backends = 28, .slots = 2 * 2 * 4096, .flows = 8};
	struct state *before = state_new(&limits_small), *after;
	struct error error;

	(void)context;
	service_add(before, "a", "192.0.2.1", 8);
	service_add(before, "b", "192.0.2.2", 8);
	service_add(before, "c", "192.0.2.3", 8);
	backend_add(before, "c", "w1", "10.0.0.1");
	backend_add(before, "c", "w2", "10.0.0.2");
	assert_int_equal(state_backend_remove(before, "c", "w1", &error), 0);
	after = state_clone(before);
	assert_int_equal(state_limits_change(after, &limits, &error), -ENOSPC);
	assert_message(&error, "service c: no room left in limits.services 2; raise it (and lower "
			       "backends_max where it is too large)");
	state_free(after);
	assert_int_equal(state_service_remove(before, "a", &error), 0);
	after = state_clone(before);
	assert_int_equal(state_limits_change(after, &limits, &error), 0);
	/* b has the second place of all, and stays there. */
	assert_ptr_equal(state_pool(after, "b"), state_pool(before, "b"));
	assert_int_equal(state_pool(before, "c")->id, 2);
	assert_int_equal(state_pool(after, "c")->id, 0);
	assert_int_equal(state_pool(after, "c")->backend_base, 0);
	assert_int_equal(backend_of(after, "c", "w2")->number, 1);
	assert_int_equal(state_pool(after, "c")->numbers[0], NUMBER_RETIRED);
	assert_int_equal(after->retired_count, 0);
	state_free(before);
	state_free(after);
}

/* The room is there, but not in one piece. */
static void gaps(void **context)
{
	struct limits_config limits = {
		.services = 16, .backends = 14 + 14 + 29, .slots = 1 << 20, .flows = 8};
	struct state *state = state_new(&limits_small);
	struct error error;

	(void)context;
	service_add(state, "a", "192.0.2.1", 8);
	service_add(state, "b", "192.0.2.2", 8);
	service_add(state, "c", "192.0.2.3", 8);
	service_add(state, "d", "192.0.2.4", 20);
	assert_int_equal(state_service_remove(state, "b", &error), 0);
	assert_int_equal(state_limits_change(state, &limits, &error), 0);
	assert_int_equal(state_pool(state, "a")->backend_base, 0);
	assert_int_equal(state_pool(state, "c")->backend_base, 14);
	assert_int_equal(state_pool(state, "d")->backend_base, 28);
	state_free(state);
}

static const struct CMUnitTest cases[] = {
	CASE(larger, "unit/state_limits: larger limits move nothing"),
	CASE(smaller, "unit/state_limits: smaller limits move what does not fit, numbers stay"),
	CASE(gaps, "unit/state_limits: where the gaps are too small all is placed anew"),
};

UNIT_MAIN("state_limits", cases)

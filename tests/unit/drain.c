// SPDX-License-Identifier: GPL-2.0-only
/* Tests of user/model/drain.h: when a drain will be over. */
#include "unit.h"

#include <math.h>

#include "model/drain.h"

static double eta(const struct drain_history *history)
{
	double seconds = -1;

	return drain_eta(history, &seconds) ? seconds : -1;
}

static void unknown_at_first(void **context)
{
	struct drain_history history = {0};

	(void)context;
	assert_true(eta(&history) < 0);
	drain_note(&history, 5000, 100);
	assert_true(eta(&history) < 0);
	drain_note(&history, 6000, 90);
	assert_true(eta(&history) < 0);
	drain_note(&history, 7000, 81);
	assert_true(eta(&history) > 0);
}

static void nothing_left(void **context)
{
	struct drain_history history = {0};

	(void)context;
	drain_note(&history, 5000, 0);
	assert_true(eta(&history) == 0);
}

/* Half of what is left goes every 10 s: from 1024 flows to half a one in 110 s. */
static void exponential(void **context)
{
	struct drain_history history = {0};

	(void)context;
	for (uint32_t second = 0; second <= 60; second++)
		drain_note(&history, 1000 * second,
			   (uint32_t)(1024 * exp2(-(double)second / 10) + 0.5));
	assert_true(fabs(eta(&history) - 50) < 3);
}

/* Of a drain that lasts hours, the later half counts; counts may come at any pace. */
static void long_drains(void **context)
{
	struct drain_history history = {0};
	double live = 100000;

	(void)context;
	for (uint32_t step = 0; step < 100000; step++) {
		live *= step < 10000 ? 0.9999 : 0.99999;
		drain_note(&history, 300 * (uint64_t)step, (uint32_t)live);
	}
	/* rate: 1e-5 in 0.3 s */
	assert_true(fabs(eta(&history) / (log(2 * live) * 0.3 / 1e-5) - 1) < 0.05);
	assert_true(history.count <= DRAIN_SAMPLES);
	assert_true(history.samples[history.count - 1].time_ms > 300 * 90000);
}

static void not_falling(void **context)
{
	struct drain_history steady = {0}, rising = {0}, slow = {0};

	(void)context;
	for (uint32_t second = 0; second <= 40; second++) {
		drain_note(&steady, 1000 * second, 7);
		drain_note(&rising, 1000 * second, 7 + second / 10);
		drain_note(&slow, 1000 * second, second < 39 ? 4000000000 : 3999999999);
	}
	assert_true(eta(&steady) < 0);
	assert_true(eta(&rising) < 0);
	assert_true(eta(&slow) < 0);
}

/* It fell once, and hangs since: no promise is made of what is long ago. */
static void stragglers(void **context)
{
	struct drain_history history = {0};

	(void)context;
	for (uint32_t second = 0; second < 300; second++)
		drain_note(&history, 1000 * second, second < 20 ? 100 - 4 * second : 3);
	assert_true(eta(&history) < 0);
}

static const struct CMUnitTest cases[] = {
	CASE(unknown_at_first, "unit/drain: an end is told after three counts that fall"),
	CASE(nothing_left, "unit/drain: with no flow left it is now"),
	CASE(exponential, "unit/drain: an exponential fall is followed"),
	CASE(long_drains, "unit/drain: of a long drain the later half counts"),
	CASE(not_falling, "unit/drain: what does not fall has no end"),
	CASE(stragglers, "unit/drain: stragglers that stay have no end"),
};

UNIT_MAIN("drain", cases)

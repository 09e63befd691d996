// SPDX-License-Identifier: GPL-2.0-only
/* Tests of user/base/schedule.h: the first moment is always at hand. */
#include "base/schedule.h"
#include "unit.h"

#define MOMENTS 300

static const struct moment *first_by_hand(const struct moment *moments)
{
	const struct moment *first = NULL;

	for (size_t i = 0; i < MOMENTS; i++) {
		if (moments[i].place && (!first || moments[i].at_ms < first->at_ms))
			first = &moments[i];
	}
	return first;
}

static void random_course(void **context)
{
	struct moment *moments = calloc(MOMENTS, sizeof(*moments));
	struct schedule schedule = {0};
	uint64_t random = 5;

	(void)context;
	assert_non_null(moments);
	for (int i = 0; i < 20000; i++) {
		struct moment *moment = &moments[unit_next(&random) % MOMENTS];
		const struct moment *first, *wanted;

		if (unit_next(&random) % 3)
			assert_int_equal(schedule_set(&schedule, moment, unit_next(&random) % 1000),
					 0);
		else
			schedule_remove(&schedule, moment);
		first = schedule_first(&schedule);
		wanted = first_by_hand(moments);
		assert_int_equal(!first, !wanted);
		if (first)
			assert_int_equal(first->at_ms, wanted->at_ms);
	}
	schedule_clear(&schedule);
	assert_null(schedule_first(&schedule));
	assert_null(first_by_hand(moments));
	free(moments);
}

static const struct CMUnitTest cases[] = {
	CASE(random_course, "health/schedule: the first of all moments, whatever came and went"),
};

UNIT_MAIN("schedule", cases)

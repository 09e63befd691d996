// SPDX-License-Identifier: GPL-2.0-only
/* Tests of user/model/autoscale.h: what is not known, and courses that are out of the ordinary. */
#include <float.h>
#include <math.h>

#include "scene.h"

static void report(struct scene *scene, enum scale_signal signal, double sum, uint32_t known)
{
	scene->input.signals[signal] = (struct autoscale_signal){
		.fresh = known, .value = sum, .known = known, .asked = scene->input.active};
}

/* Scaled by what its backends report of their cpu, 70% each. */
static struct scene scene_by_cpu(uint32_t active)
{
	struct scene scene = scene_make(active);

	scene.config.signal = SIGNAL_CPU;
	scene.config.target = 70;
	return scene;
}

static const struct autoscale_output *step_cpu(struct scene *scene, double sum, uint32_t known)
{
	scene->input.now_ms += 1000;
	report(scene, SIGNAL_CPU, sum, known);
	autoscale_step(&scene->memory, &scene->config, &scene->input, &scene->output);
	return &scene->output;
}

static void unknown_of_some(void **context)
{
	struct scene scene = scene_by_cpu(5);

	(void)context;
	for (int second = 0; second < 100; second++) {
		/* Four of five idle: the fifth may be as busy as it should be, or more. */
		step_cpu(&scene, 40, 4);
		assert_int_equal(scene.output.need, 5);
		assert_int_equal(scene.output.drain, 0);
	}
	assert_int_equal(scene.output.why, SCALE_STALE);
	assert_non_null(strstr(scene.output.text, "demand 40% cpu of 4 of 5 backends"));
	assert_non_null(strstr(scene.output.next, "cpu (known of 4 of 5 backends) is not known"));
	/* Four at 90%: 360 and the fifth's 70 are more than six have. */
	for (int second = 0; second < 100; second++)
		step_cpu(&scene, 360, 4);
	assert_int_equal(scene.output.need, 7);
	assert_int_equal(scene.output.why, SCALE_UP);
	/* As soon as all report, what is too much goes after a hold. */
	scene = scene_by_cpu(5);
	for (int second = 0; second < 30; second++)
		assert_int_equal(step_cpu(&scene, 50, 5)->drain, 0);
	assert_int_equal(step_cpu(&scene, 50, 5)->drain, 1);
}

static void unknown_of_all(void **context)
{
	struct scene scene = scene_by_cpu(3);

	(void)context;
	for (int second = 0; second < 100; second++) {
		step_cpu(&scene, 0, 0);
		assert_int_equal(scene.output.need, 3);
		assert_int_equal(scene.output.drain + scene.output.create, 0);
	}
	assert_non_null(strstr(scene.output.text, "demand unknown% cpu of 0 of 3 backends"));
	/* The other signals still count. */
	scene.config.targets[SIGNAL_PACKETS] = 1000;
	scene.input.signals[SIGNAL_PACKETS].value = 5000;
	assert_int_equal(step_cpu(&scene, 0, 0)->need, 5);
	assert_int_equal(scene.output.signal, SIGNAL_PACKETS);
}

static void repeated_is_no_calm(void **context)
{
	struct scene often = scene_by_cpu(4), rare = scene_by_cpu(4);
	uint64_t random = 3;
	double cpu = 0;

	(void)context;
	/* The same reports, but one is told of them each second, though they come each fourth. */
	for (int second = 0; second < 400; second++) {
		bool fresh = second % 4 == 0;

		if (fresh)
			cpu = 200 + (double)(unit_next(&random) % 80);
		step_cpu(&often, cpu, 4);
		rare.input.now_ms += 1000;
		report(&rare, SIGNAL_CPU, cpu, 4);
		rare.input.signals[SIGNAL_CPU].repeated = !fresh;
		autoscale_step(&rare.memory, &rare.config, &rare.input, &rare.output);
	}
	assert_int_equal(often.memory.series[SIGNAL_CPU].count, AUTOSCALE_SAMPLES);
	assert_int_equal(rare.memory.series[SIGNAL_CPU].count, 100);
	assert_true(rare.output.window_s >= 32);
	assert_true(fabs(rare.output.estimate - 240) < 15);
	/* Nothing new for a while, and it is still known: whether it is stale is for who reads it. */
	assert_true(rare.output.fresh);
}

static void flapping_load(void **context)
{
	struct scene scene = scene_make(4);
	uint32_t changes = 0;

	(void)context;
	scene.config.hold_ms = scene.config.hold_max_ms = 60000;
	/* Each 20 seconds from just below a threshold to just above it, for three hours. */
	for (int second = 0; second < 10800; second++) {
		step(&scene, second / 20 % 2 ? 4100 : 3900);
		assert_int_equal(scene.output.drain, 0);
		changes += scene.output.create;
		scene.input.active += scene.output.create;
		assert_in_range(scene.input.active, 4, 5);
	}
	assert_int_equal(changes, 1);
}

static void min_is_max(void **context)
{
	struct scene scene = scene_make(3);

	(void)context;
	scene.config.min = scene.config.max = 3;
	for (int second = 0; second < 1000; second++) {
		step(&scene, second % 100 < 50 ? 0 : 20000);
		assert_int_equal(scene.output.need, 3);
		assert_int_equal(scene.output.create + scene.output.drain + scene.output.undrain,
				 0);
	}
	assert_non_null(strstr(scene.output.next, "no more: 3 are max"));
	scene.input.active = 2;
	assert_int_equal(step(&scene, 0)->create, 1);
	assert_int_equal(scene.output.reason, REASON_MIN);
}

static void target_changes(void **context)
{
	struct scene scene = scene_make(4);

	(void)context;
	steps(&scene, 3500, 60);
	assert_int_equal(scene.output.why, SCALE_STEADY);
	/* Half of it: at once. */
	scene.config.target = 500;
	assert_int_equal(step(&scene, 3500)->need, 7);
	assert_int_equal(scene.output.why, SCALE_UP);
	/* And back: the need of that second is held like any other. */
	scene.config.target = 1000;
	scene.input.active = 7;
	for (int second = 0; second < 30; second++)
		assert_int_equal(step(&scene, 3500)->drain, 0);
	assert_int_equal(step(&scene, 3500)->drain, 1);
	/* Another signal: the old one's samples are not its own. */
	scene.input.active = 4;
	scene.config.signal = SIGNAL_LIVE_FLOWS;
	scene.config.target = 10;
	scene.input.signals[SIGNAL_PACKETS].fresh = true;
	scene.input.signals[SIGNAL_LIVE_FLOWS].fresh = true;
	assert_int_equal(step(&scene, 45)->need, 5);
	assert_true(scene.output.estimate < 46);
	/* Limits that move: the need moves with them. */
	scene.config.max = 2;
	assert_int_equal(step(&scene, 45)->need, 2);
	scene.config.max = 8;
	scene.config.min = 6;
	assert_int_equal(step(&scene, 45)->need, 6);
}

static void clock_jumps(void **context)
{
	static const int64_t jumps[] = {-3600000, 3600000, -86400000, 86400000, -1, 20000};
	struct scene scene = scene_make(4);
	struct scale_schedule schedule;

	(void)context;
	assert_int_equal(schedule_parse("0 8 * * * 1h 5", &schedule), 0);
	scene.config.seasonal = true;
	scene.config.schedules = &schedule;
	scene.config.schedule_count = 1;
	scene.input.now_ms = 100000000;
	scene.input.wall_ms = 20783ull * 86400000;
	for (size_t jump = 0; jump < sizeof(jumps) / sizeof(jumps[0]); jump++) {
		steps(&scene, 3500, 40);
		assert_int_equal(scene.output.why, SCALE_STEADY);
		/* The wall clock alone, then both. */
		scene.input.wall_ms += (uint64_t)jumps[jump];
		assert_int_equal(step(&scene, 3500)->drain, 0);
		assert_int_equal(scene.output.need, 4);
		scene.input.now_ms += (uint64_t)jumps[jump];
		/* What went before the jump proves no hold. */
		for (int second = 0; second < 29; second++) {
			step(&scene, 500);
			assert_int_equal(scene.output.drain, 0);
			assert_true(scene.output.hold_left_ms <= scene.output.hold_ms + 1000);
		}
		assert_true(scene.output.estimate <= 3500);
	}
}

static void stopped_for_minutes(void **context)
{
	struct scene scene = scene_make(4);

	(void)context;
	steps(&scene, 3500, 60);
	/* Nobody looked for ten minutes: the hold begins when somebody does. */
	scene.input.now_ms += 600000;
	for (int second = 0; second < 30; second++)
		assert_int_equal(step(&scene, 500)->drain, 0);
	assert_int_equal(step(&scene, 500)->drain, 1);
	/* Nor does a rise wait. */
	scene.input.now_ms += 600000;
	assert_int_equal(step(&scene, 7500)->need, 8);
	assert_int_equal(scene.output.why, SCALE_UP);
}

static void quiet_for_days(void **context)
{
	struct scene scene = scene_make(3);

	(void)context;
	scene.config.seasonal = true;
	scene.config.learn = true;
	scene.config.targets[SIGNAL_CPU] = 70;
	scene.input.wall_ms = 20783ull * 86400000;
	for (int second = 0; second < 3 * 86400; second++) {
		scene.input.wall_ms += 1000;
		report(&scene, SIGNAL_CPU, 0, scene.input.active);
		step(&scene, 0);
		assert_int_equal(scene.output.create + scene.output.undrain, 0);
		scene.input.active -= scene.output.drain;
	}
	assert_int_equal(scene.input.active, 1);
	assert_true(scene.output.estimate == 0 && scene.output.forecast == 0);
	assert_true(scene.output.target == 1000);
	report(&scene, SIGNAL_CPU, 60, 1);
	assert_int_equal(step(&scene, 2500)->need, 3);
}

static void huge_numbers(void **context)
{
	static const double impossible[] = {INFINITY, -INFINITY, NAN, -1, DBL_MAX, 1e16};
	struct scene scene = scene_make(4);

	(void)context;
	steps(&scene, 3500, 60);
	for (size_t i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++) {
		step(&scene, impossible[i]);
		assert_false(scene.output.fresh);
		assert_int_equal(scene.output.need, 4);
		assert_int_equal(scene.output.create + scene.output.drain, 0);
		assert_true(fabs(scene.output.estimate - 3500) < 100);
	}
	/* As large as a counter can be is large, and no more than that. */
	step(&scene, 1e15);
	assert_int_equal(scene.output.need, 8);
	assert_true(isfinite(scene.output.estimate) && isfinite(scene.output.forecast));
	scene.config.target = DBL_MIN;
	assert_int_equal(step(&scene, 1e15)->wanted, UINT32_MAX);
	scene.config.target = 1e300;
	assert_int_equal(step(&scene, 1)->need, 1);
	scene.input.active = UINT32_MAX / 2;
	scene.input.unhealthy = UINT32_MAX / 2;
	assert_int_equal(step(&scene, 1)->why, SCALE_HOLDING);
}

static void next_is_told(void **context)
{
	struct scene scene = scene_make(3);

	(void)context;
	steps(&scene, 2500, 60);
	assert_string_equal(scene.output.next,
			    "up if the estimate is above 3,000 packets/s; down if "
			    "it is at most 2,000 for 30 s");
	steps(&scene, 1500, 11);
	assert_string_equal(
		scene.output.next,
		"down to 2 in 20 s at the earliest: 3 were needed within the hold of 30 s");
	scene.config.paused = true;
	step(&scene, 1500);
	assert_string_equal(scene.output.next, "nothing until it is resumed");
	scene.config.paused = false;
	scene.input.active = 1;
	scene.input.unhealthy = 2;
	step(&scene, 1500);
	assert_string_equal(scene.output.next, "nothing until no more than 50% are unhealthy");
	scene.input.unhealthy = 0;
	scene.input.failed_in_a_row = 3;
	scene.input.last_failure_ms = scene.input.now_ms;
	step(&scene, 3500);
	assert_string_equal(scene.output.next, "in 3 s create up to 3");
	assert_int_equal(scene.output.backoff_ms, 3000);
	scene.input.failed_in_a_row = 0;
	scene.input.provisioning = 2;
	step(&scene, 3500);
	assert_string_equal(scene.output.next, "1 more as creations end");
	assert_int_equal(scene.output.needs[SIGNAL_PACKETS].wanted, 4);
	assert_int_equal(scene.output.needs[SIGNAL_CPU].wanted, 0);
}

static const struct CMUnitTest cases[] = {
	CASE(unknown_of_some,
	     "autoscale/signals: a backend that does not report neither adds nor lets one go"),
	CASE(unknown_of_all, "autoscale/signals: what nobody reports is unknown, never zero"),
	CASE(repeated_is_no_calm, "autoscale/signals: a report that is read twice counts once"),
	CASE(flapping_load, "autoscale/odds: load that flaps around a threshold is one creation"),
	CASE(min_is_max, "autoscale/odds: with min equal to max the pool never changes"),
	CASE(target_changes, "autoscale/odds: target, signal and limits change under way"),
	CASE(clock_jumps, "autoscale/odds: clocks that jump let nothing go"),
	CASE(stopped_for_minutes, "autoscale/odds: minutes without a look begin the hold anew"),
	CASE(quiet_for_days, "autoscale/odds: a service without traffic for days rests at its min"),
	CASE(huge_numbers,
	     "autoscale/odds: numbers that cannot be are unknown, huge ones are bounded"),
	CASE(next_is_told, "autoscale/decision: what would come next is told in numbers"),
};

UNIT_MAIN("autoscale odds", cases)

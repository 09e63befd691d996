// SPDX-License-Identifier: GPL-2.0-only
/* Tests of user/model/autoscale.h: what is decided, when, and what is said about it. */
#include <math.h>

#include "scene.h"

static void up_at_once(void **context)
{
	struct scene scene = scene_make(1);

	(void)context;
	steps(&scene, 900, 60);
	assert_int_equal(scene.output.why, SCALE_STEADY);
	assert_int_equal(step(&scene, 3600)->need, 4);
	assert_int_equal(scene.output.why, SCALE_UP);
	assert_int_equal(scene.output.create, 2);
	assert_string_equal(scene.output.text,
			    "demand 3,600 packets/s, estimate 3,570, target 1,000 each: need 4, "
			    "have 1 active + 0 provisioning: create 2");
	scene.input.provisioning = 2;
	assert_int_equal(step(&scene, 3600)->create, 0);
	assert_int_equal(scene.output.why, SCALE_BUSY);
	scene.input.provisioning = 1;
	scene.input.active = 2;
	assert_int_equal(step(&scene, 3600)->create, 1);
	scene.input.provisioning = 2;
	assert_int_equal(step(&scene, 3600)->create, 0);
	assert_int_equal(scene.output.why, SCALE_STEADY);
}

static void exact_demand(void **context)
{
	struct scene scene = scene_make(3);

	(void)context;
	steps(&scene, 3000, 40);
	assert_int_equal(scene.output.need, 3);
	scene = scene_make(3);
	scene.config.target = 0.1;
	steps(&scene, 0.3, 40);
	assert_int_equal(scene.output.need, 3);
	assert_int_equal(step(&scene, 0)->need, 3);
	steps(&scene, 0, 40);
	assert_int_equal(scene.output.need, 1);
}

static void failed_take_room(void **context)
{
	struct scene scene = scene_make(1);

	(void)context;
	/* What failed serves nobody, so it is replaced; but there are never more than creating_max. */
	scene.input.failed = 1;
	assert_int_equal(step(&scene, 2500)->create, 1);
	assert_int_equal(scene.output.need, 3);
	scene.input.failed = 2;
	assert_int_equal(step(&scene, 2500)->create, 0);
	assert_int_equal(scene.output.why, SCALE_BUSY);
}

static void undrain_first(void **context)
{
	struct scene scene = scene_make(1);

	(void)context;
	scene.input.draining = 2;
	step(&scene, 4500);
	assert_int_equal(scene.output.undrain, 2);
	assert_int_equal(scene.output.create, 2);
	assert_non_null(strstr(scene.output.text, ": take back 2, create 2"));
	scene.input.draining = 5;
	step(&scene, 4500);
	assert_int_equal(scene.output.undrain, 4);
	assert_int_equal(scene.output.create, 0);
}

static void calm_in_noise(void **context)
{
	struct scene scene = scene_make(4);
	uint64_t random = 17;
	double least = INFINITY, most = 0;

	(void)context;
	for (int i = 0; i < 400; i++) {
		double noise = (double)(unit_next(&random) % 1000) / 1000 - 0.5;
		double estimate = step(&scene, 3500 * (1 + noise * 0.08))->estimate;

		if (i < 100)
			continue;
		least = estimate < least ? estimate : least;
		most = estimate > most ? estimate : most;
		assert_int_equal(scene.output.why, SCALE_STEADY);
	}
	/* Samples swing by 8% of the demand; the estimate by a good deal less. */
	assert_true(most - least < 3500 * 0.02);
}

static void down_after_hold(void **context)
{
	struct scene scene = scene_make(4);

	(void)context;
	steps(&scene, 3500, 40);
	/* The mean needs no time to follow a step down either: hold is what protects. */
	for (int second = 0; second < 30; second++) {
		assert_int_equal(step(&scene, 500)->why, SCALE_HOLDING);
		assert_int_equal(scene.output.drain, 0);
	}
	assert_non_null(strstr(scene.output.text, ": hold for 1 s more"));
	assert_int_equal(step(&scene, 500)->why, SCALE_DOWN);
	assert_int_equal(scene.output.drain, 1);
	scene.input.active = 3;
	scene.input.draining = 1;
	assert_int_equal(step(&scene, 500)->drain, 1);
	scene.input.active = 2;
	assert_int_equal(step(&scene, 500)->drain, 1);
	scene.input.active = 1;
	assert_int_equal(step(&scene, 500)->why, SCALE_STEADY);
	assert_int_equal(scene.output.drain, 0);
}

static void down_to_the_most_needed(void **context)
{
	struct scene scene = scene_make(6);

	(void)context;
	scene.config.step_down = 10;
	steps(&scene, 5500, 40);
	steps(&scene, 500, 10);
	steps(&scene, 2500, 10);
	steps(&scene, 500, 10);
	assert_int_equal(step(&scene, 500)->drain, 3);
	scene.input.active = 3;
	/* The need of 3 was last seen 11 seconds ago: the rest waits until it is 30. */
	for (int second = 0; second < 19; second++)
		assert_int_equal(step(&scene, 500)->drain, 0);
	assert_non_null(strstr(scene.output.text, ": hold for 1 s more"));
	assert_int_equal(step(&scene, 500)->drain, 2);
}

static void hold_starts_anew(void **context)
{
	struct scene scene = scene_make(4);

	(void)context;
	steps(&scene, 3500, 40);
	steps(&scene, 500, 29);
	step(&scene, 3500);
	for (int second = 0; second < 30; second++)
		assert_int_equal(step(&scene, 500)->drain, 0);
	assert_int_equal(step(&scene, 500)->drain, 1);
}

static void down_while_creating(void **context)
{
	struct scene scene = scene_make(4);

	(void)context;
	/* A creation that never ends must not keep others from going, nor counts as one of them. */
	scene.input.provisioning = 1;
	steps(&scene, 500, 31);
	assert_int_equal(scene.output.why, SCALE_DOWN);
	scene.input.active = 1;
	assert_int_equal(step(&scene, 500)->drain, 0);
	assert_int_equal(scene.output.why, SCALE_HOLDING);
	assert_non_null(strstr(scene.output.text, ": keep what is being created"));
}

static void stale_takes_nothing_away(void **context)
{
	struct scene scene = scene_make(4);

	(void)context;
	steps(&scene, 3500, 40);
	steps(&scene, 500, 29);
	scene.input.signals[SIGNAL_PACKETS].fresh = false;
	steps(&scene, 0, 100);
	assert_int_equal(scene.output.why, SCALE_STALE);
	assert_int_equal(scene.output.drain, 0);
	assert_int_equal(scene.output.need, 4);
	assert_string_equal(scene.output.text,
			    "demand unknown packets/s, estimate 497, target 1,000 each: need 4, "
			    "have 4 active + 0 provisioning: no fresh reading, nothing is taken "
			    "away");
	/* What went before counts for nothing: the hold begins again. */
	scene.input.signals[SIGNAL_PACKETS].fresh = true;
	for (int second = 0; second < 30; second++)
		assert_int_equal(step(&scene, 500)->drain, 0);
	assert_int_equal(step(&scene, 500)->drain, 1);
	/* Even so there are never fewer than min. */
	scene = scene_make(1);
	scene.config.min = 2;
	scene.input.signals[SIGNAL_PACKETS].fresh = false;
	assert_int_equal(step(&scene, 0)->create, 1);
}

static void paused_does_nothing(void **context)
{
	struct scene scene = scene_make(1);

	(void)context;
	scene.config.paused = true;
	steps(&scene, 5000, 10);
	assert_int_equal(scene.output.why, SCALE_PAUSED);
	assert_int_equal(scene.output.create + scene.output.undrain + scene.output.drain, 0);
	assert_int_equal(scene.output.need, 5);
	scene.input.active = 8;
	steps(&scene, 500, 100);
	assert_int_equal(scene.output.drain, 0);
	scene.config.paused = false;
	assert_int_equal(step(&scene, 500)->why, SCALE_HOLDING);
}

static void backs_off(void **context)
{
	static const uint64_t waits[] = {0, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
	struct scene scene = scene_make(1);

	(void)context;
	for (uint32_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
		assert_int_equal(autoscale_backoff_ms(i), waits[i]);
	assert_int_equal(autoscale_backoff_ms(UINT32_MAX), 60000);
	steps(&scene, 2500, 10);
	scene.input.failed_in_a_row = 3;
	scene.input.last_failure_ms = scene.input.now_ms;
	scene.input.draining = 1;
	for (int second = 1; second < 4; second++) {
		step(&scene, 2500);
		assert_int_equal(scene.output.create, 0);
		/* Taking back a drain needs no provisioner. */
		assert_int_equal(scene.output.undrain, 1);
	}
	scene.input.draining = 0;
	scene.input.now_ms -= 1000;
	assert_int_equal(step(&scene, 2500)->why, SCALE_BACKING_OFF);
	assert_non_null(
		strstr(scene.output.text, ": provisioner failed, 3 in a row, next try in 1 s"));
	assert_int_equal(step(&scene, 2500)->create, 2);
}

static void limits_hold(void **context)
{
	struct scene scene = scene_make(8);

	(void)context;
	steps(&scene, 20000, 10);
	assert_int_equal(scene.output.why, SCALE_AT_MAX);
	assert_int_equal(scene.output.need, 8);
	assert_int_equal(scene.output.create, 0);
	assert_non_null(strstr(scene.output.text, ": max is reached, demand would need 20"));
	scene.config.min = 3;
	scene.input.active = 0;
	assert_int_equal(step(&scene, 0)->create, 2);
	/* A max that was lowered is reached the gentle way. */
	scene = scene_make(8);
	scene.config.max = 2;
	scene.config.step_down = 4;
	steps(&scene, 20000, 30);
	assert_int_equal(scene.output.why, SCALE_HOLDING);
	assert_int_equal(step(&scene, 20000)->drain, 4);
}

static void never_more_than_needed(void **context)
{
	struct scene scene = scene_make(2);
	uint64_t random = 23;

	(void)context;
	/* Against a provisioner that takes its time, fails at times, under random demand. */
	for (int second = 0; second < 20000; second++) {
		const struct autoscale_output *output;
		double demand = (double)(unit_next(&random) % 9000);

		scene.input.signals[SIGNAL_PACKETS].fresh = unit_next(&random) % 10 != 0;
		scene.config.hold_ms = unit_next(&random) % 5 * 1000;
		output = step(&scene, demand);
		assert_in_range(output->need, 1, 8);
		assert_true(!output->drain || !(output->create + output->undrain));
		assert_true(!output->drain || scene.input.signals[SIGNAL_PACKETS].fresh);
		assert_true(output->undrain <= scene.input.draining);
		scene.input.active += output->undrain;
		scene.input.active -= output->drain;
		scene.input.draining += output->drain - output->undrain;
		scene.input.provisioning += output->create;
		assert_true(scene.input.provisioning <= scene.config.creating_max);
		assert_in_range(scene.input.active + scene.input.provisioning, 1, 8);
		if (scene.input.provisioning && unit_next(&random) % 2) {
			scene.input.provisioning--;
			if (unit_next(&random) % 3) {
				scene.input.active++;
				scene.input.failed_in_a_row = 0;
			} else {
				scene.input.failed_in_a_row++;
				scene.input.last_failure_ms = scene.input.now_ms;
			}
		}
		if (scene.input.draining && unit_next(&random) % 3 == 0)
			scene.input.draining--;
	}
}

static void ramp_is_foreseen(void **context)
{
	struct scene scene = scene_make(2);

	(void)context;
	scene.config.max = 100;
	steps(&scene, 1500, 60);
	/* 20 a second more each second: in 90 s it will be 1800 more. */
	for (int second = 1; second <= 60; second++)
		step(&scene, 1500 + 20 * second);
	assert_int_equal(scene.output.reason, REASON_TREND);
	assert_true(fabs(scene.output.forecast - scene.output.estimate - 1800) < 100);
	assert_non_null(strstr(scene.output.text, ", forecast 4,"));
	assert_non_null(strstr(scene.output.text, " in 90 s, target 1,000 each: need 5"));
	scene.config.trend = false;
	assert_int_equal(step(&scene, 2720)->need, 3);
}

static void step_is_no_trend(void **context)
{
	struct scene scene = scene_make(2);
	uint64_t random = 5;

	(void)context;
	scene.config.max = 100;
	for (int second = 0; second < 300; second++) {
		double noise = (double)(unit_next(&random) % 200) - 100;

		step(&scene, (second < 100 ? 1500 : 6000) + noise);
		assert_true(scene.output.forecast <= scene.output.estimate * 1.2);
		if (second > 160)
			assert_true(scene.output.forecast == scene.output.estimate);
	}
	/* A growth that has ended is none. */
	for (int second = 0; second < 100; second++)
		step(&scene, 6000 + 50 * second);
	steps(&scene, 11000, 130);
	assert_true(scene.output.forecast == scene.output.estimate);
}

static void forecast_is_bounded(void **context)
{
	struct scene scene = scene_make(2);

	(void)context;
	scene.config.max = 100;
	steps(&scene, 100, 60);
	for (double demand = 100; demand < 5000; demand *= 1.1) {
		step(&scene, demand);
		assert_true(scene.output.forecast <= 2 * scene.output.estimate);
	}
}

static void hold_grows_by_regret(void **context)
{
	struct scene scene = scene_make(4);

	(void)context;
	scene.config.hold_max_ms = 100000;
	scene.config.step_down = 10;
	steps(&scene, 3500, 40);
	steps(&scene, 500, 30);
	assert_int_equal(step(&scene, 500)->drain, 3);
	scene.input.active = 1;
	step(&scene, 3500);
	assert_int_equal(scene.output.create, 2);
	scene.input.active = 4;
	step(&scene, 3500);
	assert_int_equal(scene.output.hold_ms, 60000);
	for (int second = 0; second < 60; second++)
		assert_int_equal(step(&scene, 500)->drain, 0);
	assert_int_equal(step(&scene, 500)->drain, 3);
	/* Once more, and no further than the most. */
	scene.input.active = 1;
	step(&scene, 3500);
	scene.input.active = 4;
	step(&scene, 3500);
	assert_int_equal(scene.output.hold_ms, 100000);
	/* Time without regret takes it back, half by half. */
	steps(&scene, 3500, 401);
	assert_int_equal(scene.output.hold_ms, 60000);
	steps(&scene, 3500, 241);
	assert_int_equal(scene.output.hold_ms, 30000);
	/* More than a hold and a creation's time later it was right to go down. */
	steps(&scene, 500, 40);
	scene.input.active = 1;
	steps(&scene, 500, 130);
	scene.input.active = 4;
	step(&scene, 3500);
	step(&scene, 3500);
	assert_int_equal(scene.output.hold_ms, 30000);
}

static void largest_signal_wins(void **context)
{
	struct scene scene = scene_make(3);

	(void)context;
	scene.config.targets[SIGNAL_CPU] = 70;
	scene.config.targets[SIGNAL_LIVE_FLOWS] = 100;
	scene.input.signals[SIGNAL_CPU] = (struct autoscale_signal){.fresh = true, .value = 150};
	scene.input.signals[SIGNAL_LIVE_FLOWS] =
		(struct autoscale_signal){.fresh = true, .value = 30};
	steps(&scene, 1500, 40);
	assert_int_equal(scene.output.need, 3);
	assert_int_equal(scene.output.signal, SIGNAL_CPU);
	assert_non_null(strstr(scene.output.text, "demand 150% cpu, estimate 149, target 70 each"));
	scene.input.signals[SIGNAL_LIVE_FLOWS].value = 550;
	step(&scene, 1500);
	assert_int_equal(scene.output.signal, SIGNAL_LIVE_FLOWS);
	assert_int_equal(scene.output.need, 6);
	/* One that cannot be read asks for nothing, and lets nothing go. */
	scene.input.signals[SIGNAL_LIVE_FLOWS].fresh = false;
	scene.input.active = 7;
	for (int second = 0; second < 100; second++) {
		step(&scene, 500);
		assert_int_equal(scene.output.need, 7);
		assert_int_equal(scene.output.drain, 0);
	}
	assert_int_equal(scene.output.why, SCALE_STALE);
	/* What can be read still makes the pool grow. */
	assert_int_equal(step(&scene, 7500)->need, 8);
}

static void target_is_learned(void **context)
{
	struct scene scene = scene_make(4);

	(void)context;
	scene.config.targets[SIGNAL_CPU] = 70;
	scene.config.learn = true;
	/* 1000 a second were guessed, but at 800 a backend's cpu is already as busy as it should. */
	scene.input.signals[SIGNAL_CPU] = (struct autoscale_signal){.fresh = true, .value = 70 * 4};
	steps(&scene, 3200, 100);
	assert_true(scene.output.target == 1000);
	steps(&scene, 3200, 100);
	assert_true(fabs(scene.output.target - 800) < 1);
	assert_non_null(strstr(scene.output.text, "learned target 800 each"));
	/* The rate leads before the cpu's figure has followed. */
	assert_int_equal(step(&scene, 5600)->need, 7);
	/* Of what hardly runs nothing is learned, nor anything beyond reason. */
	scene.memory.learned = 10;
	assert_true(step(&scene, 3200)->target == 250);
	scene.input.signals[SIGNAL_CPU].value = 10;
	step(&scene, 3200);
	assert_true(scene.memory.learned < 20);
}

static void weights_count(void **context)
{
	struct scene scene = scene_make(2);

	(void)context;
	scene.input.capacity = 0.5;
	steps(&scene, 2000, 40);
	assert_int_equal(scene.output.need, 4);
}

static void yesterday_is_a_floor(void **context)
{
	struct scene scene = scene_make(1);

	(void)context;
	scene.config.seasonal = true;
	scene.input.wall_ms = 20000ull * 86400000;
	for (int minute = 0; minute < 2 * 1440; minute++) {
		bool peak = minute == 600;

		scene.input.wall_ms = 20000ull * 86400000 + (uint64_t)minute * 60000;
		scene.input.now_ms += 600000;
		step(&scene, peak ? 4500 : 500);
		if (minute > 1440 && minute < 1440 + 598)
			assert_int_equal(scene.output.need, 1);
	}
	scene.input.wall_ms = 20002ull * 86400000 + 600ull * 60000 - 60000;
	scene.memory.day = 20002;
	memcpy(scene.memory.yesterday, scene.memory.today, sizeof(scene.memory.today));
	scene.memory.yesterday[40] = 4501;
	step(&scene, 500);
	assert_int_equal(scene.output.need, 5);
	assert_int_equal(scene.output.reason, REASON_SEASON);
	assert_non_null(strstr(scene.output.text, ": need 5 by yesterday"));
	scene.config.seasonal = false;
	assert_int_equal(step(&scene, 500)->need, 1);
}

static bool active_at(const char *text, uint64_t day, uint64_t minute)
{
	struct scale_schedule schedule;

	assert_int_equal(schedule_parse(text, &schedule), 0);
	return schedule_active(&schedule, (day * 1440 + minute) * 60000, 0);
}

static void schedules_are_read(void **context)
{
	static const char *const wrong[] = {
		"",
		"0 8 * * *",
		"0 8 * * * 10h",
		"0 8 * * * 10h 6 x",
		"60 8 * * * 10h 6",
		"0 24 * * * 10h 6",
		"0 8 0 * * 10h 6",
		"0 8 32 * * 10h 6",
		"0 8 * 13 * 10h 6",
		"0 8 * * 8 10h 6",
		"0 8 * * * 10 6",
		"0 8 * * * 10s 6",
		"0 8 * * * 8d 6",
		"0 8 * * * 0h 6",
		"0 8 * * * 10h 0",
		"0 8 * * * 10h -1",
		"5-1 8 * * * 10h 6",
		"*/0 8 * * * 10h 6",
		"1, 8 * * * 10h 6",
		"0 8 * * mon 10h 6",
		"0 8 * * * 99999999999h 6",
		"0 8 * * * 1h 6000000000000000000",
	};
	struct scale_schedule schedule;

	(void)context;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (schedule_parse(wrong[i], &schedule) == 0)
			fail_msg("'%s' was taken", wrong[i]);
	}
	/* Day 20783 is Thursday, 26 November 2026. */
	assert_false(active_at("0 8 * * * 10h 6", 20783, 479));
	assert_true(active_at("0 8 * * * 10h 6", 20783, 480));
	assert_true(active_at("0 8 * * * 10h 6", 20783, 480 + 599));
	assert_false(active_at("0 8 * * * 10h 6", 20783, 480 + 600));
	assert_true(active_at("0 8 * * 4 1h 6", 20783, 500));
	assert_false(active_at("0 8 * * 1-3,5 1h 6", 20783, 500));
	assert_true(active_at("0 8 26 11 * 1h 6", 20783, 500));
	assert_false(active_at("0 8 26 12 * 1h 6", 20783, 500));
	assert_true(active_at("0 8 1 * 4 1h 6", 20783, 500));
	assert_false(active_at("0 8 1 * 5 1h 6", 20783, 500));
	assert_true(active_at("*/20 * * * * 5m 6", 20783, 44));
	assert_false(active_at("*/20 * * * * 5m 6", 20783, 45));
	/* Sunday by both of its numbers; across midnight; the 29th of February. */
	assert_true(active_at("0 8 * * 7 1h 6", 20786, 500));
	assert_true(active_at("0 8 * * 0 1h 6", 20786, 500));
	assert_true(active_at("0 23 26 11 * 2h 6", 20784, 30));
	assert_true(active_at("0 0 29 2 * 1d 6", 21243, 5));
	assert_true(active_at("0 0 1 3 * 1d 6", 21244, 5));
}

static void schedule_is_a_floor(void **context)
{
	struct scale_schedule schedule;
	struct scene scene = scene_make(1);

	(void)context;
	assert_int_equal(schedule_parse("0 8 * * * 1h 6", &schedule), 0);
	scene.config.schedules = &schedule;
	scene.config.schedule_count = 1;
	scene.input.wall_ms = (20783ull * 1440 + 476) * 60000;
	assert_int_equal(step(&scene, 500)->need, 1);
	/* So early that those created now are ready in time. */
	scene.input.wall_ms += 150000;
	assert_int_equal(step(&scene, 500)->need, 6);
	assert_int_equal(scene.output.reason, REASON_SCHEDULE);
	assert_non_null(strstr(scene.output.text, ": need 6 by schedule"));
	scene.input.wall_ms += 3900000;
	assert_int_equal(step(&scene, 500)->need, 1);
}

static void standby_is_woken(void **context)
{
	struct scene scene = scene_make(2);

	(void)context;
	scene.config.standby = 2;
	steps(&scene, 1500, 40);
	assert_int_equal(scene.output.create, 2);
	assert_non_null(strstr(scene.output.text, ": create 2 for the standby"));
	scene.input.standby = 2;
	assert_int_equal(step(&scene, 1500)->create, 0);
	assert_int_equal(scene.output.why, SCALE_STEADY);
	/* One on its way there is not made a second time. */
	scene.input.standby = 1;
	scene.input.draining = 1;
	assert_int_equal(step(&scene, 1500)->create, 0);
	scene.input.standby = 2;
	step(&scene, 4500);
	assert_int_equal(scene.output.undrain, 1);
	assert_int_equal(scene.output.wake, 2);
	/* What was woken is replaced at once. */
	assert_int_equal(scene.output.create, 2);
	assert_non_null(strstr(scene.output.text, "2 standby: take back 1, wake 2, create 2"));
}

static void none_and_the_first_packet(void **context)
{
	struct scene scene = scene_make(1);

	(void)context;
	scene.config.min = 0;
	steps(&scene, 5, 40);
	assert_int_equal(scene.output.need, 1);
	steps(&scene, 0, 120);
	assert_int_equal(scene.output.need, 0);
	assert_int_equal(scene.output.drain, 1);
	scene.input.active = 0;
	assert_int_equal(step(&scene, 0)->why, SCALE_STEADY);
	scene.input.knocked = true;
	assert_int_equal(step(&scene, 0)->create, 1);
	assert_int_equal(scene.output.reason, REASON_KNOCK);
	assert_non_null(strstr(scene.output.text, ": need 1 by first packet"));
	/* It is waited for, though nobody knocks again while it is made. */
	scene.input.knocked = false;
	scene.input.provisioning = 1;
	steps(&scene, 0, 89);
	assert_int_equal(scene.output.need, 1);
	scene.input.provisioning = 0;
	scene.input.active = 1;
	for (int second = 0; second < 70 && !scene.output.drain; second++)
		step(&scene, 0);
	assert_int_equal(scene.output.drain, 1);
}

static void ill_pool_is_left_alone(void **context)
{
	struct scene scene = scene_make(1);

	(void)context;
	scene.input.unhealthy = 1;
	assert_int_equal(step(&scene, 3500)->create, 2);
	scene.input.unhealthy = 2;
	step(&scene, 3500);
	assert_int_equal(scene.output.why, SCALE_HALTED);
	assert_int_equal(scene.output.create + scene.output.drain + scene.output.undrain, 0);
	assert_non_null(strstr(scene.output.text, ": halted, 2 of 3 are unhealthy, more than 50%"));
	scene.config.unhealthy_max = 100;
	assert_int_equal(step(&scene, 3500)->create, 2);
	/* Those that are ill take room: never more than max in all. */
	scene.input.unhealthy = 6;
	assert_int_equal(step(&scene, 7500)->create, 1);
}

static void quota_waits_longer(void **context)
{
	struct scene scene = scene_make(1);

	(void)context;
	steps(&scene, 2500, 10);
	scene.input.failed_in_a_row = 1;
	scene.input.quota = true;
	scene.input.last_failure_ms = scene.input.now_ms;
	for (int second = 1; second < 60; second++)
		assert_int_equal(step(&scene, 2500)->create, 0);
	assert_non_null(strstr(scene.output.text,
			       ": provisioner has no more to give, 1 in a row, next try in 1 s"));
	assert_int_equal(step(&scene, 2500)->create, 2);
	assert_int_equal(autoscale_quota_ms(2), 120000);
	assert_int_equal(autoscale_quota_ms(UINT32_MAX), 600000);
}

static const struct CMUnitTest cases[] = {
	CASE(up_at_once,
	     "autoscale/decision: a step up is followed at once, within creations allowed"),
	CASE(exact_demand, "autoscale/decision: demand of exactly n targets needs n backends"),
	CASE(failed_take_room,
	     "autoscale/decision: what failed and is not deleted yet is replaced, within bounds"),
	CASE(undrain_first, "autoscale/decision: drains are taken back before anything is created"),
	CASE(calm_in_noise, "autoscale/decision: noise is smoothed by the longer windows"),
	CASE(down_after_hold, "autoscale/decision: down after hold, a step at a time"),
	CASE(down_to_the_most_needed, "autoscale/decision: down to the most that hold has seen"),
	CASE(hold_starts_anew, "autoscale/decision: a peak starts the hold anew"),
	CASE(down_while_creating, "autoscale/decision: a creation under way keeps no drain back"),
	CASE(stale_takes_nothing_away,
	     "autoscale/decision: without fresh readings nothing is drained"),
	CASE(paused_does_nothing, "autoscale/decision: paused decides nothing"),
	CASE(backs_off, "autoscale/decision: a provisioner that failed is left alone for a while"),
	CASE(limits_hold, "autoscale/decision: min and max are kept"),
	CASE(ramp_is_foreseen, "autoscale/decision: a ramp is foreseen by a creation's time"),
	CASE(step_is_no_trend,
	     "autoscale/decision: a step, noise and a growth that ended are no trend"),
	CASE(forecast_is_bounded, "autoscale/decision: no forecast is above twice the estimate"),
	CASE(hold_grows_by_regret, "autoscale/decision: a regretted scale-down doubles the hold"),
	CASE(largest_signal_wins,
	     "autoscale/decision: of several signals the largest need decides"),
	CASE(target_is_learned, "autoscale/decision: the target follows from what backends report"),
	CASE(weights_count, "autoscale/decision: backends of half the weight count half"),
	CASE(yesterday_is_a_floor, "autoscale/decision: yesterday's need at this time is a floor"),
	CASE(schedules_are_read, "autoscale/decision: schedules are read as crontab has them"),
	CASE(schedule_is_a_floor, "autoscale/decision: a schedule's minimum is there in time"),
	CASE(standby_is_woken, "autoscale/decision: the standby is woken, and filled up again"),
	CASE(none_and_the_first_packet, "autoscale/decision: down to none, up at the first packet"),
	CASE(ill_pool_is_left_alone,
	     "autoscale/decision: a pool that is mostly unhealthy is left alone"),
	CASE(quota_waits_longer,
	     "autoscale/decision: when there is no more to be had, the wait is longer"),
	CASE(never_more_than_needed, "autoscale/decision: no random course breaks a limit"),
};

UNIT_MAIN("autoscale", cases)

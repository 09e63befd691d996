// SPDX-License-Identifier: GPL-2.0-only
/* Tests of user/model/autoscale.h: what is decided, when, and what is said about it. */
#include "unit.h"

#include <math.h>

#include "model/autoscale.h"

/* A service under a script: one step a second. */
struct scene {
	struct autoscale_memory memory;
	struct autoscale_config config;
	struct autoscale_input input;
	struct autoscale_output output;
};

static struct scene scene_make(uint32_t active)
{
	return (struct scene){
		.config = {.target = 1000,
			   .min = 1,
			   .max = 8,
			   .step_down = 1,
			   .creating_max = 2,
			   .hold_ms = 30000},
		.input = {.now_ms = 1000000, .fresh = true, .active = active},
	};
}

static const struct autoscale_output *step(struct scene *scene, double demand)
{
	scene->input.now_ms += 1000;
	scene->input.demand = demand;
	autoscale_step(&scene->memory, &scene->config, &scene->input, &scene->output);
	return &scene->output;
}

static void steps(struct scene *scene, double demand, int count)
{
	while (count--)
		step(scene, demand);
}

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
			    "demand 3,600 packets/s, estimate 3,600, target 1,000 each: need 4, "
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
	steps(&scene, 3500, 40);
	for (int i = 0; i < 300; i++) {
		double noise = (double)(unit_next(&random) % 1000) / 1000 - 0.5;
		double estimate = step(&scene, 3500 * (1 + noise * 0.08))->estimate;

		least = estimate < least ? estimate : least;
		most = estimate > most ? estimate : most;
		assert_int_equal(scene.output.why, SCALE_STEADY);
	}
	/* Samples swing by 8% of the demand; the estimate by a good deal less. */
	assert_true(most - least < 3500 * 0.04);
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
	int drained = 0;

	(void)context;
	scene.config.step_down = 10;
	steps(&scene, 5500, 40);
	steps(&scene, 500, 10);
	steps(&scene, 2500, 10);
	steps(&scene, 500, 10);
	assert_int_equal(step(&scene, 500)->drain, 3);
	scene.input.active = 3;
	/* The rest has to be earned by a hold of its own. */
	for (int second = 0; second < 30; second++)
		drained += (int)step(&scene, 500)->drain;
	assert_int_equal(drained, 0);
	steps(&scene, 500, 1);
	assert_int_equal(scene.output.drain, 2);
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

static void no_down_while_creating(void **context)
{
	struct scene scene = scene_make(4);

	(void)context;
	scene.input.provisioning = 1;
	steps(&scene, 500, 60);
	assert_int_equal(scene.output.why, SCALE_HOLDING);
	assert_int_equal(scene.output.drain, 0);
	assert_non_null(strstr(scene.output.text, ": hold until creations are done"));
	scene.input.provisioning = 0;
	assert_int_equal(step(&scene, 500)->drain, 1);
}

static void stale_takes_nothing_away(void **context)
{
	struct scene scene = scene_make(4);

	(void)context;
	steps(&scene, 3500, 40);
	steps(&scene, 500, 29);
	scene.input.fresh = false;
	steps(&scene, 0, 100);
	assert_int_equal(scene.output.why, SCALE_STALE);
	assert_int_equal(scene.output.drain, 0);
	assert_int_equal(scene.output.need, 4);
	assert_string_equal(scene.output.text,
			    "demand unknown packets/s, estimate 500, target 1,000 each: need 4, "
			    "have 4 active + 0 provisioning: no fresh reading, nothing is taken "
			    "away");
	/* What went before counts for nothing: the hold begins again. */
	scene.input.fresh = true;
	for (int second = 0; second < 30; second++)
		assert_int_equal(step(&scene, 500)->drain, 0);
	assert_int_equal(step(&scene, 500)->drain, 1);
	/* Even so there are never fewer than min. */
	scene = scene_make(1);
	scene.config.min = 2;
	scene.input.fresh = false;
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
		strstr(scene.output.text, ": provisioner failed 3 in a row, next try in 1 s"));
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

		scene.input.fresh = unit_next(&random) % 10 != 0;
		scene.config.hold_ms = unit_next(&random) % 5 * 1000;
		output = step(&scene, demand);
		assert_in_range(output->need, 1, 8);
		assert_true(!output->drain || !(output->create + output->undrain));
		assert_true(!output->drain || (scene.input.fresh && !scene.input.provisioning));
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

static const struct CMUnitTest cases[] = {
	CASE(up_at_once, "unit/autoscale: a step up is followed at once, within creations allowed"),
	CASE(exact_demand, "unit/autoscale: demand of exactly n targets needs n backends"),
	CASE(undrain_first, "unit/autoscale: drains are taken back before anything is created"),
	CASE(calm_in_noise, "unit/autoscale: noise is smoothed by the longer windows"),
	CASE(down_after_hold, "unit/autoscale: down after hold, a step at a time"),
	CASE(down_to_the_most_needed, "unit/autoscale: down to the most that hold has seen"),
	CASE(hold_starts_anew, "unit/autoscale: a peak starts the hold anew"),
	CASE(no_down_while_creating, "unit/autoscale: nothing is drained while creating"),
	CASE(stale_takes_nothing_away, "unit/autoscale: without fresh readings nothing is drained"),
	CASE(paused_does_nothing, "unit/autoscale: paused decides nothing"),
	CASE(backs_off, "unit/autoscale: a provisioner that failed is left alone for a while"),
	CASE(limits_hold, "unit/autoscale: min and max are kept"),
	CASE(never_more_than_needed, "unit/autoscale: no random course breaks a limit"),
};

UNIT_MAIN("autoscale", cases)

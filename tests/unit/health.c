// SPDX-License-Identifier: GPL-2.0-only
/* Tests of user/model/health.h and state_health.c: verdicts, holds, ramps, pools; a model check. */
#include "model/health.h"
#include "make.h"

static const struct health_rules plain = {
	.checked = true, .rise = 2, .fall = 3, .ramp_first = HEALTH_WHOLE};

static struct health begin(const struct health_rules *rules, enum health_verdict verdict)
{
	struct health health;

	health_begin(&health, verdict, rules->ramp_first, rules, false, 0);
	return health;
}

/* Letters: p a pass, f a failure; a step each 100 ms. The verdict after the last. */
static enum health_verdict play(struct health *health, const struct health_rules *rules,
				const char *letters)
{
	struct health_output output = {.verdict = health->verdict};
	uint64_t now_ms = health->stepped_ms;

	for (; *letters; letters++) {
		now_ms += 100;
		output = health_step(health, rules,
				     *letters == 'p' ? HEALTH_EVENT_PASS : HEALTH_EVENT_FAIL,
				     now_ms);
	}
	return output.verdict;
}

static void thresholds(void **context)
{
	struct health health = begin(&plain, HEALTH_WAITING);

	(void)context;
	assert_int_equal(play(&health, &plain, "ffffpf"), HEALTH_WAITING);
	assert_int_equal(play(&health, &plain, "p"), HEALTH_WAITING);
	assert_int_equal(play(&health, &plain, "p"), HEALTH_UP);
	assert_int_equal(play(&health, &plain, "ffpffp"), HEALTH_UP);
	assert_int_equal(play(&health, &plain, "ff"), HEALTH_UP);
	assert_int_equal(play(&health, &plain, "f"), HEALTH_DOWN);
	assert_int_equal(play(&health, &plain, "pfpf"), HEALTH_DOWN);
	assert_int_equal(play(&health, &plain, "pp"), HEALTH_UP);
}

static void unchecked(void **context)
{
	const struct health_rules rules = {.ramp_first = HEALTH_WHOLE};
	struct health health = begin(&rules, HEALTH_UNCHECKED);

	(void)context;
	assert_int_equal(play(&health, &rules, "fffff"), HEALTH_UNCHECKED);
	/* It gets probes: it was up until they say otherwise. */
	assert_int_equal(play(&health, &plain, "ff"), HEALTH_UP);
	assert_int_equal(play(&health, &plain, "f"), HEALTH_DOWN);
	assert_int_equal(play(&health, &rules, "f"), HEALTH_UNCHECKED);
}

/* How long it is held each time it comes down at once after it came up. */
static void holds(void **context)
{
	const struct health_rules rules = {.checked = true,
					   .rise = 1,
					   .fall = 1,
					   .hold_ms = 1000,
					   .hold_max_ms = 8000,
					   .ramp_first = HEALTH_WHOLE};
	const uint64_t expected[] = {0, 1000, 2000, 4000, 8000, 8000};
	struct health health = begin(&rules, HEALTH_UP);
	uint64_t now_ms = 0;

	(void)context;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		uint64_t down_ms = now_ms += 10;

		assert_int_equal(health_step(&health, &rules, HEALTH_EVENT_FAIL, now_ms).verdict,
				 HEALTH_DOWN);
		while (health_step(&health, &rules, HEALTH_EVENT_PASS, now_ms).verdict != HEALTH_UP)
			now_ms += 10;
		assert_int_equal(now_ms - down_ms, expected[i]);
	}
	/* Up for long enough: forgotten. */
	now_ms += 8000;
	health_step(&health, &rules, HEALTH_EVENT_FAIL, now_ms);
	assert_int_equal(health_step(&health, &rules, HEALTH_EVENT_PASS, now_ms).verdict,
			 HEALTH_UP);
}

static const struct health_rules ramped = {
	.checked = true, .rise = 1, .fall = 2, .ramp_ms = 1000, .ramp_first = 100};

static void ramps(void **context)
{
	struct health health = begin(&ramped, HEALTH_WAITING);
	struct health_output output = health_step(&health, &ramped, HEALTH_EVENT_PASS, 500);
	uint64_t now_ms = 500;
	uint32_t steps = 0, before = 0;

	(void)context;
	assert_int_equal(output.ramp, 100);
	while (output.wake_ms) {
		assert_true(output.wake_ms > now_ms);
		assert_true(output.ramp > before);
		before = output.ramp;
		now_ms = output.wake_ms;
		output = health_step(&health, &ramped, HEALTH_EVENT_TIME, now_ms);
		steps++;
	}
	assert_int_equal(steps, 20);
	assert_int_equal(now_ms, 1500);
	assert_int_equal(output.ramp, HEALTH_WHOLE);
}

static void ramps_wait(void **context)
{
	struct health health = begin(&ramped, HEALTH_WAITING);

	(void)context;
	health_step(&health, &ramped, HEALTH_EVENT_PASS, 0);
	assert_int_equal(health_step(&health, &ramped, HEALTH_EVENT_FAIL, 500).ramp, 550);
	/* A failure that is not the last one it may have: it waits until the next success. */
	assert_int_equal(health_step(&health, &ramped, HEALTH_EVENT_PASS, 900).ramp, 550);
	assert_int_equal(health_step(&health, &ramped, HEALTH_EVENT_TROUBLE, 1000).ramp, 640);
	assert_int_equal(health_step(&health, &ramped, HEALTH_EVENT_CALM, 9000).ramp, 640);
	assert_int_equal(health_step(&health, &ramped, HEALTH_EVENT_TIME, 9400).ramp, HEALTH_WHOLE);
}

static void ramps_spared(void **context)
{
	struct health health;

	(void)context;
	health_begin(&health, HEALTH_WAITING, HEALTH_WHOLE, &ramped, true, 0);
	assert_int_equal(health_step(&health, &ramped, HEALTH_EVENT_PASS, 1).ramp, HEALTH_WHOLE);
	health_step(&health, &ramped, HEALTH_EVENT_FAIL, 2);
	health_step(&health, &ramped, HEALTH_EVENT_FAIL, 3);
	/* It recovers: from now on as any other. */
	assert_int_equal(health_step(&health, &ramped, HEALTH_EVENT_PASS, 4).ramp, 100);
	/* A ramp that was under way goes on where it was. */
	health_begin(&health, HEALTH_UP, 550, &ramped, true, 0);
	assert_int_equal(health_step(&health, &ramped, HEALTH_EVENT_TIME, 0).ramp, 550);
	assert_int_equal(health_step(&health, &ramped, HEALTH_EVENT_TIME, 500).ramp, HEALTH_WHOLE);
}

/* ------------------------------------------------------------------ pools */

static struct health_config health_tcp = {
	.interval_ms = 1000, .down_interval_ms = 1000, .timeout_ms = 500, .rise = 2, .fall = 3};

static struct state *state_checked(struct health_config *health, unsigned int backends)
{
	struct service_config service = service_make("web", "192.0.2.80", 80, 8);
	struct state *state = state_new(&limits_small);
	char name[] = "w0", address[] = "10.0.0.0";

	service.health = health;
	assert_int_equal(state_service_add(state, &service, ORIGIN_CONFIG, NULL), 0);
	for (unsigned int i = 0; i < backends; i++) {
		name[1]++;
		address[7]++;
		backend_add(state, "web", name, address);
	}
	return state;
}

static void judge(struct state *state, const char *name, enum health_verdict verdict)
{
	struct backend_health health = backend_of(state, "web", name)->health;

	health.verdict = verdict;
	assert_int_equal(state_backend_health(state, "web", name, &health, NULL), 0);
}

static unsigned int taking(const struct state *state)
{
	const struct pool *pool = state_pool(state, "web");
	unsigned int count = 0;

	for (size_t i = 0; i < pool->backend_count; i++)
		count += backend_weight(&pool->backends[i]) > 0;
	return count;
}

static void first_success(void **context)
{
	struct health_config initial_up = {.initial_up = true, .rise = 1, .fall = 1};
	struct state *state = state_checked(&health_tcp, 2);

	(void)context;
	assert_int_equal(taking(state), 0);
	assert_int_equal(backend_of(state, "web", "w1")->life, LIFE_WARMING);
	judge(state, "w1", HEALTH_UP);
	assert_int_equal(taking(state), 1);
	assert_int_equal(backend_of(state, "web", "w1")->life, LIFE_ACTIVE);
	state_free(state);
	state = state_checked(&initial_up, 2);
	assert_int_equal(taking(state), 2);
	state_free(state);
}

static void panic(void **context)
{
	struct health_config health = {.rise = 1, .fall = 1, .panic_threshold = 50};
	struct state *state = state_checked(&health, 5);

	(void)context;
	judge(state, "w1", HEALTH_UP);
	judge(state, "w2", HEALTH_UP);
	judge(state, "w3", HEALTH_DOWN);
	judge(state, "w4", HEALTH_DOWN);
	assert_int_equal(taking(state), 2); /* one half is not less than one half */
	judge(state, "w2", HEALTH_DOWN);
	assert_true(pool_health(state_pool(state, "web")).ignored);
	assert_int_equal(taking(state), 4); /* w5 has never been up */
	judge(state, "w1", HEALTH_DOWN);
	assert_int_equal(taking(state), 0);
	state_free(state);
	health.all_down = ALL_DOWN_ALL;
	state = state_checked(&health, 3);
	assert_int_equal(taking(state), 0);
	judge(state, "w1", HEALTH_DOWN);
	judge(state, "w2", HEALTH_DOWN);
	assert_int_equal(taking(state), 2);
	/* Those in maint neither count nor take flows. */
	assert_int_equal(state_backend_maint(state, "web", "w1", true, NULL), 0);
	assert_int_equal(taking(state), 1);
	state_free(state);
}

static void reports(void **context)
{
	struct state *state = state_checked(NULL, 1);
	struct backend_health health = {HEALTH_UNCHECKED, 500, REPORT_READY, 500};
	const struct pool_backend *backend = backend_of(state, "web", "w1");

	(void)context;
	assert_int_equal(state_backend_health(state, "web", "w1", &health, NULL), 0);
	assert_int_equal(backend_weight(backend), 25);
	health.report_weight = 1;
	assert_int_equal(state_backend_health(state, "web", "w1", &health, NULL), 0);
	assert_int_equal(backend_weight(backend), 1);
	health.report_weight = 0;
	assert_int_equal(state_backend_health(state, "web", "w1", &health, NULL), 0);
	assert_int_equal(backend_weight(backend), 0);
	assert_true(backend_takes(backend));
	health.report = REPORT_DRAIN;
	health.report_weight = HEALTH_WHOLE;
	assert_int_equal(state_backend_health(state, "web", "w1", &health, NULL), 0);
	assert_int_equal(backend_weight(backend), 0);
	assert_true(backend_takes(backend));
	health.report = REPORT_MAINT;
	assert_int_equal(state_backend_health(state, "web", "w1", &health, NULL), 0);
	assert_false(backend_takes(backend));
	health.report = REPORT_DOWN;
	assert_int_equal(state_backend_health(state, "web", "w1", &health, NULL), 0);
	assert_false(backend_takes(backend));
	state_free(state);
}

static void config_follows(void **context)
{
	struct web web;
	struct state *state = state_new(&limits_small), *saved;

	(void)context;
	web_make(&web);
	apply(state, &web);
	/* What serves goes on when its service gets probes; what is new waits. */
	web.service.health = &health_tcp;
	apply(state, &web);
	assert_int_equal(taking(state), 2);
	backend_add(state, "web", "w3", "10.0.0.3");
	assert_int_equal(taking(state), 2);
	judge(state, "w1", HEALTH_DOWN);
	assert_int_equal(taking(state), 1);
	web.service.health = NULL;
	apply(state, &web);
	assert_int_equal(taking(state), 3);
	/* A ramp is for what comes while the agent runs. */
	web.service.warm_up_ms = 1000;
	web.service.warm_up_first = 100;
	apply(state, &web);
	backend_add(state, "web", "w4", "10.0.0.4");
	assert_int_equal(backend_weight(backend_of(state, "web", "w4")), 10);
	assert_int_equal(backend_of(state, "web", "w4")->life, LIFE_WARMING);
	saved = state_clone(state);
	assert_int_equal(state_health_started(state, saved), 0);
	assert_int_equal(backend_weight(backend_of(state, "web", "w4")), 10);
	assert_int_equal(state_health_started(state, NULL), 0);
	assert_int_equal(backend_weight(backend_of(state, "web", "w4")), 100);
	assert_int_equal(backend_of(state, "web", "w4")->life, LIFE_ACTIVE);
	state_free(saved);
	state_free(state);
}

static void saved(void **context)
{
	const struct backend_health health = {HEALTH_DOWN, 250, REPORT_DRAIN, 750};
	struct state *state = state_checked(&health_tcp, 2), *back;
	struct service_config *service = service_edit(state, "web");
	const struct pool_backend *backend;
	struct error error;
	json_t *json;

	(void)context;
	/* Reports are kept while there is somebody to ask. */
	service->agent_check = calloc(1, sizeof(*service->agent_check));
	*service->agent_check =
		(struct agent_check_config){.port = 1, .interval_ms = 1000, .timeout_ms = 500};
	assert_int_equal(state_backend_health(state, "web", "w1", &health, NULL), 0);
	assert_int_equal(state_backend_maint(state, "web", "w2", true, NULL), 0);
	json = state_to_json(state);
	assert_non_null(json);
	if (state_from_json(json, &back, &error))
		fail_msg("%s", error.text);
	backend = backend_of(back, "web", "w1");
	assert_memory_equal(&backend->health, &health, sizeof(health));
	assert_true(backend->dead);
	assert_true(backend_of(back, "web", "w2")->maint);
	assert_int_equal(steps_since(back, state), 0);
	json_decref(json);
	state_free(state);
}

/* ------------------------------------------------------------------ model check */

/*
 * Every sequence of these inputs up to MODEL_DEPTH, applied to one backend beside another that is
 * always up: the machine's output goes into the state as the agent does it. After each the
 * invariants are looked at.
 */
enum model_input {
	MODEL_PASS,
	MODEL_FAIL,
	MODEL_TIME,
	MODEL_REPORT_MAINT,
	MODEL_REPORT_READY,
	MODEL_MAINT,
	MODEL_READY,
	MODEL_DRAIN,
	MODEL_UNDRAIN,
	MODEL_DEADLINE,
	MODEL_INPUTS,
};

/* A sanitizer makes it ten times as slow. */
#ifdef __SANITIZE_ADDRESS__
#define MODEL_DEPTH     5
#define MODEL_SEQUENCES 111111
#else
#define MODEL_DEPTH     6
#define MODEL_SEQUENCES 1111111
#endif

static const struct health_rules model_rules = {.checked = true,
						.rise = 1,
						.fall = 2,
						.hold_ms = 100,
						.hold_max_ms = 400,
						.ramp_ms = 200,
						.ramp_first = 500};

struct model {
	struct state *state;
	struct health health;
	uint64_t now_ms;
	bool succeeded;
};

static void model_step(struct model *model, enum health_event event)
{
	const struct pool_backend *backend = backend_of(model->state, "web", "w1");
	struct backend_health health = backend->health;
	struct health_output output =
		health_step(&model->health, &model_rules, event, model->now_ms);

	assert_true(!output.wake_ms || output.wake_ms > model->now_ms);
	health.verdict = output.verdict;
	health.ramp = output.ramp;
	assert_int_equal(state_backend_health(model->state, "web", "w1", &health, NULL), 0);
}

static void model_report(struct model *model, enum backend_report report)
{
	struct backend_health health = backend_of(model->state, "web", "w1")->health;

	health.report = report;
	assert_int_equal(state_backend_health(model->state, "web", "w1", &health, NULL), 0);
}

static void model_apply(struct model *model, enum model_input input)
{
	switch (input) {
	case MODEL_PASS:
		model->succeeded = true;
		model_step(model, HEALTH_EVENT_PASS);
		break;
	case MODEL_FAIL:
		model_step(model, HEALTH_EVENT_FAIL);
		break;
	case MODEL_TIME:
		model->now_ms += 150;
		model_step(model, HEALTH_EVENT_TIME);
		break;
	case MODEL_REPORT_MAINT:
	case MODEL_REPORT_READY:
		model_report(model, input == MODEL_REPORT_MAINT ? REPORT_MAINT : REPORT_READY);
		break;
	case MODEL_MAINT:
	case MODEL_READY:
		state_backend_maint(model->state, "web", "w1", input == MODEL_MAINT, NULL);
		break;
	case MODEL_DRAIN:
		state_backend_drain(model->state, "web", "w1", 1, NULL);
		break;
	case MODEL_UNDRAIN:
		state_backend_undrain(model->state, "web", "w1", NULL);
		break;
	case MODEL_DEADLINE:
		state_backend_drained(model->state, "web", "w1", NULL);
		break;
	case MODEL_INPUTS:
		break;
	}
}

static void model_check(const struct model *model)
{
	const struct pool_backend *backend = backend_of(model->state, "web", "w1");

	/* Administrative states win. */
	if (backend->maint || backend->health.report == REPORT_MAINT ||
	    backend->life == LIFE_DRAINED) {
		assert_int_equal(backend_weight(backend), 0);
		assert_false(backend_takes(backend));
	}
	if (backend->life == LIFE_DRAINING)
		assert_int_equal(backend_weight(backend), 0);
	if (!model->succeeded)
		assert_int_equal(backend_weight(backend), 0);
	if (backend->health.verdict == HEALTH_DOWN || backend->health.verdict == HEALTH_WAITING)
		assert_false(backend_takes(backend));
	assert_int_equal(backend->number == NO_NUMBER, !backend_alive(backend));
	assert_int_equal(backend->life == LIFE_ACTIVE, backend->life != LIFE_WARMING &&
							       backend->life != LIFE_DRAINING &&
							       backend->life != LIFE_DRAINED);
	if (backend->life == LIFE_ACTIVE)
		assert_int_equal(backend->health.ramp, HEALTH_WHOLE);
}

static struct model model_copy(const struct model *model)
{
	struct model copy = *model;

	copy.state = state_clone(model->state);
	return copy;
}

/* Wherever it is, people and good probes bring it back to its whole weight; and a drain ends. */
static void model_ways_out(const struct model *model)
{
	struct model copy = model_copy(model);
	const struct pool_backend *backend;

	model_apply(&copy, MODEL_UNDRAIN);
	model_apply(&copy, MODEL_READY);
	model_apply(&copy, MODEL_REPORT_READY);
	for (int i = 0; i < 6; i++) {
		model_apply(&copy, MODEL_TIME);
		model_apply(&copy, MODEL_PASS);
	}
	backend = backend_of(copy.state, "web", "w1");
	assert_int_equal(backend->life, LIFE_ACTIVE);
	assert_int_equal(backend_weight(backend), 100);
	model_apply(&copy, MODEL_DRAIN);
	assert_int_equal(backend->life, LIFE_DRAINING);
	model_apply(&copy, MODEL_DEADLINE);
	assert_int_equal(backend->life, LIFE_DRAINED);
	assert_int_equal(state_backend_remove(copy.state, "web", "w1", NULL), 0);
	state_free(copy.state);
}

static size_t model_walk(const struct model *model, int depth)
{
	size_t sequences = 1;

	model_check(model);
	if (depth >= MODEL_DEPTH - 2)
		model_ways_out(model);
	for (int input = 0; depth && input < MODEL_INPUTS; input++) {
		struct model next = model_copy(model);

		model_apply(&next, (enum model_input)input);
		sequences += model_walk(&next, depth - 1);
		state_free(next.state);
	}
	return sequences;
}

static void model_checked(void **context)
{
	struct model model = {.state = state_checked(&health_tcp, 2)};
	size_t sequences;

	(void)context;
	judge(model.state, "w2", HEALTH_UP);
	health_begin(&model.health, HEALTH_WAITING, model_rules.ramp_first, &model_rules, false, 0);
	sequences = model_walk(&model, MODEL_DEPTH);
	print_message("# %zu sequences of up to %d inputs\n", sequences, MODEL_DEPTH);
	assert_int_equal(sequences, MODEL_SEQUENCES);
	state_free(model.state);
}

static const struct CMUnitTest cases[] = {
	CASE(thresholds, "health/verdict: rise and fall count results in a row"),
	CASE(unchecked, "health/verdict: without probes nothing is down; with new ones it was up"),
	CASE(holds, "health/damping: the hold of one that flaps doubles, and is forgotten"),
	CASE(ramps, "health/warm-up: the weight rises in 20 steps to the whole"),
	CASE(ramps_wait, "health/warm-up: the ramp waits while the backend has trouble"),
	CASE(ramps_spared, "health/warm-up: what was there when the agent started has no ramp"),
	CASE(first_success, "health/pool: no flow before the first success, unless configured"),
	CASE(panic, "health/pool: too few are up: those that were up once take flows, too"),
	CASE(reports, "health/pool: what a backend says of itself changes its weight"),
	CASE(config_follows, "health/pool: a config that gets or loses probes stops nothing"),
	CASE(saved, "health/pool: health and maint are saved"),
	CASE(model_checked,
	     "health/model: every sequence of inputs up to a depth keeps the invariants"),
};

UNIT_MAIN("health", cases)

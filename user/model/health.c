// SPDX-License-Identifier: GPL-2.0-only
/* One backend's health: verdicts by results in a row, holds for what flaps, ramps for what came. */
#include "model/health.h"

#include <stddef.h>

const char *const health_verdict_names[] = {"unchecked", "waiting", "up", "down", NULL};

#define RAMP_STEPS 20u

static bool takes(enum health_verdict verdict)
{
	return verdict == HEALTH_UP || verdict == HEALTH_UNCHECKED;
}

enum health_verdict health_first(bool checked, bool initial_up)
{
	if (!checked)
		return HEALTH_UNCHECKED;
	return initial_up ? HEALTH_UP : HEALTH_WAITING;
}

/* How long the ramp has run, if its share is so large. */
static uint64_t ramp_time(uint32_t ramp, const struct health_rules *rules)
{
	uint32_t span = HEALTH_WHOLE - rules->ramp_first;

	if (ramp >= HEALTH_WHOLE || !span)
		return rules->ramp_ms;
	if (ramp <= rules->ramp_first)
		return 0;
	return rules->ramp_ms * (ramp - rules->ramp_first) / span;
}

void health_begin(struct health *health, enum health_verdict verdict, uint32_t ramp,
		  const struct health_rules *rules, bool at_start, uint64_t now_ms)
{
	*health = (struct health){
		.verdict = verdict,
		.ramp_spared = at_start,
		.ramp = ramp,
		.ramp_done_ms = ramp_time(ramp, rules),
		.stepped_ms = now_ms,
		.up_ms = now_ms,
	};
}

static void come_up(struct health *health, const struct health_rules *rules, uint64_t now_ms)
{
	health->verdict = HEALTH_UP;
	health->streak = 0;
	health->up_ms = now_ms;
	health->ramp_done_ms = health->ramp_spared ? rules->ramp_ms : 0;
	health->ramp_spared = false;
}

static void go_down(struct health *health, const struct health_rules *rules, uint64_t now_ms)
{
	bool again = health->hold_last_ms && now_ms - health->up_ms < rules->hold_max_ms;
	uint64_t hold_ms = again ? health->hold_last_ms * 2 : rules->hold_ms;

	if (hold_ms > rules->hold_max_ms)
		hold_ms = rules->hold_max_ms;
	/* The first time down is no flapping: it is remembered, but not held. */
	health->hold_until_ms = again ? now_ms + hold_ms : 0;
	health->hold_last_ms = again ? hold_ms : (rules->hold_ms + 1) / 2;
	health->verdict = HEALTH_DOWN;
	health->streak = 0;
	health->ramp_spared = false;
}

static void result_take(struct health *health, const struct health_rules *rules, bool pass,
			uint64_t now_ms)
{
	if (!rules->checked)
		return;
	if (health->verdict == HEALTH_UNCHECKED)
		health->verdict = HEALTH_UP;
	if (pass == (health->verdict == HEALTH_UP)) {
		health->streak = 0;
		return;
	}
	health->streak++;
	if (health->verdict == HEALTH_UP && health->streak >= rules->fall)
		go_down(health, rules, now_ms);
	/* One that never was up waits on, however often it fails. */
	else if (health->verdict != HEALTH_UP && pass && health->streak >= rules->rise &&
		 now_ms >= health->hold_until_ms)
		come_up(health, rules, now_ms);
}

/* Time counts for the ramp while the backend takes flows and nothing speaks against it. */
static void ramp_advance(struct health *health, const struct health_rules *rules, uint64_t now_ms)
{
	uint64_t passed_ms = now_ms - health->stepped_ms;

	health->stepped_ms = now_ms;
	if (!takes(health->verdict) || health->trouble ||
	    (health->verdict == HEALTH_UP && health->streak))
		return;
	health->ramp_done_ms += passed_ms;
	if (health->ramp_done_ms > rules->ramp_ms)
		health->ramp_done_ms = rules->ramp_ms;
}

static uint32_t ramp_share(const struct health *health, const struct health_rules *rules)
{
	uint64_t span = HEALTH_WHOLE - rules->ramp_first;

	if (health->ramp_done_ms >= rules->ramp_ms)
		return HEALTH_WHOLE;
	return rules->ramp_first +
	       (uint32_t)(span * (health->ramp_done_ms * RAMP_STEPS / rules->ramp_ms) / RAMP_STEPS);
}

/* When the share makes its next step, or the hold ends. */
static uint64_t wake_time(const struct health *health, const struct health_rules *rules,
			  uint64_t now_ms)
{
	uint64_t step, next_ms;

	if (!takes(health->verdict) || health->ramp_done_ms >= rules->ramp_ms)
		return 0;
	step = health->ramp_done_ms * RAMP_STEPS / rules->ramp_ms + 1;
	next_ms = (step * rules->ramp_ms + RAMP_STEPS - 1) / RAMP_STEPS;
	return now_ms + next_ms - health->ramp_done_ms;
}

/* What the rules of a changed config no longer allow. */
static void rules_follow(struct health *health, const struct health_rules *rules)
{
	if (!rules->checked && health->verdict != HEALTH_UNCHECKED) {
		health->verdict = HEALTH_UNCHECKED;
		health->streak = 0;
		health->hold_until_ms = health->hold_last_ms = 0;
	}
	if (rules->checked && health->verdict == HEALTH_UNCHECKED)
		health->verdict = HEALTH_UP;
	if (health->ramp_done_ms > rules->ramp_ms)
		health->ramp_done_ms = rules->ramp_ms;
}

struct health_output health_step(struct health *health, const struct health_rules *rules,
				 enum health_event event, uint64_t now_ms)
{
	rules_follow(health, rules);
	ramp_advance(health, rules, now_ms);
	switch (event) {
	case HEALTH_EVENT_TIME:
		break;
	case HEALTH_EVENT_PASS:
	case HEALTH_EVENT_FAIL:
		result_take(health, rules, event == HEALTH_EVENT_PASS, now_ms);
		break;
	case HEALTH_EVENT_TROUBLE:
	case HEALTH_EVENT_CALM:
		health->trouble = event == HEALTH_EVENT_TROUBLE;
		break;
	}
	health->ramp = takes(health->verdict) ? ramp_share(health, rules) : health->ramp;
	return (struct health_output){
		.verdict = health->verdict,
		.ramp = health->ramp,
		.wake_ms = wake_time(health, rules, now_ms),
	};
}

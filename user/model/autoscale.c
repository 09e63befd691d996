// SPDX-License-Identifier: GPL-2.0-only
/* The autoscaler's decision: how many backends the demand needs, and what to do about it. */
#include "model/autoscale.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Means that differ by no more than this part of the larger agree. */
#define NOISE 0.1

/* Demand of exactly n targets needs n, though its mean was rounded. */
#define ROUNDING       1e-6

#define BACKOFF_MIN_MS 1000u
#define BACKOFF_MAX_MS 60000u

const char *const autoscale_why_names[] = {"steady",      "up",     "down", "holding", "stale",
					   "backing_off", "at_max", "busy", "paused",  NULL};

uint64_t autoscale_backoff_ms(uint32_t failed_in_a_row)
{
	uint64_t wait = BACKOFF_MIN_MS;

	if (!failed_in_a_row)
		return 0;
	while (--failed_in_a_row && wait < BACKOFF_MAX_MS)
		wait *= 2;
	return wait < BACKOFF_MAX_MS ? wait : BACKOFF_MAX_MS;
}

static void history_add(struct autoscale_memory *memory, uint64_t now_ms, double demand)
{
	memory->history[memory->history_next].time_ms = now_ms;
	memory->history[memory->history_next].demand = demand;
	memory->history_next = (memory->history_next + 1) % AUTOSCALE_HISTORY;
	if (memory->history_count < AUTOSCALE_HISTORY)
		memory->history_count++;
}

/* Of the samples that are younger than the window at the last of them. */
static double window_mean(const struct autoscale_memory *memory, uint64_t window_ms)
{
	uint32_t last = (memory->history_next + AUTOSCALE_HISTORY - 1) % AUTOSCALE_HISTORY;
	uint64_t end = memory->history[last].time_ms;
	double sum = 0;
	uint32_t count = 0;

	for (uint32_t i = 0; i < memory->history_count; i++) {
		if (end - memory->history[i].time_ms >= window_ms)
			continue;
		sum += memory->history[i].demand;
		count++;
	}
	return sum / count;
}

/* Beside the fixed part: packets and flows that arrive at random vary by the root of their number. */
static bool means_agree(double a, double b)
{
	double larger = a > b ? a : b;
	double noise = larger * NOISE;

	if (noise < 2 * sqrt(larger))
		noise = 2 * sqrt(larger);
	return fabs(a - b) <= noise;
}

/*
 * The longest window whose mean agrees with every shorter one: after a step only the shortest
 * does, in calm times the long ones smooth the noise.
 */
static double estimate_make(const struct autoscale_memory *memory)
{
	static const uint64_t windows_ms[] = {1000, 2000, 4000, 8000, 16000, 32000};
	double means[sizeof(windows_ms) / sizeof(windows_ms[0])];
	size_t chosen = 0;

	if (!memory->history_count)
		return 0;
	for (size_t i = 0; i < sizeof(windows_ms) / sizeof(windows_ms[0]); i++) {
		means[i] = window_mean(memory, windows_ms[i]);
		for (size_t shorter = 0; shorter < i; shorter++) {
			if (!means_agree(means[i], means[shorter]))
				return means[chosen];
		}
		chosen = i;
	}
	return means[chosen];
}

static uint32_t need_wanted(double estimate, double target)
{
	double need = ceil(estimate / target - ROUNDING);

	if (need < 0)
		return 0;
	return need > UINT32_MAX ? UINT32_MAX : (uint32_t)need;
}

static uint32_t clamp(uint32_t value, uint32_t low, uint32_t high)
{
	if (value < low)
		return low;
	return value > high ? high : value;
}

/* Milliseconds until the provisioner may be asked again; 0 = now. */
static uint64_t backoff_left(const struct autoscale_input *input)
{
	uint64_t until = input->last_failure_ms + autoscale_backoff_ms(input->failed_in_a_row);

	if (!input->failed_in_a_row || !input->last_failure_ms || input->now_ms >= until)
		return 0;
	return until - input->now_ms;
}

/* More is needed than there is: the cheapest first. */
static void step_up(const struct autoscale_config *config, const struct autoscale_input *input,
		    struct autoscale_output *output)
{
	uint32_t missing = output->need - (input->active + input->provisioning);
	uint32_t room = config->creating_max > input->provisioning
				? config->creating_max - input->provisioning
				: 0;

	output->undrain = missing < input->draining ? missing : input->draining;
	missing -= output->undrain;
	if (!backoff_left(input))
		output->create = missing < room ? missing : room;
	if (output->undrain || output->create)
		output->why = SCALE_UP;
	else
		output->why = backoff_left(input) ? SCALE_BACKING_OFF : SCALE_BUSY;
}

static void hold_start(struct autoscale_memory *memory, uint64_t now_ms, uint32_t need)
{
	memory->hold_since_ms = now_ms ? now_ms : 1;
	memory->hold_need = need;
}

/* Less is needed than there is: down to the most that was needed while hold passed, no further. */
static void step_down(struct autoscale_memory *memory, const struct autoscale_config *config,
		      const struct autoscale_input *input, struct autoscale_output *output)
{
	uint32_t excess;

	if (!memory->hold_since_ms)
		hold_start(memory, input->now_ms, output->need);
	if (output->need > memory->hold_need)
		memory->hold_need = output->need;
	output->why = SCALE_HOLDING;
	if (input->now_ms - memory->hold_since_ms < config->hold_ms || input->provisioning)
		return;
	if (input->active <= memory->hold_need) {
		/* What that hold allowed is done; any more has to be earned by another one. */
		hold_start(memory, input->now_ms, output->need);
		if (config->hold_ms || input->active <= output->need)
			return;
	}
	excess = input->active - memory->hold_need;
	output->drain = excess < config->step_down ? excess : config->step_down;
	output->why = SCALE_DOWN;
}

static void decide(struct autoscale_memory *memory, const struct autoscale_config *config,
		   const struct autoscale_input *input, struct autoscale_output *output)
{
	uint32_t have = input->active + input->provisioning;
	uint32_t wanted = need_wanted(output->estimate, config->target);

	output->need = clamp(wanted, config->min, config->max);
	if (!input->fresh)
		output->need = clamp(have, config->min, config->max);
	if (!input->fresh || config->paused || output->need >= have)
		memory->hold_since_ms = 0;
	if (config->paused) {
		output->why = SCALE_PAUSED;
		return;
	}
	if (output->need > have)
		step_up(config, input, output);
	else if (!input->fresh)
		output->why = SCALE_STALE;
	else if (output->need < have)
		step_down(memory, config, input, output);
	else
		output->why = wanted > config->max ? SCALE_AT_MAX : SCALE_STEADY;
}

/* "12,345"; small amounts with a decimal where they have one. */
static const char *amount(double value, char buffer[32])
{
	char digits[32];
	size_t length, out = 0;

	if (value < 10 && fabs(value - round(value)) >= 0.05) {
		snprintf(buffer, 32, "%.1f", value);
		return buffer;
	}
	snprintf(digits, sizeof(digits), "%.0f", value < 1e18 ? value : 1e18);
	length = strlen(digits);
	for (size_t i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			buffer[out++] = ',';
		buffer[out++] = digits[i];
	}
	buffer[out] = '\0';
	return buffer;
}

static uint64_t seconds_up(uint64_t ms)
{
	return (ms + 999) / 1000;
}

static void text_of_action(const struct autoscale_memory *memory,
			   const struct autoscale_config *config,
			   const struct autoscale_input *input,
			   const struct autoscale_output *output, char *text, size_t size)
{
	uint64_t held;

	switch (output->why) {
	case SCALE_UP:
		if (output->undrain && output->create)
			snprintf(text, size, "take back %u, create %u", output->undrain,
				 output->create);
		else if (output->undrain)
			snprintf(text, size, "take back %u", output->undrain);
		else
			snprintf(text, size, "create %u", output->create);
		break;
	case SCALE_DOWN:
		snprintf(text, size, "drain %u", output->drain);
		break;
	case SCALE_HOLDING:
		held = input->now_ms - memory->hold_since_ms;
		if (held < config->hold_ms)
			snprintf(text, size, "hold for %" PRIu64 " s more",
				 seconds_up(config->hold_ms - held));
		else
			snprintf(text, size, "hold until creations are done");
		break;
	case SCALE_BACKING_OFF:
		snprintf(text, size, "provisioner failed %u in a row, next try in %" PRIu64 " s",
			 input->failed_in_a_row, seconds_up(backoff_left(input)));
		break;
	case SCALE_BUSY:
		snprintf(text, size, "wait, %u creations at once are allowed",
			 config->creating_max);
		break;
	case SCALE_AT_MAX:
		snprintf(text, size, "max is reached, demand would need %u",
			 need_wanted(output->estimate, config->target));
		break;
	case SCALE_STALE:
		snprintf(text, size, "no fresh reading, nothing is taken away");
		break;
	case SCALE_PAUSED:
		snprintf(text, size, "paused");
		break;
	case SCALE_STEADY:
		snprintf(text, size, "steady");
		break;
	}
}

static void text_make(const struct autoscale_memory *memory, const struct autoscale_config *config,
		      const struct autoscale_input *input, struct autoscale_output *output)
{
	static const char *const units[] = {"packets/s", "new flows/s", "bytes/s"};
	char demand[32], estimate[32], target[32], action[64];

	text_of_action(memory, config, input, output, action, sizeof(action));
	snprintf(output->text, sizeof(output->text),
		 "demand %s %s, estimate %s, target %s each: need %u, have %u active + %u "
		 "provisioning: %s",
		 input->fresh ? amount(input->demand, demand) : "unknown", units[config->signal],
		 amount(output->estimate, estimate), amount(config->target, target), output->need,
		 input->active, input->provisioning, action);
}

void autoscale_step(struct autoscale_memory *memory, const struct autoscale_config *config,
		    const struct autoscale_input *input, struct autoscale_output *ret_output)
{
	struct autoscale_output output = {0};

	if (input->fresh)
		history_add(memory, input->now_ms, input->demand);
	output.estimate = estimate_make(memory);
	decide(memory, config, input, &output);
	text_make(memory, config, input, &output);
	*ret_output = output;
}

// SPDX-License-Identifier: GPL-2.0-only
/* A decision in words and numbers, for people. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model/autoscale_private.h"

struct words {
	char *text;
	size_t size, length;
};

__attribute__((format(printf, 2, 3))) static void say(struct words *words, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(words->text + words->length, words->size - words->length, format,
			   arguments);
	va_end(arguments);
	if (length > 0)
		words->length += (size_t)length;
	if (words->length >= words->size)
		words->length = words->size - 1;
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

static void say_up(struct words *words, const struct autoscale_config *config,
		   const struct autoscale_input *input, const struct autoscale_output *output)
{
	const char *comma = "";

	if (output->undrain) {
		say(words, "take back %u", output->undrain);
		comma = ", ";
	}
	if (output->wake) {
		say(words, "%swake %u", comma, output->wake);
		comma = ", ";
	}
	if (output->create)
		say(words, "%screate %u", comma, output->create);
	if (output->create && config->standby &&
	    output->need <= input->active + input->provisioning)
		say(words, " for the standby");
}

static void say_hold(struct words *words, const struct autoscale_memory *memory,
		     const struct autoscale_input *input, const struct autoscale_output *output)
{
	uint64_t left = hold_left(memory, output->hold_ms, input->now_ms);

	if (left)
		say(words, "hold for %" PRIu64 " s more", seconds_up(left));
	else
		say(words, "keep what is being created");
}

static void say_action(struct words *words, const struct autoscale_memory *memory,
		       const struct autoscale_config *config, const struct autoscale_input *input,
		       const struct autoscale_output *output)
{
	switch (output->why) {
	case SCALE_UP:
		say_up(words, config, input, output);
		break;
	case SCALE_DOWN:
		say(words, "drain %u", output->drain);
		break;
	case SCALE_HOLDING:
		say_hold(words, memory, input, output);
		break;
	case SCALE_BACKING_OFF:
		say(words, "provisioner %s, %u in a row, next try in %" PRIu64 " s",
		    input->quota ? "has no more to give" : "failed", input->failed_in_a_row,
		    seconds_up(backoff_left(input)));
		break;
	case SCALE_BUSY:
		say(words, "wait, %u creations at once are allowed", config->creating_max);
		break;
	case SCALE_AT_MAX:
		say(words, "max is reached, demand would need %u", output->wanted);
		break;
	case SCALE_STALE:
		say(words, "no fresh reading, nothing is taken away");
		break;
	case SCALE_PAUSED:
		say(words, "paused");
		break;
	case SCALE_HALTED:
		say(words, "halted, %u of %u are unhealthy, more than %u%%", input->unhealthy,
		    input->unhealthy + input->active, config->unhealthy_max);
		break;
	case SCALE_STEADY:
	default:
		say(words, "steady");
		break;
	}
}

static const char *const units[SIGNALS] = {" packets/s", " new flows/s", " bytes/s",  " live flows",
					   "% cpu",      "% memory",     " of custom"};

static void say_demand(struct words *words, const struct autoscale_config *config,
		       const struct autoscale_input *input, const struct autoscale_output *output)
{
	const struct autoscale_need *need = &output->needs[output->signal];
	char demand[32], number[32];

	say(words, "demand %s%s", output->fresh ? amount(output->demand, demand) : "unknown",
	    units[output->signal]);
	if (need->known < need->asked)
		say(words, " of %u of %u backends", need->known, need->asked);
	say(words, ", estimate %s", amount(output->estimate, number));
	if (output->forecast > output->estimate)
		say(words, ", forecast %s in %" PRIu64 " s", amount(output->forecast, number),
		    seconds_up(input->lead_ms));
	say(words, ", %starget %s each: need %u",
	    config->learn && output->target != signal_target(config, output->signal) ? "learned "
										     : "",
	    amount(output->target, number), output->need);
	if (output->reason >= REASON_MIN)
		say(words, " by %s", autoscale_reason_names[output->reason]);
}

/* ------------------------------------------------------------------ what comes next */

/* Where the signal that decides would make the pool larger, and smaller. */
static void next_bounds(struct words *words, const struct autoscale_config *config,
			const struct autoscale_input *input, const struct autoscale_output *output)
{
	uint32_t have = input->active + input->provisioning;
	char number[32];

	if (have < config->max)
		say(words, "up if the estimate is above %s%s",
		    amount(have * output->target, number), units[output->signal]);
	else
		say(words, "no more: %u are max", config->max);
	if (output->reason >= REASON_MIN && output->need == have)
		say(words, "; not below %u, by %s", have, autoscale_reason_names[output->reason]);
	else if (have > config->min)
		say(words, "; down if it is at most %s for %" PRIu64 " s",
		    amount((have - 1) * output->target, number), seconds_up(output->hold_ms));
	else
		say(words, "; not below %u, which are min", config->min);
}

static void next_stale(struct words *words, const struct autoscale_output *output)
{
	const char *comma = "";

	for (int signal = 0; signal < SIGNALS; signal++) {
		const struct autoscale_need *need = &output->needs[signal];

		if (!(need->target > 0) || (need->fresh && need->known >= need->asked))
			continue;
		say(words, "%s%s", comma, scale_signal_names[signal]);
		if (need->asked)
			say(words, " (known of %u of %u backends)", need->known, need->asked);
		comma = ", ";
	}
	say(words, " is not known of all; when it is, down after %" PRIu64 " s",
	    seconds_up(output->hold_ms));
}

static void next_make(struct words *words, const struct autoscale_config *config,
		      const struct autoscale_input *input, const struct autoscale_output *output)
{
	uint32_t have = input->active + input->provisioning;

	switch (output->why) {
	case SCALE_PAUSED:
		say(words, "nothing until it is resumed");
		break;
	case SCALE_HALTED:
		say(words, "nothing until no more than %u%% are unhealthy", config->unhealthy_max);
		break;
	case SCALE_BACKING_OFF:
		say(words, "in %" PRIu64 " s create up to %u", seconds_up(output->backoff_ms),
		    output->need > have ? output->need - have : 0);
		break;
	case SCALE_BUSY:
		say(words, "%u more as creations end",
		    output->need > have ? output->need - have : 0);
		break;
	case SCALE_STALE:
		next_stale(words, output);
		break;
	case SCALE_HOLDING:
		if (output->hold_left_ms && input->active > output->need)
			say(words,
			    "down to %u in %" PRIu64 " s at the earliest: %u were needed "
			    "within the hold of %" PRIu64 " s",
			    output->need, seconds_up(output->hold_left_ms), output->hold_need,
			    seconds_up(output->hold_ms));
		else
			say(words, "steady when what is being created is there");
		break;
	case SCALE_UP:
	case SCALE_DOWN:
	case SCALE_STEADY:
	case SCALE_AT_MAX:
	default:
		next_bounds(words, config, input, output);
	}
}

void text_make(const struct autoscale_memory *memory, const struct autoscale_config *config,
	       const struct autoscale_input *input, struct autoscale_output *output)
{
	struct words words = {.text = output->text, .size = sizeof(output->text)};
	struct words next = {.text = output->next, .size = sizeof(output->next)};

	say_demand(&words, config, input, output);
	say(&words, ", have %u active + %u provisioning", input->active, input->provisioning);
	if (input->standby)
		say(&words, " + %u standby", input->standby);
	say(&words, ": ");
	say_action(&words, memory, config, input, output);
	if (config->dry_run)
		say(&words, " (dry run)");
	next_make(&next, config, input, output);
}

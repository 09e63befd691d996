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

static void say_demand(struct words *words, const struct autoscale_config *config,
		       const struct autoscale_input *input, const struct autoscale_output *output)
{
	static const char *const units[SIGNALS] = {" packets/s",  " new flows/s", " bytes/s",
						   " live flows", "% cpu",        "% memory",
						   " of custom"};
	char demand[32], number[32];

	say(words, "demand %s%s, estimate %s",
	    output->fresh ? amount(output->demand, demand) : "unknown", units[output->signal],
	    amount(output->estimate, number));
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

void text_make(const struct autoscale_memory *memory, const struct autoscale_config *config,
	       const struct autoscale_input *input, struct autoscale_output *output)
{
	struct words words = {.text = output->text, .size = sizeof(output->text)};

	say_demand(&words, config, input, output);
	say(&words, ", have %u active + %u provisioning", input->active, input->provisioning);
	if (input->standby)
		say(&words, " + %u standby", input->standby);
	say(&words, ": ");
	say_action(&words, memory, config, input, output);
	if (config->dry_run)
		say(&words, " (dry run)");
}

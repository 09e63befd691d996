// SPDX-License-Identifier: GPL-2.0-only
/* Checks of a service's autoscaling: from the texts of a config to checked values. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/autoscale.h"
#include "model/config_check.h"

#define HOUR_MS 3600000u
#define DAY_MS  (24 * HOUR_MS)
#define WEEK_MS (7 * DAY_MS)

static uint32_t number(struct check *check, const char *field, const char *text, uint32_t min,
		       uint32_t max, uint32_t standard)
{
	return (uint32_t)check_number(check, field, text, (struct range){min, max, standard});
}

/* "key=value" texts to an object. */
static json_t *check_options(struct check *check, const struct raw_autoscale *raw)
{
	json_t *options = json_object();

	if (!options)
		check_no_memory(check);
	for (unsigned int i = 0; !check->code && i < raw->options_count; i++) {
		const char *text = raw->options[i], *equals = strchr(text, '=');
		size_t outer = check_into(check, "options[%u]", i);
		char key[64] = "";

		if (!equals || equals == text || (size_t)(equals - text) >= sizeof(key)) {
			check_fail(check, NULL, "option '%s' is not of the form key=value", text);
		} else {
			memcpy(key, text, (size_t)(equals - text));
			if (json_object_get(options, key))
				check_fail(check, NULL, "option '%s' is here twice; remove one",
					   key);
			else if (json_object_set_new(options, key, json_string(equals + 1)))
				check_no_memory(check);
		}
		check_out(check, outer);
	}
	return options;
}

/* A number above 0. */
static double check_amount(struct check *check, const char *field, const char *text,
			   const char *advice)
{
	char *end;
	double amount = strtod(text, &end);

	if (strspn(text, "0123456789.eE+-") != strlen(text) || *end || end == text ||
	    !isfinite(amount) || amount <= 0)
		check_fail(check, field, "%s '%s' is not a number above 0; give %s", field, text,
			   advice);
	return amount;
}

static double check_target(struct check *check, const char *text)
{
	if (text)
		return check_amount(check, "target", text,
				    "the load of one backend in units of the signal a second");
	check_fail(check, "target", "target is missing; add it");
	return 0;
}

static void check_targets(struct check *check, const struct raw_targets *raw,
			  struct autoscale_config *scale)
{
	const char *const texts[SIGNALS] = {
		[SIGNAL_PACKETS] = raw->packets, [SIGNAL_NEW_FLOWS] = raw->new_flows,
		[SIGNAL_BYTES] = raw->bytes,     [SIGNAL_LIVE_FLOWS] = raw->live_flows,
		[SIGNAL_CPU] = raw->cpu,         [SIGNAL_MEMORY] = raw->memory,
		[SIGNAL_CUSTOM] = raw->custom,
	};
	size_t outer = check_into(check, "targets");

	for (int signal = 0; signal < SIGNALS; signal++) {
		const char *name = scale_signal_names[signal];

		if (!texts[signal])
			continue;
		if ((enum scale_signal)signal == scale->signal)
			check_fail(check, name,
				   "%s is the signal, whose target is 'target'; leave it out here",
				   name);
		scale->targets[signal] =
			check_amount(check, name, texts[signal],
				     "what one backend of the pool is to have of it");
	}
	check_out(check, outer);
}

static void check_schedules(struct check *check, const struct raw_autoscale *raw,
			    struct autoscale_config *scale)
{
	scale->schedules = calloc(raw->schedule_count + 1, sizeof(*scale->schedules));
	if (!scale->schedules)
		check_no_memory(check);
	for (unsigned int i = 0; !check->code && i < raw->schedule_count; i++) {
		struct scale_schedule *schedule = &scale->schedules[i];
		size_t outer = check_into(check, "schedule[%u]", i);

		if (schedule_parse(raw->schedule[i], schedule))
			check_fail(check, NULL,
				   "'%s' is not of the form 'MINUTE HOUR DAY MONTH WEEKDAY "
				   "DURATION MIN'; write for instance '0 8 * * 1-5 10h 6'",
				   raw->schedule[i]);
		else if (schedule->min > scale->max)
			check_fail(check, NULL,
				   "its minimum %u is above max %u; lower it or raise max",
				   schedule->min, scale->max);
		else
			scale->schedule_count++;
		check_out(check, outer);
	}
}

static void check_sizes(struct check *check, const struct raw_autoscale *raw,
			struct autoscale_config *scale, uint32_t backends_max)
{
	scale->min = number(check, "min", raw->min, 0, backends_max, 1);
	scale->max = number(check, "max", raw->max, 1, backends_max,
			    backends_max < 8 ? backends_max : 8);
	if (scale->min > scale->max)
		check_fail(check, raw->max ? "max" : "min",
			   "min %u is above max %u; lower min or raise max", scale->min,
			   scale->max);
	scale->standby = number(check, "standby", raw->standby, 0, backends_max, 0);
	if (scale->standby + scale->max > backends_max)
		check_fail(check, "standby",
			   "standby %u and max %u together are more than backends_max %u; raise "
			   "backends_max",
			   scale->standby, scale->max, backends_max);
	scale->step_down = number(check, "step_down", raw->step_down, 1, 1000, 1);
	scale->creating_max = number(check, "creating_max", raw->creating_max, 1, 1000, 16);
	scale->unhealthy_max = number(check, "unhealthy_max", raw->unhealthy_max, 1, 100, 50);
}

static void check_times(struct check *check, const struct raw_autoscale *raw,
			struct autoscale_config *scale)
{
	uint64_t grown;

	scale->hold_ms = number(check, "hold_ms", raw->hold_ms, 0, DAY_MS, 300000);
	grown = scale->hold_ms * 8 < DAY_MS ? scale->hold_ms * 8 : DAY_MS;
	scale->hold_max_ms =
		number(check, "hold_max_ms", raw->hold_max_ms, 0, DAY_MS, (uint32_t)grown);
	if (scale->hold_max_ms < scale->hold_ms)
		check_fail(check, "hold_max_ms",
			   "hold_max_ms is below hold_ms; raise it, or set both alike for a hold "
			   "that never grows");
	scale->drain_ms = number(check, "drain_ms", raw->drain_ms, 0, WEEK_MS, 600000);
	scale->call_timeout_ms =
		number(check, "call_timeout_ms", raw->call_timeout_ms, 100, HOUR_MS, 60000);
}

struct autoscale_config *check_autoscale(struct check *check, const struct raw_autoscale *raw,
					 uint32_t backends_max)
{
	struct autoscale_config *scale = calloc(1, sizeof(*scale));
	size_t outer = check_into(check, "autoscale");

	if (!scale) {
		check_no_memory(check);
		return NULL;
	}
	scale->provisioner = check_path(check, "provisioner", raw->provisioner, NULL);
	scale->options = check_options(check, raw);
	scale->signal = check_word(check, "signal", raw->signal, scale_signal_names, 0);
	scale->target = check_target(check, raw->target);
	if (raw->targets)
		check_targets(check, raw->targets, scale);
	check_sizes(check, raw, scale, backends_max);
	check_schedules(check, raw, scale);
	check_times(check, raw, scale);
	scale->trend = check_bool(check, "trend", raw->trend, true);
	scale->learn = check_bool(check, "learn", raw->learn, false);
	scale->seasonal = check_bool(check, "seasonal", raw->seasonal, false);
	scale->paused = check_bool(check, "paused", raw->paused, false);
	scale->dry_run = check_bool(check, "dry_run", raw->dry_run, false);
	check_out(check, outer);
	return scale;
}

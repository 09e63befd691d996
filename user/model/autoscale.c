// SPDX-License-Identifier: GPL-2.0-only
/* The autoscaler's decision: how many backends the demand needs, and what to do about it. */
#include "model/autoscale.h"

#include <math.h>
#include <string.h>

#include "model/autoscale_private.h"

/* Demand of exactly n targets needs n, though its mean was rounded. */
#define ROUNDING       1e-6

#define FORECAST_MAX   2.0 /* times the estimate: growth that goes on longer will be seen */

#define BACKOFF_MIN_MS 1000u
#define BACKOFF_MAX_MS 60000u
#define QUOTA_MIN_MS   60000u
#define QUOTA_MAX_MS   600000u

#define REGRETTED      1.1 /* of the target, for each that is left */
#define FORGIVE        4   /* holds without regret until half of its growth is taken back */
#define LEARN_PACE     300 /* samples that the learned target is a mean of */
#define LEARN_MIN      120 /* samples before it is used */
#define LEARN_LOAD     0.2 /* of a resource's target: with less, its figure is mostly idling */
#define LEARN_RANGE    4   /* times the configured target, up and down */

#define VALUE_MAX      1e15  /* of a reading; more is none */
#define GAP_MS         10000 /* between two steps: what was in between is not known */

const char *const autoscale_why_names[] = {"steady", "up",          "down",   "holding",
					   "stale",  "backing_off", "at_max", "busy",
					   "paused", "halted",      NULL};
const char *const autoscale_reason_names[] = {"demand",    "trend",        "min", "schedule",
					      "yesterday", "first packet", NULL};

static uint64_t doubled(uint64_t wait, uint64_t most, uint32_t failed_in_a_row)
{
	if (!failed_in_a_row)
		return 0;
	while (--failed_in_a_row && wait < most)
		wait *= 2;
	return wait < most ? wait : most;
}

uint64_t autoscale_backoff_ms(uint32_t failed_in_a_row)
{
	return doubled(BACKOFF_MIN_MS, BACKOFF_MAX_MS, failed_in_a_row);
}

uint64_t autoscale_quota_ms(uint32_t failed_in_a_row)
{
	return doubled(QUOTA_MIN_MS, QUOTA_MAX_MS, failed_in_a_row);
}

uint64_t backoff_left(const struct autoscale_input *input)
{
	uint64_t wait = input->quota ? autoscale_quota_ms(input->failed_in_a_row)
				     : autoscale_backoff_ms(input->failed_in_a_row);
	uint64_t until = input->last_failure_ms + wait;

	if (!input->failed_in_a_row || !input->last_failure_ms || input->now_ms >= until)
		return 0;
	return until - input->now_ms;
}

double signal_target(const struct autoscale_config *config, enum scale_signal signal)
{
	return signal == config->signal ? config->target : config->targets[signal];
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t clamp(uint32_t value, uint32_t low, uint32_t high)
{
	if (value < low)
		return low;
	return value > high ? high : value;
}

static uint32_t backends_for(double demand, double target)
{
	double need = ceil(demand / target - ROUNDING);

	if (!(need > 0))
		return 0;
	return need < UINT32_MAX ? (uint32_t)need : UINT32_MAX;
}

/* ------------------------------------------------------------------ need */

static bool fresh_whole(const struct autoscale_signal *reading)
{
	return reading->fresh && reading->known >= reading->asked;
}

/*
 * Where backends report how busy they are, a backend's share of the leading signal at which they
 * are as busy as they should be can be seen, and replaces a target that was guessed.
 */
static void target_learn(struct autoscale_memory *memory, const struct autoscale_config *config,
			 const struct autoscale_input *input)
{
	static const enum scale_signal resources[] = {SIGNAL_CPU, SIGNAL_CUSTOM, SIGNAL_MEMORY};
	double busy = 0, share;

	for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]) && !(busy > 0); i++) {
		double target = signal_target(config, resources[i]);

		if (target > 0 && resources[i] != config->signal &&
		    fresh_whole(&input->signals[resources[i]]))
			busy = input->signals[resources[i]].value / target;
	}
	/* While shares still grow, or nothing runs, neither says much of the other. */
	if (!input->active || input->warming || !fresh_whole(&input->signals[config->signal]) ||
	    busy < LEARN_LOAD * input->active)
		return;
	share = input->signals[config->signal].value / busy;
	if (memory->learned_count < LEARN_PACE)
		memory->learned_count++;
	memory->learned += (share - memory->learned) / memory->learned_count;
}

static double target_of(const struct autoscale_memory *memory,
			const struct autoscale_config *config, const struct autoscale_input *input,
			enum scale_signal signal)
{
	double target = signal_target(config, signal);

	if (config->learn && signal == config->signal && memory->learned_count >= LEARN_MIN)
		return fmin(fmax(memory->learned, target / LEARN_RANGE), target * LEARN_RANGE);
	/* Percents are of a backend as it is, whatever it can do. */
	if (input->capacity > 0 && signal <= SIGNAL_LIVE_FLOWS)
		target *= input->capacity;
	return target;
}

/* What one signal asks for. */
static struct autoscale_need signal_need(const struct autoscale_memory *memory,
					 const struct autoscale_config *config,
					 const struct autoscale_input *input,
					 enum scale_signal signal)
{
	const struct estimate estimate = series_estimate(&memory->series[signal], input->lead_ms);
	const struct autoscale_signal *reading = &input->signals[signal];
	struct autoscale_need need = {
		.fresh = reading->fresh,
		.known = reading->known,
		.asked = reading->asked,
		.demand = reading->value,
		.estimate = estimate.value,
		.window_s = estimate.window_s,
		.forecast = estimate.value,
		.target = target_of(memory, config, input, signal),
	};

	if (config->trend)
		need.forecast += estimate.growth;
	need.forecast = fmin(need.forecast, FORECAST_MAX * estimate.value);
	if (!need.fresh)
		return need;
	need.wanted = backends_for(need.forecast, need.target);
	need.trend = need.wanted > backends_for(estimate.value, need.target);
	return need;
}

static void need_lead(struct autoscale_output *output, enum scale_signal signal)
{
	const struct autoscale_need *need = &output->needs[signal];

	output->signal = signal;
	output->fresh = need->fresh;
	output->demand = need->demand;
	output->estimate = need->estimate;
	output->window_s = need->window_s;
	output->forecast = need->forecast;
	output->target = need->target;
	output->wanted = need->wanted;
	output->reason = need->trend ? REASON_TREND : REASON_DEMAND;
}

/* The largest need decides; of equal ones that of the leading signal. */
static void needs_make(const struct autoscale_memory *memory, const struct autoscale_config *config,
		       const struct autoscale_input *input, struct autoscale_output *output)
{
	output->needs[config->signal] = signal_need(memory, config, input, config->signal);
	need_lead(output, config->signal);
	for (int i = 0; i < SIGNALS; i++) {
		enum scale_signal signal = (enum scale_signal)i;

		if (signal == config->signal || !(signal_target(config, signal) > 0))
			continue;
		output->needs[signal] = signal_need(memory, config, input, signal);
		if (output->needs[signal].wanted > output->wanted)
			need_lead(output, signal);
	}
}

static void floor_raise(struct autoscale_output *output, uint32_t floor,
			enum autoscale_reason reason)
{
	if (floor <= output->need)
		return;
	output->need = floor;
	output->reason = reason;
}

static bool fresh_all(const struct autoscale_config *config, const struct autoscale_input *input)
{
	for (int signal = 0; signal < SIGNALS; signal++) {
		if (signal_target(config, (enum scale_signal)signal) > 0 &&
		    !fresh_whole(&input->signals[signal]))
			return false;
	}
	return true;
}

static void season_raise(struct autoscale_memory *memory, const struct autoscale_config *config,
			 const struct autoscale_input *input, struct autoscale_output *output)
{
	const struct estimate estimate = series_estimate(&memory->series[config->signal], 0);

	if (!config->seasonal || !input->wall_ms)
		return;
	if (input->signals[config->signal].fresh)
		season_note(memory, input->wall_ms, estimate.value);
	output->season_min = backends_for(season_floor(memory, input->wall_ms, input->lead_ms),
					  target_of(memory, config, input, config->signal));
	floor_raise(output, output->season_min, REASON_SEASON);
}

static void need_make(struct autoscale_memory *memory, const struct autoscale_config *config,
		      const struct autoscale_input *input, uint64_t hold_ms,
		      struct autoscale_output *output)
{
	uint32_t have = input->active + input->provisioning;

	needs_make(memory, config, input, output);
	output->need = output->wanted;
	/* What cannot be seen may be as large as what is there was made for. */
	if (!fresh_all(config, input) && output->need < have)
		output->need = have;
	season_raise(memory, config, input, output);
	if (input->knocked)
		memory->knocked_ms = input->now_ms;
	if (memory->knocked_ms && input->now_ms - memory->knocked_ms <= hold_ms + input->lead_ms)
		output->knock_min = 1;
	output->schedule_min = schedules_min(memory, config, input);
	floor_raise(output, output->knock_min, REASON_KNOCK);
	floor_raise(output, output->schedule_min, REASON_SCHEDULE);
	floor_raise(output, config->min, REASON_MIN);
	output->need = smaller(output->need, config->max);
}

/* ------------------------------------------------------------------ hold */

static uint64_t hold_now(const struct autoscale_memory *memory,
			 const struct autoscale_config *config)
{
	uint64_t hold = config->hold_ms * (memory->hold_factor ? memory->hold_factor : 1);

	return config->hold_max_ms > config->hold_ms && hold > config->hold_max_ms
		       ? config->hold_max_ms
		       : hold;
}

/*
 * Those that are there have clearly more than the target, so soon after some were given away: the
 * next hold is twice as long. A few percent more are what the target leaves room for.
 */
static void regret(struct autoscale_memory *memory, const struct autoscale_config *config,
		   const struct autoscale_input *input, const struct autoscale_output *output)
{
	uint64_t hold_ms = output->hold_ms;

	if (!memory->down_ms || input->now_ms - memory->down_ms > hold_ms + input->lead_ms ||
	    output->estimate <= REGRETTED * output->target * input->active)
		return;
	memory->down_ms = 0;
	memory->regret_ms = input->now_ms;
	if (hold_ms < config->hold_max_ms)
		memory->hold_factor = memory->hold_factor ? memory->hold_factor * 2 : 2;
}

static void regret_forgive(struct autoscale_memory *memory, uint64_t now_ms, uint64_t hold_ms)
{
	if (memory->hold_factor <= 1 || now_ms - memory->regret_ms < FORGIVE * hold_ms)
		return;
	memory->hold_factor /= 2;
	memory->regret_ms = now_ms;
}

static void peaks_clear(struct autoscale_memory *memory)
{
	memory->peak_count = 0;
	memory->fresh_since_ms = 0;
}

/*
 * The largest need of the last hold: a row of needs that fall, each younger than the one before.
 * When it is full, the youngest takes the new one's time: later than true, so on the safe side.
 */
static void peaks_note(struct autoscale_memory *memory, uint64_t now_ms, uint32_t need,
		       uint64_t hold_ms)
{
	uint32_t old = 0;

	while (memory->peak_count && memory->peaks[memory->peak_count - 1].need <= need)
		memory->peak_count--;
	if (memory->peak_count == AUTOSCALE_PEAKS) {
		memory->peaks[memory->peak_count - 1].at_ms = now_ms;
	} else {
		memory->peaks[memory->peak_count].at_ms = now_ms;
		memory->peaks[memory->peak_count].need = need;
		memory->peak_count++;
	}
	while (old < memory->peak_count - 1 && memory->peaks[old].at_ms + hold_ms < now_ms)
		old++;
	memory->peak_count -= old;
	memmove(memory->peaks, memory->peaks + old, memory->peak_count * sizeof(memory->peaks[0]));
	if (!memory->fresh_since_ms)
		memory->fresh_since_ms = now_ms ? now_ms : 1;
}

uint64_t hold_left(const struct autoscale_memory *memory, uint64_t hold_ms, uint64_t now_ms)
{
	uint64_t since = memory->fresh_since_ms;
	uint64_t until;

	if (memory->peak_count > 1 && memory->peaks[0].at_ms + 1000 > since)
		since = memory->peaks[0].at_ms + 1000;
	until = since + hold_ms;
	return until > now_ms ? until - now_ms : 0;
}

/* ------------------------------------------------------------------ action */

/* How many may be created at once, of so many that are missing. */
static uint32_t creations(const struct autoscale_config *config,
			  const struct autoscale_input *input, uint32_t missing)
{
	uint32_t all = input->active + input->unhealthy + input->provisioning + input->standby;
	uint32_t most = config->max + config->standby;
	/* They serve nobody, so others are made; but they do not pile up. */
	uint32_t taken = input->provisioning + input->failed;
	uint32_t room = config->creating_max > taken ? config->creating_max - taken : 0;

	if (backoff_left(input))
		return 0;
	return smaller(smaller(missing, room), most > all ? most - all : 0);
}

/* More is needed than there is: the cheapest first. */
static void step_up(const struct autoscale_config *config, const struct autoscale_input *input,
		    struct autoscale_output *output)
{
	uint32_t missing = output->need - (input->active + input->provisioning);

	output->undrain = smaller(missing, input->draining);
	missing -= output->undrain;
	output->wake = smaller(missing, input->standby);
	missing -= output->wake;
	output->create = creations(config, input, missing + output->wake);
	if (output->undrain || output->wake || output->create)
		output->why = SCALE_UP;
	else
		output->why = backoff_left(input) ? SCALE_BACKING_OFF : SCALE_BUSY;
}

/* Less is needed than there is: down to the most that was needed while hold passed, no further. */
static void step_down(struct autoscale_memory *memory, const struct autoscale_config *config,
		      const struct autoscale_input *input, struct autoscale_output *output)
{
	uint32_t keep = clamp(memory->peaks[0].need, output->need, config->max);

	output->why = SCALE_HOLDING;
	if (input->now_ms - memory->fresh_since_ms < output->hold_ms || input->active <= keep)
		return;
	output->drain = smaller(input->active - keep, config->step_down);
	output->why = SCALE_DOWN;
	memory->down_ms = input->now_ms;
}

/* The pool is as it should be; only the standby may lack some. What drains will join it. */
static void step_none(const struct autoscale_config *config, const struct autoscale_input *input,
		      struct autoscale_output *output)
{
	uint32_t have = input->active + input->provisioning + input->standby + input->draining;
	uint32_t wanted = output->need + config->standby;

	if (wanted > have)
		output->create = creations(config, input, wanted - have);
	output->why = output->create                 ? SCALE_UP
		      : output->wanted > config->max ? SCALE_AT_MAX
						     : SCALE_STEADY;
}

static bool pool_is_ill(const struct autoscale_config *config, const struct autoscale_input *input)
{
	uint64_t all = (uint64_t)input->active + input->unhealthy;

	return config->unhealthy_max &&
	       (uint64_t)input->unhealthy * 100 > config->unhealthy_max * all;
}

static void decide(struct autoscale_memory *memory, const struct autoscale_config *config,
		   const struct autoscale_input *input, struct autoscale_output *output)
{
	uint32_t have = input->active + input->provisioning;
	bool fresh = fresh_all(config, input);

	if (config->paused || pool_is_ill(config, input)) {
		peaks_clear(memory);
		output->why = config->paused ? SCALE_PAUSED : SCALE_HALTED;
		return;
	}
	if (fresh)
		peaks_note(memory, input->now_ms, output->need, output->hold_ms);
	else
		peaks_clear(memory);
	if (output->need > have) {
		regret(memory, config, input, output);
		step_up(config, input, output);
	} else if (!fresh) {
		output->why = SCALE_STALE;
	} else if (output->need < have) {
		step_down(memory, config, input, output);
	} else {
		step_none(config, input, output);
	}
}

/*
 * What cannot be is not known: it would be a need beyond all bounds. Nor does time run backwards;
 * what was remembered of it is void then, as is the hold when nobody looked for so long.
 */
static struct autoscale_input input_check(struct autoscale_memory *memory,
					  const struct autoscale_input *input)
{
	struct autoscale_input checked = *input;

	for (int signal = 0; signal < SIGNALS; signal++) {
		struct autoscale_signal *reading = &checked.signals[signal];

		if (!(reading->value >= 0 && reading->value <= VALUE_MAX))
			*reading = (struct autoscale_signal){.asked = reading->asked};
	}
	if (input->now_ms < memory->stepped_ms) {
		memset(memory->series, 0, sizeof(memory->series));
		memory->down_ms = memory->knocked_ms = 0;
		memory->regret_ms = input->now_ms;
	}
	if (input->now_ms < memory->stepped_ms || input->now_ms - memory->stepped_ms > GAP_MS)
		peaks_clear(memory);
	memory->stepped_ms = input->now_ms;
	return checked;
}

static void readings_add(struct autoscale_memory *memory, const struct autoscale_config *config,
			 const struct autoscale_input *input)
{
	for (int i = 0; i < SIGNALS; i++) {
		const struct autoscale_signal *reading = &input->signals[i];
		uint32_t unknown =
			reading->asked > reading->known ? reading->asked - reading->known : 0;

		/* A reading that is said again is no second one: it would pass for calm. */
		if (reading->fresh && (!reading->repeated || !memory->series[i].count))
			series_add(&memory->series[i], input->now_ms,
				   reading->value +
					   unknown * signal_target(config, (enum scale_signal)i));
	}
}

void autoscale_step(struct autoscale_memory *memory, const struct autoscale_config *config,
		    const struct autoscale_input *input, struct autoscale_output *ret_output)
{
	const struct autoscale_input checked = input_check(memory, input);
	struct autoscale_output output = {0};

	input = &checked;
	readings_add(memory, config, input);
	if (config->learn)
		target_learn(memory, config, input);
	regret_forgive(memory, input->now_ms, hold_now(memory, config));
	output.hold_ms = hold_now(memory, config);
	need_make(memory, config, input, output.hold_ms, &output);
	decide(memory, config, input, &output);
	output.hold_need = memory->peak_count ? memory->peaks[0].need : 0;
	output.hold_left_ms =
		output.hold_need ? hold_left(memory, output.hold_ms, input->now_ms) : 0;
	output.backoff_ms = backoff_left(input);
	text_make(memory, config, input, &output);
	*ret_output = output;
}

// SPDX-License-Identifier: GPL-2.0-only
/* What the policies decide: ours by its own code, the others by models of what they document. */
#include <math.h>

#include "model/simulate_private.h"

const char *const policy_names[] = {"sluice", "hpa", "kpa", "aws", "bound", NULL};

#define ROUNDING 1e-6

static uint32_t need_for(double load, double target)
{
	double need = ceil(load / target - ROUNDING);

	return need > 0 ? (uint32_t)need : 0;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t within(const struct policy_view *view, uint32_t wanted)
{
	return smaller(larger(wanted, view->min), view->max);
}

/* The mean of the last seconds, or of as many as there were. */
static double mean_of(const struct policy_memory *memory, uint64_t seconds)
{
	double sum = 0;

	if (seconds > memory->seconds)
		seconds = memory->seconds;
	for (uint64_t i = 0; i < seconds; i++)
		sum += memory->minute[(memory->seconds - 1 - i) % 60];
	return seconds ? sum / (double)seconds : 0;
}

static uint32_t sluice_decide(const struct simulation *simulation, struct policy_memory *memory,
			      const struct policy_view *view)
{
	struct autoscale_config config = *simulation->scale;
	struct autoscale_input input = {
		.now_ms = view->second * 1000 + 1,
		.wall_ms = view->second * 1000 + 1,
		.lead_ms = (uint64_t)((simulation->boot_s + simulation->warmup_s) * 1000),
		.active = view->ready,
		.warming = view->warming,
		.provisioning = view->booting,
		.draining = view->draining,
	};
	const struct autoscale_output *output = &memory->output;

	config.target = view->target;
	config.standby = 0;
	input.signals[config.signal] =
		(struct autoscale_signal){.fresh = true, .value = view->load};
	autoscale_step(&memory->autoscale, &config, &input, &memory->output);
	return view->ready + view->booting + output->undrain + output->create - output->drain;
}

/*
 * Every 15 s: ceil(current x ratio), nothing within a tenth of the target; up by 100% or 4, the
 * larger, each 15 s; down to the most that was wished in the last 300 s. The load is that of the
 * last 15 s, without the delay of a metrics pipeline.
 */
static uint32_t hpa_decide(struct policy_memory *memory, const struct policy_view *view)
{
	uint32_t have = view->ready + view->booting, wish = have, most;
	double ratio;

	if (view->second % 15)
		return have;
	ratio = mean_of(memory, 15) / (view->target * larger(have, 1));
	if (fabs(ratio - 1) > 0.1)
		wish = within(view, need_for(mean_of(memory, 15), view->target));
	memory->wished[memory->wishes++ % 20] = wish;
	most = wish;
	for (uint32_t i = 0; i < 20 && i < memory->wishes; i++)
		most = larger(most, memory->wished[i]);
	if (wish > have)
		return smaller(wish, larger(have * 2, have + 4));
	return smaller(have, most);
}

/*
 * Every 2 s: the mean of 60 s decides, or that of 6 s in panic, which begins when it needs twice
 * what is ready, lasts until that was not so for 60 s, and never makes the pool smaller. Down to
 * half of what is ready at once at most.
 */
static uint32_t kpa_decide(struct policy_memory *memory, const struct policy_view *view)
{
	uint32_t have = view->ready + view->booting, ready = larger(view->ready, 1);
	uint32_t stable, panic, least = ready / 2;

	if (view->second % 2)
		return have;
	stable = larger(need_for(mean_of(memory, 60), view->target), least);
	panic = larger(need_for(mean_of(memory, 6), view->target), least);
	if (panic >= 2 * ready)
		memory->panic_since = view->second + 1;
	if (memory->panic_since && view->second + 1 - memory->panic_since >= 60) {
		memory->panic_since = 0;
		memory->panic_most = 0;
	}
	if (!memory->panic_since)
		return within(view, stable);
	memory->panic_most = larger(larger(memory->panic_most, panic), view->ready);
	return within(view, memory->panic_most);
}

/*
 * Every minute: three in a row above the target, then current x ratio of those that are not warming
 * up, and as long as the alarm lasts more if that is more than there is; fifteen in a row below 90%
 * of it, then down to what is needed, but not while some warm up.
 */
static uint32_t aws_decide(struct policy_memory *memory, const struct policy_view *view)
{
	uint32_t have = view->ready + view->booting, counted = view->ready - view->warming;
	double each;

	if (!view->second || view->second % 60)
		return have;
	each = mean_of(memory, 60) / larger(counted, 1);
	memory->high = each > view->target ? memory->high + 1 : 0;
	memory->low = each < 0.9 * view->target ? memory->low + 1 : 0;
	if (memory->high >= 3)
		return within(view, larger(have, need_for(mean_of(memory, 60), view->target)));
	if (memory->low >= 15 && !view->booting && !view->warming)
		return within(view, smaller(have, need_for(mean_of(memory, 60), view->target)));
	return have;
}

/* The true rate at once, down after 300 s: what is left is due to the time that a boot takes. */
static uint32_t bound_decide(struct policy_memory *memory, const struct policy_view *view)
{
	uint32_t most = 0;

	memory->peaks[view->second % 300] = need_for(view->true_rate, view->target);
	for (uint32_t i = 0; i < 300; i++)
		most = larger(most, memory->peaks[i]);
	return within(view, most);
}

uint32_t policy_decide(const struct simulation *simulation, struct policy_memory *memory,
		       const struct policy_view *view)
{
	memory->minute[memory->seconds++ % 60] = view->load;
	switch (simulation->policy) {
	case POLICY_HPA:
		return hpa_decide(memory, view);
	case POLICY_KPA:
		return kpa_decide(memory, view);
	case POLICY_AWS:
		return aws_decide(memory, view);
	case POLICY_BOUND:
		return bound_decide(memory, view);
	case POLICY_SLUICE:
	default:
		return sluice_decide(simulation, memory, view);
	}
}

/* Of a pod, of a pod of Knative, and of a target group, by default. */
double policy_grace_s(const struct simulation *simulation)
{
	switch (simulation->policy) {
	case POLICY_HPA:
		return 30;
	case POLICY_KPA:
	case POLICY_AWS:
		return 300;
	default:
		return (double)simulation->scale->drain_ms / 1000;
	}
}

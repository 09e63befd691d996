// SPDX-License-Identifier: GPL-2.0-only
/* Reads what the autoscaler decides by: counters as memory, the pool's backends, and their lives. */
#include <math.h>

#include "agent/dataplane.h"
#include "agent/health.h"
#include "agent/scaler_private.h"

#define LEAD_UNKNOWN_MS 30000 /* of a creation, before there was one */

static uint64_t counter_value(const struct counter *counter, enum scale_signal signal)
{
	switch (signal) {
	case SIGNAL_NEW_FLOWS:
		return counter->new_flows;
	case SIGNAL_BYTES:
		return counter->bytes;
	default:
		return counter->packets;
	}
}

/*
 * One counter of one backend. The first reading is only where counting starts from; one that runs
 * backwards says nothing at all about the time since the last.
 */
static void sample_take(struct scaled *scaled, struct sample *sample, enum scale_signal signal,
			uint64_t value)
{
	if (sample->known && value >= sample->values[signal])
		scaled->sums[signal] += (double)(value - sample->values[signal]);
	else if (sample->known)
		scaled->sum_broken = true;
	sample->values[signal] = value;
}

void demand_read(struct scaled *scaled, const struct pool *pool)
{
	const struct agent *agent = scaled->scaler->agent;

	for (size_t i = 0; i < pool->backend_count; i++) {
		const struct pool_backend *backend = &pool->backends[i];
		uint32_t id = agent_backend_id(pool, backend);
		struct counter counter;
		struct sample *sample;

		if (backend->number >= scaled->sample_count)
			continue;
		sample = &scaled->samples[backend->number];
		dataplane_backend_counter(agent->dataplane, id, &counter);
		/* Its counter is another one; how much the old one had counted is not known. */
		if (sample->known && sample->backend != id)
			scaled->sum_broken = true;
		if (sample->backend != id)
			*sample = (struct sample){.backend = id};
		for (int signal = 0; signal < SCALED_RATES; signal++)
			sample_take(scaled, sample, (enum scale_signal)signal,
				    counter_value(&counter, (enum scale_signal)signal));
		sample->known = sample->there = true;
	}
	for (uint32_t i = 0; i < scaled->sample_count; i++) {
		if (!scaled->samples[i].there)
			scaled->samples[i] = (struct sample){0};
		scaled->samples[i].there = false;
	}
}

/*
 * Whether somebody wants to open a flow while nothing takes new ones: the service counts that, also
 * where no backend is there. Flows that go on, on backends that drain, are no reason. What came
 * before the last backend began to drain was for that one.
 */
static bool knocked(struct scaled *scaled, const struct pool *pool, bool idle)
{
	const struct agent *agent = scaled->scaler->agent;
	struct counter counter;
	uint64_t before = scaled->service_flows;
	bool was_idle = scaled->service_idle;

	dataplane_service_counter(agent->dataplane, pool->id, &counter);
	scaled->service_flows = counter.new_flows;
	scaled->service_idle = idle;
	return idle && was_idle && counter.new_flows > before;
}

static void input_count(struct autoscale_input *input, const struct pool *pool)
{
	for (size_t i = 0; i < pool->backend_count; i++) {
		const struct pool_backend *backend = &pool->backends[i];
		bool created = backend->origin == ORIGIN_AUTOSCALE;

		input->active += backend_weight(backend) > 0;
		input->provisioning += backend->life == LIFE_PROVISIONING ||
				       (backend->life == LIFE_WARMING && !backend_weight(backend));
		input->failed += created && backend->life == LIFE_FAILED;
		input->warming +=
			backend_weight(backend) > 0 && backend->health.ramp < HEALTH_WHOLE;
		input->unhealthy += backend_alive(backend) && backend->dead;
		input->draining += created && backend->life == LIFE_DRAINING;
		input->standby += created && backend->life == LIFE_DRAINED;
		input->deleting += backend->life == LIFE_DELETING;
	}
}

static double live_flows(const struct agent *agent, const struct pool *pool)
{
	double live = 0;

	for (size_t i = 0; i < pool->backend_count; i++)
		live += agent_live(agent, pool, &pool->backends[i]);
	return live;
}

static void report_add(struct autoscale_signal *signal, double figure)
{
	signal->asked++;
	if (isnan(figure))
		return;
	signal->known++;
	signal->value += figure;
}

/*
 * What backends report: those that take new flows are asked. Of a pool that has nothing alive it is
 * 0; of one in which all are ill it is not known.
 */
static void reports_join(struct scaled *scaled, const struct pool *pool)
{
	static const struct report_figures nothing = {NAN, NAN, NAN};
	struct autoscale_input *input = &scaled->facts.input;
	uint64_t heard_ms = scaled->heard_ms, latest_ms;

	for (size_t i = 0; i < pool->backend_count; i++) {
		const struct pool_backend *backend = &pool->backends[i];
		struct report_figures figures = nothing;

		if (!backend_weight(backend))
			continue;
		if (health_figures(scaled->scaler->agent->health, agent_backend_id(pool, backend),
				   &figures, &latest_ms) &&
		    latest_ms > heard_ms)
			heard_ms = latest_ms;
		report_add(&input->signals[SIGNAL_CPU], figures.cpu);
		report_add(&input->signals[SIGNAL_MEMORY], figures.memory);
		report_add(&input->signals[SIGNAL_CUSTOM], figures.custom);
	}
	for (int i = SIGNAL_CPU; i <= SIGNAL_CUSTOM; i++) {
		struct autoscale_signal *signal = &input->signals[i];

		signal->fresh = signal->known || (!signal->asked && !input->unhealthy);
		signal->repeated = heard_ms == scaled->heard_ms;
	}
	scaled->heard_ms = heard_ms;
}

void input_make(struct scaled *scaled, const struct pool *pool, uint64_t now_ms)
{
	struct autoscale_input *input = &scaled->facts.input;
	uint64_t elapsed_ms = now_ms - scaled->sum_since_ms;

	*input = (struct autoscale_input){
		.now_ms = now_ms,
		.wall_ms = clock_wall_ms(),
		.lead_ms = (scaled->provision_ms ? scaled->provision_ms : LEAD_UNKNOWN_MS) +
			   pool->service->warm_up_ms,
		.failed_in_a_row = scaled->failed_in_a_row,
		.last_failure_ms = scaled->last_failure_ms,
		.quota = scaled->quota,
	};
	for (int signal = 0; signal < SCALED_RATES; signal++) {
		input->signals[signal].fresh = !scaled->sum_broken && elapsed_ms > 0;
		if (input->signals[signal].fresh)
			input->signals[signal].value =
				scaled->sums[signal] * 1000 / (double)elapsed_ms;
		scaled->sums[signal] = 0;
	}
	input->signals[SIGNAL_LIVE_FLOWS].fresh =
		sweeper_passes(scaled->scaler->agent->sweeper) > 0;
	input->signals[SIGNAL_LIVE_FLOWS].value = live_flows(scaled->scaler->agent, pool);
	input_count(input, pool);
	reports_join(scaled, pool);
	input->knocked = knocked(scaled, pool, !input->active);
	scaled->sum_broken = false;
	scaled->sum_since_ms = now_ms;
}

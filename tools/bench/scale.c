// SPDX-License-Identifier: GPL-2.0-only
/* The autoscaler beside models of others, over the simulator's traces and the World Cup's days. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "bench.h"
#include "model/simulate.h"

#define DAYS "../shared/traces/worldcup98-june24-26.csv"

/* The defaults, for a pool of any size; a backend is full at 100, so the target is 75% of it. */
static const struct autoscale_config scale = {
	.signal = SIGNAL_NEW_FLOWS,
	.target = 75,
	.min = 2,
	.max = 1000,
	.step_down = 10,
	.creating_max = 1000,
	.hold_ms = 300000,
	.hold_max_ms = 2400000,
	.drain_ms = 600000,
	.unhealthy_max = 50,
	.trend = true,
};

static void run_tell(scale_figure_fn figure, void *context, const char *trace,
		     const struct simulation *run, const struct simulation_result *result)
{
	const struct {
		const char *name;
		double value;
	} figures[] = {
		{"violation_s", result->violation_s},
		{"backend_h", result->backend_h},
		{"broken_pct", 100 * result->broken / result->requests},
		{"actions", result->actions},
		{"target", run->target},
	};
	char name[96];

	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		snprintf(name, sizeof(name), "scale_%s_%s%s_%s", trace, policy_names[run->policy],
			 run->slow_start ? "" : "_cold", figures[i].name);
		figure(context, name, figures[i].value);
	}
}

static void trace_run(scale_figure_fn figure, void *context, const char *name,
		      const struct trace *trace)
{
	struct simulation run = simulation_defaults(trace, &scale);
	struct simulation_result ours, other;

	run.target = scale.target;
	if (simulate(&run, &ours))
		die("simulate: out of memory");
	run_tell(figure, context, name, &run, &ours);
	for (int policy = POLICY_HPA; policy <= POLICY_AWS; policy++) {
		for (int slow = 0; slow < 2; slow++) {
			run.policy = (enum policy)policy;
			run.slow_start = slow;
			if (simulate_beside(&run, ours.backend_h, &other))
				die("simulate: out of memory");
			run_tell(figure, context, name, &run, &other);
		}
	}
	run = simulation_defaults(trace, &scale);
	run.policy = POLICY_BOUND;
	run.target = scale.target;
	if (simulate(&run, &other))
		die("simulate: out of memory");
	run_tell(figure, context, name, &run, &other);
}

void scale_run(scale_figure_fn figure, void *context)
{
	struct error error;
	struct trace trace;
	size_t length;
	char *text;

	for (size_t i = 0; trace_names[i]; i++) {
		if (trace_named(trace_names[i], &trace))
			die("simulate: out of memory");
		trace_run(figure, context, trace_names[i], &trace);
		trace_clear(&trace);
	}
	if (file_read(DAYS, 1 << 24, &text, &length, &error)) {
		printf("%s; the World Cup's days are left out\n", error.text);
		return;
	}
	if (trace_read(text, DAYS, &trace, &error))
		die("%s", error.text);
	trace_run(figure, context, "worldcup", &trace);
	trace_clear(&trace);
	free(text);
}

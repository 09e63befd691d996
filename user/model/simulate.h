/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Policies that scale a pool, against a trace of load: autoscale_step() as the agent runs it, and
 * models of others. The same input and seed give the same result.
 *
 * The world, second by second: each request goes to a backend by its weight and joins its queue,
 * which is served at the backend's capacity. A request that would wait longer than queue_s is
 * refused. A second violates the objective if more than slo_percent of its requests are refused or
 * take longer than slo_ms. A backend that is ordered boots for boot_s, give or take boot_jitter,
 * and is paid for from its order on until it is gone; its capacity then grows from cold to full
 * over warmup_s. With a slow start its weight grows alike, without one it gets a full share at
 * once. Of all requests, long_share stay as flows of exponential length, long_s on average, on
 * their backend; those that are left when it goes are broken.
 */
#ifndef MODEL_SIMULATE_H
#define MODEL_SIMULATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/autoscale.h"

/* Load over time: the rate at each point, straight lines between them. */
struct trace {
	struct trace_point {
		double time_s; /* from the start of the trace */
		double rate;   /* requests a second */
	} * points;
	size_t count;
	double length_s;
};

/* trace_named - one of trace_names. Returns 0, -ENOENT or -ENOMEM. */
int trace_named(const char *name, struct trace *ret_trace);
extern const char *const trace_names[];

/*
 * trace_read - from text: a line "time,requests", then rows of a time ("1998-06-24 00:00:00",
 * "1998-06-24T00:00:00", or seconds) and the requests from then until the next row. name stands for
 * it in messages. Returns 0, -EINVAL with a message, or -ENOMEM.
 */
int trace_read(const char *text, const char *name, struct trace *ret_trace, struct error *error);
void trace_clear(struct trace *trace);
double trace_rate(const struct trace *trace, double time_s);

enum policy {
	POLICY_SLUICE = 0,
	POLICY_HPA,   /* Kubernetes horizontal pod autoscaler */
	POLICY_KPA,   /* Knative pod autoscaler */
	POLICY_AWS,   /* target tracking of AWS */
	POLICY_BOUND, /* knows the true load at once, but not the future */
	POLICIES,
};
extern const char *const policy_names[];

struct simulation_second {
	double time_s, rate;
	uint32_t active, booting, draining, need;
	double capacity; /* of all active ones, now */
	bool violated;
};

struct simulation {
	const struct trace *trace;
	enum policy policy;
	bool slow_start;
	const struct autoscale_config *scale; /* its target is that of all policies, unless: */
	double target;                        /* above 0: of this run */
	double capacity;                      /* requests a second that a backend can serve */
	double boot_s, boot_jitter, warmup_s, cold;
	double queue_s, slo_ms, service_ms, slo_percent;
	double long_share, long_s;
	uint64_t seed;
	/* Called each second, if not NULL. */
	void (*watch)(void *context, const struct simulation_second *second);
	void *context;
};

struct simulation_result {
	double violation_s;
	double backend_h;
	uint32_t actions; /* seconds in which the pool was changed */
	uint32_t flips;   /* changes of direction */
	double requests, refused, flows, broken;
	double react_s;     /* from load above all that is there or ordered, until it is ordered */
	double react_max_s; /* the longest of them */
	uint32_t most;      /* backends at once */
};

/* simulation_defaults - boot 60 s, warm-up 30 s, and so on; capacity from scale's target / 0.75. */
struct simulation simulation_defaults(const struct trace *trace,
				      const struct autoscale_config *scale);

/* simulate - returns 0 or -ENOMEM. */
int simulate(const struct simulation *simulation, struct simulation_result *ret_result);

/* The hours that ours may have, of those of another that it is held against. */
#define SIMULATE_COST_ROOM 1.05

/*
 * simulate_target - the largest target, at most the config's, at which a policy costs at least as
 * many backend-hours as cost_h, within a percent where it can be had.
 */
int simulate_target(const struct simulation *simulation, double cost_h, double *ret_target);

/*
 * simulate_beside - another policy at the config's target; if it costs less than ours did by more
 * than the room, at the target at which it costs as much as that. The target is left in
 * simulation->target.
 */
int simulate_beside(struct simulation *simulation, double ours_h,
		    struct simulation_result *ret_result);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The health of all backends on the loop: when each is probed and asked, and what comes of it.
 * Verdicts are model/health.h's; they reach the data plane by agent_change().
 */
#ifndef AGENT_HEALTH_H
#define AGENT_HEALTH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/agent.h"
#include "base/error.h"
#include "model/report.h"

struct health_monitor;

/* health_start - the agent must outlive it. Returns 0 or -errno. */
int health_start(struct agent *agent, struct health_monitor **ret_monitor, struct error *error);

/* health_stop - its memory goes when the loop has closed its timer. Takes NULL. */
void health_stop(struct health_monitor *monitor);

/* health_follow - after every change of what is wanted. Takes NULL. */
void health_follow(struct health_monitor *monitor);

/* health_probe_now - a backend (index in map "backends") gives reason to be probed at once. */
void health_probe_now(struct health_monitor *monitor, uint32_t backend);

/* Of one backend: how its probes went. */
struct health_facts {
	bool probed, asked; /* whether it is */
	bool result_known;  /* the next three are of the last result that counted */
	bool passed;
	const char *why;
	double result_ago_s, took_ms;
	double verdict_s; /* for how long it has had its verdict */
	double hold_s;    /* it stays down for so long; 0: no hold */
	uint32_t streak;  /* results in a row that speak against the verdict */
	uint64_t passes, failures;
	uint64_t discarded; /* results that did not count: the agent itself was late */
	bool path;          /* probed by the forwarding path, to the VIP */
	bool report_fresh;  /* what it says of itself was heard within three intervals */
	struct report report;
	const char *report_problem; /* why not, or NULL */
};

/* health_facts - false: nothing is known about a backend of this index. */
bool health_facts(const struct health_monitor *monitor, uint32_t backend,
		  struct health_facts *ret_facts);

/* health_figures - resource figures of a backend, and when it gave them (monotonic); false: none that are fresh. */
bool health_figures(const struct health_monitor *monitor, uint32_t backend,
		    struct report_figures *ret_figures, uint64_t *ret_heard_ms);

/* Of all probes since the start: how late they began; the last count is of those beyond all bounds. */
#define HEALTH_LATENESS_BOUNDS 9u
extern const uint64_t health_lateness_bounds_ms[HEALTH_LATENESS_BOUNDS];
struct health_lateness {
	uint64_t counts[HEALTH_LATENESS_BOUNDS + 1];
	uint64_t sum_ms;
};
struct health_lateness health_lateness(const struct health_monitor *monitor);

#endif

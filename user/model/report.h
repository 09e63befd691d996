/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a backend says of itself when it is asked: a line in the words of HAProxy's agent-check, or
 * a JSON object. Pure.
 *
 *   line    words between spaces, tabs and commas: 75%  weight:30  up  ready  drain  maint  down
 *           fail  stopped, the last three with #reason to the line's end; cpu:93%  memory:40%
 *           custom:12.5; others are ignored, as a newer backend may say more
 *   object  {"state": "up", "reason": "", "weight": 75, "cpu": 93, "memory": 40, "custom": 12.5}
 *           all optional; weight, cpu and memory in percent
 */
#ifndef MODEL_REPORT_H
#define MODEL_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/state.h"

#define REPORT_REASON_MAX 80

/* From so much CPU on a backend is in trouble, and its weight does not rise. */
#define REPORT_CPU_TROUBLE 95.0

/* Resource figures, which the autoscaler may take as signals; NAN: not said. */
struct report_figures {
	double cpu, memory; /* percent */
	double custom;
};

struct report {
	enum backend_report state;
	uint32_t weight; /* share of the configured weight, at most HEALTH_WHOLE */
	struct report_figures figures;
	char reason[REPORT_REASON_MAX]; /* printable */
};

/* report_none - what counts while nothing was said, or nothing in time. */
struct report report_none(void);

/*
 * report_line, report_json - weight: the backend's own, for what says it absolutely. Return 0, or
 * -EINVAL with a message if nothing in it can be understood.
 */
int report_line(const char *text, uint32_t weight, struct report *ret_report, struct error *error);
int report_json(const char *text, size_t length, struct report *ret_report, struct error *error);

/* report_trouble - whether the backend has trouble of its own. */
bool report_trouble(const struct report *report);

#endif

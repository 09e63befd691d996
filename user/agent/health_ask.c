// SPDX-License-Identifier: GPL-2.0-only
/* What a watched backend says of itself: asked regularly; a failure to answer is no failure of it. */
#include <stdio.h>
#include <string.h>

#include "agent/health_private.h"

/* So many intervals without an answer, and what it said counts no more. */
#define STALE_INTERVALS 3u

bool watch_report_fresh(const struct watch *watch, uint64_t now_ms)
{
	const struct agent_check_config *config = watch->config->agent_check;

	return config && watch->heard &&
	       now_ms - watch->heard_ms < STALE_INTERVALS * config->interval_ms;
}

/* What it says goes into force, if it differs. */
static void report_take(struct watch *watch, const struct report *report, uint64_t now_ms)
{
	bool trouble = report_trouble(report);

	watch->report = *report;
	if (report->state != watch->now.report || report->weight != watch->now.report_weight) {
		watch->now.report = report->state;
		watch->now.report_weight = report->weight;
		watch->dirty = true;
		if (!watch->monitor->commit_ms)
			watch->monitor->commit_ms = now_ms + 1;
	}
	if (trouble != watch->machine.trouble)
		watch_step(watch, trouble ? HEALTH_EVENT_TROUBLE : HEALTH_EVENT_CALM, now_ms);
}

static void next_set(struct watch *watch)
{
	schedule_set(&watch->monitor->schedule, &watch->ask_due.moment,
		     watch->asked_ms + monitor_jitter(watch->monitor,
						      watch->config->agent_check->interval_ms, 10));
}

static void problem_set(struct watch *watch, const char *text)
{
	snprintf(watch->report_problem, sizeof(watch->report_problem), "%s", text);
}

static void question_done(void *context, const struct probe_result *result)
{
	struct watch *watch = context;
	uint64_t now_ms = monitor_now();
	struct error error = {""};
	struct report report;
	int err;

	watch->question = NULL;
	if (!result->passed) {
		problem_set(watch, result->why);
	} else {
		err = watch->config->agent_check->url
			      ? report_json(result->text, result->length, &report, &error)
			      : report_line(result->text, watch->weight, &report, &error);
		problem_set(watch, err ? error.text : "");
		if (!err) {
			watch->heard = true;
			watch->heard_ms = now_ms;
			report_take(watch, &report, now_ms);
		}
	}
	next_set(watch);
	monitor_arm(watch->monitor);
}

void watch_ask_due(struct watch *watch, uint64_t now_ms)
{
	const struct agent_check_config *config = watch->config->agent_check;
	const struct probe_target target = {.address = watch->address, .port = config->port};
	struct report nothing = report_none();
	int err;

	if (watch->question) {
		probe_cancel(watch->question);
		watch->question = NULL;
		problem_set(watch, "no answer in time");
		next_set(watch);
		return;
	}
	if (now_ms - watch->heard_ms >= STALE_INTERVALS * config->interval_ms)
		report_take(watch, &nothing, now_ms);
	watch->asked_ms = now_ms;
	err = probe_ask(watch->monitor->prober, config, &target, question_done, watch,
			&watch->question);
	if (err) {
		problem_set(watch, strerror(-err));
		next_set(watch);
		return;
	}
	schedule_set(&watch->monitor->schedule, &watch->ask_due.moment,
		     now_ms + config->timeout_ms);
}

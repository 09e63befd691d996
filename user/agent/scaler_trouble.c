// SPDX-License-Identifier: GPL-2.0-only
/* What goes wrong with provisioners: counted, waited for, and said once, not at each try. */
#include <stdio.h>
#include <string.h>

#include "agent/scaler_private.h"
#include "base/index.h"
#include "base/log.h"

void scaled_problem(struct scaled *scaled, enum scaler_verb verb, const char *message)
{
	if (!scaled || (!*message && scaled->problem_verb != verb))
		return;
	snprintf(scaled->facts.problem, sizeof(scaled->facts.problem), "%s", message);
	scaled->problem_verb = verb;
}

/* The first time, and when it fails in another way. */
static bool trouble_is_news(struct trouble *trouble, enum provisioner_outcome outcome)
{
	bool news = !trouble->count || trouble->outcome != outcome;

	trouble->count++;
	trouble->outcome = outcome;
	return news;
}

static void trouble_say(struct scaler *scaler, const char *service, const char *name,
			const char *message)
{
	log_warning("%s%s: %s", service ? "service " : "orphan ", service ? service : name,
		    message);
	agent_event(scaler->agent, CAUSE_AUTOSCALER, "provisioner", service, "%s", message);
}

static void trouble_over(struct scaler *scaler, struct trouble *trouble, const char *service,
			 const char *name, enum scaler_verb verb)
{
	if (trouble->count) {
		log_info("%s%s: %s works again, failures before: %u",
			 service ? "service " : "orphan ", service ? service : name,
			 scaler_verb_names[verb], trouble->count);
		agent_event(scaler->agent, CAUSE_AUTOSCALER, "provisioner", service,
			    "its provisioner: %s%s%s works again, failures before: %u",
			    scaler_verb_names[verb], name ? " " : "", name ? name : "",
			    trouble->count);
	}
	*trouble = (struct trouble){0};
}

void scaled_trouble(struct scaled *scaled, enum scaler_verb verb, enum provisioner_outcome outcome,
		    const char *message)
{
	struct trouble *trouble = &scaled->troubles[verb];

	scaled_problem(scaled, verb, outcome == PROVISIONER_DONE ? "" : message);
	if (outcome == PROVISIONER_DONE)
		trouble_over(scaled->scaler, trouble, scaled->service, NULL, verb);
	else if (trouble_is_news(trouble, outcome))
		trouble_say(scaled->scaler, scaled->service, NULL, message);
}

/* Each creation has a name of its own, so their trouble is the service's; a deletion's its own. */
void job_trouble(struct job *job, enum scaler_verb verb, enum provisioner_outcome outcome,
		 const char *message)
{
	struct scaled *scaled = job->service ? scaled_find(job->scaler, job->service) : NULL;

	if (outcome == PROVISIONER_GOING_ON)
		return;
	snprintf(job->note, sizeof(job->note), "%s", message);
	if (scaled && verb == SCALER_VERB_CREATE) {
		scaled_trouble(scaled, verb, outcome, message);
		return;
	}
	scaled_problem(scaled, verb, outcome == PROVISIONER_DONE ? "" : message);
	if (outcome == PROVISIONER_DONE)
		trouble_over(job->scaler, &job->trouble, job->service, job->name, verb);
	else if (trouble_is_news(&job->trouble, outcome))
		trouble_say(job->scaler, job->service, job->name, message);
}

void scaled_failed(struct scaled *scaled, bool quota)
{
	uint64_t wait_ms;

	if (!scaled)
		return;
	if (quota != scaled->quota)
		scaled->failed_in_a_row = 0;
	scaled->quota = quota;
	scaled->failed_in_a_row++;
	wait_ms = quota ? autoscale_quota_ms(scaled->failed_in_a_row)
			: autoscale_backoff_ms(scaled->failed_in_a_row);
	/* Chance adds up to a quarter: services that fail together are not tried together. */
	scaled->last_failure_ms =
		clock_monotonic_ms() +
		wait_ms / 4 *
			(index_hash_text(scaled->service) * (scaled->failed_in_a_row * 2 + 1) >>
			 16) /
			0xffff;
}

void scaled_created(struct scaled *scaled, uint64_t took_ms)
{
	if (!scaled)
		return;
	scaled_trouble(scaled, SCALER_VERB_CREATE, PROVISIONER_DONE, "");
	scaled->failed_in_a_row = 0;
	scaled->quota = false;
	scaled->provision_ms =
		scaled->provision_ms ? (scaled->provision_ms * 3 + took_ms) / 4 : took_ms;
}

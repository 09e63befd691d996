// SPDX-License-Identifier: GPL-2.0-only
/* Calls provisioners until every object is as wanted: created, deleted, or found to be nobody's. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/scaler_private.h"
#include "base/log.h"
#include "model/answer.h"

#define GOING_ON_RETRY_MS 1000

/* ------------------------------------------------------------------ what a call is given */

/* The service as a provisioner sees it: fields of the config, by the config's words. */
static json_t *service_json(const struct service_config *service)
{
	static const char *const fields[] = {"name", "vip", "protocol", "port", "mode"};
	json_t *all = service_config_to_json(service), *some = json_object();

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		json_object_set(some, fields[i], json_object_get(all, fields[i]));
	json_decref(all);
	return some;
}

static json_t *spec_json(json_t *options)
{
	return options ? json_incref(options) : json_object();
}

/* Where a job's call goes: NULL if what it is for has gone. */
struct target {
	const char *provisioner;
	json_t *options;
	uint64_t timeout_ms;
	const struct service_config *service; /* NULL: an orphan */
};

static bool target_find(const struct job *job, struct target *ret_target)
{
	const struct desired *desired = job->scaler->agent->desired;
	const struct pool *pool = job->service ? state_pool(desired->state, job->service) : NULL;

	if (pool && pool->service->autoscale) {
		const struct autoscale_config *scale = pool->service->autoscale;

		*ret_target = (struct target){scale->provisioner, scale->options,
					      scale->call_timeout_ms, pool->service};
		return true;
	}
	for (size_t i = 0; !job->service && i < desired->orphan_count; i++) {
		const struct orphan *orphan = &desired->orphans[i];

		if (!strcmp(orphan->name, job->name)) {
			*ret_target = (struct target){orphan->provisioner, orphan->options,
						      orphan->call_timeout_ms, NULL};
			return true;
		}
	}
	return false;
}

/* ------------------------------------------------------------------ outcomes */

static int edit_created(struct desired *draft, void *context, struct error *error)
{
	const struct backend_change *change = context;

	return state_backend_created(draft->state, change->service, change->name, &change->address,
				     change->port, error);
}

static int edit_fail(struct desired *draft, void *context, struct error *error)
{
	const struct backend_change *change = context;

	return state_backend_fail(draft->state, change->service, change->name, change->note, error);
}

static int edit_gone(struct desired *draft, void *context, struct error *error)
{
	const struct backend_change *change = context;

	if (change->service)
		return state_backend_remove(draft->state, change->service, change->name, error);
	desired_orphan_remove(draft, change->name);
	return 0;
}

static int edit_orphan(struct desired *draft, void *context, struct error *error)
{
	const struct backend_change *change = context;
	const struct pool *pool = state_pool(draft->state, change->service);
	int err = pool ? desired_orphan_add(draft, change->name, pool->service->autoscale) : 0;

	return err ? error_set(error, err, "orphan %s: %s", change->name, strerror(-err)) : 0;
}

static void job_problem(struct job *job, const char *message)
{
	struct scaled *scaled = job->service ? scaled_find(job->scaler, job->service) : NULL;

	snprintf(job->note, sizeof(job->note), "%s", message);
	scaled_problem(scaled, job->verb, message);
	if (*message)
		log_warning("%s%s%s: %s", job->service ? "service " : "orphan ",
			    job->service ? job->service : "", job->service ? "" : job->name,
			    message);
	if (*message)
		agent_event(job->scaler->agent, CAUSE_AUTOSCALER, "provisioner", job->service, "%s",
			    message);
}

static void creation_failed(struct job *job, bool quota)
{
	struct scaled *scaled = scaled_find(job->scaler, job->service);

	if (!scaled)
		return;
	if (quota != scaled->quota)
		scaled->failed_in_a_row = 0;
	scaled->quota = quota;
	scaled->failed_in_a_row++;
	scaled->last_failure_ms = clock_monotonic_ms();
}

/* The backend is marked, and deleted by name before its record goes. */
static void creation_give_up(struct job *job)
{
	struct backend_change change = {
		.service = job->service, .name = job->name, .note = job->note};
	struct change_cause cause =
		cause_make(CAUSE_AUTOSCALER, "creation of %s failed: %s", job->name, job->note);

	scaler_change(job->scaler, &cause, edit_fail, &change);
}

static void job_retry(struct job *job, uint64_t delay_ms)
{
	job->retry_at_ms = clock_monotonic_ms() + delay_ms;
}

static void job_gone(struct job *job)
{
	struct backend_change change = {.service = job->service, .name = job->name};
	struct change_cause cause = cause_make(
		CAUSE_AUTOSCALER, "deleted %s: its provisioner says it is gone", job->name);

	if (job->service) {
		scaler_change(job->scaler, &cause, edit_gone, &change);
	} else {
		struct error error;

		if (agent_change(job->scaler->agent, &cause, edit_gone, &change, NULL, &error))
			log_error("orphan %s: %s", job->name, error.text);
	}
}

static void create_succeeded(struct job *job, const json_t *answer)
{
	const char *wrong = answer_created(answer, job->name, &job->address, &job->port);
	struct target target = {.provisioner = "?"};
	char message[512];

	if (wrong) {
		target_find(job, &target);
		snprintf(message, sizeof(message),
			 "provisioner %.256s: its answer to create %s: %s", target.provisioner,
			 job->name, wrong);
		job_problem(job, message);
		creation_failed(job, false);
		creation_give_up(job);
		return;
	}
	job->created = true;
	job->created_at_ms = clock_monotonic_ms();
	job->failures = 0;
}

static void create_done(struct job *job, const struct provisioner_result *result)
{
	switch (result->outcome) {
	case PROVISIONER_DONE:
		create_succeeded(job, result->answer);
		return;
	case PROVISIONER_GOING_ON:
		job_retry(job, GOING_ON_RETRY_MS);
		return;
	case PROVISIONER_RETRY:
	case PROVISIONER_MISSING:
		job_problem(job, result->message);
		creation_failed(job, false);
		job_retry(job, autoscale_backoff_ms(++job->failures));
		return;
	case PROVISIONER_CONFLICT:
		/* Somebody else's: it is not for us to delete. */
		job_problem(job, result->message);
		creation_failed(job, false);
		job_gone(job);
		return;
	default:
		job_problem(job, result->message);
		creation_failed(job, result->outcome == PROVISIONER_QUOTA);
		creation_give_up(job);
	}
}

static void delete_done(struct job *job, const struct provisioner_result *result)
{
	if (result->outcome == PROVISIONER_DONE) {
		log_info("deleted %s", job->name);
		job_problem(job, "");
		job_gone(job);
	} else if (result->outcome == PROVISIONER_GOING_ON) {
		job_retry(job, GOING_ON_RETRY_MS);
	} else {
		job_problem(job, result->message);
		job_retry(job, autoscale_backoff_ms(++job->failures));
	}
}

static void call_done(void *context, const struct provisioner_result *result)
{
	struct job *job = context;
	struct scaled *scaled = job->service ? scaled_find(job->scaler, job->service) : NULL;

	job->call = NULL;
	if (scaled)
		scaled->facts.calls[job->verb][result->outcome]++;
	if (job->verb == SCALER_VERB_CREATE)
		create_done(job, result);
	else
		delete_done(job, result);
}

/* ------------------------------------------------------------------ jobs */

const char *scaler_note(const struct scaler *scaler, const char *service, const char *backend)
{
	for (const struct job *job = scaler ? scaler->jobs : NULL; job; job = job->next) {
		if (job->service && !strcmp(job->service, service) && !strcmp(job->name, backend))
			return *job->note ? job->note : NULL;
	}
	return NULL;
}

static void job_free(struct job *job)
{
	provisioner_cancel(job->call);
	free(job->service);
	free(job->name);
	free(job);
}

static struct job *job_new(struct scaler *scaler, const char *service, const char *name,
			   enum scaler_verb verb)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->scaler = scaler;
	job->service = service ? strdup(service) : NULL;
	job->name = strdup(name);
	job->verb = verb;
	job->begun_ms = clock_monotonic_ms();
	if (!job->name || (service && !job->service)) {
		job_free(job);
		return NULL;
	}
	job->next = scaler->jobs;
	scaler->jobs = job;
	return job;
}

static bool job_is(const struct job *job, const char *service, const char *name,
		   enum scaler_verb verb)
{
	return job->verb == verb && !strcmp(job->name, name) && !job->service == !service &&
	       (!service || !strcmp(job->service, service));
}

static void job_want(struct scaler *scaler, const char *service, const char *name,
		     enum scaler_verb verb)
{
	struct job *job = scaler->jobs;

	while (job && !job_is(job, service, name, verb))
		job = job->next;
	if (!job)
		job = job_new(scaler, service, name, verb);
	if (job)
		job->wanted = true;
}

static void jobs_want(struct scaler *scaler)
{
	const struct desired *desired = scaler->agent->desired;

	for (size_t i = 0; i < desired->state->pool_count; i++) {
		const struct pool *pool = desired->state->pools[i];

		for (size_t j = 0; pool->service->autoscale && j < pool->backend_count; j++) {
			const struct pool_backend *backend = &pool->backends[j];

			if (backend->origin != ORIGIN_AUTOSCALE)
				continue;
			if (backend->life == LIFE_PROVISIONING)
				job_want(scaler, pool->service->name, backend->name,
					 SCALER_VERB_CREATE);
			else if (backend->life == LIFE_DELETING || backend->life == LIFE_FAILED)
				job_want(scaler, pool->service->name, backend->name,
					 SCALER_VERB_DELETE);
		}
	}
	for (size_t i = 0; i < desired->orphan_count; i++)
		job_want(scaler, NULL, desired->orphans[i].name, SCALER_VERB_DELETE);
}

static void jobs_drop_unwanted(struct scaler *scaler)
{
	struct job **link = &scaler->jobs;

	while (*link) {
		struct job *job = *link;

		if (job->wanted) {
			job->wanted = false;
			link = &job->next;
			continue;
		}
		*link = job->next;
		job_free(job);
	}
}

static void job_call(struct job *job)
{
	struct agent *agent = job->scaler->agent;
	struct target target;
	json_t *input;

	if (!target_find(job, &target))
		return;
	input = json_pack("{ss,ss,so}", "owner", agent->config->owner, "name", job->name, "spec",
			  spec_json(target.options));
	if (input && target.service)
		json_object_set_new(input, "service", service_json(target.service));
	log_debug("%s %s by %s", scaler_verb_names[job->verb], job->name, target.provisioner);
	if (input)
		job->call = provisioner_start(agent->children, target.provisioner,
					      scaler_verb_names[job->verb], input,
					      target.timeout_ms, call_done, job);
	if (!job->call)
		job_retry(job, GOING_ON_RETRY_MS);
	json_decref(input);
}

/* ------------------------------------------------------------------ a backend that was created */

/*
 * Refuses as long as packets could not be sent to it: an edit that fails changes nothing, while
 * the watch that it leaves goes on looking for the way.
 */
static int edit_created_reachable(struct desired *draft, void *context, struct error *error)
{
	const struct backend_change *change = context;
	struct nexthop_view view;
	const struct pool *pool;
	uint32_t id;
	int err = edit_created(draft, context, error);

	if (err)
		return err;
	pool = state_pool(draft->state, change->service);
	id = agent_backend_id(pool, pool_backend(pool, change->name));
	err = nexthop_watch(change->nexthops, id, &change->address, pool->service->mode);
	if (err)
		return error_set(error, err, "backend %s: %s", change->name, strerror(-err));
	if (nexthop_known(change->nexthops, id))
		return 0;
	return error_set(error, -EAGAIN, "backend %s: its next hop is not known: %s", change->name,
			 nexthop_view(change->nexthops, id, &view) && view.problem
				 ? view.problem
				 : "no answer yet");
}

static void creation_timed(struct scaled *scaled, uint64_t took_ms)
{
	scaled->failed_in_a_row = 0;
	scaled->quota = false;
	scaled->provision_ms =
		scaled->provision_ms ? (scaled->provision_ms * 3 + took_ms) / 4 : took_ms;
}

static void created_finish(struct job *job, uint64_t now_ms)
{
	struct backend_change change = {
		.service = job->service,
		.name = job->name,
		.address = job->address,
		.port = job->port,
		.nexthops = job->scaler->agent->nexthops,
	};
	struct scaled *scaled = scaled_find(job->scaler, job->service);
	struct change_cause cause = cause_make(
		CAUSE_AUTOSCALER, "created %s: it can serve and its next hop is known", job->name);
	struct error error = {""};
	struct target target;
	int err = agent_change(job->scaler->agent, &cause, edit_created_reachable, &change, NULL,
			       &error);

	if (!err) {
		log_info("service %s: created %s", job->service, job->name);
		scaled_problem(scaled, SCALER_VERB_CREATE, "");
		if (scaled)
			creation_timed(scaled, now_ms - job->begun_ms);
		return;
	}
	if (err == -EAGAIN && target_find(job, &target) &&
	    now_ms - job->created_at_ms < target.timeout_ms) {
		snprintf(job->note, sizeof(job->note), "%s", error.text);
		return;
	}
	job_problem(job, error.text);
	creation_failed(job, false);
	creation_give_up(job);
}

/* A creation that was begun before the provisioner is known to be able to waits. */
static bool job_may_run(const struct job *job)
{
	const struct scaled *scaled;

	if (job->verb != SCALER_VERB_CREATE)
		return true;
	scaled = scaled_find(job->scaler, job->service);
	return scaled && scaled_may_create(scaled);
}

static void job_run(struct job *job, uint64_t now_ms)
{
	if (job->call || job->retry_at_ms > now_ms)
		return;
	if (job->created)
		created_finish(job, now_ms);
	else if (job_may_run(job))
		job_call(job);
}

void jobs_run(struct scaler *scaler, uint64_t now_ms)
{
	jobs_want(scaler);
	jobs_drop_unwanted(scaler);
	for (struct job *job = scaler->jobs; job; job = job->next)
		job_run(job, now_ms);
}

void jobs_stop(struct scaler *scaler)
{
	jobs_drop_unwanted(scaler); /* nothing is wanted between two ticks */
}

/* ------------------------------------------------------------------ objects that nobody knows */

/* Whether the name is one that this owner mints for this service. */
static bool name_is_ours(const char *name, const char *service, const char *owner)
{
	char prefix[2 * NAME_MAX_LENGTH + 8];
	size_t length;

	snprintf(prefix, sizeof(prefix), "%s-%s-", service, owner);
	length = strlen(prefix);
	return !strncmp(name, prefix, length) && name[length] &&
	       strspn(name + length, "0123456789") == strlen(name + length);
}

static bool name_known(const struct desired *desired, const struct pool *pool, const char *name)
{
	if (pool_backend(pool, name))
		return true;
	for (size_t i = 0; i < desired->orphan_count; i++) {
		if (!strcmp(desired->orphans[i].name, name))
			return true;
	}
	return false;
}

static void list_failed(struct scaled *scaled, const char *message)
{
	scaled_problem(scaled, SCALER_VERB_LIST, message);
	log_warning("service %s: %s", scaled->service, message);
	agent_event(scaled->scaler->agent, CAUSE_AUTOSCALER, "provisioner", scaled->service, "%s",
		    message);
	scaled->list_at_ms = clock_monotonic_ms() + autoscale_backoff_ms(++scaled->list_failures);
}

static void list_take(struct scaled *scaled, const json_t *backends)
{
	struct agent *agent = scaled->scaler->agent;
	const char *owner = agent->config->owner;
	json_t *item;
	size_t i;

	json_array_foreach(backends, i, item)
	{
		const char *name = json_string_value(json_object_get(item, "name"));
		const struct pool *pool = state_pool(agent->desired->state, scaled->service);
		struct backend_change change = {.service = scaled->service, .name = name};
		struct change_cause cause;

		if (!name || !pool || !name_is_ours(name, scaled->service, owner) ||
		    name_known(agent->desired, pool, name))
			continue;
		log_warning("service %s: %s is left from before; deleting it", scaled->service,
			    name);
		cause = cause_make(CAUSE_AUTOSCALER,
				   "delete %s: it is left from before and nobody's", name);
		scaler_change(scaled->scaler, &cause, edit_orphan, &change);
	}
}

static void list_done(void *context, const struct provisioner_result *result)
{
	struct scaled *scaled = context;
	const json_t *backends = answer_list(result->answer);

	scaled->list = NULL;
	scaled->facts.calls[SCALER_VERB_LIST][result->outcome]++;
	if (result->outcome != PROVISIONER_DONE) {
		list_failed(scaled, result->message);
	} else if (!backends) {
		list_failed(scaled,
			    "its provisioner: the answer to list has no array \"backends\" of "
			    "objects with a name; see the contract");
	} else {
		scaled->listed = true;
		scaled_problem(scaled, SCALER_VERB_LIST, "");
		list_take(scaled, backends);
	}
}

void list_run(struct scaled *scaled, const struct pool *pool, uint64_t now_ms)
{
	const struct autoscale_config *scale = pool->service->autoscale;
	struct agent *agent = scaled->scaler->agent;
	json_t *input;

	if (!scaled_may_list(scaled) || scaled->listed || scaled->list ||
	    scaled->list_at_ms > now_ms)
		return;
	input = json_pack("{ss,so}", "owner", agent->config->owner, "spec",
			  spec_json(scale->options));
	if (input)
		scaled->list = provisioner_start(agent->children, scale->provisioner,
						 scaler_verb_names[SCALER_VERB_LIST], input,
						 scale->call_timeout_ms, list_done, scaled);
	json_decref(input);
}

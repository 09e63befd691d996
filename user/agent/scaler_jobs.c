// SPDX-License-Identifier: GPL-2.0-only
/* Calls provisioners as model/provision.h says, until every object is as the journal wants it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/scaler_private.h"
#include "base/index.h"
#include "base/log.h"
#include "model/answer.h"

#define STEPS_MAX      4  /* of one object in a row: none takes more without waiting */
#define PATIENCE_TIMES 10 /* the longest call: a creation that goes on for longer has failed */

/* ------------------------------------------------------------------ what a job is about */

/* What is journaled of an object now; nothing of it outlives a change. */
struct target {
	enum provision_stage stage;
	const char *provisioner, *owner;
	const json_t *options;
	uint64_t timeout_ms, delay_ms;
	const struct service_config *service; /* NULL: an orphan */
	bool outdated;
};

static enum provision_stage stage_of(const struct pool_backend *backend)
{
	if (backend->life == LIFE_PROVISIONING)
		return PROVISION_INTENDED;
	if (backend->life == LIFE_DELETING || backend->life == LIFE_FAILED)
		return PROVISION_UNWANTED;
	return PROVISION_THERE;
}

static void target_backend(const struct scaler *scaler, const struct pool *pool,
			   const struct pool_backend *backend, struct target *ret_target)
{
	const struct autoscale_config *scale = pool->service->autoscale;
	const struct scaled *scaled = scaled_find(scaler, pool->service->name);
	const struct provider *provider = backend->provider;
	const char *owner = scaler->agent->config->owner;

	*ret_target = (struct target){
		.stage = stage_of(backend),
		.provisioner = scale->provisioner,
		.owner = owner,
		.options = scale->options,
		.timeout_ms = scale->call_timeout_ms,
		.delay_ms = scaled ? scaled->facts.abilities.consistency_delay_ms : 0,
		.service = pool->service,
	};
	if (!provider)
		return;
	ret_target->outdated = !provider_is(provider, scale->provisioner, scale->options) ||
			       (provider->owner && strcmp(provider->owner, owner) != 0);
	ret_target->provisioner = provider->provisioner;
	ret_target->options = provider->options;
	if (provider->owner)
		ret_target->owner = provider->owner;
	if (ret_target->outdated || ret_target->delay_ms < provider->delay_ms)
		ret_target->delay_ms = provider->delay_ms;
}

static void target_orphan(const struct scaler *scaler, const struct orphan *orphan,
			  struct target *ret_target)
{
	const struct provider *provider = orphan->provider;

	*ret_target = (struct target){
		.stage = PROVISION_UNWANTED,
		.provisioner = provider->provisioner,
		.owner = provider->owner ? provider->owner : scaler->agent->config->owner,
		.options = provider->options,
		.timeout_ms = orphan->call_timeout_ms,
		.delay_ms = provider->delay_ms,
	};
}

static bool target_find(const struct job *job, struct target *ret_target)
{
	const struct desired *desired = job->scaler->agent->desired;
	const struct pool *pool = job->service ? state_pool(desired->state, job->service) : NULL;
	const struct pool_backend *backend =
		pool && pool->service->autoscale ? pool_backend(pool, job->name) : NULL;

	if (backend) {
		target_backend(job->scaler, pool, backend, ret_target);
		return true;
	}
	for (size_t i = 0; i < desired->orphan_count; i++) {
		if (strcmp(desired->orphans[i].name, job->name))
			continue;
		target_orphan(job->scaler, &desired->orphans[i], ret_target);
		return true;
	}
	return false;
}

static struct scaled *job_scaled(const struct job *job)
{
	return job->service ? scaled_find(job->scaler, job->service) : NULL;
}

static struct provision_input input_of(const struct job *job, const struct target *target)
{
	const struct scaled *scaled = job_scaled(job);

	return (struct provision_input){
		.now_ms = clock_monotonic_ms(),
		.started_ms = job->scaler->started_ms,
		.delay_ms = target->delay_ms,
		.patience_ms = target->timeout_ms * PATIENCE_TIMES,
		.stage = target->stage,
		.may_create = scaled && scaled_may_create(scaled),
		.outdated = target->outdated,
		.seed = index_hash_text(job->name),
	};
}

/* ------------------------------------------------------------------ what is journaled */

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

/* The backend is marked, and deleted by name before its record goes. */
static int job_give_up(struct job *job, const struct target *target)
{
	struct backend_change change = {
		.service = job->service, .name = job->name, .note = job->note};
	struct change_cause cause;
	int err;

	if (target->outdated && !*job->note)
		snprintf(job->note, sizeof(job->note),
			 "its provisioner, options or owner are others in the config by now");
	cause = cause_make(CAUSE_AUTOSCALER, "creation of %s failed: %s", job->name, job->note);
	cause.scale = outcome_make(job->name, "failed", job->note);
	err = scaler_change(job->scaler, &cause, edit_fail, &change);
	json_decref(cause.scale);
	return err;
}

static int job_forget(struct job *job, const struct target *target)
{
	bool foreign = job->provision.verdict == PROVISION_FOREIGN;
	struct backend_change change = {.service = target->service ? job->service : NULL,
					.name = job->name};
	struct change_cause cause =
		foreign ? cause_make(CAUSE_AUTOSCALER, "creation of %s failed: %s", job->name,
				     job->note)
			: cause_make(CAUSE_AUTOSCALER,
				     "deleted %s: its provisioner says it is gone", job->name);
	struct error error = {""};
	int err;

	cause.scale =
		outcome_make(job->name, foreign ? "failed" : "deleted", foreign ? job->note : NULL);
	if (change.service) {
		err = scaler_change(job->scaler, &cause, edit_gone, &change);
	} else {
		err = agent_change(job->scaler->agent, &cause, edit_gone, &change, NULL, &error);
		if (err)
			log_error("orphan %s: %s", job->name, error.text);
	}
	json_decref(cause.scale);
	return err;
}

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

/* It answered that it can serve: it joins its pool once packets have a way to it. */
static void job_join(struct job *job, const struct target *target)
{
	struct backend_change change = {
		.service = job->service,
		.name = job->name,
		.address = job->address,
		.port = job->port,
		.nexthops = job->scaler->agent->nexthops,
	};
	struct scaled *scaled = job_scaled(job);
	uint64_t now_ms = clock_monotonic_ms();
	struct change_cause cause = cause_make(
		CAUSE_AUTOSCALER, "created %s: it can serve and its next hop is known", job->name);
	struct error error = {""};
	int err;

	cause.scale = outcome_make(job->name, "created", NULL);
	err = agent_change(job->scaler->agent, &cause, edit_created_reachable, &change, NULL,
			   &error);
	json_decref(cause.scale);
	if (!err) {
		log_info("service %s: created %s", job->service, job->name);
		scaled_created(scaled, now_ms - job->begun_ms);
		return;
	}
	if ((err == -EAGAIN || err == -EIO) && now_ms - job->created_at_ms < target->timeout_ms) {
		snprintf(job->note, sizeof(job->note), "%s", error.text);
		return;
	}
	job_trouble(job, SCALER_VERB_CREATE, PROVISIONER_FAILED, error.text);
	scaled_failed(scaled, false);
	provision_unreachable(&job->provision);
}

/* ------------------------------------------------------------------ calls */

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

static enum provisioner_outcome create_judge(struct job *job,
					     const struct provisioner_result *result)
{
	struct target target = {.provisioner = "?"};
	char message[512];
	const char *wrong;

	if (result->outcome != PROVISIONER_DONE) {
		job_trouble(job, SCALER_VERB_CREATE, result->outcome, result->message);
		return result->outcome;
	}
	wrong = answer_created(result->answer, job->name, &job->address, &job->port);
	if (!wrong) {
		job->created_at_ms = clock_monotonic_ms();
		return PROVISIONER_DONE;
	}
	target_find(job, &target);
	snprintf(message, sizeof(message), "provisioner %.256s: its answer to create %s: %s",
		 target.provisioner, job->name, wrong);
	job_trouble(job, SCALER_VERB_CREATE, PROVISIONER_RUBBISH, message);
	return PROVISIONER_RUBBISH;
}

static void create_done(struct job *job, const struct provisioner_result *result,
			const struct provision_input *input)
{
	enum provisioner_outcome outcome = create_judge(job, result);
	struct scaled *scaled = job_scaled(job);

	provision_replied(&job->provision, outcome, input);
	if (outcome == PROVISIONER_DONE)
		return;
	if (scaled)
		provision_list_hurry(&scaled->listing, input->now_ms, input->delay_ms);
	if (outcome != PROVISIONER_GOING_ON)
		scaled_failed(scaled, outcome == PROVISIONER_QUOTA);
	else if (job->provision.verdict == PROVISION_FAILED)
		scaled_failed(scaled, false);
}

static void delete_done(struct job *job, const struct provisioner_result *result,
			const struct provision_input *input)
{
	provision_replied(&job->provision, result->outcome, input);
	if (result->outcome == PROVISIONER_DONE) {
		log_info("deleted %s", job->name);
		job_trouble(job, SCALER_VERB_DELETE, PROVISIONER_DONE, "");
	} else if (result->outcome != PROVISIONER_GOING_ON) {
		job_trouble(job, SCALER_VERB_DELETE, result->outcome, result->message);
	}
}

static void call_done(void *context, const struct provisioner_result *result)
{
	struct job *job = context;
	bool creation = job->provision.call == PROVISION_CALL_CREATE;
	struct scaled *scaled = job_scaled(job);
	struct target target = {.stage = PROVISION_UNWANTED};
	struct provision_input input;

	job->call = NULL;
	target_find(job, &target);
	input = input_of(job, &target);
	if (scaled)
		scaled->facts.calls[creation ? SCALER_VERB_CREATE : SCALER_VERB_DELETE]
				   [result->outcome]++;
	if (creation)
		create_done(job, result, &input);
	else
		delete_done(job, result, &input);
}

/* Out of memory it is not begun, and tried again in the next tick. */
static void job_call(struct job *job, const struct target *target, enum provision_call call,
		     const struct provision_input *provision)
{
	const char *verb = scaler_verb_names[call == PROVISION_CALL_CREATE ? SCALER_VERB_CREATE
									   : SCALER_VERB_DELETE];
	json_t *options = target->options ? json_deep_copy(target->options) : json_object();
	json_t *input =
		json_pack("{ss,ss,so}", "owner", target->owner, "name", job->name, "spec", options);

	if (input && target->service)
		json_object_set_new(input, "service", service_json(target->service));
	log_debug("%s %s by %s", verb, job->name, target->provisioner);
	if (input)
		job->call = provisioner_start(job->scaler->agent->children, target->provisioner,
					      verb, input, target->timeout_ms, call_done, job);
	if (job->call)
		provision_begun(&job->provision, call, provision);
	json_decref(input);
}

static void job_cancel(struct job *job, const struct provision_input *input)
{
	struct scaled *scaled = job_scaled(job);

	provisioner_cancel(job->call);
	job->call = NULL;
	provision_cancelled(&job->provision, input);
	if (scaled)
		provision_list_hurry(&scaled->listing, input->now_ms, input->delay_ms);
}

/* ------------------------------------------------------------------ jobs */

/* Whether there may be more to do at once. */
static bool job_step(struct job *job)
{
	struct provision_input input;
	struct target target;

	if (!target_find(job, &target))
		return false;
	input = input_of(job, &target);
	switch (provision_step(&job->provision, &input)) {
	case PROVISION_CREATE:
		job_call(job, &target, PROVISION_CALL_CREATE, &input);
		return false;
	case PROVISION_DELETE:
		job_call(job, &target, PROVISION_CALL_DELETE, &input);
		return false;
	case PROVISION_CANCEL:
		job_cancel(job, &input);
		return true;
	case PROVISION_GIVE_UP:
		return !job_give_up(job, &target);
	case PROVISION_FORGET:
		job_forget(job, &target);
		return false;
	case PROVISION_JOIN:
		job_join(job, &target);
		return job->provision.verdict == PROVISION_FAILED;
	default:
		return false;
	}
}

static void job_run(struct job *job)
{
	for (int i = 0; i < STEPS_MAX && job_step(job); i++)
		continue;
}

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

static struct job *job_new(struct scaler *scaler, const char *service, const char *name)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->scaler = scaler;
	job->service = service ? strdup(service) : NULL;
	job->name = strdup(name);
	job->begun_ms = clock_monotonic_ms();
	if (!job->name || (service && !job->service)) {
		job_free(job);
		return NULL;
	}
	job->next = scaler->jobs;
	scaler->jobs = job;
	return job;
}

/* By its name alone: an orphan goes on with what was known of it as a backend. */
static struct job *job_find(const struct scaler *scaler, const char *name)
{
	struct job *job = scaler->jobs;

	while (job && strcmp(job->name, name) != 0)
		job = job->next;
	return job;
}

static void job_want(struct scaler *scaler, const char *service, const char *name)
{
	struct job *job = job_find(scaler, name);

	if (!job)
		job = job_new(scaler, service, name);
	if (job)
		job->wanted = true;
}

/* One that is there has nothing to do, but a call for it may be without an end yet. */
static void job_keep(const struct scaler *scaler, const char *name)
{
	struct job *job = job_find(scaler, name);
	struct provision_input input;
	struct target target;

	if (!job || !target_find(job, &target))
		return;
	input = input_of(job, &target);
	job->wanted = job->call || provision_unsettled(&job->provision, &input);
	*job->note = '\0';
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
			if (stage_of(backend) == PROVISION_THERE)
				job_keep(scaler, backend->name);
			else
				job_want(scaler, pool->service->name, backend->name);
		}
	}
	for (size_t i = 0; i < desired->orphan_count; i++)
		job_want(scaler, NULL, desired->orphans[i].name);
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

void jobs_run(struct scaler *scaler)
{
	jobs_want(scaler);
	jobs_drop_unwanted(scaler);
	for (struct job *job = scaler->jobs; job; job = job->next)
		job_run(job);
}

void jobs_stop(struct scaler *scaler)
{
	jobs_drop_unwanted(scaler); /* nothing is wanted between two ticks */
}

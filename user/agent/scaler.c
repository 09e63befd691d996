// SPDX-License-Identifier: GPL-2.0-only
/* Reads demand, decides, and drains, takes back and intends backends. */
#include "agent/scaler.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/scaler_private.h"
#include "base/log.h"
#include "model/json_text.h"

#define READ_MS      250
#define READS_A_STEP 4u
#define IDLE_MS      1000 /* without a live flow for so long, a drain is over */
#define NAME_ROOM    (2 * NAME_MAX_LENGTH + 16)

const char *const scaler_action_names[] = {"undrain", "create", "drain", "delete",
					   "wake",    "park",   NULL};
const char *const scaler_verb_names[] = {"create", "delete", "list", "capabilities", NULL};

struct scaled *scaled_find(const struct scaler *scaler, const char *service)
{
	struct scaled *scaled = scaler->scaled;

	while (scaled && strcmp(scaled->service, service))
		scaled = scaled->next;
	return scaled;
}

const struct scaler_facts *scaler_facts(const struct scaler *scaler, const char *service)
{
	const struct scaled *scaled = scaler ? scaled_find(scaler, service) : NULL;

	return scaled ? &scaled->facts : NULL;
}

static void scaled_free(struct scaled *scaled)
{
	provisioner_cancel(scaled->list);
	ask_clear(&scaled->ask);
	free(scaled->samples);
	free(scaled->service);
	free(scaled);
}

/* Makes the record of a pool, or one that fits its size. NULL: no memory. */
static struct scaled *scaled_get(struct scaler *scaler, const struct pool *pool, uint64_t now_ms)
{
	struct scaled *scaled = scaled_find(scaler, pool->service->name);

	if (!scaled) {
		scaled = calloc(1, sizeof(*scaled));
		if (!scaled)
			return NULL;
		scaled->service = strdup(pool->service->name);
		scaled->samples = calloc(pool->backend_capacity, sizeof(*scaled->samples));
		if (!scaled->service || !scaled->samples) {
			scaled_free(scaled);
			return NULL;
		}
		scaled->scaler = scaler;
		scaled->sample_count = pool->backend_capacity;
		scaled->sum_since_ms = now_ms;
		scaled->next = scaler->scaled;
		scaler->scaled = scaled;
	}
	return scaled;
}

int scaler_change(struct scaler *scaler, const struct change_cause *cause, agent_edit_fn edit,
		  struct backend_change *change)
{
	struct scaled *scaled = scaled_find(scaler, change->service);
	struct error error = {""};
	int err = agent_change(scaler->agent, cause, edit, change, NULL, &error);

	if (!err)
		return 0;
	log_error("service %s: %s", change->service, error.text);
	scaled_problem(scaled, SCALER_VERB_CREATE, error.text);
	return err;
}

/* ------------------------------------------------------------------ actions */

static int edit_undrain(struct desired *draft, void *context, struct error *error)
{
	const struct backend_change *change = context;

	return state_backend_undrain(draft->state, change->service, change->name, error);
}

static int edit_drain(struct desired *draft, void *context, struct error *error)
{
	const struct backend_change *change = context;

	return state_backend_drain(draft->state, change->service, change->name, change->deadline_ms,
				   error);
}

static int edit_deleting(struct desired *draft, void *context, struct error *error)
{
	const struct backend_change *change = context;

	return state_backend_deleting(draft->state, change->service, change->name, error);
}

static int edit_park(struct desired *draft, void *context, struct error *error)
{
	const struct backend_change *change = context;

	return state_backend_drained(draft->state, change->service, change->name, error);
}

static bool orphan_named(const struct desired *desired, const char *name)
{
	for (size_t i = 0; i < desired->orphan_count; i++) {
		if (!strcmp(desired->orphans[i].name, name))
			return true;
	}
	return false;
}

/* Mints the next name and writes the intent down; change->name is the owner. */
static int edit_intend(struct desired *draft, void *context, struct error *error)
{
	const struct backend_change *change = context;
	const struct pool *pool = state_pool(draft->state, change->service);
	uint32_t sequence = pool ? pool->sequence : 0;
	char name[NAME_ROOM];
	int err;

	if (!pool)
		return error_set(error, -ENOENT, "service %s: is gone", change->service);
	do {
		if (provision_name(name, sizeof(name), change->service, change->name, &sequence,
				   clock_wall_ms()))
			return error_set(error, -EINVAL,
					 "backend %s: is longer than %d letters; give the service "
					 "or agent.owner a shorter name",
					 name, NAME_MAX_LENGTH);
	} while (orphan_named(draft, name) || pool_backend(pool, name));
	err = state_backend_intend(draft->state, change->service, name, error);
	json_object_set_new(change->scale, "backend", json_string(name));
	return err ? err
		   : state_backend_provider(draft->state, change->service, name, change->provider,
					    error);
}

struct provider *scaled_provider(const struct scaled *scaled, const struct autoscale_config *config)
{
	return provider_new(config->provisioner, scaled->scaler->agent->config->owner,
			    config->options, scaled->facts.abilities.consistency_delay_ms);
}

static const struct pool *pool_now(const struct scaled *scaled)
{
	return state_pool(scaled->scaler->agent->desired->state, scaled->service);
}

/* The drain that was begun last has lost the fewest of its flows. */
static const struct pool_backend *undrain_choose(const struct pool *pool)
{
	const struct pool_backend *best = NULL;

	for (size_t i = 0; i < pool->backend_count; i++) {
		const struct pool_backend *backend = &pool->backends[i];

		if (backend->origin == ORIGIN_AUTOSCALE && backend->life == LIFE_DRAINING &&
		    (!best || backend->deadline_ms >= best->deadline_ms))
			best = backend;
	}
	return best;
}

/* The standby: those that drained, and are kept. */
static const struct pool_backend *standby_choose(const struct pool *pool, uint32_t *ret_count)
{
	const struct pool_backend *found = NULL;

	*ret_count = 0;
	for (size_t i = 0; i < pool->backend_count; i++) {
		const struct pool_backend *backend = &pool->backends[i];

		if (backend->origin != ORIGIN_AUTOSCALE || backend->life != LIFE_DRAINED)
			continue;
		found = backend;
		++*ret_count;
	}
	return found;
}

/* The one with the fewest live flows; of equals the newest. */
static const struct pool_backend *drain_choose(const struct agent *agent, const struct pool *pool)
{
	const struct pool_backend *best = NULL;

	for (size_t i = 0; i < pool->backend_count; i++) {
		const struct pool_backend *backend = &pool->backends[i];

		if (backend->origin == ORIGIN_AUTOSCALE &&
		    (backend->life == LIFE_ACTIVE || backend->life == LIFE_WARMING) &&
		    (!best || agent_live(agent, pool, backend) <= agent_live(agent, pool, best)))
			best = backend;
	}
	return best;
}

json_t *outcome_make(const char *backend, const char *outcome, const char *note)
{
	json_t *scale = json_pack("{ss,ss}", "backend", backend, "outcome", outcome);

	if (scale && note)
		json_object_set_new(scale, "note", json_text(note));
	return scale;
}

/* What an action is part of, for the history; the reason is told with the first one. */
static json_t *action_scale(struct scaled *scaled, enum scaler_action action,
			    const struct pool_backend *backend)
{
	const struct autoscale_output *output = &scaled->facts.output;
	const struct autoscale_input *input = &scaled->facts.input;
	uint32_t from = input->active + input->provisioning;
	uint32_t more = output->undrain + output->wake + output->create;
	json_t *scale = json_pack("{sI,ss,sI,sI,ss}", "decision", (json_int_t)input->wall_ms,
				  "action", scaler_action_names[action], "from", (json_int_t)from,
				  "to", (json_int_t)(from + more - output->drain), "why",
				  autoscale_why_names[output->why]);

	if (scale && backend)
		json_object_set_new(scale, "backend", json_string(backend->name));
	if (scale && scaled->decision != input->wall_ms)
		json_object_set_new(scale, "text", json_text(output->text));
	return scale;
}

/* Each change replaces the state, so the pool is asked for anew every time. */
static int action_take(struct scaled *scaled, enum scaler_action action, uint64_t drain_ms)
{
	struct scaler *scaler = scaled->scaler;
	struct backend_change change = {.service = scaled->service};
	const struct pool *pool = pool_now(scaled);
	const struct pool_backend *backend = NULL;
	agent_edit_fn edit = edit_intend;
	struct change_cause cause;
	uint32_t standby;
	char *name;
	int err;

	if (action == SCALER_CREATE) {
		name = strdup(scaler->agent->config->owner);
		change.provider = scaled_provider(scaled, pool->service->autoscale);
	} else {
		backend = action == SCALER_UNDRAIN ? undrain_choose(pool)
			  : action == SCALER_WAKE  ? standby_choose(pool, &standby)
						   : drain_choose(scaler->agent, pool);
		if (!backend)
			return -ENOENT;
		name = strdup(backend->name);
		edit = action == SCALER_DRAIN ? edit_drain : edit_undrain;
		change.deadline_ms = clock_wall_ms() + drain_ms;
	}
	if (!name || (action == SCALER_CREATE && !change.provider)) {
		free(name);
		return -ENOMEM;
	}
	change.name = name;
	change.scale = action_scale(scaled, action, backend);
	cause = cause_make(CAUSE_AUTOSCALER, "%s%s%s: %s", scaler_action_names[action],
			   backend ? " " : "", backend ? name : "", scaled->facts.output.text);
	cause.scale = change.scale;
	err = scaler_change(scaler, &cause, edit, &change);
	if (!err) {
		scaled->facts.actions[action]++;
		scaled->decision = scaled->facts.input.wall_ms;
		log_info("service %s: %s%s%s: %s", scaled->service, scaler_action_names[action],
			 backend ? " " : "", backend ? name : "", scaled->facts.output.text);
	}
	provider_put(change.provider);
	json_decref(change.scale);
	free(name);
	return err;
}

static void actions_take(struct scaled *scaled, enum scaler_action action, uint32_t count,
			 uint64_t drain_ms)
{
	while (count--) {
		if (action_take(scaled, action, drain_ms))
			return;
	}
}

/* Once when it begins, and once when it is over; a pause in between is neither. */
static void halt_tell(struct scaled *scaled, const struct autoscale_config *config)
{
	const struct autoscale_input *input = &scaled->facts.input;
	bool halted = scaled->facts.output.why == SCALE_HALTED;

	if (halted == scaled->halted || scaled->facts.output.why == SCALE_PAUSED)
		return;
	scaled->halted = halted;
	if (halted)
		agent_event(
			scaled->scaler->agent, CAUSE_AUTOSCALER, "scale", scaled->service,
			"halts: %u of %u backends are unhealthy, more than unhealthy_max of "
			"%u%%; what ails them is not the load, so nothing is created or drained",
			input->unhealthy, input->active + input->unhealthy, config->unhealthy_max);
	else
		agent_event(scaled->scaler->agent, CAUSE_AUTOSCALER, "scale", scaled->service,
			    "decides again: %u of %u backends are unhealthy", input->unhealthy,
			    input->active + input->unhealthy);
	log_warning("service %s: the autoscaler %s, %u of %u backends are unhealthy",
		    scaled->service, halted ? "halts" : "decides again", input->unhealthy,
		    input->active + input->unhealthy);
}

static void scaled_step(struct scaled *scaled, const struct pool *pool, uint64_t now_ms)
{
	const struct autoscale_output *output = &scaled->facts.output;
	uint64_t drain_ms = pool->service->autoscale->drain_ms;
	bool dry_run = pool->service->autoscale->dry_run;

	input_make(scaled, pool, now_ms);
	autoscale_step(&scaled->memory, pool->service->autoscale, &scaled->facts.input,
		       &scaled->facts.output);
	scaled->facts.decided = true;
	halt_tell(scaled, pool->service->autoscale);
	if (dry_run)
		return;
	/* The first action replaces the state that pool points into. */
	actions_take(scaled, SCALER_UNDRAIN, output->undrain, 0);
	actions_take(scaled, SCALER_WAKE, output->wake, 0);
	if (scaled_may_create(scaled))
		actions_take(scaled, SCALER_CREATE, output->create, 0);
	actions_take(scaled, SCALER_DRAIN, output->drain, drain_ms);
}

/* ------------------------------------------------------------------ the end of drains */

/*
 * Whether a draining backend can go. In minimal tracking only flows of slots that changed have
 * entries, so that none left proves nothing: the deadline alone counts.
 */
static bool drain_over(struct scaled *scaled, const struct pool *pool,
		       const struct pool_backend *backend, uint64_t now_ms)
{
	const struct agent *agent = scaled->scaler->agent;
	uint64_t passes = sweeper_passes(agent->sweeper);
	struct sample *sample;

	if (backend->deadline_ms && backend->deadline_ms <= clock_wall_ms())
		return true;
	if (backend->number >= scaled->sample_count || pool->service->tracking == TRACKING_MINIMAL)
		return false;
	sample = &scaled->samples[backend->number];
	if (!sample->draining) {
		sample->draining = true;
		sample->drain_passes = passes;
		sample->idle_since_ms = 0;
	}
	/* The pass that is under way began before the drain, the one after it is the first true. */
	if (passes < sample->drain_passes + 2 || agent_live(agent, pool, backend)) {
		sample->idle_since_ms = 0;
		return false;
	}
	if (!sample->idle_since_ms)
		sample->idle_since_ms = now_ms;
	return now_ms - sample->idle_since_ms >= IDLE_MS;
}

/* Takes a backend out of the tables: to be deleted, or to be kept as standby. */
static bool backend_leave(struct scaled *scaled, const struct pool_backend *backend,
			  enum scaler_action action, const char *why)
{
	struct backend_change change = {.service = scaled->service, .name = strdup(backend->name)};
	struct change_cause cause = cause_make(
		CAUSE_AUTOSCALER, "%s %s: %s, %u live flows left", scaler_action_names[action],
		backend->name, why, agent_live(scaled->scaler->agent, pool_now(scaled), backend));
	int err;

	cause.scale = outcome_make(backend->name, "drained", NULL);
	err = change.name
		      ? scaler_change(scaled->scaler, &cause,
				      action == SCALER_PARK ? edit_park : edit_deleting, &change)
		      : -ENOMEM;

	if (!err) {
		log_info("service %s: %s", scaled->service, cause.why);
		scaled->facts.actions[action]++;
	}
	json_decref(cause.scale);
	free((char *)(uintptr_t)change.name);
	return !err;
}

/* Moves one backend on whose drain is over. Returns whether there was one. */
static bool drain_finish(struct scaled *scaled, uint64_t now_ms)
{
	const struct pool *pool = pool_now(scaled);
	const struct pool_backend *over = NULL, *standby;
	uint32_t kept;

	for (size_t i = 0; i < pool->backend_count && !over; i++) {
		const struct pool_backend *backend = &pool->backends[i];

		if (backend->origin != ORIGIN_AUTOSCALE)
			continue;
		if (backend->life == LIFE_DRAINING) {
			if (drain_over(scaled, pool, backend, now_ms))
				over = backend;
		} else if (backend->number < scaled->sample_count) {
			scaled->samples[backend->number].draining = false;
		}
	}
	standby = standby_choose(pool, &kept);
	if (kept > pool->service->autoscale->standby)
		return backend_leave(scaled, standby, SCALER_DELETE, "more than the standby");
	if (!over)
		return false;
	return backend_leave(scaled, over,
			     kept < pool->service->autoscale->standby ? SCALER_PARK : SCALER_DELETE,
			     "drained");
}

/* ------------------------------------------------------------------ the loop */

static void scaled_drop_unwanted(struct scaler *scaler)
{
	struct scaled **link = &scaler->scaled;

	while (*link) {
		struct scaled *scaled = *link;

		if (scaled->wanted) {
			scaled->wanted = false;
			link = &scaled->next;
			continue;
		}
		*link = scaled->next;
		scaled_free(scaled);
	}
}

static void scaler_tick(uv_timer_t *timer)
{
	struct scaler *scaler = timer->data;
	uint64_t now_ms = clock_monotonic_ms();
	bool step = ++scaler->tick % READS_A_STEP == 0;

	/* Pools are neither added nor moved by the scaler's own changes: an index stays valid. */
	for (size_t i = 0; i < scaler->agent->desired->state->pool_count; i++) {
		const struct pool *pool = scaler->agent->desired->state->pools[i];
		struct scaled *scaled;

		if (!pool->service->autoscale)
			continue;
		scaled = scaled_get(scaler, pool, now_ms);
		if (!scaled)
			continue;
		scaled->wanted = true;
		demand_read(scaled, pool);
		capabilities_run(scaled, pool, now_ms);
		list_run(scaled, pool, now_ms);
		while (drain_finish(scaled, now_ms))
			continue;
		if (step)
			scaled_step(scaled, pool_now(scaled), now_ms);
	}
	scaled_drop_unwanted(scaler);
	jobs_run(scaler);
}

int scaler_start(struct agent *agent, struct scaler **ret_scaler, struct error *error)
{
	struct scaler *scaler = calloc(1, sizeof(*scaler));

	if (!scaler)
		return error_set(error, -ENOMEM, "scaler: out of memory");
	scaler->agent = agent;
	scaler->started_ms = clock_monotonic_ms();
	uv_timer_init(agent->loop, &scaler->timer);
	scaler->timer.data = scaler;
	uv_timer_start(&scaler->timer, scaler_tick, 0, READ_MS);
	*ret_scaler = scaler;
	return 0;
}

void scaler_stop(struct scaler *scaler)
{
	if (!scaler)
		return;
	uv_close((uv_handle_t *)&scaler->timer, NULL);
	jobs_stop(scaler);
	scaled_drop_unwanted(scaler); /* nothing is wanted between two ticks */
}

void scaler_free(struct scaler *scaler)
{
	free(scaler);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Every change of what the agent wants: drafted, planned, saved, carried out, kept. */
#include "agent/agent.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/agent_start.h"
#include "agent/guard.h"
#include "agent/health.h"
#include "agent/journal.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "model/plan.h"

#define CONFIG_MAX ((size_t)4 * 1024 * 1024)

static uint64_t clock_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t clock_wall_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

uint64_t clock_monotonic_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

uint32_t agent_backend_id(const struct pool *pool, const struct pool_backend *backend)
{
	return backend->number == NO_NUMBER ? NO_NUMBER : pool->backend_base + backend->number;
}

uint32_t agent_live(const struct agent *agent, const struct pool *pool,
		    const struct pool_backend *backend)
{
	uint32_t id = agent_backend_id(pool, backend);

	return id == NO_NUMBER ? 0 : sweeper_live(agent->sweeper, id);
}

int agent_config_parse(const char *text, size_t length, const char *name,
		       struct config **ret_config, struct error *error)
{
	struct config *config;
	int err = config_parse(text, length, name, &config, error);

	if (err)
		return err;
	/* Whatever is wrong with a file that the config names: the config is wrong. */
	if (config_load_lists(config, file_read, error)) {
		config_free(config);
		return -EINVAL;
	}
	*ret_config = config;
	return 0;
}

int agent_config_read(const char *path, struct config **ret_config, struct error *error)
{
	size_t length;
	char *text;
	int err = file_read(path, CONFIG_MAX, &text, &length, error);

	if (err)
		return err;
	err = agent_config_parse(text, length, path, ret_config, error);
	free(text);
	return err;
}

bool agent_retired_any(const struct state *state)
{
	if (state->retired_count)
		return true;
	for (size_t i = 0; i < state->pool_count; i++) {
		const struct pool *pool = state->pools[i];

		if (memchr(pool->numbers, NUMBER_RETIRED, pool->backend_capacity))
			return true;
	}
	return false;
}

static bool plan_retires(const struct plan *plan)
{
	for (size_t i = 0; i < plan->step_count; i++) {
		if (plan->steps[i].kind == PLAN_BACKEND_CLEAR ||
		    plan->steps[i].kind == PLAN_SERVICE_CLEAR)
			return true;
	}
	return false;
}

int agent_execute(struct agent *agent, const struct plan *plan, struct plan_outcome *ret_outcome,
		  struct error *error)
{
	int err = nexthop_prepare(agent->nexthops, plan, AGENT_NEXTHOP_WAIT_MS);

	if (err)
		return error_set(error, err, "next hops: %s", strerror(-err));
	err = dataplane_execute(agent->dataplane, plan, ret_outcome, error);
	if (!err)
		nexthop_finish(agent->nexthops, plan);
	return err;
}

/* A plan was carried out in part: take the part back, and write that down. */
static void change_undo(struct agent *agent, const struct desired *draft, const struct error *why)
{
	struct change_cause cause = cause_make(CAUSE_AGENT, "taken back: %s", why->text);
	struct error error = {""};
	struct guard_changes changes = {0};
	struct plan_outcome outcome;
	struct plan *back = NULL;
	int err = plan_make(draft->state, agent->desired->state, &back);

	if (!err)
		err = guard_begin(agent, draft, agent->desired, &changes, &error);
	if (!err)
		err = agent_execute(agent, back, &outcome, &error);
	guard_end(agent, draft, agent->desired, &changes);
	if (err)
		log_error("a failed change could not be taken back whole: %s; restart sluiced",
			  *error.text ? error.text : strerror(-err));
	plan_free(back);
	err = journal_undo(agent->journal, &cause, agent->desired, draft, &error);
	if (err)
		log_error("%s", error.text);
}

/* Takes the draft over if it succeeds. */
static int change_carry_out(struct agent *agent, const struct change_cause *cause,
			    struct desired *draft, struct agent_outcome *ret_outcome,
			    struct error *error)
{
	struct guard_changes changes = {0};
	struct plan_outcome outcome = {0};
	struct plan *plan;
	bool retires;
	int err = plan_make(agent->desired->state, draft->state, &plan);

	if (err)
		return error_set(error, err, "plan: %s", strerror(-err));
	err = journal_change(agent->journal, cause, agent->desired, draft, error);
	if (err)
		goto out;
	err = guard_begin(agent, agent->desired, draft, &changes, error);
	if (!err)
		err = agent_execute(agent, plan, &outcome, error);
	if (err) {
		guard_changes_clear(&changes);
		change_undo(agent, draft, error);
		goto out;
	}
	guard_end(agent, agent->desired, draft, &changes);
	if (ret_outcome)
		*ret_outcome = (struct agent_outcome){plan->step_count, outcome.slots_moved};
	retires = plan_retires(plan);
	plan_free(plan); /* it points into the old state */
	desired_free(agent->desired);
	agent->desired = draft;
	health_follow(agent->health);
	if (retires)
		sweeper_purge(agent->sweeper);
	return 0;

out:
	plan_free(plan);
	return err;
}

int agent_change(struct agent *agent, const struct change_cause *cause, agent_edit_fn edit,
		 void *context, struct agent_outcome *ret_outcome, struct error *error)
{
	struct desired *draft = desired_clone(agent->desired);
	char who[CAUSE_WHO_MAX];
	int err;

	if (!draft)
		return error_set(error, -ENOMEM, "change: out of memory");
	err = edit(draft, context, error);
	if (!err)
		err = desired_settle(draft, agent->desired, error);
	if (!err)
		err = change_carry_out(agent, cause, draft, ret_outcome, error);
	if (err)
		desired_free(draft);
	else
		log_info("changed by %s: %s", cause_who(cause, who), cause->why);
	journal_tidy(agent->journal, agent->desired);
	return err;
}

void agent_event(struct agent *agent, enum cause_kind kind, const char *event, const char *service,
		 const char *format, ...)
{
	struct change_cause cause = {.kind = kind};
	va_list arguments;

	va_start(arguments, format);
	text_format(cause.why, sizeof(cause.why), format, arguments);
	va_end(arguments);
	if (agent->journal)
		journal_event(agent->journal, event, &cause, service);
}

static int purge_edit(struct desired *draft, void *context, struct error *error)
{
	int err = state_purged(draft->state);

	(void)context;
	return err ? error_set(error, err, "out of memory") : 0;
}

void agent_purged(void *data)
{
	struct change_cause cause = cause_make(
		CAUSE_AGENT, "purge: the flows of what was removed have left the flow table");
	struct agent *agent = data;
	struct error error;

	if (agent_retired_any(agent->desired->state) &&
	    agent_change(agent, &cause, purge_edit, NULL, NULL, &error))
		log_error("purge: %s", error.text);
}

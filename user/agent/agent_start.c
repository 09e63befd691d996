// SPDX-License-Identifier: GPL-2.0-only
/* The agent's start, stop and whole-config changes: what happens in which order. */
#include "agent/agent_start.h"
#include "agent/drains.h"

#include <errno.h>
#include <grp.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/api.h"
#include "agent/api_http.h"
#include "agent/child.h"
#include "agent/fragment.h"
#include "agent/guard.h"
#include "agent/health.h"
#include "agent/journal.h"
#include "agent/metrics.h"
#include "agent/scaler.h"
#include "base/log.h"
#include "model/plan.h"

#define INTERFACES_MAX 256u

static int interfaces_check(const struct config *config, struct error *error)
{
	for (size_t i = 0; i < config->interface_count; i++) {
		if (!if_nametoindex(config->interfaces[i].name))
			return error_set(error, -ENODEV,
					 "interface %s: no such interface; `ip link` lists them",
					 config->interfaces[i].name);
	}
	return 0;
}

static bool limits_equal(const struct limits_config *a, const struct limits_config *b)
{
	return a->services == b->services && a->backends == b->backends && a->slots == b->slots &&
	       a->flows == b->flows;
}

static bool icmp_equal(const struct icmp_config *a, const struct icmp_config *b)
{
	return a->echo == b->echo && a->echo_rate == b->echo_rate && a->error_rate == b->error_rate;
}

static bool tunnel_equal(const struct tunnel_config *a, const struct tunnel_config *b)
{
	return a->gue_port == b->gue_port &&
	       !memcmp(&a->source_prefix4, &b->source_prefix4, sizeof(a->source_prefix4)) &&
	       !memcmp(&a->source_prefix6, &b->source_prefix6, sizeof(a->source_prefix6));
}

/* What was wanted before; *ret_found is NULL if there is nothing that can be used. */
static int journal_load(struct agent *agent, const struct desired **ret_found, struct error *error)
{
	const struct config *config = agent->config;
	const struct desired *found;
	uint64_t instance;
	bool fits;
	int err = journal_open(agent->loop, config->state_dir, &agent->journal, error);

	*ret_found = NULL;
	if (err)
		return err;
	found = journal_found(agent->journal, &instance);
	fits = found && instance == dataplane_meta(agent->dataplane)->instance;
	/* Maps that hold no service yet fit any journal. */
	if (!fits && !dataplane_empty(agent->dataplane))
		return error_set(error, -EINVAL,
				 "journal in %s: %s, but the maps in %s are in use; give the "
				 "right agent.state_dir, or start anew with `sluiced --cleanup` "
				 "(forwarding stops)",
				 config->state_dir, found ? "it is of other maps" : "there is none",
				 config->pin_dir);
	*ret_found = found;
	return 0;
}

/* What is to be: what was wanted before, made to follow the config. */
static int desired_load(struct agent *agent, const struct desired **ret_found, struct error *error)
{
	const struct desired *found;
	struct desired *desired;
	int err = journal_load(agent, &found, error);

	if (err)
		return err;
	desired = found ? desired_clone(found) : desired_new(&agent->config->limits);
	if (!desired)
		err = error_set(error, -ENOMEM, "state: out of memory");
	if (!err && !limits_equal(&desired->state->limits, &agent->config->limits))
		err = state_limits_change(desired->state, &agent->config->limits, error);
	if (!err)
		err = state_apply(desired->state, agent->config, error);
	if (!err)
		err = state_health_started(desired->state, found ? found->state : NULL);
	if (!err)
		err = guard_apply(desired->guard, agent->config, error);
	if (!err && found)
		err = desired_settle(desired, found, error);
	if (err)
		desired_free(desired);
	else
		agent->desired = desired;
	*ret_found = found;
	return err;
}

/* Written down as what is wanted from now on. Other limits begin a new journal. */
static int desired_keep(struct agent *agent, const struct desired *found, struct error *error)
{
	struct change_cause cause =
		cause_make(CAUSE_CONFIG, "start with %s",
			   agent->config_path ? agent->config_path : "a config");
	bool goes_on = found && limits_equal(&found->state->limits, &agent->desired->state->limits);

	return journal_begin(agent->journal, dataplane_meta(agent->dataplane)->instance, &cause,
			     agent->desired, goes_on, error);
}

/* Writes all of it, which changes nothing where it is there already; removes what is not wanted. */
static int desired_assert(struct agent *agent, struct error *error)
{
	struct state *empty = state_new(&agent->config->limits);
	struct guard_changes changes = {0};
	struct plan_outcome outcome;
	struct plan *plan = NULL;
	int err = empty ? plan_make(empty, agent->desired->state, &plan) : -ENOMEM;

	if (err)
		error_set(error, err, "plan: %s", strerror(-err));
	if (!err)
		err = guard_begin_adopted(agent, agent->desired, &changes, error);
	if (!err)
		err = agent_execute(agent, plan, &outcome, error);
	plan_free(plan);
	state_free(empty);
	if (!err)
		err = dataplane_prune(agent->dataplane, agent->desired->state, error);
	if (err)
		guard_changes_clear(&changes);
	else
		guard_end_adopted(agent, &changes);
	return err;
}

static void noticed(void *data, const char *event, const char *text)
{
	struct agent *agent = data;
	struct change_cause cause = {.kind = CAUSE_AGENT};

	if (agent->acting)
		cause = *agent->acting;
	snprintf(cause.why, sizeof(cause.why), "%s", text);
	journal_event(agent->journal, event, &cause, NULL);
}

/* From now on there is a journal to hold it. */
static void notices_start(struct agent *agent)
{
	const struct notice notice = {noticed, agent};

	dataplane_notice(agent->dataplane, &notice);
	nexthop_notice(agent->nexthops, &notice);
	agent_event(agent, CAUSE_AGENT, "start", NULL, "sluiced " SLUICE_VERSION ", pid %d, %s",
		    (int)getpid(),
		    dataplane_adopted(agent->dataplane) ? "the maps adopted" : "new maps");
}

/*
 * The kernel is to hold what is wanted. Where maps give way to new ones the journal follows these:
 * what is in it leads from the maps before to these ones, however often the start is cut off.
 */
static int desired_begin(struct agent *agent, struct error *error)
{
	bool migrates = dataplane_migrates(agent->dataplane);
	const struct desired *found;
	int err = desired_load(agent, &found, error);

	if (!err && migrates)
		err = dataplane_carry(agent->dataplane, found ? found->state : NULL,
				      agent->desired->state, error);
	else if (!err)
		err = desired_keep(agent, found, error);
	if (!err && !migrates)
		notices_start(agent);
	if (!err)
		err = desired_assert(agent, error);
	if (!err && migrates) {
		err = dataplane_commit(agent->dataplane, error);
		if (!err)
			err = desired_keep(agent, found, error);
		if (!err)
			notices_start(agent);
	}
	return err;
}

static int interfaces_attach(struct agent *agent, struct error *error)
{
	for (size_t i = 0; i < agent->config->interface_count; i++) {
		const struct interface_config *interface = &agent->config->interfaces[i];
		int err = dataplane_attach(agent->dataplane, interface->name, interface->mode, NULL,
					   error);

		if (err)
			return err;
	}
	return 0;
}

static void event_told(void *data)
{
	struct agent *agent = data;

	http_streams_wake(agent->api);
}

/* Whose members may use the socket. */
static int socket_group(const struct config *config, gid_t *ret_group, struct error *error)
{
	const struct group *group =
		getgrnam(config->socket_group ? config->socket_group : "sluice");

	if (!group && config->socket_group)
		return error_set(error, -ENOENT,
				 "agent.socket_group %s: there is no such group; make it: groupadd "
				 "--system %s",
				 config->socket_group, config->socket_group);
	*ret_group = group ? group->gr_gid : 0;
	return 0;
}

static int servers_start(struct agent *agent, struct error *error)
{
	gid_t group = 0;
	int err = socket_group(agent->config, &group, error);

	if (!err)
		err = http_server_new_unix(agent->loop, agent->config->socket, group, api_handle,
					   agent, &agent->api, error);
	if (!err && *agent->config->metrics)
		err = http_server_new_tcp(agent->loop, agent->config->metrics, metrics_handle,
					  agent, &agent->metrics, error);
	if (!err)
		journal_watch(agent->journal, event_told, agent);
	return err;
}

static void runner_ended(void *context)
{
	struct agent *agent = context;

	agent->runner_gone(agent);
}

static int parts_start(struct agent *agent, struct error *error)
{
	int err = nexthop_start(agent->loop, agent->dataplane, &agent->nexthops, error);

	if (err)
		return err;
	err = desired_begin(agent, error);
	if (err)
		return err;
	err = sweeper_start(agent->loop, agent->dataplane, agent_purged, agent, &agent->sweeper,
			    error);
	if (err)
		return err;
	if (agent_retired_any(agent->desired->state))
		sweeper_purge(agent->sweeper);
	err = fragments_start(agent->loop, agent->dataplane, &agent->fragments, error);
	if (err)
		return err;
	err = interfaces_attach(agent, error);
	if (err)
		return err;
	doctor_watch(agent);
	err = servers_start(agent, error);
	if (err)
		return err;
	err = children_new(agent->loop, agent->runner.fd, runner_ended, agent, &agent->children,
			   error);
	if (err)
		return err;
	err = health_start(agent, &agent->health, error);
	if (err)
		return err;
	err = scaler_start(agent, &agent->scaler, error);
	if (err)
		return err;
	return drains_start(agent, &agent->drains, error);
}

/* Stops what reads and writes the maps. */
static void parts_stop(struct agent *agent)
{
	if (agent->sweeper)
		sweeper_stop(agent->sweeper);
	if (agent->nexthops)
		nexthop_stop(agent->nexthops);
	fragments_stop(agent->fragments);
	agent->sweeper = NULL;
	agent->nexthops = NULL;
	agent->fragments = NULL;
}

int agent_start(struct agent *agent, uv_loop_t *loop, const char *config_path,
		struct config *config, struct error *error)
{
	int err;

	agent->loop = loop;
	agent->config = config;
	agent->config_path = config_path ? strdup(config_path) : NULL;
	agent->started_ms = clock_monotonic_ms();
	err = interfaces_check(config, error);
	if (err)
		return err;
	if (http_socket_answers(config->socket))
		return error_set(error, -EADDRINUSE,
				 "socket %s: another agent answers on it; stop it first",
				 config->socket);
	err = dataplane_open(config, &agent->dataplane, error);
	if (err)
		return err;
	err = parts_start(agent, error);
	if (err && !dataplane_adopted(agent->dataplane)) {
		/* New maps of a start that failed would only stand in the way of the next one. */
		parts_stop(agent);
		dataplane_close(agent->dataplane);
		agent->dataplane = NULL;
		dataplane_cleanup(config->pin_dir, NULL);
	}
	return err;
}

void agent_stop(struct agent *agent)
{
	http_server_free(agent->api);
	http_server_free(agent->metrics);
	agent->api = agent->metrics = NULL;
	scaler_stop(agent->scaler);
	drains_stop(agent->drains);
	agent->drains = NULL;
	health_stop(agent->health);
	agent->health = NULL;
	children_stop(agent->children);
	agent->children = NULL;
	parts_stop(agent);
	journal_stop(agent->journal);
}

void agent_free(struct agent *agent)
{
	scaler_free(agent->scaler);
	dataplane_close(agent->dataplane);
	journal_free(agent->journal);
	desired_free(agent->desired);
	config_free(agent->config);
	free(agent->config_path);
	doctor_clear(&agent->doctor);
	*agent = (struct agent){0};
}

/* ------------------------------------------------------------------ a whole config */

static int fixed_refuse(const char *field, const char *remedy, struct error *error)
{
	return error_set(error, -EBUSY, "%s: cannot change while the agent runs; %s", field,
			 remedy);
}

static bool texts_equal(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool lists_equal(char *const *a, char *const *b)
{
	size_t i = 0;

	if (!a || !b)
		return a == b;
	while (a[i] && texts_equal(a[i], b[i]))
		i++;
	return texts_equal(a[i], b[i]);
}

static int fixed_check(const struct config *old, const struct config *new, struct error *error)
{
	static const char restart[] = "restart sluiced with the new config";
	static const char cleanup[] = "stop sluiced, run `sluiced --cleanup` and start it again "
				      "(forwarding stops)";

	if (strcmp(old->pin_dir, new->pin_dir))
		return fixed_refuse("agent.pin_dir", cleanup, error);
	if (old->seed != new->seed)
		return fixed_refuse("agent.seed", cleanup, error);
	if (!limits_equal(&old->limits, &new->limits))
		return fixed_refuse("limits", restart, error);
	if (strcmp(old->socket, new->socket))
		return fixed_refuse("agent.socket", restart, error);
	if (strcmp(old->state_dir, new->state_dir))
		return fixed_refuse("agent.state_dir", restart, error);
	if (!texts_equal(old->socket_group, new->socket_group))
		return fixed_refuse("agent.socket_group", restart, error);
	if (old->sandbox != new->sandbox)
		return fixed_refuse("agent.sandbox", restart, error);
	if (!lists_equal(old->executables, new->executables))
		return fixed_refuse("agent.executables", restart, error);
	if (strcmp(old->metrics, new->metrics))
		return fixed_refuse("agent.metrics", restart, error);
	if (strcmp(old->owner, new->owner))
		return fixed_refuse("agent.owner", restart, error);
	if (memcmp(&old->timeouts, &new->timeouts, sizeof(old->timeouts)))
		return fixed_refuse("timeouts", restart, error);
	if (!icmp_equal(&old->icmp, &new->icmp))
		return fixed_refuse("icmp", restart, error);
	if (!tunnel_equal(&old->tunnel, &new->tunnel))
		return fixed_refuse("tunnel", restart, error);
	return 0;
}

static bool interface_listed(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->interface_count; i++) {
		if (!strcmp(config->interfaces[i].name, name))
			return true;
	}
	return false;
}

/* Detaches what from lists and kept does not. */
static void interfaces_detach(struct agent *agent, const struct config *from,
			      const struct config *kept)
{
	for (size_t i = 0; i < from->interface_count; i++) {
		const char *name = from->interfaces[i].name;
		struct error error;
		int err;

		if (interface_listed(kept, name))
			continue;
		err = dataplane_detach(agent->dataplane, name, &error);
		if (err && err != -ENOENT)
			log_error("%s", error.text);
	}
}

/* Takes back what interfaces_attach added to what was attached before. */
static void interfaces_restore(struct agent *agent, const struct dataplane_interface *before,
			       size_t count)
{
	for (size_t i = 0; i < agent->config->interface_count; i++) {
		const char *name = agent->config->interfaces[i].name;
		size_t j = 0;

		while (j < count && strcmp(before[j].name, name))
			j++;
		if (j == count)
			dataplane_detach(agent->dataplane, name, NULL);
	}
}

int agent_apply_edit(struct desired *draft, void *context, struct error *error)
{
	int err = state_apply(draft->state, context, error);

	return err ? err : guard_apply(draft->guard, context, error);
}

int agent_apply_check(const struct agent *agent, const struct config *config, struct error *error)
{
	int err = fixed_check(agent->config, config, error);

	return err ? err : interfaces_check(config, error);
}

int agent_apply(struct agent *agent, const struct change_cause *cause, struct config *config,
		struct agent_outcome *ret_outcome, struct error *error)
{
	struct dataplane_interface before[INTERFACES_MAX];
	struct config *old = agent->config;
	size_t count;
	int err = agent_apply_check(agent, config, error);

	if (err)
		goto out;
	count = dataplane_interfaces(agent->dataplane, before, INTERFACES_MAX);
	if (count > INTERFACES_MAX)
		count = INTERFACES_MAX;
	agent->config = config;
	agent->acting = cause;
	err = interfaces_attach(agent, error);
	if (!err)
		err = agent_change(agent, cause, agent_apply_edit, config, ret_outcome, error);
	if (err) {
		interfaces_restore(agent, before, count);
		agent->acting = NULL;
		agent->config = old;
		goto out;
	}
	interfaces_detach(agent, old, config);
	agent->acting = NULL;
	config_free(old);
	return 0;

out:
	config_free(config);
	return err;
}

int agent_reload(struct agent *agent, struct agent_outcome *ret_outcome, struct error *error)
{
	struct change_cause cause =
		cause_make(CAUSE_CONFIG, "reload %s (SIGHUP)", agent->config_path);
	struct config *config;
	int err = agent_config_read(agent->config_path, &config, error);

	if (!err)
		err = agent_apply(agent, &cause, config, ret_outcome, error);
	if (err)
		agent_event(agent, CAUSE_CONFIG, "reload_failed", NULL, "%s", error->text);
	return err;
}

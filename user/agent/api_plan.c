// SPDX-License-Identifier: GPL-2.0-only
/* What a config would do if it were applied: planned like it, and then thrown away. */
#include <errno.h>
#include <string.h>

#include "agent/agent_start.h"
#include "agent/api_call.h"
#include "model/impact.h"

#define INTERFACES_MAX 256u

/* What the impact's source is asked with. */
struct foreseer {
	const struct agent *agent;
	struct error *error;
};

static int slots_foresee(void *data, const struct pool *pool, uint32_t *ret_moved)
{
	const struct foreseer *foreseer = data;

	return dataplane_table_foresee(foreseer->agent->dataplane, pool, ret_moved,
				       foreseer->error);
}

static uint32_t live_flows(void *data, const struct pool *pool, const struct pool_backend *backend)
{
	const struct foreseer *foreseer = data;

	return agent_live(foreseer->agent, pool, backend);
}

static int impact_of(const struct agent *agent, const struct desired *draft, json_t **ret_impact,
		     struct error *error)
{
	struct foreseer foreseer = {agent, error};
	struct impact_source source = {slots_foresee, live_flows, &foreseer};
	struct impact_change change = {
		.old_state = agent->desired->state,
		.new_state = draft->state,
		.old_guard = agent->desired->guard,
		.new_guard = draft->guard,
	};
	struct plan *plan = NULL;
	int err = plan_make(change.old_state, change.new_state, &plan);

	change.plan = plan;
	if (!err)
		err = impact_make(&change, &source, ret_impact);
	plan_free(plan);
	if (err && !*error->text)
		error_set(error, err, "plan: %s", strerror(-err));
	return err;
}

static bool config_lists(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->interface_count; i++) {
		if (!strcmp(config->interfaces[i].name, name))
			return true;
	}
	return false;
}

static bool is_attached(const struct dataplane_interface *now, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(now[i].name, name))
			return true;
	}
	return false;
}

/* One that was attached by a person, in neither config, stays. */
static json_t *interfaces_of(const struct agent *agent, const struct config *config)
{
	struct dataplane_interface now[INTERFACES_MAX];
	size_t count = dataplane_interfaces(agent->dataplane, now, INTERFACES_MAX);
	json_t *list = json_array();

	count = count > INTERFACES_MAX ? INTERFACES_MAX : count;
	for (size_t i = 0; i < config->interface_count; i++) {
		const struct interface_config *one = &config->interfaces[i];

		if (!is_attached(now, count, one->name))
			json_array_append_new(list, json_pack("{ss,ss,ss}", "name", one->name,
							      "action", "attach", "mode",
							      attach_mode_names[one->mode]));
	}
	for (size_t i = 0; i < count; i++) {
		if (config_lists(agent->config, now[i].name) && !config_lists(config, now[i].name))
			json_array_append_new(list, json_pack("{ss,ss}", "name", now[i].name,
							      "action", "detach"));
	}
	return list;
}

static int plan_answer(struct api_call *call, struct config *config, struct error *error)
{
	const struct agent *agent = call->agent;
	struct desired *draft = NULL;
	json_t *impact = NULL;
	int err = agent_apply_check(agent, config, error);

	if (err)
		return err;
	draft = desired_clone(agent->desired);
	err = draft ? agent_apply_edit(draft, config, error)
		    : error_set(error, -ENOMEM, "plan: out of memory");
	if (!err)
		err = desired_settle(draft, agent->desired, error);
	if (!err)
		err = impact_of(agent, draft, &impact, error);
	desired_free(draft);
	if (err)
		return err;
	json_object_set_new(impact, "interfaces", interfaces_of(agent, config));
	call->answer = impact;
	return 0;
}

int api_plan_post(struct api_call *call, struct error *error)
{
	const char *name = http_query(call->request, "name");
	struct config *config;
	int err = agent_config_parse(call->request->body, call->request->body_length,
				     name && *name ? name : "config", &config, error);

	if (err)
		return err;
	*error->text = '\0';
	err = plan_answer(call, config, error);
	config_free(config);
	return err;
}

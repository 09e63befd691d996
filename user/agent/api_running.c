// SPDX-License-Identifier: GPL-2.0-only
/* What is running, as a config, and beside one: GET /v1/config and /v1/diff. */
#include <errno.h>
#include <string.h>

#include "agent/api_call.h"
#include "model/drift.h"

#define INTERFACES_MAX 256u

/* The names are those of the second array; both are the caller's. */
static struct running running_of(const struct agent *agent, struct running_interface *interfaces,
				 struct dataplane_interface *attached)
{
	size_t count = dataplane_interfaces(agent->dataplane, attached, INTERFACES_MAX);

	count = count > INTERFACES_MAX ? INTERFACES_MAX : count;
	for (size_t i = 0; i < count; i++)
		interfaces[i] = (struct running_interface){attached[i].name, attached[i].mode};
	return (struct running){
		.config = agent->config,
		.state = agent->desired->state,
		.guard = agent->desired->guard,
		.interfaces = interfaces,
		.interface_count = count,
	};
}

int api_config_get(struct api_call *call, struct error *error)
{
	struct running_interface interfaces[INTERFACES_MAX];
	struct dataplane_interface attached[INTERFACES_MAX];
	struct running running = running_of(call->agent, interfaces, attached);

	call->answer = running_to_json(&running);
	return call->answer ? 0 : error_set(error, -ENOMEM, "config: out of memory");
}

static int diff_answer(struct api_call *call, const struct config *config, struct error *error)
{
	struct running_interface interfaces[INTERFACES_MAX];
	struct dataplane_interface attached[INTERFACES_MAX];
	struct running running = running_of(call->agent, interfaces, attached);

	return drift_make(&running, config, &call->answer, error);
}

int api_diff_get(struct api_call *call, struct error *error)
{
	return diff_answer(call, call->agent->config, error);
}

int api_diff_post(struct api_call *call, struct error *error)
{
	const char *name = http_query(call->request, "name");
	struct config *config;
	int err = agent_config_parse(call->request->body, call->request->body_length,
				     name && *name ? name : "config", &config, error);

	if (err)
		return err;
	err = diff_answer(call, config, error);
	config_free(config);
	return err;
}

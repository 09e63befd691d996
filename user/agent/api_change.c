// SPDX-License-Identifier: GPL-2.0-only
/* The requests that change something: each reads its body and goes through agent_change(). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api_call.h"
#include "agent/view.h"

/* What an edit is given; each uses what it needs. */
struct change {
	const char *service, *backend;
	const struct service_config *service_config;
	const struct backend_config *backend_config;
	const json_t *body;
	uint64_t deadline_ms;
	uint32_t weight;
	bool paused, maint;
};

static struct change change_of(const struct api_call *call)
{
	return (struct change){
		.service = call->names[0], .backend = call->names[1], .body = call->body};
}

/* fields: NULL-terminated. */
static int fields_check(const json_t *body, const char *const *fields, struct error *error)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)body, key, value)
	{
		const char *const *field = fields;

		while (*field && strcmp(*field, key))
			field++;
		if (!*field)
			return error_set(error, -EINVAL,
					 "request body: unknown field \"%s\"; see docs/API.md",
					 key);
	}
	return 0;
}

static int answer_service(struct api_call *call, const char *name)
{
	const struct pool *pool = state_pool(call->agent->desired->state, name);

	call->answer = pool ? view_service(call->agent, pool) : json_object();
	return 0;
}

static int answer_backend(struct api_call *call, const char *name)
{
	const struct pool *pool = state_pool(call->agent->desired->state, call->names[0]);
	const struct pool_backend *backend = pool ? pool_backend(pool, name) : NULL;

	call->answer = backend ? view_backend(call->agent, pool, backend) : json_object();
	return 0;
}

/* ------------------------------------------------------------------ config, services */

int api_config_post(struct api_call *call, struct error *error)
{
	const char *name = http_query(call->request, "name");
	struct change_cause cause = api_cause(call, "apply %s", name && *name ? name : "a config");
	struct agent_outcome outcome = {0};
	struct config *config;
	int err = agent_config_parse(call->request->body, call->request->body_length,
				     name && *name ? name : "config", &config, error);

	if (!err)
		err = agent_apply(call->agent, &cause, config, &outcome, error);
	if (!err)
		call->answer = json_pack("{sI,sI}", "steps", (json_int_t)outcome.steps,
					 "slots_moved", (json_int_t)outcome.slots_moved);
	return err;
}

static int edit_service_add(struct desired *draft, void *context, struct error *error)
{
	const struct change *change = context;

	return state_service_add(draft->state, change->service_config, ORIGIN_RUNTIME, error);
}

int api_service_post(struct api_call *call, struct error *error)
{
	struct change change = change_of(call);
	struct service_config *config;
	struct change_cause cause;
	int err = service_config_from_json(call->body, &config, error);

	if (err)
		return err;
	cause = api_cause(call, "add service %s", config->name);
	change.service_config = config;
	err = agent_change(call->agent, &cause, edit_service_add, &change, NULL, error);
	if (!err) {
		call->status = 201;
		answer_service(call, config->name);
	}
	service_config_free(config);
	return err;
}

static int edit_service_remove(struct desired *draft, void *context, struct error *error)
{
	const struct change *change = context;

	return state_service_remove(draft->state, change->service, error);
}

int api_service_delete(struct api_call *call, struct error *error)
{
	struct change_cause cause = api_cause(call, "remove service %s", call->names[0]);
	struct change change = change_of(call);
	int err = agent_change(call->agent, &cause, edit_service_remove, &change, NULL, error);

	return err ? err : answer_service(call, call->names[0]);
}

/* ------------------------------------------------------------------ backends */

static int edit_backend_add(struct desired *draft, void *context, struct error *error)
{
	const struct change *change = context;

	return state_backend_add(draft->state, change->service, change->backend_config,
				 ORIGIN_RUNTIME, error);
}

int api_backend_post(struct api_call *call, struct error *error)
{
	struct change change = change_of(call);
	struct backend_config config;
	struct change_cause cause;
	int err = backend_config_from_json(call->body, &config, error);

	if (err)
		return err;
	cause = api_cause(call, "add backend %s to %s", config.name, call->names[0]);
	change.backend_config = &config;
	err = agent_change(call->agent, &cause, edit_backend_add, &change, NULL, error);
	if (!err) {
		call->status = 201;
		answer_backend(call, config.name);
	}
	backend_config_clear(&config);
	return err;
}

/* One that a provisioner made stays listed until the provisioner has deleted it. */
static int edit_backend_remove(struct desired *draft, void *context, struct error *error)
{
	const struct change *change = context;
	const struct pool *pool = state_pool(draft->state, change->service);
	const struct pool_backend *backend = pool ? pool_backend(pool, change->backend) : NULL;

	if (backend && backend->origin == ORIGIN_AUTOSCALE)
		return state_backend_deleting(draft->state, change->service, change->backend,
					      error);
	return state_backend_remove(draft->state, change->service, change->backend, error);
}

int api_backend_delete(struct api_call *call, struct error *error)
{
	struct change_cause cause =
		api_cause(call, "remove backend %s of %s", call->names[1], call->names[0]);
	struct change change = change_of(call);
	int err = agent_change(call->agent, &cause, edit_backend_remove, &change, NULL, error);

	return err ? err : answer_backend(call, call->names[1]);
}

static int edit_drain(struct desired *draft, void *context, struct error *error)
{
	const struct change *change = context;

	return state_backend_drain(draft->state, change->service, change->backend,
				   change->deadline_ms, error);
}

static int edit_undrain(struct desired *draft, void *context, struct error *error)
{
	const struct change *change = context;

	return state_backend_undrain(draft->state, change->service, change->backend, error);
}

/* Runs an edit that only the backend's state can forbid: that is no wrong request. */
static int backend_change(struct api_call *call, const struct change_cause *cause,
			  agent_edit_fn edit, struct change *change, struct error *error)
{
	int err = agent_change(call->agent, cause, edit, change, NULL, error);

	if (err == -EINVAL)
		return -EBUSY;
	return err ? err : answer_backend(call, call->names[1]);
}

int api_drain_post(struct api_call *call, struct error *error)
{
	static const char *const fields[] = {"deadline_s", NULL};
	const json_t *deadline = json_object_get(call->body, "deadline_s");
	struct change change = change_of(call);
	const struct pool_backend *backend;
	struct change_cause cause;
	const struct pool *pool;
	double deadline_s;
	int err = fields_check(call->body, fields, error);

	if (!err)
		err = api_backend(call, &pool, &backend, error);
	if (err)
		return err;
	deadline_s =
		deadline ? json_number_value(deadline) : (double)pool->service->drain_ms / 1000;
	if ((deadline && !json_is_number(deadline)) || !(deadline_s >= 0 && deadline_s <= 1e9))
		return error_set(error, -EINVAL,
				 "deadline_s: not a number of seconds; give 0 for no deadline");
	if (deadline_s > 0)
		change.deadline_ms = clock_wall_ms() + (uint64_t)(deadline_s * 1000);
	cause = deadline_s > 0 ? api_cause(call, "drain %s of %s, deadline %g s", call->names[1],
					   call->names[0], deadline_s)
			       : api_cause(call, "drain %s of %s, no deadline", call->names[1],
					   call->names[0]);
	return backend_change(call, &cause, edit_drain, &change, error);
}

static int edit_maint(struct desired *draft, void *context, struct error *error)
{
	const struct change *change = context;

	return state_backend_maint(draft->state, change->service, change->backend, change->maint,
				   error);
}

static int maint_set(struct api_call *call, bool maint, struct error *error)
{
	struct change_cause cause = api_cause(call, "%s %s of %s", maint ? "maint" : "ready",
					      call->names[1], call->names[0]);
	struct change change = change_of(call);

	change.maint = maint;
	return backend_change(call, &cause, edit_maint, &change, error);
}

int api_maint_post(struct api_call *call, struct error *error)
{
	return maint_set(call, true, error);
}

int api_ready_post(struct api_call *call, struct error *error)
{
	return maint_set(call, false, error);
}

int api_undrain_post(struct api_call *call, struct error *error)
{
	struct change_cause cause =
		api_cause(call, "undrain %s of %s", call->names[1], call->names[0]);
	struct change change = change_of(call);

	return backend_change(call, &cause, edit_undrain, &change, error);
}

static int edit_weight(struct desired *draft, void *context, struct error *error)
{
	const struct change *change = context;

	return state_backend_weight(draft->state, change->service, change->backend, change->weight,
				    error);
}

int api_weight_put(struct api_call *call, struct error *error)
{
	static const char *const fields[] = {"weight", NULL};
	const json_t *weight = json_object_get(call->body, "weight");
	struct change change = change_of(call);
	struct change_cause cause;
	int err = fields_check(call->body, fields, error);

	if (err)
		return err;
	if (!json_is_integer(weight) || json_integer_value(weight) < 0 ||
	    json_integer_value(weight) > SLUICE_WEIGHT_MAX)
		return error_set(error, -EINVAL,
				 "weight: not within 0..%u; 0 gives the backend no new flows",
				 SLUICE_WEIGHT_MAX);
	change.weight = (uint32_t)json_integer_value(weight);
	cause = api_cause(call, "weight of %s of %s: %u", call->names[1], call->names[0],
			  change.weight);
	err = agent_change(call->agent, &cause, edit_weight, &change, NULL, error);
	return err ? err : answer_backend(call, call->names[1]);
}

/* ------------------------------------------------------------------ scaling */

static int scale_find(struct desired *draft, const char *service,
		      struct autoscale_config **ret_scale, struct pool **ret_pool,
		      struct error *error)
{
	int err = state_pool_edit(draft->state, service, ret_pool, error);

	if (err)
		return err;
	*ret_scale = pool_service_edit(*ret_pool)->autoscale;
	if (!*ret_scale)
		return error_set(error, -ENOENT,
				 "service %s: does not scale; give it `autoscale` in the config",
				 service);
	return 0;
}

static int count_read(const json_t *body, const char *field, uint32_t max, uint32_t *count,
		      struct error *error)
{
	const json_t *value = json_object_get(body, field);

	if (!value)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > max)
		return error_set(error, -EINVAL,
				 "%s: not within 0..%u (the service's backends_max)", field, max);
	*count = (uint32_t)json_integer_value(value);
	return 0;
}

static int edit_scale(struct desired *draft, void *context, struct error *error)
{
	const struct change *change = context;
	const json_t *target = json_object_get(change->body, "target");
	struct autoscale_config *scale;
	struct pool *pool;
	int err = scale_find(draft, change->service, &scale, &pool, error);

	if (!err)
		err = count_read(change->body, "min", pool->service->backends_max, &scale->min,
				 error);
	if (!err)
		err = count_read(change->body, "max", pool->service->backends_max, &scale->max,
				 error);
	if (err)
		return err;
	if (scale->max < 1 || scale->min > scale->max)
		return error_set(error, -EINVAL,
				 "service %s: min %u and max %u; min must not be above max, nor "
				 "max below 1",
				 change->service, scale->min, scale->max);
	if (!target)
		return 0;
	if (!json_is_number(target) ||
	    !(json_number_value(target) > 0 && json_number_value(target) < 1e15))
		return error_set(error, -EINVAL, "target: not a number above 0");
	scale->target = json_number_value(target);
	return 0;
}

static int edit_pause(struct desired *draft, void *context, struct error *error)
{
	const struct change *change = context;
	struct autoscale_config *scale;
	struct pool *pool;
	int err = scale_find(draft, change->service, &scale, &pool, error);

	if (!err)
		scale->paused = change->paused;
	return err;
}

static int scale_change(struct api_call *call, const struct change_cause *cause, agent_edit_fn edit,
			struct change *change, struct error *error)
{
	const struct pool *pool;
	int err = agent_change(call->agent, cause, edit, change, NULL, error);

	if (!err)
		err = api_pool(call, &pool, error);
	if (!err)
		call->answer = view_scale(call->agent, pool);
	return err;
}

/* "scale of web: {"min": 2, "max": 5}" */
static struct change_cause scale_cause(const struct api_call *call)
{
	char *body = json_dumps(call->body, JSON_ENCODE_ANY);
	struct change_cause cause =
		api_cause(call, "scale of %s: %s", call->names[0], body ? body : "");

	free(body);
	return cause;
}

int api_scale_patch(struct api_call *call, struct error *error)
{
	static const char *const fields[] = {"min", "max", "target", NULL};
	struct change_cause cause = scale_cause(call);
	struct change change = change_of(call);
	int err = fields_check(call->body, fields, error);

	return err ? err : scale_change(call, &cause, edit_scale, &change, error);
}

int api_pause_post(struct api_call *call, struct error *error)
{
	struct change_cause cause = api_cause(call, "pause the scaling of %s", call->names[0]);
	struct change change = change_of(call);

	change.paused = true;
	return scale_change(call, &cause, edit_pause, &change, error);
}

int api_resume_post(struct api_call *call, struct error *error)
{
	struct change_cause cause = api_cause(call, "resume the scaling of %s", call->names[0]);
	struct change change = change_of(call);

	return scale_change(call, &cause, edit_pause, &change, error);
}

/* ------------------------------------------------------------------ interfaces */

static int mode_read(const json_t *body, enum attach_mode *ret_mode, struct error *error)
{
	const json_t *value = json_object_get(body, "mode");

	*ret_mode = ATTACH_AUTO;
	if (!value)
		return 0;
	for (int mode = 0; attach_mode_names[mode]; mode++) {
		if (json_is_string(value) &&
		    !strcmp(attach_mode_names[mode], json_string_value(value))) {
			*ret_mode = (enum attach_mode)mode;
			return 0;
		}
	}
	return error_set(error, -EINVAL, "mode: not one of auto, native, generic");
}

static int attach(struct api_call *call, enum attach_mode mode, struct error *error)
{
	struct change_cause cause = api_cause(call, "attach");
	int err;

	call->agent->acting = &cause;
	err = dataplane_attach(call->agent->dataplane, call->names[0], mode, NULL, error);
	call->agent->acting = NULL;
	return err;
}

int api_interface_put(struct api_call *call, struct error *error)
{
	static const char *const fields[] = {"mode", NULL};
	struct dataplane_interface interfaces[256];
	enum attach_mode mode;
	size_t count;
	int err = fields_check(call->body, fields, error);

	if (!err)
		err = mode_read(call->body, &mode, error);
	if (!err)
		err = attach(call, mode, error);
	if (err)
		return err;
	count = dataplane_interfaces(call->agent->dataplane, interfaces, 256);
	for (size_t i = 0; i < count && i < 256; i++) {
		if (!strcmp(interfaces[i].name, call->names[0]))
			call->answer = view_interface(&interfaces[i]);
	}
	return 0;
}

int api_interface_delete(struct api_call *call, struct error *error)
{
	struct change_cause cause = api_cause(call, "detach");
	int err;

	call->agent->acting = &cause;
	err = dataplane_detach(call->agent->dataplane, call->names[0], error);
	call->agent->acting = NULL;
	if (!err)
		call->answer = json_object();
	return err;
}

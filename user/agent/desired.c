// SPDX-License-Identifier: GPL-2.0-only
/* What the agent wants: the data plane's state, and orphans beside it. */
#include "agent/desired.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void orphan_clear(struct orphan *orphan)
{
	free(orphan->name);
	provider_put(orphan->provider);
}

struct desired *desired_new(const struct limits_config *limits)
{
	struct desired *desired = calloc(1, sizeof(*desired));

	if (!desired)
		return NULL;
	desired->state = state_new(limits);
	desired->guard = guard_new();
	if (!desired->state || !desired->guard) {
		desired_free(desired);
		return NULL;
	}
	return desired;
}

void desired_free(struct desired *desired)
{
	if (!desired)
		return;
	for (size_t i = 0; i < desired->orphan_count; i++)
		orphan_clear(&desired->orphans[i]);
	free(desired->orphans);
	guard_free(desired->guard);
	state_free(desired->state);
	free(desired);
}

int desired_orphan_add(struct desired *desired, const char *name, struct provider *provider,
		       uint64_t call_timeout_ms)
{
	struct orphan orphan = {
		.name = strdup(name),
		.provider = provider_hold(provider),
		.call_timeout_ms = call_timeout_ms,
	};
	struct orphan *orphans =
		realloc(desired->orphans, (desired->orphan_count + 1) * sizeof(*orphans));

	if (orphans)
		desired->orphans = orphans;
	if (!orphans || !orphan.name || !orphan.provider) {
		orphan_clear(&orphan);
		return -ENOMEM;
	}
	orphans[desired->orphan_count++] = orphan;
	return 0;
}

void desired_orphan_remove(struct desired *desired, const char *name)
{
	for (size_t i = 0; i < desired->orphan_count; i++) {
		if (strcmp(desired->orphans[i].name, name))
			continue;
		orphan_clear(&desired->orphans[i]);
		desired->orphans[i] = desired->orphans[--desired->orphan_count];
		return;
	}
}

struct desired *desired_clone(const struct desired *desired)
{
	struct desired *clone = calloc(1, sizeof(*clone));

	if (!clone)
		return NULL;
	clone->state = state_clone(desired->state);
	clone->guard = guard_clone(desired->guard);
	if (!clone->state || !clone->guard)
		goto failed;
	for (size_t i = 0; i < desired->orphan_count; i++) {
		const struct orphan *from = &desired->orphans[i];

		if (desired_orphan_add(clone, from->name, from->provider, from->call_timeout_ms))
			goto failed;
	}
	return clone;

failed:
	desired_free(clone);
	return NULL;
}

/* One that an earlier version intended has no provider of its own: it is the config's. */
static int backend_orphan(struct desired *desired, const struct pool_backend *backend,
			  const struct autoscale_config *config)
{
	struct provider *provider =
		backend->provider ? provider_hold(backend->provider)
				  : provider_new(config->provisioner, NULL, config->options, 0);
	int err = provider ? desired_orphan_add(desired, backend->name, provider,
						config->call_timeout_ms)
			   : -ENOMEM;

	provider_put(provider);
	return err;
}

/* The created backends of one pool of the old state whose scaling has gone. */
static int pool_orphans(struct desired *desired, const struct pool *old_pool)
{
	const char *service = old_pool->service->name;
	const struct pool *pool = state_pool(desired->state, service);

	if (!old_pool->service->autoscale || (pool && pool->service->autoscale))
		return 0;
	for (size_t i = 0; i < old_pool->backend_count; i++) {
		const struct pool_backend *backend = &old_pool->backends[i];
		int err;

		if (backend->origin != ORIGIN_AUTOSCALE)
			continue;
		err = backend_orphan(desired, backend, old_pool->service->autoscale);
		if (!err && pool && pool_backend(pool, backend->name))
			err = state_backend_remove(desired->state, service, backend->name, NULL);
		if (err)
			return err;
	}
	return 0;
}

int desired_settle(struct desired *desired, const struct desired *old, struct error *error)
{
	guard_prune(desired->guard, desired->state);
	for (size_t i = 0; i < old->state->pool_count; i++) {
		int err = pool_orphans(desired, old->state->pools[i]);

		if (err)
			return error_set(error, err, "service %s: its created backends: %s",
					 old->state->pools[i]->service->name, strerror(-err));
	}
	return 0;
}

json_t *desired_orphans_to_json(const struct desired *desired)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < desired->orphan_count; i++) {
		const struct orphan *orphan = &desired->orphans[i];
		json_t *object = provider_to_json(orphan->provider);

		if (!object || json_object_set_new(object, "name", json_string(orphan->name)) ||
		    json_object_set_new(object, "call_timeout_ms",
					json_integer((json_int_t)orphan->call_timeout_ms)) ||
		    json_array_append(list, object)) {
			json_decref(object);
			json_decref(list);
			return NULL;
		}
		json_decref(object);
	}
	return list;
}

json_t *desired_to_json(const struct desired *desired)
{
	json_t *state = state_to_json(desired->state);
	json_t *orphans = desired_orphans_to_json(desired);
	json_t *guard = guard_to_json(desired->guard);

	if (!state || !guard || !orphans) {
		json_decref(state);
		json_decref(guard);
		json_decref(orphans);
		return NULL;
	}
	return json_pack("{sososo}", "state", state, "guard", guard, "orphans", orphans);
}

static int orphan_from_json(struct desired *desired, json_t *object)
{
	const char *name = json_string_value(json_object_get(object, "name"));
	json_int_t timeout_ms = json_integer_value(json_object_get(object, "call_timeout_ms"));
	struct provider *provider = provider_from_json(object);
	int err = -EINVAL;

	if (name && provider && timeout_ms > 0)
		err = desired_orphan_add(desired, name, provider, (uint64_t)timeout_ms);
	provider_put(provider);
	return err;
}

static int desired_read(struct desired *desired, const json_t *object, struct error *error)
{
	json_t *orphans = json_object_get(object, "orphans"), *item;
	size_t i;
	int err = state_from_json(json_object_get(object, "state"), &desired->state, error);

	if (!err)
		err = guard_from_json(json_object_get(object, "guard"), &desired->guard, error);
	if (err)
		return err;
	if (!json_is_array(orphans))
		return error_set(error, -EINVAL, "orphans: is absent or not a list");
	json_array_foreach(orphans, i, item)
	{
		err = orphan_from_json(desired, item);
		if (err)
			return error_set(error, err, "orphans[%zu]: %s", i, strerror(-err));
	}
	return 0;
}

int desired_from_json(const json_t *object, struct desired **ret_desired, struct error *error)
{
	struct desired *desired = calloc(1, sizeof(*desired));
	int err;

	if (!desired)
		return error_set(error, -ENOMEM, "saved state: out of memory");
	err = desired_read(desired, object, error);
	if (err) {
		desired_free(desired);
		return err;
	}
	*ret_desired = desired;
	return 0;
}

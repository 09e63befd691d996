// SPDX-License-Identifier: GPL-2.0-only
/* What changed in a state, pool by pool, and a state put together again from such changes. */
#include "model/state_delta.h"

#include <errno.h>

#include "model/guard_delta.h"

/* ------------------------------------------------------------------ made */

static const struct pool *pool_at(const struct state *state, size_t index)
{
	return state->pools[index];
}

/* Whether the pool is another in the old state: by its JSON, for that is what is kept of it. */
static int pool_differs(const struct state *old, const struct pool *pool, json_t **ret_json)
{
	const struct pool *before = old ? state_pool(old, pool->service->name) : NULL;
	json_t *json, *json_before = NULL;
	bool differs = true;

	*ret_json = NULL;
	if (before == pool)
		return 0;
	json = pool_to_json(pool);
	if (before)
		json_before = pool_to_json(before);
	if (!json || (before && !json_before)) {
		json_decref(json);
		json_decref(json_before);
		return -ENOMEM;
	}
	if (before)
		differs = !json_equal(json, json_before);
	json_decref(json_before);
	if (differs)
		*ret_json = json;
	else
		json_decref(json);
	return 0;
}

static int list_add(json_t *delta, const char *key, json_t *item)
{
	json_t *list = json_object_get(delta, key);

	if (!list) {
		list = json_array();
		if (json_object_set_new(delta, key, list)) {
			json_decref(item);
			return -ENOMEM;
		}
	}
	return json_array_append_new(list, item) ? -ENOMEM : 0;
}

static int head_delta(const struct state *old, const struct state *now, json_t *delta)
{
	json_t *head = state_head_to_json(now), *before = old ? state_head_to_json(old) : NULL;
	int code = head && (before || !old) ? 0 : -ENOMEM;

	if (!code && !json_equal(head, before))
		code = json_object_set(delta, "head", head) ? -ENOMEM : 0;
	json_decref(head);
	json_decref(before);
	return code;
}

int pool_delta(const struct pool *pool, json_t *delta)
{
	return list_add(delta, "pools", pool_to_json(pool));
}

int state_delta(const struct state *old, const struct state *now, json_t *delta)
{
	int code = head_delta(old, now, delta);

	for (size_t i = 0; !code && old && i < old->pool_count; i++) {
		const char *name = pool_at(old, i)->service->name;

		if (!state_pool(now, name))
			code = list_add(delta, "removed", json_string(name));
	}
	for (size_t i = 0; !code && i < now->pool_count; i++) {
		json_t *json;

		code = pool_differs(old, pool_at(now, i), &json);
		if (!code && json)
			code = list_add(delta, "pools", json);
	}
	return code;
}

/* ------------------------------------------------------------------ put together */

static int pools_apply(struct state_image *image, const json_t *delta, struct error *error)
{
	const json_t *removed = json_object_get(delta, "removed");
	const json_t *pools = json_object_get(delta, "pools");
	json_t *item;
	size_t i;

	if ((removed && !json_is_array(removed)) || (pools && !json_is_array(pools)))
		return error_set(error, -EINVAL, "pools, removed: not lists");
	json_array_foreach(removed, i, item)
	{
		if (!json_is_string(item) || json_object_del(image->pools, json_string_value(item)))
			return error_set(error, -EINVAL, "removed[%zu]: no service of a name", i);
	}
	json_array_foreach(pools, i, item)
	{
		const json_t *service = json_object_get(item, "service");
		const char *name = json_string_value(json_object_get(service, "name"));

		if (!name)
			return error_set(error, -EINVAL, "pools[%zu]: a service without a name", i);
		if (json_object_set(image->pools, name, item))
			return error_set(error, -ENOMEM, "out of memory");
	}
	return 0;
}

int state_image_apply(struct state_image *image, const json_t *delta, struct error *error)
{
	json_t *head = json_object_get(delta, "head");
	int code;

	if (!json_is_object(delta) || (head && !json_is_object(head)))
		return error_set(error, -EINVAL, "no delta");
	if (!image->pools)
		image->pools = json_object();
	if (!image->pools)
		return error_set(error, -ENOMEM, "out of memory");
	if (head) {
		json_decref(image->head);
		image->head = json_incref(head);
	}
	code = pools_apply(image, delta, error);
	return code ? code : guard_trail_add(&image->guard, json_object_get(delta, "guard"), error);
}

json_t *state_image_state(const struct state_image *image)
{
	json_t *state = image->head ? json_copy(image->head) : json_object();
	json_t *pools = json_array(), *pool;
	const char *name;

	json_object_foreach(image->pools, name, pool)
	{
		if (json_array_append(pools, pool))
			break;
	}
	if (!state || json_array_size(pools) != json_object_size(image->pools) ||
	    json_object_set_new(state, "pools", json_incref(pools))) {
		json_decref(state);
		state = NULL;
	}
	json_decref(pools);
	return state;
}

int state_image_guard(const struct state_image *image, json_t **ret_guard, struct error *error)
{
	return guard_trail_end(image->guard, ret_guard, error);
}

void state_image_clear(struct state_image *image)
{
	json_decref(image->head);
	json_decref(image->pools);
	guard_trail_free(image->guard);
	*image = (struct state_image){0};
}

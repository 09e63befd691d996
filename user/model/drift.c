// SPDX-License-Identifier: GPL-2.0-only
/* What is running and a config does not say: found by comparing both as JSON, name by name. */
#include "model/drift.h"

#include <errno.h>
#include <string.h>

#include "model/difference.h"
#include "model/impact.h"

/* Whose fields are compared; NULL where it is none of these. */
struct place {
	const char *interface, *service, *backend;
};

static int entry_append(json_t *list, const struct place *place, const char *field,
			const json_t *config, const json_t *running)
{
	return json_array_append_new(list, json_pack("{ss?,ss?,ss?,ss?,sO?,sO?}", "interface",
						     place->interface, "service", place->service,
						     "backend", place->backend, "field", field,
						     "config", config, "running", running))
		       ? -ENOMEM
		       : 0;
}

static int fields_append(json_t *list, const struct place *place, const char *path,
			 const json_t *config, const json_t *running)
{
	json_t *fields = json_array(), *one;
	int code = fields ? difference_add(fields, config, running, path) : -ENOMEM;
	size_t i;

	json_array_foreach(fields, i, one)
	{
		if (!code)
			code = entry_append(
				list, place, json_string_value(json_object_get(one, "field")),
				json_object_get(one, "from"), json_object_get(one, "to"));
	}
	json_decref(fields);
	return code;
}

static const json_t *named(const json_t *list, const char *name)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		const char *text = json_string_value(json_object_get(one, "name"));

		if (text && !strcmp(text, name))
			return one;
	}
	return NULL;
}

/* Compares one thing with its namesake. below: its list of things with names, or NULL. */
typedef int (*compare_fn)(json_t *list, const char *name, const struct place *outer,
			  const json_t *config, const json_t *running);

/* The things of both lists, those that only one has included. */
static int lists_compare(json_t *list, const struct place *outer, const json_t *config,
			 const json_t *running, compare_fn compare)
{
	const json_t *one;
	int code = 0;
	size_t i;

	json_array_foreach(running, i, one)
	{
		const char *name = json_string_value(json_object_get(one, "name"));

		if (!code)
			code = compare(list, name, outer, named(config, name), one);
	}
	json_array_foreach(config, i, one)
	{
		const char *name = json_string_value(json_object_get(one, "name"));

		if (!code && !named(running, name))
			code = compare(list, name, outer, one, NULL);
	}
	return code;
}

static int thing_compare(json_t *list, const struct place *place, const json_t *config,
			 const json_t *running)
{
	if (!config || !running)
		return entry_append(list, place, NULL, config, running);
	return fields_append(list, place, "", config, running);
}

static int interface_compare(json_t *list, const char *name, const struct place *outer,
			     const json_t *config, const json_t *running)
{
	struct place place = {.interface = name};

	(void)outer;
	return thing_compare(list, &place, config, running);
}

static int backend_compare(json_t *list, const char *name, const struct place *outer,
			   const json_t *config, const json_t *running)
{
	struct place place = {.service = outer->service, .backend = name};

	return thing_compare(list, &place, config, running);
}

/* Without its backends and its lists, which are compared by themselves. */
static json_t *service_own(const json_t *service)
{
	json_t *own = json_copy((json_t *)(uintptr_t)service);
	const json_t *limit = json_object_get(json_object_get(service, "guard"), "new_flow_limit");

	json_object_del(own, "backends");
	json_object_del(own, "guard");
	if (limit)
		json_object_set_new(own, "guard", json_pack("{sO}", "new_flow_limit", limit));
	return own;
}

static int service_compare(json_t *list, const char *name, const struct place *outer,
			   const json_t *config, const json_t *running)
{
	struct place place = {.service = name};
	json_t *own_config, *own_running;
	int code;

	(void)outer;
	if (!config || !running)
		return entry_append(list, &place, NULL, config, running);
	own_config = service_own(config);
	own_running = service_own(running);
	code = fields_append(list, &place, "", own_config, own_running);
	json_decref(own_config);
	json_decref(own_running);
	if (code)
		return code;
	return lists_compare(list, &place, json_object_get(config, "backends"),
			     json_object_get(running, "backends"), backend_compare);
}

static int sections_compare(json_t *list, const json_t *config, const json_t *running)
{
	static const char *const sections[] = {"agent", "limits", "timeouts", "icmp", "tunnel"};
	static const struct place nowhere;
	int code = 0;

	for (size_t i = 0; !code && i < sizeof(sections) / sizeof(sections[0]); i++)
		code = fields_append(list, &nowhere, sections[i],
				     json_object_get(config, sections[i]),
				     json_object_get(running, sections[i]));
	if (!code)
		code = lists_compare(list, &nowhere, json_object_get(config, "interfaces"),
				     json_object_get(running, "interfaces"), interface_compare);
	if (!code)
		code = lists_compare(list, &nowhere, json_object_get(config, "services"),
				     json_object_get(running, "services"), service_compare);
	return code;
}

static int guard_compare(const struct running *running, const struct config *config,
			 json_t **ret_list, struct error *error)
{
	struct guard *configured = guard_new();
	int code = configured ? guard_apply(configured, config, error) : -ENOMEM;

	*ret_list = code ? NULL : impact_guard(configured, running->guard);
	guard_free(configured);
	return code ? code : *ret_list ? 0 : -ENOMEM;
}

int drift_make(const struct running *running, const struct config *config, json_t **ret_drift,
	       struct error *error)
{
	json_t *from = config_to_json(config), *to = running_to_json(running);
	json_t *list = json_array(), *guard = NULL;
	int code = from && to && list ? sections_compare(list, from, to) : -ENOMEM;

	json_decref(from);
	json_decref(to);
	if (code)
		error_set(error, code, "diff: out of memory");
	else
		code = guard_compare(running, config, &guard, error);
	if (code) {
		json_decref(list);
		return code;
	}
	*ret_drift = json_pack("{so,so}", "differences", list, "guard", guard);
	return *ret_drift ? 0 : error_set(error, -ENOMEM, "diff: out of memory");
}

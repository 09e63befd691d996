// SPDX-License-Identifier: GPL-2.0-only
/* Services and backends as JSON objects of the API: the fields of the config, and its checks. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "model/config_check.h"

/* A field that is null is an absent one; the schema would take it for the text "null". */
static void nulls_remove(json_t *value)
{
	json_t *below;
	const char *key;
	size_t index;
	void *next;

	if (json_is_array(value)) {
		json_array_foreach(value, index, below) nulls_remove(below);
		return;
	}
	json_object_foreach_safe(value, next, key, below)
	{
		if (json_is_null(below))
			json_object_del(value, key);
		else
			nulls_remove(below);
	}
}

/* JSON text is YAML text: so the same reader, schema and checks serve both. */
static char *json_to_text(const json_t *object)
{
	json_t *copy = json_deep_copy(object);
	char *text;

	if (!copy)
		return NULL;
	nulls_remove(copy);
	text = json_dumps(copy, JSON_ENSURE_ASCII | JSON_INDENT(1));
	json_decref(copy);
	return text;
}

static int object_load(const json_t *object, const cyaml_schema_value_t *schema, char **ret_text,
		       struct source *source, void **ret_raw, struct error *error)
{
	char *text;

	if (!json_is_object(object))
		return error_set(error, -EINVAL, "body: is not a JSON object; send one");
	text = json_to_text(object);
	if (!text)
		return error_set(error, -ENOMEM, "out of memory");
	*ret_text = text;
	return source_load(source, text, strlen(text), NULL, schema, ret_raw, error);
}

int backend_config_from_json(const json_t *object, struct backend_config *ret_backend,
			     struct error *error)
{
	static const struct raw_backend absent;
	struct backend_config backend = {0};
	struct source source = {0};
	char *text = NULL;
	void *raw = NULL;
	int code = object_load(object, &backend_schema, &text, &source, &raw, error);

	if (!code) {
		struct check check = {.source = &source, .error = error};

		check_backend(&check, raw ? raw : &absent, &backend);
		code = check.code;
	}
	source_free_raw(&backend_schema, raw);
	source_close(&source);
	free(text);
	if (code)
		backend_config_clear(&backend);
	else
		*ret_backend = backend;
	return code;
}

/* Lists of prefixes may be long, and change at run time: they have requests of their own. */
static int lists_refuse(const struct service_config *service, struct error *error)
{
	if (!service->guard.count && !service->guard.deny_file && !service->guard.allow_file)
		return 0;
	return error_set(
		error, -EINVAL,
		"guard: lists of prefixes are for the config file; add the service without "
		"them, then PUT /v1/guard");
}

int service_config_from_json(const json_t *object, struct service_config **ret_service,
			     struct error *error)
{
	static const struct raw_service absent;
	struct service_config *service = calloc(1, sizeof(*service));
	struct source source = {0};
	char *text = NULL;
	void *raw = NULL;
	int code;

	if (!service)
		return error_set(error, -ENOMEM, "out of memory");
	code = object_load(object, &service_schema, &text, &source, &raw, error);
	if (!code) {
		struct check check = {.source = &source, .error = error};

		check_service(&check, raw ? raw : &absent, service);
		code = check.code ? check.code : lists_refuse(service, error);
	}
	source_free_raw(&service_schema, raw);
	source_close(&source);
	free(text);
	if (code)
		service_config_free(service);
	else
		*ret_service = service;
	return code;
}

static json_t *guard_to_json(const struct new_flow_limit *limit)
{
	if (!limit->rate)
		return json_null();
	return json_pack("{s:{s:I, s:I, s:I, s:I}}", "new_flow_limit", "rate",
			 (json_int_t)limit->rate, "burst", (json_int_t)limit->burst, "prefix4",
			 (json_int_t)limit->prefix4, "prefix6", (json_int_t)limit->prefix6);
}

static json_t *backends_to_json(const struct service_config *service)
{
	json_t *list = json_array();
	char address[IP_TEXT_MAX];

	for (size_t i = 0; list && i < service->backend_count; i++) {
		const struct backend_config *backend = &service->backends[i];
		json_t *object = json_pack("{s:s, s:s, s:i, s:b, s:b}", "name", backend->name,
					   "address", ip_format(&backend->address, address),
					   "weight", (int)backend->weight, "drain", backend->drain,
					   "maint", backend->maint);

		if (object && backend->port)
			json_object_set_new(object, "port", json_integer(backend->port));
		json_array_append_new(list, object);
	}
	return list;
}

static json_t *options_to_json(const json_t *options)
{
	json_t *list = json_array(), *value;
	const char *key;

	json_object_foreach((json_t *)(uintptr_t)options, key, value)
		json_array_append_new(list, json_sprintf("%s=%s", key, json_string_value(value)));
	return list;
}

static json_t *targets_to_json(const struct autoscale_config *scale)
{
	json_t *targets = json_object();

	for (int signal = 0; signal < SIGNALS; signal++) {
		if (scale->targets[signal] > 0)
			json_object_set_new(targets, scale_signal_names[signal],
					    json_real(scale->targets[signal]));
	}
	return targets;
}

static json_t *schedules_to_json(const struct autoscale_config *scale)
{
	json_t *list = json_array();

	for (size_t i = 0; i < scale->schedule_count; i++)
		json_array_append_new(list, json_string(scale->schedules[i].text));
	return list;
}

static json_t *autoscale_to_json(const struct autoscale_config *scale)
{
	if (!scale)
		return json_null();
	return json_pack(
		"{s:s, s:o, s:s, s:f, s:o, s:i, s:i, s:i, s:o, s:i, s:i, s:I, s:I, s:I, s:I, s:i, "
		"s:b, s:b, s:b, s:b, s:b}",
		"provisioner", scale->provisioner, "options", options_to_json(scale->options),
		"signal", scale_signal_names[scale->signal], "target", scale->target, "targets",
		targets_to_json(scale), "min", (int)scale->min, "max", (int)scale->max, "standby",
		(int)scale->standby, "schedule", schedules_to_json(scale), "step_down",
		(int)scale->step_down, "creating_max", (int)scale->creating_max, "hold_ms",
		(json_int_t)scale->hold_ms, "hold_max_ms", (json_int_t)scale->hold_max_ms,
		"drain_ms", (json_int_t)scale->drain_ms, "call_timeout_ms",
		(json_int_t)scale->call_timeout_ms, "unhealthy_max", (int)scale->unhealthy_max,
		"trend", scale->trend, "learn", scale->learn, "seasonal", scale->seasonal, "paused",
		scale->paused, "dry_run", scale->dry_run);
}

static json_t *warm_up_to_json(const struct service_config *service)
{
	if (!service->warm_up_ms)
		return json_null();
	return json_pack("{s:I, s:I}", "duration_ms", (json_int_t)service->warm_up_ms,
			 "initial_weight", (json_int_t)service->warm_up_first / 10);
}

static json_t *vlan_to_json(uint16_t vlan)
{
	if (vlan == VLAN_KEEP)
		return json_string("keep");
	return vlan == VLAN_NONE ? json_string("none") : json_integer(vlan);
}

json_t *service_config_to_json(const struct service_config *service)
{
	char vip[IP_TEXT_MAX];
	json_t *port = service->port ? json_integer(service->port) : json_string("any");

	return json_pack(
		"{s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:i, s:o, s:o, s:i, s:i, s:i, "
		"s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}",
		"name", service->name, "vip", ip_format(&service->vip, vip), "protocol",
		service->protocol == IPPROTO_UDP ? "udp" : "tcp", "port", port, "mode",
		forward_mode_names[service->mode], "tracking", tracking_names[service->tracking],
		"affinity", affinity_names[service->affinity], "scheduler",
		scheduler_names[service->scheduler], "empty", empty_answer_names[service->empty],
		"unknown_port", empty_answer_names[service->unknown_port], "quic", service->quic,
		"mss", service->mss, "vlan", vlan_to_json(service->vlan), "client_vlan",
		vlan_to_json(service->client_vlan), "quic_id_length", service->quic_id_length,
		"quic_id_offset", service->quic_id_offset, "quic_id_config",
		service->quic_id_config, "grace_ms", (json_int_t)service->grace_ms, "drain_ms",
		(json_int_t)service->drain_ms, "backends_max", (json_int_t)service->backends_max,
		"backends", backends_to_json(service), "autoscale",
		autoscale_to_json(service->autoscale), "guard",
		guard_to_json(&service->new_flow_limit), "health",
		health_config_to_json(service->health), "agent_check",
		agent_check_config_to_json(service->agent_check), "warm_up",
		warm_up_to_json(service));
}

bool service_config_equal(const struct service_config *a, const struct service_config *b)
{
	json_t *left = service_config_to_json(a), *right = service_config_to_json(b);
	bool equal = left && right && json_equal(left, right);

	json_decref(left);
	json_decref(right);
	return equal;
}

// SPDX-License-Identifier: GPL-2.0-only
/* A whole config as one JSON object: one that was read, or one that says what is running. */
#include "model/config_object.h"

#include <stdbool.h>
#include <string.h>

static json_t *integer(uint64_t number)
{
	return json_integer((json_int_t)number);
}

/* ------------------------------------------------------------------ the sections but services */

static json_t *agent_to_json(const struct config *config)
{
	json_t *executables = config->executables ? json_array() : NULL;

	for (size_t i = 0; config->executables && config->executables[i]; i++)
		json_array_append_new(executables, json_string(config->executables[i]));
	return json_pack("{ss,ss,ss*,ss,ss,sb,ss,so,sb,so*}", "pin_dir", config->pin_dir, "socket",
			 config->socket, "socket_group", config->socket_group, "state_dir",
			 config->state_dir, "metrics", config->metrics, "metrics_remote",
			 config->metrics_remote, "owner", config->owner, "seed",
			 integer(config->seed), "sandbox", config->sandbox, "executables",
			 executables);
}

static json_t *limits_to_json(const struct limits_config *limits)
{
	return json_pack("{so,so,so,so}", "services", integer(limits->services), "backends",
			 integer(limits->backends), "slots", integer(limits->slots), "flows",
			 integer(limits->flows));
}

static json_t *timeouts_to_json(const struct timeouts_config *timeouts)
{
	return json_pack("{so,so,so,so}", "closing_ms", integer(timeouts->closing_ms),
			 "probation_ms", integer(timeouts->probation_ms), "tcp_idle_ms",
			 integer(timeouts->tcp_idle_ms), "udp_idle_ms",
			 integer(timeouts->udp_idle_ms));
}

static json_t *icmp_to_json(const struct icmp_config *icmp)
{
	return json_pack("{ss,so,so}", "echo", echo_answer_names[icmp->echo], "echo_rate",
			 integer(icmp->echo_rate), "error_rate", integer(icmp->error_rate));
}

static void prefix_set(json_t *object, const char *key, const struct prefix *prefix)
{
	static const struct prefix absent;
	char text[PREFIX_TEXT_MAX];

	if (memcmp(prefix, &absent, sizeof(absent)) != 0)
		json_object_set_new(object, key, json_string(prefix_format(prefix, text)));
}

static json_t *tunnel_to_json(const struct tunnel_config *tunnel)
{
	json_t *object = json_pack("{so}", "gue_port", integer(tunnel->gue_port));

	prefix_set(object, "source_prefix4", &tunnel->source_prefix4);
	prefix_set(object, "source_prefix6", &tunnel->source_prefix6);
	return object;
}

static void interface_append(json_t *list, const char *name, enum attach_mode mode)
{
	json_array_append_new(list,
			      json_pack("{ss,ss}", "name", name, "mode", attach_mode_names[mode]));
}

/* ------------------------------------------------------------------ the guard */

static void rules_append(json_t *object, const struct guard_rule *rules, size_t count)
{
	json_t *lists[] = {[GUARD_DENY] = json_object_get(object, "deny"),
			   [GUARD_ALLOW] = json_object_get(object, "allow")};
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < count; i++) {
		if (rules[i].answer != GUARD_NONE)
			json_array_append_new(lists[rules[i].answer],
					      json_string(prefix_format(&rules[i].prefix, text)));
	}
}

static void files_set(json_t *object, const struct guard_lists *lists)
{
	if (lists->deny_file)
		json_object_set_new(object, "deny_file", json_string(lists->deny_file));
	if (lists->allow_file)
		json_object_set_new(object, "allow_file", json_string(lists->allow_file));
}

static json_t *lists_to_json(const struct guard_lists *lists)
{
	json_t *object = json_pack("{s[],s[]}", "deny", "allow");

	rules_append(object, lists->rules, lists->own_count);
	files_set(object, lists);
	return object;
}

/* Whether what was set at run time only adds prefixes: then the files can go on saying the rest. */
static bool only_adds(const struct guard_list *runtime)
{
	for (size_t i = 0; runtime && i < runtime->count; i++) {
		if (runtime->rules[i].configured != GUARD_NONE)
			return false;
	}
	return true;
}

/* lists: what the config has; NULL: nothing. */
static json_t *scope_to_json(const struct guard *guard, const char *service,
			     const struct guard_lists *lists)
{
	const struct guard_scope *scope = guard_scope_find(guard, service);
	json_t *object = json_pack("{s[],s[]}", "deny", "allow");

	if (!scope)
		return object;
	if (lists && (lists->deny_file || lists->allow_file) && only_adds(scope->runtime)) {
		rules_append(object, lists->rules, lists->own_count);
		if (scope->runtime)
			rules_append(object, scope->runtime->rules, scope->runtime->count);
		files_set(object, lists);
	} else if (scope->effective) {
		rules_append(object, scope->effective->rules, scope->effective->count);
	}
	return object;
}

/* The lists join the limit, which is there already, unless there is nothing of both. */
static void service_guard_join(json_t *service, json_t *lists)
{
	json_t *guard = json_object_get(service, "guard");

	if (!json_is_object(guard)) {
		json_object_set_new(service, "guard", json_object());
		guard = json_object_get(service, "guard");
	}
	json_object_update(guard, lists);
	json_decref(lists);
	if (!json_array_size(json_object_get(guard, "deny")))
		json_object_del(guard, "deny");
	if (!json_array_size(json_object_get(guard, "allow")))
		json_object_del(guard, "allow");
	if (!json_object_size(guard))
		json_object_del(service, "guard");
}

/* ------------------------------------------------------------------ services */

static json_t *service_bare(const struct service_config *service)
{
	static const char *const sections[] = {"autoscale", "health", "agent_check", "warm_up"};
	json_t *object = service_config_to_json(service);

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		if (json_is_null(json_object_get(object, sections[i])))
			json_object_del(object, sections[i]);
	}
	return object;
}

/* Whether it is one that a config would have. */
static bool is_configurable(const struct pool_backend *backend)
{
	return backend->origin != ORIGIN_AUTOSCALE &&
	       (backend_alive(backend) || backend->life == LIFE_DRAINED);
}

static json_t *backend_running(const struct pool_backend *backend)
{
	bool set = backend->weight_runtime != NO_WEIGHT;
	char address[IP_TEXT_MAX];
	json_t *object =
		json_pack("{ss,ss,so,sb,sb}", "name", backend->name, "address",
			  ip_format(&backend->address, address), "weight",
			  integer(set ? backend->weight_runtime : backend->weight), "drain",
			  backend->life != LIFE_ACTIVE && backend->life != LIFE_WARMING, "maint",
			  backend->maint);

	if (object && backend->port)
		json_object_set_new(object, "port", integer(backend->port));
	return object;
}

static json_t *pool_running(const struct pool *pool, const struct guard *guard,
			    const struct guard_lists *lists)
{
	json_t *object = service_bare(pool->service), *backends = json_array();

	for (size_t i = 0; i < pool->backend_count; i++) {
		if (is_configurable(&pool->backends[i]))
			json_array_append_new(backends, backend_running(&pool->backends[i]));
	}
	json_object_set_new(object, "backends", backends);
	service_guard_join(object, scope_to_json(guard, pool->service->name, lists));
	return object;
}

static const struct guard_lists *config_lists(const struct config *config, const char *service)
{
	for (size_t i = 0; i < config->service_count; i++) {
		if (!strcmp(config->services[i].name, service))
			return &config->services[i].guard;
	}
	return NULL;
}

/* ------------------------------------------------------------------ the whole */

static json_t *whole(const struct config *config, json_t *guard, json_t *interfaces,
		     json_t *services)
{
	return json_pack("{so,so,so,so,so,so,so,so}", "agent", agent_to_json(config), "limits",
			 limits_to_json(&config->limits), "timeouts",
			 timeouts_to_json(&config->timeouts), "icmp", icmp_to_json(&config->icmp),
			 "guard", guard, "tunnel", tunnel_to_json(&config->tunnel), "interfaces",
			 interfaces, "services", services);
}

json_t *config_to_json(const struct config *config)
{
	json_t *interfaces = json_array(), *services = json_array();

	for (size_t i = 0; i < config->interface_count; i++)
		interface_append(interfaces, config->interfaces[i].name,
				 config->interfaces[i].mode);
	for (size_t i = 0; i < config->service_count; i++) {
		json_t *service = service_bare(&config->services[i]);

		service_guard_join(service, lists_to_json(&config->services[i].guard));
		json_array_append_new(services, service);
	}
	return whole(config, lists_to_json(&config->guard), interfaces, services);
}

/* What the config says of an interface stays: "auto" is more than what came of it here. */
static enum attach_mode interface_mode(const struct config *config,
				       const struct running_interface *interface)
{
	for (size_t i = 0; i < config->interface_count; i++) {
		if (!strcmp(config->interfaces[i].name, interface->name))
			return config->interfaces[i].mode;
	}
	return interface->mode;
}

json_t *running_to_json(const struct running *running)
{
	const struct config *config = running->config;
	json_t *interfaces = json_array(), *services = json_array();

	for (size_t i = 0; i < running->interface_count; i++)
		interface_append(interfaces, running->interfaces[i].name,
				 interface_mode(config, &running->interfaces[i]));
	for (size_t i = 0; i < running->state->pool_count; i++) {
		const struct pool *pool = running->state->pools[i];

		json_array_append_new(services,
				      pool_running(pool, running->guard,
						   config_lists(config, pool->service->name)));
	}
	return whole(config, scope_to_json(running->guard, NULL, &config->guard), interfaces,
		     services);
}

// SPDX-License-Identifier: GPL-2.0-only
/* The guard as a value: its lists by service, changed by configs and by people. */
#include "model/guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void scope_clear(struct guard_scope *scope)
{
	free(scope->service);
	guard_list_drop(scope->configured);
	guard_list_drop(scope->runtime);
	guard_list_drop(scope->effective);
}

static bool same_service(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return !strcmp(a, b);
}

static struct guard_scope *scope_find(const struct guard *guard, const char *service)
{
	for (size_t i = 0; i < guard->scope_count; i++) {
		struct guard_scope *scope = &guard->scopes[i];

		if (same_service(scope->service, service))
			return scope;
	}
	return NULL;
}

/* Found, or made empty. NULL: no memory. */
static struct guard_scope *scope_make(struct guard *guard, const char *service)
{
	struct guard_scope *scope = scope_find(guard, service), *grown;

	if (scope)
		return scope;
	grown = reallocarray(guard->scopes, guard->scope_count + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	guard->scopes = grown;
	scope = &grown[guard->scope_count];
	*scope = (struct guard_scope){.service = service ? strdup(service) : NULL};
	if (service && !scope->service)
		return NULL;
	guard->scope_count++;
	return scope;
}

struct guard *guard_new(void)
{
	struct guard *guard = calloc(1, sizeof(*guard));

	if (guard && !scope_make(guard, NULL)) {
		free(guard);
		return NULL;
	}
	return guard;
}

void guard_free(struct guard *guard)
{
	if (!guard)
		return;
	for (size_t i = 0; i < guard->scope_count; i++)
		scope_clear(&guard->scopes[i]);
	free(guard->scopes);
	free(guard);
}

struct guard *guard_clone(const struct guard *guard)
{
	struct guard *clone = calloc(1, sizeof(*clone));

	for (size_t i = 0; clone && i < guard->scope_count; i++) {
		const struct guard_scope *from = &guard->scopes[i];
		struct guard_scope *scope = scope_make(clone, from->service);

		if (!scope) {
			guard_free(clone);
			return NULL;
		}
		scope->configured = guard_list_keep(from->configured);
		scope->runtime = guard_list_keep(from->runtime);
		scope->effective = guard_list_keep(from->effective);
	}
	return clone;
}

const struct guard_scope *guard_scope_find(const struct guard *guard, const char *service)
{
	return scope_find(guard, service);
}

static int no_memory(struct error *error)
{
	return error_set(error, -ENOMEM, "guard: out of memory");
}

static int size_check(const struct guard *guard, struct error *error)
{
	size_t count = 0;

	for (size_t i = 0; i < guard->scope_count; i++)
		count += guard->scopes[i].effective ? guard->scopes[i].effective->count : 0;
	if (count <= SLUICE_GUARD_PREFIXES_MAX)
		return 0;
	return error_set(error, -ENOSPC,
			 "guard: %zu prefixes in all lists, and there is room for %u; merge some "
			 "into shorter ones",
			 count, SLUICE_GUARD_PREFIXES_MAX);
}

/* The lists become the scope's own. */
static int scope_renew(struct guard_scope *scope, struct guard_list *configured,
		       struct guard_list *runtime, struct error *error)
{
	struct guard_list *effective;

	guard_list_drop(scope->configured);
	guard_list_drop(scope->runtime);
	scope->configured = configured;
	scope->runtime = runtime;
	if (guard_list_merge(configured, runtime, &effective))
		return no_memory(error);
	guard_list_drop(scope->effective);
	scope->effective = effective;
	return 0;
}

/* What is to be taken out must be there. */
static int rules_check(const struct guard_scope *scope, const struct guard_list *rules,
		       struct error *error)
{
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < rules->count; i++) {
		const struct guard_rule *rule = &rules->rules[i];

		if (rule->answer == GUARD_NONE && !guard_list_find(scope->effective, &rule->prefix))
			return error_set(error, -ENOENT,
					 "guard: %s is not in the list of %s%s; `sluice guard ls` "
					 "shows what is",
					 prefix_format(&rule->prefix, text),
					 scope->service ? "service " : "all services",
					 scope->service ? scope->service : "");
	}
	return 0;
}

int guard_set(struct guard *guard, const char *service, const struct guard_rule *rules,
	      size_t count, struct error *error)
{
	struct guard_scope *scope = scope_make(guard, service);
	struct guard_list *wanted = NULL, *runtime = NULL;
	int code;

	if (!scope)
		return no_memory(error);
	code = guard_list_new(rules, count, &wanted, error);
	if (code) {
		error_prefix(error, "guard: ");
		return code;
	}
	code = rules_check(scope, wanted, error);
	if (!code && guard_list_set(scope->configured, scope->runtime, wanted, &runtime))
		code = no_memory(error);
	guard_list_drop(wanted);
	if (!code)
		code = scope_renew(scope, guard_list_keep(scope->configured), runtime, error);
	return code ? code : size_check(guard, error);
}

static int scope_apply(struct guard *guard, const char *service, const struct guard_lists *lists,
		       struct error *error)
{
	struct guard_list *configured = NULL, *runtime = NULL;
	struct guard_scope *scope;
	int code;

	if (!lists->count && !scope_find(guard, service))
		return 0;
	scope = scope_make(guard, service);
	if (!scope)
		return no_memory(error);
	code = guard_list_new(lists->rules, lists->count, &configured, error);
	if (code) {
		error_prefix(error, "%s%s%sguard: ", service ? "service " : "",
			     service ? service : "", service ? ": " : "");
		return code;
	}
	if (guard_list_follow(configured, scope->runtime, &runtime)) {
		guard_list_drop(configured);
		return no_memory(error);
	}
	return scope_renew(scope, configured, runtime, error);
}

static const struct service_config *config_service(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->service_count; i++) {
		if (!strcmp(config->services[i].name, name))
			return &config->services[i];
	}
	return NULL;
}

int guard_apply(struct guard *guard, const struct config *config, struct error *error)
{
	static const struct guard_lists none;
	int code = scope_apply(guard, NULL, &config->guard, error);

	/* The scopes of services that the config does not have, or not any more. */
	for (size_t i = 0; !code && i < guard->scope_count; i++) {
		const char *service = guard->scopes[i].service;

		if (service && !config_service(config, service))
			code = scope_apply(guard, service, &none, error);
	}
	for (size_t i = 0; !code && i < config->service_count; i++)
		code = scope_apply(guard, config->services[i].name, &config->services[i].guard,
				   error);
	return code ? code : size_check(guard, error);
}

void guard_prune(struct guard *guard, const struct state *state)
{
	size_t kept = 0;

	for (size_t i = 0; i < guard->scope_count; i++) {
		struct guard_scope *scope = &guard->scopes[i];

		if (scope->service && !state_pool(state, scope->service))
			scope_clear(scope);
		else
			guard->scopes[kept++] = *scope;
	}
	guard->scope_count = kept;
}

struct guard_part *guard_parts(const struct guard *guard, const struct state *state,
			       size_t *ret_count)
{
	struct guard_part *parts = calloc(guard->scope_count + 1, sizeof(*parts));
	size_t count = 0;

	for (size_t i = 0; parts && i < guard->scope_count; i++) {
		const struct guard_scope *scope = &guard->scopes[i];
		const struct pool *pool = scope->service ? state_pool(state, scope->service) : NULL;

		if (scope->service && !pool)
			continue;
		parts[count++] = (struct guard_part){pool ? pool->id : GUARD_ALL, scope->effective};
	}
	*ret_count = count;
	return parts;
}

static bool scope_used(const struct guard_scope *scope)
{
	return scope && scope->effective && scope->effective->count;
}

uint8_t guard_bits(const struct guard *guard, const char *service)
{
	return (uint8_t)((scope_used(scope_find(guard, NULL)) ? GUARD_COMMON : 0) |
			 (scope_used(scope_find(guard, service)) ? GUARD_OWN : 0));
}

/* ------------------------------------------------------------------ the saved state */

json_t *guard_to_json(const struct guard *guard)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < guard->scope_count; i++) {
		const struct guard_scope *scope = &guard->scopes[i];

		if (!scope->runtime || !scope->runtime->count)
			continue;
		if (json_array_append_new(array,
					  json_pack("{ss?,ss}", "service", scope->service, "rules",
						    guard_list_text(scope->runtime)))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static int scope_read(struct guard *guard, const json_t *object, struct error *error)
{
	const char *service = json_string_value(json_object_get(object, "service"));
	const char *text = json_string_value(json_object_get(object, "rules"));
	struct guard_scope *scope = scope_make(guard, service);
	struct guard_list *runtime = NULL;
	int code;

	if (!scope)
		return no_memory(error);
	code = guard_list_parse(text ? text : "", &runtime, error);
	/* The configured rules are not saved: guard_apply brings them. */
	return code ? code : scope_renew(scope, NULL, runtime, error);
}

int guard_from_json(const json_t *array, struct guard **ret_guard, struct error *error)
{
	struct guard *guard = guard_new();
	const json_t *object;
	size_t i;
	int code = guard ? 0 : no_memory(error);

	json_array_foreach(array, i, object)
	{
		if (!code)
			code = scope_read(guard, object, error);
	}
	if (code)
		guard_free(guard);
	else
		*ret_guard = guard;
	return code;
}

/* ------------------------------------------------------------------ records of the maps */

void guard_prefix_key_fill(struct guard_prefix_key *key, uint32_t service,
			   const struct prefix *prefix)
{
	uint8_t family = ip_family(&prefix->address);

	*key = (struct guard_prefix_key){
		.bits = GUARD_SCOPE_BITS + prefix->length,
		.scope = guard_scope(service, family),
	};
	if (family == 4)
		key->address[0] = prefix->address.word[3];
	else
		memcpy(key->address, prefix->address.word, sizeof(key->address));
}

bool guard_prefix_key_read(const struct guard_prefix_key *key, uint32_t *ret_service,
			   struct prefix *ret_prefix)
{
	struct ip address = {{0}};
	bool v6 = key->scope & 1;

	if (key->bits < GUARD_SCOPE_BITS || key->bits > GUARD_SCOPE_BITS + (v6 ? 128u : 32u))
		return false;
	if (v6)
		memcpy(address.word, key->address, sizeof(address.word));
	else
		address = (struct ip){.word = {0, 0, htonl(0xffff), key->address[0]}};
	*ret_service = key->scope >> 1 ? (key->scope >> 1) - 1 : GUARD_ALL;
	*ret_prefix = (struct prefix){address, key->bits - GUARD_SCOPE_BITS};
	return true;
}

void guard_limit_fill(struct guard_limit *record, const struct new_flow_limit *limit)
{
	struct ip mask4, mask6;

	*record = (struct guard_limit){0};
	if (!limit->rate)
		return;
	prefix_mask(4, limit->prefix4, &mask4);
	prefix_mask(6, limit->prefix6, &mask6);
	record->interval_ns = 1000000000u / limit->rate;
	record->burst_ns = record->interval_ns * limit->burst;
	memcpy(record->masks[0], mask4.word, sizeof(record->masks[0]));
	memcpy(record->masks[1], mask6.word, sizeof(record->masks[1]));
}

// SPDX-License-Identifier: GPL-2.0-only
/* What is different between two states, told line by line. */
#include "model/change_words.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/json_text.h"

#define LINE_MAX_LENGTH 256

struct words {
	json_t *changes, *services;
	size_t count;
	bool failed; /* no memory */
};

static void line_add(struct words *words, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void line_add(struct words *words, const char *format, ...)
{
	char text[LINE_MAX_LENGTH];
	va_list arguments;

	if (words->count++ >= CHANGE_WORDS_MAX)
		return;
	va_start(arguments, format);
	text_format(text, sizeof(text), format, arguments);
	va_end(arguments);
	words->failed |= json_array_append_new(words->changes, json_text(text)) != 0;
}

static const char *value_text(const json_t *value, char *text, size_t size)
{
	char *dumped;

	if (!value || json_is_null(value))
		return "none";
	if (json_is_string(value))
		return json_string_value(value);
	dumped = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
	snprintf(text, size, "%s", dumped ? dumped : "?");
	free(dumped);
	return text;
}

/* One field of a service; of objects in it each field of theirs, but for options. */
static void field_words(struct words *words, const char *service, const char *above,
			const char *key, const json_t *old, const json_t *now)
{
	char text[LINE_MAX_LENGTH], other[LINE_MAX_LENGTH], path[128];

	if (json_equal(old, now))
		return;
	snprintf(path, sizeof(path), "%s%s", above, key);
	if (!strcmp(key, "options"))
		line_add(words, "service %s: %s changed", service, path);
	else if (json_is_object(now) && (!old || json_is_null(old)))
		line_add(words, "service %s: %s added", service, path);
	else if (json_is_object(old) && (!now || json_is_null(now)))
		line_add(words, "service %s: %s removed", service, path);
	else
		line_add(words, "service %s: %s %s -> %s", service, path,
			 value_text(old, text, sizeof(text)),
			 value_text(now, other, sizeof(other)));
}

static void object_words(struct words *words, const char *service, const char *above,
			 const json_t *old, const json_t *now)
{
	const char *key;
	json_t *value;
	char path[64];

	json_object_foreach((json_t *)(uintptr_t)now, key, value)
	{
		const json_t *before = json_object_get(old, key);

		if (json_is_object(value) && json_is_object(before) && !*above &&
		    strcmp(key, "options") != 0) {
			snprintf(path, sizeof(path), "%s.", key);
			object_words(words, service, path, before, value);
		} else {
			field_words(words, service, above, key, before, value);
		}
	}
	json_object_foreach((json_t *)(uintptr_t)old, key, value)
	{
		if (!json_object_get(now, key))
			field_words(words, service, above, key, value, NULL);
	}
}

static void service_words(struct words *words, const struct pool *old, const struct pool *now)
{
	json_t *before = service_config_to_json(old->service);
	json_t *after = service_config_to_json(now->service);

	words->failed |= !before || !after;
	json_object_del(before, "backends");
	json_object_del(after, "backends");
	object_words(words, now->service->name, "", before, after);
	json_decref(before);
	json_decref(after);
}

static const char *place_text(const struct pool_backend *backend, char text[IP_TEXT_MAX + 8])
{
	char address[IP_TEXT_MAX];

	ip_format(&backend->address, address);
	if (!backend->port)
		snprintf(text, IP_TEXT_MAX + 8, "%s", address);
	else
		snprintf(text, IP_TEXT_MAX + 8, ip_is_v4(&backend->address) ? "%s:%u" : "[%s]:%u",
			 address, backend->port);
	return text;
}

static void backend_words(struct words *words, const char *service, const struct pool_backend *old,
			  const struct pool_backend *now)
{
	char text[IP_TEXT_MAX + 8], other[IP_TEXT_MAX + 8];
	uint32_t weight = old->weight_runtime == NO_WEIGHT ? old->weight : old->weight_runtime;
	uint32_t weight_now = now->weight_runtime == NO_WEIGHT ? now->weight : now->weight_runtime;

	if (old->life != now->life)
		line_add(words, "backend %s of %s: %s -> %s%s%s", now->name, service,
			 lifecycle_names[old->life], lifecycle_names[now->life],
			 now->note ? ": " : "", now->note ? now->note : "");
	else if (old->deadline_ms != now->deadline_ms)
		line_add(words, "backend %s of %s: its drain has another deadline", now->name,
			 service);
	if (weight != weight_now)
		line_add(words, "backend %s of %s: weight %u -> %u", now->name, service, weight,
			 weight_now);
	if (old->port != now->port || !ip_equal(&old->address, &now->address))
		line_add(words, "backend %s of %s: %s -> %s", now->name, service,
			 place_text(old, text), place_text(now, other));
}

static void backends_words(struct words *words, const struct pool *old, const struct pool *now)
{
	const char *service = now->service->name;
	char text[IP_TEXT_MAX + 8];

	for (size_t i = 0; i < old->backend_count; i++) {
		if (!pool_backend(now, old->backends[i].name))
			line_add(words, "backend %s of %s: removed", old->backends[i].name,
				 service);
	}
	for (size_t i = 0; i < now->backend_count; i++) {
		const struct pool_backend *backend = &now->backends[i];
		const struct pool_backend *before = pool_backend(old, backend->name);

		if (before)
			backend_words(words, service, before, backend);
		else
			line_add(words, "backend %s of %s: added, %s, %s", backend->name, service,
				 place_text(backend, text), lifecycle_names[backend->life]);
	}
}

static void service_note(struct words *words, const char *service)
{
	words->failed |= json_array_append_new(words->services, json_string(service)) != 0;
}

static const struct pool *pool_at(const struct state *state, size_t index)
{
	return state->pools[index];
}

static void pool_words(struct words *words, const struct pool *old, const struct pool *now)
{
	size_t before = words->count;

	if (!old) {
		line_add(words, "service %s: added, %zu backends", now->service->name,
			 now->backend_count);
	} else {
		service_words(words, old, now);
		backends_words(words, old, now);
	}
	if (words->count != before)
		service_note(words, now->service->name);
}

static const struct guard_list *runtime_of(const struct guard *guard, const char *service)
{
	const struct guard_scope *scope = guard_scope_find(guard, service);

	return scope ? scope->runtime : NULL;
}

static void guard_words(struct words *words, const struct guard *old, const struct guard *now)
{
	for (size_t i = 0; i < now->scope_count; i++) {
		const char *service = now->scopes[i].service;
		const struct guard_list *before = runtime_of(old, service);
		const struct guard_list *after = now->scopes[i].runtime;

		if (before == after)
			continue;
		line_add(words, "guard%s%s: %zu prefixes set at run time -> %zu",
			 service ? " of " : "", service ? service : "", before ? before->count : 0,
			 after ? after->count : 0);
		if (service)
			service_note(words, service);
	}
}

int change_words(const struct state *old, const struct state *now, const struct guard *old_guard,
		 const struct guard *now_guard, json_t **ret_changes, json_t **ret_services)
{
	struct words words = {.changes = json_array(), .services = json_array()};

	words.failed = !words.changes || !words.services;
	for (size_t i = 0; i < old->pool_count; i++) {
		const char *name = pool_at(old, i)->service->name;

		if (state_pool(now, name))
			continue;
		line_add(&words, "service %s: removed", name);
		service_note(&words, name);
	}
	for (size_t i = 0; i < now->pool_count; i++) {
		const struct pool *pool = pool_at(now, i);
		const struct pool *before = state_pool(old, pool->service->name);

		if (before != pool)
			pool_words(&words, before, pool);
	}
	guard_words(&words, old_guard, now_guard);
	if (words.count > CHANGE_WORDS_MAX) {
		char text[64];

		snprintf(text, sizeof(text), "and %zu more", words.count - CHANGE_WORDS_MAX);
		words.failed |= json_array_append_new(words.changes, json_string(text)) != 0;
	}
	if (words.failed) {
		json_decref(words.changes);
		json_decref(words.services);
		return -ENOMEM;
	}
	*ret_changes = words.changes;
	*ret_services = words.services;
	return 0;
}

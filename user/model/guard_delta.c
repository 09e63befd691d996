// SPDX-License-Identifier: GPL-2.0-only
/* What changed in the guard's lists, and lists put together again from many such changes. */
#include "model/guard_delta.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/state_delta.h"

/* ------------------------------------------------------------------ made */

static const struct guard_list empty_list;

static bool rule_equal(const struct guard_rule *a, const struct guard_rule *b)
{
	return a->answer == b->answer && a->configured == b->configured;
}

/* Rules of one list that are not so in the other: in their order, at most all of them. */
static size_t rules_differing(const struct guard_list *list, const struct guard_list *other,
			      bool only_absent, struct guard_rule *ret_rules)
{
	size_t count = 0, at = 0;

	for (size_t i = 0; i < list->count; i++) {
		const struct guard_rule *rule = &list->rules[i];
		bool there;

		while (at < other->count &&
		       prefix_compare(&other->rules[at].prefix, &rule->prefix) < 0)
			at++;
		there = at < other->count &&
			!prefix_compare(&other->rules[at].prefix, &rule->prefix);
		if (!there || (!only_absent && !rule_equal(rule, &other->rules[at])))
			ret_rules[count++] = *rule;
	}
	return count;
}

/* {"service", "set", "unset"}: the texts of rules. */
static int entry_append(json_t *array, const char *service, const char *set, const char *unset)
{
	json_t *entry = json_pack("{ss?}", "service", service);

	if (entry && *set)
		json_object_set_new(entry, "set", json_string(set));
	if (entry && *unset)
		json_object_set_new(entry, "unset", json_string(unset));
	return json_array_append_new(array, entry) ? -ENOMEM : 0;
}

/* NULL: no memory. */
static char *rules_text(const struct guard_rule *rules, size_t count)
{
	struct guard_list *list = NULL;
	char *text = NULL;

	if (guard_list_new(rules, count, &list, NULL))
		return NULL;
	if (guard_list_text(list)) {
		text = list->text;
		list->text = NULL;
	}
	guard_list_drop(list);
	return text;
}

static int lists_delta(json_t *array, const char *service, const struct guard_list *old,
		       const struct guard_list *now)
{
	struct guard_rule *rules;
	char *set, *unset;
	int code = -ENOMEM;

	if (!old)
		old = &empty_list;
	if (!now)
		now = &empty_list;
	if (old == now)
		return 0;
	rules = calloc(old->count + now->count + 1, sizeof(*rules));
	if (!rules)
		return -ENOMEM;
	set = rules_text(rules, rules_differing(now, old, false, rules));
	unset = rules_text(rules, rules_differing(old, now, true, rules));
	if (set && unset)
		code = *set || *unset ? entry_append(array, service, set, unset) : 0;
	free(set);
	free(unset);
	free(rules);
	return code;
}

static const struct guard_list *runtime_of(const struct guard *guard, const char *service)
{
	const struct guard_scope *scope = guard ? guard_scope_find(guard, service) : NULL;

	return scope ? scope->runtime : NULL;
}

static int array_add(json_t *delta, json_t *array)
{
	if (!json_array_size(array)) {
		json_decref(array);
		return 0;
	}
	return json_object_set_new(delta, "guard", array) ? -ENOMEM : 0;
}

int guard_delta(const struct guard *old, const struct guard *now, json_t *delta)
{
	json_t *array = json_array();
	int code = array ? 0 : -ENOMEM;

	for (size_t i = 0; !code && i < now->scope_count; i++)
		code = lists_delta(array, now->scopes[i].service,
				   runtime_of(old, now->scopes[i].service), now->scopes[i].runtime);
	for (size_t i = 0; !code && old && i < old->scope_count; i++) {
		if (!guard_scope_find(now, old->scopes[i].service))
			code = lists_delta(array, old->scopes[i].service, old->scopes[i].runtime,
					   NULL);
	}
	if (!code)
		return array_add(delta, array);
	json_decref(array);
	return code;
}

int guard_rules_delta(const char *service, const struct guard_rule *rules, size_t count,
		      json_t *delta)
{
	char *text = rules_text(rules, count);
	json_t *array = json_array();
	int code = text && array ? entry_append(array, service, text, "") : -ENOMEM;

	free(text);
	if (!code)
		return array_add(delta, array);
	json_decref(array);
	return code;
}

/* ------------------------------------------------------------------ put together */

/* A rule in the order of its time. */
struct step {
	struct guard_rule rule;
	size_t order;
	bool unset;
};

struct list_trail {
	char *service; /* NULL: the list for all */
	struct step *steps;
	size_t count, room;
};

struct guard_trail {
	size_t count;
	struct list_trail lists[];
};

static bool same_service(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* Found, or made. NULL: no memory. */
static struct list_trail *list_trail_get(struct guard_trail **trail, const char *service)
{
	size_t count = *trail ? (*trail)->count : 0;
	struct guard_trail *grown;
	struct list_trail *list;

	for (size_t i = 0; i < count; i++) {
		if (same_service((*trail)->lists[i].service, service))
			return &(*trail)->lists[i];
	}
	grown = realloc(*trail, sizeof(*grown) + (count + 1) * sizeof(grown->lists[0]));
	if (!grown)
		return NULL;
	*trail = grown;
	grown->count = count;
	list = &grown->lists[count];
	*list = (struct list_trail){.service = service ? strdup(service) : NULL};
	if (service && !list->service)
		return NULL;
	grown->count++;
	return list;
}

static int steps_add(struct list_trail *trail, const struct guard_list *list, bool unset)
{
	if (trail->count + list->count > trail->room) {
		size_t room = (trail->count + list->count) * 2;
		struct step *steps = reallocarray(trail->steps, room, sizeof(*steps));

		if (!steps)
			return -ENOMEM;
		trail->steps = steps;
		trail->room = room;
	}
	for (size_t i = 0; i < list->count; i++, trail->count++)
		trail->steps[trail->count] = (struct step){list->rules[i], trail->count, unset};
	return 0;
}

static int text_add(struct list_trail *trail, const json_t *text, bool unset, struct error *error)
{
	struct guard_list *list = NULL;
	int code;

	if (!text)
		return 0;
	if (!json_is_string(text))
		return error_set(error, -EINVAL, "guard: rules that are no text");
	code = guard_list_parse(json_string_value(text), &list, error);
	if (!code && steps_add(trail, list, unset))
		code = error_set(error, -ENOMEM, "guard: out of memory");
	guard_list_drop(list);
	return code;
}

int guard_trail_add(struct guard_trail **trail, const json_t *array, struct error *error)
{
	const json_t *entry;
	size_t i;

	if (array && !json_is_array(array))
		return error_set(error, -EINVAL, "guard: not a list");
	json_array_foreach(array, i, entry)
	{
		const json_t *service = json_object_get(entry, "service");
		struct list_trail *list;
		int code;

		if (!json_is_string(service) && !json_is_null(service))
			return error_set(error, -EINVAL, "guard: a list without its service");
		list = list_trail_get(trail, json_string_value(service));
		if (!list)
			return error_set(error, -ENOMEM, "guard: out of memory");
		/* What went, before what was set: no prefix is in both. */
		code = text_add(list, json_object_get(entry, "unset"), true, error);
		if (!code)
			code = text_add(list, json_object_get(entry, "set"), false, error);
		if (code)
			return code;
	}
	return 0;
}

static int step_compare(const void *a, const void *b)
{
	const struct step *one = a, *other = b;
	int order = prefix_compare(&one->rule.prefix, &other->rule.prefix);

	return order ? order : (one->order > other->order) - (one->order < other->order);
}

/* The last word about each prefix. */
static int list_trail_end(struct list_trail *trail, json_t *array)
{
	struct guard_rule *rules = calloc(trail->count + 1, sizeof(*rules));
	size_t count = 0;
	char *text;
	int code;

	if (!rules)
		return -ENOMEM;
	if (trail->count)
		qsort(trail->steps, trail->count, sizeof(*trail->steps), step_compare);
	for (size_t i = 0; i < trail->count; i++) {
		const struct step *step = &trail->steps[i];
		bool last = i + 1 == trail->count ||
			    prefix_compare(&step->rule.prefix, &step[1].rule.prefix);

		if (last && !step->unset)
			rules[count++] = step->rule;
	}
	text = rules_text(rules, count);
	free(rules);
	if (!text)
		return -ENOMEM;
	code = count && json_array_append_new(array, json_pack("{ss?,ss}", "service",
							       trail->service, "rules", text))
		       ? -ENOMEM
		       : 0;
	free(text);
	return code;
}

int guard_trail_end(const struct guard_trail *trail, json_t **ret_guard, struct error *error)
{
	json_t *array = json_array();
	int code = array ? 0 : -ENOMEM;

	for (size_t i = 0; !code && trail && i < trail->count; i++)
		code = list_trail_end((struct list_trail *)(uintptr_t)&trail->lists[i], array);
	if (code) {
		json_decref(array);
		return error_set(error, code, "guard: out of memory");
	}
	*ret_guard = array;
	return 0;
}

void guard_trail_free(struct guard_trail *trail)
{
	for (size_t i = 0; trail && i < trail->count; i++) {
		free(trail->lists[i].service);
		free(trail->lists[i].steps);
	}
	free(trail);
}

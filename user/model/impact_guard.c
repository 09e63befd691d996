// SPDX-License-Identifier: GPL-2.0-only
/* What a change would do to the guard's lists: prefixes that come, go, or are answered otherwise. */
#include <string.h>

#include "model/impact.h"

/* So many prefixes of a list are named; all are counted. */
#define RULES_SHOWN 20u

static void rule_add(json_t *rules, const struct guard_rule *before, const struct guard_rule *after)
{
	char text[PREFIX_TEXT_MAX];

	if (json_array_size(rules) >= RULES_SHOWN)
		return;
	json_array_append_new(
		rules, json_pack("{ss,ss,ss}", "prefix",
				 prefix_format(before ? &before->prefix : &after->prefix, text),
				 "from", guard_answer_names[before ? before->answer : GUARD_NONE],
				 "to", guard_answer_names[after ? after->answer : GUARD_NONE]));
}

static size_t list_count(const struct guard_list *list)
{
	return list ? list->count : 0;
}

/* Both lists are in the order of their prefixes. NULL: nothing differs, or no memory. */
static json_t *lists_compare(const char *service, const struct guard_list *before,
			     const struct guard_list *after)
{
	size_t i = 0, n = 0;
	int added = 0, removed = 0, changed = 0;
	json_t *rules = json_array();

	while (i < list_count(before) || n < list_count(after)) {
		const struct guard_rule *old = i < list_count(before) ? &before->rules[i] : NULL;
		const struct guard_rule *new = n < list_count(after) ? &after->rules[n] : NULL;
		int order = !old ? 1 : !new ? -1 : prefix_compare(&old->prefix, &new->prefix);

		i += order <= 0;
		n += order >= 0;
		if (order < 0) {
			removed++;
			rule_add(rules, old, NULL);
		} else if (order > 0) {
			added++;
			rule_add(rules, NULL, new);
		} else if (old->answer != new->answer) {
			changed++;
			rule_add(rules, old, new);
		}
	}
	if (added + removed + changed)
		return json_pack("{ss?,si,si,si,so}", "service", service, "added", added, "removed",
				 removed, "changed", changed, "rules", rules);
	json_decref(rules);
	return NULL;
}

static const struct guard_list *list_of(const struct guard *guard, const char *service)
{
	const struct guard_scope *scope = guard_scope_find(guard, service);

	return scope ? scope->effective : NULL;
}

json_t *impact_guard(const struct guard *old_guard, const struct guard *new_guard)
{
	json_t *list = json_array(), *one;

	for (size_t i = 0; list && i < old_guard->scope_count; i++) {
		const struct guard_scope *scope = &old_guard->scopes[i];

		one = lists_compare(scope->service, scope->effective,
				    list_of(new_guard, scope->service));
		if (one)
			json_array_append_new(list, one);
	}
	for (size_t i = 0; list && i < new_guard->scope_count; i++) {
		const struct guard_scope *scope = &new_guard->scopes[i];

		if (guard_scope_find(old_guard, scope->service))
			continue;
		one = lists_compare(scope->service, NULL, scope->effective);
		if (one)
			json_array_append_new(list, one);
	}
	return list;
}

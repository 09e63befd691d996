// SPDX-License-Identifier: GPL-2.0-only
/* Lists of the guard: made, searched, merged, and turned into writes to the map. */
#include "model/guard_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const guard_answer_names[] = {"none", "deny", "allow", NULL};

static struct guard_list *list_alloc(size_t count)
{
	struct guard_list *list = malloc(sizeof(*list) + count * sizeof(list->rules[0]));

	if (list) {
		list->users = 1;
		list->text = NULL;
		list->count = 0;
	}
	return list;
}

static int rules_compare(const void *a, const void *b)
{
	return prefix_compare(&((const struct guard_rule *)a)->prefix,
			      &((const struct guard_rule *)b)->prefix);
}

int guard_list_new(const struct guard_rule *rules, size_t count, struct guard_list **ret_list,
		   struct error *error)
{
	struct guard_list *list = list_alloc(count);
	char text[PREFIX_TEXT_MAX];
	size_t kept = 0;

	if (!list)
		return error_set(error, -ENOMEM, "guard: out of memory");
	if (count)
		memcpy(list->rules, rules, count * sizeof(*rules));
	qsort(list->rules, count, sizeof(*rules), rules_compare);
	for (size_t i = 0; i < count; i++) {
		const struct guard_rule *rule = &list->rules[i];

		if (!kept || rules_compare(rule, &list->rules[kept - 1])) {
			list->rules[kept++] = *rule;
		} else if (rule->answer != list->rules[kept - 1].answer) {
			error_set(error, -EINVAL, "%s has two answers, %s and %s; give it only one",
				  prefix_format(&rule->prefix, text),
				  guard_answer_names[list->rules[kept - 1].answer],
				  guard_answer_names[rule->answer]);
			free(list);
			return -EINVAL;
		}
	}
	list->count = kept;
	*ret_list = list;
	return 0;
}

struct guard_list *guard_list_keep(struct guard_list *list)
{
	if (list)
		list->users++;
	return list;
}

void guard_list_drop(struct guard_list *list)
{
	if (!list || --list->users)
		return;
	free(list->text);
	free(list);
}

size_t guard_list_seek(const struct guard_list *list, const struct prefix *prefix, bool past)
{
	size_t low = 0, high = list ? list->count : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = prefix_compare(&list->rules[middle].prefix, prefix);

		if (order < 0 || (past && !order))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct guard_rule *guard_list_find(const struct guard_list *list, const struct prefix *prefix)
{
	size_t place = guard_list_seek(list, prefix, false);

	if (!list || place == list->count || prefix_compare(&list->rules[place].prefix, prefix))
		return NULL;
	return &list->rules[place];
}

const struct guard_rule *guard_list_match(const struct guard_list *list, const struct ip *address)
{
	for (uint32_t length = ip_is_v4(address) ? 33 : 129; length-- > 0;) {
		const struct guard_rule *rule;
		struct prefix prefix;

		prefix_of(address, length, &prefix);
		rule = guard_list_find(list, &prefix);
		if (rule)
			return rule;
	}
	return NULL;
}

/* ------------------------------------------------------------------ two lists side by side */

struct pair {
	const struct guard_list *a, *b;
	size_t at_a, at_b;
};

/* The next prefix that either has, with the rules of those that have it; false at the end. */
static bool pair_next(struct pair *pair, const struct guard_rule **ret_a,
		      const struct guard_rule **ret_b)
{
	const struct guard_rule *a = NULL, *b = NULL;
	int order;

	if (pair->a && pair->at_a < pair->a->count)
		a = &pair->a->rules[pair->at_a];
	if (pair->b && pair->at_b < pair->b->count)
		b = &pair->b->rules[pair->at_b];
	if (!a && !b)
		return false;
	order = !a ? 1 : !b ? -1 : rules_compare(a, b);
	*ret_a = order <= 0 ? a : NULL;
	*ret_b = order >= 0 ? b : NULL;
	pair->at_a += order <= 0;
	pair->at_b += order >= 0;
	return true;
}

static size_t list_count(const struct guard_list *list)
{
	return list ? list->count : 0;
}

static enum guard_answer configured_answer(const struct guard_list *configured,
					   const struct guard_rule *rule)
{
	const struct guard_rule *found = guard_list_find(configured, &rule->prefix);

	return found ? found->answer : GUARD_NONE;
}

int guard_list_set(const struct guard_list *configured, const struct guard_list *runtime,
		   const struct guard_list *rules, struct guard_list **ret_runtime)
{
	struct guard_list *list = list_alloc(list_count(runtime) + list_count(rules));
	struct pair pair = {.a = runtime, .b = rules};
	const struct guard_rule *before, *wanted;

	if (!list)
		return -ENOMEM;
	while (pair_next(&pair, &before, &wanted)) {
		struct guard_rule *rule = &list->rules[list->count];

		if (!wanted) {
			*rule = *before;
		} else {
			*rule = *wanted;
			rule->runtime = true;
			rule->configured = configured_answer(configured, wanted);
			if (rule->answer == rule->configured)
				continue;
		}
		list->count++;
	}
	*ret_runtime = list;
	return 0;
}

int guard_list_follow(const struct guard_list *configured, const struct guard_list *runtime,
		      struct guard_list **ret_runtime)
{
	struct guard_list *list = list_alloc(list_count(runtime));

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < list_count(runtime); i++) {
		const struct guard_rule *rule = &runtime->rules[i];

		if (configured_answer(configured, rule) == rule->configured)
			list->rules[list->count++] = *rule;
	}
	*ret_runtime = list;
	return 0;
}

int guard_list_merge(const struct guard_list *configured, const struct guard_list *runtime,
		     struct guard_list **ret_list)
{
	struct guard_list *list = list_alloc(list_count(configured) + list_count(runtime));
	struct pair pair = {.a = configured, .b = runtime};
	const struct guard_rule *below, *above;

	if (!list)
		return -ENOMEM;
	while (pair_next(&pair, &below, &above)) {
		const struct guard_rule *rule = above ? above : below;

		if (rule->answer != GUARD_NONE)
			list->rules[list->count++] = *rule;
	}
	*ret_list = list;
	return 0;
}

/* ------------------------------------------------------------------ writes to the map */

static int write_append(struct guard_write **writes, size_t *count, uint32_t service,
			const struct guard_rule *rule)
{
	/* Grown at powers of two. */
	if (!(*count & (*count - 1))) {
		size_t room = *count ? *count * 2 : 1;
		struct guard_write *grown = reallocarray(*writes, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		*writes = grown;
	}
	(*writes)[(*count)++] = (struct guard_write){service, *rule};
	return 0;
}

static int part_change(uint32_t service, const struct guard_list *before,
		       const struct guard_list *after, struct guard_changes *changes)
{
	struct pair pair = {.a = before, .b = after};
	const struct guard_rule *old, *new;
	int code = 0;

	if (before == after)
		return 0;
	while (!code && pair_next(&pair, &old, &new)) {
		if (!new)
			code = write_append(&changes->removals, &changes->removal_count, service,
					    old);
		else if (!old || old->answer != new->answer)
			code = write_append(&changes->writes, &changes->write_count, service, new);
	}
	return code;
}

static const struct guard_part *part_find(const struct guard_part *parts, size_t count,
					  uint32_t service)
{
	for (size_t i = 0; i < count; i++) {
		if (parts[i].service == service)
			return &parts[i];
	}
	return NULL;
}

/* How much a prefix has to say: the longer one, and the service's own of two that are equal. */
static uint32_t write_rank(const struct guard_write *write)
{
	return write->rule.prefix.length * 2 + (write->service != GUARD_ALL);
}

/* From the longest on: what a new prefix answers, a shorter new one cannot take back. */
static int writes_compare(const void *a, const void *b)
{
	uint32_t rank_a = write_rank(a), rank_b = write_rank(b);

	return (rank_a < rank_b) - (rank_a > rank_b);
}

/* From the shortest on: an old prefix goes only when no shorter old one could answer for it. */
static int removals_compare(const void *a, const void *b)
{
	return writes_compare(b, a);
}

int guard_changes_make(const struct guard_part *before, size_t before_count,
		       const struct guard_part *after, size_t after_count,
		       struct guard_changes *ret_changes)
{
	int code = 0;

	*ret_changes = (struct guard_changes){0};
	for (size_t i = 0; !code && i < before_count; i++) {
		const struct guard_part *other = part_find(after, after_count, before[i].service);

		code = part_change(before[i].service, before[i].list, other ? other->list : NULL,
				   ret_changes);
	}
	for (size_t i = 0; !code && i < after_count; i++) {
		if (!part_find(before, before_count, after[i].service))
			code = part_change(after[i].service, NULL, after[i].list, ret_changes);
	}
	if (!code && ret_changes->write_count)
		qsort(ret_changes->writes, ret_changes->write_count, sizeof(struct guard_write),
		      writes_compare);
	if (!code && ret_changes->removal_count)
		qsort(ret_changes->removals, ret_changes->removal_count, sizeof(struct guard_write),
		      removals_compare);
	return code;
}

void guard_changes_clear(struct guard_changes *changes)
{
	free(changes->writes);
	free(changes->removals);
	*changes = (struct guard_changes){0};
}

// SPDX-License-Identifier: GPL-2.0-only
/* Run-time rules of the guard as the text that is saved. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/guard_list.h"

/* "allow", a prefix, "allow", with a space or comma behind each. */
#define RULE_TEXT_MAX (PREFIX_TEXT_MAX + 2 * 6 + 1)

const char *guard_list_text(struct guard_list *list)
{
	char *text, *end;

	if (list->text)
		return list->text;
	text = malloc(list->count * RULE_TEXT_MAX + 1);
	if (!text)
		return NULL;
	end = text;
	for (size_t i = 0; i < list->count; i++) {
		const struct guard_rule *rule = &list->rules[i];
		char prefix[PREFIX_TEXT_MAX];

		end += snprintf(end, RULE_TEXT_MAX, "%s%s %s %s", i ? "," : "",
				guard_answer_names[rule->answer],
				prefix_format(&rule->prefix, prefix),
				guard_answer_names[rule->configured]);
	}
	*end = '\0';
	list->text = text;
	return text;
}

static int answer_read(const char *text, enum guard_answer *ret_answer)
{
	for (int i = 0; guard_answer_names[i]; i++) {
		if (!strcmp(guard_answer_names[i], text)) {
			*ret_answer = (enum guard_answer)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int rule_read(const char *text, struct guard_rule *ret_rule)
{
	char answer[8], prefix[PREFIX_TEXT_MAX], configured[8];
	struct guard_rule rule = {.runtime = true};

	if (sscanf(text, "%7s %49s %7s", answer, prefix, configured) != 3 ||
	    answer_read(answer, &rule.answer) || answer_read(configured, &rule.configured) ||
	    prefix_parse(prefix, &rule.prefix, NULL))
		return -EINVAL;
	*ret_rule = rule;
	return 0;
}

static size_t rules_count(const char *text)
{
	size_t count = *text != '\0';

	for (; *text; text++)
		count += *text == ',';
	return count;
}

int guard_list_parse(const char *text, struct guard_list **ret_list, struct error *error)
{
	size_t count = rules_count(text);
	struct guard_rule *rules = calloc(count + 1, sizeof(*rules));
	int code = 0;

	if (!rules)
		return error_set(error, -ENOMEM, "guard: out of memory");
	for (size_t i = 0; !code && i < count; i++) {
		size_t length = strcspn(text, ",");
		char one[RULE_TEXT_MAX] = "";

		/* A copy: sscanf looks for the end of all that it is given. */
		if (length < sizeof(one))
			memcpy(one, text, length);
		code = rule_read(one, &rules[i]);
		if (code)
			error_set(error, code, "guard: saved rule %zu is not one", i);
		text += length + (text[length] == ',');
	}
	if (!code)
		code = guard_list_new(rules, count, ret_list, error);
	free(rules);
	return code;
}

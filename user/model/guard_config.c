// SPDX-License-Identifier: GPL-2.0-only
/* Lists of prefixes as people write them. */
#include "model/guard_config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int guard_lists_add(struct guard_lists *lists, const struct prefix *prefix,
		    enum guard_answer answer)
{
	/* Grown at powers of two. */
	if (!(lists->count & (lists->count - 1))) {
		size_t room = lists->count ? lists->count * 2 : 1;
		struct guard_rule *grown = reallocarray(lists->rules, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		lists->rules = grown;
	}
	lists->rules[lists->count++] = (struct guard_rule){.prefix = *prefix, .answer = answer};
	return 0;
}

/* The word of a line without its comment and the space around it. False: there is none. */
static bool line_word(const char *line, size_t length, char word[PREFIX_TEXT_MAX + 1])
{
	static const char space[] = " \t\r";
	const char *comment = memchr(line, '#', length);

	if (comment)
		length = (size_t)(comment - line);
	while (length && strchr(space, line[0])) {
		line++;
		length--;
	}
	while (length && strchr(space, line[length - 1]))
		length--;
	if (length > PREFIX_TEXT_MAX)
		length = PREFIX_TEXT_MAX;
	memcpy(word, line, length);
	word[length] = '\0';
	return length;
}

int guard_lists_read(struct guard_lists *lists, const char *text, const char *name,
		     enum guard_answer answer, struct error *error)
{
	char word[PREFIX_TEXT_MAX + 1];
	struct prefix prefix;
	int code;

	for (size_t line = 1; *text; line++) {
		size_t length = strcspn(text, "\n");

		if (line_word(text, length, word)) {
			code = prefix_parse(word, &prefix, error);
			if (code) {
				error_prefix(error, "%s:%zu: ", name, line);
				return code;
			}
			if (guard_lists_add(lists, &prefix, answer))
				return error_set(error, -ENOMEM, "%s: out of memory", name);
		}
		text += length + (text[length] == '\n');
	}
	return 0;
}

void guard_lists_clear(struct guard_lists *lists)
{
	free(lists->rules);
	free(lists->deny_file);
	free(lists->allow_file);
	*lists = (struct guard_lists){0};
}

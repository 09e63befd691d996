// SPDX-License-Identifier: GPL-2.0-only
/* Checks of single values of a config: numbers, words, names, addresses, paths. */
#include "model/config_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void check_fail(struct check *check, const char *field, const char *format, ...)
{
	struct error text;
	va_list arguments;

	if (check->code)
		return;
	va_start(arguments, format);
	text_format(text.text, sizeof(text.text), format, arguments);
	va_end(arguments);
	check->code = source_fail(check->source, check->path, field, &text);
	error_set(check->error, check->code, "%s", text.text);
}

void check_no_memory(struct check *check)
{
	if (!check->code)
		check->code = error_set(check->error, -ENOMEM, "out of memory");
}

size_t check_into(struct check *check, const char *format, ...)
{
	size_t length = strlen(check->path);
	va_list arguments;

	if (length)
		snprintf(check->path + length, sizeof(check->path) - length, ".");
	va_start(arguments, format);
	vsnprintf(check->path + length + (length > 0), sizeof(check->path) - length - 1, format,
		  arguments);
	va_end(arguments);
	return length;
}

void check_out(struct check *check, size_t length)
{
	check->path[length] = '\0';
}

static bool is_number(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits && !text[digits];
}

uint64_t check_number(struct check *check, const char *field, const char *text, struct range range)
{
	uint64_t value;

	if (!text)
		return range.standard;
	errno = 0;
	value = strtoull(text, NULL, 10);
	if (!is_number(text))
		check_fail(check, field,
			   "%s '%s' is not a whole number; give %" PRIu64 " to %" PRIu64, field,
			   text, range.min, range.max);
	else if (value < range.min)
		check_fail(check, field, "%s %s is below %" PRIu64 "; give %" PRIu64 " to %" PRIu64,
			   field, text, range.min, range.min, range.max);
	else if (errno || value > range.max)
		check_fail(check, field, "%s %s is above %" PRIu64 "; give %" PRIu64 " to %" PRIu64,
			   field, text, range.max, range.min, range.max);
	else
		return value;
	return range.standard;
}

bool check_bool(struct check *check, const char *field, const char *text, bool standard)
{
	if (!text)
		return standard;
	if (!strcmp(text, "true"))
		return true;
	if (strcmp(text, "false"))
		check_fail(check, field, "%s '%s' is neither true nor false; give one of them",
			   field, text);
	return false;
}

static void words_list(const char *const *words, char *buffer, size_t size)
{
	buffer[0] = '\0';
	for (size_t i = 0; words[i]; i++) {
		size_t length = strlen(buffer);

		snprintf(buffer + length, size - length, "%s%s",
			 !i             ? ""
			 : words[i + 1] ? ", "
					: " or ",
			 words[i]);
	}
}

unsigned int check_word(struct check *check, const char *field, const char *text,
			const char *const *words, unsigned int standard)
{
	const char *closest;
	char list[128];

	if (!text)
		return standard;
	for (unsigned int i = 0; words[i]; i++) {
		if (!strcmp(words[i], text))
			return i;
	}
	words_list(words, list, sizeof(list));
	closest = word_closest(text, words);
	if (closest)
		check_fail(check, field, "%s '%s' is not known; did you mean %s? (%s)", field, text,
			   closest, list);
	else
		check_fail(check, field, "%s '%s' is not known; use %s", field, text, list);
	return standard;
}

char *check_text(struct check *check, const char *field, const char *text, const char *standard)
{
	char *copy;

	if (!text)
		text = standard;
	if (!text) {
		check_fail(check, field, "%s is missing; add it", field);
		return NULL;
	}
	copy = strdup(text);
	if (!copy)
		check_no_memory(check);
	return copy;
}

char *check_path(struct check *check, const char *field, const char *text, const char *standard)
{
	if (text && text[0] != '/')
		check_fail(check, field,
			   "%s '%s' is not an absolute path; give one that begins with /", field,
			   text);
	return check_text(check, field, text, standard);
}

char *check_name(struct check *check, const char *text)
{
	if (text && !name_valid(text))
		check_fail(check, "name",
			   "name '%s' is not one; use at most %d of a-z 0-9 . - with a letter or "
			   "digit first",
			   text, NAME_MAX_LENGTH);
	return check_text(check, "name", text, NULL);
}

struct ip check_address(struct check *check, const char *field, const char *text)
{
	struct ip ip = {{0}};

	if (!text)
		check_fail(check, field, "%s is missing; add it", field);
	else if (ip_parse(text, &ip))
		check_fail(check, field,
			   "%s '%s' is not an IP address; give one such as 192.0.2.80 or "
			   "2001:db8::80",
			   field, text);
	else if (!ip_is_unicast(&ip))
		check_fail(check, field, "%s %s is not that of a host; give a unicast address",
			   field, text);
	else if (ip_is_loopback(&ip))
		check_fail(check, field,
			   "%s %s is loopback, and no packet to it comes in or goes out; give an "
			   "address of the network",
			   field, text);
	return ip;
}

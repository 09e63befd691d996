// SPDX-License-Identifier: GPL-2.0-only
/* Reads the words of a call by the verb's parameters and checks each against its bounds. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "cli/number.h"
#include "cli/suggest.h"
#include "cli/verb.h"
#include "model/config.h"

static bool is_option(const struct parameter *parameter)
{
	return parameter->name[0] == '-';
}

const struct value *call_value(const struct call *call, const char *name)
{
	const struct parameter *parameters = call->verb->parameters;
	size_t i = 0;

	while (strcmp(parameters[i].name, name) != 0)
		i++;
	return &call->values[i];
}

const char *call_text(const struct call *call, const char *name)
{
	return call_value(call, name)->text;
}

json_t *call_body(const struct call *call)
{
	json_t *body = json_object();

	for (size_t i = 0; body && call->verb->parameters[i].name; i++) {
		const struct parameter *parameter = &call->verb->parameters[i];
		const struct value *value = &call->values[i];
		json_t *field;

		if (!parameter->key || !value->text)
			continue;
		if (parameter->kind == PARAMETER_REAL)
			field = json_real(value->real);
		else if (parameter->kind == PARAMETER_FLAG)
			field = json_true();
		else if (parameter->kind == PARAMETER_NUMBER ||
			 parameter->kind == PARAMETER_DURATION ||
			 parameter->kind == PARAMETER_PORT ||
			 ((parameter->kind == PARAMETER_PORT_ANY ||
			   parameter->kind == PARAMETER_VLAN) &&
			  value->number))
			field = json_integer((json_int_t)value->number);
		else
			field = json_string(value->text);
		if (json_object_set_new(body, parameter->key, field) < 0) {
			json_decref(body);
			body = NULL;
		}
	}
	return body;
}

static int number_parse(const struct parameter *parameter, const char *text, uint64_t minimum,
			uint64_t maximum, const char *also, uint64_t *ret_number,
			struct error *error)
{
	unsigned long long number;
	char *end;

	if (!*text || strspn(text, "0123456789") != strlen(text))
		return error_set(error, -EINVAL,
				 "%s: '%s' is not a whole number; use %llu to %llu%s",
				 parameter->name, text, (unsigned long long)minimum,
				 (unsigned long long)maximum, also);
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || number > maximum || number < minimum)
		return error_set(
			error, -EINVAL, "%s: %s is %s %llu; use %llu to %llu%s", parameter->name,
			text, errno || number > maximum ? "above" : "below",
			(unsigned long long)(errno || number > maximum ? maximum : minimum),
			(unsigned long long)minimum, (unsigned long long)maximum, also);
	*ret_number = number;
	return 0;
}

static int real_parse(const struct parameter *parameter, const char *text, double *ret_real,
		      struct error *error)
{
	char *end;

	*ret_real = strtod(text, &end);
	if (end == text || *end || !isfinite(*ret_real) || *ret_real <= 0)
		return error_set(error, -EINVAL, "%s: '%s' is not a number above 0; use e.g. 1000",
				 parameter->name, text);
	return 0;
}

static int duration_check(const struct parameter *parameter, const char *text, uint64_t *ret_ms,
			  struct error *error)
{
	int code = duration_parse(text, ret_ms);

	if (code == -ERANGE)
		return error_set(error, -EINVAL, "%s: %s is longer than a year; use less",
				 parameter->name, text);
	if (code)
		return error_set(error, -EINVAL,
				 "%s: '%s' is not a duration; use e.g. 500ms, 30s, 5m, 1h",
				 parameter->name, text);
	return 0;
}

static int choice_check(const struct parameter *parameter, const char *text, struct error *error)
{
	char list[256] = "";

	for (size_t i = 0; parameter->choices[i]; i++) {
		if (strcmp(parameter->choices[i], text) == 0)
			return 0;
		strncat(list, i ? ", " : "", sizeof(list) - strlen(list) - 1);
		strncat(list, parameter->choices[i], sizeof(list) - strlen(list) - 1);
	}
	return error_set(error, -EINVAL, "%s: '%s' is not one of its words; use one of %s",
			 parameter->name, text, list);
}

static int value_set(const struct parameter *parameter, const char *text, struct value *value,
		     struct error *error)
{
	struct ip ip;

	value->text = text;
	switch (parameter->kind) {
	case PARAMETER_FLAG:
		return 0;
	case PARAMETER_TEXT:
		if (*text)
			return 0;
		return error_set(error, -EINVAL, "%s: it is empty; give a text", parameter->name);
	case PARAMETER_NAME:
		if (name_valid(text))
			return 0;
		return error_set(error, -EINVAL,
				 "%s: '%s' is not a name; use up to %d of a-z, 0-9, '.' and '-', "
				 "with a letter or digit first",
				 parameter->name, text, NAME_MAX_LENGTH);
	case PARAMETER_ADDRESS:
		if (ip_parse(text, &ip) == 0)
			return 0;
		return error_set(error, -EINVAL,
				 "%s: '%s' is not an IP address; use one like 192.0.2.1 or "
				 "2001:db8::1, without a port",
				 parameter->name, text);
	case PARAMETER_PORT:
		return number_parse(parameter, text, 1, 65535, "", &value->number, error);
	case PARAMETER_PORT_ANY:
		if (strcmp(text, "any") == 0)
			return 0;
		return number_parse(parameter, text, 1, 65535, ", or any", &value->number, error);
	case PARAMETER_VLAN:
		if (strcmp(text, "keep") == 0 || strcmp(text, "none") == 0)
			return 0;
		return number_parse(parameter, text, 1, VLAN_ID_MAX, ", keep or none",
				    &value->number, error);
	case PARAMETER_NUMBER:
		return number_parse(parameter, text, parameter->minimum, parameter->maximum, "",
				    &value->number, error);
	case PARAMETER_REAL:
		return real_parse(parameter, text, &value->real, error);
	case PARAMETER_DURATION:
		return duration_check(parameter, text, &value->number, error);
	case PARAMETER_CHOICE:
		return choice_check(parameter, text, error);
	}
	return -EINVAL;
}

/* The parameter of an option's name, of length bytes, or letter; NULL: none. */
static const struct parameter *option_find(const struct verb *verb, const char *name, size_t length)
{
	for (const struct parameter *p = verb->parameters; p->name; p++) {
		if (!is_option(p))
			continue;
		if (strlen(p->name) == length && strncmp(p->name, name, length) == 0)
			return p;
		if (length == 2 && name[1] == p->letter)
			return p;
	}
	return NULL;
}

static const char *const colour_words[] = {"auto", "always", "never", NULL};

const struct parameter common_options[] = {
	{
		.name = "--socket",
		.letter = 's',
		.value = "PATH",
		.kind = PARAMETER_TEXT,
		.help = "the agent's socket",
	},
	{
		.name = "--color",
		.value = "WHEN",
		.kind = PARAMETER_CHOICE,
		.choices = colour_words,
		.help = "auto (on a terminal), always, never",
	},
	{0},
};

static int common_missing(const struct call *call, const char *word, struct error *error)
{
	return error_set(error, -EINVAL, "%.*s: its value is missing; see 'sluice %s%s--help'",
			 (int)strcspn(word, "="), word, call->verb ? call->verb->name : "",
			 call->verb ? " " : "");
}

static int common_set(struct call *call, const struct parameter *parameter, const char *text,
		      struct error *error)
{
	struct value value = {0};
	int code = value_set(parameter, text, &value, error);

	if (code)
		return code;
	if (parameter == &common_options[0])
		call->socket = text;
	else if (strcmp(text, "auto") != 0)
		call->colour = strcmp(text, "always") == 0;
	return 1;
}

int call_common(struct call *call, int count, char **words, int *at, struct error *error)
{
	const char *word = words[*at];

	for (const struct parameter *p = common_options; p->name; p++) {
		size_t length = strlen(p->name);
		bool whole = strcmp(word, p->name) == 0 ||
			     (p->letter && word[0] == '-' && word[1] == p->letter && !word[2]);

		if (strncmp(word, p->name, length) == 0 && word[length] == '=')
			return word[length + 1] ? common_set(call, p, word + length + 1, error)
						: common_missing(call, word, error);
		if (!whole)
			continue;
		if (*at + 1 >= count || !*words[*at + 1])
			return common_missing(call, word, error);
		return common_set(call, p, words[++*at], error);
	}
	return 0;
}

static int option_unknown(const struct verb *verb, const char *word, struct error *error)
{
	const char *names[PARAMETERS_MAX + 5] = {"--json", "--socket", "--help", "--color"};
	const char *nearest;
	size_t count = 4;

	for (const struct parameter *p = verb->parameters; p->name; p++)
		if (is_option(p))
			names[count++] = p->name;
	nearest = suggest_nearest(word, names, count);
	if (nearest)
		return error_set(error, -EINVAL,
				 "%s: no such option of 'sluice %s'; did you mean %s?", word,
				 verb->name, nearest);
	return error_set(error, -EINVAL, "%s: no such option; see 'sluice %s --help'", word,
			 verb->name);
}

/* Take the option at words[*at]; *at is moved to its last word. */
static int option_take(struct call *call, int count, char **words, int *at, struct error *error)
{
	char *word = words[*at], *equals = strchr(word, '=');
	size_t length = word[1] == '-' && equals ? (size_t)(equals - word) : strlen(word);
	const struct parameter *parameter = option_find(call->verb, word, length);
	const char *text;

	if (!parameter)
		return option_unknown(call->verb, word, error);
	if (parameter->kind == PARAMETER_FLAG) {
		if (word[length] == '=')
			return error_set(error, -EINVAL, "%s: it takes no value; leave out '%s'",
					 parameter->name, word + length);
		return value_set(parameter, word, &call->values[parameter - call->verb->parameters],
				 error);
	}
	if (word[length] == '=')
		text = word + length + 1;
	else if (*at + 1 < count)
		text = words[++*at];
	else
		return error_set(error, -EINVAL, "%s: its value is missing; see 'sluice %s --help'",
				 word, call->verb->name);
	return value_set(parameter, text, &call->values[parameter - call->verb->parameters], error);
}

static int argument_take(struct call *call, const char *word, struct error *error)
{
	const struct verb *verb = call->verb;

	for (size_t i = 0; verb->parameters[i].name; i++)
		if (!is_option(&verb->parameters[i]) && !call->values[i].text)
			return value_set(&verb->parameters[i], word, &call->values[i], error);
	return error_set(error, -EINVAL, "%s: one argument too many; see 'sluice %s --help'", word,
			 verb->name);
}

static int required_check(const struct call *call, struct error *error)
{
	const struct parameter *parameters = call->verb->parameters;

	for (size_t i = 0; parameters[i].name; i++)
		if (parameters[i].required && !call->values[i].text)
			return error_set(error, -EINVAL,
					 "%s: it is missing; see 'sluice %s --help'",
					 parameters[i].name, call->verb->name);
	return 0;
}

int call_parse(struct call *call, int count, char **words, struct error *error)
{
	bool options = true;
	int code = 0;

	for (int i = 0; i < count; i++)
		if (strcmp(words[i], "--help") == 0 || strcmp(words[i], "-h") == 0)
			return 1;
	for (int i = 0; i < count && !code; i++) {
		if (options && strcmp(words[i], "--") == 0)
			options = false;
		else if (options && strcmp(words[i], "--json") == 0)
			call->json = true;
		else if (options && (code = call_common(call, count, words, &i, error)) != 0)
			code = code < 0 ? code : 0;
		else if (options && words[i][0] == '-' && words[i][1] &&
			 !isdigit((unsigned char)words[i][1]))
			code = option_take(call, count, words, &i, error);
		else
			code = argument_take(call, words[i], error);
	}
	return code ? code : required_check(call, error);
}

// SPDX-License-Identifier: GPL-2.0-only
/* What may come next on a command line that is being typed, by the verbs' own tables. */
#include "cli/complete.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/help.h"
#include "cli/output.h"

/* Nobody waits longer for a list of names. */
#define ANSWER_TIMEOUT_S 2

/* A command line: its verb, if that is typed whole, and what is being typed. */
struct line {
	struct call *call;
	const struct verb *verb;
	const char *arguments[PARAMETERS_MAX]; /* those before, by their place */
	size_t argument_count;
	const struct parameter *waiting; /* an option whose value comes next */
	const char *current;             /* what is typed of the last word */
	const char *prefix;              /* what stands before it in the same word: "--mode=" */
};

static bool begins(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/* In a description a tab or a line's end would be taken for another word. */
static void candidate(const struct line *line, const char *word, const char *meaning)
{
	if (begins(word, line->current))
		printf("%s%s\t%s\n", line->prefix, word, meaning);
}

/* ------------------------------------------------------------------ values */

static void names_print(const struct line *line, const char *list, const char *meaning_key,
			const char *path)
{
	json_t *answer = NULL;
	const json_t *one;
	size_t i;

	if (client_get(line->call, &answer, NULL, "%s", path))
		return;
	json_array_foreach(field_array(answer, list), i, one)
		candidate(line, field_text(one, "name"), field_text(one, meaning_key));
	json_decref(answer);
}

static void backends_print_names(const struct line *line)
{
	const struct parameter *parameters = line->verb->parameters;
	const char *service = line->argument_count ? line->arguments[0] : "";
	char path[256];

	/* What the service is, another argument says: the first one, wherever backends are named. */
	if (!*service || strcmp(parameters[0].name, "SERVICE") != 0 || strchr(service, '/'))
		return;
	snprintf(path, sizeof(path), "/v1/services/%s/backends", service);
	names_print(line, "backends", "address", path);
}

static void interfaces_print_names(const struct line *line)
{
	struct if_nameindex *all;

	if (strcmp(line->verb->name, "detach") == 0) {
		names_print(line, "interfaces", "mode", "/v1/status");
		return;
	}
	all = if_nameindex();
	for (size_t i = 0; all && all[i].if_index; i++)
		candidate(line, all[i].if_name, "interface");
	if_freenameindex(all);
}

static void choices_print(const struct line *line, const struct parameter *parameter)
{
	for (size_t i = 0; parameter->choices[i]; i++)
		candidate(line, parameter->choices[i], parameter->help);
}

static bool is_called(const struct parameter *parameter, const char *word)
{
	return strcmp(parameter->name, word) == 0 ||
	       (parameter->value && strcmp(parameter->value, word) == 0);
}

static void value_print(const struct line *line, const struct parameter *parameter)
{
	/* A new one's name is the person's to choose. */
	bool fresh = parameter->key && strcmp(parameter->key, "name") == 0;

	if (parameter->kind == PARAMETER_CHOICE)
		choices_print(line, parameter);
	else if (parameter->kind == PARAMETER_PORT_ANY)
		candidate(line, "any", "every port");
	else if (parameter->kind == PARAMETER_VLAN) {
		candidate(line, "keep", "the tags that packets came with");
		candidate(line, "none", "no tag");
	} else if (is_called(parameter, "FILE") || is_called(parameter, "PATH"))
		printf(":file\n");
	else if (is_called(parameter, "IFACE"))
		interfaces_print_names(line);
	else if (fresh)
		return;
	else if (is_called(parameter, "SERVICE") || is_called(parameter, "--service"))
		names_print(line, "services", "vip", "/v1/services");
	else if (is_called(parameter, "BACKEND") || is_called(parameter, "--backend"))
		backends_print_names(line);
}

/* ------------------------------------------------------------------ words */

/* The words of verbs at a level: the first ones, or those after a group's word. Each once. */
static void verbs_print(const struct line *line, const char *group)
{
	size_t skip = group ? strlen(group) + 1 : 0;
	char word[64], last[64] = "";

	for (const struct verb *const *subject = all_verbs; *subject; subject++) {
		for (const struct verb *verb = *subject; verb->name; verb++) {
			size_t length;

			if (group && (!begins(verb->name, group) || verb->name[skip - 1] != ' '))
				continue;
			length = strcspn(verb->name + skip, " ");
			snprintf(word, sizeof(word), "%.*s", (int)length, verb->name + skip);
			if (strcmp(word, last) != 0)
				candidate(line, word,
					  verb->name[skip + length] ? "has verbs of its own"
								    : verb->summary);
			snprintf(last, sizeof(last), "%s", word);
		}
	}
}

static void options_print(const struct line *line)
{
	const struct parameter *common = common_options;

	for (const struct parameter *p = line->verb ? line->verb->parameters : common; p->name; p++)
		if (p->name[0] == '-')
			candidate(line, p->name, p->help);
	for (; line->verb && common->name; common++)
		candidate(line, common->name, common->help);
	if (line->verb && !line->verb->local)
		candidate(line, "--json", "print the agent's answer as JSON");
	if (!line->verb)
		candidate(line, "--version", "print the version");
	candidate(line, "--help", "explain");
}

/* The next argument by its place; NULL: none may follow. */
static const struct parameter *argument_next(const struct line *line)
{
	size_t place = 0;

	for (const struct parameter *p = line->verb->parameters; p->name; p++) {
		if (p->name[0] != '-' && place++ == line->argument_count)
			return p;
	}
	return NULL;
}

static const struct parameter *option_named(const struct verb *verb, const char *word)
{
	const struct parameter *lists[] = {verb ? verb->parameters : NULL, common_options};

	for (size_t i = 0; i < 2; i++) {
		for (const struct parameter *p = lists[i]; p && p->name; p++) {
			if (p->name[0] != '-' || p->kind == PARAMETER_FLAG)
				continue;
			if (strcmp(p->name, word) == 0 ||
			    (p->letter && word[0] == '-' && word[1] == p->letter && !word[2]))
				return p;
		}
	}
	return NULL;
}

/* Words that were typed whole, before the last one. */
static void word_take(struct line *line, const char *word)
{
	if (line->waiting) {
		if (strcmp(word, "=") == 0)
			return; /* some shells part "--mode=native" into three words */
		if (line->waiting == &common_options[0])
			line->call->socket = word;
		line->waiting = NULL;
	} else if (word[0] == '-' && word[1]) {
		line->waiting = option_named(line->verb, word);
		if (begins(word, "--socket="))
			line->call->socket = word + strlen("--socket=");
	} else if (line->argument_count < PARAMETERS_MAX) {
		line->arguments[line->argument_count++] = word;
	}
}

/* Whether the first words are a verb's name: then they are no arguments. */
static void verb_take(struct line *line)
{
	const struct verb *verb = NULL;
	const char *group = NULL;
	int used = 0;

	if (line->verb || !line->argument_count ||
	    verb_find((int)line->argument_count, (char **)line->arguments, &verb, &used, &group,
		      NULL))
		return;
	line->verb = verb;
	line->argument_count = 0;
}

/* "--mode=nat": the value is what is being typed. */
static void current_split(struct line *line, char *word)
{
	char *equals = strchr(word, '=');
	char name[64];

	line->current = word;
	line->prefix = "";
	if (strcmp(word, "=") == 0) {
		line->current = "";
	} else if (begins(word, "--") && equals && equals - word < (int)sizeof(name)) {
		snprintf(name, sizeof(name), "%.*s", (int)(equals - word), word);
		line->waiting = option_named(line->verb, name);
		line->current = equals + 1;
		line->prefix = word;
	}
}

void complete_print(struct call *call, int count, char **words)
{
	struct line line = {.call = call, .current = "", .prefix = ""};
	const struct parameter *argument;
	char head[64] = "";

	call->timeout_s = ANSWER_TIMEOUT_S;
	for (int i = 0; i + 1 < count; i++) {
		word_take(&line, words[i]);
		verb_take(&line);
	}
	if (count)
		current_split(&line, words[count - 1]);
	if (*line.prefix) {
		snprintf(head, sizeof(head), "%.*s", (int)(line.current - line.prefix),
			 line.prefix);
		line.prefix = head;
	}
	if (line.waiting) {
		value_print(&line, line.waiting);
	} else if (line.current[0] == '-') {
		options_print(&line);
	} else if (!line.verb) {
		if (line.argument_count <= 1)
			verbs_print(&line, line.argument_count ? line.arguments[0] : NULL);
	} else if (strcmp(line.verb->name, "help") == 0) {
		if (line.argument_count <= 1)
			verbs_print(&line, line.argument_count ? line.arguments[0] : NULL);
	} else {
		argument = argument_next(&line);
		if (argument)
			value_print(&line, argument);
		else
			options_print(&line);
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/* Help on every level and the search for a verb, both by the verbs' own tables. */
#include "cli/help.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/output.h"
#include "cli/suggest.h"
#include "sluice/limits.h"

#define VERBS_MAX 64

const struct verb *const all_verbs[] = {
	status_verbs,    interface_verbs,  service_verbs, backend_verbs, backend_show_verbs,
	health_verbs,    plan_verbs,       diff_verbs,    config_verbs,  scale_verbs,
	flows_verbs,     guard_verbs,      decap_verbs,   doctor_verbs,  events_verbs,
	provision_verbs, completion_verbs, help_verbs,    NULL,
};

/* Call with each verb of the tables in their order. */
#define FOREACH_VERB(verb)                                                          \
	for (const struct verb *const *subject_ = all_verbs; *subject_; subject_++) \
		for (const struct verb *verb = *subject_; verb->name; verb++)

static void parameter_print(const struct parameter *parameter)
{
	char left[64], letter[8] = "    ";

	if (parameter->letter)
		snprintf(letter, sizeof(letter), "-%c, ", parameter->letter);
	snprintf(left, sizeof(left), "%s%s%s%s", parameter->name[0] == '-' ? letter : "",
		 parameter->name, parameter->value ? " " : "",
		 parameter->value ? parameter->value : "");
	printf("  %-26s %s\n", left, parameter->help);
}

static void usage_print(const struct verb *verb)
{
	bool options = false;

	printf("usage: sluice %s", verb->name);
	for (const struct parameter *p = verb->parameters; p->name; p++) {
		if (p->name[0] != '-')
			printf(p->required ? " %s" : " [%s]", p->name);
		else if (p->required)
			printf(" %s %s", p->name, p->value);
		else
			options = true;
	}
	printf("%s\n", options ? " [options]" : "");
}

void help_verb(const struct verb *verb)
{
	usage_print(verb);
	printf("\n%c%s.\n\n", verb->summary[0] - ('a' - 'A'), verb->summary + 1);
	for (const struct parameter *p = verb->parameters; p->name; p++)
		if (p->name[0] != '-')
			parameter_print(p);
	for (const struct parameter *p = verb->parameters; p->name; p++)
		if (p->name[0] == '-')
			parameter_print(p);
	if (!verb->local)
		printf("      --json                 print the agent's answer as JSON\n"
		       "  -s, --socket PATH          the agent's socket (default: $SLUICE_SOCKET, or\n"
		       "                             " SOCKET_DEFAULT ")\n");
	printf("      --color WHEN           auto (on a terminal), always, never\n"
	       "  -h, --help                 this text\n"
	       "\nexample: %s\n",
	       verb->example);
}

/* Whether name is word, or starts with word and a space. */
static bool starts_with(const char *name, const char *word)
{
	size_t length = strlen(word);

	return strncmp(name, word, length) == 0 && (!name[length] || name[length] == ' ');
}

int help_group(const char *word)
{
	int shown = 0;

	printf("usage: sluice %s%sVERB ...\n\n", word, *word ? " " : "");
	if (!*word)
		printf("Talks to sluiced, the agent of the sluice load balancer.\n\n");
	FOREACH_VERB(verb)
	{
		if (*word && !starts_with(verb->name, word))
			continue;
		printf("  %-16s %s\n", verb->name, verb->summary);
		shown++;
	}
	printf("\n'sluice %s%sVERB --help' tells more of each.\n"
	       "Exit status: 0 done; 1 failed; 2 wrong usage; 3 there are changes (plan),\n"
	       "differences (diff) or warnings (doctor); 4 there are errors (doctor).\n",
	       word, *word ? " " : "");
	return shown;
}

/* The words that may stand at a level: all first words, or all second words after group. */
static size_t level_words(const char *group, char storage[VERBS_MAX][32],
			  const char *names[VERBS_MAX])
{
	size_t count = 0;

	FOREACH_VERB(verb)
	{
		const char *name = verb->name;

		if (group && (!starts_with(name, group) || !name[strlen(group)]))
			continue;
		if (group)
			name += strlen(group) + 1;
		snprintf(storage[count], sizeof(storage[count]), "%.*s", (int)strcspn(name, " "),
			 name);
		names[count] = storage[count];
		count++;
	}
	return count;
}

static int word_unknown(const char *group, const char *word, struct error *error)
{
	char storage[VERBS_MAX][32];
	const char *names[VERBS_MAX];
	size_t count = level_words(group, storage, names);
	const char *nearest = suggest_nearest(word, names, count);
	const char *before = group ? group : "", *space = group ? " " : "";

	if (nearest)
		return error_set(error, -EINVAL, "%s: no such verb; did you mean 'sluice %s%s%s'?",
				 word, before, space, nearest);
	return error_set(error, -EINVAL, "%s: no such verb; see 'sluice %s%s--help'", word, before,
			 space);
}

int verb_find(int count, char **words, const struct verb **ret_verb, int *ret_used,
	      const char **ret_group, struct error *error)
{
	const char *group = NULL;
	char name[128];

	if (count < 1)
		return error_set(error, -EINVAL, "verb: it is missing; see 'sluice --help'");
	FOREACH_VERB(verb)
	{
		if (strcmp(verb->name, words[0]) == 0) {
			*ret_verb = verb;
			*ret_used = 1;
			return 0;
		}
		if (starts_with(verb->name, words[0]))
			group = words[0];
	}
	if (!group)
		return word_unknown(NULL, words[0], error);
	*ret_group = group;
	if (count < 2 || words[1][0] == '-')
		return error_set(error, -EINVAL, "%s: its verb is missing; see 'sluice %s --help'",
				 group, group);
	snprintf(name, sizeof(name), "%s %s", words[0], words[1]);
	FOREACH_VERB(verb)
	{
		if (strcmp(verb->name, name) == 0) {
			*ret_verb = verb;
			*ret_used = 2;
			return 0;
		}
	}
	*ret_group = NULL;
	return word_unknown(group, words[1], error);
}

static int help_run(struct call *call, struct error *error)
{
	char *words[2] = {(char *)call_text(call, "VERB"), (char *)call_text(call, "SUBVERB")};
	int count = words[0] ? 1 + !!words[1] : 0, used = 0;
	const struct verb *verb = NULL;
	const char *group = NULL;

	if (!words[0]) {
		help_group("");
		return 0;
	}
	if (verb_find(count, words, &verb, &used, &group, error) == 0 && verb)
		help_verb(verb);
	else if (group)
		help_group(group);
	else
		return -EINVAL;
	return 0;
}

static int version_run(struct call *call, struct error *error)
{
	json_t *version;
	int code;

	if (!call->json) {
		printf("sluice %s\n", SLUICE_VERSION);
		return 0;
	}
	version = json_pack("{s:s, s:i}", "version", SLUICE_VERSION, "abi", SLUICE_ABI_VERSION);
	code = print_json(version, error);
	json_decref(version);
	return code;
}

const struct verb help_verbs[] = {
	{
		.name = "version",
		.summary = "print the version of this command ('status' has the agent's)",
		.example = "sluice version",
		.local = true,
		.run = version_run,
	},
	{
		.name = "help",
		.summary = "explain a verb",
		.example = "sluice help backend drain",
		.local = true,
		.parameters =
			{
				{.name = "VERB",
				 .kind = PARAMETER_TEXT,
				 .help = "the verb, or its first word"},
				{.name = "SUBVERB",
				 .kind = PARAMETER_TEXT,
				 .help = "its second word"},
			},
		.run = help_run,
	},
	{0},
};

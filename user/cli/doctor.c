// SPDX-License-Identifier: GPL-2.0-only
/* The verb "doctor": what is wrong with this host and its agent, and a command that mends it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/input.h"
#include "cli/output.h"
#include "model/doctor.h"
#include "sluice/abi.h"

#define CONFIG_DEFAULT  "/etc/sluice/sluice.yaml"
#define CONFIG_SIZE_MAX (16u << 20)
#define NO_CONFIG       "agent: {}\n"

/* ------------------------------------------------------------------ without an agent */

static int config_load(const char *path, struct config **ret_config, struct error *error)
{
	size_t length;
	char *text;
	int code = input_read(path, CONFIG_SIZE_MAX, &text, &length, error);

	if (code)
		return code;
	code = config_parse(text, length, path, ret_config, error);
	free(text);
	/* What the file says is wrong, not how the verb was called. */
	return code == -EINVAL ? -EBADMSG : code;
}

/*
 * The config that the agent would have: the file that was named, else the usual one, else one with
 * the defaults.
 */
static int config_guess(const char *path, struct config **ret_config, struct error *error)
{
	if (path)
		return config_load(path, ret_config, error);
	if (!config_load(CONFIG_DEFAULT, ret_config, NULL))
		return 0;
	return config_parse(NO_CONFIG, strlen(NO_CONFIG), "config", ret_config, error);
}

static int judge_alone(const struct config *config, const char *problem, json_t **ret_findings,
		       struct error *error)
{
	struct doctor_facts facts = {.agent_problem = problem};

	facts.pin_dir = config->pin_dir;
	facts.state_dir = config->state_dir;
	host_read(config->pin_dir, config->state_dir, &facts.host);
	facts.links = calloc(config->interface_count + 1, sizeof(*facts.links));
	for (size_t i = 0; facts.links && i < config->interface_count; i++)
		host_link_read(config->interfaces[i].name, &facts.links[facts.link_count++].host);
	for (size_t i = 0; i < config->service_count; i++) {
		const struct service_config *service = &config->services[i];

		facts.nat4 |= service->mode == FORWARD_MODE_NAT && ip_family(&service->vip) == 4;
		facts.nat6 |= service->mode == FORWARD_MODE_NAT && ip_family(&service->vip) == 6;
	}
	*ret_findings = doctor_judge(&facts);
	free(facts.links);
	return *ret_findings ? 0 : error_set(error, -ENOMEM, "memory: used up; free some");
}

/* ------------------------------------------------------------------ with one */

/* The command knows what the agent cannot: that both are of one version. */
static void versions_compare(const json_t *answer, json_t *findings)
{
	const char *version = field_text(answer, "version");

	if (strcmp(version, SLUICE_VERSION) == 0 &&
	    field_number(answer, "abi") == SLUICE_ABI_VERSION)
		return;
	json_array_append_new(
		findings,
		json_pack(
			"{ss,ss,ss,so,ss}", "check", "version", "severity", "warning", "subject",
			"sluiced", "text",
			json_sprintf(
				"the agent that runs is version %s, this command is " SLUICE_VERSION,
				version),
			"fix", "systemctl restart sluiced"));
}

static const char *severity_escape(const char *severity)
{
	return strcmp(severity, "error") == 0     ? "\033[31m"
	       : strcmp(severity, "warning") == 0 ? "\033[33m"
						  : "";
}

static void findings_print(const struct call *call, const json_t *findings)
{
	const json_t *one;
	size_t i;

	json_array_foreach(findings, i, one)
	{
		const char *severity = field_text(one, "severity");
		const char *escape = call->colour ? severity_escape(severity) : "";

		printf("%s%s%s: %s: %s\n  fix: %s\n", escape, severity, *escape ? "\033[0m" : "",
		       field_text(one, "subject"), field_text(one, "text"), field_text(one, "fix"));
	}
	if (!json_array_size(findings))
		printf("nothing found\n");
}

static int findings_show(struct call *call, json_t *answer, struct error *error)
{
	const json_t *findings = field_array(answer, "findings");
	enum severity worst = doctor_worst(findings);

	call->status = worst == SEVERITY_ERROR     ? EXIT_TROUBLE
		       : worst == SEVERITY_WARNING ? EXIT_DIFFERENT
						   : EXIT_SUCCESS;
	if (call->json)
		return print_json(answer, error);
	findings_print(call, findings);
	return 0;
}

static int doctor_run(struct call *call, struct error *error)
{
	struct error problem = {""};
	json_t *answer = NULL, *findings = NULL;
	struct config *config = NULL;
	/* Read in any case: a file that was named and is wrong is no secret until the agent fails. */
	int code = config_guess(call_text(call, "--config"), &config, error);

	if (code)
		return code;
	if (!client_get(call, &answer, &problem, "/v1/doctor")) {
		versions_compare(answer, json_object_get(answer, "findings"));
	} else {
		code = judge_alone(config, problem.text, &findings, error);
		if (!code)
			answer = json_pack("{so,sn}", "findings", findings, "facts");
	}
	if (!code)
		code = findings_show(call, answer, error);
	json_decref(answer);
	config_free(config);
	return code;
}

const struct verb doctor_verbs[] = {
	{
		.name = "doctor",
		.summary =
			"find what is wrong with this host, and what mends it: exit status 3 or 4",
		.example = "sluice doctor",
		.parameters =
			{
				{.name = "--config",
				 .letter = 'c',
				 .value = "FILE",
				 .kind = PARAMETER_TEXT,
				 .help = "what to go by if the agent does not answer"},
			},
		.run = doctor_run,
	},
	{0},
};

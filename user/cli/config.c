// SPDX-License-Identifier: GPL-2.0-only
/* The verbs on whole configurations: "apply" and "config check". */
#include "model/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "cli/client.h"
#include "cli/output.h"

#define CONFIG_SIZE_MAX (16u << 20)

static int apply_run(struct call *call, struct error *error)
{
	const char *path = call_text(call, "--file");
	char *text = NULL, *name = NULL, target[1536];
	json_t *answer = NULL;
	size_t length;
	int code = file_read(path, CONFIG_SIZE_MAX, &text, &length, error);

	if (code)
		return code;
	name = client_escape(path);
	snprintf(target, sizeof(target), "/v1/config?name=%s", name ? name : "config");
	code = client_send(call, "POST", target, text, length, &answer, error);
	if (!code && call->json)
		code = print_json(answer, error);
	else if (!code)
		talk("%s: applied, %.0f steps, %.0f slots moved", path,
		     field_number(answer, "steps"), field_number(answer, "slots_moved"));
	json_decref(answer);
	free(name);
	free(text);
	return code;
}

static int check_run(struct call *call, struct error *error)
{
	const char *path = call_text(call, "FILE");
	struct config *config = NULL;
	size_t length, backends = 0;
	char *text = NULL;
	int code = file_read(path, CONFIG_SIZE_MAX, &text, &length, error);

	if (!code)
		code = config_parse(text, length, path, &config, error);
	free(text);
	if (!code && config_load_lists(config, file_read, error)) {
		config_free(config);
		code = -EINVAL;
	}
	if (code)
		/* What the file says is wrong, not how the verb was called. */
		return code == -EINVAL ? -EBADMSG : code;
	for (size_t i = 0; i < config->service_count; i++)
		backends += config->services[i].backend_count;
	talk("%s: valid; %zu interfaces, %zu services, %zu backends", path, config->interface_count,
	     config->service_count, backends);
	config_free(config);
	return 0;
}

const struct verb config_verbs[] = {
	{
		.name = "apply",
		.summary = "make a whole config take effect: all of it, or nothing",
		.example = "sluice apply -f /etc/sluice/sluice.yaml",
		.parameters =
			{
				{.name = "--file",
				 .letter = 'f',
				 .value = "FILE",
				 .kind = PARAMETER_TEXT,
				 .required = true,
				 .help = "the config; - is standard input"},
			},
		.run = apply_run,
	},
	{
		.name = "config check",
		.summary = "check a config file without an agent",
		.example = "sluice config check /etc/sluice/sluice.yaml",
		.local = true,
		.parameters =
			{
				{.name = "FILE",
				 .kind = PARAMETER_TEXT,
				 .required = true,
				 .help = "the config; - is standard input"},
			},
		.run = check_run,
	},
	{0},
};

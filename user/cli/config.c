// SPDX-License-Identifier: GPL-2.0-only
/* The verbs "config ...": what can be done with a whole configuration without changing anything. */
#include "model/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "cli/client.h"
#include "cli/input.h"
#include "cli/output.h"
#include "model/config_yaml.h"

#define CONFIG_SIZE_MAX (16u << 20)

static int check_run(struct call *call, struct error *error)
{
	const char *path = call_text(call, "FILE");
	struct config *config = NULL;
	size_t length, backends = 0;
	char *text = NULL;
	int code = input_read(path, CONFIG_SIZE_MAX, &text, &length, error);

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

/* The text is a config; so is the JSON. */
static int dump_run(struct call *call, struct error *error)
{
	json_t *answer = NULL;
	char *text;
	int code = client_get(call, &answer, error, "/v1/config");

	if (code)
		return code;
	if (call->json) {
		code = print_json(answer, error);
	} else {
		text = yaml_format(answer);
		if (text)
			fputs(text, stdout);
		else
			code = error_set(error, -ENOMEM, "memory: used up; free some");
		free(text);
	}
	json_decref(answer);
	return code;
}

const struct verb config_verbs[] = {
	{
		.name = "config dump",
		.summary = "write what is running as a config, which 'apply' accepts",
		.example = "sluice config dump > running.yaml",
		.run = dump_run,
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

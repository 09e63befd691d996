// SPDX-License-Identifier: GPL-2.0-only
/* A config file on its way to the agent. */
#include "cli/sending.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/client.h"
#include "cli/input.h"

#define CONFIG_SIZE_MAX (16u << 20)

int sending_read(const char *path, struct sending *sending, struct error *error)
{
	int code = input_read(path, CONFIG_SIZE_MAX, &sending->text, &sending->length, error);

	if (!code)
		sending->name = client_escape(path);
	return code;
}

void sending_clear(struct sending *sending)
{
	free(sending->text);
	free(sending->name);
}

int sending_post(const struct call *call, const struct sending *sending, const char *path,
		 json_t **ret_answer, struct error *error)
{
	char target[1536];

	snprintf(target, sizeof(target), "%s?name=%s", path,
		 sending->name ? sending->name : "config");
	return client_send(call, "POST", target, sending->text, sending->length, ret_answer, error);
}

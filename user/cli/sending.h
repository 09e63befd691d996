/* SPDX-License-Identifier: GPL-2.0-only */
/* A config file on its way to the agent: plan, apply and diff send one. */
#ifndef CLI_SENDING_H
#define CLI_SENDING_H

#include <jansson.h>
#include <stddef.h>

#include "base/error.h"
#include "cli/verb.h"

struct sending {
	char *text, *name; /* name: the path, as it stands in a URL */
	size_t length;
};

/* sending_read - a file, or standard input for "-". To be cleared in either case. */
int sending_read(const char *path, struct sending *sending, struct error *error);
void sending_clear(struct sending *sending);

/* sending_post - the text to an API path; the answer is a new reference. 0 or -errno. */
int sending_post(const struct call *call, const struct sending *sending, const char *path,
		 json_t **ret_answer, struct error *error);

#endif

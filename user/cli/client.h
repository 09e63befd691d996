/* SPDX-License-Identifier: GPL-2.0-only */
/* One request to the agent over its Unix socket. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <jansson.h>

#include "base/error.h"
#include "cli/verb.h"

#define SOCKET_DEFAULT "/run/sluice/sluice.sock"

/*
 * client_get, client_change - the answer is a new reference; body (may be NULL) is released.
 * Returns 0, or -errno with a message: what the agent said, or why it could not be asked.
 * path_format makes the path; what goes into it are names, which need no escapes.
 */
int client_get(const struct call *call, json_t **ret_answer, struct error *error,
	       const char *path_format, ...) __attribute__((format(printf, 4, 5)));
int client_change(const struct call *call, const char *method, json_t *body, json_t **ret_answer,
		  struct error *error, const char *path_format, ...)
	__attribute__((format(printf, 6, 7)));

/* client_send - the same with a text of any kind as the body, and a whole path. */
int client_send(const struct call *call, const char *method, const char *path, const char *text,
		size_t length, json_t **ret_answer, struct error *error);

/*
 * client_lines - GET of an answer that goes on: each line of it, without its end, until it ends or
 * come returns false. Returns 0 at its end, or -errno with a message.
 */
int client_lines(const struct call *call, const char *path,
		 bool (*come)(void *context, const char *line, size_t length), void *context,
		 struct error *error);

/* client_escape - text as it stands in a URL; the caller frees it. NULL: no memory. */
char *client_escape(const char *text);

#endif

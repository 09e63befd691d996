/* SPDX-License-Identifier: GPL-2.0-only */
/* The API on the Unix socket; docs/API.md describes it. */
#ifndef AGENT_API_H
#define AGENT_API_H

#include "agent/api_http.h"

/* api_handle - answers a request; context is the agent. */
void api_handle(void *context, const struct http_request *request, struct http_response *response);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* GET /metrics (Prometheus text) and GET /healthz, on the TCP address. */
#ifndef AGENT_METRICS_H
#define AGENT_METRICS_H

#include "agent/api_http.h"

/* metrics_handle - answers a request; context is the agent. */
void metrics_handle(void *context, const struct http_request *request,
		    struct http_response *response);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* A request on its way through the API: what api.c routes and the other api_*.c answer. */
#ifndef AGENT_API_CALL_H
#define AGENT_API_CALL_H

#include <jansson.h>

#include "agent/agent.h"
#include "agent/api_http.h"
#include "base/error.h"

struct api_call {
	struct agent *agent;
	const struct http_request *request;
	const char *names[2]; /* the path's own parts: a service or interface, a backend */
	json_t *body;         /* of requests with a JSON body: an object, {} for an empty body */
	json_t *answer;       /* to be set: a new reference */
	int status;           /* of a success; 200 at first */
	struct http_stream stream; /* to be set instead of the answer, if it is to go on */
};

/*
 * Handlers return 0, or -errno with a message: -EINVAL is answered with 400, -ENOENT and -ENODEV
 * with 404, -EEXIST, -EBUSY, -EPERM and -ENOSPC with 409, all else with 500.
 */
typedef int (*api_handler_fn)(struct api_call *call, struct error *error);

/* api_pool, api_backend - what the path names, or -ENOENT with a message. */
int api_pool(const struct api_call *call, const struct pool **ret_pool, struct error *error);
int api_backend(const struct api_call *call, const struct pool **ret_pool,
		const struct pool_backend **ret_backend, struct error *error);

/*
 * api_cause - of a change that this request asks for: the person at the other end of the socket,
 * and why, in words.
 */
struct change_cause api_cause(const struct api_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* api_change.c */
int api_config_post(struct api_call *call, struct error *error);
int api_service_post(struct api_call *call, struct error *error);
int api_service_delete(struct api_call *call, struct error *error);
int api_backend_post(struct api_call *call, struct error *error);
int api_backend_delete(struct api_call *call, struct error *error);
int api_drain_post(struct api_call *call, struct error *error);
int api_undrain_post(struct api_call *call, struct error *error);
int api_maint_post(struct api_call *call, struct error *error);
int api_ready_post(struct api_call *call, struct error *error);
int api_weight_put(struct api_call *call, struct error *error);
int api_scale_patch(struct api_call *call, struct error *error);
int api_pause_post(struct api_call *call, struct error *error);
int api_resume_post(struct api_call *call, struct error *error);
int api_interface_put(struct api_call *call, struct error *error);
int api_interface_delete(struct api_call *call, struct error *error);

/* api_plan.c */
int api_plan_post(struct api_call *call, struct error *error);

/* api_running.c */
int api_config_get(struct api_call *call, struct error *error);
int api_diff_get(struct api_call *call, struct error *error);
int api_diff_post(struct api_call *call, struct error *error);

/* api_doctor.c */
int api_doctor_get(struct api_call *call, struct error *error);

/* api_decap.c */
int api_decap_get(struct api_call *call, struct error *error);
int api_decap_put(struct api_call *call, struct error *error);
int api_decap_delete(struct api_call *call, struct error *error);

/* api_events.c */
int api_events_get(struct api_call *call, struct error *error);
int api_journal_get(struct api_call *call, struct error *error);
int api_scale_history_get(struct api_call *call, struct error *error);
int api_check_get(struct api_call *call, struct error *error);

/* api_flows.c */
int api_flows_get(struct api_call *call, struct error *error);

/* api_guard.c */
int api_guard_get(struct api_call *call, struct error *error);
int api_guard_put(struct api_call *call, struct error *error);
int api_guard_delete(struct api_call *call, struct error *error);

#endif

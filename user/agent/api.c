// SPDX-License-Identifier: GPL-2.0-only
/* Routes requests to their handlers, and turns outcomes into answers. */
#include "agent/api.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api_call.h"
#include "agent/view.h"
#include "agent/view_health.h"
#include "base/log.h"
#include "base/text.h"
#include "model/missing.h"

int api_pool(const struct api_call *call, const struct pool **ret_pool, struct error *error)
{
	*ret_pool = state_pool(call->agent->desired->state, call->names[0]);
	if (*ret_pool)
		return 0;
	return service_missing(call->agent->desired->state, call->names[0], error);
}

int api_backend(const struct api_call *call, const struct pool **ret_pool,
		const struct pool_backend **ret_backend, struct error *error)
{
	int err = api_pool(call, ret_pool, error);

	if (err)
		return err;
	*ret_backend = pool_backend(*ret_pool, call->names[1]);
	if (*ret_backend)
		return 0;
	return backend_missing(*ret_pool, call->names[1], error);
}

/*
 * The name of a uid in /etc/passwd. Not by NSS, which may ask a directory over the network: the
 * loop would wait for it.
 */
static void user_name(uint32_t uid, char name[CAUSE_USER_MAX])
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *entry;

	*name = '\0';
	while (file && (entry = fgetpwent(file)) != NULL) {
		if (entry->pw_uid != uid)
			continue;
		snprintf(name, CAUSE_USER_MAX, "%s", entry->pw_name);
		break;
	}
	if (file)
		fclose(file);
}

struct change_cause api_cause(const struct api_call *call, const char *format, ...)
{
	const struct http_peer *peer = &call->request->peer;
	struct change_cause cause = {
		.kind = CAUSE_PERSON,
		.peer_known = peer->known,
		.uid = peer->uid,
		.pid = peer->pid,
	};
	va_list arguments;

	if (peer->known)
		user_name(peer->uid, cause.user);
	va_start(arguments, format);
	text_format(cause.why, sizeof(cause.why), format, arguments);
	va_end(arguments);
	return cause;
}

/* ------------------------------------------------------------------ readers */

static int status_get(struct api_call *call, struct error *error)
{
	(void)error;
	call->answer = view_status(call->agent);
	return 0;
}

static int services_get(struct api_call *call, struct error *error)
{
	(void)error;
	call->answer = view_services(call->agent);
	return 0;
}

static int service_get(struct api_call *call, struct error *error)
{
	const struct pool *pool;
	int err = api_pool(call, &pool, error);

	if (!err)
		call->answer = view_service(call->agent, pool);
	return err;
}

static int backends_get(struct api_call *call, struct error *error)
{
	const struct pool *pool;
	int err = api_pool(call, &pool, error);

	if (!err)
		call->answer = view_backends(call->agent, pool);
	return err;
}

static int backend_get(struct api_call *call, struct error *error)
{
	const struct pool_backend *backend;
	const struct pool *pool;
	int err = api_backend(call, &pool, &backend, error);

	if (!err)
		call->answer = view_backend(call->agent, pool, backend);
	return err;
}

static int healths_get(struct api_call *call, struct error *error)
{
	(void)error;
	call->answer = view_healths(call->agent);
	return 0;
}

static int health_get(struct api_call *call, struct error *error)
{
	const struct pool *pool;
	int err = api_pool(call, &pool, error);

	if (!err)
		call->answer = view_health(call->agent, pool);
	return err;
}

static int scales_get(struct api_call *call, struct error *error)
{
	(void)error;
	call->answer = view_scales(call->agent);
	return 0;
}

static int scale_get(struct api_call *call, struct error *error)
{
	const struct pool *pool;
	int err = api_pool(call, &pool, error);

	if (err)
		return err;
	if (!pool->service->autoscale)
		return error_set(error, -ENOENT,
				 "service %s: does not scale; give it `autoscale` in the config",
				 call->names[0]);
	call->answer = view_scale(call->agent, pool);
	return 0;
}

/* ------------------------------------------------------------------ routes */

enum method {
	METHOD_GET, /* and HEAD */
	METHOD_POST,
	METHOD_PUT,
	METHOD_PATCH,
	METHOD_DELETE,
	METHODS,
};
static const char *const method_names[METHODS] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

struct route {
	const char *path;  /* '*' stands for one part, kept in names[] */
	const char *allow; /* the methods it has */
	api_handler_fn handlers[METHODS];
	bool text_body; /* the body is not JSON */
};

static const struct route routes[] = {
	{"/v1/status", "GET, HEAD", {[METHOD_GET] = status_get}, false},
	{"/v1/config",
	 "GET, HEAD, POST",
	 {[METHOD_GET] = api_config_get, [METHOD_POST] = api_config_post},
	 true},
	{"/v1/diff",
	 "GET, HEAD, POST",
	 {[METHOD_GET] = api_diff_get, [METHOD_POST] = api_diff_post},
	 true},
	{"/v1/plan", "POST", {[METHOD_POST] = api_plan_post}, true},
	{"/v1/services",
	 "GET, HEAD, POST",
	 {[METHOD_GET] = services_get, [METHOD_POST] = api_service_post},
	 false},
	{"/v1/services/*",
	 "GET, HEAD, DELETE",
	 {[METHOD_GET] = service_get, [METHOD_DELETE] = api_service_delete},
	 false},
	{"/v1/services/*/backends",
	 "GET, HEAD, POST",
	 {[METHOD_GET] = backends_get, [METHOD_POST] = api_backend_post},
	 false},
	{"/v1/services/*/backends/*",
	 "GET, HEAD, DELETE",
	 {[METHOD_GET] = backend_get, [METHOD_DELETE] = api_backend_delete},
	 false},
	{"/v1/services/*/backends/*/drain", "POST", {[METHOD_POST] = api_drain_post}, false},
	{"/v1/services/*/backends/*/undrain", "POST", {[METHOD_POST] = api_undrain_post}, false},
	{"/v1/services/*/backends/*/maint", "POST", {[METHOD_POST] = api_maint_post}, false},
	{"/v1/services/*/backends/*/ready", "POST", {[METHOD_POST] = api_ready_post}, false},
	{"/v1/health", "GET, HEAD", {[METHOD_GET] = healths_get}, false},
	{"/v1/health/*", "GET, HEAD", {[METHOD_GET] = health_get}, false},
	{"/v1/services/*/backends/*/weight", "PUT", {[METHOD_PUT] = api_weight_put}, false},
	{"/v1/scale", "GET, HEAD", {[METHOD_GET] = scales_get}, false},
	{"/v1/scale/*",
	 "GET, HEAD, PATCH",
	 {[METHOD_GET] = scale_get, [METHOD_PATCH] = api_scale_patch},
	 false},
	{"/v1/scale/*/history", "GET, HEAD", {[METHOD_GET] = api_scale_history_get}, false},
	{"/v1/scale/*/pause", "POST", {[METHOD_POST] = api_pause_post}, false},
	{"/v1/scale/*/resume", "POST", {[METHOD_POST] = api_resume_post}, false},
	{"/v1/doctor", "GET, HEAD", {[METHOD_GET] = api_doctor_get}, false},
	{"/v1/events", "GET, HEAD", {[METHOD_GET] = api_events_get}, false},
	{"/v1/check", "GET, HEAD", {[METHOD_GET] = api_check_get}, false},
	{"/v1/journal", "GET, HEAD", {[METHOD_GET] = api_journal_get}, false},
	{"/v1/flows", "GET, HEAD", {[METHOD_GET] = api_flows_get}, false},
	{"/v1/guard",
	 "GET, HEAD, PUT, DELETE",
	 {[METHOD_GET] = api_guard_get,
	  [METHOD_PUT] = api_guard_put,
	  [METHOD_DELETE] = api_guard_delete},
	 false},
	{"/v1/decap", "GET, HEAD", {[METHOD_GET] = api_decap_get}, false},
	{"/v1/decap/*",
	 "PUT, DELETE",
	 {[METHOD_PUT] = api_decap_put, [METHOD_DELETE] = api_decap_delete},
	 false},
	{"/v1/interfaces/*",
	 "PUT, DELETE",
	 {[METHOD_PUT] = api_interface_put, [METHOD_DELETE] = api_interface_delete},
	 false},
};
#define ROUTE_COUNT (sizeof(routes) / sizeof(routes[0]))

/*
 * Whether path fits pattern; the parts that '*' stands for are cut out of path in place, when cut
 * is set, into names.
 */
static bool path_fits(const char *pattern, char *path, const char *names[2], bool cut)
{
	size_t count = 0;

	while (*pattern) {
		size_t length;

		if (*pattern != '*') {
			if (*pattern++ != *path++)
				return false;
			continue;
		}
		length = strcspn(path, "/");
		if (!length)
			return false;
		if (cut) {
			/* The end of this part is the '/' that both have there, or the end. */
			names[count++] = path;
			if (path[length]) {
				path[length] = '\0';
				pattern++;
				path++;
			}
		}
		path += length;
		pattern++;
	}
	return !*path;
}

static const struct route *route_find(char *path, const char *names[2])
{
	for (size_t i = 0; i < ROUTE_COUNT; i++) {
		if (path_fits(routes[i].path, path, names, false)) {
			path_fits(routes[i].path, path, names, true);
			return &routes[i];
		}
	}
	return NULL;
}

/* NULL if the path does not take the method. */
static api_handler_fn handler_find(const struct route *route, const char *method)
{
	const char *wanted = strcmp(method, "HEAD") ? method : "GET";

	for (int i = 0; i < METHODS; i++) {
		if (!strcmp(method_names[i], wanted))
			return route->handlers[i];
	}
	return NULL;
}

/* ------------------------------------------------------------------ answers */

static int error_status(int err)
{
	switch (err) {
	case -EINVAL:
		return 400;
	case -ENOENT:
	case -ENODEV:
		return 404;
	case -EEXIST:
	case -EBUSY:
	case -EPERM:
	case -ENOSPC:
		return 409;
	default:
		return 500;
	}
}

static void answer_json(struct http_response *response, int status, json_t *answer)
{
	response->status = status;
	response->body = answer ? json_dumps(answer, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
	if (!response->body) {
		response->status = 500;
		response->body = strdup("{\"error\": \"answer: out of memory\"}");
	}
	response->length = response->body ? strlen(response->body) : 0;
	json_decref(answer);
}

static void answer_error(struct http_response *response, int status, const char *text)
{
	/* A message quotes what was sent, which need not be UTF-8. */
	json_t *message = json_string(text);

	if (!message)
		message = json_string("request: it is not UTF-8; send UTF-8");
	answer_json(response, status, json_pack("{so}", "error", message));
}

static int body_read(struct api_call *call, struct error *error)
{
	json_error_t json_error;

	if (!call->request->body_length) {
		call->body = json_object();
		return call->body ? 0 : error_set(error, -ENOMEM, "request: out of memory");
	}
	call->body = json_loadb(call->request->body, call->request->body_length,
				JSON_REJECT_DUPLICATES, &json_error);
	if (!call->body)
		return error_set(error, -EINVAL, "request body:%d:%d: %s; send a JSON object",
				 json_error.line, json_error.column, json_error.text);
	if (!json_is_object(call->body))
		return error_set(error, -EINVAL, "request body: no JSON object; send one");
	return 0;
}

/* Paths are names, never secrets; bodies, which may have some, are not logged. */
static void request_log(const struct api_call *call, const char *outcome)
{
	struct change_cause cause = api_cause(call, "%s", "");
	char who[CAUSE_WHO_MAX];

	log_info("api: %s %s by %s: %s", call->request->method, call->request->path,
		 cause_who(&cause, who), outcome);
}

static void handler_run(api_handler_fn handler, bool text_body, struct api_call *call,
			struct http_response *response)
{
	struct error error = {""};
	int err = text_body ? 0 : body_read(call, &error);

	if (!err)
		err = handler(call, &error);
	json_decref(call->body);
	if (strcmp(call->request->method, "GET"))
		request_log(call, err ? error.text : "done");
	if (err) {
		json_decref(call->answer);
		answer_error(response, error_status(err),
			     *error.text ? error.text : strerror(-err));
	} else if (call->stream.read) {
		response->type = "application/x-ndjson";
		response->stream = call->stream;
	} else {
		answer_json(response, call->status, call->answer);
	}
}

void api_handle(void *context, const struct http_request *request, struct http_response *response)
{
	struct api_call call = {.agent = context, .request = request, .status = 200};
	char *path = strdup(request->path);
	const struct route *route = path ? route_find(path, call.names) : NULL;
	api_handler_fn handler = route ? handler_find(route, request->method) : NULL;
	struct error error;

	if (handler) {
		handler_run(handler, route->text_body, &call, response);
	} else if (route) {
		error_set(&error, 0, "%s %s: the path does not take this method; it takes %s",
			  request->method, request->path, route->allow);
		answer_error(response, 405, error.text);
		response->allow = route->allow;
	} else {
		error_set(&error, 0, "%s: there is no such path; see docs/API.md", request->path);
		answer_error(response, 404, error.text);
	}
	free(path);
}

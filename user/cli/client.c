// SPDX-License-Identifier: GPL-2.0-only
/* One request to the agent over its Unix socket, by libcurl; says why if there is no answer. */
#include "cli/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#define REPLY_MAX (256u << 20)

struct reply {
	char *text;
	size_t length;
};

static size_t reply_append(char *data, size_t size, size_t count, void *context)
{
	struct reply *reply = context;
	size_t length = size * count;
	char *text;

	if (length > REPLY_MAX - reply->length)
		return 0;
	text = realloc(reply->text, reply->length + length + 1);
	if (!text)
		return 0;
	memcpy(text + reply->length, data, length);
	reply->text = text;
	reply->length += length;
	text[reply->length] = '\0';
	return length;
}

/* Whom the socket admits, and how to become one of them. */
static int denied_set(const char *socket, struct error *error)
{
	const struct group *group = NULL;
	struct stat facts;

	if (!stat(socket, &facts) && facts.st_gid)
		group = getgrgid(facts.st_gid);
	if (!group)
		return error_set(error, -EACCES,
				 "agent at %s: permission denied, it is root's alone; run this as "
				 "root, or name a group in agent.socket_group",
				 socket);
	return error_set(error, -EACCES,
			 "agent at %s: permission denied, it is for root and the group %s; run "
			 "this as root, or join the group: usermod -aG %s USER, and log in again",
			 socket, group->gr_name, group->gr_name);
}

/* The request got no answer: say what is the matter with the socket, and what to do. */
static int request_failed(const char *socket, CURL *curl, CURLcode result, struct error *error)
{
	long number = 0;

	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &number);
	if (result != CURLE_COULDNT_CONNECT)
		return error_set(error, -EIO,
				 "agent at %s: the request was cut short (%s); look at the agent's "
				 "log, then try again",
				 socket, curl_easy_strerror(result));
	if (number == EACCES || number == EPERM)
		return denied_set(socket, error);
	if (number == ENOENT)
		return error_set(
			error, -ENOENT,
			"agent at %s: not running, there is no such socket; start sluiced, "
			"or name its socket with --socket",
			socket);
	if (number == ECONNREFUSED)
		return error_set(error, -ECONNREFUSED,
				 "agent at %s: not running, nobody listens on the socket; start "
				 "sluiced",
				 socket);
	return error_set(error, -EIO, "agent at %s: %s; see that it is the socket of sluiced",
			 socket, number ? strerror((int)number) : curl_easy_strerror(result));
}

/* Turn the reply into the answer, or into the error that it reports. */
static int reply_read(const char *socket, const struct reply *reply, long status,
		      json_t **ret_answer, struct error *error)
{
	json_t *answer = NULL;
	const char *text;

	if (status == 204 && !reply->length)
		answer = json_object();
	else if (reply->text)
		answer = json_loadb(reply->text, reply->length, 0, NULL);
	if (!answer)
		return error_set(
			error, -EPROTO,
			"agent at %s: answered with status %ld and no JSON; see that it is "
			"the socket of sluiced",
			socket, status);
	if (status < 400) {
		*ret_answer = answer;
		return 0;
	}
	text = json_string_value(json_object_get(answer, "error"));
	if (text)
		error_set(error, 0, "%s", text);
	else
		error_set(error, 0, "agent at %s: refused with status %ld; look at its log", socket,
			  status);
	json_decref(answer);
	return status == 404 ? -ENOENT : -EREMOTEIO;
}

static int request_send(CURL *curl, const char *socket, long timeout_s, const char *method,
			const char *path, const char *text, size_t length, json_t **ret_answer,
			struct error *error)
{
	struct reply reply = {0};
	char url[2048];
	CURLcode result;
	long status = 0;
	int code;

	if (snprintf(url, sizeof(url), "http://sluice%s", path) >= (int)sizeof(url))
		return error_set(error, -EINVAL, "request: too long; use shorter names");
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, reply_append);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, timeout_s ? timeout_s : 120L);
	if (text) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text);
	}
	result = curl_easy_perform(curl);
	if (result == CURLE_OK) {
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
		code = reply_read(socket, &reply, status, ret_answer, error);
	} else {
		code = request_failed(socket, curl, result, error);
	}
	free(reply.text);
	return code;
}

int client_send(const struct call *call, const char *method, const char *path, const char *text,
		size_t length, json_t **ret_answer, struct error *error)
{
	const size_t limit = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	struct curl_slist *headers;
	CURL *curl;
	int code;

	if (strlen(call->socket) > limit)
		return error_set(error, -EINVAL,
				 "--socket: '%s' is longer than the %zu characters that a Unix "
				 "socket may have; use a shorter path",
				 call->socket, limit);
	curl = curl_easy_init();
	/* No "Expect: 100-continue": it only costs a round trip here. */
	headers = curl_slist_append(NULL, "Expect:");
	if (curl && headers) {
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
		code = request_send(curl, call->socket, call->timeout_s, method, path, text, length,
				    ret_answer, error);
	} else {
		code = error_set(error, -ENOMEM, "memory: used up; free some");
	}
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	return code;
}

static int client_json(const struct call *call, const char *method, const json_t *body,
		       json_t **ret_answer, struct error *error, const char *format, va_list list)
{
	char path[1536], *text = NULL;
	int code;

	if (vsnprintf(path, sizeof(path), format, list) >= (int)sizeof(path))
		return error_set(error, -EINVAL, "request: too long; use shorter names");
	if (body && !(text = json_dumps(body, JSON_COMPACT)))
		return error_set(error, -ENOMEM, "memory: used up; free some");
	code = client_send(call, method, path, text, text ? strlen(text) : 0, ret_answer, error);
	free(text);
	return code;
}

int client_get(const struct call *call, json_t **ret_answer, struct error *error,
	       const char *path_format, ...)
{
	va_list list;
	int code;

	va_start(list, path_format);
	code = client_json(call, "GET", NULL, ret_answer, error, path_format, list);
	va_end(list);
	return code;
}

int client_change(const struct call *call, const char *method, json_t *body, json_t **ret_answer,
		  struct error *error, const char *path_format, ...)
{
	va_list list;
	int code;

	va_start(list, path_format);
	code = client_json(call, method, body, ret_answer, error, path_format, list);
	va_end(list);
	json_decref(body);
	return code;
}

/* ------------------------------------------------------------------ an answer that goes on */

struct lines {
	struct reply rest; /* of a line that has not ended; all of it, if it is an error */
	CURL *curl;
	bool (*come)(void *context, const char *line, size_t length);
	void *context;
	bool enough;
};

static size_t lines_append(char *data, size_t size, size_t count, void *context)
{
	struct lines *lines = context;
	size_t length = size * count;
	const char *start, *end;
	long status = 0;

	if (reply_append(data, size, count, &lines->rest) != length)
		return 0;
	curl_easy_getinfo(lines->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 400)
		return length;
	start = lines->rest.text;
	while (!lines->enough && (end = strchr(start, '\n')) != NULL) {
		lines->enough = !lines->come(lines->context, start, (size_t)(end - start));
		start = end + 1;
	}
	lines->rest.length -= (size_t)(start - lines->rest.text);
	memmove(lines->rest.text, start, lines->rest.length + 1);
	return lines->enough ? 0 : length;
}

int client_lines(const struct call *call, const char *path,
		 bool (*come)(void *context, const char *line, size_t length), void *context,
		 struct error *error)
{
	struct lines lines = {.come = come, .context = context, .curl = curl_easy_init()};
	json_t *answer = NULL;
	char url[2048];
	long status = 0;
	CURLcode result;
	int code = 0;

	if (!lines.curl)
		return error_set(error, -ENOMEM, "memory: used up; free some");
	snprintf(url, sizeof(url), "http://sluice%s", path);
	curl_easy_setopt(lines.curl, CURLOPT_UNIX_SOCKET_PATH, call->socket);
	curl_easy_setopt(lines.curl, CURLOPT_URL, url);
	curl_easy_setopt(lines.curl, CURLOPT_PROXY, "");
	curl_easy_setopt(lines.curl, CURLOPT_WRITEFUNCTION, lines_append);
	curl_easy_setopt(lines.curl, CURLOPT_WRITEDATA, &lines);
	result = curl_easy_perform(lines.curl);
	curl_easy_getinfo(lines.curl, CURLINFO_RESPONSE_CODE, &status);
	if (result != CURLE_OK && !lines.enough)
		code = request_failed(call->socket, lines.curl, result, error);
	else if (status >= 400)
		code = reply_read(call->socket, &lines.rest, status, &answer, error);
	json_decref(answer);
	free(lines.rest.text);
	curl_easy_cleanup(lines.curl);
	return code;
}

char *client_escape(const char *text)
{
	char *escaped = curl_easy_escape(NULL, text, 0);
	char *copy = escaped ? strdup(escaped) : NULL;

	curl_free(escaped);
	return copy;
}

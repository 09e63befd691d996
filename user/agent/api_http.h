/* SPDX-License-Identifier: GPL-2.0-only */
/* A small HTTP server on the agent's loop: a whole request in, a whole response out. */
#ifndef AGENT_API_HTTP_H
#define AGENT_API_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "base/error.h"

#define HTTP_BODY_MAX (4u * 1024 * 1024)

/* The process at the other end of a Unix socket, as it was when it connected. */
struct http_peer {
	bool known;
	uint32_t uid, gid, pid;
};

struct http_request {
	const char *method;
	const char *path;
	const char *body; /* NUL-terminated; "" if there is none */
	size_t body_length;
	void *connection; /* for http_query */
	struct http_peer peer;
};

/*
 * A body that comes as it is made. read fills the buffer and returns how many bytes there are; 0:
 * none now, it is asked again after http_streams_wake. free is called once, at the end.
 */
struct http_stream {
	size_t (*read)(void *context, char *buffer, size_t room);
	void (*free)(void *context);
	void *context;
};

struct http_response {
	int status;
	const char *type;  /* media type, a constant */
	const char *allow; /* of a 405: the methods that the path has, a constant */
	char *body;        /* malloc'ed; the server frees it */
	size_t length;
	struct http_stream stream; /* in place of a body, if it has a read; see http_stream_room */
};

typedef void (*http_handler_fn)(void *context, const struct http_request *request,
				struct http_response *response);

struct http_server;

/*
 * http_server_new_unix - listen on a Unix socket with mode 0660, of a group. Its folder is made; a socket file
 * that nobody answers is replaced. -EADDRINUSE if somebody does answer.
 */
int http_server_new_unix(uv_loop_t *loop, const char *path, gid_t group, http_handler_fn handler,
			 void *context, struct http_server **ret_server, struct error *error);

/* http_server_new_tcp - listen on "address:port" or "[v6]:port". */
int http_server_new_tcp(uv_loop_t *loop, const char *address, http_handler_fn handler,
			void *context, struct http_server **ret_server, struct error *error);

/*
 * Streams of one server: at most HTTP_STREAMS_MAX. While nothing comes, an empty line does every few
 * seconds, which finds out whether the reader has gone; one that does not read is let go.
 */
#define HTTP_STREAMS_MAX 16u
bool http_stream_room(const struct http_server *server);

/* http_streams_wake - ask each stream that waits whether there is something now. Takes NULL. */
void http_streams_wake(struct http_server *server);

/* http_server_free - close everything, remove the socket file. Takes NULL. */
void http_server_free(struct http_server *server);

/* http_query - the value of ?name=, or NULL. It lives as long as the request. */
const char *http_query(const struct http_request *request, const char *name);

/* http_socket_answers - whether somebody listens on a Unix socket. */
int http_socket_answers(const char *path);

#endif

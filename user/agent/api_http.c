// SPDX-License-Identifier: GPL-2.0-only
/* libmicrohttpd on the agent's loop: its epoll descriptor is polled, its timeouts are a timer. */
#include "agent/api_http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/api_stream.h"
#include "base/file.h"
#include "base/log.h"

#define CONNECTIONS_MAX 64u
#define IDLE_TIMEOUT_S  10u
/* Bytes that only trickle hold a connection no longer than this. */
#define REQUEST_MS  30000u
#define HEADERS_MAX ((size_t)32 * 1024) /* memory of one connection, headers included */
/* Of a listener that takes no changes: what is sent to it is not kept. */
#define TCP_BODY_MAX ((size_t)4 * 1024)

/* A connection, and when the request on it is to be over. */
struct peer {
	struct peer *next, **link;
	int fd;
	uint64_t deadline_ms;
};

struct http_server {
	struct MHD_Daemon *daemon;
	size_t body_max;
	struct peer *peers;
	struct http_streams streams;
	uv_poll_t poll;
	uv_timer_t timer;
	int open_handles;
	http_handler_fn handler;
	void *context;
	char *socket_path; /* of a Unix socket, to be removed */
};

/* A request whose body is still arriving. */
struct upload {
	char *body;
	size_t length, room;
	bool too_long;
	bool no_memory;
};

const char *http_query(const struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

static struct http_peer peer_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (!info || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) ||
	    peer.pid <= 0)
		return (struct http_peer){.known = false};
	return (struct http_peer){true, peer.uid, peer.gid, (uint32_t)peer.pid};
}

static void upload_add(struct upload *upload, size_t max, const char *bytes, size_t length)
{
	if (length > max - upload->length) {
		upload->too_long = true;
		return;
	}
	if (upload->length + length + 1 > upload->room) {
		size_t room = (upload->length + length + 1) * 2;
		char *body = realloc(upload->body, room);

		if (!body) {
			upload->no_memory = true;
			return;
		}
		upload->body = body;
		upload->room = room;
	}
	memcpy(upload->body + upload->length, bytes, length);
	upload->length += length;
	upload->body[upload->length] = '\0';
}

static void response_error(struct http_response *response, int status, const char *text)
{
	response->status = status;
	response->type = "application/json";
	response->body = strdup(text);
	response->length = response->body ? strlen(response->body) : 0;
}

/* The request is over when it is asked for; the answer is not to be. */
static void deadline_lift(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct peer *peer = info ? info->socket_context : NULL;

	if (peer)
		peer->deadline_ms = UINT64_MAX;
}

static enum MHD_Result response_queue(struct http_server *server, struct MHD_Connection *connection,
				      struct http_response *response)
{
	struct MHD_Response *reply;
	enum MHD_Result result;

	if (response->stream.read) {
		reply = streams_response(&server->streams, connection, &response->stream);
		deadline_lift(connection);
	} else {
		reply = MHD_create_response_from_buffer(
			response->length, response->body ? response->body : (char[]){""},
			response->body ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_MUST_COPY);
	}
	if (!reply) {
		free(response->body);
		return MHD_NO;
	}
	if (response->type)
		MHD_add_response_header(reply, MHD_HTTP_HEADER_CONTENT_TYPE, response->type);
	if (response->allow)
		MHD_add_response_header(reply, MHD_HTTP_HEADER_ALLOW, response->allow);
	MHD_add_response_header(reply, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	result = MHD_queue_response(connection, (unsigned int)response->status, reply);
	MHD_destroy_response(reply);
	return result;
}

static enum MHD_Result request_handle(void *context, struct MHD_Connection *connection,
				      const char *path, const char *method, const char *version,
				      const char *upload_data, size_t *upload_size,
				      void **connection_state)
{
	struct http_server *server = context;
	struct upload *upload = *connection_state;
	struct http_response response = {.status = 200, .type = "application/json"};

	(void)version;
	if (!upload) {
		*connection_state = calloc(1, sizeof(*upload));
		return *connection_state ? MHD_YES : MHD_NO;
	}
	if (*upload_size) {
		if (!upload->too_long && !upload->no_memory)
			upload_add(upload, server->body_max, upload_data, *upload_size);
		*upload_size = 0;
		return MHD_YES;
	}
	if (upload->too_long) {
		response_error(&response, 413,
			       server->body_max == HTTP_BODY_MAX
				       ? "{\"error\": \"request body: above 4 MiB; send less\"}"
				       : "{\"error\": \"request body: above 4 KiB; send none\"}");
	} else if (upload->no_memory) {
		response_error(&response, 500, "{\"error\": \"request body: out of memory\"}");
	} else {
		struct http_request request = {
			.method = method,
			.path = path,
			.body = upload->body ? upload->body : "",
			.body_length = upload->length,
			.connection = connection,
			.peer = peer_of(connection),
		};

		server->handler(server->context, &request, &response);
	}
	return response_queue(server, connection, &response);
}

static void request_completed(void *context, struct MHD_Connection *connection,
			      void **connection_state, enum MHD_RequestTerminationCode code)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct peer *peer = info ? info->socket_context : NULL;
	struct http_server *server = context;
	struct upload *upload = *connection_state;

	(void)code;
	if (peer)
		peer->deadline_ms = uv_now(server->timer.loop) + REQUEST_MS;
	if (upload)
		free(upload->body);
	free(upload);
	*connection_state = NULL;
}

static void peer_come(struct http_server *server, struct MHD_Connection *connection,
		      void **socket_context)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct peer *peer = info ? calloc(1, sizeof(*peer)) : NULL;

	if (!peer)
		return;
	*peer = (struct peer){
		.next = server->peers,
		.link = &server->peers,
		.fd = info->connect_fd,
		.deadline_ms = uv_now(server->timer.loop) + REQUEST_MS,
	};
	if (peer->next)
		peer->next->link = &peer->next;
	server->peers = peer;
	*socket_context = peer;
}

static void connection_notified(void *context, struct MHD_Connection *connection,
				void **socket_context, enum MHD_ConnectionNotificationCode code)
{
	struct peer *peer = *socket_context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		peer_come(context, connection, socket_context);
	} else if (peer) {
		*peer->link = peer->next;
		if (peer->next)
			peer->next->link = peer->link;
		free(peer);
		*socket_context = NULL;
	}
}

/* The library has a time-out for silence only: who trickles could keep everybody else out. */
static void peers_cut_off(struct http_server *server)
{
	uint64_t now_ms = uv_now(server->timer.loop);

	for (struct peer *peer = server->peers; peer; peer = peer->next) {
		if (peer->deadline_ms <= now_ms)
			shutdown(peer->fd, SHUT_RDWR); /* which the library sees as its end */
	}
}

static void server_run(struct http_server *server);
static void timer_expired(uv_timer_t *timer);

bool http_stream_room(const struct http_server *server)
{
	return server->streams.count < HTTP_STREAMS_MAX;
}

void http_streams_wake(struct http_server *server)
{
	/* Not run at once: this may be inside of a run. */
	if (server && streams_resume(&server->streams))
		uv_timer_start(&server->timer, timer_expired, 0, 0);
}

static void streams_beat(void *context)
{
	http_streams_wake(context);
}

static void timer_expired(uv_timer_t *timer)
{
	server_run(timer->data);
}

static void poll_ready(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	server_run(poll->data);
}

static unsigned int connection_count(struct http_server *server)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info ? info->num_connections : 0;
}

static void server_run(struct http_server *server)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms;
	bool full = connection_count(server) >= CONNECTIONS_MAX;

	peers_cut_off(server);
	MHD_run(server->daemon);
	/* With no room left the library stops listening; it listens again at the start of a run. */
	if (full && connection_count(server) < CONNECTIONS_MAX)
		MHD_run(server->daemon);
	if (MHD_get_timeout(server->daemon, &timeout_ms) == MHD_YES)
		uv_timer_start(&server->timer, timer_expired, timeout_ms, 0);
	else
		uv_timer_stop(&server->timer);
}

/* A text would end at a NUL, and one name pass for another: it stays as it was written. */
static size_t text_unescape(void *context, struct MHD_Connection *connection, char *text)
{
	(void)context;
	(void)connection;
	return strstr(text, "%00") ? strlen(text) : MHD_http_unescape(text);
}

static void mhd_log(void *context, const char *format, va_list arguments)
{
	char text[256];

	(void)context;
	vsnprintf(text, sizeof(text), format, arguments);
	text[strcspn(text, "\n")] = '\0';
	log_debug("http: %s", text);
}

/* Takes over the listening socket, also on error. */
static int server_new(uv_loop_t *loop, int listener, size_t body_max, http_handler_fn handler,
		      void *context, struct http_server **ret_server, struct error *error)
{
	struct http_server *server = calloc(1, sizeof(*server));
	const union MHD_DaemonInfo *info;

	if (!server)
		goto failed;
	server->body_max = body_max;
	server->handler = handler;
	server->context = context;
	server->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
		request_handle, server, MHD_OPTION_EXTERNAL_LOGGER, mhd_log, NULL,
		MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		HEADERS_MAX, MHD_OPTION_NOTIFY_COMPLETED, request_completed, server,
		MHD_OPTION_NOTIFY_CONNECTION, connection_notified, server,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK, text_unescape, NULL,
		MHD_OPTION_END);
	if (!server->daemon)
		goto failed;
	info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || uv_poll_init(loop, &server->poll, info->epoll_fd)) {
		MHD_stop_daemon(server->daemon);
		free(server);
		return error_set(error, -EIO, "HTTP server: its epoll cannot join the loop");
	}
	uv_timer_init(loop, &server->timer);
	streams_init(&server->streams, loop, streams_beat, server);
	server->open_handles = 3;
	server->poll.data = server->timer.data = server;
	uv_poll_start(&server->poll, UV_READABLE, poll_ready);
	*ret_server = server;
	return 0;

failed:
	close(listener);
	free(server);
	return error_set(error, -ENOMEM, "HTTP server: out of memory");
}

int http_socket_answers(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int answers;
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return 0;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return 0;
	/* EAGAIN: the backlog is full, so there is somebody. */
	answers = !connect(fd, (struct sockaddr *)&address, sizeof(address)) || errno == EAGAIN;
	close(fd);
	return answers;
}

static int folder_make(const char *path, struct error *error)
{
	char *folder = strdup(path), *slash;
	int err = 0;

	if (!folder)
		return error_set(error, -ENOMEM, "%s: out of memory", path);
	slash = strrchr(folder, '/');
	if (slash && slash != folder) {
		*slash = '\0';
		err = file_make_folder(folder, error);
	}
	free(folder);
	return err;
}

static int unix_listen(const char *path, gid_t group, struct error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat status;
	mode_t mask;
	int fd, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(error, -ENAMETOOLONG,
				 "socket %s: the path is longer than %zu bytes; choose a shorter "
				 "agent.socket",
				 path, sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, path);
	err = folder_make(path, error);
	if (err)
		return err;
	if (!lstat(path, &status)) {
		if (!S_ISSOCK(status.st_mode))
			return error_set(error, -EEXIST,
					 "socket %s: a file that is no socket is there; remove it "
					 "or choose another agent.socket",
					 path);
		if (http_socket_answers(path))
			return error_set(error, -EADDRINUSE,
					 "socket %s: another agent answers on it; stop it first",
					 path);
		unlink(path);
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(error, -errno, "socket %s: %s", path, strerror(errno));
	mask = umask(0117);
	err = bind(fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
	umask(mask);
	if (!err && chown(path, (uid_t)-1, group))
		err = -errno;
	if (!err && listen(fd, 64))
		err = -errno;
	if (err) {
		close(fd);
		return error_set(error, err, "socket %s: %s; check the folder's permissions", path,
				 strerror(-err));
	}
	return fd;
}

int http_server_new_unix(uv_loop_t *loop, const char *path, gid_t group, http_handler_fn handler,
			 void *context, struct http_server **ret_server, struct error *error)
{
	char *copy = strdup(path);
	int fd, err;

	if (!copy)
		return error_set(error, -ENOMEM, "socket %s: out of memory", path);
	fd = unix_listen(path, group, error);
	if (fd < 0) {
		free(copy);
		return fd;
	}
	err = server_new(loop, fd, HTTP_BODY_MAX, handler, context, ret_server, error);
	if (err) {
		unlink(path);
		free(copy);
		return err;
	}
	(*ret_server)->socket_path = copy;
	return 0;
}

/* Splits "address:port" in place. */
static int address_split(char *text, char **ret_host, char **ret_port)
{
	char *colon = strrchr(text, ':');

	if (!colon)
		return -EINVAL;
	*colon = '\0';
	*ret_port = colon + 1;
	*ret_host = text;
	if (*text == '[' && colon > text && colon[-1] == ']') {
		colon[-1] = '\0';
		*ret_host = text + 1;
	}
	return **ret_host && **ret_port ? 0 : -EINVAL;
}

static int tcp_open(const struct addrinfo *info)
{
	int one = 1;
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, info->ai_addr, info->ai_addrlen) || listen(fd, 64)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static int tcp_listen(const char *address, struct error *error)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
	struct addrinfo *info = NULL;
	char *text = strdup(address), *host, *port;
	int fd;

	if (!text)
		return error_set(error, -ENOMEM, "metrics %s: out of memory", address);
	if (address_split(text, &host, &port) || getaddrinfo(host, port, &hints, &info)) {
		free(text);
		return error_set(error, -EINVAL,
				 "metrics %s: not an address with a port; write agent.metrics as "
				 "127.0.0.1:9980 or [::1]:9980",
				 address);
	}
	free(text);
	fd = tcp_open(info);
	freeaddrinfo(info);
	if (fd < 0)
		return error_set(error, fd,
				 "metrics %s: %s; choose another agent.metrics, or \"\" for none",
				 address, strerror(-fd));
	return fd;
}

int http_server_new_tcp(uv_loop_t *loop, const char *address, http_handler_fn handler,
			void *context, struct http_server **ret_server, struct error *error)
{
	int fd = tcp_listen(address, error);

	return fd < 0 ? fd
		      : server_new(loop, fd, TCP_BODY_MAX, handler, context, ret_server, error);
}

static void server_closed(uv_handle_t *handle)
{
	struct http_server *server = handle->data;

	if (--server->open_handles)
		return;
	/* The library does not stop with connections that it does not look at. */
	streams_resume(&server->streams);
	MHD_run(server->daemon);
	MHD_stop_daemon(server->daemon); /* only now: it closes the descriptor that is polled */
	free(server->socket_path);
	free(server);
}

void http_server_free(struct http_server *server)
{
	if (!server)
		return;
	if (server->socket_path)
		unlink(server->socket_path);
	uv_close((uv_handle_t *)&server->poll, server_closed);
	uv_close((uv_handle_t *)&server->timer, server_closed);
	streams_close(&server->streams, server_closed);
}

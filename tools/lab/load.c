/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * load: HTTP requests at a steady rate over real connections, and what became of each.
 *
 *   load ADDRESS PORT [PATH]
 *
 * Lines on standard input say what to do; the end of input, SIGINT and SIGTERM mean quit:
 *   rate N            open N connections a second, one request each
 *   keep N PERIOD_MS  hold N connections that each send a request every PERIOD_MS
 *   quit              start nothing new, await what is under way, print the last line, end
 *
 * Prints one line of JSON a second with totals since the start. A request has failed if it was
 * refused, reset, not answered in TIMEOUT_MS, cut short, answered with another status than 200, or
 * answered on a held connection by another server than before. A held connection that its server
 * closed between two answers is "gone" instead, counted by the server's name: whether that server
 * was allowed to go is for the caller to judge. It is opened anew, as browsers do, and so is one
 * that was lost before a byte of the answer came.
 */
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_MS      10000
#define SLOW_MS         900 /* a lost SYN costs a second */
#define CONNECTIONS_MAX 8192
#define SERVERS_MAX     512
#define NAME_SIZE       64
#define HEAD_SIZE       1024
#define INPUT_SIZE      256
#define TOLD_MAX        20 /* failures told one by one on standard error */

enum outcome {
	OUTCOME_REFUSED,
	OUTCOME_RESET,
	OUTCOME_TIMEOUT,
	OUTCOME_SHORT,
	OUTCOME_STATUS,
	OUTCOME_STRAYED, /* a held connection was answered by another server */
	OUTCOME_COUNT,
	OUTCOME_OK,
	OUTCOME_PENDING,
};
static const char *const outcome_names[OUTCOME_COUNT] = {"refused", "reset",  "timeout",
							 "short",   "status", "strayed"};

enum phase {
	PHASE_FREE = 0,
	PHASE_CONNECTING,
	PHASE_ANSWER, /* a request is out */
	PHASE_IDLE,   /* held, between two requests */
};

struct connection {
	int fd;
	enum phase phase;
	bool held;
	bool reused;       /* an answer has come on it before */
	uint64_t since_ms; /* of the request, or of being idle */
	char server[NAME_SIZE];
	char head[HEAD_SIZE]; /* of the answer, up to its end */
	size_t head_length;
	bool head_done;
	uint64_t body_left;
};

struct server {
	char name[NAME_SIZE];
	uint64_t answers;
	uint64_t gone;
};

struct load {
	struct sockaddr_storage address;
	socklen_t address_length;
	char request_close[512];
	char request_keep[512];
	int epoll;
	struct connection connections[CONNECTIONS_MAX];
	uint32_t open; /* connections that are not free */
	uint32_t held;
	double rate;
	double due; /* connections owed by the rate */
	uint32_t keep;
	uint64_t period_ms;
	uint64_t started, answered, failed[OUTCOME_COUNT], slow, slowest_ms;
	struct server servers[SERVERS_MAX];
	uint32_t server_count;
	char input[INPUT_SIZE];
	size_t input_length;
	uint32_t told;
	bool quitting;
};

static volatile sig_atomic_t signalled;

static void on_signal(int number)
{
	(void)number;
	signalled = 1;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct server *server_find(struct load *load, const char *name)
{
	uint32_t i;

	for (i = 0; i < load->server_count; i++)
		if (!strcmp(load->servers[i].name, name))
			return &load->servers[i];
	if (i == SERVERS_MAX) {
		fprintf(stderr, "load: more than %d servers answer\n", SERVERS_MAX);
		exit(1);
	}
	load->server_count++;
	snprintf(load->servers[i].name, NAME_SIZE, "%s", name);
	return &load->servers[i];
}

static void connection_close(struct load *load, struct connection *connection)
{
	close(connection->fd);
	load->open--;
	load->held -= connection->held;
	connection->phase = PHASE_FREE;
}

static void connection_fail(struct load *load, struct connection *connection, enum outcome outcome)
{
	load->failed[outcome]++;
	if (load->told++ < TOLD_MAX)
		fprintf(stderr, "load: %s: %s connection of %s, after %llu ms\n",
			outcome_names[outcome], connection->held ? "held" : "short",
			connection->server[0] ? connection->server : "?",
			(unsigned long long)(now_ms() - connection->since_ms));
	connection_close(load, connection);
}

static void connection_request(struct load *load, struct connection *connection)
{
	const char *text = connection->held ? load->request_keep : load->request_close;
	ssize_t size = (ssize_t)strlen(text);

	connection->phase = PHASE_ANSWER;
	connection->head_length = 0;
	connection->head_done = false;
	/* A failure here shows again, with its reason, when the answer is read. */
	if (send(connection->fd, text, (size_t)size, MSG_NOSIGNAL) != size)
		shutdown(connection->fd, SHUT_WR);
}

static struct connection *connection_open(struct load *load, bool held)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT};
	struct connection *connection = load->connections;
	int fd;

	while (connection < load->connections + CONNECTIONS_MAX && connection->phase != PHASE_FREE)
		connection++;
	if (connection == load->connections + CONNECTIONS_MAX)
		return NULL;
	fd = socket(load->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		perror("load: socket");
		exit(1);
	}
	memset(connection, 0, sizeof(*connection));
	connection->fd = fd;
	connection->phase = PHASE_CONNECTING;
	connection->held = held;
	connection->since_ms = now_ms();
	load->open++;
	load->held += held;
	event.data.ptr = connection;
	epoll_ctl(load->epoll, EPOLL_CTL_ADD, fd, &event);
	if (connect(fd, (struct sockaddr *)&load->address, load->address_length) &&
	    errno != EINPROGRESS) {
		perror("load: connect");
		exit(1);
	}
	return connection;
}

/* The value of a header of the answer, or "" where it is not there. */
static void head_value(const char *head, const char *name, char *value, size_t size)
{
	const char *at = strstr(head, name);

	value[0] = 0;
	if (!at)
		return;
	at += strlen(name);
	snprintf(value, size, "%.*s", (int)strcspn(at, "\r\n"), at);
}

/* The head is complete: check it. */
static enum outcome answer_head(struct connection *connection)
{
	char value[NAME_SIZE];

	connection->head_done = true;
	if (strncmp(connection->head, "HTTP/1.1 200 ", 13))
		return OUTCOME_STATUS;
	head_value(connection->head, "\r\nContent-Length: ", value, sizeof(value));
	connection->body_left = strtoull(value, NULL, 10);
	head_value(connection->head, "\r\nX-Backend: ", value, sizeof(value));
	if (connection->reused && strcmp(value, connection->server))
		return OUTCOME_STRAYED;
	snprintf(connection->server, sizeof(connection->server), "%s", value[0] ? value : "?");
	return OUTCOME_PENDING;
}

static bool answer_complete(const struct connection *connection)
{
	return connection->head_done && !connection->body_left;
}

/* Take bytes of the answer; OUTCOME_OK once it is complete. */
static enum outcome answer_take(struct connection *connection, const char *bytes, size_t size)
{
	enum outcome outcome;
	char *end;

	while (size && !connection->head_done) {
		if (connection->head_length == HEAD_SIZE - 1)
			return OUTCOME_STATUS;
		connection->head[connection->head_length++] = *bytes++;
		connection->head[connection->head_length] = 0;
		size--;
		end = connection->head + connection->head_length;
		if (connection->head_length >= 4 && !memcmp(end - 4, "\r\n\r\n", 4)) {
			outcome = answer_head(connection);
			if (outcome != OUTCOME_PENDING)
				return outcome;
		}
	}
	if (size > connection->body_left)
		return OUTCOME_STATUS;
	connection->body_left -= size;
	/* Without keep-alive the answer ends with the server's FIN, so that it keeps TIME_WAIT. */
	return answer_complete(connection) && connection->held ? OUTCOME_OK : OUTCOME_PENDING;
}

static void connection_answered(struct load *load, struct connection *connection)
{
	uint64_t took_ms = now_ms() - connection->since_ms;

	load->answered++;
	server_find(load, connection->server)->answers++;
	load->slow += took_ms >= SLOW_MS;
	if (took_ms > load->slowest_ms)
		load->slowest_ms = took_ms;
	if (!connection->held || load->quitting || load->held > load->keep) {
		connection_close(load, connection);
		return;
	}
	connection->reused = true;
	connection->phase = PHASE_IDLE;
	connection->since_ms = now_ms();
}

/* The connection has ended, by FIN (error 0) or otherwise. */
static void connection_ended(struct load *load, struct connection *connection, int error)
{
	bool unanswered = connection->phase == PHASE_ANSWER;

	if (!error && !connection->held && answer_complete(connection)) {
		connection_answered(load, connection);
		return;
	}
	if (connection->reused && (!unanswered || !connection->head_length)) {
		server_find(load, connection->server)->gone++;
		connection_close(load, connection);
		if (unanswered)
			connection_open(load, true);
		return;
	}
	if (error == ECONNREFUSED)
		connection_fail(load, connection, OUTCOME_REFUSED);
	else
		connection_fail(load, connection, error ? OUTCOME_RESET : OUTCOME_SHORT);
}

static void connection_read(struct load *load, struct connection *connection)
{
	char bytes[16384];
	enum outcome outcome;
	ssize_t size;

	size = recv(connection->fd, bytes, sizeof(bytes), 0);
	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (size <= 0) {
		connection_ended(load, connection, size ? errno : 0);
		return;
	}
	outcome = connection->phase == PHASE_ANSWER ? answer_take(connection, bytes, (size_t)size)
						    : OUTCOME_STATUS;
	if (outcome == OUTCOME_OK)
		connection_answered(load, connection);
	else if (outcome != OUTCOME_PENDING)
		connection_fail(load, connection, outcome);
}

static void connection_event(struct load *load, struct connection *connection, uint32_t events)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};

	if (connection->phase == PHASE_CONNECTING && !(events & (EPOLLERR | EPOLLHUP))) {
		epoll_ctl(load->epoll, EPOLL_CTL_MOD, connection->fd, &event);
		connection_request(load, connection);
		return;
	}
	connection_read(load, connection);
}

/* What time alone brings about: timeouts and the next requests of held connections. */
static void connections_tick(struct load *load)
{
	struct connection *connection;
	uint64_t now = now_ms(), age_ms;

	for (connection = load->connections; connection < load->connections + CONNECTIONS_MAX;
	     connection++) {
		age_ms = now - connection->since_ms;
		if (connection->phase == PHASE_FREE)
			continue;
		if (connection->phase != PHASE_IDLE) {
			if (age_ms > TIMEOUT_MS)
				connection_fail(load, connection, OUTCOME_TIMEOUT);
		} else if (load->quitting || load->held > load->keep) {
			connection_close(load, connection);
		} else if (age_ms >= load->period_ms) {
			load->started++;
			connection->since_ms = now;
			connection_request(load, connection);
		}
	}
	while (!load->quitting && load->held < load->keep && connection_open(load, true))
		load->started++;
}

/* Open what the rate says is due; what cannot be opened now is not made up for later. */
static void rate_tick(struct load *load, double passed_s)
{
	load->due += load->rate * passed_s;
	for (; load->due >= 1; load->due--) {
		if (load->quitting || !connection_open(load, false))
			continue;
		load->started++;
	}
}

static void report(const struct load *load, uint64_t start_ms)
{
	const struct server *server;
	uint64_t failed = 0;
	uint32_t i;

	for (i = 0; i < OUTCOME_COUNT; i++)
		failed += load->failed[i];
	printf("{\"elapsed_ms\": %llu, \"started\": %llu, \"answered\": %llu, \"failed\": %llu, "
	       "\"slow\": %llu, \"slowest_ms\": %llu, \"open\": %u, \"held\": %u, \"failures\": {",
	       (unsigned long long)(now_ms() - start_ms), (unsigned long long)load->started,
	       (unsigned long long)load->answered, (unsigned long long)failed,
	       (unsigned long long)load->slow, (unsigned long long)load->slowest_ms, load->open,
	       load->held);
	for (i = 0; i < OUTCOME_COUNT; i++)
		printf("%s\"%s\": %llu", i ? ", " : "", outcome_names[i],
		       (unsigned long long)load->failed[i]);
	printf("}, \"servers\": {");
	for (i = 0; i < load->server_count; i++) {
		server = &load->servers[i];
		printf("%s\"%s\": {\"answers\": %llu, \"gone\": %llu}", i ? ", " : "", server->name,
		       (unsigned long long)server->answers, (unsigned long long)server->gone);
	}
	printf("}}\n");
	fflush(stdout);
}

static void command(struct load *load, const char *line)
{
	unsigned int number, period;

	if (sscanf(line, "rate %u", &number) == 1) {
		load->rate = number;
	} else if (sscanf(line, "keep %u %u", &number, &period) == 2) {
		load->keep = number;
		load->period_ms = period;
	} else if (!strcmp(line, "quit")) {
		load->quitting = true;
	} else {
		fprintf(stderr, "load: '%s': not a command\n", line);
		exit(2);
	}
}

static void input_read(struct load *load)
{
	char *end;
	ssize_t size;

	size = read(STDIN_FILENO, load->input + load->input_length,
		    sizeof(load->input) - 1 - load->input_length);
	if (size <= 0) {
		load->quitting = true;
		epoll_ctl(load->epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
		return;
	}
	load->input_length += (size_t)size;
	load->input[load->input_length] = 0;
	while ((end = strchr(load->input, '\n'))) {
		*end++ = 0;
		command(load, load->input);
		load->input_length -= (size_t)(end - load->input);
		memmove(load->input, end, load->input_length + 1);
	}
}

static void run(struct load *load)
{
	uint64_t start_ms = now_ms(), last_ms = start_ms, next_report_ms = start_ms + 1000, now;
	struct epoll_event events[256];
	int i, count;

	while (!load->quitting || load->open) {
		count = epoll_wait(load->epoll, events, 256, 2);
		for (i = 0; i < count; i++) {
			if (events[i].data.ptr)
				connection_event(load, events[i].data.ptr, events[i].events);
			else
				input_read(load);
		}
		load->quitting |= signalled;
		now = now_ms();
		if (now == last_ms)
			continue;
		rate_tick(load, (double)(now - last_ms) / 1000);
		connections_tick(load);
		last_ms = now;
		if (now >= next_report_ms) {
			report(load, start_ms);
			next_report_ms += 1000;
		}
	}
	report(load, start_ms);
}

static int load_prepare(struct load *load, int argc, char **argv)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				 .ai_socktype = SOCK_STREAM};
	struct epoll_event event = {.events = EPOLLIN};
	const char *path = argc == 4 ? argv[3] : "/";
	struct addrinfo *info;
	int ret;

	ret = getaddrinfo(argv[1], argv[2], &hints, &info);
	if (ret) {
		fprintf(stderr, "load: %s port %s: %s\n", argv[1], argv[2], gai_strerror(ret));
		return -EINVAL;
	}
	memcpy(&load->address, info->ai_addr, info->ai_addrlen);
	load->address_length = info->ai_addrlen;
	freeaddrinfo(info);
	snprintf(load->request_close, sizeof(load->request_close),
		 "GET %s HTTP/1.1\r\nHost: vip\r\nConnection: close\r\n\r\n", path);
	snprintf(load->request_keep, sizeof(load->request_keep),
		 "GET %s HTTP/1.1\r\nHost: vip\r\n\r\n", path);
	load->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (load->epoll < 0 || epoll_ctl(load->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event)) {
		perror("load: epoll on standard input");
		return -errno;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct rlimit files = {CONNECTIONS_MAX + 64, CONNECTIONS_MAX + 64};
	struct sigaction action = {.sa_handler = on_signal};
	struct load *load;

	if (argc != 3 && argc != 4) {
		fprintf(stderr, "usage: load ADDRESS PORT [PATH]\n");
		return 2;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	setrlimit(RLIMIT_NOFILE, &files);
	load = calloc(1, sizeof(*load));
	if (!load || load_prepare(load, argc, argv))
		return 1;
	run(load);
	close(load->epoll);
	free(load);
	return 0;
}

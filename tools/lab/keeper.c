/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * keeper: many long-lived TCP connections, and what became of each.
 *
 *   keeper serve ADDRESS PORT NAME      echo server that says NAME when a connection starts
 *   keeper hold ADDRESS PORT            client, told what to do by lines on standard input
 *
 * Lines for hold; each is answered by one line of JSON:
 *   open N PERIOD_MS   open N connections that each send a message every PERIOD_MS (0: only on wake)
 *   wake               every connection sends a message now
 *   leave NAME         close the connections that NAME serves
 *   status             counts, without waiting
 *   settle TIMEOUT_MS  wait until every connection is open and all that was sent before this line is
 *                      answered, then counts
 *   quit
 *
 * A connection that is reset, closed by its server, or answered by another server than the one it
 * started with is broken. One whose message is unanswered for STALL_MS is stalled.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
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

#define NAME_SIZE    32
#define MESSAGE_SIZE 64
#define STALL_MS     10000
#define SERVERS_MAX  256
#define OPEN_AT_ONCE 200 /* connections in their handshake at once: below any accept backlog */

/* What travels, both ways: the server fills in its name and sends the rest back as it came. */
struct message {
	char server[NAME_SIZE];
	uint64_t sequence;
	char padding[MESSAGE_SIZE - NAME_SIZE - sizeof(uint64_t)];
};

enum condition {
	CONDITION_WAITING, /* not yet started: too many handshakes under way */
	CONDITION_CONNECTING,
	CONDITION_OPEN,
	CONDITION_BROKEN,
	CONDITION_LEFT, /* closed by us */
};

struct connection {
	int fd;
	enum condition condition;
	char server[NAME_SIZE];
	uint64_t period_ms, next_ms, sent_ms;
	uint64_t sequence, settle_sequence; /* of the last message; of the one that settle awaits */
	bool awaiting, stalled;
	size_t have;
	struct message input;
	const char *reason;
};

struct holder {
	int epoll;
	struct sockaddr_storage address;
	socklen_t address_length;
	struct connection *connections;
	size_t count, capacity, connecting;
	uint64_t answered;
};

static uint64_t now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static void fail(const char *what)
{
	fprintf(stderr, "keeper: %s: %s\n", what, strerror(errno));
	exit(1);
}

static socklen_t address_parse(const char *text, const char *port, struct sockaddr_storage *address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
	in_port_t number = htons((uint16_t)atoi(port));

	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = number;
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = number;
		return sizeof(*v6);
	}
	fprintf(stderr, "keeper: %s is not an IP address\n", text);
	exit(2);
}

/* ---- serve ---- */

struct client {
	int fd;
	size_t have;
	struct message input;
};

static void epoll_add(int epoll, int fd, uint32_t events, void *pointer)
{
	struct epoll_event event = {.events = events, .data.ptr = pointer};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		fail("epoll_ctl");
}

/* Small messages, one at a time on each connection: a short write does not happen. */
static bool client_answer(struct client *client, const char *name)
{
	for (;;) {
		ssize_t got = recv(client->fd, (char *)&client->input + client->have,
				   sizeof(client->input) - client->have, MSG_DONTWAIT);

		if (got < 0 && errno == EAGAIN)
			return true;
		if (got <= 0)
			return false;
		client->have += (size_t)got;
		if (client->have < sizeof(client->input))
			continue;
		client->have = 0;
		snprintf(client->input.server, NAME_SIZE, "%s", name);
		if (send(client->fd, &client->input, sizeof(client->input), MSG_NOSIGNAL) !=
		    sizeof(client->input))
			return false;
	}
}

static void serve(const struct sockaddr_storage *address, socklen_t length, const char *name)
{
	int listener = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
	int epoll = epoll_create1(0);
	struct epoll_event event;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (const struct sockaddr *)address, length) < 0 ||
	    listen(listener, 4096) < 0)
		fail("listen");
	epoll_add(epoll, listener, EPOLLIN, NULL);
	printf("ready\n");
	fflush(stdout);
	while (epoll_wait(epoll, &event, 1, -1) >= 0 || errno == EINTR) {
		struct client *client = event.data.ptr;

		if (client) {
			if (!client_answer(client, name)) {
				close(client->fd);
				free(client);
			}
			continue;
		}
		for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
			client = calloc(1, sizeof(*client));
			client->fd = fd;
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			epoll_add(epoll, fd, EPOLLIN, client);
		}
	}
}

/* ---- hold ---- */

static void connection_end(struct holder *holder, struct connection *connection,
			   enum condition condition, const char *reason)
{
	if (connection->condition == CONDITION_CONNECTING)
		holder->connecting--;
	connection->condition = condition;
	connection->reason = reason;
	connection->awaiting = false;
	close(connection->fd);
	connection->fd = -1;
}

static void connection_send(struct holder *holder, struct connection *connection)
{
	struct message message = {0};

	if (connection->awaiting)
		return;
	message.sequence = ++connection->sequence;
	if (send(connection->fd, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT) !=
	    sizeof(message)) {
		connection_end(holder, connection, CONDITION_BROKEN, "reset while sending");
		return;
	}
	connection->awaiting = true;
	connection->sent_ms = now_ms();
}

static void connection_start(struct holder *holder, struct connection *connection)
{
	int one = 1;

	connection->fd = socket(holder->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (connection->fd < 0)
		fail("socket");
	setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	connection->condition = CONDITION_CONNECTING;
	connection->sent_ms = now_ms();
	holder->connecting++;
	if (connect(connection->fd, (struct sockaddr *)&holder->address, holder->address_length) <
		    0 &&
	    errno != EINPROGRESS)
		connection_end(holder, connection, CONDITION_BROKEN, "connect refused");
	else
		epoll_add(holder->epoll, connection->fd, EPOLLIN | EPOLLOUT, connection);
}

static void connection_opened(struct holder *holder, struct connection *connection)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
	int code = 0;
	socklen_t length = sizeof(code);

	getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &code, &length);
	if (code) {
		connection_end(holder, connection, CONDITION_BROKEN,
			       code == ETIMEDOUT      ? "connect timed out"
			       : code == ECONNREFUSED ? "connect refused"
						      : "reset as soon as it was open");
		return;
	}
	holder->connecting--;
	connection->condition = CONDITION_OPEN;
	/* Spread over the period, so that connections opened together do not send together. */
	if (connection->period_ms)
		connection->next_ms = now_ms() + (uint64_t)rand() % connection->period_ms;
	epoll_ctl(holder->epoll, EPOLL_CTL_MOD, connection->fd, &event);
	connection_send(holder, connection);
}

static void message_check(struct holder *holder, struct connection *connection)
{
	const struct message *message = &connection->input;

	if (!connection->server[0]) {
		snprintf(connection->server, NAME_SIZE, "%.*s", NAME_SIZE - 1, message->server);
	} else if (strncmp(connection->server, message->server, NAME_SIZE) != 0) {
		connection_end(holder, connection, CONDITION_BROKEN, "another server answered");
		return;
	}
	if (message->sequence != connection->sequence) {
		connection_end(holder, connection, CONDITION_BROKEN, "answer out of sequence");
		return;
	}
	connection->awaiting = false;
	holder->answered++;
}

static void connection_read(struct holder *holder, struct connection *connection)
{
	while (connection->condition == CONDITION_OPEN) {
		ssize_t got = recv(connection->fd, (char *)&connection->input + connection->have,
				   sizeof(connection->input) - connection->have, MSG_DONTWAIT);

		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0) {
			connection_end(holder, connection, CONDITION_BROKEN,
				       got == 0              ? "closed by the server"
				       : errno == ECONNRESET ? "reset"
							     : "timed out");
			return;
		}
		connection->have += (size_t)got;
		if (connection->have == sizeof(connection->input)) {
			connection->have = 0;
			message_check(holder, connection);
		}
	}
}

/* Start, send and find stalled what is due. */
static void holder_tick(struct holder *holder)
{
	uint64_t now = now_ms();

	for (size_t i = 0; i < holder->count; i++) {
		struct connection *connection = &holder->connections[i];

		if (connection->condition == CONDITION_WAITING && holder->connecting < OPEN_AT_ONCE)
			connection_start(holder, connection);
		if (connection->condition == CONDITION_OPEN && connection->period_ms &&
		    connection->next_ms <= now) {
			connection->next_ms = now + connection->period_ms;
			connection_send(holder, connection);
		}
		if ((connection->awaiting || connection->condition == CONDITION_CONNECTING) &&
		    now > connection->sent_ms + STALL_MS)
			connection->stalled = true;
	}
}

static void holder_poll(struct holder *holder, int timeout_ms)
{
	struct epoll_event events[256];
	int count = epoll_wait(holder->epoll, events, 256, timeout_ms);

	for (int i = 0; i < count; i++) {
		struct connection *connection = events[i].data.ptr;

		if (!connection)
			continue;
		if (connection->condition == CONDITION_CONNECTING)
			connection_opened(holder, connection);
		else if (connection->condition == CONDITION_OPEN)
			connection_read(holder, connection);
	}
	holder_tick(holder);
}

static size_t holder_count(const struct holder *holder, enum condition condition)
{
	size_t count = 0;

	for (size_t i = 0; i < holder->count; i++)
		count += holder->connections[i].condition == condition;
	return count;
}

/* Busy connections always await something; what counts is what had been sent when settle began. */
static void settle_begin(struct holder *holder)
{
	for (size_t i = 0; i < holder->count; i++) {
		struct connection *connection = &holder->connections[i];

		/* At the least the first, which is sent when the connection opens. */
		connection->settle_sequence = connection->sequence ? connection->sequence : 1;
	}
}

static bool connection_settled(const struct connection *connection)
{
	if (connection->condition != CONDITION_OPEN)
		return connection->condition > CONDITION_OPEN;
	return connection->sequence - connection->awaiting >= connection->settle_sequence;
}

static bool holder_settled(const struct holder *holder)
{
	for (size_t i = 0; i < holder->count; i++) {
		if (!connection_settled(&holder->connections[i]))
			return false;
	}
	return true;
}

static void servers_print(const struct holder *holder)
{
	const char *names[SERVERS_MAX];
	size_t counts[SERVERS_MAX], known = 0;

	for (size_t i = 0; i < holder->count; i++) {
		const struct connection *connection = &holder->connections[i];
		size_t at = 0;

		if (connection->condition != CONDITION_OPEN || !connection->server[0])
			continue;
		while (at < known && strcmp(names[at], connection->server) != 0)
			at++;
		if (at == known && known < SERVERS_MAX) {
			names[known] = connection->server;
			counts[known++] = 0;
		}
		if (at < known)
			counts[at]++;
	}
	printf("\"servers\": {");
	for (size_t i = 0; i < known; i++)
		printf("%s\"%s\": %zu", i ? ", " : "", names[i], counts[i]);
	printf("}");
}

static void status_print(const struct holder *holder)
{
	const char *reason = NULL, *server = NULL;
	size_t stalled = 0, awaiting = 0;

	for (size_t i = 0; i < holder->count; i++) {
		stalled += holder->connections[i].stalled;
		awaiting += holder->connections[i].awaiting;
		if (holder->connections[i].condition == CONDITION_BROKEN && !reason) {
			reason = holder->connections[i].reason;
			server = holder->connections[i].server;
		}
	}
	printf("{\"open\": %zu, \"connecting\": %zu, \"broken\": %zu, \"left\": %zu, "
	       "\"stalled\": %zu, \"awaiting\": %zu, \"answered\": %llu, "
	       "\"reason\": \"%s%s%s\", ",
	       holder_count(holder, CONDITION_OPEN),
	       holder_count(holder, CONDITION_CONNECTING) + holder_count(holder, CONDITION_WAITING),
	       holder_count(holder, CONDITION_BROKEN), holder_count(holder, CONDITION_LEFT),
	       stalled, awaiting, (unsigned long long)holder->answered, reason ? reason : "",
	       server ? " by " : "", server ? server : "");
	servers_print(holder);
	printf("}\n");
	fflush(stdout);
}

/* epoll holds pointers into connections, so the array is made once, for all there can be. */
static void holder_open(struct holder *holder, size_t count, uint64_t period_ms)
{
	if (holder->count + count > holder->capacity) {
		fprintf(stderr, "keeper: more than %zu connections\n", holder->capacity);
		exit(2);
	}
	for (size_t i = 0; i < count; i++)
		holder->connections[holder->count++] =
			(struct connection){.fd = -1, .period_ms = period_ms};
}

static void holder_wake(struct holder *holder)
{
	for (size_t i = 0; i < holder->count; i++)
		if (holder->connections[i].condition == CONDITION_OPEN)
			connection_send(holder, &holder->connections[i]);
}

static void holder_leave(struct holder *holder, const char *name)
{
	for (size_t i = 0; i < holder->count; i++) {
		struct connection *connection = &holder->connections[i];

		if (connection->condition == CONDITION_OPEN &&
		    strcmp(connection->server, name) == 0)
			connection_end(holder, connection, CONDITION_LEFT, NULL);
	}
}

/* Returns false for quit. */
static bool command_run(struct holder *holder, const char *line)
{
	unsigned long long number, period = 0;
	char name[NAME_SIZE];

	if (sscanf(line, "open %llu %llu", &number, &period) == 2) {
		holder_open(holder, number, period);
	} else if (sscanf(line, "settle %llu", &number) == 1) {
		uint64_t end = now_ms() + number;

		settle_begin(holder);
		while (!holder_settled(holder) && now_ms() < end)
			holder_poll(holder, 10);
	} else if (sscanf(line, "leave %31s", name) == 1) {
		holder_leave(holder, name);
	} else if (strncmp(line, "wake", 4) == 0) {
		holder_wake(holder);
	} else if (strncmp(line, "quit", 4) == 0) {
		return false;
	} else if (strncmp(line, "status", 6) != 0) {
		fprintf(stderr, "keeper: not a command: %s\n", line);
	}
	status_print(holder);
	return true;
}

static void hold(struct holder *holder)
{
	char line[256];
	size_t have = 0;

	holder->epoll = epoll_create1(0);
	holder->capacity = 100000;
	holder->connections = calloc(holder->capacity, sizeof(*holder->connections));
	fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	epoll_add(holder->epoll, STDIN_FILENO, EPOLLIN, NULL);
	for (;;) {
		ssize_t got;
		char *end;

		holder_poll(holder, 10);
		got = read(STDIN_FILENO, line + have, sizeof(line) - 1 - have);
		if (got == 0)
			return;
		if (got > 0)
			have += (size_t)got;
		line[have] = 0;
		while ((end = strchr(line, '\n'))) {
			*end = 0;
			if (!command_run(holder, line))
				return;
			have -= (size_t)(end + 1 - line);
			memmove(line, end + 1, have + 1);
		}
	}
}

int main(int argc, char **argv)
{
	struct holder holder = {0};
	struct rlimit limit;

	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (argc == 5 && strcmp(argv[1], "serve") == 0) {
		holder.address_length = address_parse(argv[2], argv[3], &holder.address);
		serve(&holder.address, holder.address_length, argv[4]);
	} else if (argc == 4 && strcmp(argv[1], "hold") == 0) {
		holder.address_length = address_parse(argv[2], argv[3], &holder.address);
		hold(&holder);
		return 0;
	}
	fprintf(stderr, "usage: keeper serve ADDRESS PORT NAME | keeper hold ADDRESS PORT\n");
	return 2;
}

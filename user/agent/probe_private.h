/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the prober share among themselves. */
#ifndef AGENT_PROBE_PRIVATE_H
#define AGENT_PROBE_PRIVATE_H

#include <curl/curl.h>

#include "agent/child.h"
#include "agent/probe.h"

/* How a probe is run, and what is waited for. */
enum probe_kind {
	PROBE_KIND_TCP,
	PROBE_KIND_UDP,
	PROBE_KIND_ICMP,
	PROBE_KIND_LINE, /* a line of text by TCP */
	PROBE_KIND_HTTP,
	PROBE_KIND_EXEC,
};

struct probe {
	struct prober *prober;
	enum probe_kind kind;
	probe_done_fn done;
	void *context;
	struct probe_target target;
	int fd; /* -1: none */
	/* UDP: how the reply has to begin. HTTP: what the body has to contain. Its own copy. */
	uint8_t *expect;
	size_t expect_length;
	uint16_t sequence; /* ICMP */
	/* HTTP */
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	struct status_set status;
	bool asks; /* the text is wanted */
	char curl_error[CURL_ERROR_SIZE];
	struct child *child; /* exec */
	char *text;          /* PROBE_TEXT_MAX and a NUL; NULL: nothing is kept */
	size_t length;
};

struct prober {
	uv_loop_t *loop;
	uv_poll_t sockets, transfers;
	uv_timer_t timer; /* curl's */
	int sockets_fd, transfers_fd;
	unsigned int open_handles;
	uint16_t sequence;
	CURLM *multi;
	struct children *children; /* the agent's */
};

/* probe_finish - tell the result, and free the probe. */
void probe_finish(struct probe *probe, bool passed, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* probe_socket - a socket to the target, marked, with a local port of its own. -errno or an fd. */
int probe_socket(const struct probe_target *target, int type, int protocol);

/* probe_socket.c: 0 or -errno. */
int socket_begin(struct probe *probe, const struct health_config *config);
void socket_event(struct probe *probe, uint32_t events);

/* probe_http.c */
int http_open(struct prober *prober, struct error *error);
void http_close(struct prober *prober);
int http_begin(struct probe *probe, const struct health_config *config);
int http_ask(struct probe *probe, const char *url);
void http_end(struct probe *probe);
void transfers_poll(struct prober *prober);

#endif

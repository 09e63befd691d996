// SPDX-License-Identifier: GPL-2.0-only
/* Probes by HTTP and HTTPS: libcurl's transfers, on an epoll of their own below the loop. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "agent/probe_private.h"

#define EVENTS_MAX 64

/* ------------------------------------------------------------------ curl and the loop */

static int socket_changed(CURL *easy, curl_socket_t fd, int what, void *data, void *known)
{
	struct prober *prober = data;
	struct epoll_event event = {.data.fd = fd};

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(prober->transfers_fd, EPOLL_CTL_DEL, fd, &event);
		return 0;
	}
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	/* Whether it is there already, only the kernel knows for sure: numbers are used again. */
	(void)known;
	if (epoll_ctl(prober->transfers_fd, EPOLL_CTL_MOD, fd, &event) && errno == ENOENT)
		epoll_ctl(prober->transfers_fd, EPOLL_CTL_ADD, fd, &event);
	return 0;
}

static void transfers_finish(struct prober *prober);

static void timer_fired(uv_timer_t *timer)
{
	struct prober *prober = timer->data;
	int running;

	curl_multi_socket_action(prober->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	transfers_finish(prober);
}

static int timer_changed(CURLM *multi, long timeout_ms, void *data)
{
	struct prober *prober = data;

	(void)multi;
	if (!prober->open_handles)
		return 0;
	if (timeout_ms < 0)
		uv_timer_stop(&prober->timer);
	else
		uv_timer_start(&prober->timer, timer_fired, (uint64_t)timeout_ms, 0);
	return 0;
}

void transfers_poll(struct prober *prober)
{
	struct epoll_event events[EVENTS_MAX];
	int running, count = epoll_wait(prober->transfers_fd, events, EVENTS_MAX, 0);

	for (int i = 0; i < count; i++) {
		int what = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
			   (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
			   (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

		curl_multi_socket_action(prober->multi, events[i].data.fd, what, &running);
	}
	transfers_finish(prober);
}

int http_open(struct prober *prober, struct error *error)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return error_set(error, -ENOMEM, "probes: libcurl cannot start");
	prober->multi = curl_multi_init();
	if (!prober->multi)
		return error_set(error, -ENOMEM, "probes: out of memory");
	curl_multi_setopt(prober->multi, CURLMOPT_SOCKETFUNCTION, socket_changed);
	curl_multi_setopt(prober->multi, CURLMOPT_SOCKETDATA, prober);
	curl_multi_setopt(prober->multi, CURLMOPT_TIMERFUNCTION, timer_changed);
	curl_multi_setopt(prober->multi, CURLMOPT_TIMERDATA, prober);
	return 0;
}

void http_close(struct prober *prober)
{
	curl_multi_cleanup(prober->multi);
}

/* ------------------------------------------------------------------ a transfer's end */

static void http_judge(struct probe *probe, CURLcode code)
{
	long status = 0;
	bool enough = probe->expect &&
		      memmem(probe->text, probe->length, probe->expect, probe->expect_length);

	curl_easy_getinfo(probe->easy, CURLINFO_RESPONSE_CODE, &status);
	/* The body is cut off by body_take(): what came says enough. */
	if (code == CURLE_WRITE_ERROR && (!probe->asks || probe->length < PROBE_TEXT_MAX))
		code = CURLE_OK;
	if (code)
		probe_finish(probe, false, "%s",
			     *probe->curl_error ? probe->curl_error : curl_easy_strerror(code));
	else if (!status_in(&probe->status, status))
		probe_finish(probe, false, "status %ld", status);
	else if (probe->expect && !enough)
		probe_finish(probe, false, "status %ld, and the body lacks its text", status);
	else
		probe_finish(probe, true, "status %ld", status);
}

static void transfers_finish(struct prober *prober)
{
	struct probe *probe;
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(prober->multi, &left))) {
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &probe);
		http_judge(probe, code);
	}
}

void http_end(struct probe *probe)
{
	if (!probe->easy)
		return;
	curl_multi_remove_handle(probe->prober->multi, probe->easy);
	curl_easy_cleanup(probe->easy);
	curl_slist_free_all(probe->headers);
	curl_slist_free_all(probe->connect_to);
	probe->easy = NULL;
}

/* ------------------------------------------------------------------ a transfer */

/* Nothing of the body is wanted: its first bytes end the transfer. Else so much, and no more. */
static size_t body_take(char *data, size_t size, size_t count, void *context)
{
	struct probe *probe = context;
	size_t length = size * count, room = PROBE_TEXT_MAX - probe->length;

	if (!probe->text)
		return 0;
	memcpy(probe->text + probe->length, data, length < room ? length : room);
	probe->length += length < room ? length : room;
	if (probe->length == PROBE_TEXT_MAX)
		return 0;
	if (probe->expect &&
	    memmem(probe->text, probe->length, probe->expect, probe->expect_length))
		return 0;
	return length;
}

static curl_socket_t socket_make(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct probe *probe = context;
	int fd;

	(void)purpose;
	fd = probe->target.mark
		     ? probe_socket(&probe->target, SOCK_STREAM, 0)
		     : socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int transfer_new(struct probe *probe)
{
	probe->easy = curl_easy_init();
	if (!probe->easy)
		return -ENOMEM;
	curl_easy_setopt(probe->easy, CURLOPT_PRIVATE, probe);
	curl_easy_setopt(probe->easy, CURLOPT_ERRORBUFFER, probe->curl_error);
	curl_easy_setopt(probe->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(probe->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(probe->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(probe->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	/* A connection that is there already would tell nothing about the next client's. */
	curl_easy_setopt(probe->easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(probe->easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(probe->easy, CURLOPT_USERAGENT, "sluice/" SLUICE_VERSION);
	curl_easy_setopt(probe->easy, CURLOPT_WRITEFUNCTION, body_take);
	curl_easy_setopt(probe->easy, CURLOPT_WRITEDATA, probe);
	curl_easy_setopt(probe->easy, CURLOPT_OPENSOCKETFUNCTION, socket_make);
	curl_easy_setopt(probe->easy, CURLOPT_OPENSOCKETDATA, probe);
	return 0;
}

static int transfer_start(struct probe *probe)
{
	return curl_multi_add_handle(probe->prober->multi, probe->easy) ? -EIO : 0;
}

/* An address as it stands in a URL. */
static void address_text(const struct ip *address, char text[IP_TEXT_MAX + 2])
{
	char plain[IP_TEXT_MAX];

	ip_format(address, plain);
	snprintf(text, IP_TEXT_MAX + 2, ip_family(address) == 6 ? "[%s]" : "%s", plain);
}

static int url_set(struct probe *probe, const struct health_config *config)
{
	bool tls = config->type == PROBE_HTTPS;
	const char *name = tls && config->server_name ? config->server_name : config->host;
	char address[IP_TEXT_MAX + 2], *url, *connect, *host = NULL;
	int err = 0;

	address_text(&probe->target.address, address);
	if (asprintf(&connect, "::%s:%u", address, probe->target.port) < 0)
		return -ENOMEM;
	probe->connect_to = curl_slist_append(NULL, connect);
	free(connect);
	if (asprintf(&url, "%s://%s:%u%s", tls ? "https" : "http", name ? name : address,
		     probe->target.port, config->path) < 0)
		return -ENOMEM;
	if (curl_easy_setopt(probe->easy, CURLOPT_URL, url))
		err = -ENOMEM;
	free(url);
	if (config->host && asprintf(&host, "Host: %s", config->host) < 0)
		return -ENOMEM;
	if (host)
		probe->headers = curl_slist_append(NULL, host);
	free(host);
	if (!probe->connect_to || (config->host && !probe->headers))
		return -ENOMEM;
	curl_easy_setopt(probe->easy, CURLOPT_CONNECT_TO, probe->connect_to);
	curl_easy_setopt(probe->easy, CURLOPT_HTTPHEADER, probe->headers);
	return err;
}

static int body_set(struct probe *probe, const struct health_config *config)
{
	if (!config->body)
		return 0;
	probe->expect = (uint8_t *)strdup(config->body);
	probe->text = malloc(PROBE_TEXT_MAX + 1);
	probe->expect_length = strlen(config->body);
	return probe->expect && probe->text ? 0 : -ENOMEM;
}

int http_begin(struct probe *probe, const struct health_config *config)
{
	int err = transfer_new(probe);

	if (!err)
		err = url_set(probe, config);
	if (!err)
		err = body_set(probe, config);
	if (err)
		return err;
	probe->status = config->status;
	if (!strcmp(config->method, "HEAD"))
		curl_easy_setopt(probe->easy, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(probe->easy, CURLOPT_CUSTOMREQUEST, config->method);
	curl_easy_setopt(probe->easy, CURLOPT_SSL_VERIFYPEER, config->tls_verify ? 1L : 0L);
	curl_easy_setopt(probe->easy, CURLOPT_SSL_VERIFYHOST, config->tls_verify ? 2L : 0L);
	if (config->ca_file)
		curl_easy_setopt(probe->easy, CURLOPT_CAINFO, config->ca_file);
	return transfer_start(probe);
}

/* "%s" in the URL is the target's address. */
int http_ask(struct probe *probe, const char *url)
{
	const char *place = strstr(url, "%s");
	char address[IP_TEXT_MAX + 2], *text = NULL;
	int err = transfer_new(probe);

	if (err)
		return err;
	address_text(&probe->target.address, address);
	if (!place)
		err = asprintf(&text, "%s", url);
	else
		err = asprintf(&text, "%.*s%s%s", (int)(place - url), url, address, place + 2);
	if (err < 0)
		return -ENOMEM;
	probe->status.bits[200 / 64] = 1ULL << (200 % 64);
	err = curl_easy_setopt(probe->easy, CURLOPT_URL, text) ? -ENOMEM : 0;
	free(text);
	return err ? err : transfer_start(probe);
}

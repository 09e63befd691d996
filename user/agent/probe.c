// SPDX-License-Identifier: GPL-2.0-only
/* The prober: starts probes of every kind, and takes what comes of them from the loop. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent/probe_private.h"

#define EVENTS_MAX 64

/* An hour: whoever started it cancels it before. */
#define EXEC_TIMEOUT_MS 3600000u

static void probe_free(struct probe *probe)
{
	if (probe->fd >= 0)
		close(probe->fd);
	http_end(probe);
	child_cancel(probe->child);
	free(probe->expect);
	free(probe->text);
	free(probe);
}

void probe_finish(struct probe *probe, bool passed, const char *format, ...)
{
	struct probe_result result = {
		.passed = passed, .text = probe->text, .length = probe->length};
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(result.why, sizeof(result.why), format, arguments);
	va_end(arguments);
	if (probe->text)
		probe->text[probe->length] = '\0';
	probe->done(probe->context, &result);
	probe_free(probe);
}

void probe_cancel(struct probe *probe)
{
	if (probe)
		probe_free(probe);
}

/* ------------------------------------------------------------------ exec */

static void exec_done(void *context, const struct child_result *result)
{
	struct probe *probe = context;

	probe->child = NULL;
	if (result->start_error)
		probe_finish(probe, false, "cannot be started: %s", strerror(-result->start_error));
	else if (result->term_signal)
		probe_finish(probe, false, "ended by signal %d", result->term_signal);
	else if (result->exit_status)
		probe_finish(probe, false, "exit status %d%s%s", result->exit_status,
			     *result->talk ? ": " : "", result->talk);
	else
		probe_finish(probe, true, "exit status 0");
}

static int exec_begin(struct probe *probe, const struct health_config *config)
{
	char address[IP_TEXT_MAX], port[8];
	const char *arguments[] = {address, port, NULL};
	const struct child_spec spec = {
		.path = config->command,
		.arguments = arguments,
		.output_cut = true,
		.timeout_ms = EXEC_TIMEOUT_MS,
	};

	ip_format(&probe->target.address, address);
	snprintf(port, sizeof(port), "%u", probe->target.port);
	probe->child = child_start(probe->prober->children, &spec, exec_done, probe);
	return probe->child ? 0 : -ENOMEM;
}

/* ------------------------------------------------------------------ starts */

static struct probe *probe_new(struct prober *prober, enum probe_kind kind,
			       const struct probe_target *target, probe_done_fn done, void *context)
{
	struct probe *probe = calloc(1, sizeof(*probe));

	if (!probe)
		return NULL;
	probe->prober = prober;
	probe->kind = kind;
	probe->target = *target;
	probe->done = done;
	probe->context = context;
	probe->fd = -1;
	probe->sequence = ++prober->sequence;
	return probe;
}

static int probe_begun(struct probe *probe, int err, struct probe **ret_probe)
{
	if (err)
		probe_cancel(probe);
	else
		*ret_probe = probe;
	return err;
}

int probe_start(struct prober *prober, const struct health_config *config,
		const struct probe_target *target, probe_done_fn done, void *context,
		struct probe **ret_probe)
{
	static const enum probe_kind kinds[] = {
		[PROBE_TCP] = PROBE_KIND_TCP,    [PROBE_HTTP] = PROBE_KIND_HTTP,
		[PROBE_HTTPS] = PROBE_KIND_HTTP, [PROBE_UDP] = PROBE_KIND_UDP,
		[PROBE_ICMP] = PROBE_KIND_ICMP,  [PROBE_EXEC] = PROBE_KIND_EXEC,
	};
	struct probe *probe = probe_new(prober, kinds[config->type], target, done, context);

	if (!probe)
		return -ENOMEM;
	if (probe->kind == PROBE_KIND_EXEC)
		return probe_begun(probe, exec_begin(probe, config), ret_probe);
	if (probe->kind == PROBE_KIND_HTTP)
		return probe_begun(probe, http_begin(probe, config), ret_probe);
	return probe_begun(probe, socket_begin(probe, config), ret_probe);
}

int probe_ask(struct prober *prober, const struct agent_check_config *config,
	      const struct probe_target *target, probe_done_fn done, void *context,
	      struct probe **ret_probe)
{
	struct probe *probe = probe_new(prober, config->url ? PROBE_KIND_HTTP : PROBE_KIND_LINE,
					target, done, context);
	int err;

	if (!probe)
		return -ENOMEM;
	probe->asks = true;
	probe->text = malloc(PROBE_TEXT_MAX + 1);
	if (!probe->text)
		err = -ENOMEM;
	else
		err = config->url ? http_ask(probe, config->url) : socket_begin(probe, NULL);
	return probe_begun(probe, err, ret_probe);
}

/* ------------------------------------------------------------------ the loop */

static void sockets_poll(struct prober *prober)
{
	struct epoll_event events[EVENTS_MAX];
	int count;

	do {
		count = epoll_wait(prober->sockets_fd, events, EVENTS_MAX, 0);
		for (int i = 0; i < count; i++)
			socket_event(events[i].data.ptr, events[i].events);
	} while (count == EVENTS_MAX);
}

static void sockets_readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	sockets_poll(poll->data);
}

static void transfers_readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	transfers_poll(poll->data);
}

void prober_poll(struct prober *prober)
{
	sockets_poll(prober);
	transfers_poll(prober);
}

static void prober_free(struct prober *prober)
{
	http_close(prober);
	if (prober->sockets_fd >= 0)
		close(prober->sockets_fd);
	if (prober->transfers_fd >= 0)
		close(prober->transfers_fd);
	free(prober);
}

static void handle_closed(uv_handle_t *handle)
{
	struct prober *prober = handle->data;

	if (--prober->open_handles == 0)
		prober_free(prober);
}

static int handles_start(struct prober *prober)
{
	int err = uv_poll_init(prober->loop, &prober->sockets, prober->sockets_fd);

	if (err)
		return err;
	err = uv_poll_init(prober->loop, &prober->transfers, prober->transfers_fd);
	if (err)
		return err;
	uv_timer_init(prober->loop, &prober->timer);
	prober->sockets.data = prober->transfers.data = prober->timer.data = prober;
	prober->open_handles = 3;
	uv_poll_start(&prober->sockets, UV_READABLE, sockets_readable);
	uv_poll_start(&prober->transfers, UV_READABLE, transfers_readable);
	return 0;
}

int prober_start(uv_loop_t *loop, struct children *children, struct prober **ret_prober,
		 struct error *error)
{
	struct prober *prober = calloc(1, sizeof(*prober));
	int err;

	if (!prober)
		return error_set(error, -ENOMEM, "probes: out of memory");
	prober->loop = loop;
	prober->children = children;
	prober->sequence = (uint16_t)uv_hrtime();
	prober->sockets_fd = epoll_create1(EPOLL_CLOEXEC);
	prober->transfers_fd = epoll_create1(EPOLL_CLOEXEC);
	err = prober->sockets_fd < 0 || prober->transfers_fd < 0 ? -errno : 0;
	if (err)
		error_set(error, err, "probes: no epoll: %s", strerror(-err));
	if (!err)
		err = http_open(prober, error);
	if (!err) {
		err = handles_start(prober);
		if (err)
			error_set(error, err, "probes: cannot be polled: %s", uv_strerror(err));
	}
	if (err) {
		prober_free(prober);
		return err;
	}
	*ret_prober = prober;
	return 0;
}

void prober_stop(struct prober *prober)
{
	if (!prober)
		return;
	uv_close((uv_handle_t *)&prober->sockets, handle_closed);
	uv_close((uv_handle_t *)&prober->transfers, handle_closed);
	uv_close((uv_handle_t *)&prober->timer, handle_closed);
}

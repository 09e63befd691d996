// SPDX-License-Identifier: GPL-2.0-only
/* What child processes have to do with the runner: requests out, reports in. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/child_private.h"
#include "agent/runner.h"

/* The runner is there for us alone; if it takes longer than this to listen, the host is in need. */
#define RUNNER_WAIT_MS 100

static int runner_send(const struct children *children, const struct msghdr *message)
{
	struct pollfd writable = {.fd = children->fd, .events = POLLOUT};

	if (children->fd < 0)
		return -EPIPE;
	for (int tries = 0; tries < 2; tries++) {
		if (sendmsg(children->fd, message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		poll(&writable, 1, RUNNER_WAIT_MS);
	}
	return -EAGAIN;
}

int child_send_kill(const struct child *child)
{
	struct runner_request request = {.kind = RUNNER_KILL, .id = child->id};
	struct iovec bytes = {.iov_base = &request, .iov_len = sizeof(request)};
	struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};

	return runner_send(child->children, &message);
}

/* Adds texts to a message, each with its NUL. Returns how many, or -E2BIG. */
static int texts_add(char *message, size_t *length, const char *const *texts)
{
	int count = 0;

	for (; texts && texts[count]; count++) {
		size_t size = strlen(texts[count]) + 1;

		if (size > RUNNER_MESSAGE_MAX - *length)
			return -E2BIG;
		memcpy(message + *length, texts[count], size);
		*length += size;
	}
	return count;
}

static int start_fill(const struct child *child, const struct child_spec *spec, char *message,
		      size_t *length)
{
	struct runner_request request = {.kind = RUNNER_START, .id = child->id};
	const char *path[] = {spec->path, NULL};
	int paths, arguments, environment;

	*length = sizeof(request);
	paths = texts_add(message, length, path);
	arguments = texts_add(message, length, spec->arguments);
	environment = texts_add(message, length, spec->environment);
	if (paths < 0 || arguments < 0 || environment < 0)
		return -E2BIG;
	request.argument_count = (uint32_t)(paths + arguments);
	request.environment_count = (uint32_t)environment;
	memcpy(message, &request, sizeof(request));
	return 0;
}

int child_send_start(const struct child *child, const struct child_spec *spec,
		     const int fds[CHILD_STDIO])
{
	union {
		char bytes[CMSG_SPACE(CHILD_STDIO * sizeof(int))];
		struct cmsghdr aligned;
	} control = {{0}};
	struct iovec text = {.iov_base = malloc(RUNNER_MESSAGE_MAX)};
	struct msghdr message = {.msg_iov = &text,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int err;

	if (!text.iov_base)
		return -ENOMEM;
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(CHILD_STDIO * sizeof(int));
	memcpy(CMSG_DATA(header), fds, CHILD_STDIO * sizeof(int));
	err = start_fill(child, spec, text.iov_base, &text.iov_len);
	if (!err)
		err = runner_send(child->children, &message);
	free(text.iov_base);
	return err;
}

/* ------------------------------------------------------------------ reports */

static void report_take(struct children *children, const struct runner_report *report)
{
	struct child *child = children->running;

	while (child && child->id != report->id)
		child = child->next;
	if (!child)
		return; /* cancelled */
	if (report->kind == RUNNER_REFUSED) {
		child_refused(child, report->value);
		return;
	}
	if (report->kind == RUNNER_SIGNALLED)
		child->term_signal = report->value;
	else
		child->exit_status = report->value;
	child_exited(child);
}

static void runner_gone(struct children *children)
{
	uv_poll_stop(&children->poll);
	children->fd = -1;
	while (children->running)
		child_refused(children->running, -EPIPE);
	children->gone(children->context);
}

static void runner_readable(uv_poll_t *poll, int status, int events)
{
	struct children *children = poll->data;
	struct runner_report report;
	ssize_t length;

	(void)status;
	(void)events;
	do {
		length = recv(children->fd, &report, sizeof(report), MSG_DONTWAIT);
		if (length == sizeof(report))
			report_take(children, &report);
	} while (length > 0 || (length < 0 && errno == EINTR));
	if (!length || errno != EAGAIN)
		runner_gone(children);
}

int children_new(uv_loop_t *loop, int fd, void (*gone)(void *context), void *context,
		 struct children **ret_children, struct error *error)
{
	struct children *children = calloc(1, sizeof(*children));
	int err;

	if (!children)
		return error_set(error, -ENOMEM, "child processes: out of memory");
	*children = (struct children){.loop = loop, .fd = fd, .gone = gone, .context = context};
	children->poll.data = children;
	err = uv_poll_init(loop, &children->poll, fd);
	if (err) {
		free(children);
		return error_set(error, err, "child processes: %s", uv_strerror(err));
	}
	uv_poll_start(&children->poll, UV_READABLE, runner_readable);
	*ret_children = children;
	return 0;
}

static void children_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void children_stop(struct children *children)
{
	if (children)
		uv_close((uv_handle_t *)&children->poll, children_closed);
}

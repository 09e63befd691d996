// SPDX-License-Identifier: GPL-2.0-only
/* Calls of a provisioner by the command itself: pipes, a time limit, a limit on the output. */
#include "cli/plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/process.h"

/* As in the agent: what a child started may hold its pipes open; they are not waited for. */
#define LINGER_MS 1000

extern char **environ;

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ------------------------------------------------------------------ its start */

/* ours[i] is the end of pipe i that stays here. */
static int pipes_make(int ours[PROCESS_STDIO], int theirs[PROCESS_STDIO])
{
	for (int i = 0; i < PROCESS_STDIO; i++) {
		int ends[2];

		if (pipe2(ends, O_CLOEXEC))
			return -errno;
		ours[i] = i ? ends[0] : ends[1];
		theirs[i] = i ? ends[1] : ends[0];
		if (fcntl(ours[i], F_SETFL, O_NONBLOCK))
			return -errno;
	}
	return 0;
}

static void input_send(struct plugin_call *call)
{
	ssize_t sent = write(call->in, call->input + call->input_sent,
			     call->input_length - call->input_sent);

	if (sent > 0)
		call->input_sent += (size_t)sent;
	/* It need not read its input. */
	if (call->input_sent == call->input_length || (sent < 0 && errno != EAGAIN))
		fd_close(&call->in);
}

void plugin_begin(struct plugin_call *call, const char *path, const char *verb, const char *input)
{
	int ours[PROCESS_STDIO] = {-1, -1, -1}, theirs[PROCESS_STDIO] = {-1, -1, -1};
	char *arguments[] = {(char *)(uintptr_t)path, (char *)(uintptr_t)verb, NULL};
	struct process_start start = {.path = path, .arguments = arguments, .environment = environ};
	int err = pipes_make(ours, theirs);

	*call = (struct plugin_call){.pidfd = -1,
				     .in = ours[0],
				     .out = ours[1],
				     .talk = ours[2],
				     .begun_ms = now_ms(),
				     .input = input,
				     .input_length = strlen(input)};
	call->output = calloc(1, PLUGIN_OUTPUT_MAX + 1);
	if (!err && !call->output)
		err = -ENOMEM;
	memcpy(start.stdio, theirs, sizeof(theirs));
	if (!err) {
		call->pid = process_start(&start);
		err = call->pid < 0 ? call->pid : 0;
	}
	for (int i = 0; i < PROCESS_STDIO; i++)
		fd_close(&theirs[i]);
	if (!err) {
		call->pidfd = (int)syscall(SYS_pidfd_open, call->pid, 0);
		err = call->pidfd < 0 ? -errno : 0;
	}
	call->start_error = err;
	if (!err)
		input_send(call); /* at once: it is to run beside others */
}

/* ------------------------------------------------------------------ its pipes */

static void output_take(struct plugin_call *call)
{
	size_t room = PLUGIN_OUTPUT_MAX - call->output_length;
	char beyond;
	ssize_t length = room ? read(call->out, call->output + call->output_length, room)
			      : read(call->out, &beyond, 1);

	if (length > 0 && room)
		call->output_length += (size_t)length;
	else if (length > 0)
		call->output_too_long = true;
	else if (!length || errno != EAGAIN)
		fd_close(&call->out);
}

static void talk_take(struct plugin_call *call)
{
	char text[PLUGIN_TALK_MAX];
	size_t used = strlen(call->last_line);
	ssize_t length = read(call->talk, text, sizeof(text));

	if (!length || (length < 0 && errno != EAGAIN))
		fd_close(&call->talk);
	for (ssize_t i = 0; i < length; i++) {
		/* A line that has ended is shown until the next one begins. */
		bool ended = used && call->last_line[used - 1] == '\n';

		if (text[i] == '\n' && (ended || !used))
			continue;
		if (ended)
			used = 0;
		if (used + 2 < sizeof(call->last_line) || text[i] == '\n')
			call->last_line[used++] =
				(text[i] < ' ' || text[i] > '~') && text[i] != '\n' ? '?' : text[i];
		call->last_line[used] = '\0';
	}
}

/* ------------------------------------------------------------------ its end */

static void status_take(struct plugin_call *call)
{
	int status = 0;

	while (waitpid(call->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		call->term_signal = WTERMSIG(status);
	else
		call->exit_status = WEXITSTATUS(status);
	fd_close(&call->pidfd);
	call->took_ms = now_ms() - call->begun_ms;
}

/* How long to wait for what comes next; 0: it is time. */
static int wait_ms(const struct plugin_call *call, uint64_t timeout_ms)
{
	uint64_t end = call->pidfd >= 0 ? call->begun_ms + timeout_ms
					: call->begun_ms + call->took_ms + LINGER_MS;
	uint64_t now = now_ms();

	return now >= end ? 0 : (int)(end - now);
}

/* Waits for something to happen. Returns false when the time is over. */
static bool call_step(struct plugin_call *call, uint64_t timeout_ms, int interrupts)
{
	struct pollfd polled[] = {
		{.fd = call->in, .events = POLLOUT},  {.fd = call->out, .events = POLLIN},
		{.fd = call->talk, .events = POLLIN}, {.fd = call->pidfd, .events = POLLIN},
		{.fd = interrupts, .events = POLLIN},
	};
	int count = poll(polled, sizeof(polled) / sizeof(polled[0]), wait_ms(call, timeout_ms));

	if (count <= 0)
		return count < 0 && errno == EINTR;
	if (polled[0].revents)
		input_send(call);
	if (polled[1].revents)
		output_take(call);
	if (polled[2].revents)
		talk_take(call);
	if (polled[3].revents)
		status_take(call);
	call->interrupted |= polled[4].revents & POLLIN;
	return !call->interrupted && !call->output_too_long;
}

void plugin_finish(struct plugin_call *call, uint64_t timeout_ms, int interrupts)
{
	bool going_on = true;
	size_t length;

	if (call->start_error)
		return;
	while (going_on && (call->pidfd >= 0 || call->out >= 0 || call->talk >= 0))
		going_on = call_step(call, timeout_ms, interrupts);
	if (call->pidfd >= 0) {
		call->timed_out = !call->interrupted && !call->output_too_long;
		kill(-call->pid, SIGKILL);
		status_take(call);
	} else if (!going_on && !call->interrupted && !call->output_too_long) {
		call->held_open = true;
	}
	length = strlen(call->last_line);
	if (length && call->last_line[length - 1] == '\n')
		call->last_line[length - 1] = '\0';
}

void plugin_clear(struct plugin_call *call)
{
	fd_close(&call->in);
	fd_close(&call->out);
	fd_close(&call->talk);
	fd_close(&call->pidfd);
	free(call->output);
	call->output = NULL;
}

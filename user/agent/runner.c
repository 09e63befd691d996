// SPDX-License-Identifier: GPL-2.0-only
/* The runner: starts executables for the agent. */
#include "agent/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/runner_trust.h"
#include "base/process.h"

#define CHILDREN_MAX 1024
#define TEXTS_MAX    512
#define STDIO        PROCESS_STDIO

extern char **environ;

struct run {
	uint32_t id;
	pid_t pid;
};

struct runner_state {
	int fd, signals;
	char *const *folders;
	struct run runs[CHILDREN_MAX];
	size_t run_count;
	char message[RUNNER_MESSAGE_MAX];
};

/* A request to start, taken apart. */
struct start {
	char *texts[TEXTS_MAX + 1];
	char **arguments;   /* NULL at the end */
	char **environment; /* this too: ours and what the request adds */
	char path[PATH_MAX];
	int stdio[STDIO];
};

static void report(const struct runner_state *state, uint32_t id, enum runner_report_kind kind,
		   int value)
{
	struct runner_report message = {.kind = kind, .id = id, .value = value};

	/* If the agent has gone there is nobody to tell; the next read says so. */
	while (send(state->fd, &message, sizeof(message), MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

/* ------------------------------------------------------------------ requests */

/* The texts behind a request, or false if it is not well-formed. */
static bool texts_split(struct start *start, char *text, size_t length, size_t wanted)
{
	size_t count = 0, at = 0;

	if (!wanted || wanted > TEXTS_MAX)
		return false;
	while (count < wanted && at < length) {
		char *end = memchr(text + at, '\0', length - at);

		if (!end)
			return false;
		start->texts[count++] = text + at;
		at = (size_t)(end - text) + 1;
	}
	return count == wanted && at == length;
}

/* What a manager tells sluiced is not for its children. */
static bool environment_private(const char *text)
{
	static const char *const names[] = {
		"NOTIFY_SOCKET=", "WATCHDOG_USEC=", "WATCHDOG_PID=", "LISTEN_FDS=", "LISTEN_PID="};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strncmp(text, names[i], strlen(names[i])))
			return true;
	}
	return false;
}

static int lists_make(struct start *start, const struct runner_request *request)
{
	size_t own = 0, count = 0;

	while (environ && environ[own])
		own++;
	start->arguments = calloc(request->argument_count + 1, sizeof(char *));
	start->environment = calloc(own + request->environment_count + 1, sizeof(char *));
	if (!start->arguments || !start->environment)
		return -ENOMEM;
	for (size_t i = 0; i < request->argument_count; i++)
		start->arguments[i] = start->texts[i];
	for (size_t i = 0; i < own; i++) {
		if (!environment_private(environ[i]))
			start->environment[count++] = environ[i];
	}
	for (size_t i = 0; i < request->environment_count; i++)
		start->environment[count++] = start->texts[request->argument_count + i];
	return 0;
}

static int start_run(struct runner_state *state, const struct runner_request *request,
		     struct start *start, size_t length)
{
	char *texts = state->message + sizeof(*request);
	struct process_start process;
	pid_t pid;
	int err;

	if (length < sizeof(*request) || !request->argument_count ||
	    request->argument_count > TEXTS_MAX || request->environment_count > TEXTS_MAX ||
	    !texts_split(start, texts, length - sizeof(*request),
			 request->argument_count + request->environment_count))
		return -EINVAL;
	if (state->run_count == CHILDREN_MAX)
		return -EAGAIN;
	err = runner_trusts(start->texts[0], state->folders, start->path);
	if (!err)
		err = lists_make(start, request);
	if (err)
		return err;
	process = (struct process_start){.path = start->path,
					 .arguments = start->arguments,
					 .environment = start->environment};
	memcpy(process.stdio, start->stdio, sizeof(process.stdio));
	pid = process_start(&process);
	if (pid < 0)
		return pid;
	state->runs[state->run_count++] = (struct run){.id = request->id, .pid = pid};
	return 0;
}

static void run_kill(const struct runner_state *state, uint32_t id)
{
	for (size_t i = 0; i < state->run_count; i++) {
		if (state->runs[i].id == id)
			kill(-state->runs[i].pid, SIGKILL);
	}
}

/* The descriptors that came with a message; others than those of a start are closed. */
static size_t descriptors_take(struct msghdr *header, int fds[STDIO])
{
	struct cmsghdr *control = CMSG_FIRSTHDR(header);
	size_t count = 0;

	if (!control || control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
		return 0;
	count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(control), (count < STDIO ? count : STDIO) * sizeof(int));
	return count < STDIO ? count : STDIO;
}

/* One message. Returns false when the agent has gone. */
static bool request_take(struct runner_state *state)
{
	union {
		char bytes[CMSG_SPACE(STDIO * sizeof(int))];
		struct cmsghdr aligned;
	} control;
	struct iovec text = {.iov_base = state->message, .iov_len = sizeof(state->message)};
	struct msghdr header = {.msg_iov = &text,
				.msg_iovlen = 1,
				.msg_control = control.bytes,
				.msg_controllen = sizeof(control.bytes)};
	struct runner_request request = {0};
	struct start start = {.stdio = {-1, -1, -1}};
	ssize_t length = recvmsg(state->fd, &header, MSG_CMSG_CLOEXEC);
	size_t fds;
	int err = -EINVAL;

	if (length <= 0)
		return length < 0 && (errno == EINTR || errno == EAGAIN);
	fds = descriptors_take(&header, start.stdio);
	memcpy(&request, state->message,
	       (size_t)length < sizeof(request) ? (size_t)length : sizeof(request));
	if (request.kind == RUNNER_KILL) {
		run_kill(state, request.id);
	} else {
		if (fds == STDIO && !(header.msg_flags & MSG_TRUNC))
			err = start_run(state, &request, &start, (size_t)length);
		if (err)
			report(state, request.id, RUNNER_REFUSED, err);
	}
	for (size_t i = 0; i < fds; i++)
		close(start.stdio[i]);
	free(start.arguments);
	free(start.environment);
	return true;
}

/* ------------------------------------------------------------------ the loop */

static void children_reap(struct runner_state *state)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < state->run_count; i++) {
			if (state->runs[i].pid != pid)
				continue;
			if (WIFSIGNALED(status))
				report(state, state->runs[i].id, RUNNER_SIGNALLED,
				       WTERMSIG(status));
			else
				report(state, state->runs[i].id, RUNNER_EXITED,
				       WEXITSTATUS(status));
			state->runs[i] = state->runs[--state->run_count];
			break;
		}
	}
}

static void children_end(struct runner_state *state)
{
	for (size_t i = 0; i < state->run_count; i++)
		kill(-state->runs[i].pid, SIGKILL);
	for (size_t i = 0; i < state->run_count; i++) {
		while (waitpid(state->runs[i].pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
}

/* Stops are the agent's to decide on: it gets the signals of a terminal or a manager, too. */
static int signals_prepare(void)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT};
	sigset_t mask;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

void runner_loop(int fd, char *const *folders)
{
	struct runner_state *state = calloc(1, sizeof(*state));
	struct signalfd_siginfo signals[16];

	if (!state)
		return;
	state->fd = fd;
	state->folders = folders;
	state->signals = signals_prepare();
	while (state->signals >= 0) {
		struct pollfd polled[] = {{.fd = fd, .events = POLLIN},
					  {.fd = state->signals, .events = POLLIN}};

		if (poll(polled, 2, -1) < 0 && errno != EINTR)
			break;
		while (read(state->signals, signals, sizeof(signals)) > 0)
			;
		children_reap(state);
		if (polled[0].revents && !request_take(state))
			break;
	}
	children_end(state);
	free(state);
}

/* ------------------------------------------------------------------ the agent's side */

int runner_start(char *const *folders, struct runner *ret_runner, struct error *error)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return error_set(error, -errno, "runner: no socketpair: %s", strerror(errno));
	pid = process_fork();
	if (pid < 0) {
		close(ends[0]);
		close(ends[1]);
		return error_set(error, -errno, "runner: cannot be forked: %s", strerror(errno));
	}
	if (!pid) {
		/* Whatever else was inherited would outlive the agent here. */
		if (ends[1] == STDIO || dup3(ends[1], STDIO, O_CLOEXEC) >= 0) {
			syscall(SYS_close_range, STDIO + 1u, ~0u, 0);
			prctl(PR_SET_NAME, "sluiced-runner");
			runner_loop(STDIO, folders);
		}
		_exit(0);
	}
	close(ends[1]);
	*ret_runner = (struct runner){.fd = ends[0], .pid = pid};
	return 0;
}

void runner_stop(struct runner *runner)
{
	close(runner->fd);
	while (waitpid(runner->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

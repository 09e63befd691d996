/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The runner: a small process, forked before the agent gives up its privileges, which starts
 * executables for it. They keep the privileges that sluiced was started with; the agent need not.
 *
 * Both talk over a socketpair that keeps messages apart. A request to start has the child's
 * standard input, output and error as descriptors, in this order; pipes and time limits are the
 * agent's business. When the agent's end is closed, for whatever reason, the runner kills the
 * process group of every child that still runs, and ends.
 */
#ifndef AGENT_RUNNER_H
#define AGENT_RUNNER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

#define RUNNER_MESSAGE_MAX (64u * 1024)

enum runner_request_kind {
	RUNNER_START = 1, /* start "path, arguments..., environment..." */
	RUNNER_KILL,      /* kill the process group of the child of this id */
};

struct runner_request {
	uint32_t kind;
	uint32_t id; /* the agent's own number of the child */
	/* RUNNER_START: texts that follow, each with its NUL: the path first */
	uint32_t argument_count;    /* with argv[0], which is the path */
	uint32_t environment_count; /* "NAME=value", besides the runner's own environment */
};

enum runner_report_kind {
	RUNNER_REFUSED = 1, /* value: -errno */
	RUNNER_EXITED,      /* value: exit status */
	RUNNER_SIGNALLED,   /* value: the signal that ended it */
};

/* One for each start, when it is over. */
struct runner_report {
	uint32_t kind;
	uint32_t id;
	int32_t value;
};

struct runner {
	int fd; /* the agent's end of the socketpair */
	pid_t pid;
};

/*
 * runner_start - fork it. folders: executables may lie in these only, NULL at the end; NULL = any
 * that nobody but root can change. To be called while the process has one thread and nothing open
 * that children must not have. Returns 0 or -errno with a message.
 */
int runner_start(char *const *folders, struct runner *ret_runner, struct error *error);

/* runner_stop - close the agent's end, and wait until the runner has ended all children. */
void runner_stop(struct runner *runner);

/* runner_loop - what the runner does, on its end of the socketpair. Returns when that is closed. */
void runner_loop(int fd, char *const *folders);

#endif

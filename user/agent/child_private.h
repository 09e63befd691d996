/* SPDX-License-Identifier: GPL-2.0-only */
/* What child.c and child_runner.c, its way to the runner, share with nobody else. */
#ifndef AGENT_CHILD_PRIVATE_H
#define AGENT_CHILD_PRIVATE_H

#include "agent/child.h"

#define CHILD_STDIO     3
#define CHILD_LINE_ROOM 200

struct children {
	uv_loop_t *loop;
	uv_poll_t poll;
	int fd; /* to the runner; -1: it has gone */
	uint32_t last_id;
	struct child *running;
	void (*gone)(void *context);
	void *context;
};

/* The last line that was not empty, put together from whatever pieces arrive. */
struct last_line {
	char current[CHILD_LINE_ROOM], last[CHILD_LINE_ROOM];
	size_t length;
};

struct child {
	struct children *children;
	struct child *next; /* of those that run */
	uint32_t id;
	uv_pipe_t in, out, talk;
	uv_timer_t timer;
	uv_write_t write;
	uint64_t timeout_ms;
	int open_handles, streams_open;
	bool running, killed, finished, output_too_long, output_cut;
	int start_error, exit_status, term_signal;
	child_done_fn done;
	void *context;
	char *input;
	size_t input_length;
	char *output;
	size_t output_length, output_max;
	char read_buffer[4096];
	struct last_line stderr_line;
};

/* child_send_start, child_send_kill - tell the runner. 0 or -errno; -EPIPE if it has gone. */
int child_send_start(const struct child *child, const struct child_spec *spec,
		     const int fds[CHILD_STDIO]);
int child_send_kill(const struct child *child);

/* child_refused, child_exited - the runner says: not started; ended, its status is filled in. */
void child_refused(struct child *child, int err);
void child_exited(struct child *child);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Child processes: an executable with arguments, bytes in, bytes out, a limit on its time and
 * output. Provisioners and exec probes are run by this. The runner starts them (runner.h), so they
 * have the privileges that the agent has given up.
 */
#ifndef AGENT_CHILD_H
#define AGENT_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"

#define CHILD_OUTPUT_MAX (64u * 1024)

struct children;
struct child;

/* What to run. All of it is copied. */
struct child_spec {
	const char *path;               /* the executable; no shell, no search in PATH */
	const char *const *arguments;   /* behind the path, NULL at the end; NULL = none */
	const char *const *environment; /* "NAME=value", besides sluiced's own, NULL at the end */
	const void *input;              /* for its standard input, then end of file */
	size_t input_length;
	size_t output_max; /* bytes of standard output that are wanted; 0 = CHILD_OUTPUT_MAX */
	bool output_cut;   /* more than that: cut it off; false: kill the child, output_too_long */
	uint64_t timeout_ms;
};

struct child_result {
	int start_error; /* -errno if it could not be started; then all else is 0 */
	bool timed_out;  /* it was killed for that */
	bool output_too_long;
	int exit_status; /* of one that ended by itself */
	int term_signal; /* or the signal that ended it */
	const char *output;
	size_t output_length;
	const char *talk; /* the last line of its standard error that was not empty; printable */
};

/* The result is there until this returns. */
typedef void (*child_done_fn)(void *context, const struct child_result *result);

/*
 * children_new - what child processes are started by. fd: the agent's end of the runner's
 * socketpair, which stays the caller's. gone is called if the runner ends by itself, once; nothing
 * can be started from then on.
 */
int children_new(uv_loop_t *loop, int fd, void (*gone)(void *context), void *context,
		 struct children **ret_children, struct error *error);

/* children_stop - close it; it frees itself from the loop. All have to be cancelled. Takes NULL. */
void children_stop(struct children *children);

/*
 * child_start - start one, as the leader of a process group of its own. done is called once, from
 * the loop, never from here, unless the child is cancelled first: when it has ended and closed its
 * output (or a second after its end), or on time-out, when its whole group is killed. The child
 * frees itself after that. Returns it, or NULL when out of memory.
 */
struct child *child_start(struct children *children, const struct child_spec *spec,
			  child_done_fn done, void *context);

/* child_cancel - kill its process group; done will not be called. Takes NULL. */
void child_cancel(struct child *child);

/* child_start_text - why it could not be started, with the next step; size: at least 160. */
void child_start_text(int start_error, char *text, size_t size);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls of a provisioner by the command itself, as the agent makes them. */
#ifndef CLI_PLUGIN_H
#define CLI_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PLUGIN_OUTPUT_MAX (64u * 1024)
#define PLUGIN_TALK_MAX   256

struct plugin_call {
	pid_t pid;
	int pidfd, in, out, talk; /* -1: closed */
	uint64_t begun_ms;
	const char *input;
	size_t input_length, input_sent;

	/* of one that has ended */
	int start_error; /* -errno: it could not be started, and the rest is 0 */
	bool timed_out, output_too_long;
	bool held_open; /* a second after its end its output was still held open */
	bool interrupted;
	int exit_status, term_signal;
	char *output; /* with a NUL behind it */
	size_t output_length;
	char last_line[PLUGIN_TALK_MAX]; /* of its standard error; printable */
	uint64_t took_ms;
};

/* plugin_begin - start "path verb" with input, which has to stay, on its standard input. */
void plugin_begin(struct plugin_call *call, const char *path, const char *verb, const char *input);

/*
 * plugin_finish - await its end, and kill its group after timeout_ms, or once interrupts (a signalfd,
 * or -1) has something to read. plugin_clear releases what it has left.
 */
void plugin_finish(struct plugin_call *call, uint64_t timeout_ms, int interrupts);
void plugin_clear(struct plugin_call *call);

#endif

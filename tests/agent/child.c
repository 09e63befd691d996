// SPDX-License-Identifier: GPL-2.0-only
/* Child processes by way of the runner: what goes in and comes out, limits, ends, whom it trusts. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit/unit.h"
#include "agent/child.h"
#include "agent/runner.h"
#include "agent/runner_trust.h"

struct bench {
	uv_loop_t loop;
	struct runner runner;
	struct children *children;
	bool gone;
	char folder[64];
	/* of the last one that ended */
	int ended;
	struct child_result result;
	char output[256], talk[256];
};

static void runner_ended(void *context)
{
	struct bench *bench = context;

	bench->gone = true;
}

static int bench_open(void **context)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	strcpy(bench->folder, "/tmp/sluice-child-XXXXXX");
	if (!mkdtemp(bench->folder) || runner_start(NULL, &bench->runner, NULL) ||
	    uv_loop_init(&bench->loop) ||
	    children_new(&bench->loop, bench->runner.fd, runner_ended, bench, &bench->children,
			 NULL))
		return -1;
	*context = bench;
	return 0;
}

static int bench_close(void **context)
{
	struct bench *bench = *context;
	char command[128];

	children_stop(bench->children);
	uv_run(&bench->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&bench->loop), 0);
	runner_stop(&bench->runner);
	snprintf(command, sizeof(command), "rm -r %s", bench->folder);
	assert_int_equal(system(command), 0); /* NOLINT: a test's folder */
	free(bench);
	return 0;
}

static void child_done(void *context, const struct child_result *result)
{
	struct bench *bench = context;

	bench->ended++;
	bench->result = *result;
	snprintf(bench->output, sizeof(bench->output), "%.*s", (int)result->output_length,
		 result->output ? result->output : "");
	snprintf(bench->talk, sizeof(bench->talk), "%s", result->talk ? result->talk : "");
}

static void bench_wait(struct bench *bench, int ended)
{
	while (bench->ended < ended)
		uv_run(&bench->loop, UV_RUN_ONCE);
}

/* Runs a line of shell to its end. */
static void shell(struct bench *bench, const char *line, struct child_spec spec)
{
	const char *const arguments[] = {"-c", line, "name", "a b", NULL};

	spec.path = "/bin/sh";
	spec.arguments = arguments;
	spec.timeout_ms = spec.timeout_ms ? spec.timeout_ms : 60000;
	assert_non_null(child_start(bench->children, &spec, child_done, bench));
	bench_wait(bench, bench->ended + 1);
}

static void in_and_out(void **context)
{
	static const char *const environment[] = {"SLUICE_TEST=c d", NULL};
	struct bench *bench = *context;

	shell(bench, "read x; echo \"$x|$1|$SLUICE_TEST\"; echo one >&2; echo two >&2; exit 3",
	      (struct child_spec){.environment = environment, .input = "in\n", .input_length = 3});
	assert_string_equal(bench->output, "in|a b|c d\n");
	assert_string_equal(bench->talk, "two");
	assert_int_equal(bench->result.exit_status, 3);
	assert_false(bench->result.timed_out || bench->result.start_error);
	shell(bench, "kill -9 $$", (struct child_spec){0});
	assert_int_equal(bench->result.term_signal, 9);
	shell(bench, "head -c 5000000 /dev/zero | tr '\\0' x; exit 4",
	      (struct child_spec){.output_max = 10, .output_cut = true});
	assert_string_equal(bench->output, "xxxxxxxxxx");
	assert_int_equal(bench->result.exit_status, 4);
	shell(bench, "head -c 5000000 /dev/zero | tr '\\0' x; sleep 100", (struct child_spec){0});
	assert_true(bench->result.output_too_long);
}

static void process_ended(pid_t pid)
{
	for (int i = 0; i < 3000 && !kill(pid, 0); i++)
		usleep(10000);
	assert_true(kill(pid, 0) && errno == ESRCH);
}

/* What leads its group has the time-out; all of the group ends, and nothing else is waited for. */
static void time_out(void **context)
{
	struct bench *bench = *context;
	pid_t grandchild = 0;

	/* On a busy host a shell may need longer than the time-out to say anything. */
	for (uint64_t timeout_ms = 100; grandchild < 2 && timeout_ms < 60000; timeout_ms *= 2) {
		shell(bench, "sleep 1000 & echo $!; wait",
		      (struct child_spec){.timeout_ms = timeout_ms});
		assert_true(bench->result.timed_out);
		grandchild = atoi(bench->output);
	}
	assert_true(grandchild > 1);
	process_ended(grandchild);
}

static void not_started(void **context)
{
	struct child_spec spec = {.path = "/nowhere/x", .timeout_ms = 1000};
	struct bench *bench = *context;

	assert_non_null(child_start(bench->children, &spec, child_done, bench));
	assert_int_equal(bench->ended, 0);
	bench_wait(bench, 1);
	assert_int_equal(bench->result.start_error, -ENOENT);
	spec.path = "/etc/passwd";
	assert_non_null(child_start(bench->children, &spec, child_done, bench));
	bench_wait(bench, 2);
	assert_int_equal(bench->result.start_error, -EACCES);
}

/* It would otherwise be found out when the next backend is wanted. */
static void runner_killed(void **context)
{
	struct child_spec spec = {.path = "/bin/cat", .timeout_ms = 60000};
	struct bench *bench = *context;

	kill(bench->runner.pid, SIGKILL);
	while (!bench->gone)
		uv_run(&bench->loop, UV_RUN_ONCE);
	assert_non_null(child_start(bench->children, &spec, child_done, bench));
	bench_wait(bench, 1);
	assert_int_equal(bench->result.start_error, -EPIPE);
}

/* Both processes of a group that is started write their ids into a file. */
static void group_start(struct bench *bench, pid_t pids[2])
{
	char file_path[128], line[256];
	const char *const arguments[] = {"-c", line, NULL};
	struct child_spec spec = {.path = "/bin/sh", .arguments = arguments, .timeout_ms = 60000};
	FILE *file;

	snprintf(file_path, sizeof(file_path), "%s/pids", bench->folder);
	snprintf(line, sizeof(line), "sleep 1000 & echo $$ $! >%s; wait", file_path);
	assert_non_null(child_start(bench->children, &spec, child_done, bench));
	pids[0] = pids[1] = 0;
	for (int i = 0; i < 3000 && !pids[1]; i++) {
		file = fopen(file_path, "re");
		if (file && fgets(line, sizeof(line), file))
			sscanf(line, "%d %d\n", &pids[0], &pids[1]);
		if (file)
			fclose(file);
		usleep(10000);
	}
	assert_true(pids[0] > 1 && pids[1] > 1);
}

/* That the agent has died is seen by the end of the socketpair alone. */
static void agent_gone(void **context)
{
	struct bench *bench = *context;
	pid_t pids[2];

	group_start(bench, pids);
	shutdown(bench->runner.fd, SHUT_WR);
	process_ended(pids[0]);
	process_ended(pids[1]);
	bench_wait(bench, 1);
}

static void script_make(const struct bench *bench, const char *name, mode_t mode, char path[128])
{
	FILE *file;

	snprintf(path, 128, "%s/%s", bench->folder, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs("#!/bin/sh\n", file);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
}

static void trust(void **context)
{
	struct bench *bench = *context;
	char *const here[] = {bench->folder, NULL}, *const bin[] = {(char *)"/bin", NULL};
	char path[128], other[128], real[PATH_MAX];

	script_make(bench, "good", 0755, path);
	assert_int_equal(runner_trusts(path, NULL, real), 0);
	assert_string_equal(real, path);
	assert_int_equal(runner_trusts(path, here, real), 0);
	assert_int_equal(runner_trusts(path, bin, real), -EPERM);
	snprintf(other, sizeof(other), "%s/link", bench->folder);
	assert_int_equal(symlink(path, other), 0);
	assert_int_equal(runner_trusts(other, NULL, real), 0);
	assert_string_equal(real, path);
	assert_int_equal(runner_trusts("/nowhere", NULL, real), -ENOENT);
	assert_int_equal(runner_trusts(bench->folder, NULL, real), -EACCES);
	script_make(bench, "plain", 0644, other);
	assert_int_equal(runner_trusts(other, NULL, real), -EACCES);
	script_make(bench, "group", 0775, other);
	assert_int_equal(runner_trusts(other, NULL, real), -EPERM);
	script_make(bench, "others", 0757, other);
	assert_int_equal(runner_trusts(other, NULL, real), -EPERM);
	script_make(bench, "strange", 0755, other);
	assert_int_equal(chown(other, 65534, 0), 0);
	assert_int_equal(runner_trusts(other, NULL, real), -EPERM);
	assert_int_equal(chmod(bench->folder, 0777), 0);
	assert_int_equal(runner_trusts(path, NULL, real), -EPERM);
	assert_int_equal(chmod(bench->folder, 01777), 0);
	assert_int_equal(runner_trusts(path, NULL, real), 0);
}

static const struct CMUnitTest cases[] = {
	{"control/child: arguments, environment, input, output, its end and its last words",
	 in_and_out, bench_open, bench_close, NULL},
	{"control/child: one that takes too long ends with all that it started", time_out,
	 bench_open, bench_close, NULL},
	{"control/child: what cannot be started is told by its error", not_started, bench_open,
	 bench_close, NULL},
	{"control/runner: its end is noticed, and nothing can be started any more", runner_killed,
	 bench_open, bench_close, NULL},
	{"control/runner: when the agent is gone, what runs is killed", agent_gone, bench_open,
	 bench_close, NULL},
	{"control/runner: runs only what nobody but root can have changed", trust, bench_open,
	 bench_close, NULL},
};

UNIT_MAIN("agent/child", cases)

// SPDX-License-Identifier: GPL-2.0-only
/* Runs child processes: the only place that starts any. */
#include "agent/child.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* After its exit a child's pipes may be held open by what it started; they are not waited for. */
#define LINGER_MS 1000
#define LINE_ROOM 200

extern char **environ;

struct children {
	uv_loop_t *loop;
};

/* The last line that was not empty, put together from whatever pieces arrive. */
struct last_line {
	char current[LINE_ROOM], last[LINE_ROOM];
	size_t length;
};

struct child {
	uv_process_t process;
	uv_pipe_t in, out, talk;
	uv_timer_t timer;
	uv_write_t write;
	uint64_t timeout_ms;
	int open_handles, streams_open;
	bool spawned, exited, killed, finished, output_too_long, output_cut;
	int start_error, exit_status, term_signal;
	child_done_fn done;
	void *context;
	char *path, **arguments, **environment;
	char *input;
	size_t input_length;
	char *output;
	size_t output_length, output_max;
	char read_buffer[4096];
	struct last_line stderr_line;
};

/* ------------------------------------------------------------------ lists of texts */

static size_t list_length(char *const *list)
{
	size_t length = 0;

	while (list && list[length])
		length++;
	return length;
}

static void list_free(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

/* Two lists in one, copied; either may be NULL. Returns NULL when out of memory. */
static char **list_join(char *const *first, char *const *second)
{
	char *const *parts[] = {first, second};
	char **list = calloc(list_length(first) + list_length(second) + 1, sizeof(*list));
	size_t length = 0;

	for (size_t part = 0; list && part < 2; part++) {
		for (size_t i = 0; parts[part] && parts[part][i]; i++) {
			list[length] = strdup(parts[part][i]);
			if (!list[length++]) {
				list_free(list);
				return NULL;
			}
		}
	}
	return list;
}

/* ------------------------------------------------------------------ what it says */

static void line_end(struct last_line *line)
{
	if (line->length) {
		memcpy(line->last, line->current, line->length);
		line->last[line->length] = '\0';
	}
	line->length = 0;
}

static void line_add(struct last_line *line, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (byte == '\n' || byte == '\r')
			line_end(line);
		else if (line->length < sizeof(line->current) - 1)
			line->current[line->length++] = byte < ' ' || byte > '~' ? '?' : (char)byte;
	}
}

static void child_kill(struct child *child)
{
	/* Detached, the child leads a process group of its own. */
	if (child->spawned && !child->exited)
		kill(-child->process.pid, SIGKILL);
}

static void output_add(struct child *child, const char *bytes, size_t length)
{
	size_t room = child->output_max - child->output_length;

	if (length > room) {
		/* Nothing that may still come makes it an answer. */
		if (!child->output_cut) {
			child->output_too_long = true;
			child_kill(child);
		}
		length = room;
	}
	memcpy(child->output + child->output_length, bytes, length);
	child->output_length += length;
}

/* ------------------------------------------------------------------ its end */

static void child_free(struct child *child)
{
	free(child->path);
	list_free(child->arguments);
	list_free(child->environment);
	free(child->input);
	free(child->output);
	free(child);
}

static void child_closed(uv_handle_t *handle)
{
	struct child *child = handle->data;

	if (!--child->open_handles)
		child_free(child);
}

static void handle_close(uv_handle_t *handle)
{
	if (!uv_is_closing(handle))
		uv_close(handle, child_closed);
}

static void child_finish(struct child *child)
{
	struct child_result result = {
		.start_error = child->start_error,
		.timed_out = child->killed,
		.output_too_long = child->output_too_long,
		.exit_status = child->exit_status,
		.term_signal = child->term_signal,
		.output = child->output,
		.output_length = child->output_length,
		.talk = child->stderr_line.last,
	};

	if (child->finished)
		return;
	child->finished = true;
	line_end(&child->stderr_line);
	if (child->done)
		child->done(child->context, &result);
	handle_close((uv_handle_t *)&child->process);
	handle_close((uv_handle_t *)&child->in);
	handle_close((uv_handle_t *)&child->out);
	handle_close((uv_handle_t *)&child->talk);
	handle_close((uv_handle_t *)&child->timer);
}

static void timer_expired(uv_timer_t *timer)
{
	struct child *child = timer->data;

	if (!child->spawned || child->exited) {
		child_finish(child);
		return;
	}
	child->killed = true;
	child_kill(child);
}

static void process_exited(uv_process_t *process, int64_t exit_status, int term_signal)
{
	struct child *child = process->data;

	child->exited = true;
	child->exit_status = (int)exit_status;
	child->term_signal = term_signal;
	if (child->finished)
		return;
	if (!child->streams_open || !child->done)
		child_finish(child);
	else
		uv_timer_start(&child->timer, timer_expired, LINGER_MS, 0);
}

/* ------------------------------------------------------------------ its pipes */

static void buffer_get(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
	struct child *child = handle->data;

	(void)suggested;
	*ret_buffer = uv_buf_init(child->read_buffer, sizeof(child->read_buffer));
}

static void stream_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
	struct child *child = stream->data;

	if (length > 0) {
		if (stream == (uv_stream_t *)&child->out)
			output_add(child, buffer->base, (size_t)length);
		else
			line_add(&child->stderr_line, buffer->base, (size_t)length);
		return;
	}
	if (!length)
		return;
	uv_read_stop(stream);
	if (!--child->streams_open && child->exited)
		child_finish(child);
}

static void input_written(uv_write_t *write, int status)
{
	struct child *child = write->data;

	(void)status; /* a child need not read its input */
	handle_close((uv_handle_t *)&child->in);
}

/* ------------------------------------------------------------------ its start */

static void child_spawn(struct child *child, uv_loop_t *loop)
{
	uv_stdio_container_t stdio[3] = {
		{.flags = UV_CREATE_PIPE | UV_READABLE_PIPE,
		 .data.stream = (uv_stream_t *)&child->in},
		{.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
		 .data.stream = (uv_stream_t *)&child->out},
		{.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
		 .data.stream = (uv_stream_t *)&child->talk},
	};
	uv_process_options_t options = {
		.exit_cb = process_exited,
		.file = child->path,
		.args = child->arguments,
		.env = child->environment,
		.flags = UV_PROCESS_DETACHED,
		.stdio_count = 3,
		.stdio = stdio,
	};
	uv_buf_t input = uv_buf_init(child->input, (unsigned int)child->input_length);

	child->start_error = uv_spawn(loop, &child->process, &options);
	if (child->start_error) {
		uv_timer_start(&child->timer, timer_expired, 0, 0);
		return;
	}
	child->spawned = true;
	child->streams_open = 2;
	uv_read_start((uv_stream_t *)&child->out, buffer_get, stream_read);
	uv_read_start((uv_stream_t *)&child->talk, buffer_get, stream_read);
	uv_write(&child->write, (uv_stream_t *)&child->in, &input, 1, input_written);
	uv_timer_start(&child->timer, timer_expired, child->timeout_ms, 0);
}

static bool spec_copy(struct child *child, const struct child_spec *spec)
{
	char *path[] = {(char *)spec->path, NULL};

	child->path = strdup(spec->path);
	child->arguments = list_join(path, (char *const *)spec->arguments);
	child->environment = list_join(environ, (char *const *)spec->environment);
	child->input = malloc(spec->input_length + 1);
	child->output_max = spec->output_max ? spec->output_max : CHILD_OUTPUT_MAX;
	child->output = malloc(child->output_max);
	if (!child->path || !child->arguments || !child->environment || !child->input ||
	    !child->output)
		return false;
	if (spec->input_length)
		memcpy(child->input, spec->input, spec->input_length);
	child->input_length = spec->input_length;
	child->output_cut = spec->output_cut;
	child->timeout_ms = spec->timeout_ms;
	return true;
}

struct child *child_start(struct children *children, const struct child_spec *spec,
			  child_done_fn done, void *context)
{
	struct child *child = calloc(1, sizeof(*child));

	if (!child)
		return NULL;
	if (!spec_copy(child, spec)) {
		child_free(child);
		return NULL;
	}
	child->done = done;
	child->context = context;
	uv_pipe_init(children->loop, &child->in, 0);
	uv_pipe_init(children->loop, &child->out, 0);
	uv_pipe_init(children->loop, &child->talk, 0);
	uv_timer_init(children->loop, &child->timer);
	child->open_handles = 5; /* with the process, which uv_spawn makes a handle in any case */
	child->process.data = child->in.data = child->out.data = child->talk.data = child;
	child->timer.data = child->write.data = child;
	child_spawn(child, children->loop);
	return child;
}

void child_cancel(struct child *child)
{
	if (!child || child->finished)
		return;
	child->done = NULL;
	if (child->spawned && !child->exited)
		child_kill(child); /* its exit ends it, so that no zombie is left */
	else
		child_finish(child);
}

/* ------------------------------------------------------------------ all of them */

int children_new(uv_loop_t *loop, struct children **ret_children, struct error *error)
{
	struct children *children = calloc(1, sizeof(*children));

	if (!children)
		return error_set(error, -ENOMEM, "child processes: out of memory");
	children->loop = loop;
	*ret_children = children;
	return 0;
}

void children_free(struct children *children)
{
	free(children);
}

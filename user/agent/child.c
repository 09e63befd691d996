// SPDX-License-Identifier: GPL-2.0-only
/* Child processes: their pipes, time limits and results; the runner makes the processes. */
#include "agent/child.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/child_private.h"

/* After its exit a child's pipes may be held open by what it started; they are not waited for. */
#define LINGER_MS 1000

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

static void child_kill(const struct child *child)
{
	if (child->running)
		child_send_kill(child);
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
	handle_close((uv_handle_t *)&child->in);
	handle_close((uv_handle_t *)&child->out);
	handle_close((uv_handle_t *)&child->talk);
	handle_close((uv_handle_t *)&child->timer);
}

static void timer_expired(uv_timer_t *timer)
{
	struct child *child = timer->data;

	if (!child->running) {
		child_finish(child);
		return;
	}
	child->killed = true;
	child_kill(child);
}

static void child_unlink(struct child *child)
{
	struct child **link = &child->children->running;

	while (*link && *link != child)
		link = &(*link)->next;
	if (*link)
		*link = child->next;
	child->running = false;
}

void child_refused(struct child *child, int err)
{
	child_unlink(child);
	child->start_error = err;
	uv_timer_start(&child->timer, timer_expired, 0, 0);
}

void child_exited(struct child *child)
{
	child_unlink(child);
	if (!child->streams_open)
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
	if (!--child->streams_open && !child->running && !child->start_error)
		child_finish(child);
}

static void input_written(uv_write_t *write, int status)
{
	struct child *child = write->data;

	(void)status; /* a child need not read its input */
	handle_close((uv_handle_t *)&child->in);
}

/* ------------------------------------------------------------------ its start */

static void fds_close(int fds[CHILD_STDIO])
{
	for (size_t i = 0; i < CHILD_STDIO; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

/* Three pipes: our ends become the child's streams, theirs are the child's standard ones. */
static int pipes_open(struct child *child, int theirs[CHILD_STDIO])
{
	uv_pipe_t *const streams[CHILD_STDIO] = {&child->in, &child->out, &child->talk};

	for (size_t i = 0; i < CHILD_STDIO; i++) {
		int ours, ends[2], err;

		err = uv_pipe(ends, i ? UV_NONBLOCK_PIPE : 0, i ? 0 : UV_NONBLOCK_PIPE);
		if (err)
			return err;
		ours = i ? ends[0] : ends[1];
		theirs[i] = i ? ends[1] : ends[0];
		err = uv_pipe_open(streams[i], ours);
		if (err) {
			close(ours);
			return err;
		}
	}
	return 0;
}

static void child_run(struct child *child, const struct child_spec *spec)
{
	uv_buf_t input = uv_buf_init(child->input, (unsigned int)child->input_length);
	struct children *children = child->children;
	int theirs[CHILD_STDIO] = {-1, -1, -1};
	int err = pipes_open(child, theirs);

	child->id = ++children->last_id;
	child->next = children->running;
	children->running = child;
	child->running = true;
	if (!err)
		err = child_send_start(child, spec, theirs);
	fds_close(theirs);
	if (err) {
		child_refused(child, err);
		return;
	}
	child->streams_open = 2;
	uv_read_start((uv_stream_t *)&child->out, buffer_get, stream_read);
	uv_read_start((uv_stream_t *)&child->talk, buffer_get, stream_read);
	uv_write(&child->write, (uv_stream_t *)&child->in, &input, 1, input_written);
	uv_timer_start(&child->timer, timer_expired, child->timeout_ms, 0);
}

static bool spec_copy(struct child *child, const struct child_spec *spec)
{
	child->input = malloc(spec->input_length + 1);
	child->output_max = spec->output_max ? spec->output_max : CHILD_OUTPUT_MAX;
	child->output = malloc(child->output_max);
	if (!child->input || !child->output)
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
	child->children = children;
	child->done = done;
	child->context = context;
	uv_pipe_init(children->loop, &child->in, 0);
	uv_pipe_init(children->loop, &child->out, 0);
	uv_pipe_init(children->loop, &child->talk, 0);
	uv_timer_init(children->loop, &child->timer);
	child->open_handles = 4;
	child->in.data = child->out.data = child->talk.data = child;
	child->timer.data = child->write.data = child;
	child_run(child, spec);
	return child;
}

void child_cancel(struct child *child)
{
	if (!child || child->finished)
		return;
	child->done = NULL;
	child_kill(child);
	child_unlink(child); /* what becomes of it is the runner's business */
	child_finish(child);
}

void child_start_text(int start_error, char *text, size_t size)
{
	const char *step = "check the path and its x permission";

	if (start_error == -EPERM)
		step = "it and every folder above it must belong to root and be writable by root "
		       "alone, and agent.executables, if given, must have it";
	else if (start_error == -EPIPE)
		step = "the runner has ended; restart sluiced";
	else if (start_error == -EAGAIN || start_error == -EMFILE || start_error == -ENOMEM)
		step = "the host is short of it";
	snprintf(text, size, "%s; %s", uv_strerror(start_error), step);
}

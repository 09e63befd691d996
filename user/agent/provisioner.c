// SPDX-License-Identifier: GPL-2.0-only
/* Runs provisioners: the only place that starts child processes. */
#include "agent/provisioner.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUTPUT_MAX  (64 * 1024)
#define MESSAGE_MAX 256
#define LINE_MAX_   200

/* After its exit a child's pipes may be held open by what it started; they are not waited for. */
#define LINGER_MS 1000

const char *const provisioner_outcome_names[] = {
	"done",   "retry",   "quota",   "bad_config", "conflict", "going_on",
	"failed", "timeout", "rubbish", "missing",    NULL,
};

/* The last line that was not empty, put together from whatever pieces arrive. */
struct last_line {
	char current[LINE_MAX_], last[LINE_MAX_];
	size_t length;
};

struct provisioner_call {
	uv_process_t process;
	uv_pipe_t in, out, talk;
	uv_timer_t timer;
	uv_write_t write;
	uint64_t timeout_ms;
	int open_handles;
	bool spawned, exited, killed, finished, output_too_long;
	int64_t exit_status;
	int term_signal;
	int spawn_error;
	provisioner_done_fn done;
	void *context;
	char *path;
	char verb[16];
	char *input;
	char output[OUTPUT_MAX];
	size_t output_length;
	char read_buffer[4096];
	struct last_line stderr_line;
	int streams_open;
};

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

static void call_closed(uv_handle_t *handle)
{
	struct provisioner_call *call = handle->data;

	if (--call->open_handles)
		return;
	free(call->path);
	free(call->input);
	free(call);
}

static void handle_close(uv_handle_t *handle)
{
	if (!uv_is_closing(handle))
		uv_close(handle, call_closed);
}

static void call_close(struct provisioner_call *call)
{
	handle_close((uv_handle_t *)&call->process);
	handle_close((uv_handle_t *)&call->in);
	handle_close((uv_handle_t *)&call->out);
	handle_close((uv_handle_t *)&call->talk);
	handle_close((uv_handle_t *)&call->timer);
}

static enum provisioner_outcome outcome_of_status(int64_t status)
{
	switch (status) {
	case 0:
		return PROVISIONER_DONE;
	case 10:
		return PROVISIONER_RETRY;
	case 11:
		return PROVISIONER_QUOTA;
	case 12:
		return PROVISIONER_BAD_CONFIG;
	case 14:
		return PROVISIONER_CONFLICT;
	case 15:
		return PROVISIONER_GOING_ON;
	default:
		return PROVISIONER_FAILED;
	}
}

static const char *status_text(enum provisioner_outcome outcome)
{
	switch (outcome) {
	case PROVISIONER_RETRY:
		return "asks to be called again later (status 10)";
	case PROVISIONER_QUOTA:
		return "has no quota left (status 11)";
	case PROVISIONER_BAD_CONFIG:
		return "does not accept its options (status 12)";
	case PROVISIONER_CONFLICT:
		return "has another object of that name (status 14)";
	case PROVISIONER_GOING_ON:
		return "is still at it (status 15)";
	default:
		return "failed";
	}
}

/* The outcome of a child that ended by itself with status 0: its output decides. */
static enum provisioner_outcome output_judge(struct provisioner_call *call, json_t **ret_answer,
					     char *message)
{
	json_error_t json_error;
	json_t *answer;

	answer = json_loadb(call->output, call->output_length, JSON_REJECT_DUPLICATES, &json_error);
	if (!json_is_object(answer)) {
		snprintf(message, MESSAGE_MAX,
			 "printed what is not a JSON object (%.100s); "
			 "talk belongs on stderr",
			 answer ? "another type" : json_error.text);
		json_decref(answer);
		return PROVISIONER_RUBBISH;
	}
	*ret_answer = answer;
	return PROVISIONER_DONE;
}

static enum provisioner_outcome call_judge(struct provisioner_call *call, json_t **ret_answer,
					   char *message)
{
	const char *line = call->stderr_line.last;
	enum provisioner_outcome outcome;

	if (!call->spawned) {
		snprintf(message, MESSAGE_MAX,
			 "could not be started: %s; check the path and its "
			 "x permission",
			 uv_strerror(call->spawn_error));
		return PROVISIONER_MISSING;
	}
	if (call->output_too_long) {
		snprintf(message, MESSAGE_MAX, "printed more than %d KiB; talk belongs on stderr",
			 OUTPUT_MAX / 1024);
		return PROVISIONER_RUBBISH;
	}
	if (call->killed) {
		snprintf(message, MESSAGE_MAX, "gave no answer in %.1f s and was killed%s%s",
			 (double)call->timeout_ms / 1000, *line ? ": " : "", line);
		return PROVISIONER_TIMEOUT;
	}
	if (call->term_signal) {
		snprintf(message, MESSAGE_MAX, "died of signal %d%s%s", call->term_signal,
			 *line ? ": " : "", line);
		return PROVISIONER_FAILED;
	}
	outcome = outcome_of_status(call->exit_status);
	if (outcome == PROVISIONER_DONE)
		return output_judge(call, ret_answer, message);
	if (outcome == PROVISIONER_FAILED)
		snprintf(message, MESSAGE_MAX, "failed with status %lld%s%s",
			 (long long)call->exit_status, *line ? ": " : "", line);
	else
		snprintf(message, MESSAGE_MAX, "%s%s%s", status_text(outcome), *line ? ": " : "",
			 line);
	return outcome;
}

static void call_finish(struct provisioner_call *call)
{
	char cause[MESSAGE_MAX] = "", message[MESSAGE_MAX + 512] = "";
	struct provisioner_result result = {.message = message};
	json_t *answer = NULL;

	if (call->finished)
		return;
	call->finished = true;
	line_end(&call->stderr_line);
	result.outcome = call_judge(call, &answer, cause);
	result.answer = answer;
	if (*cause)
		snprintf(message, sizeof(message), "provisioner %.256s: %s %s", call->path,
			 call->verb, cause);
	if (call->done)
		call->done(call->context, &result);
	json_decref(answer);
	call_close(call);
}

static void call_kill(struct provisioner_call *call)
{
	/* Detached, the child leads a process group of its own. */
	if (call->spawned && !call->exited)
		kill(-call->process.pid, SIGKILL);
}

static void timer_expired(uv_timer_t *timer)
{
	struct provisioner_call *call = timer->data;

	if (!call->spawned || call->exited) {
		call_finish(call);
		return;
	}
	call->killed = true;
	call_kill(call);
}

static void process_exited(uv_process_t *process, int64_t exit_status, int term_signal)
{
	struct provisioner_call *call = process->data;

	call->exited = true;
	call->exit_status = exit_status;
	call->term_signal = term_signal;
	if (call->finished)
		return;
	if (!call->streams_open || !call->done)
		call_finish(call);
	else
		uv_timer_start(&call->timer, timer_expired, LINGER_MS, 0);
}

static void buffer_get(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
	struct provisioner_call *call = handle->data;

	(void)suggested;
	*ret_buffer = uv_buf_init(call->read_buffer, sizeof(call->read_buffer));
}

static void output_add(struct provisioner_call *call, const char *bytes, size_t length)
{
	size_t room = sizeof(call->output) - call->output_length;

	if (length > room) {
		/* Nothing that may still come makes it an answer. */
		call->output_too_long = true;
		call_kill(call);
		length = room;
	}
	memcpy(call->output + call->output_length, bytes, length);
	call->output_length += length;
}

static void stream_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
	struct provisioner_call *call = stream->data;

	if (length > 0) {
		if (stream == (uv_stream_t *)&call->out)
			output_add(call, buffer->base, (size_t)length);
		else
			line_add(&call->stderr_line, buffer->base, (size_t)length);
		return;
	}
	if (!length)
		return;
	uv_read_stop(stream);
	if (!--call->streams_open && call->exited)
		call_finish(call);
}

static void input_written(uv_write_t *write, int status)
{
	struct provisioner_call *call = write->data;

	(void)status; /* a child need not read its input */
	handle_close((uv_handle_t *)&call->in);
}

static void call_spawn(struct provisioner_call *call, uv_loop_t *loop)
{
	char *arguments[] = {call->path, call->verb, NULL};
	uv_stdio_container_t stdio[3] = {
		{.flags = UV_CREATE_PIPE | UV_READABLE_PIPE,
		 .data.stream = (uv_stream_t *)&call->in},
		{.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
		 .data.stream = (uv_stream_t *)&call->out},
		{.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
		 .data.stream = (uv_stream_t *)&call->talk},
	};
	uv_process_options_t options = {
		.exit_cb = process_exited,
		.file = call->path,
		.args = arguments,
		.flags = UV_PROCESS_DETACHED,
		.stdio_count = 3,
		.stdio = stdio,
	};
	uv_buf_t input = uv_buf_init(call->input, (unsigned int)strlen(call->input));

	call->spawn_error = uv_spawn(loop, &call->process, &options);
	if (call->spawn_error) {
		uv_timer_start(&call->timer, timer_expired, 0, 0);
		return;
	}
	call->spawned = true;
	call->streams_open = 2;
	uv_read_start((uv_stream_t *)&call->out, buffer_get, stream_read);
	uv_read_start((uv_stream_t *)&call->talk, buffer_get, stream_read);
	uv_write(&call->write, (uv_stream_t *)&call->in, &input, 1, input_written);
	uv_timer_start(&call->timer, timer_expired, call->timeout_ms, 0);
}

struct provisioner_call *provisioner_start(uv_loop_t *loop, const char *path, const char *verb,
					   const json_t *input, uint64_t timeout_ms,
					   provisioner_done_fn done, void *context)
{
	struct provisioner_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->path = strdup(path);
	call->input = json_dumps(input, JSON_COMPACT);
	if (!call->path || !call->input) {
		free(call->path);
		free(call->input);
		free(call);
		return NULL;
	}
	snprintf(call->verb, sizeof(call->verb), "%s", verb);
	call->timeout_ms = timeout_ms;
	call->done = done;
	call->context = context;

	uv_pipe_init(loop, &call->in, 0);
	uv_pipe_init(loop, &call->out, 0);
	uv_pipe_init(loop, &call->talk, 0);
	uv_timer_init(loop, &call->timer);
	call->open_handles = 5; /* with the process, which uv_spawn makes a handle in any case */
	call->process.data = call->in.data = call->out.data = call->talk.data = call;
	call->timer.data = call->write.data = call;
	call_spawn(call, loop);
	return call;
}

void provisioner_cancel(struct provisioner_call *call)
{
	if (!call || call->finished)
		return;
	call->done = NULL;
	if (call->spawned && !call->exited)
		call_kill(call); /* its exit ends the call, so that no zombie is left */
	else
		call_finish(call);
}

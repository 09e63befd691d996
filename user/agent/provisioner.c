// SPDX-License-Identifier: GPL-2.0-only
/* Calls of provisioners: what goes in, and what its end and its output mean. */
#include "agent/provisioner.h"
#include "model/answer.h"
#include "model/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 256

const char *const provisioner_outcome_names[] = {
	"done",   "retry",   "quota",   "bad_config", "conflict", "going_on",
	"failed", "timeout", "rubbish", "missing",    NULL,
};

struct provisioner_call {
	struct child *child;
	uint64_t timeout_ms;
	provisioner_done_fn done;
	void *context;
	char *path;
	json_t *input; /* for the secrets in it, which no message is to tell */
	char verb[16];
};

static enum provisioner_outcome outcome_of_status(int status)
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
static enum provisioner_outcome output_judge(const struct child_result *result, json_t **ret_answer,
					     char *message)
{
	char wrong[128];
	json_t *answer = answer_decode(result->output, result->output_length, wrong, sizeof(wrong));

	if (!answer) {
		snprintf(message, MESSAGE_MAX,
			 "printed what is not a JSON object (%.100s); "
			 "talk belongs on stderr",
			 wrong);
		return PROVISIONER_RUBBISH;
	}
	*ret_answer = answer;
	return PROVISIONER_DONE;
}

static enum provisioner_outcome call_judge(const struct provisioner_call *call,
					   const struct child_result *result, json_t **ret_answer,
					   char *message)
{
	const char *line = result->talk;
	enum provisioner_outcome outcome;
	char why[200];

	if (result->start_error) {
		child_start_text(result->start_error, why, sizeof(why));
		snprintf(message, MESSAGE_MAX, "could not be started: %s", why);
		return PROVISIONER_MISSING;
	}
	if (result->output_too_long) {
		snprintf(message, MESSAGE_MAX, "printed more than %u KiB; talk belongs on stderr",
			 CHILD_OUTPUT_MAX / 1024);
		return PROVISIONER_RUBBISH;
	}
	if (result->timed_out) {
		snprintf(message, MESSAGE_MAX, "gave no answer in %.1f s and was killed%s%s",
			 (double)call->timeout_ms / 1000, *line ? ": " : "", line);
		return PROVISIONER_TIMEOUT;
	}
	if (result->term_signal) {
		snprintf(message, MESSAGE_MAX, "died of signal %d%s%s", result->term_signal,
			 *line ? ": " : "", line);
		return PROVISIONER_FAILED;
	}
	outcome = outcome_of_status(result->exit_status);
	if (outcome == PROVISIONER_DONE)
		return output_judge(result, ret_answer, message);
	if (outcome == PROVISIONER_FAILED)
		snprintf(message, MESSAGE_MAX, "failed with status %d%s%s", result->exit_status,
			 *line ? ": " : "", line);
	else
		snprintf(message, MESSAGE_MAX, "%s%s%s", status_text(outcome), *line ? ": " : "",
			 line);
	return outcome;
}

static void call_free(struct provisioner_call *call)
{
	free(call->path);
	json_decref(call->input);
	free(call);
}

static void call_ended(void *context, const struct child_result *child_result)
{
	char cause[MESSAGE_MAX] = "", message[MESSAGE_MAX + 512] = "";
	struct provisioner_result result = {.message = message};
	struct provisioner_call *call = context;
	json_t *answer = NULL;

	result.outcome = call_judge(call, child_result, &answer, cause);
	result.answer = answer;
	if (*cause)
		snprintf(message, sizeof(message), "provisioner %.256s: %s %s", call->path,
			 call->verb, cause);
	secret_hide(message, call->input);
	call->done(call->context, &result);
	json_decref(answer);
	call_free(call);
}

struct provisioner_call *provisioner_start(struct children *children, const char *path,
					   const char *verb, const json_t *input,
					   uint64_t timeout_ms, provisioner_done_fn done,
					   void *context)
{
	struct provisioner_call *call = calloc(1, sizeof(*call));
	char *text = json_dumps(input, JSON_COMPACT);
	const char *arguments[] = {verb, NULL};
	struct child_spec spec = {
		.path = path,
		.arguments = arguments,
		.input = text,
		.input_length = text ? strlen(text) : 0,
		.timeout_ms = timeout_ms,
	};

	if (!call || !text)
		goto out;
	call->path = strdup(path);
	call->input = json_incref((json_t *)(uintptr_t)input);
	snprintf(call->verb, sizeof(call->verb), "%s", verb);
	call->timeout_ms = timeout_ms;
	call->done = done;
	call->context = context;
	if (call->path)
		call->child = child_start(children, &spec, call_ended, call);
out:
	free(text);
	if (call && !call->child) {
		call_free(call);
		return NULL;
	}
	return call;
}

void provisioner_cancel(struct provisioner_call *call)
{
	if (!call)
		return;
	child_cancel(call->child);
	call_free(call);
}

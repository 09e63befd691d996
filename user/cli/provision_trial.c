// SPDX-License-Identifier: GPL-2.0-only
/* Calls of a provisioner that is on trial: made, judged by what holds for all, kept for findings. */
#include "cli/provision_trial.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/plugin.h"
#include "model/answer.h"
#include "model/secret.h"

#define AGAIN_MS      500  /* between two calls of the same */
#define ANSWER_SHOWN  600  /* bytes of an answer */
#define LIST_SPARE_MS 5000 /* for a list, beside the delay that it may have */

/* ------------------------------------------------------------------ findings */

enum check_result check_failed(struct trial *trial, const char *next, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(trial->found, sizeof(trial->found), format, arguments);
	va_end(arguments);
	snprintf(trial->next, sizeof(trial->next), "%s", next);
	return CHECK_FAILED;
}

enum check_result check_skipped(struct trial *trial, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(trial->found, sizeof(trial->found), format, arguments);
	va_end(arguments);
	return CHECK_SKIPPED;
}

static void sent_keep(struct trial *trial, const char *verb, const char *input)
{
	free(trial->sent);
	if (asprintf(&trial->sent, "%s %s", verb, input) < 0)
		trial->sent = NULL;
	if (trial->sent)
		secret_hide(trial->sent, trial->spec);
}

static void text_printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = *text == '\n' ? ' ' : '?';
}

void trial_keep(struct trial *trial, const struct plugin_call *call)
{
	char end[64];

	if (call->start_error)
		snprintf(end, sizeof(end), "not started: %s", strerror(-call->start_error));
	else if (call->timed_out)
		snprintf(end, sizeof(end), "killed after %llu ms",
			 (unsigned long long)call->took_ms);
	else if (call->term_signal)
		snprintf(end, sizeof(end), "died of signal %d", call->term_signal);
	else
		snprintf(end, sizeof(end), "exit status %d", call->exit_status);
	free(trial->answered);
	if (asprintf(&trial->answered, "%s; stdout: %.*s%s; stderr: %s", end, ANSWER_SHOWN,
		     call->output && *call->output ? call->output : "nothing",
		     call->output_length > ANSWER_SHOWN ? "..." : "",
		     *call->last_line ? call->last_line : "nothing") < 0)
		trial->answered = NULL;
	if (trial->answered) {
		text_printable(trial->answered);
		secret_hide(trial->answered, trial->spec);
	}
}

/* ------------------------------------------------------------------ calls */

json_t *request_make(const struct trial *trial, const char *owner, const char *name,
		     const json_t *service, const char *size)
{
	json_t *request = json_pack("{ss,sO}", "owner", owner, "spec", trial->spec);

	if (name)
		json_object_set_new(request, "name", json_string(name));
	if (service)
		json_object_set(request, "service", (json_t *)(uintptr_t)service);
	if (size)
		json_object_set_new(request, "size", json_string(size));
	return request;
}

/* What holds for every call. */
static bool call_sound(struct trial *trial, const struct plugin_call *call, struct reply *reply)
{
	char wrong[128];

	reply->status = call->exit_status;
	if (call->start_error)
		check_failed(trial, "check the path, the x permission, and its first line (#!)",
			     "it cannot be started: %s", strerror(-call->start_error));
	else if (call->interrupted)
		check_failed(trial, "run it again", "interrupted");
	else if (call->output_too_long)
		check_failed(trial, "print the answer only; talk belongs on stderr",
			     "it printed more than %u KiB", PLUGIN_OUTPUT_MAX / 1024);
	else if (call->timed_out)
		check_failed(trial,
			     "answer 15 at once if it takes longer, and be called again; or give "
			     "more --timeout, and more call_timeout_ms",
			     "no answer in %.1f s, so it was killed with all that it started",
			     (double)trial->timeout_ms / 1000);
	else if (call->term_signal)
		check_failed(trial, "see its stderr, or run it by hand with what was sent",
			     "it died of signal %d", call->term_signal);
	else if (call->held_open)
		check_failed(trial,
			     "give what it starts in the background /dev/null or a log file as "
			     "its standard streams",
			     "it ended, but something that it started holds its output open, and "
			     "costs each call a second");
	else if (call->exit_status && !*call->last_line)
		check_failed(trial, "print a line on stderr that says why",
			     "exit status %d without a word on stderr", call->exit_status);
	else if (call->exit_status)
		return true;
	else if (!(reply->answer =
			   answer_decode(call->output, call->output_length, wrong, sizeof(wrong))))
		check_failed(trial,
			     "print one JSON object and nothing else; talk belongs on stderr",
			     "done (0), but stdout is not one JSON object: %s", wrong);
	else
		return true;
	return false;
}

bool trial_call_text(struct trial *trial, const char *verb, const char *input,
		     struct reply *ret_reply)
{
	struct plugin_call call;
	bool sound;

	*ret_reply = (struct reply){0};
	sent_keep(trial, verb, input);
	plugin_begin(&call, trial->path, verb, input);
	plugin_finish(&call, trial->timeout_ms, trial->interrupts);
	trial->interrupted |= call.interrupted;
	trial_keep(trial, &call);
	sound = call_sound(trial, &call, ret_reply);
	plugin_clear(&call);
	return sound;
}

bool trial_call(struct trial *trial, const char *verb, json_t *input, struct reply *ret_reply)
{
	char *text = json_dumps(input, JSON_COMPACT);
	bool sound = trial_call_text(trial, verb, text ? text : "", ret_reply);

	free(text);
	json_decref(input);
	return sound;
}

void reply_clear(struct reply *reply)
{
	json_decref(reply->answer);
	reply->answer = NULL;
}

void trial_kill(struct trial *trial, const char *verb, json_t *input, uint64_t after_ms)
{
	char *text = json_dumps(input, JSON_COMPACT);
	struct plugin_call call;

	sent_keep(trial, verb, text ? text : "");
	plugin_begin(&call, trial->path, verb, text ? text : "");
	plugin_finish(&call, after_ms, trial->interrupts);
	trial->interrupted |= call.interrupted;
	trial_keep(trial, &call);
	plugin_clear(&call);
	free(text);
	json_decref(input);
}

/* Waits, unless the person at the terminal has had enough. */
static void trial_wait(struct trial *trial, int ms)
{
	struct pollfd polled = {.fd = trial->interrupts, .events = POLLIN};

	if (poll(&polled, 1, ms) > 0)
		trial->interrupted = true;
}

int trial_done(struct trial *trial, const char *verb, json_t *input, json_t **ret_answer)
{
	uint64_t begun_ms = trial->clock_ms();
	struct reply reply = {0};

	*ret_answer = NULL;
	for (;;) {
		if (!trial_call(trial, verb, json_incref(input), &reply)) {
			reply.status = -1;
			break;
		}
		if (reply.status != STATUS_GOING_ON && reply.status != STATUS_RETRY)
			break;
		if (trial->interrupted || trial->clock_ms() - begun_ms > trial->timeout_ms) {
			check_failed(trial,
				     reply.status == STATUS_RETRY
					     ? "see what it says on stderr"
					     : "see why it does not come to its end, or give more "
					       "--timeout",
				     "it still answers %d after %.0f s", reply.status,
				     (double)(trial->clock_ms() - begun_ms) / 1000);
			reply.status = -1;
			break;
		}
		trial_wait(trial, AGAIN_MS);
	}
	json_decref(input);
	*ret_answer = reply.answer;
	return reply.status;
}

void name_mint(struct trial *trial, char *name)
{
	snprintf(name, NAME_ROOM, "%.16s-%.40s-%u",
		 json_string_value(json_object_get(trial->service, "name")), trial->owner,
		 ++trial->minted);
}

/* ------------------------------------------------------------------ lists */

static int count_once(struct trial *trial, const char *owner, const char *name)
{
	const json_t *backends, *one;
	struct reply reply;
	int count = 0;
	size_t i;

	if (!trial_call(trial, "list", request_make(trial, owner, NULL, NULL, NULL), &reply))
		return -1;
	if (reply.status) {
		check_failed(trial, "see what it says on stderr", "list ended with status %d",
			     reply.status);
		return -1;
	}
	backends = answer_list(reply.answer);
	if (!backends)
		check_failed(trial, "answer {\"backends\": [{\"name\": ..., \"address\": ...}]}",
			     "its answer has no array \"backends\" of objects with a name");
	json_array_foreach(backends, i, one)
	{
		const char *found = json_string_value(json_object_get(one, "name"));

		count += !name || !strcmp(found, name);
	}
	count = backends ? count : -1;
	reply_clear(&reply);
	return count;
}

int listed(struct trial *trial, const char *owner, const char *name, int wanted)
{
	uint64_t end_ms =
		trial->clock_ms() + trial->delay_ms + (trial->delay_ms ? LIST_SPARE_MS : 0);
	int count;

	do {
		count = count_once(trial, owner, name);
		if (count < 0 || count == wanted || trial->interrupted)
			break;
		if (trial->delay_ms)
			trial_wait(trial, AGAIN_MS);
	} while (trial->clock_ms() < end_ms);
	return count;
}

bool deleted(struct trial *trial, const char *name)
{
	json_t *answer;
	int status = trial_done(trial, "delete",
				request_make(trial, trial->owner, name, NULL, NULL), &answer);
	int count;

	json_decref(answer);
	if (status > 0)
		check_failed(trial, "what is asked for is that it is gone: see its stderr",
			     "delete of %s ended with status %d", name, status);
	if (status)
		return false;
	count = listed(trial, trial->owner, name, 0);
	if (count > 0)
		check_failed(trial,
			     "list what is there now; if the list lags behind, say so by "
			     "\"consistency_delay_ms\" in capabilities",
			     "%s was deleted, and list still has it", name);
	return !count;
}

int trial_sweep(struct trial *trial)
{
	const char *const owners[] = {trial->owner, trial->other};
	int left = 0;

	trial->interrupts = -1; /* whatever happens, it is cleaned up */
	for (int i = 0; i < 2; i++) {
		const json_t *backends, *one;
		struct reply reply;
		json_t *answer;
		size_t at;

		if (!trial_call(trial, "list", request_make(trial, owners[i], NULL, NULL, NULL),
				&reply) ||
		    reply.status)
			return -1;
		backends = answer_list(reply.answer);
		json_array_foreach(backends, at, one)
		{
			const char *name = json_string_value(json_object_get(one, "name"));

			trial_done(trial, "delete",
				   request_make(trial, owners[i], name, NULL, NULL), &answer);
			json_decref(answer);
		}
		reply_clear(&reply);
		left += listed(trial, owners[i], NULL, 0);
	}
	return left;
}

/* ------------------------------------------------------------------ the run */

void trial_run(struct trial *trial, const struct check *checks, json_t *report)
{
	static const char *const words[] = {"ok", "failed", "skipped"};

	for (const struct check *check = checks; check->name; check++) {
		enum check_result result;
		json_t *entry;

		if (trial->interrupted)
			return;
		*trial->found = *trial->next = '\0';
		result = check->run(trial);
		entry = json_pack("{ss,ss}", "check", check->name, "result", words[result]);
		if (result == CHECK_SKIPPED)
			json_object_set_new(entry, "why", json_string(trial->found));
		if (result == CHECK_FAILED)
			json_object_update_new(
				entry, json_pack("{ss,ss*,ss*,ss,ss}", "found", trial->found,
						 "sent", trial->sent, "answered", trial->answered,
						 "contract", check->contract, "next", trial->next));
		json_array_append_new(report, entry);
	}
}

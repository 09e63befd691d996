// SPDX-License-Identifier: GPL-2.0-only
/* Checks of a provisioner that make backends: idempotency, owners, sizes, and calls that are killed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/plugin.h"
#include "cli/provision_trial.h"
#include "model/answer.h"

#define KILL_STEPS 4

/* ------------------------------------------------------------------ helpers */

static json_t *create_request(const struct trial *trial, const char *name)
{
	return request_make(trial, trial->owner, name, trial->service, NULL);
}

/* Objects 1 and 2, which the checks share. */
static void name_of(const struct trial *trial, int number, char *name)
{
	snprintf(name, NAME_ROOM, "%.16s-%.40s-%d",
		 json_string_value(json_object_get(trial->service, "name")), trial->owner,
		 100 + number);
}

static bool address_read(struct trial *trial, const json_t *answer, const char *name,
			 struct ip *ret_address, uint16_t *ret_port)
{
	const char *wrong = answer_created(answer, name, ret_address, ret_port);

	if (wrong)
		check_failed(trial, "answer {\"name\": the name, \"address\": where it is}",
			     "its answer: %s", wrong);
	return !wrong;
}

/* Create it, until it is there. */
static enum check_result create_do(struct trial *trial, const char *name, struct ip *ret_address,
				   uint16_t *ret_port)
{
	json_t *answer;
	int status = trial_done(trial, "create", create_request(trial, name), &answer);
	bool read = !status && address_read(trial, answer, name, ret_address, ret_port);

	json_decref(answer);
	if (status == STATUS_QUOTA)
		return check_skipped(trial, "it has no quota for %s", name);
	if (status > 0)
		return check_failed(
			trial, "see what it says on stderr; --config or --spec gives it options",
			"create ended with status %d", status);
	return read ? CHECK_OK : CHECK_FAILED;
}

/* Whether object 1 is there: else there is nothing to look at. */
static bool first_is_there(const struct trial *trial)
{
	return trial->create_ms > 0;
}

static enum check_result no_first(struct trial *trial)
{
	return check_skipped(trial, "nothing could be created");
}

/* A name is in the list exactly once. */
static enum check_result listed_once(struct trial *trial, const char *name)
{
	int count = listed(trial, trial->owner, name, 1);

	if (count == 1)
		return CHECK_OK;
	if (count == 0)
		return check_failed(trial,
				    "list all that is there; if the list lags behind, say so by "
				    "\"consistency_delay_ms\" in capabilities",
				    "%s was created, and list does not have it", name);
	if (count > 1)
		return check_failed(trial,
				    "look the name up, under a lock, before anything is made",
				    "list has %s %d times", name, count);
	return CHECK_FAILED;
}

/* ------------------------------------------------------------------ create */

static enum check_result create_check(struct trial *trial)
{
	uint64_t begun_ms = trial->clock_ms();
	char name[NAME_ROOM];
	enum check_result result;

	name_of(trial, 1, name);
	result = create_do(trial, name, &trial->address, &trial->port);
	if (result == CHECK_SKIPPED)
		return check_failed(trial, "raise the quota for the trial: it needs one or two",
				    "it has no quota for a single backend");
	if (result == CHECK_OK)
		trial->create_ms = trial->clock_ms() - begun_ms + 1;
	return result;
}

static enum check_result create_again_check(struct trial *trial)
{
	char name[NAME_ROOM], before[IP_TEXT_MAX], now[IP_TEXT_MAX];
	struct ip address;
	uint16_t port;
	enum check_result result;

	if (!first_is_there(trial))
		return no_first(trial);
	name_of(trial, 1, name);
	result = create_do(trial, name, &address, &port);
	if (result != CHECK_OK)
		return result;
	if (ip_equal(&address, &trial->address) && port == trial->port)
		return listed_once(trial, name);
	ip_format(&trial->address, before);
	ip_format(&address, now);
	return check_failed(trial, "look the name up first, and answer where it is",
			    "%s was at %s port %u, and is at %s port %u when asked for again", name,
			    before, trial->port, now, port);
}

static enum check_result list_check(struct trial *trial)
{
	char name[NAME_ROOM];

	if (!first_is_there(trial))
		return no_first(trial);
	name_of(trial, 1, name);
	return listed_once(trial, name);
}

/* The same name for a service with another port. */
static enum check_result conflict_check(struct trial *trial)
{
	json_int_t port = json_integer_value(json_object_get(trial->service, "port"));
	json_t *service, *answer;
	char name[NAME_ROOM];
	int status;

	if (!first_is_there(trial))
		return no_first(trial);
	name_of(trial, 1, name);
	service = json_deep_copy(trial->service);
	json_object_set_new(service, "port", json_integer(port == 8081 ? 8082 : 8081));
	status = trial_done(trial, "create", request_make(trial, trial->owner, name, service, NULL),
			    &answer);
	json_decref(service);
	json_decref(answer);
	if (status < 0)
		return CHECK_FAILED;
	if (status != STATUS_CONFLICT)
		return check_failed(trial,
				    "keep what a name was created for, and compare; 14 tells the "
				    "agent to leave it alone",
				    "the name is there for another port, and the exit status is %d",
				    status);
	return listed_once(trial, name);
}

/* What one of two that ran at once came to: its address if it is done. Returns its status. */
static int create_end(struct trial *trial, struct plugin_call *call, const char *name,
		      struct ip *ret_address)
{
	bool ended = !call->start_error && !call->timed_out && !call->term_signal;
	int status = ended ? call->exit_status : -1;
	json_t *answer = status ? NULL : json_loads(call->output, 0, NULL);
	uint16_t port;

	if (!status && answer_created(answer, name, ret_address, &port))
		status = -1;
	trial_keep(trial, call);
	json_decref(answer);
	return status;
}

/* Both start before either ends. */
static void create_twice(struct trial *trial, const char *name, int statuses[2],
			 struct ip addresses[2])
{
	json_t *request = create_request(trial, name);
	char *input = json_dumps(request, JSON_COMPACT);
	struct plugin_call calls[2];

	for (int i = 0; i < 2; i++)
		plugin_begin(&calls[i], trial->path, "create", input ? input : "");
	for (int i = 0; i < 2; i++) {
		plugin_finish(&calls[i], trial->timeout_ms, trial->interrupts);
		trial->interrupted |= calls[i].interrupted;
	}
	/* The one that went wrong is the one to show. */
	for (int i = calls[0].exit_status ? 1 : 0, left = 2; left; left--, i = !i)
		statuses[i] = create_end(trial, &calls[i], name, &addresses[i]);
	for (int i = 0; i < 2; i++)
		plugin_clear(&calls[i]);
	free(input);
	json_decref(request);
}

static enum check_result two_at_once_check(struct trial *trial)
{
	char name[NAME_ROOM], told[IP_TEXT_MAX], now[IP_TEXT_MAX];
	struct ip address, twice[2] = {0};
	enum check_result result;
	int statuses[2];
	uint16_t port;

	if (!first_is_there(trial))
		return no_first(trial);
	name_of(trial, 2, name);
	create_twice(trial, name, statuses, twice);
	for (int i = 0; i < 2; i++) {
		if (statuses[i] < 0 ||
		    (statuses[i] && statuses[i] != STATUS_RETRY && statuses[i] != STATUS_GOING_ON &&
		     statuses[i] != STATUS_QUOTA))
			return check_failed(trial, "let one wait for the other, by a lock",
					    "of two calls at once one failed");
	}
	result = create_do(trial, name, &address, &port);
	if (result != CHECK_OK)
		return result;
	ip_format(&address, now);
	for (int i = 0; i < 2; i++) {
		if (!statuses[i] && !ip_equal(&twice[i], &address))
			return check_failed(
				trial, "look the name up, under a lock, before anything is made",
				"of two calls at once one was told %s, and now it is at %s",
				ip_format(&twice[i], told), now);
	}
	if (ip_equal(&address, &trial->address) && port == trial->port)
		return check_failed(trial, "reserve an address before it is used, under a lock",
				    "two backends are at %s", now);
	result = listed_once(trial, name);
	return result == CHECK_OK && !deleted(trial, name) ? CHECK_FAILED : result;
}

/* ------------------------------------------------------------------ owners */

static enum check_result owners_list_check(struct trial *trial)
{
	int count;

	if (!first_is_there(trial))
		return no_first(trial);
	count = listed(trial, trial->other, NULL, 0);
	if (count > 0)
		return check_failed(trial, "mark what is made with its owner, and list only that",
				    "owner %s is shown what %s has made: it would delete it",
				    trial->other, trial->owner);
	return count ? CHECK_FAILED : CHECK_OK;
}

static enum check_result owners_delete_check(struct trial *trial)
{
	char name[NAME_ROOM];
	struct reply reply;

	if (!first_is_there(trial))
		return no_first(trial);
	name_of(trial, 1, name);
	if (!trial_call(trial, "delete", request_make(trial, trial->other, name, NULL, NULL),
			&reply))
		return CHECK_FAILED;
	reply_clear(&reply);
	if (listed(trial, trial->owner, name, 1) != 1) {
		trial->create_ms = 0;
		return check_failed(trial, "delete only what is marked with the owner that asks",
				    "owner %s deleted what %s has made", trial->other,
				    trial->owner);
	}
	return CHECK_OK;
}

/* ------------------------------------------------------------------ get, resize */

static enum check_result get_check(struct trial *trial)
{
	char name[NAME_ROOM], absent[NAME_ROOM];
	struct ip address;
	struct reply reply;
	uint16_t port;
	bool read;

	if (!trial->gets)
		return check_skipped(trial, "it has no verb \"get\"");
	if (!first_is_there(trial))
		return no_first(trial);
	name_of(trial, 1, name);
	name_mint(trial, absent);
	if (!trial_call(trial, "get", request_make(trial, trial->owner, name, NULL, NULL), &reply))
		return CHECK_FAILED;
	if (reply.status)
		return check_failed(trial, "see what it says on stderr", "get ended with status %d",
				    reply.status);
	read = address_read(trial, reply.answer, name, &address, &port);
	reply_clear(&reply);
	if (!read)
		return CHECK_FAILED;
	if (!trial_call(trial, "get", request_make(trial, trial->owner, absent, NULL, NULL),
			&reply))
		return CHECK_FAILED;
	read = !reply.status && !json_object_size(reply.answer);
	reply_clear(&reply);
	return read ? CHECK_OK
		    : check_failed(trial, "answer {} and 0", "get of what is not there is not {}");
}

/* To one size, twice. */
static enum check_result resize_to(struct trial *trial, const char *name, const char *size)
{
	for (int i = 0; i < 2; i++) {
		json_t *answer;
		int status = trial_done(
			trial, "resize",
			request_make(trial, trial->owner, name, trial->service, size), &answer);
		const char *told = json_string_value(json_object_get(answer, "size"));
		bool same = told && !strcmp(told, size);

		json_decref(answer);
		if (status == STATUS_QUOTA)
			return check_skipped(trial, "there is no room for size %s", size);
		if (status > 0)
			return check_failed(trial, "see what it says on stderr",
					    "resize to %s ended with status %d", size, status);
		if (status < 0)
			return CHECK_FAILED;
		if (!same)
			return check_failed(trial,
					    "answer {\"name\", \"size\": the size it has now}",
					    "its answer does not say size %s", size);
	}
	return CHECK_OK;
}

static enum check_result resize_unknown(struct trial *trial, const char *name, const char *size,
					const char *what)
{
	struct reply reply;

	if (!trial_call(trial, "resize",
			request_make(trial, trial->owner, name, trial->service, size), &reply))
		return CHECK_FAILED;
	reply_clear(&reply);
	if (!reply.status || reply.status == STATUS_RETRY || reply.status == STATUS_GOING_ON)
		return check_failed(trial, "end with a status that says that it will never be",
				    "%s, and the exit status of resize is %d", what, reply.status);
	return CHECK_OK;
}

static enum check_result resize_check(struct trial *trial)
{
	char name[NAME_ROOM], absent[NAME_ROOM];
	enum check_result result = CHECK_OK;
	const json_t *size;
	struct ip address;
	uint16_t port;
	size_t i;

	if (!trial->resizes || json_array_size(trial->sizes) < 2)
		return check_skipped(trial, "it has no verb \"resize\", or less than two sizes");
	if (!first_is_there(trial))
		return no_first(trial);
	name_of(trial, 1, name);
	name_mint(trial, absent);
	json_array_foreach(trial->sizes, i, size)
	{
		const char *word = json_string_value(json_object_get(size, "name"));

		result = word ? resize_to(trial, name, word) : CHECK_FAILED;
		if (result != CHECK_OK)
			return result;
	}
	result = resize_unknown(trial, name, "no-such-size", "there is no size \"no-such-size\"");
	if (result == CHECK_OK)
		result = resize_unknown(
			trial, absent,
			json_string_value(json_object_get(json_array_get(trial->sizes, 0), "name")),
			"there is nothing of that name");
	if (result == CHECK_OK)
		result = create_do(trial, name, &address, &port);
	if (result == CHECK_OK && !ip_equal(&address, &trial->address))
		return check_failed(trial, "keep the address: flows are on their way to it",
				    "after resize, %s is at another address", name);
	return result;
}

/* ------------------------------------------------------------------ killed, and the end */

static enum check_result create_killed_check(struct trial *trial)
{
	if (!first_is_there(trial))
		return no_first(trial);
	for (uint64_t step = 0; step < KILL_STEPS; step++) {
		enum check_result result;
		char name[NAME_ROOM];
		struct ip address;
		uint16_t port;

		name_mint(trial, name);
		trial_kill(trial, "create", create_request(trial, name),
			   trial->create_ms * step / KILL_STEPS);
		result = create_do(trial, name, &address, &port);
		if (result == CHECK_OK)
			result = listed_once(trial, name);
		if (result == CHECK_OK && !deleted(trial, name))
			result = CHECK_FAILED;
		if (result != CHECK_OK)
			return result;
	}
	return CHECK_OK;
}

static enum check_result delete_killed_check(struct trial *trial)
{
	if (!first_is_there(trial))
		return no_first(trial);
	/* Killed while it is made, and then wanted no more; killed while it is deleted. */
	for (uint64_t step = 0; step < KILL_STEPS; step++) {
		char name[NAME_ROOM];

		name_mint(trial, name);
		trial_kill(trial, "create", create_request(trial, name),
			   trial->create_ms * step / KILL_STEPS);
		trial_kill(trial, "delete", request_make(trial, trial->owner, name, NULL, NULL),
			   20 * step);
		if (!deleted(trial, name))
			return CHECK_FAILED;
	}
	return CHECK_OK;
}

static enum check_result delete_check(struct trial *trial)
{
	char name[NAME_ROOM];

	if (!first_is_there(trial))
		return no_first(trial);
	name_of(trial, 1, name);
	for (int i = 0; i < 2; i++) {
		if (!deleted(trial, name))
			return CHECK_FAILED;
	}
	return CHECK_OK;
}

static enum check_result nothing_left_check(struct trial *trial)
{
	int count = listed(trial, trial->owner, NULL, 0);

	if (count > 0)
		return check_failed(trial, "see which it is, and which of the calls has made it",
				    "all was deleted, and list shows %d", count);
	return count ? CHECK_FAILED : CHECK_OK;
}

const struct check provision_life[] = {
	{"create: answers where the backend is",
	 "create answers {\"name\", \"address\"}, \"port\" optional, when the backend can serve; "
	 "until then 15 or 10, and it is called again by the same name",
	 create_check},
	{"create again: the same backend",
	 "create is idempotent by name: called again, it answers the same and makes nothing",
	 create_again_check},
	{"list: has what was created", "list has every backend of this owner, once", list_check},
	{"create for another service: a conflict",
	 "a name that is there for another service or spec is a conflict: status 14, nothing changed",
	 conflict_check},
	{"two creates at once: one backend", "create is idempotent by name, at any time",
	 two_at_once_check},
	{"list: not what others own", "list has this owner's backends and nothing else",
	 owners_list_check},
	{"delete: not what others own", "delete touches this owner's backends and nothing else",
	 owners_delete_check},
	{"get: tells of one, {} of none",
	 "get answers {\"name\", \"address\"} of one that is there, and {} of one that is not",
	 get_check},
	{"resize: to each size and back again",
	 "resize answers {\"name\", \"size\"}, is idempotent, keeps the address; a size or a name "
	 "that is not there is an error",
	 resize_check},
	{"create killed half-way: called again, it is there once",
	 "a call may be killed at any point; called again by the same name it goes on or begins anew",
	 create_killed_check},
	{"delete after killed calls: nothing is left",
	 "a call may be killed at any point; delete by name takes away what there is of it",
	 delete_killed_check},
	{"delete: it is gone, and may be asked for twice",
	 "delete by name; absent is success: {} and 0", delete_check},
	{"nothing is left over", "list has every backend of this owner: none after all are deleted",
	 nothing_left_check},
	{0},
};

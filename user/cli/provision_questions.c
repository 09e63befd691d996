// SPDX-License-Identifier: GPL-2.0-only
/* Checks of a provisioner that make nothing: what it says of itself, what it refuses. */
#include <string.h>

#include "cli/provision_trial.h"
#include "model/answer.h"

/* ------------------------------------------------------------------ capabilities */

static const char *const verb_names[] = {"create", "delete", "list", "get", "resize", NULL};
enum {
	VERB_CREATE,
	VERB_DELETE,
	VERB_LIST,
	VERB_GET,
	VERB_RESIZE,
	VERBS
};

static enum check_result capabilities_check(struct trial *trial)
{
	bool verbs[VERBS] = {false};
	struct reply reply;
	const char *wrong;

	if (!trial_call(trial, "capabilities", request_make(trial, trial->owner, NULL, NULL, NULL),
			&reply))
		return CHECK_FAILED;
	if (reply.status)
		return check_failed(
			trial, "see what it says on stderr; --config or --spec gives it options",
			"it ended with status %d", reply.status);
	trial->capabilities = reply.answer;
	wrong = answer_capabilities(reply.answer, verb_names, verbs, &trial->delay_ms);
	if (wrong)
		return check_failed(trial, "answer {\"verbs\": [\"create\", \"delete\", \"list\"]}",
				    "its answer: %s", wrong);
	for (int i = VERB_CREATE; i <= VERB_LIST; i++) {
		if (!verbs[i])
			return check_failed(trial, "the agent creates nothing without it: write it",
					    "\"verbs\" lacks \"%s\"", verb_names[i]);
	}
	trial->gets = verbs[VERB_GET];
	trial->resizes = verbs[VERB_RESIZE];
	trial->sizes = json_object_get(reply.answer, "sizes");
	return CHECK_OK;
}

static bool name_valid(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";

	return name && *name && strchr(letters, *name) && strlen(name) < 64 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") == strlen(name);
}

static enum check_result sizes_check(struct trial *trial)
{
	const json_t *size;
	double before = 0;
	size_t i;

	if (!trial->sizes)
		return check_skipped(trial, "its capabilities have no \"sizes\"");
	if (!json_is_array(trial->sizes) || json_array_size(trial->sizes) > 16)
		return check_failed(trial, "name the sizes in an array, the smallest first",
				    "\"sizes\" is not an array of at most 16");
	json_array_foreach(trial->sizes, i, size)
	{
		const char *name = json_string_value(json_object_get(size, "name"));
		double capacity = json_number_value(json_object_get(size, "capacity"));

		if (!name_valid(name))
			return check_failed(trial, "a name is [a-z0-9][a-z0-9.-]*",
					    "\"sizes\"[%zu] has no name, or one that is none", i);
		if (capacity <= before)
			return check_failed(trial, "sort them, the smallest first",
					    "\"capacity\" of size %s is not above the one before",
					    name);
		before = capacity;
	}
	return CHECK_OK;
}

/* ------------------------------------------------------------------ what is refused */

static enum check_result refusal_judge(struct trial *trial, struct reply *reply, const char *what)
{
	reply_clear(reply);
	if (reply->status == STATUS_BAD_CONFIG)
		return CHECK_OK;
	if (reply->status == STATUS_DONE)
		return check_failed(trial, "end with status 12, and say why on stderr",
				    "%s, and it says that it is done", what);
	if (reply->status == STATUS_RETRY || reply->status == STATUS_GOING_ON)
		return check_failed(trial, "end with status 12: the agent would call it for ever",
				    "%s, and it asks to be called again (%d)", what, reply->status);
	return check_failed(trial,
			    "end with status 12, which tells people to see to what they gave",
			    "%s, and the exit status is %d, not 12", what, reply->status);
}

static enum check_result verb_unknown_check(struct trial *trial)
{
	struct reply reply;

	if (!trial_call(trial, "no-such-verb", request_make(trial, trial->owner, NULL, NULL, NULL),
			&reply))
		return CHECK_FAILED;
	return refusal_judge(trial, &reply, "there is no verb \"no-such-verb\"");
}

static enum check_result rubbish_check(struct trial *trial)
{
	struct reply reply;

	if (!trial_call_text(trial, "create", "{\"owner\": \"me\", ", &reply))
		return CHECK_FAILED;
	return refusal_judge(trial, &reply, "its input was cut off");
}

static enum check_result nameless_check(struct trial *trial)
{
	struct reply reply;

	if (!trial_call(trial, "create",
			request_make(trial, trial->owner, NULL, trial->service, NULL), &reply))
		return CHECK_FAILED;
	return refusal_judge(trial, &reply, "create was given no \"name\"");
}

/* ------------------------------------------------------------------ nothing there */

static enum check_result list_empty_check(struct trial *trial)
{
	int count = listed(trial, trial->owner, NULL, 0);

	if (count > 0)
		return check_failed(trial, "mark what is made with its owner, and list only that",
				    "an owner that has made nothing is shown %d", count);
	return count ? CHECK_FAILED : CHECK_OK;
}

static enum check_result delete_absent_check(struct trial *trial)
{
	char name[NAME_ROOM];
	struct reply reply;

	name_mint(trial, name);
	if (!trial_call(trial, "delete", request_make(trial, trial->owner, name, NULL, NULL),
			&reply))
		return CHECK_FAILED;
	reply_clear(&reply);
	if (reply.status)
		return check_failed(trial,
				    "what is asked for is that it is gone: answer {} and 0, or the "
				    "agent will ask for ever",
				    "there is nothing of that name, and the exit status is %d",
				    reply.status);
	return CHECK_OK;
}

const struct check provision_questions[] = {
	{"capabilities: says what it can do",
	 "capabilities answers {\"verbs\": [...]} with create, delete and list; "
	 "\"consistency_delay_ms\", if there, is a number of 0..3600000",
	 capabilities_check},
	{"sizes: have names and rising capacities",
	 "\"sizes\" is an array of at most 16 {\"name\", \"capacity\"}, the smallest first",
	 sizes_check},
	{"an unknown verb is refused", "a verb that it does not have ends with status 12",
	 verb_unknown_check},
	{"input that is no JSON is refused", "bad input ends with status 12, a reason on stderr",
	 rubbish_check},
	{"create without a name is refused", "bad input ends with status 12, a reason on stderr",
	 nameless_check},
	{"list: nothing for an owner who has nothing",
	 "list answers {\"backends\": [...]}: all of this owner, and nothing else",
	 list_empty_check},
	{"delete of what is not there is done", "delete by name; absent is success: {} and 0",
	 delete_absent_check},
	{0},
};

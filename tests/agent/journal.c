// SPDX-License-Identifier: GPL-2.0-only
/* Tests of user/agent/journal.h on a real file: kept, written anew, cut, taken over, bounded. */
#include "../unit/make.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/desired_delta.h"
#include "agent/journal.h"
#include "base/file.h"

#define INSTANCE 0x1234u

/* A journal in a folder of its own, and what is wanted. */
struct rig {
	char folder[64], path[96];
	uv_loop_t loop;
	struct journal *journal;
	struct desired *desired;
};

static const struct change_cause cause = {.kind = CAUSE_AGENT, .why = "test"};

static void rig_open(struct rig *rig, bool first)
{
	const struct desired *found;
	struct error error = {""};
	uint64_t instance;

	uv_loop_init(&rig->loop);
	if (journal_open(&rig->loop, rig->folder, &rig->journal, &error))
		fail_msg("%s", error.text);
	found = journal_found(rig->journal, &instance);
	assert_int_equal(found == NULL, first);
	if (found) {
		assert_int_equal(instance, INSTANCE);
		rig->desired = desired_clone(found);
	} else {
		rig->desired = desired_new(&limits_small);
	}
	if (journal_begin(rig->journal, INSTANCE, &cause, rig->desired, found != NULL, &error))
		fail_msg("%s", error.text);
}

/* The desired stays for a comparison. */
static void rig_close(struct rig *rig)
{
	journal_stop(rig->journal);
	uv_run(&rig->loop, UV_RUN_DEFAULT);
	journal_free(rig->journal);
	assert_int_equal(uv_loop_close(&rig->loop), 0);
}

static void rig_make(struct rig *rig)
{
	snprintf(rig->folder, sizeof(rig->folder), "/tmp/sluice-journal-XXXXXX");
	assert_non_null(mkdtemp(rig->folder));
	snprintf(rig->path, sizeof(rig->path), "%s/journal", rig->folder);
	rig_open(rig, true);
}

static void rig_free(struct rig *rig)
{
	rig_close(rig);
	desired_free(rig->desired);
	assert_int_equal(unlink(rig->path), 0);
	/* Nothing else was left. */
	assert_int_equal(rmdir(rig->folder), 0);
}

static off_t size_of(const struct rig *rig)
{
	struct stat status;

	assert_int_equal(stat(rig->path, &status), 0);
	return status.st_size;
}

/* A service that comes, or goes if it is there. */
static void change(struct rig *rig, unsigned int number)
{
	char name[16], vip[16];
	struct desired *draft = desired_clone(rig->desired);
	struct service_config service;
	struct error error;

	snprintf(name, sizeof(name), "s%u", number);
	snprintf(vip, sizeof(vip), "192.0.2.%u", number + 1);
	service = service_make(name, vip, 80, 8);
	if (state_service_remove(draft->state, name, &error))
		assert_int_equal(state_service_add(draft->state, &service, ORIGIN_RUNTIME, &error),
				 0);
	else
		assert_int_equal(state_purged(draft->state), 0);
	if (journal_change(rig->journal, &cause, rig->desired, draft, &error))
		fail_msg("%s", error.text);
	desired_free(rig->desired);
	rig->desired = draft;
}

static void assert_same(const struct desired *one, const struct desired *other)
{
	json_t *delta = desired_delta(one, other);

	assert_int_equal(json_object_size(delta), 0);
	json_decref(delta);
}

/* Closed and read again: what is wanted is what was. */
static void reopen(struct rig *rig)
{
	struct desired *before = rig->desired;

	rig_close(rig);
	rig_open(rig, false);
	assert_same(before, rig->desired);
	desired_free(before);
}

static void kept(void **context)
{
	struct rig rig;
	uint64_t last;

	(void)context;
	rig_make(&rig);
	for (unsigned int i = 0; i < 40; i++) {
		change(&rig, i % 7);
		if (i % 10 == 9)
			reopen(&rig);
	}
	last = event_log_last(journal_events(rig.journal));
	journal_event(rig.journal, "interface", &cause, "s1");
	assert_true(event_log_last(journal_events(rig.journal)) > last);
	last = event_log_last(journal_events(rig.journal));
	reopen(&rig);
	assert_int_equal(event_log_last(journal_events(rig.journal)), last);
	change(&rig, 1);
	/* Numbers that may have been given and lost are not given again. */
	assert_true(event_log_last(journal_events(rig.journal)) > last + 64);
	rig_free(&rig);
}

/* A journal that is written anew under way: changes come between its steps. */
static void tidied(void **context)
{
	struct rig rig;
	off_t largest = 0, before = 0;
	unsigned int tidied_count = 0;

	(void)context;
	rig_make(&rig);
	for (unsigned int i = 0; i < 12000 && tidied_count < 2; i++) {
		char long_why[CAUSE_WHY_MAX];
		struct change_cause wordy = cause;

		memset(long_why, 'w', sizeof(long_why) - 1);
		long_why[sizeof(long_why) - 1] = '\0';
		memcpy(wordy.why, long_why, sizeof(long_why));
		for (int event = 0; event < 8; event++)
			journal_event(rig.journal, "interface", &wordy, NULL);
		if (i % 50 == 0)
			change(&rig, i / 50 % 7);
		journal_tidy(rig.journal, rig.desired);
		uv_run(&rig.loop, UV_RUN_NOWAIT);
		if (size_of(&rig) < before)
			tidied_count++;
		before = size_of(&rig);
		largest = before > largest ? before : largest;
	}
	assert_int_equal(tidied_count, 2);
	/* A small snapshot, history, growth, and what came while it was written. */
	assert_true(largest < (off_t)10 * 1024 * 1024);
	reopen(&rig);
	rig_free(&rig);
}

static void undone(void **context)
{
	struct desired *draft;
	struct error error;
	struct rig rig;

	(void)context;
	rig_make(&rig);
	change(&rig, 1);
	draft = desired_clone(rig.desired);
	assert_int_equal(state_service_remove(draft->state, "s1", &error), 0);
	assert_int_equal(journal_change(rig.journal, &cause, rig.desired, draft, &error), 0);
	assert_int_equal(journal_undo(rig.journal, &cause, rig.desired, draft, &error), 0);
	desired_free(draft);
	reopen(&rig);
	assert_non_null(state_pool(rig.desired->state, "s1"));
	rig_free(&rig);
}

/* Cut at any byte of its last record: the change before it is there, and a new one can be made. */
static void torn(void **context)
{
	struct desired *before;
	struct error error;
	struct rig rig;
	char *bytes;
	size_t whole, length;

	(void)context;
	rig_make(&rig);
	change(&rig, 1);
	whole = (size_t)size_of(&rig);
	before = desired_clone(rig.desired);
	change(&rig, 2);
	rig_close(&rig);
	desired_free(rig.desired);
	assert_int_equal(file_read(rig.path, 1 << 20, &bytes, &length, &error), 0);
	for (size_t cut = whole; cut < length; cut += 1 + (length - whole) / 40) {
		assert_int_equal(file_replace(rig.path, bytes, cut, &error), 0);
		rig_open(&rig, false);
		assert_same(before, rig.desired);
		assert_int_equal(size_of(&rig), whole);
		change(&rig, 3);
		reopen(&rig);
		rig_close(&rig);
		desired_free(rig.desired);
	}
	assert_int_equal(file_replace(rig.path, bytes, length, &error), 0);
	free(bytes);
	desired_free(before);
	rig_open(&rig, false);
	rig_free(&rig);
}

/* What version 0.1 saved, as it wrote it: fields that came later are not in there. */
static const char saved[] =
	"{\"format\":1,\"guard\":[{\"rules\":\"deny 203.0.113.0/24 none\",\"service\":null}],"
	"\"instance\":\"0000000000001234\",\"orphans\":[],\"state\":{\"limits\":{\"backends\":1024,"
	"\"flows\":1024,\"services\":16,\"slots\":1048576},\"pools\":[{\"backend_base\":0,"
	"\"backend_capacity\":%u,\"backends\":[{\"address\":\"10.0.0.1\",\"deadline_ms\":0,"
	"\"name\":\"w1\",\"number\":3,\"origin\":\"runtime\",\"port\":0,\"state\":\"active\","
	"\"weight\":100,\"weight_runtime\":7}],\"id\":2,\"origin\":\"runtime\",\"purged\":[],"
	"\"retired\":[1],\"scale_configured\":{\"max\":0,\"min\":0,\"paused\":false,"
	"\"target\":0.0},\"sequence\":5,\"service\":{\"affinity\":\"flow\",\"backends_max\":8,"
	"\"drain_ms\":300000,\"empty\":\"drop\",\"grace_ms\":10000,\"mode\":\"l2\","
	"\"name\":\"web\",\"port\":80,\"protocol\":\"tcp\",\"tracking\":\"full\","
	"\"vip\":\"192.0.2.80\"},\"slot_count\":%u,\"slot_line\":[0,%u]}],\"retired\":[],"
	"\"version\":1}}";

static void taken_over(void **context)
{
	const struct pool_backend *backend;
	char text[2048], path[96];
	struct error error;
	struct rig rig;
	uint32_t slots = config_slot_count(8);

	(void)context;
	snprintf(rig.folder, sizeof(rig.folder), "/tmp/sluice-journal-XXXXXX");
	assert_non_null(mkdtemp(rig.folder));
	snprintf(rig.path, sizeof(rig.path), "%s/journal", rig.folder);
	snprintf(path, sizeof(path), "%s/state.json", rig.folder);
	snprintf(text, sizeof(text), saved, config_backend_capacity(8), slots,
		 slots / SLUICE_SLOTS_PER_LINE + 1);
	assert_int_equal(file_replace(path, text, strlen(text), &error), 0);
	rig_open(&rig, false);
	assert_int_equal(access(path, F_OK), -1);
	reopen(&rig);
	backend = pool_backend(state_pool(rig.desired->state, "web"), "w1");
	assert_non_null(backend);
	assert_int_equal(backend->weight_runtime, 7);
	assert_int_equal(backend->number, 3);
	assert_string_equal(guard_list_text(rig.desired->guard->scopes[0].runtime),
			    "deny 203.0.113.0/24 none");
	rig_free(&rig);
}

static const struct CMUnitTest cases[] = {
	CASE(kept, "control/journal: changes and events are there when it is read again"),
	CASE(tidied, "control/journal: written anew under way it loses nothing, and stays small"),
	CASE(undone, "control/journal: a change that was taken back is not there later"),
	CASE(torn, "control/journal: its file cut anywhere in the last record has all but that"),
	CASE(taken_over, "control/journal: what version 0.1 saved is taken over"),
};

UNIT_MAIN("journal", cases)

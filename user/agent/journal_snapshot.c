// SPDX-License-Identifier: GPL-2.0-only
/* The journal written anew beside the old one, in steps, and put in its place. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/desired_delta.h"
#include "agent/journal_private.h"
#include "base/file.h"
#include "model/journal.h"

/* Of one step: it takes a few milliseconds. */
#define EVENTS_A_STEP 256u
#define POOLS_A_STEP  16u
#define RULES_A_STEP  ((size_t)8192)
/* Synced as it grows, so that the last sync is no long one. */
#define SYNC_BYTES ((off_t)1024 * 1024)

enum phase {
	PHASE_OPEN,
	PHASE_EVENTS,
	PHASE_BEGIN,
	PHASE_POOLS,
	PHASE_GUARD,
	PHASE_END,
	PHASE_PUBLISH,
};

struct snapshot {
	struct journal *journal;
	struct desired *desired;
	uint64_t instance;
	char path[PATH_MAX];
	int fd;
	off_t size, synced;
	uint64_t sequence; /* of the last record that it takes the place of */
	off_t rest_start;  /* in the old journal: what has come since is copied */
	enum phase phase;
	uint64_t event; /* the last one that is written */
	size_t pool, scope, rule;
};

struct snapshot *snapshot_new(struct journal *journal, const struct desired *desired,
			      uint64_t instance)
{
	struct snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (!snapshot)
		return NULL;
	*snapshot = (struct snapshot){
		.journal = journal,
		.desired = desired_clone(desired),
		.instance = instance,
		.fd = -1,
		.sequence = journal->sequence,
		.rest_start = journal->size,
	};
	snprintf(snapshot->path, sizeof(snapshot->path), "%s/journal.new", journal->state_dir);
	if (!snapshot->desired) {
		free(snapshot);
		return NULL;
	}
	return snapshot;
}

void snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	if (snapshot->fd >= 0) {
		close(snapshot->fd);
		unlink(snapshot->path);
	}
	desired_free(snapshot->desired);
	free(snapshot);
}

/* Takes the record. */
static int record_put(struct snapshot *snapshot, uint64_t sequence, json_t *record)
{
	off_t length;
	int code = record ? journal_write(snapshot->fd, snapshot->size, sequence, record, &length)
			  : -ENOMEM;

	json_decref(record);
	if (code)
		return code;
	snapshot->size += length;
	return 0;
}

/* Takes the delta. */
static int part_put(struct snapshot *snapshot, json_t *delta, int code)
{
	if (!code)
		return record_put(snapshot, snapshot->sequence,
				  json_pack("{ss,so}", "snapshot", "part", "delta", delta));
	json_decref(delta);
	return code;
}

/* ------------------------------------------------------------------ the steps: 1, 0 or -errno */

static int file_open(struct snapshot *snapshot)
{
	size_t length = strlen(JOURNAL_FIRST_LINE);

	/* It may hold secrets: a provisioner's options. */
	snapshot->fd =
		open(snapshot->path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (snapshot->fd < 0)
		return -errno;
	if (fchmod(snapshot->fd, 0600))
		return -errno;
	if (pwrite(snapshot->fd, JOURNAL_FIRST_LINE, length, 0) != (ssize_t)length)
		return -EIO;
	snapshot->size = (off_t)length;
	return 0;
}

static int events_put(struct snapshot *snapshot)
{
	const struct event *event;

	for (size_t i = 0; i < EVENTS_A_STEP; i++) {
		int code;

		event = event_log_after(snapshot->journal->events, snapshot->event);
		if (!event || event->sequence > snapshot->sequence)
			return 0;
		code = record_put(snapshot, event->sequence, json_loads(event->text, 0, NULL));
		if (code)
			return code;
		snapshot->event = event->sequence;
	}
	return 1;
}

static int begin_put(struct snapshot *snapshot)
{
	const struct desired *desired = snapshot->desired;
	json_t *delta = json_pack("{so,so}", "head", state_head_to_json(desired->state), "orphans",
				  desired_orphans_to_json(desired));
	char instance[20];

	snprintf(instance, sizeof(instance), "%016" PRIx64, snapshot->instance);
	if (!delta)
		return -ENOMEM;
	return record_put(
		snapshot, snapshot->sequence,
		json_pack("{ss,ss,so}", "snapshot", "begin", "instance", instance, "delta", delta));
}

static const struct pool *pool_at(const struct state *state, size_t index)
{
	return state->pools[index];
}

static int pools_put(struct snapshot *snapshot)
{
	const struct state *state = snapshot->desired->state;

	for (size_t i = 0; i < POOLS_A_STEP && snapshot->pool < state->pool_count; i++) {
		json_t *delta = json_object();
		int code = pool_delta(pool_at(state, snapshot->pool++), delta);

		code = part_put(snapshot, delta, code);
		if (code)
			return code;
	}
	return snapshot->pool < state->pool_count;
}

static int guard_put(struct snapshot *snapshot)
{
	const struct guard *guard = snapshot->desired->guard;
	const struct guard_scope *scope = &guard->scopes[snapshot->scope];
	size_t count = scope->runtime ? scope->runtime->count : 0;
	size_t some = count - snapshot->rule < RULES_A_STEP ? count - snapshot->rule : RULES_A_STEP;

	if (some) {
		json_t *delta = json_object();
		int code = guard_rules_delta(scope->service, &scope->runtime->rules[snapshot->rule],
					     some, delta);

		code = part_put(snapshot, delta, code);
		if (code)
			return code;
	}
	snapshot->rule += some;
	if (snapshot->rule == count) {
		snapshot->rule = 0;
		snapshot->scope++;
	}
	return snapshot->scope < guard->scope_count;
}

static int end_put(struct snapshot *snapshot)
{
	return record_put(snapshot, snapshot->sequence, json_pack("{ss}", "snapshot", "end"));
}

/* What was appended to the old journal in the meantime. */
static int rest_copy(struct snapshot *snapshot)
{
	const struct journal *journal = snapshot->journal;
	off_t left = journal->fd < 0 ? 0 : journal->size - snapshot->rest_start;
	off_t from = snapshot->rest_start;
	char buffer[65536];

	while (left > 0) {
		size_t some = left < (off_t)sizeof(buffer) ? (size_t)left : sizeof(buffer);
		ssize_t got = pread(journal->fd, buffer, some, from);
		ssize_t put =
			got > 0 ? pwrite(snapshot->fd, buffer, (size_t)got, snapshot->size) : got;

		if (put <= 0)
			return put < 0 ? -errno : -EIO;
		from += put;
		left -= put;
		snapshot->size += put;
	}
	return 0;
}

static int publish(struct snapshot *snapshot)
{
	struct journal *journal = snapshot->journal;
	off_t whole = snapshot->size;
	int code = rest_copy(snapshot);

	if (!code && fdatasync(snapshot->fd))
		code = -errno;
	if (!code && rename(snapshot->path, journal->path))
		code = -errno;
	if (code)
		return code;
	/* From now on this is the journal, whether or not the folder can be synced. */
	if (journal->fd >= 0)
		close(journal->fd);
	journal->fd = snapshot->fd;
	journal->size = snapshot->size;
	journal->tidy_size = whole + (whole > JOURNAL_GROWTH ? whole : JOURNAL_GROWTH);
	journal->cut = journal->broken = false;
	journal->unsynced = 0;
	snapshot->fd = -1;
	return file_sync_folder(journal->path);
}

static int phase_run(struct snapshot *snapshot)
{
	switch (snapshot->phase) {
	case PHASE_OPEN:
		return file_open(snapshot);
	case PHASE_EVENTS:
		return events_put(snapshot);
	case PHASE_BEGIN:
		return begin_put(snapshot);
	case PHASE_POOLS:
		return pools_put(snapshot);
	case PHASE_GUARD:
		return guard_put(snapshot);
	case PHASE_END:
		return end_put(snapshot);
	case PHASE_PUBLISH:
	default:
		return publish(snapshot);
	}
}

int snapshot_step(struct snapshot *snapshot, struct error *error)
{
	int code = phase_run(snapshot);

	if (code >= 0 && snapshot->size - snapshot->synced >= SYNC_BYTES && snapshot->fd >= 0) {
		snapshot->synced = snapshot->size;
		if (fdatasync(snapshot->fd))
			code = -errno;
	}
	if (code < 0)
		return error_set(error, code == -ENOSPC ? -EIO : code,
				 "journal %s: cannot write: %s; see to its disk", snapshot->path,
				 strerror(-code));
	if (code || snapshot->phase++ < PHASE_PUBLISH)
		return 1;
	return 0;
}

int snapshot_write(struct journal *journal, const struct desired *desired, uint64_t instance,
		   struct error *error)
{
	struct snapshot *snapshot = snapshot_new(journal, desired, instance);
	int code = snapshot ? 1 : error_set(error, -ENOMEM, "journal: out of memory");

	/* Two would write one file. */
	snapshot_free(journal->snapshot);
	journal->snapshot = NULL;
	uv_idle_stop(&journal->idle);
	while (code > 0)
		code = snapshot_step(snapshot, error);
	snapshot_free(snapshot);
	return code;
}

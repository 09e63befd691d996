// SPDX-License-Identifier: GPL-2.0-only
/* The journal's front: changes appended and synced, events noted, the way back. */
#include "agent/journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/desired_delta.h"
#include "agent/journal_private.h"
#include "base/log.h"
#include "model/change_words.h"
#include "model/journal.h"
#include "model/json_text.h"

/* ------------------------------------------------------------------ bytes */

int journal_write(int fd, off_t offset, uint64_t sequence, const json_t *object, off_t *ret_length)
{
	size_t length = json_dumpb(object, NULL, 0, JSON_COMPACT | JSON_PRESERVE_ORDER);
	size_t size = journal_record_room(length), done = 0;
	char *text = malloc(length + 1), *record = malloc(size);
	int code = 0;

	if (!length || !text || !record || length > JOURNAL_TEXT_MAX ||
	    json_dumpb(object, text, length, JSON_COMPACT | JSON_PRESERVE_ORDER) != length)
		code = -ENOMEM;
	else
		journal_record_write(record, sequence, text, length);
	while (!code && done < size) {
		ssize_t written = pwrite(fd, record + done, size - done, offset + (off_t)done);

		if (written > 0)
			done += (size_t)written;
		else if (written == 0 || errno != EINTR)
			code = written ? -errno : -EIO;
	}
	free(text);
	free(record);
	*ret_length = (off_t)size;
	return code;
}

/* Whatever is behind the last whole record. */
static int rest_cut(struct journal *journal)
{
	if (journal->cut && ftruncate(journal->fd, journal->size))
		return -errno;
	journal->cut = false;
	return 0;
}

static int record_append(struct journal *journal, const json_t *object, bool sync)
{
	off_t length = 0;
	int code = rest_cut(journal);

	if (code)
		return code;
	journal->cut = true;
	code = journal_write(journal->fd, journal->size, journal->sequence, object, &length);
	if (!code && sync && fdatasync(journal->fd)) {
		code = -errno;
		/* What of earlier records is on the disk now, nobody can tell. */
		journal->broken = true;
	}
	if (code) {
		rest_cut(journal);
		return code;
	}
	journal->cut = false;
	journal->size += length;
	return 0;
}

/* -ENOSPC is the state's word for a limit of its own. */
static int write_failed(const struct journal *journal, int code, struct error *error)
{
	return error_set(error, code == -ENOSPC ? -EIO : code,
			 "journal %s: cannot write: %s; nothing was changed, see to its disk",
			 journal->path, strerror(-code));
}

/* ------------------------------------------------------------------ what records say */

static const char *time_text(uint64_t time_ms, char text[32])
{
	time_t seconds = (time_t)(time_ms / 1000);
	size_t length;
	struct tm parts;

	gmtime_r(&seconds, &parts);
	length = strftime(text, 24, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text + length, 8, ".%03uZ", (unsigned int)(time_ms % 1000));
	return text;
}

/* With the next number, which is then the journal's. NULL: no memory. */
static json_t *head_make(struct journal *journal, const char *event,
			 const struct change_cause *cause)
{
	uint64_t now_ms = clock_wall_ms();
	char time[32];
	json_t *head =
		json_pack("{sI,sI,ss,ss,ss,so}", "sequence", (json_int_t)++journal->sequence,
			  "time_ms", (json_int_t)now_ms, "time", time_text(now_ms, time), "event",
			  event, "by", cause_kind_names[cause->kind], "why", json_text(cause->why));

	if (head && cause->scale)
		json_object_set(head, "scale", cause->scale);
	if (!head || !cause->peer_known)
		return head;
	json_object_set_new(head, "uid", json_integer(cause->uid));
	json_object_set_new(head, "pid", json_integer(cause->pid));
	if (*cause->user)
		json_object_set_new(head, "user", json_text(cause->user));
	return head;
}

/* Takes the head. */
static void event_tell(struct journal *journal, json_t *head)
{
	json_object_del(head, "delta");
	if (event_log_add(journal->events, head))
		log_error("event %llu: out of memory", (unsigned long long)journal->sequence);
	json_decref(head);
	if (journal->told)
		journal->told(journal->told_data);
}

/* The head of a change with its delta; *ret_head is NULL if nothing changed. */
static int change_make(struct journal *journal, const struct change_cause *cause,
		       const struct desired *old, const struct desired *now, json_t **ret_head)
{
	json_t *delta = desired_delta(old, now), *head = NULL, *changes, *services;
	int code = delta ? 0 : -ENOMEM;

	*ret_head = NULL;
	if (code || !json_object_size(delta)) {
		json_decref(delta);
		return code;
	}
	code = change_words(old->state, now->state, old->guard, now->guard, &changes, &services);
	if (!code)
		head = head_make(journal, "change", cause);
	if (code) {
		json_decref(delta);
		return code;
	}
	if (!head || json_object_set(head, "services", services) ||
	    json_object_set(head, "changes", changes) || json_object_set(head, "delta", delta))
		code = -ENOMEM;
	json_decref(delta);
	json_decref(services);
	json_decref(changes);
	if (code)
		json_decref(head);
	else
		*ret_head = head;
	return code;
}

/* ------------------------------------------------------------------ changes, events */

int journal_change(struct journal *journal, const struct change_cause *cause,
		   const struct desired *old, const struct desired *now, struct error *error)
{
	json_t *head;
	int code = 0;

	if (journal->broken)
		code = snapshot_write(journal, old, journal->instance, error);
	if (code)
		return code;
	code = change_make(journal, cause, old, now, &head);
	journal->change_start = journal->size;
	if (!code && head)
		code = record_append(journal, head, true);
	if (code) {
		json_decref(head);
		return write_failed(journal, code, error);
	}
	journal->unsynced = 0;
	if (head)
		event_tell(journal, head);
	return 0;
}

int journal_undo(struct journal *journal, const struct change_cause *cause,
		 const struct desired *old, const struct desired *now, struct error *error)
{
	json_t *head;
	int code = change_make(journal, cause, now, old, &head);

	if (!code && head)
		code = record_append(journal, head, true);
	if (code) {
		/* There may be no room for more, but there is for less. */
		journal->size = journal->change_start;
		journal->cut = true;
		code = rest_cut(journal);
		if (!code && fdatasync(journal->fd))
			code = -errno;
		journal->broken |= code != 0;
	}
	if (head)
		event_tell(journal, head);
	return code ? error_set(error, code, "journal %s: cannot cut off a change that failed: %s",
				journal->path, strerror(-code))
		    : 0;
}

void journal_event(struct journal *journal, const char *event, const struct change_cause *cause,
		   const char *service)
{
	json_t *head = head_make(journal, event, cause);
	bool sync = journal->unsynced + 1 >= JOURNAL_UNSYNCED_MAX;
	int code = -EBADF;

	if (!head)
		return;
	if (service)
		json_object_set_new(head, "services", json_pack("[o]", json_text(service)));
	if (journal->fd >= 0)
		code = record_append(journal, head, sync);
	journal->unsynced = code || sync ? 0 : journal->unsynced + 1;
	if (code && !journal->silent)
		log_error("journal %s: cannot write: %s; events are shown, and forgotten when the "
			  "agent stops; see to its disk",
			  journal->path, strerror(-code));
	journal->silent = code != 0;
	event_tell(journal, head);
}

/* ------------------------------------------------------------------ begin, tidy, end */

int journal_open(uv_loop_t *loop, const char *state_dir, struct journal **ret_journal,
		 struct error *error)
{
	struct journal *journal = calloc(1, sizeof(*journal));
	int code;

	if (!journal)
		return error_set(error, -ENOMEM, "journal: out of memory");
	journal->loop = loop;
	journal->fd = -1;
	snprintf(journal->state_dir, sizeof(journal->state_dir), "%s", state_dir);
	snprintf(journal->path, sizeof(journal->path), "%s/journal", journal->state_dir);
	journal->events = event_log_new(JOURNAL_EVENTS_MAX, JOURNAL_EVENT_BYTES_MAX);
	code = journal->events ? journal_read(journal, error)
			       : error_set(error, -ENOMEM, "journal: out of memory");
	uv_idle_init(loop, &journal->idle);
	journal->idle.data = journal;
	*ret_journal = journal;
	return code;
}

const struct desired *journal_found(const struct journal *journal, uint64_t *ret_instance)
{
	*ret_instance = journal->instance;
	return journal->found;
}

int journal_begin(struct journal *journal, uint64_t instance, const struct change_cause *cause,
		  const struct desired *desired, bool found, struct error *error)
{
	char old_path[PATH_MAX];
	int code;

	found = found && journal->fd >= 0 && journal->instance == instance;
	journal->instance = instance;
	/* Those that were given before a power failure and not written. */
	journal->sequence += JOURNAL_UNSYNCED_MAX;
	if (found)
		code = journal_change(journal, cause, journal->found, desired, error);
	else
		code = snapshot_write(journal, desired, instance, error);
	if (code)
		return code;
	/* It has been read into the journal. */
	snprintf(old_path, sizeof(old_path), "%s/state.json", journal->state_dir);
	unlink(old_path);
	desired_free(journal->found);
	journal->found = NULL;
	return 0;
}

static void idle_run(uv_idle_t *idle)
{
	struct journal *journal = idle->data;
	struct error error = {""};
	int code = snapshot_step(journal->snapshot, &error);

	if (code > 0)
		return;
	if (code) {
		log_error("%s", error.text);
		/* It grows as much again before the next attempt. */
		journal->tidy_size = journal->size + JOURNAL_GROWTH;
	}
	snapshot_free(journal->snapshot);
	journal->snapshot = NULL;
	uv_idle_stop(idle);
}

void journal_tidy(struct journal *journal, const struct desired *desired)
{
	if (journal->snapshot || journal->size < journal->tidy_size ||
	    uv_is_closing((uv_handle_t *)&journal->idle))
		return;
	journal->snapshot = snapshot_new(journal, desired, journal->instance);
	if (journal->snapshot)
		uv_idle_start(&journal->idle, idle_run);
}

const struct event_log *journal_events(const struct journal *journal)
{
	return journal->events;
}

void journal_watch(struct journal *journal, void (*told)(void *data), void *data)
{
	journal->told = told;
	journal->told_data = data;
}

void journal_stop(struct journal *journal)
{
	if (journal && !uv_is_closing((uv_handle_t *)&journal->idle))
		uv_close((uv_handle_t *)&journal->idle, NULL);
}

void journal_free(struct journal *journal)
{
	if (!journal)
		return;
	if (journal->fd >= 0 && journal->unsynced)
		fdatasync(journal->fd);
	if (journal->fd >= 0)
		close(journal->fd);
	snapshot_free(journal->snapshot);
	event_log_free(journal->events);
	desired_free(journal->found);
	free(journal);
}

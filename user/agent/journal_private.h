/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the journal share among themselves. */
#ifndef AGENT_JOURNAL_PRIVATE_H
#define AGENT_JOURNAL_PRIVATE_H

#include <limits.h>
#include <sys/types.h>

#include "agent/journal.h"

/* So many events may be lost by a power failure: their numbers are not used again after it. */
#define JOURNAL_UNSYNCED_MAX 64u
/* It is written anew when it has grown by this, or by its snapshot's size if that is more. */
#define JOURNAL_GROWTH ((off_t)4 * 1024 * 1024)
/* The latest events: what is kept of the history, in memory and when the journal is written anew. */
#define JOURNAL_EVENTS_MAX      ((size_t)4096)
#define JOURNAL_EVENT_BYTES_MAX ((size_t)4 * 1024 * 1024)

struct snapshot;

struct journal {
	uv_loop_t *loop;
	char state_dir[PATH_MAX - 32], path[PATH_MAX];
	int fd;             /* -1 before journal_begin, if there was none */
	off_t size;         /* up to where it is whole */
	off_t change_start; /* of the last change's record */
	off_t tidy_size;    /* at which it is written anew */
	bool cut;           /* behind size there may be rest of a record */
	bool broken;        /* it could not be synced: to be written anew before the next change */
	bool silent;        /* that events are not kept was said */
	uint64_t sequence;  /* the last number that was given */
	uint64_t instance;  /* of the maps */
	unsigned int unsynced;
	struct event_log *events;
	struct desired *found;
	struct snapshot *snapshot; /* under way */
	uv_idle_t idle;
	void (*told)(void *data);
	void *told_data;
};

/* journal_read - the file's records into the journal: events, found, instance, sequence, size. */
int journal_read(struct journal *journal, struct error *error);

/* journal_write - a whole record at an offset: 0 or -errno. */
int journal_write(int fd, off_t offset, uint64_t sequence, const json_t *object, off_t *ret_length);

/*
 * snapshot_new - write the journal anew, in steps. snapshot_step: 1 = there is more to do, 0 = it
 * is in its place now, or -errno with a message, then the old journal goes on. snapshot_free takes
 * NULL.
 */
struct snapshot *snapshot_new(struct journal *journal, const struct desired *desired,
			      uint64_t instance);
int snapshot_step(struct snapshot *snapshot, struct error *error);
void snapshot_free(struct snapshot *snapshot);

/* snapshot_write - all steps at once. */
int snapshot_write(struct journal *journal, const struct desired *desired, uint64_t instance,
		   struct error *error);

#endif

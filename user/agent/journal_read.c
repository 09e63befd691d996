// SPDX-License-Identifier: GPL-2.0-only
/* The journal as it is found at a start: read, its torn tail cut, its changes put together. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/desired_delta.h"
#include "agent/journal_private.h"
#include "agent/saved.h"
#include "base/file.h"
#include "base/log.h"
#include "model/journal.h"

#define FILE_MAX ((size_t)1024 * 1024 * 1024)

struct reading {
	struct journal *journal;
	struct desired_image image;
	bool begun, whole; /* the snapshot */
};

static int snapshot_part(struct reading *reading, const char *part, const json_t *record,
			 struct error *error)
{
	const char *instance = json_string_value(json_object_get(record, "instance"));
	const json_t *delta = json_object_get(record, "delta");

	if (!strcmp(part, "begin")) {
		if (!instance)
			return error_set(error, -EINVAL, "instance: is absent or not a text");
		desired_image_clear(&reading->image);
		reading->journal->instance = strtoull(instance, NULL, 16);
		reading->begun = true;
		reading->whole = false;
	} else if (!reading->begun || reading->whole) {
		return error_set(error, -EINVAL, "a part of a snapshot that did not begin");
	}
	if (!strcmp(part, "end"))
		reading->whole = true;
	return delta ? desired_image_apply(&reading->image, delta, error) : 0;
}

static int record_take(struct reading *reading, json_t *record, struct error *error)
{
	const char *part = json_string_value(json_object_get(record, "snapshot"));
	const json_t *delta = json_object_get(record, "delta");
	int code = 0;

	if (part)
		return snapshot_part(reading, part, record, error);
	if (delta && !reading->whole)
		return error_set(error, -EINVAL, "a change before there is a snapshot");
	if (delta)
		code = desired_image_apply(&reading->image, delta, error);
	if (code)
		return code;
	json_object_del(record, "delta");
	code = event_log_add(reading->journal->events, record);
	return code ? error_set(error, code, "neither a change nor an event") : 0;
}

static int record_read(struct reading *reading, const struct journal_record *line,
		       struct error *error)
{
	json_error_t json_error;
	json_t *record = json_loadb(line->text, line->length, JSON_REJECT_DUPLICATES, &json_error);
	int code;

	if (!record)
		return error_set(error, -EINVAL, "%s", json_error.text);
	code = record_take(reading, record, error);
	json_decref(record);
	if (code)
		error_prefix(error, "record %llu: ", (unsigned long long)line->sequence);
	return code;
}

/* *ret_end: up to where it is whole. */
static int records_read(struct reading *reading, const char *bytes, size_t length, off_t *ret_end,
			struct error *error)
{
	struct journal_reader reader;
	struct journal_record line;
	enum journal_verdict verdict;
	int code = 0;

	if (!journal_reader_begin(&reader, bytes, length))
		return error_set(error, -EINVAL,
				 "its first line is not that of a journal that "
				 "this version reads");
	while (!code && (verdict = journal_reader_next(&reader, &line)) == JOURNAL_RECORD)
		code = record_read(reading, &line, error);
	if (code)
		return code;
	if (verdict == JOURNAL_DAMAGED)
		return error_set(error, -EINVAL, "the record at byte %zu is damaged",
				 reader.offset);
	if (!reading->whole)
		return error_set(error, -EINVAL, "it has no whole snapshot");
	reading->journal->sequence = reader.sequence;
	*ret_end = (off_t)reader.offset;
	return desired_image_read(&reading->image, &reading->journal->found, error);
}

/* Opens it for what comes, behind what is whole. */
static int tail_open(struct journal *journal, off_t end, off_t length, struct error *error)
{
	journal->fd = open(journal->path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (journal->fd < 0)
		return error_set(error, -errno, "cannot open: %s", strerror(errno));
	journal->size = end;
	journal->tidy_size = end + (end > JOURNAL_GROWTH ? end : JOURNAL_GROWTH);
	if (end == length)
		return 0;
	log_warning("journal %s: its last %lld bytes were cut off while they were written, by a "
		    "kill or a power failure; they are removed",
		    journal->path, (long long)(length - end));
	if (ftruncate(journal->fd, end) || fdatasync(journal->fd))
		return error_set(error, -errno, "cannot cut its torn tail: %s", strerror(errno));
	return 0;
}

static int file_take(struct journal *journal, struct error *error)
{
	struct reading reading = {.journal = journal};
	off_t end = 0;
	size_t length;
	char *bytes;
	int code = file_read(journal->path, FILE_MAX, &bytes, &length, error);

	if (code)
		return code;
	code = records_read(&reading, bytes, length, &end, error);
	desired_image_clear(&reading.image);
	free(bytes);
	/* Whatever is wrong with what it says: it is damaged. */
	if (code && code != -ENOMEM)
		return -EINVAL;
	return code ? code : tail_open(journal, end, (off_t)length, error);
}

int journal_read(struct journal *journal, struct error *error)
{
	struct error cause = {""};
	int code;

	if (access(journal->path, F_OK) && errno == ENOENT) {
		code = saved_read(journal->state_dir, &journal->instance, &journal->found, error);
		return code == -ENOENT ? 0 : code;
	}
	code = file_take(journal, &cause);
	/* Only what is damaged is worth starting anew for. */
	if (code == -EINVAL)
		error_set(error, code,
			  "journal %s: %s; put back a copy of it, or start anew: remove it and "
			  "run `sluiced --cleanup` (until then forwarding goes on)",
			  journal->path, cause.text);
	else if (code)
		error_set(error, code,
			  "journal %s: %s; see to its folder and its disk, the journal itself is "
			  "not damaged (until then forwarding goes on)",
			  journal->path, cause.text);
	return code;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The journal's framing: a file of lines, the first of which says what it is, and each other one is
 * a record, "CRC LENGTH SEQUENCE JSON": CRC-32C of what is behind it, bytes of JSON, sequence
 * number, in 8, 8 and 16 hex digits. JSON has no line end of its own, so a record that was cut off
 * while it was written has none, and one that has is damaged if it is wrong. Pure.
 */
#ifndef MODEL_JOURNAL_H
#define MODEL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOURNAL_FIRST_LINE  "sluice journal 1\n"
#define JOURNAL_HEAD_LENGTH ((size_t)(8 + 1 + 8 + 1 + 16 + 1))
#define JOURNAL_TEXT_MAX    ((size_t)64 * 1024 * 1024)

struct journal_record {
	uint64_t sequence;
	const char *text; /* not NUL-terminated: the line's end is behind it */
	size_t length;
};

/* journal_record_room - bytes of a record with so long a text. */
static inline size_t journal_record_room(size_t length)
{
	return JOURNAL_HEAD_LENGTH + length + 1;
}

/*
 * journal_record_write - a record into a buffer of journal_record_room() bytes, no NUL behind it.
 * The text is JSON without line ends, of at most JOURNAL_TEXT_MAX bytes.
 */
void journal_record_write(char *buffer, uint64_t sequence, const char *text, size_t length);

enum journal_verdict {
	JOURNAL_RECORD,  /* a record */
	JOURNAL_END,     /* nothing is left */
	JOURNAL_TORN,    /* the rest was cut off while it was written: it is to be cut */
	JOURNAL_DAMAGED, /* what was once whole is not what was written */
};

/* Reads records one after the other. Set by journal_reader_begin. */
struct journal_reader {
	const char *bytes;
	size_t length, offset; /* offset: of the next record */
	uint64_t sequence;     /* of the record before; numbers never fall */
};

/* journal_reader_begin - false if the first line is not that of a journal that this agent reads. */
bool journal_reader_begin(struct journal_reader *reader, const char *bytes, size_t length);

/* journal_reader_next - the text points into the bytes. The reader stays at what is no record. */
enum journal_verdict journal_reader_next(struct journal_reader *reader,
					 struct journal_record *ret_record);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The journal: bytes as a file has them; and lines of JSON as its records, whose checksums a random
 * change would never get right.
 */
#ifndef TESTS_FUZZ_JOURNAL_H
#define TESTS_FUZZ_JOURNAL_H

#include "model.h"
#include "model/event_log.h"
#include "model/journal.h"
#include "model/state_delta.h"

/* What is read lies within the file, and its numbers never fall. */
static inline void fuzz_journal_bytes(const char *bytes, size_t size)
{
	struct journal_reader reader;
	struct journal_record record;
	uint64_t sequence = 0;
	size_t offset;

	if (!journal_reader_begin(&reader, bytes, size))
		return;
	offset = reader.offset;
	while (journal_reader_next(&reader, &record) == JOURNAL_RECORD) {
		FUZZ_REQUIRE(record.text >= bytes && record.length < size &&
			     record.text + record.length < bytes + size);
		FUZZ_REQUIRE(record.sequence >= sequence && reader.offset > offset);
		FUZZ_REQUIRE(reader.offset <= size);
		sequence = record.sequence;
		offset = reader.offset;
	}
	FUZZ_REQUIRE(reader.offset == offset);
}

static inline void fuzz_journal_end(const struct state_image *image)
{
	json_t *object = state_image_state(image), *rules;
	struct error error = {""};
	struct state *state;
	int code;

	code = state_from_json(object, &state, &error);
	if (code) {
		fuzz_refused(code, &error);
	} else {
		fuzz_state(state);
		state_free(state);
	}
	json_decref(object);
	code = state_image_guard(image, &rules, &error);
	if (code)
		fuzz_refused(code, &error);
	else
		json_decref(rules);
}

/* The record that a line would be, read back, and taken as a change or an event. */
static inline int fuzz_journal_line(const char *line, size_t length, uint64_t sequence,
				    struct state_image *image, struct event_log *events)
{
	size_t first = strlen(JOURNAL_FIRST_LINE), room = first + journal_record_room(length);
	struct journal_reader reader;
	struct journal_record record;
	struct error error = {""};
	char *bytes = malloc(room);
	json_t *object, *delta;
	int code = 0;

	FUZZ_REQUIRE(bytes);
	memcpy(bytes, JOURNAL_FIRST_LINE, first);
	journal_record_write(bytes + first, sequence, line, length);
	FUZZ_REQUIRE(journal_reader_begin(&reader, bytes, room));
	FUZZ_REQUIRE(journal_reader_next(&reader, &record) == JOURNAL_RECORD);
	FUZZ_REQUIRE(record.sequence == sequence && record.length == length);
	FUZZ_REQUIRE(!memcmp(record.text, line, length));
	FUZZ_REQUIRE(journal_reader_next(&reader, &record) == JOURNAL_END);
	object = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
	free(bytes);
	delta = json_object_get(object, "delta");
	if (delta)
		code = state_image_apply(image, delta, &error);
	else if (object)
		event_log_add(events, object);
	if (code)
		fuzz_refused(code, &error);
	json_decref(object);
	return code;
}

static inline void fuzz_journal(const uint8_t *input, size_t size)
{
	struct event_log *events = event_log_new(64, 65536);
	char *text = fuzz_copy(input, size);
	struct state_image image = {0};
	uint64_t sequence = 1;
	size_t start = 0;
	int code = 0;

	FUZZ_REQUIRE(events);
	fuzz_journal_bytes(text, size);
	for (size_t i = 0; !code && i <= size; i++) {
		if (i < size && text[i] != '\n')
			continue;
		if (i > start)
			code = fuzz_journal_line(text + start, i - start, sequence++, &image,
						 events);
		start = i + 1;
	}
	if (!code)
		fuzz_journal_end(&image);
	state_image_clear(&image);
	event_log_free(events);
	free(text);
}

#endif

// SPDX-License-Identifier: GPL-2.0-only
/* The journal's framing: records written, and read with torn tails told from damage. */
#include "model/journal.h"

#include <string.h>

#include "base/crc32c.h"

#define CRC_END    ((size_t)9) /* of "CRC " */
#define LENGTH_END ((size_t)18)

static const char digits[] = "0123456789abcdef";

static void hex_write(char *buffer, uint64_t value, size_t length)
{
	while (length--) {
		buffer[length] = digits[value & 15];
		value >>= 4;
	}
}

/* Of exactly so many digits and a space. */
static bool hex_read(const char *text, size_t length, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (size_t i = 0; i < length; i++) {
		const char *digit = text[i] ? strchr(digits, text[i]) : NULL;

		if (!digit)
			return false;
		value = value << 4 | (uint64_t)(digit - digits);
	}
	*ret_value = value;
	return text[length] == ' ';
}

void journal_record_write(char *buffer, uint64_t sequence, const char *text, size_t length)
{
	size_t end = JOURNAL_HEAD_LENGTH + length;

	buffer[CRC_END - 1] = buffer[LENGTH_END - 1] = buffer[JOURNAL_HEAD_LENGTH - 1] = ' ';
	hex_write(buffer + CRC_END, length, 8);
	hex_write(buffer + LENGTH_END, sequence, 16);
	memcpy(buffer + JOURNAL_HEAD_LENGTH, text, length);
	buffer[end] = '\n';
	hex_write(buffer, crc32c(0, buffer + CRC_END, end - CRC_END), 8);
}

/* The head at the beginning of these bytes; *ret_crc is what it says. */
static bool head_read(const char *bytes, size_t length, struct journal_record *ret_record,
		      uint32_t *ret_crc)
{
	uint64_t crc, size, sequence;

	if (length < JOURNAL_HEAD_LENGTH || !hex_read(bytes, 8, &crc) ||
	    !hex_read(bytes + CRC_END, 8, &size) || !hex_read(bytes + LENGTH_END, 16, &sequence) ||
	    size > JOURNAL_TEXT_MAX)
		return false;
	*ret_record = (struct journal_record){sequence, bytes + JOURNAL_HEAD_LENGTH, size};
	*ret_crc = (uint32_t)crc;
	return true;
}

/* Whether there is all of a record that its head promises, its line end aside. */
static bool record_complete(const struct journal_record *record, const char *end)
{
	return record->length < (size_t)(end - record->text);
}

static bool record_read(const char *bytes, size_t length, uint64_t least,
			struct journal_record *ret_record)
{
	uint32_t crc;

	return head_read(bytes, length, ret_record, &crc) &&
	       record_complete(ret_record, bytes + length) && ret_record->sequence >= least &&
	       ret_record->text[ret_record->length] == '\n' &&
	       crc32c(0, bytes + CRC_END, JOURNAL_HEAD_LENGTH - CRC_END + ret_record->length) ==
		       crc;
}

bool journal_reader_begin(struct journal_reader *reader, const char *bytes, size_t length)
{
	size_t first = strlen(JOURNAL_FIRST_LINE);

	*reader = (struct journal_reader){.bytes = bytes, .length = length, .offset = first};
	return length >= first && !memcmp(bytes, JOURNAL_FIRST_LINE, first);
}

/* Of bytes that do not begin with a record. */
static enum journal_verdict rest_judge(const char *bytes, size_t length, uint64_t least)
{
	const char *end = bytes + length, *line = bytes;
	struct journal_record record;
	uint32_t crc;

	if (head_read(bytes, length, &record, &crc) && record_complete(&record, end) &&
	    !memchr(bytes, '\0', length))
		return JOURNAL_DAMAGED;
	while ((line = memchr(line, '\n', (size_t)(end - line))) != NULL) {
		line++;
		if (record_read(line, (size_t)(end - line), least, &record))
			return JOURNAL_DAMAGED;
	}
	/* After a power failure what was not yet written may be there as zeros. */
	return end[-1] != '\n' || memchr(bytes, '\0', length) ? JOURNAL_TORN : JOURNAL_DAMAGED;
}

enum journal_verdict journal_reader_next(struct journal_reader *reader,
					 struct journal_record *ret_record)
{
	const char *bytes = reader->bytes + reader->offset;
	size_t length = reader->length - reader->offset;

	if (!length)
		return JOURNAL_END;
	if (!record_read(bytes, length, reader->sequence, ret_record))
		return rest_judge(bytes, length, reader->sequence);
	reader->offset += journal_record_room(ret_record->length);
	reader->sequence = ret_record->sequence;
	return JOURNAL_RECORD;
}

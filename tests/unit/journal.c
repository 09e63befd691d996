// SPDX-License-Identifier: GPL-2.0-only
/* Tests of user/model/journal.h: framing, torn tails, damage. */
#include "unit.h"

#include "base/crc32c.h"
#include "model/journal.h"

#define FIRST   (sizeof(JOURNAL_FIRST_LINE) - 1)
#define RECORDS 3

/* A journal of three records; ends[i]: behind record i. */
struct sample {
	char bytes[512];
	size_t length, ends[RECORDS];
};

static const char *const texts[RECORDS] = {"{\"a\":1}", "{}", "{\"why\":\"drain web-1\"}"};

static struct sample sample_make(void)
{
	struct sample sample = {.length = FIRST};

	memcpy(sample.bytes, JOURNAL_FIRST_LINE, FIRST);
	for (size_t i = 0; i < RECORDS; i++) {
		journal_record_write(sample.bytes + sample.length, 7 + i, texts[i],
				     strlen(texts[i]));
		sample.length += journal_record_room(strlen(texts[i]));
		sample.ends[i] = sample.length;
	}
	return sample;
}

/* Reads up to what is no record; *ret_records: how many there were before it. */
static enum journal_verdict read_all(const char *bytes, size_t length, size_t *ret_records,
				     size_t *ret_offset)
{
	struct journal_reader reader;
	struct journal_record record;
	enum journal_verdict verdict;
	/* A copy without room behind it: a read too far is a find of the sanitizer. */
	char *copy = malloc(length ? length : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	*ret_records = 0;
	assert_true(journal_reader_begin(&reader, copy, length));
	while ((verdict = journal_reader_next(&reader, &record)) == JOURNAL_RECORD) {
		if (*ret_records < RECORDS && record.sequence == 7 + *ret_records)
			assert_memory_equal(record.text, texts[*ret_records], record.length);
		++*ret_records;
	}
	*ret_offset = reader.offset;
	free(copy);
	return verdict;
}

static void crc(void **context)
{
	(void)context;
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
	assert_int_equal(crc32c(0, "", 0), 0);
}

static void read_back(void **context)
{
	struct sample sample = sample_make();
	size_t records, offset;

	(void)context;
	assert_int_equal(read_all(sample.bytes, sample.length, &records, &offset), JOURNAL_END);
	assert_int_equal(records, RECORDS);
	assert_int_equal(offset, sample.length);
	assert_memory_equal(sample.bytes + FIRST + 8, " 00000007 0000000000000007 {\"a\":1}\n",
			    JOURNAL_HEAD_LENGTH - 8 + 8);
}

static void first_line(void **context)
{
	struct sample sample = sample_make();
	struct journal_reader reader;

	(void)context;
	for (size_t length = 0; length < FIRST; length++)
		assert_false(journal_reader_begin(&reader, sample.bytes, length));
	sample.bytes[FIRST - 2] = '2';
	assert_false(journal_reader_begin(&reader, sample.bytes, sample.length));
}

static void torn_everywhere(void **context)
{
	struct sample sample = sample_make();
	size_t records, offset, whole = 0;

	(void)context;
	for (size_t length = FIRST; length <= sample.length; length++) {
		enum journal_verdict verdict = read_all(sample.bytes, length, &records, &offset);
		size_t end = whole ? sample.ends[whole - 1] : FIRST;

		if (whole < RECORDS && length == sample.ends[whole]) {
			whole++;
			end = length;
		}
		assert_int_equal(verdict, length == end ? JOURNAL_END : JOURNAL_TORN);
		assert_int_equal(records, whole);
		assert_int_equal(offset, end);
	}
}

static void torn_zeros(void **context)
{
	struct sample sample = sample_make();
	size_t records, offset;

	(void)context;
	for (size_t from = sample.ends[1]; from < sample.length; from++) {
		struct sample torn = sample;

		memset(torn.bytes + from, 0, torn.length - from);
		assert_int_equal(read_all(torn.bytes, torn.length, &records, &offset),
				 JOURNAL_TORN);
		assert_int_equal(records, RECORDS - 1);
		assert_int_equal(offset, sample.ends[1]);
	}
}

/* Whatever bit flips: no record is read that was not written, and what is there is not cut. */
static void bit_flips(void **context)
{
	struct sample sample = sample_make();
	size_t records, offset;

	(void)context;
	for (size_t bit = FIRST * 8; bit < sample.length * 8; bit++) {
		struct sample flipped = sample;
		size_t hit = 0;
		enum journal_verdict verdict;

		while (bit / 8 >= sample.ends[hit])
			hit++;
		flipped.bytes[bit / 8] ^= (char)(1 << bit % 8);
		verdict = read_all(flipped.bytes, flipped.length, &records, &offset);
		assert_int_equal(records, hit);
		assert_int_equal(offset, hit ? sample.ends[hit - 1] : FIRST);
		/* The last line end, and a NUL in the last record, may have been torn as well. */
		if (hit < RECORDS - 1 ||
		    (flipped.bytes[bit / 8] && flipped.bytes[sample.length - 1] == '\n'))
			assert_int_equal(verdict, JOURNAL_DAMAGED);
		else
			assert_true(verdict == JOURNAL_DAMAGED || verdict == JOURNAL_TORN);
	}
}

static void line_lost(void **context)
{
	struct sample sample = sample_make(), swapped = {.length = FIRST};
	size_t records, offset, last = sample.ends[2] - sample.ends[1];

	(void)context;
	/* The last record, then the one before it: its number has fallen. */
	memcpy(swapped.bytes, sample.bytes, FIRST);
	memcpy(swapped.bytes + FIRST, sample.bytes + sample.ends[1], last);
	memcpy(swapped.bytes + FIRST + last, sample.bytes + FIRST, sample.ends[0] - FIRST);
	swapped.length = FIRST + last + sample.ends[0] - FIRST;
	assert_int_equal(read_all(swapped.bytes, swapped.length, &records, &offset),
			 JOURNAL_DAMAGED);
	assert_int_equal(offset, FIRST + last);
}

static void rubbish(void **context)
{
	uint64_t seed = 5;

	(void)context;
	for (int round = 0; round < 20000; round++) {
		struct sample sample = sample_make();
		size_t records, offset;

		for (int change = 0; change <= round % 4; change++)
			sample.bytes[FIRST + unit_next(&seed) % (sample.length - FIRST)] =
				(char)unit_next(&seed);
		read_all(sample.bytes, FIRST + unit_next(&seed) % (sample.length - FIRST + 1),
			 &records, &offset);
		assert_true(records <= RECORDS);
	}
}

static const struct CMUnitTest cases[] = {
	CASE(crc, "control/journal: the CRC is that of RFC 3720"),
	CASE(read_back, "control/journal: records are read as they were written"),
	CASE(first_line, "control/journal: a file that is no journal, or a later one, is refused"),
	CASE(torn_everywhere,
	     "control/journal: a tail torn at any byte is cut, what is before stays"),
	CASE(torn_zeros, "control/journal: a tail of zeros, as after a power failure, is cut"),
	CASE(bit_flips, "control/journal: a flipped bit anywhere is found, and not cut as if torn"),
	CASE(line_lost, "control/journal: records in a wrong order are damage"),
	CASE(rubbish, "control/journal: rubbish makes no record"),
};

UNIT_MAIN("journal", cases)

// SPDX-License-Identifier: GPL-2.0-only
/* Tests of include/sluice/service_table.h: what is put is found, wherever it had to go. */
#include "sluice/service_table.h"

#include "unit.h"

#define LINES 1024u
#define KEYS  (LINES * SLUICE_KEYS_PER_LINE / 4)

static struct service_key key_make(uint32_t number)
{
	return (struct service_key){
		.vip = {0, 0, 0xffff0000, number * 7919},
		.port = (__be16)(number * 31),
		.protocol = number % 2 ? 6 : 17,
	};
}

static uint64_t target_make(uint32_t number)
{
	const struct service_target target = {.service = number, .pass = number % 3 == 0};

	return target_word(&target);
}

/* The data plane's way to a key: line by line, as far as the marks lead. */
static uint64_t reader_find(const struct service_line *lines, uint32_t mask,
			    const struct service_key *key)
{
	uint32_t start = service_key_start(key, mask);

	for (uint32_t probe = 0; probe < SERVICE_PROBES_MAX; probe++) {
		const struct service_line *line = &lines[(start + probe) & mask];
		uint64_t target = service_line_find(line, key);

		if (target || !line->spilled)
			return target;
	}
	return 0;
}

static struct service_line *lines_new(uint32_t count)
{
	struct service_line *lines = calloc(count, sizeof(*lines));

	assert_non_null(lines);
	return lines;
}

static void what_is_put_is_found(void **context)
{
	struct service_line *lines = lines_new(LINES);

	(void)context;
	for (uint32_t i = 0; i < KEYS; i++) {
		struct service_key key = key_make(i);

		assert_int_equal(reader_find(lines, LINES - 1, &key), 0);
		assert_int_equal(service_table_put(lines, LINES - 1, &key, target_make(i)), 0);
	}
	for (uint32_t i = 0; i < KEYS; i++) {
		struct service_key key = key_make(i);

		assert_int_equal(reader_find(lines, LINES - 1, &key), target_make(i));
		assert_int_equal(service_table_find(lines, LINES - 1, &key), target_make(i));
	}
	free(lines);
}

static void what_is_removed_is_not_found(void **context)
{
	struct service_line *lines = lines_new(LINES);

	(void)context;
	for (uint32_t i = 0; i < KEYS; i++) {
		struct service_key key = key_make(i);

		service_table_put(lines, LINES - 1, &key, target_make(i));
	}
	for (uint32_t i = 0; i < KEYS; i += 2) {
		struct service_key key = key_make(i);

		assert_int_equal(service_table_remove(lines, LINES - 1, &key), 0);
		assert_int_equal(service_table_remove(lines, LINES - 1, &key), -1);
	}
	for (uint32_t i = 0; i < KEYS; i++) {
		struct service_key key = key_make(i);

		assert_int_equal(reader_find(lines, LINES - 1, &key), i % 2 ? target_make(i) : 0);
	}
	free(lines);
}

static void key_that_is_there_gets_another_target(void **context)
{
	struct service_line *lines = lines_new(SERVICE_PROBES_MAX);
	struct service_key key = key_make(1), next = {0};

	(void)context;
	service_table_put(lines, SERVICE_PROBES_MAX - 1, &key, target_make(1));
	service_table_put(lines, SERVICE_PROBES_MAX - 1, &key, target_make(2));
	assert_int_equal(reader_find(lines, SERVICE_PROBES_MAX - 1, &key), target_make(2));
	/* And is there once. */
	assert_int_equal(service_table_next(lines, SERVICE_PROBES_MAX - 1, NULL, &next), 0);
	assert_int_equal(service_table_next(lines, SERVICE_PROBES_MAX - 1, &next, &next), -1);
	free(lines);
}

static void table_can_be_filled_to_the_last_place(void **context)
{
	const uint32_t mask = SERVICE_PROBES_MAX - 1;
	const uint32_t places = SERVICE_PROBES_MAX * SLUICE_KEYS_PER_LINE;
	struct service_line *lines = lines_new(SERVICE_PROBES_MAX);
	struct service_key key;

	(void)context;
	for (uint32_t i = 0; i < places; i++) {
		key = key_make(i);
		assert_int_equal(service_table_put(lines, mask, &key, target_make(i)), 0);
	}
	key = key_make(places);
	assert_int_equal(service_table_put(lines, mask, &key, target_make(places)), -1);
	assert_int_equal(reader_find(lines, mask, &key), 0);
	for (uint32_t i = 0; i < places; i++) {
		key = key_make(i);
		assert_int_equal(reader_find(lines, mask, &key), target_make(i));
	}
	free(lines);
}

static void every_key_is_walked_once(void **context)
{
	struct service_line *lines = lines_new(LINES);
	struct service_key key = {0}, *previous = NULL;
	uint32_t count = 0, sum = 0;

	(void)context;
	for (uint32_t i = 0; i < KEYS; i++) {
		key = key_make(i);
		service_table_put(lines, LINES - 1, &key, target_make(i));
	}
	while (!service_table_next(lines, LINES - 1, previous, &key)) {
		sum += target_service(service_table_find(lines, LINES - 1, &key));
		previous = &key;
		count++;
	}
	assert_int_equal(count, KEYS);
	assert_int_equal(sum, KEYS * (KEYS - 1) / 2);
	free(lines);
}

static void table_of_the_limits_has_room_for_all(void **context)
{
	(void)context;
	for (uint32_t keys = 1; keys < 3000; keys = keys * 3 / 2 + 1) {
		uint32_t count = service_table_lines(keys);
		struct service_line *lines = lines_new(count);

		assert_int_equal(count & (count - 1), 0);
		for (uint32_t i = 0; i < keys; i++) {
			struct service_key key = key_make(i);

			assert_int_equal(service_table_put(lines, count - 1, &key, target_make(i)),
					 0);
		}
		free(lines);
	}
}

static void target_is_one_word(void **context)
{
	const struct service_target own = {.service = SLUICE_NO_SERVICE, .pass = 1};
	const struct service_target first = {.service = 0};

	(void)context;
	assert_true(target_word(&first) != 0);
	assert_int_equal(target_service(target_word(&first)), 0);
	assert_false(target_pass(target_word(&first)));
	assert_int_equal(target_service(target_word(&own)), SLUICE_NO_SERVICE);
	assert_true(target_pass(target_word(&own)));
}

static const struct CMUnitTest cases[] = {
	CASE(what_is_put_is_found, "unit/service table: what is put is found by the data plane"),
	CASE(what_is_removed_is_not_found,
	     "unit/service table: what is removed is not found, and the rest is"),
	CASE(key_that_is_there_gets_another_target,
	     "unit/service table: a key that is there gets another target"),
	CASE(table_can_be_filled_to_the_last_place,
	     "unit/service table: it can be filled to the last place and says when it is full"),
	CASE(every_key_is_walked_once, "unit/service table: a walk meets every key once"),
	CASE(table_of_the_limits_has_room_for_all,
	     "unit/service table: one that is sized for so many keys has room for them"),
	CASE(target_is_one_word, "unit/service table: a target is one word, and none of them is 0"),
};

UNIT_MAIN("service_table", cases)

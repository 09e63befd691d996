// SPDX-License-Identifier: GPL-2.0-only
/* The index over an array, beside a plain search. */
#include "base/index.h"

#include "unit.h"

#define THINGS 400u

struct list {
	uint32_t things[THINGS];
	size_t count;
};

static bool equal(const void *things, size_t position, const void *key)
{
	return ((const uint32_t *)things)[position] == *(const uint32_t *)key;
}

/* Few hashes, so that most share theirs with others. */
static uint32_t hash_of(uint32_t thing)
{
	return thing % 37 * 0x01000193u;
}

static void assert_index(const struct index *index, const struct list *list)
{
	for (uint32_t thing = 0; thing < 2 * THINGS; thing++) {
		size_t want = INDEX_NONE;

		for (size_t i = 0; i < list->count; i++) {
			if (list->things[i] == thing)
				want = i;
		}
		assert_int_equal(index_find(index, hash_of(thing), equal, list->things, &thing),
				 want);
	}
	assert_int_equal(index->count, list->count);
}

static void remove_at(struct index *index, struct list *list, size_t position)
{
	index_remove(index, hash_of(list->things[position]), position);
	index_close_gap(index, position);
	list->count--;
	memmove(&list->things[position], &list->things[position + 1],
		(list->count - position) * sizeof(list->things[0]));
}

static void like_a_search(void **context)
{
	struct list list = {.count = 0};
	struct index index = {0}, copy;
	uint64_t random = 7;

	(void)context;
	assert_index(&index, &list);
	for (uint32_t thing = 0; thing < THINGS; thing++) {
		list.things[list.count] = thing * 2;
		assert_int_equal(index_add(&index, hash_of(thing * 2), list.count++), 0);
	}
	assert_index(&index, &list);
	assert_int_equal(index_copy(&index, &copy), 0);
	while (list.count) {
		remove_at(&index, &list, unit_next(&random) % list.count);
		if (list.count % 40 == 0)
			assert_index(&index, &list);
	}
	index_clear(&index);
	/* The copy has its own room. */
	for (uint32_t thing = 0; thing < THINGS; thing++)
		list.things[list.count++] = thing * 2;
	assert_index(&copy, &list);
	index_empty(&copy);
	list.count = 0;
	assert_index(&copy, &list);
	index_clear(&copy);
}

static const struct CMUnitTest cases[] = {
	CASE(like_a_search,
	     "unit/index: what is added, removed and copied is found as by a plain search"),
};

UNIT_MAIN("index", cases)

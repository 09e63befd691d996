// SPDX-License-Identifier: GPL-2.0-only
/* An index over an array: open addressing, a half full at most, without marks of what was removed. */
#include "base/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MIN 8u

uint32_t index_hash(const void *bytes, size_t length)
{
	const unsigned char *byte = bytes;
	uint64_t hash = 0xcbf29ce484222325ULL; /* FNV-1a */

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ byte[i]) * 0x100000001b3ULL;
	/* The low bits choose the place, and FNV's are its weakest. */
	return (uint32_t)(hash ^ (hash >> 32));
}

uint32_t index_hash_text(const char *text)
{
	return index_hash(text, strlen(text));
}

size_t index_find(const struct index *index, uint32_t hash, index_equal_fn equal,
		  const void *things, const void *key)
{
	uint32_t mask = index->size - 1;

	if (!index->size)
		return INDEX_NONE;
	for (uint32_t i = hash & mask; index->places[i].number; i = (i + 1) & mask) {
		const struct index_place *place = &index->places[i];

		if (place->hash == hash && equal(things, place->number - 1, key))
			return place->number - 1;
	}
	return INDEX_NONE;
}

static void place_take(struct index_place *places, uint32_t mask, struct index_place place)
{
	uint32_t i = place.hash & mask;

	while (places[i].number)
		i = (i + 1) & mask;
	places[i] = place;
}

static int index_grow(struct index *index)
{
	uint32_t size = index->size ? index->size * 2 : SIZE_MIN;
	struct index_place *places = calloc(size, sizeof(*places));

	if (!places)
		return -ENOMEM;
	for (uint32_t i = 0; i < index->size; i++) {
		if (index->places[i].number)
			place_take(places, size - 1, index->places[i]);
	}
	free(index->places);
	index->places = places;
	index->size = size;
	return 0;
}

int index_add(struct index *index, uint32_t hash, size_t position)
{
	if (index->count >= index->size / 2 && index_grow(index))
		return -ENOMEM;
	place_take(index->places, index->size - 1,
		   (struct index_place){hash, (uint32_t)position + 1});
	index->count++;
	return 0;
}

/* Those behind the free place that could not have theirs because of it move up. */
static void hole_fill(struct index *index, uint32_t hole)
{
	uint32_t mask = index->size - 1;

	for (uint32_t i = (hole + 1) & mask; index->places[i].number; i = (i + 1) & mask) {
		uint32_t wanted = index->places[i].hash & mask;

		if (((i - wanted) & mask) < ((i - hole) & mask))
			continue;
		index->places[hole] = index->places[i];
		hole = i;
	}
	index->places[hole] = (struct index_place){0};
}

void index_remove(struct index *index, uint32_t hash, size_t position)
{
	uint32_t mask = index->size - 1;

	if (!index->size)
		return;
	for (uint32_t i = hash & mask; index->places[i].number; i = (i + 1) & mask) {
		if (index->places[i].number - 1 != position)
			continue;
		hole_fill(index, i);
		index->count--;
		return;
	}
}

void index_close_gap(struct index *index, size_t position)
{
	for (uint32_t i = 0; i < index->size; i++) {
		if (index->places[i].number > position + 1)
			index->places[i].number--;
	}
}

void index_empty(struct index *index)
{
	if (index->size)
		memset(index->places, 0, index->size * sizeof(*index->places));
	index->count = 0;
}

int index_copy(const struct index *index, struct index *ret_copy)
{
	*ret_copy = (struct index){0};
	if (!index->size)
		return 0;
	ret_copy->places = malloc(index->size * sizeof(*index->places));
	if (!ret_copy->places)
		return -ENOMEM;
	memcpy(ret_copy->places, index->places, index->size * sizeof(*index->places));
	ret_copy->size = index->size;
	ret_copy->count = index->count;
	return 0;
}

void index_clear(struct index *index)
{
	free(index->places);
	*index = (struct index){0};
}

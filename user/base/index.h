/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An index over an array: from what a thing is known by, given as a hash and a comparison, to its
 * position. It knows nothing of the things, so it can be copied and grown without them.
 */
#ifndef BASE_INDEX_H
#define BASE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INDEX_NONE SIZE_MAX

struct index_place {
	uint32_t hash;
	uint32_t number; /* position + 1; 0: free */
};

/* All 0 is an empty one. */
struct index {
	struct index_place *places;
	uint32_t size; /* a power of two; 0 before the first is added */
	uint32_t count;
};

/* Whether the thing at this position of the array is the one that the key means. */
typedef bool (*index_equal_fn)(const void *things, size_t position, const void *key);

/* index_hash - of bytes; index_hash_text - of a text. */
uint32_t index_hash(const void *bytes, size_t length);
uint32_t index_hash_text(const char *text);

/* index_find - the position of the thing that the key means, or INDEX_NONE. */
size_t index_find(const struct index *index, uint32_t hash, index_equal_fn equal,
		  const void *things, const void *key);

/* index_add - several things may have one hash, or be equal. Returns 0 or -ENOMEM. */
int index_add(struct index *index, uint32_t hash, size_t position);

/* index_remove - forget the thing at this position; one that is not there is no error. */
void index_remove(struct index *index, uint32_t hash, size_t position);

/* index_close_gap - the array's things behind this position have moved up by one. */
void index_close_gap(struct index *index, size_t position);

/* index_empty - forget all, but keep the room: as many can be added without -ENOMEM. */
void index_empty(struct index *index);

/* index_copy - returns 0 or -ENOMEM; *ret_copy is to be cleared in either case. */
int index_copy(const struct index *index, struct index *ret_copy);

void index_clear(struct index *index);

#endif

// SPDX-License-Identifier: GPL-2.0-only
/* "Did you mean": edit distance between words, a swap of two neighbours counts as one edit. */
#include "cli/suggest.h"

#include <string.h>

#define WORD_MAX 32

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Edits from a to b; both are shorter than WORD_MAX (optimal string alignment). */
static size_t word_distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];
	size_t length = strlen(b);

	for (size_t j = 0; j <= length; j++)
		last[j] = before[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t *spare = before;

		row[0] = i;
		for (size_t j = 1; j <= length; j++) {
			row[j] = least(least(last[j], row[j - 1]) + 1,
				       last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
		before = last;
		last = row;
		row = spare;
	}
	return last[length];
}

const char *suggest_nearest(const char *word, const char *const *known, size_t known_count)
{
	size_t nearest_distance = strlen(word) / 3 + 1;
	const char *nearest = NULL;

	if (strlen(word) >= WORD_MAX)
		return NULL;
	for (size_t i = 0; i < known_count; i++) {
		size_t distance;

		if (strlen(known[i]) >= WORD_MAX)
			continue;
		distance = word_distance(word, known[i]);
		if (distance <= nearest_distance && (!nearest || distance < nearest_distance)) {
			nearest_distance = distance;
			nearest = known[i];
		}
	}
	return nearest;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* What the verbs print: JSON, tables of aligned columns, and fields of an answer as text. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "cli/verb.h"

#define COLUMNS_MAX 16

/* A table that is printed when its widths are known. A title that starts with '>' aligns right. */
struct grid {
	const char *titles[COLUMNS_MAX]; /* ends with NULL */
	char **cells;
	size_t cell_count;
	bool failed; /* no memory: grid_print says so */
};

/* grid_add - the next cell, row by row; the text is copied. */
void grid_add(struct grid *grid, const char *text);
void grid_add_count(struct grid *grid, const json_t *number);
void grid_add_bytes(struct grid *grid, const json_t *number);

/*
 * grid_print - print it and release the cells. A column that is empty in every row is left out;
 * states are coloured if colour is wanted.
 */
int grid_print(struct grid *grid, bool colour, struct error *error);

/* print_json - on stdout, with indentation. */
int print_json(const json_t *answer, struct error *error);

/* Fields of an answer; what is not there, or of another type, reads as "-", 0, or an empty array. */
const char *field_text(const json_t *object, const char *key);
double field_number(const json_t *object, const char *key);
const json_t *field_array(const json_t *object, const char *key);

/* talk - a line on stderr about what was done. */
void talk(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* state_colour - the escape sequence for a state's word; "" for a word without colour. */
const char *state_colour(const char *state);

#endif

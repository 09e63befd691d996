// SPDX-License-Identifier: GPL-2.0-only
/* What the verbs print: JSON, tables of aligned columns, and fields of an answer as text. */
#include "cli/output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/number.h"

#define COLOUR_RESET "\033[0m"

void grid_add(struct grid *grid, const char *text)
{
	char **cells = realloc(grid->cells, (grid->cell_count + 1) * sizeof(*cells));

	if (!cells) {
		grid->failed = true;
		return;
	}
	grid->cells = cells;
	cells[grid->cell_count] = strdup(text);
	if (cells[grid->cell_count])
		grid->cell_count++;
	else
		grid->failed = true;
}

void grid_add_count(struct grid *grid, const json_t *number)
{
	char buffer[NUMBER_TEXT_MAX];

	grid_add(grid,
		 json_is_number(number) ? count_format(json_number_value(number), buffer) : "");
}

void grid_add_bytes(struct grid *grid, const json_t *number)
{
	char buffer[NUMBER_TEXT_MAX];

	grid_add(grid,
		 json_is_number(number) ? bytes_format(json_number_value(number), buffer) : "");
}

const char *state_colour(const char *state)
{
	static const struct {
		const char *state, *colour;
	} colours[] = {
		{"active", "\033[32m"},   {"native", "\033[32m"},   {"provisioning", "\033[36m"},
		{"draining", "\033[33m"}, {"drained", "\033[33m"},  {"generic", "\033[33m"},
		{"warming", "\033[36m"},  {"deleting", "\033[33m"}, {"paused", "\033[33m"},
		{"failed", "\033[31m"},
	};

	for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++)
		if (strcmp(colours[i].state, state) == 0)
			return colours[i].colour;
	return "";
}

static void cell_print(const char *text, int width, bool right, bool colour)
{
	const char *escape = colour ? state_colour(text) : "";
	int padding = width - (int)strlen(text);

	printf("%*s%s%s%s%*s", right ? padding : 0, "", escape, text, *escape ? COLOUR_RESET : "",
	       right ? 0 : padding, "");
}

/* The last cell that is not empty ends the line: no blanks after it. */
static void row_print(char *const *row, const struct grid *grid, const int *widths, size_t columns,
		      bool colour)
{
	size_t last = 0;

	for (size_t i = 0; i < columns; i++)
		if (widths[i] && *row[i])
			last = i;
	for (size_t i = 0; i <= last; i++) {
		bool right = grid->titles[i][0] == '>';
		int width = i == last && !right ? (int)strlen(row[i]) : widths[i];

		if (!widths[i])
			continue;
		cell_print(row[i], width, right, colour);
		if (i < last)
			printf("  ");
	}
	putchar('\n');
}

int grid_print(struct grid *grid, bool colour, struct error *error)
{
	char *head[COLUMNS_MAX] = {NULL};
	int widths[COLUMNS_MAX] = {0};
	size_t columns = 1;

	while (grid->titles[columns])
		columns++;
	for (size_t i = 0; i < grid->cell_count; i++)
		if ((int)strlen(grid->cells[i]) > widths[i % columns])
			widths[i % columns] = (int)strlen(grid->cells[i]);
	for (size_t i = 0; i < columns; i++) {
		head[i] = (char *)grid->titles[i] + (grid->titles[i][0] == '>');
		if ((widths[i] || !grid->cell_count) && (int)strlen(head[i]) > widths[i])
			widths[i] = (int)strlen(head[i]);
	}
	if (!grid->failed) {
		row_print(head, grid, widths, columns, false);
		for (size_t i = 0; i + columns <= grid->cell_count; i += columns)
			row_print(&grid->cells[i], grid, widths, columns, colour);
	}
	for (size_t i = 0; i < grid->cell_count; i++)
		free(grid->cells[i]);
	free(grid->cells);
	return grid->failed ? error_set(error, -ENOMEM, "memory: used up; free some") : 0;
}

int print_json(const json_t *answer, struct error *error)
{
	const size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(15) | JSON_ENCODE_ANY;

	if (json_dumpf(answer, stdout, flags) < 0)
		return error_set(error, -EIO, "stdout: cannot be written; see where it leads");
	putchar('\n');
	return 0;
}

const char *field_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

double field_number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

const json_t *field_array(const json_t *object, const char *key)
{
	return json_object_get(object, key);
}

void talk(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Numbers as people write and read them: durations, counts, bytes. */
#include "cli/number.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int duration_parse(const char *text, uint64_t *ret_ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {
		{"ms", 1},        {"s", 1000},        {"", 1000},
		{"m", 60 * 1000}, {"h", 3600 * 1000}, {"d", 86400 * 1000},
	};
	const uint64_t limit = 366ull * 86400 * 1000;
	unsigned long long number;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	number = strtoull(text, &end, 10);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].name) != 0)
			continue;
		if (errno || number > limit / units[i].ms)
			return -ERANGE;
		*ret_ms = number * units[i].ms;
		return 0;
	}
	return -EINVAL;
}

const char *duration_format(double seconds, char buffer[NUMBER_TEXT_MAX])
{
	unsigned long long s = seconds > 0 ? (unsigned long long)(seconds + 0.5) : 0;

	if (s >= 86400)
		snprintf(buffer, NUMBER_TEXT_MAX, "%llud%lluh", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		snprintf(buffer, NUMBER_TEXT_MAX, "%lluh%llum", s / 3600, s / 60 % 60);
	else if (s >= 60)
		snprintf(buffer, NUMBER_TEXT_MAX, "%llum%llus", s / 60, s % 60);
	else
		snprintf(buffer, NUMBER_TEXT_MAX, "%llus", s);
	return buffer;
}

/* Three significant digits and the unit. */
static void scaled_format(double number, double step, const char *const *units, char *buffer)
{
	size_t unit = 0;

	while (number >= step * 0.9995 && units[unit + 1]) {
		number /= step;
		unit++;
	}
	snprintf(buffer, NUMBER_TEXT_MAX, "%.*f%s",
		 number < 9.995   ? 2
		 : number < 99.95 ? 1
				  : 0,
		 number, units[unit]);
}

const char *count_format(double count, char buffer[NUMBER_TEXT_MAX])
{
	static const char *const units[] = {"", "k", "M", "G", "T", "P", NULL};

	if (count < 99999.5)
		snprintf(buffer, NUMBER_TEXT_MAX, "%.0f", count);
	else
		scaled_format(count, 1000, units, buffer);
	return buffer;
}

const char *bytes_format(double bytes, char buffer[NUMBER_TEXT_MAX])
{
	static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB", NULL};

	if (bytes < 1023.5)
		snprintf(buffer, NUMBER_TEXT_MAX, "%.0f B", bytes);
	else
		scaled_format(bytes, 1024, units, buffer);
	return buffer;
}

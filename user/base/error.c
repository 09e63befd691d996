// SPDX-License-Identifier: GPL-2.0-only
/* Messages for people: set, and put in front of. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *error, int code, const char *format, ...)
{
	va_list arguments;

	if (!error)
		return code;
	va_start(arguments, format);
	vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	return code;
}

void error_prefix(struct error *error, const char *format, ...)
{
	struct error old;
	va_list arguments;
	size_t length;

	if (!error)
		return;
	old = *error;
	va_start(arguments, format);
	vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	length = strlen(error->text);
	snprintf(error->text + length, sizeof(error->text) - length, "%s", old.text);
}

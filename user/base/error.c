// SPDX-License-Identifier: GPL-2.0-only
/* Messages for people: set, and put in front of. */
#include "base/error.h"

#include <stdarg.h>

#include "base/text.h"

int error_set(struct error *error, int code, const char *format, ...)
{
	va_list arguments;

	if (!error)
		return code;
	va_start(arguments, format);
	text_format(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	return code;
}

void error_prefix(struct error *error, const char *format, ...)
{
	struct error prefix, old;
	va_list arguments;

	if (!error)
		return;
	old = *error;
	va_start(arguments, format);
	text_format(prefix.text, sizeof(prefix.text), format, arguments);
	va_end(arguments);
	error_set(error, 0, "%s%s", prefix.text, old.text);
}

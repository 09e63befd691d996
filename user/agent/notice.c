// SPDX-License-Identifier: GPL-2.0-only
/* What a part of the agent noticed, on its way to the events. */
#include "agent/notice.h"

#include <stdarg.h>
#include <stdio.h>

void notice_tell(const struct notice *notice, const char *event, const char *format, ...)
{
	char text[512];
	va_list arguments;

	if (!notice->told)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	notice->told(notice->data, event, text);
}

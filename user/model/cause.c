// SPDX-License-Identifier: GPL-2.0-only
/* The cause of a change, and how it reads. */
#include "model/cause.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"

const char *const cause_kind_names[] = {
	[CAUSE_CONFIG] = "config",         [CAUSE_PERSON] = "person", [CAUSE_HEALTH] = "health",
	[CAUSE_AUTOSCALER] = "autoscaler", [CAUSE_AGENT] = "agent",   NULL,
};

struct change_cause cause_make(enum cause_kind kind, const char *format, ...)
{
	struct change_cause cause = {.kind = kind};
	va_list arguments;

	va_start(arguments, format);
	text_format(cause.why, sizeof(cause.why), format, arguments);
	va_end(arguments);
	return cause;
}

const char *cause_who(const struct change_cause *cause, char text[CAUSE_WHO_MAX])
{
	if (cause->kind != CAUSE_PERSON)
		snprintf(text, CAUSE_WHO_MAX, "%s", cause_kind_names[cause->kind]);
	else if (!cause->peer_known)
		snprintf(text, CAUSE_WHO_MAX, "a person, unknown");
	else if (*cause->user)
		snprintf(text, CAUSE_WHO_MAX, "%s (uid %u, pid %u)", cause->user, cause->uid,
			 cause->pid);
	else
		snprintf(text, CAUSE_WHO_MAX, "uid %u (pid %u)", cause->uid, cause->pid);
	return text;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Log lines on stderr: "<level> text", or with the journal's own priority prefix. */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The one setting of the process's log; it belongs to main. */
static enum log_level level_limit = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	level_limit = level;
}

/* JOURNAL_STREAM names the device and inode that the service manager gave us as stderr. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       !fstat(STDERR_FILENO, &status) && status.st_dev == device && status.st_ino == inode;
}

void log_write(enum log_level level, const char *format, ...)
{
	static const char *const words[] = {"error", "warning", "info", "debug"};
	static const char *const priorities[] = {"<3>", "<4>", "<6>", "<7>"};
	bool journal;
	va_list arguments;
	char line[2048];
	int length;

	if (level > level_limit)
		return;
	journal = stderr_is_journal();
	length = snprintf(line, sizeof(line), "%s%s", journal ? priorities[level] : words[level],
			  journal ? "" : " ");
	va_start(arguments, format);
	vsnprintf(line + length, sizeof(line) - (size_t)length, format, arguments);
	va_end(arguments);
	/* One call a line, so that lines of several processes do not mix. */
	fprintf(stderr, "%s\n", line);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Log lines on stderr: "<level> text", or with the journal's own priority prefix. */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

/* How long a reader of the log may be busy before lines are lost. */
#define BUSY_MS 100

/* The process's one log: its setting belongs to main. */
static struct {
	enum log_level limit;
	unsigned long lost; /* lines since the last one that was written */
} log_state = {.limit = LOG_LEVEL_INFO};

void log_set_level(enum log_level level)
{
	log_state.limit = level;
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

/*
 * Whether a line can be written without waiting for who reads it: a log that nobody reads must not
 * stop the agent. A pipe that is ready has room for PIPE_BUF bytes, more than a line has.
 */
static bool reader_ready(void)
{
	struct pollfd stream = {.fd = STDERR_FILENO, .events = POLLOUT};
	int ready;

	do {
		ready = poll(&stream, 1, log_state.lost ? 0 : BUSY_MS);
	} while (ready < 0 && errno == EINTR);
	return ready != 0;
}

/* One call a line, so that lines of several processes do not mix. A line that is lost is counted. */
static bool line_write(enum log_level level, const char *format, va_list arguments)
{
	static const char *const words[] = {"error ", "warning ", "info ", "debug "};
	static const char *const priorities[] = {"<3>", "<4>", "<6>", "<7>"};
	char line[2048];
	size_t length;

	strcpy(line, stderr_is_journal() ? priorities[level] : words[level]);
	length = strlen(line);
	text_format(line + length, sizeof(line) - length - 1, format, arguments);
	strcat(line, "\n");
	if (reader_ready() && write(STDERR_FILENO, line, strlen(line)) > 0)
		return true;
	log_state.lost++;
	return false;
}

static bool warning_write(const char *format, ...)
{
	va_list arguments;
	bool written;

	va_start(arguments, format);
	written = line_write(LOG_LEVEL_WARNING, format, arguments);
	va_end(arguments);
	return written;
}

void log_write(enum log_level level, const char *format, ...)
{
	unsigned long lost = log_state.lost;
	va_list arguments;

	if (level > log_state.limit)
		return;
	if (lost) {
		/* If this one is not written either, it stands for the line that was to follow. */
		if (!warning_write("log: %lu lines are lost here, for nobody read them", lost))
			return;
		log_state.lost -= lost;
	}
	va_start(arguments, format);
	line_write(level, format, arguments);
	va_end(arguments);
}

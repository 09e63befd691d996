/* SPDX-License-Identifier: GPL-2.0-only */
/* Text for people that may quote anything: it fits its buffer, is one line, and commands nothing. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdarg.h>
#include <stddef.h>

/*
 * text_format - print into a buffer of size bytes (16 or more). What is too long loses its middle:
 * the thing is at the beginning of a message and the next step at its end. Control characters
 * (C0, DEL, and C1 in UTF-8) become '?', so that what was quoted can neither begin a line of its
 * own nor command a terminal.
 */
void text_format(char *buffer, size_t size, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));

#endif

// SPDX-License-Identifier: GPL-2.0-only
/* Text for people that may quote anything: it fits its buffer, is one line, and commands nothing. */
#include "base/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GAP " ... "

/* Inside a character of UTF-8, where a text must not be cut. */
static bool is_inside(char byte)
{
	return (byte & 0xc0) == 0x80;
}

/* text has size bytes or more without its NUL. */
static void middle_cut(char *buffer, size_t size, const char *text)
{
	size_t room = size - sizeof(GAP), head = room / 2;
	const char *tail = text + strlen(text) - (room - head);

	while (head && is_inside(text[head]))
		head--;
	while (is_inside(*tail))
		tail++;
	memcpy(buffer, text, head);
	memcpy(buffer + head, GAP, sizeof(GAP) - 1);
	memcpy(buffer + head + sizeof(GAP) - 1, tail, strlen(tail) + 1);
}

static void controls_replace(char *text)
{
	for (unsigned char *byte = (unsigned char *)text; *byte; byte++) {
		if (*byte < 0x20 || *byte == 0x7f)
			*byte = '?';
		else if (byte[0] == 0xc2 && byte[1] >= 0x80 && byte[1] <= 0x9f)
			byte[0] = byte[1] = '?';
	}
}

void text_format(char *buffer, size_t size, const char *format, va_list arguments)
{
	va_list again;
	char *whole;
	int length;

	va_copy(again, arguments);
	length = vsnprintf(buffer, size, format, arguments);
	if (length >= 0 && (size_t)length >= size) {
		whole = malloc((size_t)length + 1);
		if (whole) {
			vsnprintf(whole, (size_t)length + 1, format, again);
			middle_cut(buffer, size, whole);
			free(whole);
		}
	}
	va_end(again);
	controls_replace(buffer);
}

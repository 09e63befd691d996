/* SPDX-License-Identifier: GPL-2.0-only */
/* The text for people that travels beside a negative errno. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

struct error {
	char text[512];
};

/*
 * error_set - write the message (thing, cause, next step) into error, which may be NULL.
 * Returns code, a negative errno, so that a function can end with `return error_set(...)`.
 */
int error_set(struct error *error, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* error_prefix - put "prefix" in front of the message that error already holds. */
void error_prefix(struct error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif

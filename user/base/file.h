/* SPDX-License-Identifier: GPL-2.0-only */
/* Whole files: read at once, replaced at once. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>

#include "base/error.h"

/*
 * file_read - read a whole file of at most limit bytes; path "-" is standard input.
 * *ret_text is NUL-terminated and belongs to the caller (free). Returns 0 or -errno.
 */
int file_read(const char *path, size_t limit, char **ret_text, size_t *ret_length,
	      struct error *error);

/*
 * file_replace - write text to path.new, fdatasync, rename over path, and fsync the folder: after
 * a crash the file is the old one or the new. One writer at a time. Returns 0 or -errno.
 */
int file_replace(const char *path, const char *text, size_t length, struct error *error);

/* file_sync_folder - fsync of the folder that a file is in, after a rename. Returns 0 or -errno. */
int file_sync_folder(const char *path);

/* file_make_folder - mkdir -p with mode 0755. Returns 0 or -errno. */
int file_make_folder(const char *path, struct error *error);

#endif

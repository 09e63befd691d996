/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that a person names on the command line. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include <stddef.h>

#include "base/error.h"

/* input_read - file_read(), with a next step in its errors. */
int input_read(const char *path, size_t limit, char **ret_text, size_t *ret_length,
	       struct error *error);

#endif

// SPDX-License-Identifier: GPL-2.0-only
/* Files that a person names on the command line. */
#include "cli/input.h"

#include <errno.h>

#include "base/file.h"

int input_read(const char *path, size_t limit, char **ret_text, size_t *ret_length,
	       struct error *error)
{
	struct error cause = {""};
	int code = file_read(path, limit, ret_text, ret_length, &cause);

	/* One that is too large has its next step already. */
	if (code)
		error_set(error, code, "%s%s", cause.text,
			  code == -EFBIG ? "" : "; give a file that can be read");
	return code;
}

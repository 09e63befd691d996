// SPDX-License-Identifier: GPL-2.0-only
/* A JSON text of any bytes. */
#include "model/json_text.h"

#include <stdlib.h>
#include <string.h>

json_t *json_text(const char *text)
{
	json_t *string = json_string(text);
	char *copy;

	if (string)
		return string;
	copy = strdup(text);
	if (!copy)
		return NULL;
	for (char *byte = copy; *byte; byte++) {
		if (*byte & 0x80)
			*byte = '?';
	}
	string = json_string(copy);
	free(copy);
	return string;
}

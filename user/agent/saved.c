// SPDX-License-Identifier: GPL-2.0-only
/* Reads the saved state file of version 0.1. */
#include "agent/saved.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define SAVED_FORMAT 1
#define SAVED_MAX    ((size_t)256 * 1024 * 1024)

static void saved_path(char path[PATH_MAX], const char *state_dir)
{
	snprintf(path, PATH_MAX, "%s/state.json", state_dir);
}

static int saved_parse(const char *text, size_t length, uint64_t *ret_instance,
		       struct desired **ret_desired, struct error *error)
{
	json_error_t json_error;
	json_t *object = json_loadb(text, length, JSON_REJECT_DUPLICATES, &json_error);
	const char *instance = json_string_value(json_object_get(object, "instance"));
	json_int_t format = json_integer_value(json_object_get(object, "format"));
	int err;

	if (!json_is_object(object))
		err = error_set(error, -EINVAL, "%s", object ? "no object" : json_error.text);
	else if (format != SAVED_FORMAT)
		err = error_set(error, -EINVAL, "format %lld is not %d", (long long)format,
				SAVED_FORMAT);
	else if (!instance)
		err = error_set(error, -EINVAL, "instance: is absent or not a text");
	else
		err = desired_from_json(object, ret_desired, error);
	if (!err)
		*ret_instance = strtoull(instance, NULL, 16);
	json_decref(object);
	return err;
}

int saved_read(const char *state_dir, uint64_t *ret_instance, struct desired **ret_desired,
	       struct error *error)
{
	struct error cause = {""};
	char path[PATH_MAX];
	size_t length;
	char *text;
	int err;

	saved_path(path, state_dir);
	if (access(path, F_OK) && errno == ENOENT)
		return -ENOENT;
	err = file_read(path, SAVED_MAX, &text, &length, &cause);
	if (!err) {
		err = saved_parse(text, length, ret_instance, ret_desired, &cause);
		free(text);
	}
	if (err)
		error_set(error, err,
			  "saved state %s: %s; put back a copy of it, or start anew: remove it and "
			  "run `sluiced --cleanup` (until then forwarding goes on)",
			  path, cause.text);
	return err;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Reads and replaces the saved state file. */
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

int saved_write(const char *state_dir, uint64_t instance, const struct desired *desired,
		struct error *error)
{
	json_t *object = desired_to_json(desired);
	char path[PATH_MAX], text[20];
	char *json = NULL;
	int err = -ENOMEM;

	saved_path(path, state_dir);
	snprintf(text, sizeof(text), "%016" PRIx64, instance);
	if (object && !json_object_set_new(object, "format", json_integer(SAVED_FORMAT)) &&
	    !json_object_set_new(object, "instance", json_string(text)))
		json = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
	if (json)
		err = file_replace(path, json, strlen(json), error);
	else
		error_set(error, err, "saved state %s: out of memory", path);
	free(json);
	json_decref(object);
	return err;
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
	else if (format != SAVED_FORMAT || !instance)
		err = error_set(error, -EINVAL, "format %lld is not %d", (long long)format,
				SAVED_FORMAT);
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
	char path[PATH_MAX];
	size_t length;
	char *text;
	int err;

	saved_path(path, state_dir);
	if (access(path, F_OK) && errno == ENOENT)
		return -ENOENT;
	err = file_read(path, SAVED_MAX, &text, &length, error);
	if (err)
		return err;
	err = saved_parse(text, length, ret_instance, ret_desired, error);
	if (err)
		error_prefix(error, "saved state %s: ", path);
	free(text);
	return err;
}

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

/* The file's text, or NULL. */
static char *saved_text(uint64_t instance, const struct desired *desired)
{
	json_t *object = desired_to_json(desired);
	char text[20], *json = NULL;

	snprintf(text, sizeof(text), "%016" PRIx64, instance);
	if (object && !json_object_set_new(object, "format", json_integer(SAVED_FORMAT)) &&
	    !json_object_set_new(object, "instance", json_string(text)))
		json = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(object);
	return json;
}

static int text_write(const char *path, const char *json, struct error *error)
{
	int err;

	if (!json)
		return error_set(error, -ENOMEM, "saved state %s: out of memory", path);
	err = file_replace(path, json, strlen(json), error);
	/* -ENOSPC is the state's word for a limit of its own. */
	return err == -ENOSPC ? -EIO : err;
}

int saved_write(const char *state_dir, uint64_t instance, const struct desired *desired,
		struct error *error)
{
	char path[PATH_MAX], *json = saved_text(instance, desired);
	int err;

	saved_path(path, state_dir);
	err = text_write(path, json, error);
	free(json);
	return err;
}

int saved_keep(const char *state_dir, uint64_t instance, const struct desired *desired,
	       struct error *error)
{
	char path[PATH_MAX], *json = saved_text(instance, desired), *old = NULL;
	size_t length;
	int err = 0;

	saved_path(path, state_dir);
	if (!json || file_read(path, SAVED_MAX, &old, &length, NULL) || length != strlen(json) ||
	    memcmp(old, json, length))
		err = text_write(path, json, error);
	free(old);
	free(json);
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

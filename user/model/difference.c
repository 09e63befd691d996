// SPDX-License-Identifier: GPL-2.0-only
/* What differs between two JSON objects of one form, field by field, with the path of each. */
#include "model/difference.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "model/secret.h"

#define PATH_MAX_LENGTH 256

static const json_t *field_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return value && !json_is_null(value) ? value : NULL;
}

static bool same(const json_t *a, const json_t *b)
{
	if (json_is_number(a) && json_is_number(b))
		return json_number_value(a) == json_number_value(b);
	return a && b ? json_equal(a, b) : a == b;
}

/* As it is shown: a provisioner's options without their secrets. */
static json_t *value_copy(const json_t *value, const char *path)
{
	const char *last = strrchr(path, '.');
	json_t *copy = value ? json_deep_copy(value) : json_null();

	if (!strcmp(last ? last + 1 : path, "options"))
		secret_options_hide(copy);
	return copy;
}

static int field_add(json_t *list, const json_t *from, const json_t *to, const char *path)
{
	if (same(from, to))
		return 0;
	if (json_is_object(from) || json_is_object(to))
		return difference_add(list, from, to, path);
	return json_array_append_new(list,
				     json_pack("{ss,so,so}", "field", path, "from",
					       value_copy(from, path), "to", value_copy(to, path)))
		       ? -ENOMEM
		       : 0;
}

int difference_add(json_t *list, const json_t *from, const json_t *to, const char *path)
{
	char below[PATH_MAX_LENGTH];
	const json_t *value;
	const char *key;

	json_object_foreach((json_t *)(uintptr_t)from, key, value)
	{
		snprintf(below, sizeof(below), "%s%s%s", path, *path ? "." : "", key);
		if (field_add(list, field_of(from, key), field_of(to, key), below))
			return -ENOMEM;
	}
	json_object_foreach((json_t *)(uintptr_t)to, key, value)
	{
		snprintf(below, sizeof(below), "%s%s%s", path, *path ? "." : "", key);
		if (!json_object_get(from, key) && field_add(list, NULL, field_of(to, key), below))
			return -ENOMEM;
	}
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Secrets told by the names of their fields, and kept out of texts that are shown. */
#include "model/secret.h"

#include <string.h>
#include <strings.h>

/* Shorter ones are found in any text by chance. */
#define LENGTH_MIN 4u

bool secret_named(const char *name)
{
	static const char *const words[] = {"token",      "password", "passwd", "secret",
					    "credential", "key",      NULL};

	for (; *name; name++) {
		for (size_t i = 0; words[i]; i++) {
			if (!strncasecmp(name, words[i], strlen(words[i])))
				return true;
		}
	}
	return false;
}

static void value_hide(char *text, const char *secret)
{
	size_t length = strlen(secret), shown = strlen(SECRET_SHOWN);
	char *place = text;

	if (length < LENGTH_MIN)
		return;
	while ((place = strstr(place, secret)) != NULL) {
		memmove(place + shown, place + length, strlen(place + length) + 1);
		for (size_t i = 0; i < shown; i++)
			*place++ = SECRET_SHOWN[i];
	}
}

static void values_hide(char *text, const json_t *value, bool secret)
{
	const char *key;
	json_t *item;
	size_t i;

	if (json_is_object(value)) {
		json_object_foreach((json_t *)value, key, item)
			values_hide(text, item, secret || secret_named(key));
	} else if (json_is_array(value)) {
		json_array_foreach(value, i, item) values_hide(text, item, secret);
	} else if (secret && json_is_string(value)) {
		value_hide(text, json_string_value(value));
	}
}

void secret_hide(char *text, const json_t *object)
{
	values_hide(text, object, false);
}

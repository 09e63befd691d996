// SPDX-License-Identifier: GPL-2.0-only
/* Secrets told by the names of their fields, and kept out of texts that are shown. */
#include "model/secret.h"

#include <stdlib.h>
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

static bool option_is_secret(const char *option, size_t name_length)
{
	char *name = strndup(option, name_length);
	/* Without memory to tell it is one. */
	bool secret = !name || secret_named(name);

	free(name);
	return secret;
}

void secret_options_hide(json_t *list)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		const char *option = json_string_value(item);
		size_t length = option ? strcspn(option, "=") : 0;

		if (option && option[length] && option_is_secret(option, length))
			json_array_set_new(list, i,
					   json_sprintf("%.*s=" SECRET_SHOWN, (int)length, option));
	}
}

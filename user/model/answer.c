// SPDX-License-Identifier: GPL-2.0-only
/* Reading what provisioners answer. */
#include "model/answer.h"

#include <stdio.h>
#include <string.h>

#define DELAY_MAX_MS 3600000

json_t *answer_decode(const char *text, size_t length, char *ret_wrong, size_t wrong_size)
{
	json_error_t json_error;
	json_t *answer = json_loadb(text, length, JSON_REJECT_DUPLICATES, &json_error);

	if (json_is_object(answer))
		return answer;
	snprintf(ret_wrong, wrong_size, "%.100s", answer ? "another type" : json_error.text);
	json_decref(answer);
	return NULL;
}

const char *answer_capabilities(const json_t *answer, const char *const *names, bool *ret_verbs,
				uint32_t *ret_delay_ms)
{
	const json_t *verbs = json_object_get(answer, "verbs"), *verb;
	const json_t *delay = json_object_get(answer, "consistency_delay_ms");
	json_int_t delay_ms = json_integer_value(delay);
	size_t i;

	if (!json_is_array(verbs))
		return "has no array \"verbs\"";
	if (delay && (!json_is_integer(delay) || delay_ms < 0 || delay_ms > DELAY_MAX_MS))
		return "\"consistency_delay_ms\" is not within 0..3600000";
	*ret_delay_ms = (uint32_t)delay_ms;
	json_array_foreach(verbs, i, verb)
	{
		for (int v = 0; json_is_string(verb) && names[v]; v++) {
			if (!strcmp(json_string_value(verb), names[v]))
				ret_verbs[v] = true;
		}
	}
	return NULL;
}

const char *answer_created(const json_t *answer, const char *name, struct ip *ret_address,
			   uint16_t *ret_port)
{
	const char *named = json_string_value(json_object_get(answer, "name"));
	const char *address = json_string_value(json_object_get(answer, "address"));
	const json_t *port = json_object_get(answer, "port");
	json_int_t number = json_integer_value(port);

	if (!named || strcmp(named, name))
		return "\"name\" is not the name that was asked for";
	if (!address || ip_parse(address, ret_address) || !ip_is_unicast(ret_address))
		return "\"address\" is not the address of a host";
	if (port && (!json_is_integer(port) || number < 1 || number > 65535))
		return "\"port\" is not within 1..65535";
	*ret_port = (uint16_t)number;
	return NULL;
}

const json_t *answer_list(const json_t *answer)
{
	const json_t *backends = json_object_get(answer, "backends"), *item;
	size_t i;

	json_array_foreach(backends, i, item)
	{
		if (!json_is_string(json_object_get(item, "name")))
			return NULL;
	}
	return json_is_array(backends) ? backends : NULL;
}

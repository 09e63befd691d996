// SPDX-License-Identifier: GPL-2.0-only
/* By whom, and for whom, an object is made. */
#include "model/provider.h"

#include <stdlib.h>
#include <string.h>

struct provider *provider_new(const char *provisioner, const char *owner, const json_t *options,
			      uint64_t delay_ms)
{
	struct provider *provider = calloc(1, sizeof(*provider));

	if (!provider)
		return NULL;
	provider->users = 1;
	provider->provisioner = strdup(provisioner);
	provider->owner = owner ? strdup(owner) : NULL;
	provider->options = options ? json_deep_copy(options) : json_object();
	provider->delay_ms = delay_ms;
	if (provider->provisioner && (provider->owner || !owner) && provider->options)
		return provider;
	provider_put(provider);
	return NULL;
}

struct provider *provider_hold(struct provider *provider)
{
	if (provider)
		provider->users++;
	return provider;
}

void provider_put(struct provider *provider)
{
	if (!provider || --provider->users)
		return;
	free(provider->provisioner);
	free(provider->owner);
	json_decref(provider->options);
	free(provider);
}

/* No options and an empty object are the same. */
static bool options_equal(const json_t *options, const json_t *others)
{
	return json_object_size(options) ? json_equal(options, others) : !json_object_size(others);
}

bool provider_is(const struct provider *provider, const char *provisioner, const json_t *options)
{
	return !strcmp(provider->provisioner, provisioner) &&
	       options_equal(provider->options, options);
}

json_t *provider_to_json(const struct provider *provider)
{
	json_t *object = json_pack("{ss,sO,sI}", "provisioner", provider->provisioner, "options",
				   provider->options, "consistency_delay_ms",
				   (json_int_t)provider->delay_ms);

	if (object && provider->owner &&
	    json_object_set_new(object, "owner", json_string(provider->owner))) {
		json_decref(object);
		return NULL;
	}
	return object;
}

struct provider *provider_from_json(const json_t *object)
{
	const char *provisioner = json_string_value(json_object_get(object, "provisioner"));
	const json_t *owner = json_object_get(object, "owner");
	const json_t *options = json_object_get(object, "options");
	const json_t *delay = json_object_get(object, "consistency_delay_ms");

	if (!provisioner || (owner && !json_is_string(owner)) ||
	    (options && !json_is_object(options)) ||
	    (delay && (!json_is_integer(delay) || json_integer_value(delay) < 0)))
		return NULL;
	return provider_new(provisioner, json_string_value(owner), options,
			    (uint64_t)json_integer_value(delay));
}

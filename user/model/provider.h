/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * By whom, and for whom, an object is made: its provisioner, the options that it is called with, and
 * the owner. An object keeps the one that it was intended with, for the config may mean another by
 * the time when it is deleted. Never changed once made, so that many share it.
 */
#ifndef MODEL_PROVIDER_H
#define MODEL_PROVIDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct provider {
	uint32_t users;
	char *provisioner; /* path */
	char *owner;
	json_t *options;   /* object */
	uint64_t delay_ms; /* the consistency delay that it told */
};

/* provider_new - with one user; options may be NULL. NULL: no memory. */
struct provider *provider_new(const char *provisioner, const char *owner, const json_t *options,
			      uint64_t delay_ms);

/* provider_hold - one user more; provider_put - one less, the last one frees it. Both take NULL. */
struct provider *provider_hold(struct provider *provider);
void provider_put(struct provider *provider);

/* provider_is - whether these are its provisioner and options. */
bool provider_is(const struct provider *provider, const char *provisioner, const json_t *options);

/*
 * provider_to_json, provider_from_json - for the journal. The reader gives NULL for what is none, or
 * if there is no memory; an owner that is absent is left so: NULL.
 */
json_t *provider_to_json(const struct provider *provider);
struct provider *provider_from_json(const json_t *object);

#endif

// SPDX-License-Identifier: GPL-2.0-only
/* The services of a state by what packets know them by: VIP, and VIP, protocol and port. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#include "model/state_parts.h"

static bool key_equal(const struct service_config *a, const struct service_config *b)
{
	return a->protocol == b->protocol && a->port == b->port && ip_equal(&a->vip, &b->vip);
}

static bool pool_has_key(const void *things, size_t position, const void *key)
{
	struct pool *const *pools = things;

	return key_equal(pools[position]->service, key);
}

static bool pool_has_vip(const void *things, size_t position, const void *vip)
{
	struct pool *const *pools = things;

	return ip_equal(&pools[position]->service->vip, vip);
}

static uint32_t vip_hash(const struct ip *vip)
{
	return index_hash(vip->word, sizeof(vip->word));
}

static uint32_t key_hash(const struct service_config *service)
{
	uint32_t words[] = {vip_hash(&service->vip), service->protocol, service->port};

	return index_hash(words, sizeof(words));
}

const struct pool *state_keys_pool(const struct state_keys *keys,
				   const struct service_config *service)
{
	size_t position = index_find(&keys->keys, key_hash(service), pool_has_key,
				     keys->state->pools, service);

	return position == INDEX_NONE ? NULL : keys->state->pools[position];
}

const struct pool *state_keys_vip(const struct state_keys *keys, const struct ip *vip)
{
	size_t position =
		index_find(&keys->vips, vip_hash(vip), pool_has_vip, keys->state->pools, vip);

	return position == INDEX_NONE ? NULL : keys->state->pools[position];
}

int state_keys_add(struct state_keys *keys, size_t position)
{
	const struct service_config *service = keys->state->pools[position]->service;

	if (!state_keys_vip(keys, &service->vip) &&
	    index_add(&keys->vips, vip_hash(&service->vip), position))
		return -ENOMEM;
	return index_add(&keys->keys, key_hash(service), position);
}

int state_keys_make(const struct state *state, struct state_keys *ret_keys)
{
	*ret_keys = (struct state_keys){.state = state};
	for (size_t i = 0; i < state->pool_count; i++) {
		if (state_keys_add(ret_keys, i))
			return -ENOMEM;
	}
	return 0;
}

void state_keys_clear(struct state_keys *keys)
{
	index_clear(&keys->keys);
	index_clear(&keys->vips);
}

static int unknown_port_error(const struct service_config *one, const struct service_config *other,
			      struct error *error)
{
	char vip[IP_TEXT_MAX];

	return error_set(
		error, -EINVAL,
		"service %s: unknown_port %s, but %s for service %s of the same VIP %s; say "
		"the same for both",
		one->name, empty_answer_names[one->unknown_port],
		empty_answer_names[other->unknown_port], other->name, ip_format(&one->vip, vip));
}

static int key_error(const struct service_config *one, const struct service_config *other,
		     struct error *error)
{
	char vip[IP_TEXT_MAX], port[24] = "every port";

	if (one->port)
		snprintf(port, sizeof(port), "port %u", one->port);
	return error_set(error, -EEXIST,
			 "service %s: %s %s %s belongs to service %s; give it another or remove "
			 "that service",
			 one->name, ip_format(&one->vip, vip),
			 one->protocol == IPPROTO_TCP ? "tcp" : "udp", port, other->name);
}

/* One beside those that are in the keys already. */
static int service_check(const struct state_keys *keys, const struct service_config *one,
			 struct error *error)
{
	const struct pool *vip = state_keys_vip(keys, &one->vip);
	const struct pool *key = state_keys_pool(keys, one);

	if (vip && vip->service->unknown_port != one->unknown_port)
		return unknown_port_error(one, vip->service, error);
	return key ? key_error(one, key->service, error) : 0;
}

int state_keys_check(const struct state *state, struct error *error)
{
	struct state_keys keys = {.state = state};
	int code = 0;

	for (size_t i = 0; !code && i < state->pool_count; i++) {
		code = service_check(&keys, state->pools[i]->service, error);
		if (!code && state_keys_add(&keys, i))
			code = error_set(error, -ENOMEM, "out of memory");
	}
	state_keys_clear(&keys);
	return code;
}

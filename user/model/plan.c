// SPDX-License-Identifier: GPL-2.0-only
/* The plan: which map writes lead from one state to another, in an order that is safe. */
#include "model/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/state_parts.h"

const char *const plan_kind_names[] = {
	"key_remove", "vip_remove", "backend_write", "table_publish", "service_write",
	"vip_write",  "key_write",  "service_clear", "backend_dead",  "backend_clear",
	NULL};

/* A pool in both states. A pool that was given other blocks is one that goes and one that comes. */
struct pair {
	const struct pool *old_pool, *new_pool; /* either may be NULL */
	/* Their living backends by number; an index is NULL without its pool. */
	const struct pool_backend **old_index, **new_index;
};

/* What the two states do not share. */
struct pairs {
	struct pair *list;
	size_t count;
	bool keys_change; /* some pool comes, goes, or has another VIP, protocol or port */
	struct state_keys old_keys, new_keys; /* filled only then */
	/* Of the VIPs that have a step of the kind at hand. */
	struct index vips;
};

static bool same_blocks(const struct pool *a, const struct pool *b)
{
	return a->id == b->id && a->backend_base == b->backend_base &&
	       a->backend_capacity == b->backend_capacity && a->slot_count == b->slot_count &&
	       a->slot_line[0] == b->slot_line[0] && a->slot_line[1] == b->slot_line[1];
}

static int backends_index(const struct pool *pool, const struct pool_backend ***ret_index)
{
	const struct pool_backend **index;

	if (!pool)
		return 0;
	index = calloc(pool->backend_capacity, sizeof(*index));
	if (!index)
		return -ENOMEM;
	for (size_t i = 0; i < pool->backend_count; i++) {
		if (backend_alive(&pool->backends[i]))
			index[pool->backends[i].number] = &pool->backends[i];
	}
	*ret_index = index;
	return 0;
}

static bool same_key(const struct service_config *a, const struct service_config *b)
{
	return a->protocol == b->protocol && a->port == b->port && ip_equal(&a->vip, &b->vip);
}

/* Whether packets find the pool in another way, or get another answer from its VIP. */
static bool pair_keys_change(const struct pair *pair)
{
	return !pair->old_pool || !pair->new_pool ||
	       !same_key(pair->old_pool->service, pair->new_pool->service) ||
	       pair->old_pool->service->unknown_port != pair->new_pool->service->unknown_port;
}

static void pairs_clear(struct pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++) {
		free(pairs->list[i].old_index);
		free(pairs->list[i].new_index);
	}
	free(pairs->list);
	state_keys_clear(&pairs->old_keys);
	state_keys_clear(&pairs->new_keys);
	index_clear(&pairs->vips);
}

/* Of a pool that both states share there is nothing to do. */
static void pairs_list(struct pairs *pairs, const struct state *old_state,
		       const struct state *new_state)
{
	struct pair *list = pairs->list;
	size_t count = 0;

	for (size_t i = 0; i < old_state->pool_count; i++) {
		const struct pool *pool = old_state->pools[i];
		const struct pool *other = state_pool(new_state, pool->service->name);

		if (!other || (other != pool && !same_blocks(pool, other)))
			list[count++].old_pool = pool;
	}
	for (size_t i = 0; i < new_state->pool_count; i++) {
		const struct pool *pool = new_state->pools[i];
		const struct pool *other = state_pool(old_state, pool->service->name);

		if (other == pool)
			continue;
		list[count].new_pool = pool;
		if (other && same_blocks(pool, other))
			list[count].old_pool = other;
		count++;
	}
	pairs->count = count;
}

static int pairs_make(struct pairs *pairs, const struct state *old_state,
		      const struct state *new_state)
{
	int code = 0;

	pairs->list =
		calloc(old_state->pool_count + new_state->pool_count + 1, sizeof(struct pair));
	if (!pairs->list)
		return -ENOMEM;
	pairs_list(pairs, old_state, new_state);
	for (size_t i = 0; !code && i < pairs->count; i++) {
		struct pair *pair = &pairs->list[i];

		pairs->keys_change |= pair_keys_change(pair);
		code = backends_index(pair->old_pool, &pair->old_index);
		if (!code)
			code = backends_index(pair->new_pool, &pair->new_index);
	}
	if (!code && pairs->keys_change)
		code = state_keys_make(old_state, &pairs->old_keys);
	if (!code && pairs->keys_change)
		code = state_keys_make(new_state, &pairs->new_keys);
	return code;
}

static int step_add(struct plan *plan, enum plan_kind kind, const struct pool *pool,
		    const struct pool_backend *backend, bool created)
{
	/* Grown at powers of two. */
	if (!(plan->step_count & (plan->step_count - 1))) {
		size_t room = plan->step_count ? plan->step_count * 2 : 1;
		struct plan_step *steps = reallocarray(plan->steps, room, sizeof(*steps));

		if (!steps)
			return -ENOMEM;
		plan->steps = steps;
	}
	plan->steps[plan->step_count++] = (struct plan_step){kind, pool, backend, created};
	return 0;
}

static bool same_place(const struct pool_backend *a, const struct pool_backend *b)
{
	return a->port == b->port && ip_equal(&a->address, &b->address);
}

static bool same_quic_id(const struct service_config *a, const struct service_config *b)
{
	return a->quic_id_length == b->quic_id_length && a->quic_id_offset == b->quic_id_offset &&
	       a->quic_id_config == b->quic_id_config;
}

/* Whether the record of the service in the kernel would differ. */
static bool same_record(const struct service_config *a, const struct service_config *b)
{
	return a->tracking == b->tracking && a->affinity == b->affinity &&
	       a->scheduler == b->scheduler && a->empty == b->empty && a->quic == b->quic &&
	       same_quic_id(a, b) && a->mss == b->mss && a->vlan == b->vlan &&
	       a->client_vlan == b->client_vlan && a->grace_ms == b->grace_ms &&
	       memcmp(&a->new_flow_limit, &b->new_flow_limit, sizeof(a->new_flow_limit)) == 0;
}

static bool step_of_vip(const void *things, size_t position, const void *vip)
{
	const struct plan_step *steps = things;

	return ip_equal(&steps[position].pool->service->vip, vip);
}

/* One step a VIP: several services share one. pairs->vips knows those that are there already. */
static int vip_step(struct plan *plan, enum plan_kind kind, const struct pool *pool,
		    const struct state_keys *other_keys, struct pairs *pairs)
{
	const struct ip *vip = &pool->service->vip;
	const struct pool *other = state_keys_vip(other_keys, vip);
	uint32_t hash = index_hash(vip->word, sizeof(vip->word));

	if (other && (kind == PLAN_VIP_REMOVE ||
		      other->service->unknown_port == pool->service->unknown_port))
		return 0;
	if (index_find(&pairs->vips, hash, step_of_vip, plan->steps, vip) != INDEX_NONE)
		return 0;
	if (index_add(&pairs->vips, hash, plan->step_count))
		return -ENOMEM;
	return step_add(plan, kind, pool, NULL, false);
}

/*
 * A key that stays, though for another service, is written over: no packet finds it missing. The
 * VIP's own entry is there only while all of its keys are, for it drops what finds no key.
 */
static int keys_remove(struct plan *plan, struct pairs *pairs)
{
	int code = 0;

	index_empty(&pairs->vips);
	for (size_t i = 0; !code && pairs->keys_change && i < pairs->count; i++) {
		if (pairs->list[i].old_pool)
			code = vip_step(plan, PLAN_VIP_REMOVE, pairs->list[i].old_pool,
					&pairs->new_keys, pairs);
	}
	for (size_t i = 0; !code && pairs->keys_change && i < pairs->count; i++) {
		const struct pool *pool = pairs->list[i].old_pool;

		if (pool && !state_keys_pool(&pairs->new_keys, pool->service))
			code = step_add(plan, PLAN_KEY_REMOVE, pool, NULL, false);
	}
	return code;
}

/* Whether the records of the service's backends in the kernel would be the same. */
static bool same_backend_records(const struct service_config *a, const struct service_config *b)
{
	return a->mode == b->mode && a->quic_id_length == b->quic_id_length && !a->mss == !b->mss &&
	       service_retags(a) == service_retags(b);
}

static int backends_write(struct plan *plan, const struct pair *pair)
{
	const struct pool *pool = pair->new_pool;
	int code = 0;

	for (size_t i = 0; !code && pool && i < pool->backend_count; i++) {
		const struct pool_backend *backend = &pool->backends[i], *before;

		if (!backend_alive(backend))
			continue;
		before = pair->old_index ? pair->old_index[backend->number] : NULL;
		if (!before || !same_place(before, backend) ||
		    (backend_takes(backend) && !backend_takes(before)) ||
		    !same_backend_records(pair->old_pool->service, pool->service))
			code = step_add(plan, PLAN_BACKEND_WRITE, pool, backend, false);
	}
	return code;
}

/* Whether the set of (number, effective weight, takes packets) of the living differs. */
static bool members_differ(const struct pair *pair)
{
	for (uint32_t number = 0; number < pair->new_pool->backend_capacity; number++) {
		const struct pool_backend *before = pair->old_index[number];
		const struct pool_backend *after = pair->new_index[number];

		if (!before && !after)
			continue;
		if (!before || !after || !same_place(before, after) ||
		    backend_takes(before) != backend_takes(after) ||
		    backend_weight(before) != backend_weight(after))
			return true;
	}
	return false;
}

static int table_publish(struct plan *plan, const struct pair *pair)
{
	if (!pair->new_pool)
		return 0;
	if (pair->old_pool && !members_differ(pair))
		return 0;
	return step_add(plan, PLAN_TABLE_PUBLISH, pair->new_pool, NULL, !pair->old_pool);
}

static int service_write(struct plan *plan, const struct pair *pair)
{
	if (!pair->new_pool)
		return 0;
	if (pair->old_pool && same_record(pair->old_pool->service, pair->new_pool->service))
		return 0;
	return step_add(plan, PLAN_SERVICE_WRITE, pair->new_pool, NULL, false);
}

static int keys_write(struct plan *plan, struct pairs *pairs)
{
	int code = 0;

	for (size_t i = 0; !code && pairs->keys_change && i < pairs->count; i++) {
		const struct pool *pool = pairs->list[i].new_pool, *before;

		if (!pool)
			continue;
		before = state_keys_pool(&pairs->old_keys, pool->service);
		if (!before || before->id != pool->id)
			code = step_add(plan, PLAN_KEY_WRITE, pool, NULL, false);
	}
	index_empty(&pairs->vips);
	for (size_t i = 0; !code && pairs->keys_change && i < pairs->count; i++) {
		if (pairs->list[i].new_pool)
			code = vip_step(plan, PLAN_VIP_WRITE, pairs->list[i].new_pool,
					&pairs->old_keys, pairs);
	}
	return code;
}

static int service_clear(struct plan *plan, const struct pair *pair)
{
	return pair->new_pool ? 0 : step_add(plan, PLAN_SERVICE_CLEAR, pair->old_pool, NULL, false);
}

/* Behind the tables, so that new flows find the others first. */
static int backends_dead(struct plan *plan, const struct pair *pair)
{
	const struct pool *pool = pair->new_pool;
	int code = 0;

	for (size_t i = 0; !code && pool && pair->old_pool && i < pool->backend_count; i++) {
		const struct pool_backend *backend = &pool->backends[i], *before;

		if (!backend_alive(backend) || backend_takes(backend))
			continue;
		before = pair->old_index[backend->number];
		if (before && backend_takes(before))
			code = step_add(plan, PLAN_BACKEND_DEAD, pool, backend, false);
	}
	return code;
}

static int backends_clear(struct plan *plan, const struct pair *pair)
{
	const struct pool *pool = pair->old_pool;
	int code = 0;

	for (size_t i = 0; !code && pool && i < pool->backend_count; i++) {
		const struct pool_backend *backend = &pool->backends[i];

		if (backend_alive(backend) &&
		    (!pair->new_index || !pair->new_index[backend->number]))
			code = step_add(plan, PLAN_BACKEND_CLEAR, pool, backend, false);
	}
	return code;
}

static int steps_make(struct plan *plan, struct pairs *pairs)
{
	static int (*const adding[])(struct plan *, const struct pair *) = {
		backends_write, table_publish, service_write};
	static int (*const clearing[])(struct plan *, const struct pair *) = {
		backends_dead, service_clear, backends_clear};
	int code = keys_remove(plan, pairs);

	for (size_t phase = 0; phase < sizeof(adding) / sizeof(adding[0]); phase++) {
		for (size_t i = 0; !code && i < pairs->count; i++)
			code = adding[phase](plan, &pairs->list[i]);
	}
	if (!code)
		code = keys_write(plan, pairs);
	for (size_t phase = 0; phase < sizeof(clearing) / sizeof(clearing[0]); phase++) {
		for (size_t i = 0; !code && i < pairs->count; i++)
			code = clearing[phase](plan, &pairs->list[i]);
	}
	return code;
}

int plan_make(const struct state *old_state, const struct state *new_state, struct plan **ret_plan)
{
	struct plan *plan = calloc(1, sizeof(*plan));
	struct pairs pairs = {0};
	int code = plan ? pairs_make(&pairs, old_state, new_state) : -ENOMEM;

	if (!code)
		code = steps_make(plan, &pairs);
	pairs_clear(&pairs);
	if (code) {
		plan_free(plan);
		return code;
	}
	*ret_plan = plan;
	return 0;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	free(plan->steps);
	free(plan);
}

static json_t *step_to_json(const struct plan_step *step)
{
	json_t *object = json_pack("{s:s, s:s}", "step", plan_kind_names[step->kind], "service",
				   step->pool->service->name);
	char text[IP_TEXT_MAX];

	if (!object)
		return NULL;
	if (step->backend) {
		json_object_set_new(object, "backend", json_string(step->backend->name));
		json_object_set_new(object, "address",
				    json_string(ip_format(&step->backend->address, text)));
		json_object_set_new(object, "number", json_integer(step->backend->number));
	} else if (step->kind == PLAN_VIP_WRITE || step->kind == PLAN_VIP_REMOVE) {
		json_object_set_new(object, "vip",
				    json_string(ip_format(&step->pool->service->vip, text)));
	}
	if (step->kind == PLAN_TABLE_PUBLISH)
		json_object_set_new(object, "created", json_boolean(step->created));
	return object;
}

json_t *plan_to_json(const struct plan *plan)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < plan->step_count; i++)
		json_array_append_new(list, step_to_json(&plan->steps[i]));
	return list;
}

// SPDX-License-Identifier: GPL-2.0-only
/* What a change would do to services, backends, slots and live flows, before it is done. */
#include "model/impact.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "model/difference.h"

/* What is summed up over all services. */
struct sums {
	uint64_t slots_moved, flows_moved;
	unsigned int created, removed, drained, changed;
};

struct maker {
	const struct impact_change *change;
	const struct impact_source *source;
	struct sums sums;
	int code; /* the first error */
};

static json_t *integer(uint64_t number)
{
	return json_integer((json_int_t)number);
}

static void fail(struct maker *maker, int code)
{
	if (!maker->code)
		maker->code = code;
}

/* The reference goes to the list, or the maker fails. */
static void append(struct maker *maker, json_t *list, json_t *value)
{
	if (json_array_append_new(list, value))
		fail(maker, -ENOMEM);
}

/* ------------------------------------------------------------------ backends */

static uint32_t weight_said(const struct pool_backend *backend)
{
	return backend->weight_runtime == NO_WEIGHT ? backend->weight : backend->weight_runtime;
}

/* What a backend is, as far as packets see it. */
static json_t *backend_fields(const struct pool_backend *backend)
{
	char address[IP_TEXT_MAX];

	return json_pack("{ss,so,so,ss,sb}", "address", ip_format(&backend->address, address),
			 "port", backend->port ? integer(backend->port) : json_null(), "weight",
			 integer(weight_said(backend)), "state", lifecycle_names[backend->life],
			 "maint", backend->maint);
}

/* Whether its record in the maps goes or takes nothing any more: who is on it has to go elsewhere. */
static bool record_goes(const struct pool *old_pool, const struct pool *new_pool,
			const struct pool_backend *backend)
{
	const struct pool_backend *after;

	if (!new_pool || old_pool->id != new_pool->id ||
	    old_pool->backend_base != new_pool->backend_base)
		return true;
	after = pool_backend(new_pool, backend->name);
	return !after || !backend_alive(after) || after->number != backend->number ||
	       (after->maint && !backend->maint);
}

static bool is_other(const struct pool_backend *before, const struct pool_backend *after)
{
	return before->port != after->port || !ip_equal(&before->address, &after->address);
}

static bool takes_new(const struct pool_backend *backend)
{
	return backend_weight(backend) > 0; /* 0 unless it is warming or active */
}

/* Either may be NULL. The word of what becomes of it, and its sum. */
static const char *backend_action(struct maker *maker, const struct pool_backend *before,
				  const struct pool_backend *after)
{
	struct sums *sums = &maker->sums;

	if (!before) {
		sums->created++;
		return "add";
	}
	if (!after) {
		sums->removed++;
		return "remove";
	}
	if (is_other(before, after)) {
		sums->created++;
		sums->removed++;
		return "replace";
	}
	if (takes_new(before) && !takes_new(after)) {
		sums->drained++;
		return after->maint && !before->maint ? "maint" : "drain";
	}
	sums->changed++;
	return "change";
}

/* Flows that find their backend by affinity do not find it by another one. */
static bool flows_lose_way(const struct pool *before, const struct pool *after)
{
	return after && before->service->affinity != after->service->affinity;
}

static uint64_t backend_flows(struct maker *maker, const struct pool *old_pool,
			      const struct pool *new_pool, const struct pool_backend *backend)
{
	if (!backend_alive(backend) ||
	    (!flows_lose_way(old_pool, new_pool) && !record_goes(old_pool, new_pool, backend)))
		return 0;
	return maker->source->live_flows(maker->source->data, old_pool, backend);
}

/* Whether backend_fields() of both are the same: most are, and making them takes its time. */
static bool same_fields(const struct pool_backend *before, const struct pool_backend *after)
{
	return before && after && !is_other(before, after) && before->life == after->life &&
	       before->maint == after->maint && weight_said(before) == weight_said(after);
}

/* Appends what becomes of one backend, if anything does; the flows that leave it. */
static uint64_t backend_add(struct maker *maker, json_t *list, const struct pool *old_pool,
			    const struct pool *new_pool, const char *name)
{
	const struct pool_backend *before = old_pool ? pool_backend(old_pool, name) : NULL;
	const struct pool_backend *after = new_pool ? pool_backend(new_pool, name) : NULL;
	uint64_t flows = before ? backend_flows(maker, old_pool, new_pool, before) : 0;
	bool same = same_fields(before, after);
	json_t *from, *to, *fields;

	if (same && !flows)
		return 0;
	from = before ? backend_fields(before) : NULL;
	to = after ? backend_fields(after) : NULL;
	fields = json_array();
	if (!fields || (before && !from) || (after && !to) || difference_add(fields, from, to, ""))
		fail(maker, -ENOMEM);
	else
		append(maker, list,
		       json_pack("{ss,ss,so,sO}", "name", name, "action",
				 same ? "change" : backend_action(maker, before, after),
				 "flows_moved", integer(flows), "fields", fields));
	json_decref(fields);
	json_decref(from);
	json_decref(to);
	return flows;
}

/* ------------------------------------------------------------------ services */

static json_t *service_fields(const struct pool *pool)
{
	json_t *fields = service_config_to_json(pool->service);

	json_object_del(fields, "name");
	json_object_del(fields, "backends");
	return fields;
}

/* The slots of the services's table that get another owner. */
static uint64_t service_slots(struct maker *maker, const struct pool *new_pool)
{
	const struct plan *plan = maker->change->plan;

	for (size_t i = 0; i < plan->step_count; i++) {
		const struct plan_step *step = &plan->steps[i];
		uint32_t moved = 0;

		if (step->kind != PLAN_TABLE_PUBLISH || step->pool != new_pool)
			continue;
		fail(maker, maker->source->slots_moved(maker->source->data, new_pool, &moved));
		return moved;
	}
	return 0;
}

static const char *service_action(const struct pool *old_pool, const struct pool *new_pool)
{
	if (!old_pool)
		return "add";
	if (!new_pool)
		return "remove";
	return old_pool->id == new_pool->id ? "change" : "replace";
}

static void service_add(struct maker *maker, json_t *list, const struct pool *old_pool,
			const struct pool *new_pool)
{
	json_t *from = old_pool ? service_fields(old_pool) : NULL;
	json_t *to = new_pool ? service_fields(new_pool) : NULL;
	json_t *fields = json_array(), *backends = json_array();
	uint64_t slots = service_slots(maker, new_pool), flows = 0;

	if (!fields || !backends || (old_pool && !from) || (new_pool && !to) ||
	    difference_add(fields, from, to, ""))
		fail(maker, -ENOMEM);
	for (size_t i = 0; !maker->code && old_pool && i < old_pool->backend_count; i++)
		flows += backend_add(maker, backends, old_pool, new_pool,
				     old_pool->backends[i].name);
	for (size_t i = 0; !maker->code && new_pool && i < new_pool->backend_count; i++) {
		if (!old_pool || !pool_backend(old_pool, new_pool->backends[i].name))
			backend_add(maker, backends, old_pool, new_pool,
				    new_pool->backends[i].name);
	}
	if (!maker->code &&
	    (!old_pool || !new_pool || json_array_size(fields) || json_array_size(backends)))
		append(maker, list,
		       json_pack("{ss,ss,so,so,so,sO,sO}", "name",
				 (new_pool ? new_pool : old_pool)->service->name, "action",
				 service_action(old_pool, new_pool), "slots",
				 integer((new_pool ? new_pool : old_pool)->slot_count),
				 "slots_moved", integer(slots), "flows_moved", integer(flows),
				 "fields", fields, "backends", backends));
	maker->sums.slots_moved += slots;
	maker->sums.flows_moved += flows;
	json_decref(fields);
	json_decref(backends);
	json_decref(from);
	json_decref(to);
}

static json_t *services_make(struct maker *maker)
{
	const struct state *old_state = maker->change->old_state;
	const struct state *new_state = maker->change->new_state;
	json_t *list = json_array();

	for (size_t i = 0; !maker->code && i < old_state->pool_count; i++) {
		const struct pool *pool = old_state->pools[i];
		const struct pool *other = state_pool(new_state, pool->service->name);

		if (other != pool) /* nothing becomes of what both share */
			service_add(maker, list, pool, other);
	}
	for (size_t i = 0; !maker->code && i < new_state->pool_count; i++) {
		const struct pool *pool = new_state->pools[i];

		if (!state_pool(old_state, pool->service->name))
			service_add(maker, list, NULL, pool);
	}
	return list;
}

int impact_make(const struct impact_change *change, const struct impact_source *source,
		json_t **ret_impact)
{
	struct maker maker = {.change = change, .source = source};
	json_t *services = services_make(&maker);
	json_t *guard = impact_guard(change->old_guard, change->new_guard);
	const struct sums *sums = &maker.sums;
	json_t *impact;

	if (maker.code || !services || !guard) {
		json_decref(services);
		json_decref(guard);
		return maker.code ? maker.code : -ENOMEM;
	}
	impact = json_pack("{so,so,so,s{si,si,si,si},so,so}", "steps",
			   integer(change->plan->step_count), "slots_moved",
			   integer(sums->slots_moved), "flows_moved", integer(sums->flows_moved),
			   "backends", "created", (int)sums->created, "removed", (int)sums->removed,
			   "drained", (int)sums->drained, "changed", (int)sums->changed, "services",
			   services, "guard", guard);
	if (!impact)
		return -ENOMEM;
	*ret_impact = impact;
	return 0;
}

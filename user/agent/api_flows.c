// SPDX-License-Identifier: GPL-2.0-only
/* GET /v1/flows: counts and entries of the flow table, or where one flow goes. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api_call.h"
#include "agent/dataplane_maps.h"
#include "model/missing.h"
#include "sluice/flow.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     10000

/*
 * What one request does at most, for the agent does nothing else meanwhile. Half a million entries,
 * all of which fit, take about 4 ms; a thousand in the list take up to 15 ms more.
 */
#define BUCKETS_MAX (1u << 16)
#define LISTED_MAX  1000u

static const char *const state_names[] = {"empty", "closing", "probation", "proven"};
#define STATE_COUNT 4u

static const char note[] = "an entry holds a tag of 28 bits, not addresses: which flow it belongs "
			   "to cannot be told; ask with client= where one flow goes";

/* A backend by its index in the maps. */
struct owner {
	const struct pool *pool;
	const struct pool_backend *backend;
	uint64_t live;
};

struct search {
	const struct agent *agent;
	const struct dataplane_maps *maps;
	uint32_t tick;
	struct owner *owners; /* by index in map "backends"; only those that are asked for */
	uint32_t owner_count;
	uint64_t matched, states[STATE_COUNT];
	size_t limit;
	uint32_t after; /* bucket to begin with */
	uint32_t next;  /* where the next request goes on; 0 = the whole table was read */
	json_t *flows;
};

static int number_read(const struct api_call *call, const char *name, size_t max, size_t standard,
		       size_t *ret_number, struct error *error)
{
	const char *text = http_query(call->request, name);
	unsigned long number;
	char *end;

	*ret_number = standard;
	if (!text)
		return 0;
	errno = 0;
	number = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || number > max)
		return error_set(error, -EINVAL, "%s: not within 0..%zu", name, max);
	*ret_number = number;
	return 0;
}

/* Fills owners with the backends that service and backend (NULL: all) name. */
static int owners_find(struct search *search, const char *service, const char *backend,
		       struct error *error)
{
	const struct state *state = search->agent->desired->state;
	bool service_there = !service, backend_there = !backend;

	for (size_t i = 0; i < state->pool_count; i++) {
		const struct pool *pool = state->pools[i];

		if (service && strcmp(service, pool->service->name))
			continue;
		service_there = true;
		for (size_t j = 0; j < pool->backend_count; j++) {
			const struct pool_backend *one = &pool->backends[j];
			uint32_t id = agent_backend_id(pool, one);

			if (backend && strcmp(backend, one->name))
				continue;
			backend_there = true;
			if (id < search->owner_count)
				search->owners[id] = (struct owner){pool, one, 0};
		}
	}
	if (!service_there)
		return service_missing(state, service, error);
	if (!backend_there && service)
		return backend_missing(state_pool(state, service), backend, error);
	if (!backend_there)
		return error_set(error, -ENOENT, "backend %s: no service has one of this name",
				 backend);
	return 0;
}

static void entry_take(struct search *search, uint64_t entry)
{
	enum flow_state state = flow_entry_state(entry);
	uint32_t id = flow_entry_backend(entry);
	const struct pool *pool;
	struct owner *owner;
	char tag[8];
	json_t *slot;

	if (!entry || id >= search->owner_count || (unsigned int)state >= STATE_COUNT)
		return;
	owner = &search->owners[id];
	pool = owner->pool;
	if (!pool)
		return;
	search->matched++;
	search->states[state]++;
	owner->live++;
	if (json_array_size(search->flows) >= search->limit)
		return;
	snprintf(tag, sizeof(tag), "%07x", flow_entry_tag(entry));
	slot = pool->service->affinity == AFFINITY_FLOW
		       ? json_integer(slot_of_tag(flow_entry_tag(entry), pool->slot_count))
		       : json_null();
	json_array_append_new(search->flows,
			      json_pack("{ss,ss,ss,sf,so,ss}", "service", pool->service->name,
					"backend", owner->backend->name, "state",
					state_names[state], "idle_s",
					(double)flow_entry_age(entry, search->tick) *
						dataplane_tick_ms(search->agent->dataplane) / 1000,
					"slot", slot, "tag", tag));
}

static void table_read(struct search *search)
{
	const struct flow_bucket *flows = search->maps->flows;
	uint32_t buckets = search->maps->meta->flow_buckets;

	for (uint32_t i = search->after; i < buckets; i++) {
		size_t listed = json_array_size(search->flows);

		if (i - search->after == BUCKETS_MAX ||
		    (listed >= LISTED_MAX && listed < search->limit)) {
			search->next = i;
			return;
		}
		for (unsigned int j = 0; j < SLUICE_FLOWS_PER_BUCKET; j++)
			entry_take(search, __atomic_load_n(&flows[i].entries[j], __ATOMIC_RELAXED));
	}
}

/* ------------------------------------------------------------------ one flow */

static int client_read(char *text, struct flow_key *key, struct error *error)
{
	char *colon = strrchr(text, ':'), *end, given[64];
	struct ip ip;
	long port;

	snprintf(given, sizeof(given), "%s", text);
	if (!colon)
		goto wrong;
	*colon = '\0';
	errno = 0;
	port = strtol(colon + 1, &end, 10);
	if (*text == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		text++;
	}
	if (!colon[1] || *end || errno || port < 0 || port > 65535 || ip_parse(text, &ip))
		goto wrong;
	memcpy(key->source, ip.word, sizeof(key->source));
	key->source_port = htons((uint16_t)port);
	key->family = ip_family(&ip);
	return 0;

wrong:
	return error_set(error, -EINVAL,
			 "client: '%s' is not an address with a port; write 192.0.2.9:40000 or "
			 "[2001:db8::9]:40000",
			 given);
}

static int key_make(const char *client, const struct pool *pool, struct flow_key *key,
		    struct error *error)
{
	const struct service_config *service = pool->service;
	char *copy;
	int err;

	if (!service->port)
		return error_set(error, -EINVAL,
				 "client: service %s takes any port, so the flow is not known",
				 service->name);
	copy = strdup(client);
	if (!copy)
		return error_set(error, -ENOMEM, "client: out of memory");
	*key = (struct flow_key){.protocol = service->protocol,
				 .destination_port = htons(service->port)};
	memcpy(key->destination, service->vip.word, sizeof(key->destination));
	err = client_read(copy, key, error);
	free(copy);
	if (!err && key->family != ip_family(&service->vip))
		err = error_set(error, -EINVAL, "client: not of the family of the service's VIP");
	return err;
}

/* The hash that chooses the slot. */
static uint64_t affinity_hash(const struct pool *pool, const struct flow_key *key, uint64_t seed)
{
	switch (pool->service->affinity) {
	case AFFINITY_SOURCE:
		return hash_source(key, seed, 0);
	case AFFINITY_SOURCE_PORT:
		return hash_source(key, seed, 1);
	case AFFINITY_FLOW:
	default:
		return hash_flow(key, seed);
	}
}

static json_t *number_name(const struct pool *pool, uint32_t number)
{
	for (size_t i = 0; i < pool->backend_count; i++) {
		if (pool->backends[i].number == number)
			return json_string(pool->backends[i].name);
	}
	return json_null();
}

static json_t *client_view(struct search *search, const struct pool *pool,
			   const struct flow_key *key)
{
	const struct dataplane_maps *maps = search->maps;
	uint32_t tag = (uint32_t)(affinity_hash(pool, key, maps->meta->seed) >> SLUICE_TAG_SHIFT);
	uint64_t table = __atomic_load_n(&maps->services[pool->id].table, __ATOMIC_ACQUIRE);
	uint32_t slot = slot_of_tag(tag, pool->slot_count);
	uint32_t line = table_line(table) + slot / SLUICE_SLOTS_PER_LINE;
	uint32_t word = maps->slots[line].slots[slot % SLUICE_SLOTS_PER_LINE];

	return json_pack("{si,so,so}", "slot", (int)slot, "current",
			 number_name(pool, slot_current(word)), "previous",
			 slot_previous(word) == slot_current(word)
				 ? json_null()
				 : number_name(pool, slot_previous(word)));
}

static void bucket_read(struct search *search, uint64_t hash)
{
	uint32_t index = (uint32_t)hash & (search->maps->meta->flow_buckets - 1);
	const struct flow_bucket *bucket = &search->maps->flows[index];

	for (unsigned int i = 0; i < SLUICE_FLOWS_PER_BUCKET; i++) {
		uint64_t entry = __atomic_load_n(&bucket->entries[i], __ATOMIC_RELAXED);

		if (flow_entry_tag(entry) == (uint32_t)(hash >> SLUICE_TAG_SHIFT))
			entry_take(search, entry);
	}
}

static int client_search(struct api_call *call, struct search *search, const char *client,
			 json_t **ret_view, struct error *error)
{
	const char *service = http_query(call->request, "service");
	struct flow_key key = {0};
	const struct pool *pool;
	int err;

	if (!service)
		return error_set(error, -EINVAL, "client: needs service= beside it");
	pool = state_pool(search->agent->desired->state, service);
	err = key_make(client, pool, &key, error);
	if (err)
		return err;
	bucket_read(search, hash_flow(&key, search->maps->meta->seed));
	*ret_view = client_view(search, pool, &key);
	return 0;
}

/* ------------------------------------------------------------------ the answer */

static json_t *owners_view(const struct search *search)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < search->owner_count; i++) {
		const struct owner *owner = &search->owners[i];

		if (owner->pool)
			json_array_append_new(list, json_pack("{ss,ss,sI}", "service",
							      owner->pool->service->name, "backend",
							      owner->backend->name, "live",
							      (json_int_t)owner->live));
	}
	return list;
}

static int search_run(struct api_call *call, struct search *search, struct error *error)
{
	const char *client = http_query(call->request, "client");
	json_t *view = NULL;
	size_t after = 0;
	int err = number_read(call, "limit", LIMIT_MAX, LIMIT_DEFAULT, &search->limit, error);

	if (!err)
		err = number_read(call, "after", search->maps->meta->flow_buckets - 1, 0, &after,
				  error);
	search->after = (uint32_t)after;
	if (!err)
		err = owners_find(search, http_query(call->request, "service"),
				  http_query(call->request, "backend"), error);
	if (err)
		return err;
	if (client)
		err = client_search(call, search, client, &view, error);
	else
		table_read(search);
	if (err)
		return err;
	call->answer = json_pack(
		"{sI,s{sI,sI,sI},so,sO,so*,so,ss}", "matched", (json_int_t)search->matched,
		"states", "closing", (json_int_t)search->states[FLOW_CLOSING], "probation",
		(json_int_t)search->states[FLOW_PROBATION], "proven",
		(json_int_t)search->states[FLOW_PROVEN], "backends", owners_view(search), "flows",
		search->flows, "client", view, "next",
		search->next ? json_integer(search->next) : json_null(), "note", note);
	return 0;
}

int api_flows_get(struct api_call *call, struct error *error)
{
	struct agent *agent = call->agent;
	struct search search = {
		.agent = agent,
		.maps = dataplane_maps(agent->dataplane),
		.tick = dataplane_tick(agent->dataplane),
		.owner_count = dataplane_meta(agent->dataplane)->backends_max,
		.flows = json_array(),
	};
	int err;

	search.owners = calloc(search.owner_count, sizeof(*search.owners));
	if (search.owners && search.flows)
		err = search_run(call, &search, error);
	else
		err = error_set(error, -ENOMEM, "flows: out of memory");
	free(search.owners);
	json_decref(search.flows);
	return err;
}

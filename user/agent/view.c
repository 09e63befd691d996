// SPDX-License-Identifier: GPL-2.0-only
/* Turns the agent's state and the data plane's counters into the API's JSON. */
#include "agent/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/dataplane_maps.h"
#include "agent/drains.h"
#include "agent/scaler.h"
#include "agent/view_health.h"
#include "model/drain.h"
#include "model/effect.h"
#include "model/secret.h"
#include "sluice/verdict.h"

#define INTERFACES_MAX 256u

static json_t *integer(uint64_t number)
{
	return json_integer((json_int_t)number);
}

/* ------------------------------------------------------------------ status */

static json_t *verdicts_view(const struct agent *agent)
{
	static const struct {
		const char *label, *meaning;
	} texts[] = {
#define VERDICT_TEXT(name, label, action, meaning) {label, meaning},
		SLUICE_VERDICTS(VERDICT_TEXT)
#undef VERDICT_TEXT
	};
	json_t *list = json_array();

	for (enum verdict verdict = 0; verdict < VERDICT_COUNT; verdict++) {
		struct verdict_counter counter;

		dataplane_verdict_counter(agent->dataplane, verdict, &counter);
		json_array_append_new(list, json_pack("{ss,so,so,ss}", "name", texts[verdict].label,
						      "packets", integer(counter.packets), "bytes",
						      integer(counter.bytes), "meaning",
						      texts[verdict].meaning));
	}
	return list;
}

json_t *view_interface(const struct dataplane_interface *interface)
{
	return json_pack("{ss,so,ss}", "name", interface->name, "ifindex",
			 integer(interface->ifindex), "mode", attach_mode_names[interface->mode]);
}

static json_t *interfaces_view(const struct agent *agent)
{
	struct dataplane_interface interfaces[INTERFACES_MAX];
	size_t count = dataplane_interfaces(agent->dataplane, interfaces, INTERFACES_MAX);
	json_t *list = json_array();

	for (size_t i = 0; i < count && i < INTERFACES_MAX; i++)
		json_array_append_new(list, view_interface(&interfaces[i]));
	return list;
}

static json_t *flow_table_view(const struct agent *agent)
{
	const struct meta *meta = dataplane_meta(agent->dataplane);
	struct flow_counter counter;

	dataplane_flow_counter(agent->dataplane, &counter);
	return json_pack("{so,so,so,so,so,so}", "capacity",
			 integer((uint64_t)meta->flow_buckets * SLUICE_FLOWS_PER_BUCKET), "live",
			 integer(sweeper_total(agent->sweeper)), "evicted_closing",
			 integer(counter.evicted_closing), "evicted_probation",
			 integer(counter.evicted_probation), "evicted_proven",
			 integer(counter.evicted_proven), "rejects", integer(counter.rejects));
}

json_t *view_status(const struct agent *agent)
{
	const struct state *state = agent->desired->state;
	uint64_t backends = 0;

	for (size_t i = 0; i < state->pool_count; i++)
		backends += state->pools[i]->backend_count;
	return json_pack("{ss,so,so,so,ss,ss?,so,so,so,so,so}", "version", SLUICE_VERSION, "abi",
			 integer(SLUICE_ABI_VERSION), "pid", integer((uint64_t)getpid()),
			 "uptime_s", integer((clock_monotonic_ms() - agent->started_ms) / 1000),
			 "pin_dir", agent->config->pin_dir, "config", agent->config_path,
			 "interfaces", interfaces_view(agent), "services",
			 integer(state->pool_count), "backends", integer(backends), "flows",
			 flow_table_view(agent), "verdicts", verdicts_view(agent));
}

/* ------------------------------------------------------------------ backends */

const char *view_backend_note(const struct agent *agent, const struct pool *pool,
			      const struct pool_backend *backend)
{
	const char *note = scaler_note(agent->scaler, pool->service->name, backend->name);
	struct nexthop_view nexthop;

	if (backend->note)
		return backend->note;
	if (note || backend->number == NO_NUMBER)
		return note;
	if (nexthop_view(agent->nexthops, agent_backend_id(pool, backend), &nexthop))
		return nexthop.problem;
	return NULL;
}

/* The last flows of a drain: for how long they have been silent. */
static json_t *stragglers_view(const struct agent *agent, uint32_t id)
{
	double tick_s = (double)dataplane_tick_ms(agent->dataplane) / 1000;
	uint32_t live = sweeper_live(agent->sweeper, id), least, most;

	if (live > DRAIN_STRAGGLERS_MAX || !sweeper_idle(agent->sweeper, id, &least, &most))
		return json_null();
	return json_pack("{so,sf,sf}", "flows", integer(live), "idle_min_s", least * tick_s,
			 "idle_max_s", most * tick_s);
}

static json_t *eta_view(const struct agent *agent, uint32_t id)
{
	double eta_s;

	/* Before the first pass nothing has been counted. */
	if (!sweeper_passes(agent->sweeper))
		return json_null();
	if (!sweeper_live(agent->sweeper, id))
		return json_real(0);
	return drains_eta(agent->drains, id, &eta_s) && eta_s > 0 ? json_real(eta_s) : json_null();
}

static json_t *drain_view(const struct agent *agent, const struct pool *pool,
			  const struct pool_backend *backend)
{
	uint32_t id = agent_backend_id(pool, backend);
	uint64_t now_ms = clock_wall_ms();
	json_t *deadline;

	if (backend->life != LIFE_DRAINING)
		return json_null();
	if (!backend->deadline_ms)
		deadline = json_null();
	else if (backend->deadline_ms < now_ms)
		deadline = json_real(0);
	else
		deadline = json_real((double)(backend->deadline_ms - now_ms) / 1000);
	return json_pack("{so,so,so}", "deadline_in_s", deadline, "eta_s", eta_view(agent, id),
			 "stragglers", stragglers_view(agent, id));
}

static json_t *nexthop_json(const struct agent *agent, uint32_t id)
{
	struct nexthop_view view;
	char mac[18];

	if (id == NO_NUMBER || !nexthop_view(agent->nexthops, id, &view) || !view.known)
		return json_null();
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", view.mac[0], view.mac[1],
		 view.mac[2], view.mac[3], view.mac[4], view.mac[5]);
	return json_pack("{ss,ss}", "interface", view.interface, "mac", mac);
}

static void counter_add(json_t *object, const struct counter *counter)
{
	json_object_set_new(object, "packets", integer(counter->packets));
	json_object_set_new(object, "bytes", integer(counter->bytes));
	json_object_set_new(object, "new_flows", integer(counter->new_flows));
}

/* What the config says of it, what a person said, and what comes of both and of what is found. */
static void reasons_add(const struct agent *agent, const struct pool *pool,
			const struct pool_backend *backend, uint32_t slots, json_t *object)
{
	bool set = backend->weight_runtime != NO_WEIGHT;
	bool drains = backend->life == LIFE_DRAINING || backend->life == LIFE_DRAINED;
	uint32_t id = agent_backend_id(pool, backend);
	struct effect_facts facts = {
		.reachable = id != NO_NUMBER && nexthop_known(agent->nexthops, id),
		.problem = view_backend_note(agent, pool, backend),
		.slots = slots,
	};
	const char *drain = drains == backend->drain ? NULL : drains ? "drain" : "undrain";
	const char *maint = backend->maint == backend->maint_configured ? NULL
			    : backend->maint                            ? "maint"
									: "ready";
	char why[EFFECT_TEXT_MAX];

	json_object_set_new(object, "configured",
			    backend->origin != ORIGIN_CONFIG
				    ? json_null()
				    : json_pack("{so,sb,sb}", "weight", integer(backend->weight),
						"drain", backend->drain, "maint",
						backend->maint_configured));
	json_object_set_new(object, "administrative",
			    json_pack("{so,ss?,ss?}", "weight",
				      set ? integer(backend->weight_runtime) : json_null(), "drain",
				      drain, "maint", maint));
	json_object_set_new(object, "effect", json_string(effect_word(backend, &facts)));
	json_object_set_new(object, "why", json_string(effect_why(backend, &facts, why)));
}

/* shares: slots by number, or NULL. */
static json_t *backend_view(const struct agent *agent, const struct pool *pool,
			    const struct pool_backend *backend, const uint32_t *shares)
{
	uint32_t id = agent_backend_id(pool, backend);
	const char *note = view_backend_note(agent, pool, backend);
	bool placed = backend->life != LIFE_PROVISIONING && ip_is_unicast(&backend->address);
	struct counter counter = {0};
	char address[IP_TEXT_MAX];
	json_t *object;

	if (id != NO_NUMBER)
		dataplane_backend_counter(agent->dataplane, id, &counter);
	object = json_pack("{ss,ss?,so,so,so,so,ss,ss,sb,so,sf,so,so,ss?}", "name", backend->name,
			   "address", placed ? ip_format(&backend->address, address) : NULL, "port",
			   integer(backend->port ? backend->port : pool->service->port), "weight",
			   integer(backend->weight), "weight_runtime",
			   backend->weight_runtime == NO_WEIGHT ? json_null()
								: integer(backend->weight_runtime),
			   "weight_effective", integer(backend_weight(backend)), "state",
			   lifecycle_names[backend->life], "origin", origin_names[backend->origin],
			   "reachable", id != NO_NUMBER && nexthop_known(agent->nexthops, id),
			   "nexthop", nexthop_json(agent, id), "share",
			   shares && backend->number < pool->backend_capacity
				   ? (double)shares[backend->number] / pool->slot_count
				   : 0.0,
			   "live_flows", integer(agent_live(agent, pool, backend)), "drain",
			   drain_view(agent, pool, backend), "note", note);
	if (object) {
		counter_add(object, &counter);
		json_object_set_new(object, "maint", json_boolean(backend->maint));
		json_object_set_new(object, "health", view_backend_health(agent, pool, backend));
		reasons_add(agent, pool, backend,
			    shares && backend->number < pool->backend_capacity
				    ? shares[backend->number]
				    : 0,
			    object);
	}
	return object;
}

/* The slots by number, to be freed; NULL: no memory or no table. */
static uint32_t *shares_read(const struct agent *agent, const struct pool *pool,
			     struct table_facts *ret_facts)
{
	uint32_t *shares = calloc(pool->backend_capacity, sizeof(*shares));

	*ret_facts = (struct table_facts){0};
	if (shares && dataplane_table(agent->dataplane, pool, ret_facts, shares)) {
		free(shares);
		return NULL;
	}
	return shares;
}

json_t *view_backend(const struct agent *agent, const struct pool *pool,
		     const struct pool_backend *backend)
{
	struct table_facts facts;
	uint32_t *shares = shares_read(agent, pool, &facts);
	json_t *object = backend_view(agent, pool, backend, shares);

	free(shares);
	return object;
}

static json_t *backends_view(const struct agent *agent, const struct pool *pool,
			     const uint32_t *shares)
{
	json_t *list = json_array();

	for (size_t i = 0; i < pool->backend_count; i++)
		json_array_append_new(list, backend_view(agent, pool, &pool->backends[i], shares));
	return list;
}

json_t *view_backends(const struct agent *agent, const struct pool *pool)
{
	struct table_facts facts;
	uint32_t *shares = shares_read(agent, pool, &facts);
	json_t *list = backends_view(agent, pool, shares);

	free(shares);
	return json_pack("{so}", "backends", list);
}

/* ------------------------------------------------------------------ services */

/* How its packets are treated now: full tracking ends some seconds after it was told to. */
static const char *tracking_now(const struct agent *agent, const struct pool *pool)
{
	const struct service *record = &dataplane_maps(agent->dataplane)->services[pool->id];

	return tracking_names[record->tracking == TRACKING_MINIMAL];
}

json_t *view_service(const struct agent *agent, const struct pool *pool)
{
	json_t *object = service_config_to_json(pool->service);
	struct table_facts facts;
	uint32_t *shares = shares_read(agent, pool, &facts);
	struct counter counter;
	char digest[20];

	if (object) {
		secret_options_hide(
			json_object_get(json_object_get(object, "autoscale"), "options"));
		snprintf(digest, sizeof(digest), "%016" PRIx64, facts.digest);
		if (!json_object_get(object, "autoscale"))
			json_object_set_new(object, "autoscale", json_null());
		json_object_set_new(object, "origin", json_string(origin_names[pool->origin]));
		json_object_set_new(object, "tracking_now", json_string(tracking_now(agent, pool)));
		json_object_set_new(object, "slots", integer(pool->slot_count));
		json_object_set_new(object, "generation", integer(facts.generation));
		json_object_set_new(object, "digest", json_string(digest));
		json_object_set_new(object, "unsettled", integer(facts.unsettled));
		dataplane_service_counter(agent->dataplane, pool->id, &counter);
		counter_add(object, &counter);
		json_object_set_new(object, "backends", backends_view(agent, pool, shares));
	}
	free(shares);
	return object;
}

json_t *view_services(const struct agent *agent)
{
	const struct state *state = agent->desired->state;
	json_t *list = json_array();

	for (size_t i = 0; i < state->pool_count; i++)
		json_array_append_new(list, view_service(agent, state->pools[i]));
	return json_pack("{so}", "services", list);
}

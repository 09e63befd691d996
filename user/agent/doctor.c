// SPDX-License-Identifier: GPL-2.0-only
/* Gathers what the doctor judges: of this host, its interfaces, and the ways to the backends. */
#include "agent/doctor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/view.h"

#define INTERFACES_MAX 256u

/* The interface's watch, made if need be; NULL without memory. */
static struct link_watch *watch_of(struct doctor *doctor, const struct host_link *link)
{
	struct link_watch *watches;

	for (size_t i = 0; i < doctor->watch_count; i++) {
		if (!strcmp(doctor->watches[i].name, link->name))
			return &doctor->watches[i];
	}
	watches = reallocarray(doctor->watches, doctor->watch_count + 1, sizeof(*watches));
	if (!watches)
		return NULL;
	doctor->watches = watches;
	watches += doctor->watch_count++;
	*watches = (struct link_watch){.carrier_changes = link->carrier_changes};
	memcpy(watches->name, link->name, sizeof(watches->name));
	return watches;
}

/* Half of the changes are losses. An interface that was made anew counts from 0. */
static uint32_t carrier_lost(struct doctor *doctor, const struct host_link *link)
{
	struct link_watch *watch = link->present ? watch_of(doctor, link) : NULL;

	if (!watch)
		return 0;
	if (link->carrier_changes < watch->carrier_changes)
		watch->carrier_changes = 0;
	return (link->carrier_changes - watch->carrier_changes + 1) / 2;
}

void doctor_watch(struct agent *agent)
{
	struct dataplane_interface attached[INTERFACES_MAX];
	size_t count = dataplane_interfaces(agent->dataplane, attached, INTERFACES_MAX);

	for (size_t i = 0; i < count && i < INTERFACES_MAX; i++) {
		struct host_link link;

		host_link_read(attached[i].name, &link);
		carrier_lost(&agent->doctor, &link);
	}
}

void doctor_clear(struct doctor *doctor)
{
	free(doctor->watches);
	*doctor = (struct doctor){0};
}

static void link_add(struct agent *agent, struct doctor_facts *facts, const char *name,
		     bool attached)
{
	struct doctor_link *link = &facts->links[facts->link_count++];

	host_link_read(name, &link->host);
	link->attached = attached;
	link->carrier_lost = carrier_lost(&agent->doctor, &link->host);
}

static bool link_listed(const struct doctor_facts *facts, const char *name)
{
	for (size_t i = 0; i < facts->link_count; i++) {
		if (!strcmp(facts->links[i].host.name, name))
			return true;
	}
	return false;
}

/* Those that are attached, and those that the config has. */
static int links_gather(struct agent *agent, struct doctor_facts *facts)
{
	struct dataplane_interface attached[INTERFACES_MAX];
	size_t count = dataplane_interfaces(agent->dataplane, attached, INTERFACES_MAX);
	const struct config *config = agent->config;

	count = count > INTERFACES_MAX ? INTERFACES_MAX : count;
	facts->links = calloc(count + config->interface_count + 1, sizeof(*facts->links));
	if (!facts->links)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		link_add(agent, facts, attached[i].name, attached[i].ifindex != 0);
	for (size_t i = 0; i < config->interface_count; i++) {
		if (!link_listed(facts, config->interfaces[i].name))
			link_add(agent, facts, config->interfaces[i].name, false);
	}
	return 0;
}

static void backend_add(const struct agent *agent, const struct pool *pool,
			const struct pool_backend *backend, struct doctor_facts *facts)
{
	uint32_t id = agent_backend_id(pool, backend);
	const struct backend *record = dataplane_backend(agent->dataplane, id);
	struct doctor_backend *fact = &facts->backends[facts->backend_count++];
	struct nexthop_view view = {0};

	*fact = (struct doctor_backend){
		.service = pool->service->name,
		.name = backend->name,
		.address = backend->address,
		.mss = pool->service->mss,
		.reachable = nexthop_known(agent->nexthops, id),
		.problem = view_backend_note(agent, pool, backend),
	};
	if (nexthop_view(agent->nexthops, id, &view))
		memcpy(fact->interface, view.interface, sizeof(fact->interface));
	if (!record || !fact->reachable)
		return;
	fact->overhead = backend_overhead(record);
	fact->way_mtu = record->inner_mtu ? record->inner_mtu + fact->overhead : 0;
}

static int backends_gather(const struct agent *agent, struct doctor_facts *facts)
{
	const struct state *state = agent->desired->state;
	size_t room = 1;

	for (size_t i = 0; i < state->pool_count; i++)
		room += state->pools[i]->backend_count;
	facts->backends = calloc(room, sizeof(*facts->backends));
	if (!facts->backends)
		return -ENOMEM;
	for (size_t i = 0; i < state->pool_count; i++) {
		const struct pool *pool = state->pools[i];

		if (pool->service->mode == FORWARD_MODE_NAT) {
			facts->nat4 |= ip_family(&pool->service->vip) == 4;
			facts->nat6 |= ip_family(&pool->service->vip) == 6;
		}
		for (size_t b = 0; b < pool->backend_count; b++) {
			if (backend_alive(&pool->backends[b]))
				backend_add(agent, pool, &pool->backends[b], facts);
		}
	}
	return 0;
}

int doctor_gather(struct agent *agent, struct doctor_facts *ret_facts)
{
	int err;

	*ret_facts = (struct doctor_facts){
		.pin_dir = agent->config->pin_dir,
		.state_dir = agent->config->state_dir,
		.agent_asked = true,
		.abi = SLUICE_ABI_VERSION,
		.maps_abi = dataplane_meta(agent->dataplane)->abi_version,
	};
	host_read(agent->config->pin_dir, agent->config->state_dir, &ret_facts->host);
	err = links_gather(agent, ret_facts);
	if (!err)
		err = backends_gather(agent, ret_facts);
	if (err)
		doctor_release(ret_facts);
	return err;
}

void doctor_release(struct doctor_facts *facts)
{
	free(facts->links);
	free(facts->backends);
	facts->links = NULL;
	facts->backends = NULL;
}

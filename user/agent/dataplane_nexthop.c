// SPDX-License-Identifier: GPL-2.0-only
/* Next hops in the records of the backends, and the interfaces that they leave by. */
#include <errno.h>
#include <string.h>

#include "agent/dataplane_private.h"
#include "base/log.h"

/* Unknown or absurd: 0, which sets no limit. */
static uint16_t inner_mtu(const struct backend *backend, uint32_t mtu)
{
	uint32_t overhead = backend_overhead(backend);

	return mtu > overhead ? (uint16_t)(mtu - overhead) : 0;
}

void way_write(struct backend *backend, const struct dataplane_way *way)
{
	if (way->nexthop.word) {
		memcpy(backend->source, way->source.word, sizeof(backend->source));
		backend->inner_mtu = inner_mtu(backend, way->mtu);
	}
	backend->outer_sum = backend->family == 4 && backend_mode(backend) == FORWARD_MODE_IPIP
				     ? backend_outer_sum(backend)
				     : 0;
	__atomic_store_n(&backend->nexthop.word, way->nexthop.word, __ATOMIC_RELEASE);
}

/* The index of an interface that packets leave by, made if need be. */
static int egress_index(struct dataplane *dataplane, uint32_t ifindex, const uint8_t mac[6])
{
	struct egress *egress = dataplane->maps.egress;
	int empty = -1;
	int code;

	for (int i = 0; i < (int)SLUICE_EGRESS_MAX; i++) {
		if (egress[i].ifindex == ifindex) {
			if (memcmp(egress[i].mac, mac, sizeof(egress[i].mac)) != 0)
				memcpy(egress[i].mac, mac, sizeof(egress[i].mac));
			return i;
		}
		if (!egress[i].ifindex && empty < 0)
			empty = i;
	}
	if (empty < 0)
		return -ENOSPC;
	code = dataplane_port_write(dataplane, (uint32_t)empty, ifindex);
	if (code)
		return code;
	memcpy(egress[empty].mac, mac, sizeof(egress[empty].mac));
	__atomic_store_n(&egress[empty].ifindex, ifindex, __ATOMIC_RELEASE);
	return empty;
}

static bool backend_has_address(const struct backend *backend, const struct ip *address)
{
	return backend->state != BACKEND_ABSENT &&
	       memcmp(backend->address, address->word, sizeof(backend->address)) == 0;
}

int dataplane_nexthop_set(struct dataplane *dataplane, uint32_t backend, const struct ip *address,
			  const struct dataplane_nexthop *nexthop)
{
	struct dataplane_way way = {.address = *address};
	int egress = 0;

	if (backend >= dataplane->maps.meta->backends_max)
		return -EINVAL;
	if (nexthop->ifindex)
		egress = egress_index(dataplane, nexthop->ifindex, nexthop->source_mac);
	if (nexthop->ifindex && egress >= 0) {
		memcpy(way.nexthop.mac, nexthop->mac, sizeof(way.nexthop.mac));
		way.nexthop.egress = (uint16_t)egress;
		way.source = nexthop->source;
		way.mtu = nexthop->mtu < UINT16_MAX ? (uint16_t)nexthop->mtu : UINT16_MAX;
	}
	dataplane->ways[backend] = way;
	if (backend_has_address(&dataplane->maps.backends[backend], address))
		way_write(&dataplane->maps.backends[backend], &way);
	return egress < 0 ? egress : 0;
}

void dataplane_egress_forget(struct dataplane *dataplane, uint32_t ifindex)
{
	struct egress *egress = dataplane->maps.egress;
	struct backend *backends = dataplane->maps.backends;

	for (uint32_t i = 0; i < SLUICE_EGRESS_MAX; i++) {
		if (!ifindex || egress[i].ifindex != ifindex)
			continue;
		for (uint32_t b = 0; b < dataplane->maps.meta->backends_max; b++) {
			if (dataplane->ways[b].nexthop.egress == i)
				dataplane->ways[b].nexthop.word = 0;
			if (backends[b].nexthop.word && backends[b].nexthop.egress == i)
				__atomic_store_n(&backends[b].nexthop.word, 0, __ATOMIC_RELEASE);
		}
		__atomic_store_n(&egress[i].ifindex, 0, __ATOMIC_RELEASE);
		dataplane_port_delete(dataplane, i);
	}
}

void egress_renew(struct dataplane *dataplane)
{
	struct egress *egress = dataplane->maps.egress;
	char name[IF_NAMESIZE];

	for (uint32_t i = 0; i < SLUICE_EGRESS_MAX; i++) {
		uint32_t ifindex = egress[i].ifindex;

		if (!ifindex)
			continue;
		if (!if_indextoname(ifindex, name) || dataplane_port_write(dataplane, i, ifindex))
			dataplane_egress_forget(dataplane, ifindex);
	}
}

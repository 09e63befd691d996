// SPDX-License-Identifier: GPL-2.0-only
/* The doctor on the ways to the backends: whether there is one, and whether packets fit it. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "model/doctor_private.h"

/* So many backends that cannot be reached are named; more are counted. */
#define BACKENDS_NAMED   20u
#define INTERFACES_NAMED 32u

/* What hosts on the internet send at most. */
#define MTU_COMMON  1500u
#define TCP_HEADERS 60u /* IPv6 and TCP without options */

/* The longest packet that comes in: what the interfaces take, or what is common. */
static uint32_t packet_longest(const struct doctor_facts *facts)
{
	uint32_t longest = 0;

	for (size_t i = 0; i < facts->link_count; i++) {
		if (facts->links[i].host.mtu > longest)
			longest = facts->links[i].host.mtu;
	}
	return longest && longest < MTU_COMMON ? longest : MTU_COMMON;
}

static uint32_t backend_need(const struct doctor_facts *facts, const struct doctor_backend *backend)
{
	uint32_t longest = packet_longest(facts);

	if (backend->mss && backend->mss + TCP_HEADERS < longest)
		longest = backend->mss + TCP_HEADERS;
	return longest + backend->overhead;
}

/* The backends that need most of an interface too small for them, one for each interface. */
struct tight {
	const struct doctor_backend *worst[INTERFACES_NAMED];
	size_t count;
};

static void tight_add(struct tight *tight, const struct doctor_facts *facts,
		      const struct doctor_backend *backend)
{
	uint32_t need = backend_need(facts, backend);
	size_t i = 0;

	if (!backend->way_mtu || backend->way_mtu >= need)
		return;
	while (i < tight->count && strcmp(tight->worst[i]->interface, backend->interface) != 0)
		i++;
	if (i == INTERFACES_NAMED ||
	    (i < tight->count && backend_need(facts, tight->worst[i]) >= need))
		return;
	tight->worst[i] = backend;
	tight->count += i == tight->count;
}

static void judge_mtu(struct findings *findings, const struct doctor_facts *facts,
		      const struct doctor_backend *backend)
{
	finding(findings, SEVERITY_WARNING, "mtu", backend->interface,
		"packets above %u bytes do not fit the way to backend %s of %s, which has an MTU of "
		"%u and takes %u bytes for itself",
		backend->way_mtu > backend->overhead ? backend->way_mtu - backend->overhead : 0,
		backend->name, backend->service, backend->way_mtu, backend->overhead);
	fix(findings, "ip link set dev %s mtu %u", backend->interface,
	    backend_need(facts, backend));
}

/* The problems are words of the agent's next hops. */
static void backend_fix(struct findings *findings, const struct doctor_backend *backend)
{
	const char *problem = backend->problem ? backend->problem : "";
	char address[IP_TEXT_MAX];

	ip_format(&backend->address, address);
	if (strstr(problem, "down or gone") && *backend->interface)
		fix(findings, "ip link set dev %s up", backend->interface);
	else if (strstr(problem, "neighbour"))
		fix(findings, "ping -c 3 %s", address);
	else
		fix(findings, "ip route get %s", address);
}

void judge_backends(struct findings *findings, const struct doctor_facts *facts)
{
	struct tight tight = {0};
	size_t lost = 0;
	char subject[160];

	for (size_t i = 0; i < facts->backend_count; i++) {
		const struct doctor_backend *backend = &facts->backends[i];

		tight_add(&tight, facts, backend);
		if (backend->reachable || lost++ >= BACKENDS_NAMED)
			continue;
		snprintf(subject, sizeof(subject), "%s/%s", backend->service, backend->name);
		finding(findings, SEVERITY_ERROR, "backend", subject,
			"packets cannot be sent to it: %s",
			backend->problem ? backend->problem : "the way to it is not known");
		backend_fix(findings, backend);
	}
	for (size_t i = 0; i < tight.count; i++)
		judge_mtu(findings, facts, tight.worst[i]);
	if (lost > BACKENDS_NAMED) {
		finding(findings, SEVERITY_ERROR, "backend", "all services",
			"packets cannot be sent to %zu more backends", lost - BACKENDS_NAMED);
		fix(findings, "sluice service ls");
	}
}

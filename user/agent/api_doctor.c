// SPDX-License-Identifier: GPL-2.0-only
/* GET /v1/doctor: the facts of this host and what is to be made of them. */
#include <errno.h>

#include "agent/api_call.h"

/* What could not be told is null. */
static json_t *known(int number)
{
	return number < 0 ? json_null() : json_boolean(number);
}

static json_t *link_to_json(const struct doctor_link *link)
{
	const struct host_link *host = &link->host;

	return json_pack("{ss,sb,sb,sb,sb,si,si,ss,so,so,so,so,si,si,si,si,si,so}", "name",
			 host->name, "present", host->present, "attached", link->attached, "up",
			 host->up, "running", host->running, "mtu", (int)host->mtu, "carrier_lost",
			 (int)link->carrier_lost, "driver", host->driver, "xdp_generic",
			 known(host->xdp_generic), "gro", known(host->gro), "lro", known(host->lro),
			 "rx_vlan", known(host->rxvlan), "rx_queues", (int)host->rx_queues,
			 "rx_queues_max", (int)host->rx_queues_max, "rss_queues",
			 (int)host->rss_queues, "irqs", (int)host->irqs, "irq_cpus",
			 (int)host->irq_cpus, "rp_filter",
			 host->rp_filter < 0 ? json_null() : json_integer(host->rp_filter));
}

static json_t *facts_to_json(const struct doctor_facts *facts)
{
	const struct host_facts *host = &facts->host;
	json_t *links = json_array();

	for (size_t i = 0; i < facts->link_count; i++)
		json_array_append_new(links, link_to_json(&facts->links[i]));
	return json_pack("{so,si,sb,so,so,so,so,sI,si,so}", "kernel",
			 json_sprintf("%u.%u", host->kernel_major, host->kernel_minor), "cpus",
			 (int)host->cpus, "bpffs", host->bpffs, "clock_synchronised",
			 known(host->clock_synchronised), "forward4", known(host->forward4),
			 "forward6", known(host->forward6), "state_writable",
			 known(host->state_writable), "state_free_bytes",
			 (json_int_t)host->state_free, "maps_abi", (int)facts->maps_abi,
			 "interfaces", links);
}

int api_doctor_get(struct api_call *call, struct error *error)
{
	struct doctor_facts facts;
	json_t *findings;
	int err = doctor_gather(call->agent, &facts);

	if (err)
		return error_set(error, err, "doctor: out of memory");
	findings = doctor_judge(&facts);
	call->answer =
		json_pack("{ss,si,so,so}", "version", SLUICE_VERSION, "abi", SLUICE_ABI_VERSION,
			  "findings", findings, "facts", facts_to_json(&facts));
	doctor_release(&facts);
	return 0;
}

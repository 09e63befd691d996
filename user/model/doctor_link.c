// SPDX-License-Identifier: GPL-2.0-only
/* The doctor on an interface: link, mode, offloads, queues, interrupts, reverse path filter. */
#include "model/doctor_private.h"

/* A link that was lost and came back so often in an agent's life is not only plugged in anew. */
#define FLAPS_MIN 3u

static void judge_presence(struct findings *findings, const struct doctor_facts *facts,
			   const struct doctor_link *link)
{
	const char *name = link->host.name;

	if (!link->host.present) {
		finding(findings, SEVERITY_ERROR, "interface", name, "there is no such interface");
		fix(findings, "ip -br link");
	} else if (!link->host.up) {
		finding(findings, SEVERITY_ERROR, "interface", name, "it is down");
		fix(findings, "ip link set dev %s up", name);
	} else if (!link->host.running) {
		finding(findings, SEVERITY_ERROR, "interface", name,
			"it has no link: cable, port or the other end is down");
		fix(findings, "ethtool %s", name);
	}
	if (link->host.present && facts->agent_asked && !link->attached) {
		finding(findings, SEVERITY_ERROR, "interface", name,
			"the config has it, and the program is not attached there");
		fix(findings, "sluice attach %s", name);
	}
	if (link->carrier_lost >= FLAPS_MIN) {
		finding(findings, SEVERITY_WARNING, "flaps", name,
			"it has lost its link %u times since the agent watches it",
			link->carrier_lost);
		fix(findings, "ethtool -S %s", name);
	}
}

static void judge_mode(struct findings *findings, const struct doctor_link *link)
{
	const struct host_link *host = &link->host;

	if (host->xdp_generic == 1) {
		finding(findings, SEVERITY_WARNING, "xdp_mode", host->name,
			"XDP runs in generic mode, several times slower than in the driver%s%s",
			*host->driver ? " " : "", host->driver);
		fix(findings, "sluice detach %s && sluice attach %s --mode native", host->name,
		    host->name);
		if (host->gro == 1) {
			finding(findings, SEVERITY_WARNING, "gro", host->name,
				"GRO merges packets before generic XDP sees them: they do not fit "
				"the way to a backend");
			fix(findings, "ethtool -K %s gro off", host->name);
		}
	}
	if (host->lro == 1) {
		finding(findings, SEVERITY_ERROR, "lro", host->name,
			"LRO merges packets in the device: they do not fit the way to a backend");
		fix(findings, "ethtool -K %s lro off", host->name);
	}
	if (host->rxvlan == 1) {
		finding(findings, SEVERITY_NOTE, "rx_vlan", host->name,
			"the device takes VLAN tags off before XDP sees them; if VIPs are reached "
			"by a VLAN, they lose it");
		fix(findings, "ethtool -K %s rxvlan off", host->name);
	}
}

static void judge_queues(struct findings *findings, const struct doctor_facts *facts,
			 const struct doctor_link *link)
{
	const struct host_link *host = &link->host;
	uint32_t wanted = facts->host.cpus;

	if (host->rx_queues_max && wanted > host->rx_queues_max)
		wanted = host->rx_queues_max;
	if (host->rx_queues && host->rx_queues < wanted) {
		finding(findings, SEVERITY_WARNING, "queues", host->name,
			"it receives by %u of %u queues, and there are %u CPUs", host->rx_queues,
			host->rx_queues_max, facts->host.cpus);
		fix(findings, "ethtool -L %s combined %u || ethtool -L %s rx %u", host->name,
		    wanted, host->name, wanted);
	} else if (host->rx_queues && host->rx_queues < facts->host.cpus) {
		finding(findings, SEVERITY_NOTE, "queues", host->name,
			"it has %u receive queue%s for %u CPUs, and cannot have more",
			host->rx_queues, host->rx_queues == 1 ? "" : "s", facts->host.cpus);
		fix(findings, "ethtool -l %s", host->name);
	}
	if (host->rss_queues && host->rss_queues < host->rx_queues) {
		finding(findings, SEVERITY_WARNING, "rss", host->name,
			"flows are spread over %u of its %u queues", host->rss_queues,
			host->rx_queues);
		fix(findings, "ethtool -X %s default", host->name);
	}
	if (host->irqs > 1 && host->irq_cpus == 1 && facts->host.cpus > 1) {
		finding(findings, SEVERITY_WARNING, "irq", host->name,
			"all of its %u interrupts are served by one CPU", host->irqs);
		fix(findings, "systemctl restart irqbalance");
	}
}

void judge_link(struct findings *findings, const struct doctor_facts *facts,
		const struct doctor_link *link)
{
	judge_presence(findings, facts, link);
	if (!link->host.present)
		return;
	judge_mode(findings, link);
	judge_queues(findings, facts, link);
	if (link->host.rp_filter == 1) {
		finding(findings, SEVERITY_WARNING, "rp_filter", link->host.name,
			"the strict reverse path filter drops what sluice leaves to the host if its "
			"answer would leave by another interface");
		fix(findings, "sysctl -w net.ipv4.conf.%s.rp_filter=2", link->host.name);
	}
}

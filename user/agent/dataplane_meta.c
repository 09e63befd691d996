// SPDX-License-Identifier: GPL-2.0-only
/* What the config means for the maps and the program: sizes, seed, clock and timeouts. */
#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <time.h>

#include "agent/dataplane_private.h"
#include "sluice/service_table.h"

/*
 * Ages in the flow table wrap at 2^13 ticks. Timeouts stay so far below it that an entry is swept
 * before its age wraps.
 */
#define TIMEOUT_TICKS_MAX ((1u << SLUICE_SEEN_BITS) - 512)

static uint32_t timeout_ticks(uint64_t timeout_ms, uint32_t tick_ms)
{
	uint64_t ticks = (timeout_ms + tick_ms - 1) / tick_ms;

	if (ticks > TIMEOUT_TICKS_MAX)
		return TIMEOUT_TICKS_MAX;
	return ticks ? (uint32_t)ticks : 1;
}

/* Between packets of a rate per second; 0: none at all. */
static uint64_t interval_ns(uint32_t rate)
{
	return rate ? 1000000000u / rate : 0;
}

static void sources_fill(struct settings *settings, const struct tunnel_config *tunnel)
{
	const struct prefix *v4 = &tunnel->source_prefix4, *v6 = &tunnel->source_prefix6;
	struct ip mask;

	if (v4->address.word[3]) {
		prefix_mask(4, v4->length, &mask);
		settings->source_v4 = v4->address.word[3];
		settings->source_v4_bits = ~mask.word[3];
	}
	if (!v6->address.word[0])
		return;
	prefix_mask(6, v6->length, &mask);
	for (int i = 0; i < 4; i++) {
		settings->source_v6[i] = v6->address.word[i];
		settings->source_v6_bits[i] = ~mask.word[i];
	}
}

void settings_fill(struct dataplane *dataplane, const struct config *config,
		   const struct meta *meta)
{
	struct timespec jiffy = {.tv_nsec = 4000000};
	uint32_t hz, shift = 0, tick_ms;

	/* The coarse clock moves once a jiffy. */
	clock_getres(CLOCK_MONOTONIC_COARSE, &jiffy);
	hz = (uint32_t)((1000000000 + jiffy.tv_nsec / 2) / jiffy.tv_nsec);
	while (2 * hz >= 3u << shift)
		shift++;
	tick_ms = (1000u << shift) / hz;
	dataplane->tick_ms = tick_ms;
	dataplane->maps.settings = (struct settings){
		.seed = meta->seed,
		.cpus = meta->cpus,
		.services_max = meta->services_max,
		.backends_max = meta->backends_max,
		.flow_mask = meta->flow_buckets - 1,
		.tick_shift = shift,
		.closing_ticks = timeout_ticks(config->timeouts.closing_ms, tick_ms),
		.probation_ticks = timeout_ticks(config->timeouts.probation_ms, tick_ms),
		.proven_tcp_ticks = timeout_ticks(config->timeouts.tcp_idle_ms, tick_ms),
		.proven_udp_ticks = timeout_ticks(config->timeouts.udp_idle_ms, tick_ms),
		.echo_interval_ns =
			config->icmp.echo == ECHO_ANSWER ? interval_ns(config->icmp.echo_rate) : 0,
		.error_interval_ns = interval_ns(config->icmp.error_rate),
		.gue_port = htons(config->tunnel.gue_port),
		.key_mask = service_table_lines(meta->services_max * 2) - 1,
	};
	sources_fill(&dataplane->maps.settings, &config->tunnel);
}

void meta_fill(const struct config *config, struct meta *ret_meta)
{
	uint32_t buckets = 1;

	while (buckets < config->limits.flows / SLUICE_FLOWS_PER_BUCKET && buckets < 1u << 28)
		buckets *= 2;
	*ret_meta = (struct meta){
		.abi_version = SLUICE_ABI_VERSION,
		.cpus = (uint32_t)libbpf_num_possible_cpus(),
		.services_max = config->limits.services,
		.backends_max = config->limits.backends,
		.slot_lines = config->limits.slots / SLUICE_SLOTS_PER_LINE,
		.flow_buckets = buckets,
		.seed = config->seed,
	};
}

bool meta_fits(const struct meta *pinned, const struct meta *wanted)
{
	return pinned->abi_version == wanted->abi_version && pinned->cpus == wanted->cpus &&
	       pinned->services_max == wanted->services_max &&
	       pinned->backends_max == wanted->backends_max &&
	       pinned->slot_lines == wanted->slot_lines &&
	       pinned->flow_buckets == wanted->flow_buckets && pinned->seed == wanted->seed;
}

static int meta_differs(const char *pin_dir, const char *what, uint64_t pinned, uint64_t wanted,
			struct error *error)
{
	return error_set(error, -EEXIST,
			 "%s: the pinned maps were made with %s %llu, and %llu is wanted now; put "
			 "it back, or remove the pins with `sluiced --cleanup`, which stops "
			 "forwarding and forgets all flows",
			 pin_dir, what, (unsigned long long)pinned, (unsigned long long)wanted);
}

int meta_check(const char *pin_dir, const struct meta *pinned, const struct meta *wanted,
	       struct error *error)
{
	if (pinned->abi_version > wanted->abi_version)
		return error_set(
			error, -EEXIST,
			"%s: the pinned maps are of a later sluiced (ABI version %u, this "
			"one has %u), which goes on forwarding; install that one again, or "
			"remove the pins with `sluiced --cleanup`, which stops forwarding",
			pin_dir, pinned->abi_version, wanted->abi_version);
	if (pinned->abi_version < SLUICE_ABI_OLDEST)
		return meta_differs(pin_dir, "ABI version", pinned->abi_version,
				    wanted->abi_version, error);
	/* Every flow's place in the flow table follows from the seed. */
	if (pinned->seed != wanted->seed)
		return meta_differs(pin_dir, "agent.seed", pinned->seed, wanted->seed, error);
	if (pinned->cpus != wanted->cpus)
		return meta_differs(pin_dir, "a number of CPUs of", pinned->cpus, wanted->cpus,
				    error);
	return 0;
}

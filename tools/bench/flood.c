// SPDX-License-Identifier: GPL-2.0-only
/* Established flows, a flood of spoofed packets, and a change of the pool: who is still at home. */
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define FLOWS        10000u
#define FIRST_SOURCE 0xc0a80000u /* 192.168.0.0/16; the wrapper's floods come from elsewhere */

/* So many spoofed packets, half of each kind, are between two packets of a busy flow. */
#define ROUND_PACKETS 200000u

/*
 * What the service's slots say, as numbers that are added to an owner. The flows are opened while
 * an earlier change is still under way, and the next one moves every slot, so neither owner of a
 * flow's slot is the flow's own backend then: nothing but its entry knows it.
 */
#define SHIFT_OLD   0
#define SHIFT_OPEN  1
#define SHIFT_AFTER 2

static uint32_t flow_send(struct dataplane *dataplane, uint32_t flow, uint8_t flags)
{
	uint8_t frame[FRAME_LENGTH];

	frame_fill(frame, BENCH_VIP, flags);
	frame_source(frame, FIRST_SOURCE + flow);
	return dataplane_backend(dataplane, frame, sizeof(frame));
}

/* The flow's handshake, and its first request. */
static uint32_t flow_open(struct dataplane *dataplane, uint32_t flow)
{
	uint32_t backend = flow_send(dataplane, flow, FRAME_SYN);

	for (int i = 0; i < 2; i++) {
		if (flow_send(dataplane, flow, FRAME_ACK) != backend)
			die("a flow did not stay where it was opened; the benchmark itself is wrong");
	}
	return backend;
}

static bool flow_is_busy(uint32_t flow)
{
	return flow % 2;
}

/* Each packet of the flood is of a flow of its own. */
static void flood(struct dataplane *dataplane, uint32_t packets)
{
	const struct stream streams[] = {
		{BENCH_VIP, 1u << 24, 0x0b000000, FRAME_SYN},
		{BENCH_VIP, 1u << 24, 0x0c000000, FRAME_ACK},
	};
	struct target *targets[2];

	for (int i = 0; i < 2; i++)
		targets[i] = target_new(dataplane_program(dataplane), &streams[i]);
	for (uint32_t sent = 0; sent < packets; sent += ROUND_PACKETS / 2) {
		for (int i = 0; i < 2; i++)
			target_run(targets[i], ROUND_PACKETS / 2);
		for (uint32_t flow = 0; flow < FLOWS; flow++) {
			if (flow_is_busy(flow))
				flow_send(dataplane, flow, FRAME_ACK);
		}
	}
	for (int i = 0; i < 2; i++)
		target_free(targets[i]);
}

/* Percent of the busy flows, or of the others, that are where they were opened. */
static double kept_percent(struct dataplane *dataplane, const uint8_t *backends, bool busy)
{
	uint32_t flows = 0, kept = 0;

	for (uint32_t flow = 0; flow < FLOWS; flow++) {
		if (flow_is_busy(flow) != busy)
			continue;
		flows++;
		kept += flow_send(dataplane, flow, FRAME_ACK) == backends[flow];
	}
	return 100.0 * kept / flows;
}

struct flood_kept flood_run(struct dataplane *dataplane, uint32_t packets)
{
	uint8_t *backends = calloc(FLOWS, sizeof(*backends));
	struct flood_kept kept;

	if (!backends)
		die("out of memory");
	dataplane_track(dataplane, TRACKING_FULL);
	dataplane_owners(dataplane, SHIFT_OPEN, SHIFT_OLD);
	for (uint32_t flow = 0; flow < FLOWS; flow++)
		backends[flow] = (uint8_t)flow_open(dataplane, flow);
	flood(dataplane, packets);
	dataplane_owners(dataplane, SHIFT_AFTER, SHIFT_OLD);
	kept.busy = kept_percent(dataplane, backends, true);
	kept.idle = kept_percent(dataplane, backends, false);
	kept.all = (kept.busy + kept.idle) / 2;
	dataplane_track(dataplane, TRACKING_FULL);
	kept.forgotten = (kept_percent(dataplane, backends, true) +
			  kept_percent(dataplane, backends, false)) /
			 2;
	free(backends);
	return kept;
}

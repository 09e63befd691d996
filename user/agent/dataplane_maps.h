/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps of the data plane as memory, mapped shared with the kernel. */
#ifndef AGENT_DATAPLANE_MAPS_H
#define AGENT_DATAPLANE_MAPS_H

#include <stdint.h>

#include "sluice/abi.h"

struct dataplane_maps {
	struct meta *meta;
	struct service_line *service_keys;
	struct vip_filter_line *vip_filter;
	struct service *services;
	struct guard_limit *guard_limits;
	struct slot_line *slots;
	struct backend *backends;
	struct backend_load *loads;
	struct nat_use *nat_use;
	struct egress *egress;
	struct counter *backend_counters;
	struct counter *service_counters;
	struct verdict_counter *verdict_counters;
	struct flow_counter *flow_counters;
	struct flow_bucket *flows;
	struct settings settings; /* those of the loaded program */
};

#endif

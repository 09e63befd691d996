/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of a migration share: the maps that are to give way to new ones. */
#ifndef AGENT_DATAPLANE_MIGRATE_H
#define AGENT_DATAPLANE_MIGRATE_H

#include "agent/dataplane_private.h"
#include "model/flow_move.h"

/* A map before, as memory; NULL: it goes on as it is, or cannot be read. */
struct old_map {
	void *memory;
	size_t value_size;
	uint32_t entries;
};

struct migration {
	struct meta meta; /* of the maps before */
	bool may_move;    /* blocks of pools may have other places in the new maps */
	bool pinned;      /* there is something in NEXT_FOLDER */
	struct old_map services, slots, backends, loads, flows;
	struct old_map backend_counters, service_counters;
	/* Where the flows' backends are now; only if may_move. Sorted. */
	struct block_move *moves;
	size_t move_count;
};

static inline void *old_record(const struct old_map *map, uint32_t index)
{
	/* Arrays round each value up to 8 bytes. */
	return (char *)map->memory + index * ((map->value_size + 7) / 8 * 8);
}

/* old_map_open - map a pinned array; one that is not there, or no such array, is no error. */
void old_map_open(const char *pin_dir, const char *name, struct old_map *ret_map);
void old_map_close(struct old_map *map);

#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maps of another version or size take the place of those that are pinned. What can go on goes on,
 * shared by the program before and the new one; the rest is made anew, beside.
 */
#include "agent/dataplane_migrate.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "sluice.skel.h"

/* When a map may be shared by the program before and the new one. */
enum sharing {
	SHARE_NEVER = 0,
	SHARE_ALWAYS, /* if its definition is the same: its records have no places of pools */
	SHARE_PLACES, /* the same, if the pools keep their places */
	/*
	 * All of them or none, of one version: the new program's table must not lead the one before
	 * to a record that this one does not have.
	 */
	SHARE_CHOICE,
	SHARE_VERSION, /* what this list does not know: only of one version */
};

static enum sharing map_sharing(const char *name)
{
	static const struct {
		const char *name;
		enum sharing sharing;
	} maps[] = {
		{META_PIN, SHARE_NEVER},
		{"egress", SHARE_ALWAYS},
		/* A device map takes programs of one kind, which older versions' are not. */
		{"egress_ports", SHARE_VERSION},
		{"verdict_counters", SHARE_ALWAYS},
		{"flow_counters", SHARE_ALWAYS},
		{"slots", SHARE_PLACES},
		{"flows", SHARE_PLACES},
		{"backend_counters", SHARE_PLACES},
		{"service_counters", SHARE_PLACES},
		{"services", SHARE_CHOICE},
		{"service_keys", SHARE_CHOICE},
		{"backends", SHARE_CHOICE},
		{"backend_loads", SHARE_CHOICE},
		{"quic_ids", SHARE_CHOICE},
		{"nat_replies", SHARE_CHOICE},
		{"nat_use", SHARE_CHOICE},
		{"guard_limits", SHARE_CHOICE},
	};

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		if (!strcmp(maps[i].name, name))
			return maps[i].sharing;
	}
	return SHARE_VERSION;
}

void old_map_open(const char *pin_dir, const char *name, struct old_map *ret_map)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	char pin[PIN_PATH_MAX];
	void *memory = MAP_FAILED;
	int fd;

	*ret_map = (struct old_map){0};
	pins_path(pin_dir, "", name, pin);
	fd = bpf_obj_get(pin);
	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &size) && info.type == BPF_MAP_TYPE_ARRAY)
		memory = mmap(NULL, (size_t)info.max_entries * ((info.value_size + 7) / 8 * 8),
			      PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (memory != MAP_FAILED)
		*ret_map = (struct old_map){memory, info.value_size, info.max_entries};
}

void old_map_close(struct old_map *map)
{
	if (map->memory)
		munmap(map->memory, (size_t)map->entries * ((map->value_size + 7) / 8 * 8));
	map->memory = NULL;
}

/* Whether the pinned map of this name is defined as the object's. */
static bool map_same(const char *pin_dir, const struct bpf_map *map)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	char pin[PIN_PATH_MAX];
	bool same = false;
	int fd;

	pins_path(pin_dir, "", bpf_map__name(map), pin);
	fd = bpf_obj_get(pin);
	if (fd < 0)
		return false;
	if (!bpf_obj_get_info_by_fd(fd, &info, &size))
		same = info.type == bpf_map__type(map) && info.key_size == bpf_map__key_size(map) &&
		       info.value_size == bpf_map__value_size(map) &&
		       info.max_entries == bpf_map__max_entries(map) &&
		       info.map_flags == bpf_map__map_flags(map);
	close(fd);
	return same;
}

/* Whether all the maps by which a packet's backend is chosen can be shared. */
static bool choice_shared(const struct dataplane *dataplane, bool same_version)
{
	const struct bpf_map *map;

	bpf_object__for_each_map(map, dataplane->object->obj)
	{
		bool concerned = map_sharing(bpf_map__name(map)) == SHARE_CHOICE ||
				 !strcmp(bpf_map__name(map), "slots");

		if (concerned && (!same_version || !map_same(dataplane->pin_dir, map)))
			return false;
	}
	return true;
}

static bool map_shared(const struct dataplane *dataplane, const struct bpf_map *map, bool choice,
		       bool same_version)
{
	enum sharing sharing = map_sharing(bpf_map__name(map));
	bool may_move = dataplane->migration->may_move;

	if (sharing == SHARE_NEVER || (may_move && sharing != SHARE_ALWAYS))
		return false;
	if (sharing == SHARE_CHOICE)
		return choice;
	if (sharing == SHARE_VERSION && !same_version)
		return false;
	return map_same(dataplane->pin_dir, map);
}

static void old_maps_open(struct dataplane *dataplane)
{
	struct migration *migration = dataplane->migration;
	struct sluice_bpf *object = dataplane->object;
	const struct {
		const struct bpf_map *map;
		struct old_map *old;
	} maps[] = {
		{object->maps.services, &migration->services},
		{object->maps.slots, &migration->slots},
		{object->maps.backends, &migration->backends},
		{object->maps.backend_loads, &migration->loads},
		{object->maps.flows, &migration->flows},
		{object->maps.backend_counters, &migration->backend_counters},
		{object->maps.service_counters, &migration->service_counters},
	};

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		if (bpf_map__fd(maps[i].map) < 0)
			old_map_open(dataplane->pin_dir, bpf_map__name(maps[i].map), maps[i].old);
	}
}

int migration_begin(struct dataplane *dataplane, const struct meta *pinned,
		    const struct meta *wanted, struct error *error)
{
	struct migration *migration = calloc(1, sizeof(*migration));
	bool same_version = pinned->abi_version == wanted->abi_version, choice;
	struct bpf_map *map;
	uint32_t fresh = 0;
	int code = 0;

	if (!migration)
		return error_set(error, -ENOMEM, "out of memory");
	dataplane->migration = migration;
	migration->meta = *pinned;
	migration->may_move = wanted->services_max < pinned->services_max ||
			      wanted->backends_max < pinned->backends_max ||
			      wanted->slot_lines < pinned->slot_lines;
	choice = choice_shared(dataplane, same_version);
	bpf_object__for_each_map(map, dataplane->object->obj)
	{
		if (bpf_map__is_internal(map))
			continue;
		if (!map_shared(dataplane, map, choice, same_version))
			fresh++;
		else
			code = map_adopt(dataplane->pin_dir, map, error);
		if (code)
			return code;
	}
	old_maps_open(dataplane);
	log_info("%s: the pinned maps are of other limits or another version; %u are made anew",
		 dataplane->pin_dir, fresh);
	return 0;
}

/* Whether the object's map is the one that is pinned already. */
static bool map_is_pinned(const struct dataplane *dataplane, const struct bpf_map *map)
{
	struct bpf_map_info own = {0}, other = {0};
	uint32_t own_size = sizeof(own), other_size = sizeof(other);
	char pin[PIN_PATH_MAX];
	bool same = false;
	int fd;

	pins_path(dataplane->pin_dir, "", bpf_map__name(map), pin);
	fd = bpf_obj_get(pin);
	if (fd < 0)
		return false;
	if (!bpf_obj_get_info_by_fd(fd, &other, &other_size) &&
	    !bpf_obj_get_info_by_fd(bpf_map__fd(map), &own, &own_size))
		same = own.id == other.id;
	close(fd);
	return same;
}

int migration_pin(struct dataplane *dataplane, const struct meta *wanted, struct error *error)
{
	char next[PIN_PATH_MAX];
	struct bpf_map *map;
	int code = 0;

	*dataplane->maps.meta = *wanted;
	/* What the agent wants goes on, and belongs to these maps too. */
	dataplane->maps.meta->instance = dataplane->migration->meta.instance;
	pins_path(dataplane->pin_dir, "", NEXT_FOLDER, next);
	dataplane->migration->pinned = true;
	if (mkdir(next, 0700) < 0)
		return error_set(error, -errno, "%s: cannot make it: %s", next, strerror(errno));
	bpf_object__for_each_map(map, dataplane->object->obj)
	{
		if (!code && !bpf_map__is_internal(map) && !map_is_pinned(dataplane, map))
			code = pin_make(next, bpf_map__name(map), bpf_map__fd(map), error);
	}
	return code ? code : pin_make(next, PROGRAM_PIN, dataplane->program, error);
}

void migration_free(struct dataplane *dataplane)
{
	struct migration *migration = dataplane->migration;

	if (!migration)
		return;
	if (migration->pinned)
		pins_folder_remove(dataplane->pin_dir, NEXT_FOLDER);
	old_map_close(&migration->services);
	old_map_close(&migration->slots);
	old_map_close(&migration->backends);
	old_map_close(&migration->loads);
	old_map_close(&migration->flows);
	old_map_close(&migration->backend_counters);
	old_map_close(&migration->service_counters);
	free(migration->moves);
	free(migration);
	dataplane->migration = NULL;
}

// SPDX-License-Identifier: GPL-2.0-only
/* The maps of the object: their sizes, their pins, and their memory. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/dataplane_private.h"
#include "sluice.skel.h"
#include "sluice/service_table.h"

#define NOT_MAPPED SIZE_MAX

/* A map whose size the limits decide. */
struct map_size {
	const char *name;
	uint64_t entries;
	size_t value_size;
	size_t place; /* of its pointer in struct dataplane_maps, or NOT_MAPPED */
};

#define MAP_SIZES  18
#define PLACE(map) offsetof(struct dataplane_maps, map)

static void map_sizes_fill(const struct meta *meta, struct map_size sizes[MAP_SIZES])
{
	uint64_t cpus = meta->cpus, services = meta->services_max, backends = meta->backends_max;
	const struct map_size all[MAP_SIZES] = {
		/* Each service has a key of its own and at most one of its VIP. */
		{"service_keys", service_table_lines(meta->services_max * 2),
		 sizeof(struct service_line), PLACE(service_keys)},
		{"egress_ports", SLUICE_EGRESS_MAX, 0, NOT_MAPPED},
		{"quic_ids", backends, 0, NOT_MAPPED},
		{"nat_replies", backends, 0, NOT_MAPPED},
		{"nat_use", 1, sizeof(struct nat_use), PLACE(nat_use)},
		{"meta", 1, sizeof(struct meta), PLACE(meta)},
		{"vip_filter", SLUICE_VIP_FILTER_BITS / 512, sizeof(struct vip_filter_line),
		 PLACE(vip_filter)},
		{"services", services, sizeof(struct service), PLACE(services)},
		{"guard_limits", services, sizeof(struct guard_limit), PLACE(guard_limits)},
		{"slots", meta->slot_lines, sizeof(struct slot_line), PLACE(slots)},
		{"backends", backends, sizeof(struct backend), PLACE(backends)},
		{"backend_loads", backends, sizeof(struct backend_load), PLACE(loads)},
		{"egress", SLUICE_EGRESS_MAX, sizeof(struct egress), PLACE(egress)},
		{"backend_counters", backends * cpus, sizeof(struct counter),
		 PLACE(backend_counters)},
		{"service_counters", services * cpus, sizeof(struct counter),
		 PLACE(service_counters)},
		{"verdict_counters", VERDICT_COUNT * cpus, sizeof(struct verdict_counter),
		 PLACE(verdict_counters)},
		{"flow_counters", cpus, sizeof(struct flow_counter), PLACE(flow_counters)},
		{"flows", meta->flow_buckets, sizeof(struct flow_bucket), PLACE(flows)},
	};

	memcpy(sizes, all, sizeof(all));
}

static void **map_place(struct dataplane *dataplane, const struct map_size *size)
{
	return (void **)((char *)&dataplane->maps + size->place);
}

/* The sizes of new maps. */
int maps_size(struct dataplane *dataplane, const struct meta *meta, struct error *error)
{
	struct map_size sizes[MAP_SIZES];
	struct bpf_map *map;
	int code;

	map_sizes_fill(meta, sizes);
	for (size_t i = 0; i < MAP_SIZES; i++) {
		map = bpf_object__find_map_by_name(dataplane->object->obj, sizes[i].name);
		code = map && sizes[i].entries <= UINT32_MAX
			       ? bpf_map__set_max_entries(map, (uint32_t)sizes[i].entries)
			       : -EINVAL;
		if (code)
			return error_set(error, code,
					 "map %s: cannot have %llu entries: %s; lower the limits",
					 sizes[i].name, (unsigned long long)sizes[i].entries,
					 strerror(-code));
	}
	return 0;
}

int map_adopt(const char *pin_dir, struct bpf_map *map, struct error *error)
{
	char pin[PIN_PATH_MAX];
	int code, fd;

	pins_path(pin_dir, "", bpf_map__name(map), pin);
	fd = bpf_obj_get(pin);
	if (fd < 0)
		return error_set(error, fd,
				 "%s: the pin is missing or broken: %s; remove the others with "
				 "`sluiced --cleanup`, which stops forwarding",
				 pin, strerror(-fd));
	code = bpf_map__reuse_fd(map, fd);
	close(fd);
	if (code)
		error_set(error, code, "%s: cannot adopt the pinned map: %s", pin, strerror(-code));
	return code;
}

int maps_adopt(struct dataplane *dataplane, struct error *error)
{
	struct bpf_map *map;
	int code = 0;

	bpf_object__for_each_map(map, dataplane->object->obj)
	{
		if (!bpf_map__is_internal(map))
			code = map_adopt(dataplane->pin_dir, map, error);
		if (code)
			return code;
	}
	return 0;
}

int maps_map(struct dataplane *dataplane, const struct meta *meta, struct error *error)
{
	struct map_size sizes[MAP_SIZES];

	map_sizes_fill(meta, sizes);
	for (size_t i = 0; i < MAP_SIZES; i++) {
		size_t length = (size_t)sizes[i].entries * sizes[i].value_size;
		void *memory;

		if (sizes[i].place == NOT_MAPPED)
			continue;
		memory = mmap(
			NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED,
			bpf_object__find_map_fd_by_name(dataplane->object->obj, sizes[i].name), 0);
		if (memory == MAP_FAILED)
			return error_set(error, -errno, "map %s: cannot map it: %s", sizes[i].name,
					 strerror(errno));
		*map_place(dataplane, &sizes[i]) = memory;
	}
	return 0;
}

void maps_unmap(struct dataplane *dataplane)
{
	struct map_size sizes[MAP_SIZES];
	struct meta meta;

	if (!dataplane->maps.meta)
		return;
	meta = *dataplane->maps.meta;
	map_sizes_fill(&meta, sizes);
	for (size_t i = 0; i < MAP_SIZES; i++) {
		if (sizes[i].place != NOT_MAPPED && *map_place(dataplane, &sizes[i]))
			munmap(*map_place(dataplane, &sizes[i]),
			       (size_t)sizes[i].entries * sizes[i].value_size);
	}
}

int pin_make(const char *pin_dir, const char *name, int fd, struct error *error)
{
	char path[PIN_PATH_MAX];
	int code;

	pins_path(pin_dir, "", name, path);
	code = bpf_obj_pin(fd, path);
	if (code)
		error_set(error, code, "%s: cannot pin: %s", path, strerror(-code));
	return code;
}

int maps_pin(struct dataplane *dataplane, struct error *error)
{
	struct bpf_map *map;
	int code;

	bpf_object__for_each_map(map, dataplane->object->obj)
	{
		if (bpf_map__is_internal(map) || strcmp(bpf_map__name(map), META_PIN) == 0)
			continue;
		code = pin_make(dataplane->pin_dir, bpf_map__name(map), bpf_map__fd(map), error);
		if (code)
			return code;
	}
	return pin_make(dataplane->pin_dir, META_PIN, bpf_map__fd(dataplane->object->maps.meta),
			error);
}

/* Read the pinned meta record. Returns -ENOENT if nothing is pinned. */
int meta_read(const char *pin_dir, struct meta *ret_meta, struct error *error)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info), zero = 0;
	char pin[PIN_PATH_MAX];
	int code, fd;

	pins_path(pin_dir, "", META_PIN, pin);
	fd = bpf_obj_get(pin);
	if (fd == -ENOENT)
		return fd;
	if (fd < 0)
		return error_set(error, fd, "%s: cannot open the pinned map: %s", pin,
				 strerror(-fd));
	code = bpf_obj_get_info_by_fd(fd, &info, &size);
	if (!code && info.value_size != sizeof(*ret_meta))
		code = error_set(
			error, -EEXIST,
			"%s: the pinned maps are of another version of sluice; remove them "
			"with `sluiced --cleanup`, which stops forwarding",
			pin);
	else if (code || (code = bpf_map_lookup_elem(fd, &zero, ret_meta)))
		error_set(error, code, "%s: cannot read the pinned map: %s", pin, strerror(-code));
	close(fd);
	return code;
}

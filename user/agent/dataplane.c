// SPDX-License-Identifier: GPL-2.0-only
/* The data plane's object: loaded with new maps or with those that are pinned, and let go. */
#include "agent/dataplane.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "agent/dataplane_private.h"
#include "base/file.h"
#include "base/log.h"
#include "sluice.skel.h"
#include "sluice/service_table.h"

#define META_PIN          "meta"
#define PROGRAM_PIN       "program"
#define PROGRAM_FRESH_PIN "program-fresh"
#define VERIFIER_LOG_SIZE (1u << 20)
#define VERIFIER_TAIL     200

#define NOT_MAPPED        SIZE_MAX

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

/* libbpf's chatter, one level down. */
static int __attribute__((format(printf, 2, 0)))
libbpf_talk(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char line[512];

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), format, arguments);
	line[strcspn(line, "\n")] = '\0';
	log_debug("libbpf: %s", line);
	return 0;
}

static int bpf_refused(int code, struct error *error)
{
	if (code == -ENOSYS)
		return error_set(
			error, code,
			"the kernel has no BPF (bpf: %s); boot one with CONFIG_BPF_SYSCALL",
			strerror(-code));
	if (code == -EPERM)
		return error_set(error, code,
				 "the kernel refuses BPF (bpf: %s); run sluiced as root, or with "
				 "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, and without a seccomp "
				 "filter or lockdown against it",
				 strerror(-code));
	return error_set(error, code, "the kernel refuses BPF: %s", strerror(-code));
}

/*
 * A program that returns the kernel's jiffies; being able to load it also tells whether there is
 * BPF and the privilege for it, before anything is changed.
 */
static int tick_program_load(struct error *error)
{
	const struct bpf_insn code[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_jiffies64},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .prog_flags = BPF_F_SLEEPABLE);
	int program = bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "sluice_tick", "GPL", code,
				    sizeof(code) / sizeof(code[0]), &options);

	return program < 0 ? bpf_refused(program, error) : program;
}

uint32_t dataplane_tick(struct dataplane *dataplane)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);

	if (bpf_prog_test_run_opts(dataplane->tick_program, &options) == 0)
		dataplane->tick =
			(options.retval >> dataplane->maps.settings.tick_shift) & SLUICE_SEEN_MASK;
	return dataplane->tick;
}

uint32_t dataplane_tick_ms(const struct dataplane *dataplane)
{
	return dataplane->tick_ms;
}

/* Read the pinned meta record. Returns -ENOENT if nothing is pinned. */
static int meta_read(const char *pin_dir, struct meta *ret_meta, struct error *error)
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

static int unpin_all(const char *pin_dir)
{
	DIR *folder = opendir(pin_dir);
	const struct dirent *entry;
	char pin[PIN_PATH_MAX];
	int count = 0;

	while (folder && (entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		pins_path(pin_dir, "", entry->d_name, pin);
		if (unlink(pin) == 0)
			count++;
	}
	if (folder)
		closedir(folder);
	return count;
}

/* The sizes of new maps. */
static int maps_size(struct dataplane *dataplane, const struct meta *meta, struct error *error)
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

static int map_adopt(const char *pin_dir, struct bpf_map *map, struct error *error)
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

static int maps_adopt(struct dataplane *dataplane, struct error *error)
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

/* The last of what the verifier said, on one line. */
static void verifier_tail(const char *log, char tail[VERIFIER_TAIL + 1])
{
	size_t length = strlen(log);

	snprintf(tail, VERIFIER_TAIL + 1, "%s",
		 log + (length > VERIFIER_TAIL ? length - VERIFIER_TAIL : 0));
	for (char *at = tail; *at; at++) {
		if (*at == '\n')
			*at = ' ';
	}
}

static int object_load(struct dataplane *dataplane, const char *log, struct error *error)
{
	int code = sluice_bpf__load(dataplane->object);
	char tail[VERIFIER_TAIL + 1];

	if (!code) {
		dataplane->program = bpf_program__fd(dataplane->object->progs.sluice);
		dataplane->egress_ports = bpf_map__fd(dataplane->object->maps.egress_ports);
		return 0;
	}
	if (log[0]) {
		verifier_tail(log, tail);
		return error_set(error, code, "the kernel refuses the data plane: %s; it said: %s",
				 strerror(-code), tail);
	}
	if (code == -ENOMEM || code == -E2BIG)
		return error_set(error, code,
				 "cannot make the maps of the data plane: %s; lower the limits of "
				 "flows, slots and backends",
				 strerror(-code));
	return bpf_refused(code, error);
}

static int maps_map(struct dataplane *dataplane, const struct meta *meta, struct error *error)
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

static void maps_unmap(struct dataplane *dataplane)
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

static int pin(const char *pin_dir, const char *name, int fd, struct error *error)
{
	char path[PIN_PATH_MAX];
	int code;

	pins_path(pin_dir, "", name, path);
	code = bpf_obj_pin(fd, path);
	if (code)
		error_set(error, code, "%s: cannot pin: %s", path, strerror(-code));
	return code;
}

/* Pin all new maps, "meta" last: pins without it are those of a start that was cut short. */
static int maps_pin(struct dataplane *dataplane, struct error *error)
{
	struct bpf_map *map;
	int code;

	bpf_object__for_each_map(map, dataplane->object->obj)
	{
		if (bpf_map__is_internal(map) || strcmp(bpf_map__name(map), META_PIN) == 0)
			continue;
		code = pin(dataplane->pin_dir, bpf_map__name(map), bpf_map__fd(map), error);
		if (code)
			return code;
	}
	return pin(dataplane->pin_dir, META_PIN, bpf_map__fd(dataplane->object->maps.meta), error);
}

static int program_pin(struct dataplane *dataplane, struct error *error)
{
	char path[PIN_PATH_MAX], fresh[PIN_PATH_MAX];
	int code;

	pins_path(dataplane->pin_dir, "", PROGRAM_PIN, path);
	pins_path(dataplane->pin_dir, "", PROGRAM_FRESH_PIN, fresh);
	unlink(fresh);
	code = pin(dataplane->pin_dir, PROGRAM_FRESH_PIN, dataplane->program, error);
	if (!code && rename(fresh, path) < 0)
		code = error_set(error, -errno, "%s: cannot pin: %s", path, strerror(errno));
	return code;
}

static int maps_renew(struct dataplane *dataplane, struct meta *meta, struct error *error)
{
	if (getrandom(&meta->instance, sizeof(meta->instance), 0) < 0)
		return error_set(error, -errno, "no random number: %s", strerror(errno));
	*dataplane->maps.meta = *meta;
	return maps_pin(dataplane, error);
}

/* Load the object over new maps or the pinned ones; everything but the links. */
static int load(struct dataplane *dataplane, const struct config *config, char *log,
		struct error *error)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .kernel_log_buf = log,
		    .kernel_log_size = VERIFIER_LOG_SIZE);
	struct meta meta, pinned;
	int code;

	meta_fill(config, &meta);
	code = meta_read(dataplane->pin_dir, &pinned, error);
	dataplane->adopted = code == 0;
	if (dataplane->adopted)
		code = meta_check(dataplane->pin_dir, &pinned, &meta, error);
	else if (code == -ENOENT)
		code = 0;
	if (code)
		return code;
	if (!dataplane->adopted && unpin_all(dataplane->pin_dir) > 0)
		log_warning("%s: removed the pins of a start that was cut short",
			    dataplane->pin_dir);
	dataplane->object = sluice_bpf__open_opts(&options);
	if (!dataplane->object)
		return error_set(error, -errno, "cannot read the data plane's object: %s",
				 strerror(errno));
	settings_fill(dataplane, config, &meta);
	memcpy((void *)(uintptr_t)&dataplane->object->rodata->settings, &dataplane->maps.settings,
	       sizeof(dataplane->maps.settings));
	code = dataplane->adopted ? maps_adopt(dataplane, error)
				  : maps_size(dataplane, &meta, error);
	if (!code)
		code = object_load(dataplane, log, error);
	if (!code)
		code = maps_map(dataplane, &meta, error);
	if (!code && !dataplane->adopted)
		code = maps_renew(dataplane, &meta, error);
	return code ? code : program_pin(dataplane, error);
}

static int memory_make(struct dataplane *dataplane, struct error *error)
{
	const struct meta *meta = dataplane->maps.meta;
	struct timespec now;

	dataplane->ways = calloc(meta->backends_max, sizeof(*dataplane->ways));
	dataplane->quic_keys = calloc(meta->backends_max, sizeof(*dataplane->quic_keys));
	dataplane->nat_keys = calloc(meta->backends_max, sizeof(*dataplane->nat_keys));
	dataplane->switched_ms = calloc(meta->services_max, sizeof(*dataplane->switched_ms));
	if (!dataplane->ways || !dataplane->quic_keys || !dataplane->nat_keys ||
	    !dataplane->switched_ms)
		return error_set(error, -ENOMEM, "out of memory for %u backends",
				 meta->backends_max);
	/* The agent before this one may have switched any table a moment ago. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	for (uint32_t i = 0; i < meta->services_max; i++)
		dataplane->switched_ms[i] =
			(uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	return 0;
}

static int open_locked(struct dataplane *dataplane, const struct config *config,
		       struct error *error)
{
	char *log = calloc(1, VERIFIER_LOG_SIZE);
	int code;

	if (!log)
		return error_set(error, -ENOMEM, "out of memory");
	code = load(dataplane, config, log, error);
	free(log);
	if (!code)
		code = memory_make(dataplane, error);
	if (code || !dataplane->adopted)
		return code;
	egress_renew(dataplane);
	code = links_adopt(dataplane, error);
	if (!code)
		log_info("%s: adopted the pinned maps and %zu links", dataplane->pin_dir,
			 dataplane->link_count);
	return code;
}

int dataplane_open(const struct config *config, struct dataplane **ret_dataplane,
		   struct error *error)
{
	struct dataplane *dataplane = calloc(1, sizeof(*dataplane));
	int code;

	if (!dataplane)
		return error_set(error, -ENOMEM, "out of memory");
	dataplane->lock = -1;
	libbpf_set_print(libbpf_talk);
	if (strlen(config->pin_dir) > PIN_PATH_MAX - 64) {
		code = error_set(error, -ENAMETOOLONG, "%s: agent.pin_dir is too long",
				 config->pin_dir);
		dataplane->tick_program = -1;
		goto out;
	}
	snprintf(dataplane->pin_dir, sizeof(dataplane->pin_dir), "%s", config->pin_dir);
	code = dataplane->tick_program = tick_program_load(error);
	if (code < 0)
		goto out;
	code = pins_lock(config->pin_dir, true, &dataplane->lock, error);
	if (!code)
		code = file_make_folder(config->state_dir, error);
	if (!code)
		code = open_locked(dataplane, config, error);
out:
	if (code < 0) {
		dataplane_close(dataplane);
		return code;
	}
	*ret_dataplane = dataplane;
	return 0;
}

void dataplane_close(struct dataplane *dataplane)
{
	if (!dataplane)
		return;
	links_close(dataplane);
	maps_unmap(dataplane);
	sluice_bpf__destroy(dataplane->object);
	if (dataplane->tick_program >= 0)
		close(dataplane->tick_program);
	if (dataplane->lock >= 0)
		close(dataplane->lock);
	free(dataplane->ways);
	free(dataplane->quic_keys);
	free(dataplane->nat_keys);
	free(dataplane->switched_ms);
	free(dataplane);
}

int dataplane_cleanup(const char *pin_dir, struct error *error)
{
	int lock, code;

	if (access(pin_dir, F_OK) < 0 && errno == ENOENT)
		return 0;
	libbpf_set_print(libbpf_talk);
	code = pins_lock(pin_dir, false, &lock, error);
	if (code)
		return code;
	links_detach(pin_dir);
	unpin_all(pin_dir);
	close(lock);
	if (rmdir(pin_dir) < 0)
		return error_set(error, -errno, "%s: cannot remove the folder of the pins: %s",
				 pin_dir, strerror(errno));
	return 0;
}

bool dataplane_adopted(const struct dataplane *dataplane)
{
	return dataplane->adopted;
}

const struct meta *dataplane_meta(const struct dataplane *dataplane)
{
	return dataplane->maps.meta;
}

const struct dataplane_maps *dataplane_maps(const struct dataplane *dataplane)
{
	return &dataplane->maps;
}

int dataplane_key_write(struct dataplane *dataplane, const struct service_key *key,
			const struct service_target *target, struct error *error)
{
	const struct dataplane_maps *maps = &dataplane->maps;

	if (service_table_put(maps->service_keys, maps->settings.key_mask, key,
			      target_word(target)))
		return error_set(error, -ENOSPC,
				 "map service_keys: no room for a key; raise limits.services");
	return 0;
}

void dataplane_key_delete(struct dataplane *dataplane, const struct service_key *key)
{
	service_table_remove(dataplane->maps.service_keys, dataplane->maps.settings.key_mask, key);
}

int dataplane_key_next(const struct dataplane *dataplane, const struct service_key *key,
		       struct service_key *ret_key)
{
	return service_table_next(dataplane->maps.service_keys, dataplane->maps.settings.key_mask,
				  key, ret_key);
}

int dataplane_port_write(struct dataplane *dataplane, uint32_t egress, uint32_t ifindex)
{
	return bpf_map_update_elem(dataplane->egress_ports, &egress, &ifindex, BPF_ANY);
}

void dataplane_port_delete(struct dataplane *dataplane, uint32_t egress)
{
	bpf_map_delete_elem(dataplane->egress_ports, &egress);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes pinned maps those of an older version: the program of an object with other layouts takes
 * the place of the one that is pinned, with maps of its own where the layouts differ, filled from
 * those there were. No agent may run meanwhile; packets go on.
 *
 *     old PIN_DIR OLD.bpf.o
 *
 * The object is made from the sources by tools/lab/old-layout: records of the maps "services" and
 * "backends" have a word more behind their first one.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sluice/abi.h"

static const char *pin_dir;

static const char *pin_path(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", pin_dir, name);
	return path;
}

static int pin_open(const char *name)
{
	int fd = bpf_obj_get(pin_path(name));

	if (fd < 0)
		errx(1, "%s: %s", pin_path(name), strerror(-fd));
	return fd;
}

static struct bpf_map_info info_of(int fd)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		errx(1, "no facts about a map");
	return info;
}

/* The constants of the program that is pinned are those of the old one. */
static void constants_copy(struct bpf_map *constants)
{
	int program = pin_open("program");
	uint32_t ids[64], size = sizeof(struct bpf_prog_info), zero = 0;
	struct bpf_prog_info info = {.nr_map_ids = 64, .map_ids = (uintptr_t)ids};

	if (bpf_obj_get_info_by_fd(program, &info, &size))
		errx(1, "no facts about the program");
	for (uint32_t i = 0; i < info.nr_map_ids; i++) {
		int fd = bpf_map_get_fd_by_id(ids[i]);
		struct bpf_map_info map = info_of(fd);
		size_t length;
		void *initial = (void *)(uintptr_t)bpf_map__initial_value(constants, &length);

		if (strstr(map.name, ".rodata") &&
		    (map.value_size != length || bpf_map_lookup_elem(fd, &zero, initial)))
			errx(1, "the constants differ");
		close(fd);
	}
	close(program);
}

static void maps_prepare(struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		struct bpf_map_info info;
		int fd;

		if (bpf_map__is_internal(map)) {
			if (strstr(bpf_map__name(map), ".rodata"))
				constants_copy(map);
			continue;
		}
		fd = pin_open(bpf_map__name(map));
		info = info_of(fd);
		if (info.value_size == bpf_map__value_size(map) &&
		    strcmp(bpf_map__name(map), "meta") != 0)
			bpf_map__reuse_fd(map, fd);
		else
			bpf_map__set_max_entries(map, info.max_entries);
		close(fd);
	}
}

/* A word more behind the first one. */
static void records_widen(int from, int to)
{
	struct bpf_map_info info = info_of(from), old = info_of(to);
	char *record = calloc(1, info.value_size), *wide = calloc(1, old.value_size);

	if (old.value_size != info.value_size + 8)
		errx(1, "map %s: its records are not a word longer", info.name);
	for (uint32_t i = 0; i < info.max_entries; i++) {
		if (bpf_map_lookup_elem(from, &i, record))
			errx(1, "map %s: cannot be read", info.name);
		memcpy(wide, record, 8);
		memcpy(wide + 16, record + 8, info.value_size - 8);
		if (bpf_map_update_elem(to, &i, wide, BPF_ANY))
			errx(1, "map %s: cannot be written", info.name);
	}
	free(record);
	free(wide);
}

static void pin_replace(const char *name, int fd)
{
	unlink(pin_path(name));
	if (bpf_obj_pin(fd, pin_path(name)))
		errx(1, "%s: cannot pin", pin_path(name));
}

static void meta_write(int from, int to)
{
	struct meta meta;
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(from, &zero, &meta))
		errx(1, "meta cannot be read");
	meta.abi_version--;
	if (bpf_map_update_elem(to, &zero, &meta, BPF_ANY))
		errx(1, "meta cannot be written");
}

static void maps_replace(struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		const char *name = bpf_map__name(map);
		int fd = bpf_map__fd(map), pinned;

		if (bpf_map__is_internal(map))
			continue;
		pinned = pin_open(name);
		if (info_of(pinned).id != info_of(fd).id) {
			if (!strcmp(name, "meta"))
				meta_write(pinned, fd);
			else
				records_widen(pinned, fd);
		}
		close(pinned);
	}
}

static void pins_replace(struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		if (!bpf_map__is_internal(map))
			pin_replace(bpf_map__name(map), bpf_map__fd(map));
	}
}

static void links_update(int program)
{
	DIR *folder = opendir(pin_dir);
	const struct dirent *entry;

	while (folder && (entry = readdir(folder))) {
		int link, code;

		if (strncmp(entry->d_name, "link-", 5) != 0)
			continue;
		link = pin_open(entry->d_name);
		code = bpf_link_update(link, program, NULL);
		if (code)
			errx(1, "%s: %s", entry->d_name, strerror(-code));
		close(link);
	}
	if (folder)
		closedir(folder);
}

int main(int argc, char **argv)
{
	struct bpf_object *object;
	int program;

	if (argc != 3) {
		fprintf(stderr, "usage: old PIN_DIR OLD.bpf.o\n");
		return 2;
	}
	pin_dir = argv[1];
	object = bpf_object__open_file(argv[2], NULL);
	if (!object)
		errx(1, "%s: %s", argv[2], strerror(errno));
	maps_prepare(object);
	if (bpf_object__load(object))
		errx(1, "%s: the kernel refuses it: %s", argv[2], strerror(errno));
	maps_replace(object);
	program = bpf_program__fd(bpf_object__find_program_by_name(object, "sluice"));
	links_update(program);
	pins_replace(object);
	pin_replace("program", program);
	return 0;
}

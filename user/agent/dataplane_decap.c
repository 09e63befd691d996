// SPDX-License-Identifier: GPL-2.0-only
/* The backends' program: loaded for each interface, attached by a pinned link, and read again. */
#include "agent/dataplane_decap.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/dataplane_private.h"
#include "base/log.h"
#include "decap.skel.h"

#define PROGRAM_MAPS_MAX 8

typedef __typeof__(*((struct decap_bpf *)NULL)->rodata) decap_constants;

/* The section ends with its last constant, the structure may have padding behind it. */
#define CONSTANTS_SIZE (offsetof(decap_constants, decap_port) + sizeof(__be16))

static void constants_fill(decap_constants *constants, const struct decap_wanted *wanted)
{
	for (size_t i = 0; i < wanted->address_count; i++)
		memcpy(constants->decap_addresses[i], wanted->addresses[i].word,
		       sizeof(constants->decap_addresses[i]));
	constants->decap_address_count = (uint32_t)wanted->address_count;
	constants->decap_port = htons(wanted->port);
}

/* Load a program of its own for the interface, and attach it. Returns the link's fd. */
static int decap_link(const char *name, uint32_t ifindex, const struct decap_wanted *wanted,
		      struct error *error)
{
	struct decap_bpf *object = decap_bpf__open();
	enum attach_mode mode;
	int code;

	if (!object)
		return error_set(error, -errno, "decap: cannot open the program: %s",
				 strerror(errno));
	constants_fill(object->rodata, wanted);
	code = decap_bpf__load(object);
	if (code)
		error_set(error, code, "decap: the kernel refuses the program: %s",
			  strerror(-code));
	else
		code = link_make_wanted(bpf_program__fd(object->progs.decap), name, ifindex,
					ATTACH_AUTO, &mode, error);
	decap_bpf__destroy(object);
	return code;
}

static void decap_pin(const struct dataplane *dataplane, const char *name, char pin[PIN_PATH_MAX])
{
	pins_path(dataplane->pin_dir, DECAP_PREFIX, name, pin);
}

int decap_attach(struct dataplane *dataplane, const char *name, const struct decap_wanted *wanted,
		 struct error *error)
{
	uint32_t ifindex = if_nametoindex(name);
	char pin[PIN_PATH_MAX];
	int link, code;

	if (!ifindex)
		return error_set(error, -ENODEV,
				 "%s: there is no such interface; `ip link` lists those there are",
				 name);
	link = decap_link(name, ifindex, wanted, error);
	if (link < 0)
		return link;
	/* It could be attached, so what lies there is the link of an interface that has gone. */
	decap_pin(dataplane, name, pin);
	unlink(pin);
	code = bpf_obj_pin(link, pin);
	if (code)
		error_set(error, code, "%s: cannot pin the link: %s", pin, strerror(-code));
	else
		log_info("%s: takes tunnel headers off", name);
	close(link);
	return code;
}

int decap_detach(struct dataplane *dataplane, const char *name, struct error *error)
{
	char pin[PIN_PATH_MAX];
	int link;

	decap_pin(dataplane, name, pin);
	link = bpf_obj_get(pin);
	if (link < 0)
		return error_set(error, -ENOENT,
				 "%s: decap is not attached there; `sluice decap ls` lists where "
				 "it is",
				 name);
	/* Whoever else holds the link open must not keep the program attached. */
	bpf_link_detach(link);
	close(link);
	unlink(pin);
	log_info("%s: takes no tunnel headers off any more", name);
	return 0;
}

static void counters_read(int map, struct decap_interface *interface)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t *values = cpus > 0 ? calloc((size_t)cpus, sizeof(*values)) : NULL;

	for (uint32_t verdict = 0; values && verdict < DECAP_VERDICT_COUNT; verdict++) {
		if (bpf_map_lookup_elem(map, &verdict, values))
			continue;
		for (int cpu = 0; cpu < cpus; cpu++)
			interface->packets[verdict] += values[cpu];
	}
	free(values);
}

static void constants_read(int map, struct decap_interface *interface)
{
	struct decap_wanted *wanted = &interface->wanted;
	decap_constants constants = {0};
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(map, &zero, &constants))
		return;
	wanted->port = ntohs(constants.decap_port);
	for (size_t i = 0; i < DECAP_ADDRESSES_MAX && i < constants.decap_address_count; i++) {
		memcpy(wanted->addresses[i].word, constants.decap_addresses[i],
		       sizeof(wanted->addresses[i].word));
		wanted->address_count++;
	}
}

/* What belongs to another version of the program is not read. */
static void map_read(uint32_t id, struct decap_interface *interface)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	int map = bpf_map_get_fd_by_id(id);

	if (map < 0)
		return;
	if (bpf_obj_get_info_by_fd(map, &info, &size))
		info = (struct bpf_map_info){0};
	if (info.type == BPF_MAP_TYPE_PERCPU_ARRAY && info.max_entries == DECAP_VERDICT_COUNT)
		counters_read(map, interface);
	else if (info.type == BPF_MAP_TYPE_ARRAY && info.value_size <= sizeof(decap_constants) &&
		 info.value_size >= CONSTANTS_SIZE)
		constants_read(map, interface);
	close(map);
}

static void program_read(uint32_t id, struct decap_interface *interface)
{
	uint32_t maps[PROGRAM_MAPS_MAX];
	struct bpf_prog_info info = {.nr_map_ids = PROGRAM_MAPS_MAX,
				     .map_ids = (uint64_t)(uintptr_t)maps};
	uint32_t size = sizeof(info);
	int program = bpf_prog_get_fd_by_id(id);

	if (program < 0)
		return;
	if (!bpf_obj_get_info_by_fd(program, &info, &size)) {
		for (uint32_t i = 0; i < info.nr_map_ids && i < PROGRAM_MAPS_MAX; i++)
			map_read(maps[i], interface);
	}
	close(program);
}

/* False if the interface has gone. */
static bool link_read(int link, struct decap_interface *interface)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	struct bpf_link_info info = {0};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(link, &info, &size) || !info.xdp.ifindex ||
	    !if_indextoname(info.xdp.ifindex, interface->name))
		return false;
	interface->ifindex = info.xdp.ifindex;
	interface->mode = ATTACH_NATIVE;
	if (!bpf_xdp_query((int)info.xdp.ifindex, 0, &query) &&
	    query.attach_mode == XDP_ATTACHED_SKB)
		interface->mode = ATTACH_GENERIC;
	program_read(info.prog_id, interface);
	return true;
}

static int by_name(const void *a, const void *b)
{
	const struct decap_interface *one = a, *other = b;

	return strcmp(one->name, other->name);
}

size_t decap_interfaces(struct dataplane *dataplane, struct decap_interface *interfaces, size_t max)
{
	DIR *folder = opendir(dataplane->pin_dir);
	const struct dirent *entry;
	size_t count = 0;

	while (folder && count < max && (entry = readdir(folder))) {
		char pin[PIN_PATH_MAX];
		int link;

		if (strncmp(entry->d_name, DECAP_PREFIX, strlen(DECAP_PREFIX)) != 0)
			continue;
		pins_path(dataplane->pin_dir, "", entry->d_name, pin);
		link = bpf_obj_get(pin);
		if (link < 0)
			continue;
		interfaces[count] = (struct decap_interface){0};
		if (link_read(link, &interfaces[count]))
			count++;
		else
			unlink(pin); /* with its interface the link has lost its use */
		close(link);
	}
	if (folder)
		closedir(folder);
	qsort(interfaces, count, sizeof(*interfaces), by_name);
	return count;
}

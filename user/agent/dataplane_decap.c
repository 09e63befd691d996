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

#define COUNTERS_PREFIX  "decap_counters-"
#define CONSTANTS_PREFIX "decap_constants-"

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

/* Pins of what belongs to an interface: its link, and the maps of its program. */
static void decap_pin(const struct dataplane *dataplane, const char *prefix, const char *name,
		      char pin[PIN_PATH_MAX])
{
	pins_path(dataplane->pin_dir, prefix, name, pin);
}

/* What lies there is of an interface that has gone. */
static int decap_pin_put(const struct dataplane *dataplane, const char *prefix, const char *name,
			 int fd, struct error *error)
{
	char pin[PIN_PATH_MAX];
	int code;

	decap_pin(dataplane, prefix, name, pin);
	unlink(pin);
	code = bpf_obj_pin(fd, pin);
	return code ? error_set(error, code, "%s: cannot pin: %s", pin, strerror(-code)) : 0;
}

static void decap_unpin(const struct dataplane *dataplane, const char *name)
{
	static const char *const prefixes[] = {DECAP_PREFIX, COUNTERS_PREFIX, CONSTANTS_PREFIX};
	char pin[PIN_PATH_MAX];

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		decap_pin(dataplane, prefixes[i], name, pin);
		unlink(pin);
	}
}

/* Attach a loaded program, and pin all of it. The link comes last: it makes an interface ours. */
static int decap_keep(const struct dataplane *dataplane, const struct decap_bpf *object,
		      const char *name, uint32_t ifindex, struct error *error)
{
	enum attach_mode mode;
	int link = link_make_wanted(bpf_program__fd(object->progs.decap), name, ifindex,
				    ATTACH_AUTO, &mode, error);
	int code;

	if (link < 0)
		return link;
	code = decap_pin_put(dataplane, COUNTERS_PREFIX, name,
			     bpf_map__fd(object->maps.decap_counters), error);
	if (!code)
		code = decap_pin_put(dataplane, CONSTANTS_PREFIX, name,
				     bpf_map__fd(object->maps.rodata), error);
	if (!code)
		code = decap_pin_put(dataplane, DECAP_PREFIX, name, link, error);
	if (code)
		decap_unpin(dataplane, name);
	close(link);
	return code;
}

int decap_attach(struct dataplane *dataplane, const char *name, const struct decap_wanted *wanted,
		 struct error *error)
{
	uint32_t ifindex = if_nametoindex(name);
	struct decap_bpf *object;
	int code;

	if (!ifindex)
		return error_set(error, -ENODEV,
				 "%s: there is no such interface; `ip link` lists those there are",
				 name);
	object = decap_bpf__open();
	if (!object)
		return error_set(error, -errno, "decap: cannot open the program: %s",
				 strerror(errno));
	constants_fill(object->rodata, wanted);
	code = decap_bpf__load(object);
	if (code)
		error_set(error, code, "decap: the kernel refuses the program: %s",
			  strerror(-code));
	else
		code = decap_keep(dataplane, object, name, ifindex, error);
	decap_bpf__destroy(object);
	if (!code)
		log_info("%s: takes tunnel headers off", name);
	return code;
}

int decap_detach(struct dataplane *dataplane, const char *name, struct error *error)
{
	char pin[PIN_PATH_MAX];
	int link;

	decap_pin(dataplane, DECAP_PREFIX, name, pin);
	link = bpf_obj_get(pin);
	if (link < 0)
		return error_set(error, -ENOENT,
				 "%s: decap is not attached there; `sluice decap ls` lists where "
				 "it is",
				 name);
	/* Whoever else holds the link open must not keep the program attached. */
	bpf_link_detach(link);
	close(link);
	decap_unpin(dataplane, name);
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

/*
 * The maps of the program that is attached, by their pins: to ask for them by their numbers takes
 * a privilege that the agent has given up. What is of another version is not read.
 */
static void maps_read(const struct dataplane *dataplane, const char *name,
		      struct decap_interface *interface)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	char pin[PIN_PATH_MAX];
	int map;

	decap_pin(dataplane, COUNTERS_PREFIX, name, pin);
	map = bpf_obj_get(pin);
	if (map >= 0 && !bpf_obj_get_info_by_fd(map, &info, &size) &&
	    info.max_entries == DECAP_VERDICT_COUNT)
		counters_read(map, interface);
	if (map >= 0)
		close(map);
	decap_pin(dataplane, CONSTANTS_PREFIX, name, pin);
	map = bpf_obj_get(pin);
	if (map >= 0 && !bpf_obj_get_info_by_fd(map, &info, &size) &&
	    info.value_size <= sizeof(decap_constants) && info.value_size >= CONSTANTS_SIZE)
		constants_read(map, interface);
	if (map >= 0)
		close(map);
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
		const char *name = entry->d_name + strlen(DECAP_PREFIX);
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
			maps_read(dataplane, name, &interfaces[count++]);
		else
			decap_unpin(dataplane, name); /* with its interface it has lost its use */
		close(link);
	}
	if (folder)
		closedir(folder);
	qsort(interfaces, count, sizeof(*interfaces), by_name);
	return count;
}

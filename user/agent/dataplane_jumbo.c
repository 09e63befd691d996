// SPDX-License-Identifier: GPL-2.0-only
/* Which of its two programs the data plane loads: the one for frames in several buffers, if need be. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/dataplane_private.h"
#include "base/log.h"
#include "jumbo.skel.h"
#include "sluice.skel.h"

/*
 * Longer packets may come in several buffers: those of some drivers are 2 KiB, of most a page. In
 * generic mode so do those that GRO has put together, of whatever MTU.
 */
#define ONE_BUFFER_MTU 1700

/* 0: there is no such interface. */
static int interface_mtu(const char *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {0};
	int mtu = 0;

	if (fd < 0)
		return 0;
	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	if (ioctl(fd, SIOCGIFMTU, &request) == 0)
		mtu = request.ifr_mtu;
	close(fd);
	return mtu;
}

bool link_needs_jumbo(const char *name, enum attach_mode mode)
{
	return mode == ATTACH_GENERIC || interface_mtu(name) > ONE_BUFFER_MTU;
}

/* An interface that the program is attached to already, by a pinned link. */
static bool pin_needs_jumbo(const char *pin_dir, const char *pin_name)
{
	char path[PIN_PATH_MAX], name[IF_NAMESIZE];
	uint32_t ifindex;
	int fd;

	pins_path(pin_dir, "", pin_name, path);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return false;
	ifindex = link_ifindex(fd);
	close(fd);
	return ifindex && if_indextoname(ifindex, name) &&
	       link_needs_jumbo(name, interface_mode(ifindex));
}

static bool jumbo_is_needed(const struct config *config, const char *pin_dir)
{
	DIR *folder = opendir(pin_dir);
	const struct dirent *entry;
	bool needed = false;

	for (size_t i = 0; i < config->interface_count && !needed; i++)
		needed = link_needs_jumbo(config->interfaces[i].name, config->interfaces[i].mode);
	while (folder && !needed && (entry = readdir(folder)))
		needed = strncmp(entry->d_name, LINK_PREFIX, strlen(LINK_PREFIX)) == 0 &&
			 pin_needs_jumbo(pin_dir, entry->d_name);
	if (folder)
		closedir(folder);
	return needed;
}

/* The program for jumbo frames has all that the other has, by the same names: one skeleton does. */
static struct sluice_bpf *jumbo_open(const struct bpf_object_open_opts *options)
{
	struct sluice_bpf *object = calloc(1, sizeof(*object));

	_Static_assert(sizeof(((struct jumbo_bpf *)0)->rodata[0]) ==
			       sizeof(((struct sluice_bpf *)0)->rodata[0]),
		       "the two programs have the same constants");
	if (!object || sluice_bpf__create_skeleton(object)) {
		free(object);
		return NULL;
	}
	object->skeleton->data =
		(void *)(uintptr_t)jumbo_bpf__elf_bytes(&object->skeleton->data_sz);
	if (!bpf_object__open_skeleton(object->skeleton, options))
		return object;
	sluice_bpf__destroy(object);
	return NULL;
}

static void jumbo_tell(void)
{
	log_info("frames may come in several buffers: the program is the one for jumbo frames");
}

struct sluice_bpf *object_open(struct dataplane *dataplane, const struct config *config,
			       const struct bpf_object_open_opts *options)
{
	dataplane->is_jumbo = jumbo_is_needed(config, dataplane->pin_dir);
	if (!dataplane->is_jumbo)
		return sluice_bpf__open_opts(options);
	jumbo_tell();
	return jumbo_open(options);
}

/* Maps and constants of the object that is loaded, for another one. */
static int object_share(struct sluice_bpf *object, const struct sluice_bpf *loaded)
{
	struct bpf_map *map;
	int code = 0;

	memcpy((void *)(uintptr_t)object->rodata, loaded->rodata, sizeof(*loaded->rodata));
	bpf_object__for_each_map(map, object->obj)
	{
		const struct bpf_map *same =
			bpf_object__find_map_by_name(loaded->obj, bpf_map__name(map));

		if (!code && !bpf_map__is_internal(map))
			code = same ? bpf_map__reuse_fd(map, bpf_map__fd(same)) : -ENOENT;
	}
	return code;
}

static int program_swap(struct dataplane *dataplane, int program, struct error *error)
{
	int before = dataplane->program, code;

	dataplane->program = program;
	code = program_pin(dataplane, error);
	if (!code)
		code = links_update(dataplane, error);
	if (code)
		dataplane->program = before;
	return code;
}

int jumbo_switch(struct dataplane *dataplane, struct error *error)
{
	struct sluice_bpf *object = jumbo_open(NULL);
	int code = object ? object_share(object, dataplane->object) : -ENOMEM;

	if (!code)
		code = sluice_bpf__load(object);
	if (code) {
		error_set(error, code, "cannot load the program for frames in several buffers: %s",
			  strerror(-code));
		sluice_bpf__destroy(object);
		return code;
	}
	code = program_swap(dataplane, bpf_program__fd(object->progs.sluice), error);
	if (code) {
		sluice_bpf__destroy(object);
		return code;
	}
	dataplane->jumbo = object;
	dataplane->is_jumbo = true;
	jumbo_tell();
	return 0;
}

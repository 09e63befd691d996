// SPDX-License-Identifier: GPL-2.0-only
/* The data plane's links: where the program is attached, pinned so that it stays there. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/dataplane_private.h"
#include "base/log.h"

/* The interface of a link; 0 when it has gone. */
static uint32_t link_ifindex(int fd)
{
	struct bpf_link_info info = {0};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0 || info.type != BPF_LINK_TYPE_XDP)
		return 0;
	return info.xdp.ifindex;
}

static enum attach_mode interface_mode(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (bpf_xdp_query((int)ifindex, 0, &query) == 0 && query.attach_mode == XDP_ATTACHED_SKB)
		return ATTACH_GENERIC;
	return ATTACH_NATIVE;
}

static int link_add(struct dataplane *dataplane, const char *pin, int fd, uint32_t ifindex,
		    enum attach_mode mode)
{
	struct dataplane_link *links =
		realloc(dataplane->links, (dataplane->link_count + 1) * sizeof(*dataplane->links));
	struct dataplane_link *link;

	if (!links)
		return -ENOMEM;
	dataplane->links = links;
	link = &links[dataplane->link_count++];
	*link = (struct dataplane_link){.fd = fd, .ifindex = ifindex, .mode = mode};
	snprintf(link->pin, sizeof(link->pin), "%s", pin);
	return 0;
}

static void link_remove(struct dataplane *dataplane, struct dataplane_link *link)
{
	unlink(link->pin);
	close(link->fd);
	*link = dataplane->links[--dataplane->link_count];
}

/* Links of interfaces that have gone hold nothing any more. */
static void links_clean(struct dataplane *dataplane)
{
	for (size_t i = dataplane->link_count; i-- > 0;) {
		struct dataplane_link *link = &dataplane->links[i];

		if (link_ifindex(link->fd) == link->ifindex)
			continue;
		log_info("%s: its interface has gone; link removed", link->pin);
		link_remove(dataplane, link);
	}
}

static struct dataplane_link *link_find(struct dataplane *dataplane, uint32_t ifindex)
{
	for (size_t i = 0; i < dataplane->link_count; i++) {
		if (dataplane->links[i].ifindex == ifindex)
			return &dataplane->links[i];
	}
	return NULL;
}

static int link_adopt(struct dataplane *dataplane, const char *pin, struct error *error)
{
	int fd = bpf_obj_get(pin);
	uint32_t ifindex;
	int code;

	if (fd < 0)
		return error_set(error, fd, "%s: cannot open the pinned link: %s", pin,
				 strerror(-fd));
	ifindex = link_ifindex(fd);
	if (!ifindex) {
		log_info("%s: its interface has gone; link removed", pin);
		unlink(pin);
		close(fd);
		return 0;
	}
	code = bpf_link_update(fd, dataplane->program, NULL);
	if (code)
		error_set(error, code, "%s: cannot swap the program of the link: %s", pin,
			  strerror(-code));
	else
		code = link_add(dataplane, pin, fd, ifindex, interface_mode(ifindex));
	if (code)
		close(fd);
	return code;
}

int links_adopt(struct dataplane *dataplane, struct error *error)
{
	DIR *folder = opendir(dataplane->pin_dir);
	const struct dirent *entry;
	char pin[PIN_PATH_MAX];
	int code = 0;

	if (!folder)
		return error_set(error, -errno, "%s: %s", dataplane->pin_dir, strerror(errno));
	while (!code && (entry = readdir(folder))) {
		if (strncmp(entry->d_name, LINK_PREFIX, strlen(LINK_PREFIX)) != 0)
			continue;
		pins_path(dataplane->pin_dir, "", entry->d_name, pin);
		code = link_adopt(dataplane, pin, error);
	}
	closedir(folder);
	return code;
}

void links_close(struct dataplane *dataplane)
{
	for (size_t i = 0; i < dataplane->link_count; i++)
		close(dataplane->links[i].fd);
	free(dataplane->links);
}

void links_detach(const char *pin_dir)
{
	DIR *folder = opendir(pin_dir);
	const struct dirent *entry;
	char pin[PIN_PATH_MAX];

	while (folder && (entry = readdir(folder))) {
		int fd;

		if (strncmp(entry->d_name, LINK_PREFIX, strlen(LINK_PREFIX)) != 0)
			continue;
		pins_path(pin_dir, "", entry->d_name, pin);
		fd = bpf_obj_get(pin);
		if (fd < 0)
			continue;
		bpf_link_detach(fd);
		close(fd);
	}
	if (folder)
		closedir(folder);
}

/* The XDP program that is attached already, for a message. */
static void program_describe(uint32_t ifindex, char *text, size_t size)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	struct bpf_prog_info info = {0};
	uint32_t info_size = sizeof(info);
	uint32_t id = 0;
	int fd;

	snprintf(text, size, "another XDP program");
	if (bpf_xdp_query((int)ifindex, 0, &query))
		return;
	id = query.prog_id ? query.prog_id : query.drv_prog_id;
	id = id ? id : query.skb_prog_id;
	fd = id ? bpf_prog_get_fd_by_id(id) : -1;
	if (fd < 0)
		return;
	if (bpf_obj_get_info_by_fd(fd, &info, &info_size) == 0)
		snprintf(text, size, "the XDP program \"%s\" (id %u)", info.name, id);
	close(fd);
}

static int link_make(const struct dataplane *dataplane, uint32_t ifindex, uint32_t flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);

	return bpf_link_create(dataplane->program, (int)ifindex, BPF_XDP, &options);
}

static bool native_refused(int code)
{
	return code < 0 && code != -EBUSY && code != -EEXIST && code != -ENODEV && code != -EPERM;
}

/* Attach in the wanted mode, or, for ATTACH_AUTO, in the best one. Returns the link's fd. */
static int link_make_wanted(const struct dataplane *dataplane, const char *name, uint32_t ifindex,
			    enum attach_mode wanted, enum attach_mode *ret_mode,
			    struct error *error)
{
	char other[80];
	int fd = -EOPNOTSUPP;

	if (wanted != ATTACH_GENERIC) {
		*ret_mode = ATTACH_NATIVE;
		fd = link_make(dataplane, ifindex, XDP_FLAGS_DRV_MODE);
		if (wanted == ATTACH_NATIVE && native_refused(fd))
			return error_set(error, fd,
					 "%s: its driver refuses native XDP: %s; use mode auto or "
					 "generic",
					 name, strerror(-fd));
		if (native_refused(fd))
			log_warning("%s: no native XDP here (%s); attaching in generic mode, which "
				    "is several times slower",
				    name, strerror(-fd));
	}
	if (wanted == ATTACH_GENERIC || native_refused(fd)) {
		*ret_mode = ATTACH_GENERIC;
		fd = link_make(dataplane, ifindex, XDP_FLAGS_SKB_MODE);
	}
	if (fd == -EBUSY || fd == -EEXIST) {
		program_describe(ifindex, other, sizeof(other));
		return error_set(error, -EBUSY,
				 "%s: %s is attached already; detach it first: ip link set %s xdp "
				 "off, or whatever put it there",
				 name, other, name);
	}
	if (fd < 0)
		return error_set(error, fd, "%s: cannot attach the XDP program: %s", name,
				 strerror(-fd));
	return fd;
}

/* The pin of a link that must not be there yet; what lies there belongs to no link of ours. */
static int link_pin(int fd, const char *pin, struct error *error)
{
	int code = bpf_obj_pin(fd, pin);

	if (code == -EEXIST) {
		unlink(pin);
		code = bpf_obj_pin(fd, pin);
	}
	if (code)
		error_set(error, code, "%s: cannot pin the link: %s", pin, strerror(-code));
	return code;
}

int dataplane_attach(struct dataplane *dataplane, const char *name, enum attach_mode wanted,
		     enum attach_mode *ret_mode, struct error *error)
{
	uint32_t ifindex = if_nametoindex(name);
	struct dataplane_link *link;
	enum attach_mode mode = ATTACH_NATIVE;
	char pin[PIN_PATH_MAX];
	int fd, code;

	if (!ifindex)
		return error_set(error, -ENODEV,
				 "%s: there is no such interface; `ip link` lists those there are",
				 name);
	links_clean(dataplane);
	link = link_find(dataplane, ifindex);
	if (link && (wanted == ATTACH_AUTO || wanted == link->mode)) {
		if (ret_mode)
			*ret_mode = link->mode;
		return 0;
	}
	if (link)
		return error_set(
			error, -EBUSY,
			"%s: attached in %s mode already; detach it first: sluice detach %s", name,
			attach_mode_names[link->mode], name);
	fd = link_make_wanted(dataplane, name, ifindex, wanted, &mode, error);
	if (fd < 0)
		return fd;
	pins_path(dataplane->pin_dir, LINK_PREFIX, name, pin);
	code = link_pin(fd, pin, error);
	if (!code && link_add(dataplane, pin, fd, ifindex, mode)) {
		unlink(pin);
		code = error_set(error, -ENOMEM, "%s: out of memory", name);
	}
	if (code) {
		close(fd);
		return code;
	}
	log_info("%s: attached in %s mode", name, attach_mode_names[mode]);
	if (ret_mode)
		*ret_mode = mode;
	return 0;
}

int dataplane_detach(struct dataplane *dataplane, const char *name, struct error *error)
{
	uint32_t ifindex = if_nametoindex(name);
	struct dataplane_link *link;

	links_clean(dataplane);
	link = ifindex ? link_find(dataplane, ifindex) : NULL;
	if (!link)
		return error_set(error, -ENOENT,
				 "%s: sluice is not attached there; `sluice status` lists where it "
				 "is",
				 name);
	/* Whoever else holds the link open must not keep the program attached. */
	bpf_link_detach(link->fd);
	link_remove(dataplane, link);
	log_info("%s: detached", name);
	return 0;
}

size_t dataplane_interfaces(struct dataplane *dataplane, struct dataplane_interface *interfaces,
			    size_t max)
{
	links_clean(dataplane);
	for (size_t i = 0; i < dataplane->link_count && i < max; i++) {
		const struct dataplane_link *link = &dataplane->links[i];

		interfaces[i].ifindex = link->ifindex;
		interfaces[i].mode = link->mode;
		if (!if_indextoname(link->ifindex, interfaces[i].name))
			interfaces[i].name[0] = '\0';
	}
	return dataplane->link_count;
}

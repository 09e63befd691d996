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

uint32_t link_ifindex(int fd)
{
	struct bpf_link_info info = {0};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0 || info.type != BPF_LINK_TYPE_XDP)
		return 0;
	return info.xdp.ifindex;
}

enum attach_mode interface_mode(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (bpf_xdp_query((int)ifindex, 0, &query) == 0 && query.attach_mode == XDP_ATTACHED_SKB)
		return ATTACH_GENERIC;
	return ATTACH_NATIVE;
}

static struct dataplane_link *link_add(struct dataplane *dataplane, const char *name)
{
	struct dataplane_link *links =
		realloc(dataplane->links, (dataplane->link_count + 1) * sizeof(*dataplane->links));
	struct dataplane_link *link;

	if (!links)
		return NULL;
	dataplane->links = links;
	link = &links[dataplane->link_count++];
	*link = (struct dataplane_link){.fd = -1};
	snprintf(link->name, sizeof(link->name), "%s", name);
	return link;
}

static void link_close(struct dataplane_link *link)
{
	if (link->fd < 0)
		return;
	unlink(link->pin);
	close(link->fd);
	link->fd = -1;
	link->ifindex = 0;
}

static void link_remove(struct dataplane *dataplane, struct dataplane_link *link)
{
	link_close(link);
	*link = dataplane->links[--dataplane->link_count];
}

/* Links of interfaces that have gone hold nothing any more; names may have changed. */
static void links_look(struct dataplane *dataplane)
{
	for (size_t i = 0; i < dataplane->link_count; i++) {
		struct dataplane_link *link = &dataplane->links[i];
		char name[IF_NAMESIZE];

		if (link->fd < 0)
			continue;
		if (link_ifindex(link->fd) != link->ifindex) {
			log_warning("%s: the interface has gone; it is attached again when it "
				    "comes back",
				    link->name);
			notice_tell(&dataplane->notice, "interface",
				    "%s: it has gone; attached "
				    "again when it comes back",
				    link->name);
			link_close(link);
		} else if (if_indextoname(link->ifindex, name)) {
			memcpy(link->name, name, sizeof(name));
		}
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

/* The entry of an interface that has gone. */
static struct dataplane_link *link_gone(struct dataplane *dataplane, const char *name)
{
	for (size_t i = 0; i < dataplane->link_count; i++) {
		if (dataplane->links[i].fd < 0 && !strcmp(dataplane->links[i].name, name))
			return &dataplane->links[i];
	}
	return NULL;
}

/* Makes the entry of an attached interface. Takes the fd over if it succeeds. */
static int link_enter(struct dataplane *dataplane, const char *name, const char *pin,
		      const struct dataplane_link *facts)
{
	struct dataplane_link *link = link_gone(dataplane, name);

	if (!link)
		link = link_add(dataplane, name);
	if (!link)
		return -ENOMEM;
	link->fd = facts->fd;
	link->ifindex = facts->ifindex;
	link->mode = facts->mode;
	link->wanted = facts->wanted;
	snprintf(link->pin, sizeof(link->pin), "%s", pin);
	return 0;
}

static int link_adopt(struct dataplane *dataplane, const char *pin, struct error *error)
{
	struct dataplane_link facts = {.fd = bpf_obj_get(pin)};
	char name[IF_NAMESIZE] = "";
	int code;

	if (facts.fd < 0)
		return error_set(error, facts.fd, "%s: cannot open the pinned link: %s", pin,
				 strerror(-facts.fd));
	facts.ifindex = link_ifindex(facts.fd);
	if (!facts.ifindex || !if_indextoname(facts.ifindex, name)) {
		log_info("%s: its interface has gone; link removed", pin);
		unlink(pin);
		close(facts.fd);
		return 0;
	}
	facts.mode = facts.wanted = interface_mode(facts.ifindex);
	code = bpf_link_update(facts.fd, dataplane->program, NULL);
	if (code)
		error_set(error, code, "%s: cannot swap the program of the link: %s", pin,
			  strerror(-code));
	else
		code = link_enter(dataplane, name, pin, &facts);
	if (code)
		close(facts.fd);
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
	for (size_t i = 0; i < dataplane->link_count; i++) {
		if (dataplane->links[i].fd >= 0)
			close(dataplane->links[i].fd);
	}
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
	/* Its name takes a privilege that the agent gives up once it has started. */
	if (bpf_xdp_query((int)ifindex, 0, &query))
		return;
	id = query.prog_id ? query.prog_id : query.drv_prog_id;
	id = id ? id : query.skb_prog_id;
	if (id)
		snprintf(text, size, "the XDP program of id %u", id);
	fd = id ? bpf_prog_get_fd_by_id(id) : -1;
	if (fd < 0)
		return;
	if (bpf_obj_get_info_by_fd(fd, &info, &info_size) == 0)
		snprintf(text, size, "the XDP program \"%s\" (id %u)", info.name, id);
	close(fd);
}

static int link_make(int program, uint32_t ifindex, uint32_t flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);

	return bpf_link_create(program, (int)ifindex, BPF_XDP, &options);
}

static bool native_refused(int code)
{
	return code < 0 && code != -EBUSY && code != -EEXIST && code != -ENODEV && code != -EPERM;
}

int link_make_wanted(int program, const char *name, uint32_t ifindex, enum attach_mode wanted,
		     enum attach_mode *ret_mode, struct error *error)
{
	char other[80];
	int fd = -EOPNOTSUPP;

	if (wanted != ATTACH_GENERIC) {
		*ret_mode = ATTACH_NATIVE;
		fd = link_make(program, ifindex, XDP_FLAGS_DRV_MODE);
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
		fd = link_make(program, ifindex, XDP_FLAGS_SKB_MODE);
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

/*
 * The pin of a link that must not be there yet. It has the interface's name, and its index too if
 * that is taken by a link whose interface was renamed; what else lies there is a dead link's.
 */
static int link_pin(const struct dataplane *dataplane, struct dataplane_link *link,
		    struct error *error)
{
	char name[IF_NAMESIZE + 16];
	int code;

	pins_path(dataplane->pin_dir, LINK_PREFIX, link->name, link->pin);
	for (size_t i = 0; i < dataplane->link_count; i++) {
		if (dataplane->links[i].fd < 0 || strcmp(dataplane->links[i].pin, link->pin) != 0)
			continue;
		snprintf(name, sizeof(name), "%s:%u", link->name, link->ifindex);
		pins_path(dataplane->pin_dir, LINK_PREFIX, name, link->pin);
		break;
	}
	code = bpf_obj_pin(link->fd, link->pin);
	if (code == -EEXIST) {
		unlink(link->pin);
		code = bpf_obj_pin(link->fd, link->pin);
	}
	if (code)
		error_set(error, code, "%s: cannot pin the link: %s", link->pin, strerror(-code));
	return code;
}

static int link_update(const struct dataplane *dataplane, const char *name, int fd,
		       struct error *error)
{
	int code = bpf_link_update(fd, dataplane->program, NULL);

	return code ? error_set(error, code, "%s: cannot swap the program of the link: %s", name,
				strerror(-code))
		    : 0;
}

int links_update(const struct dataplane *dataplane, struct error *error)
{
	int code = 0;

	for (size_t i = 0; i < dataplane->link_count && !code; i++) {
		const struct dataplane_link *link = &dataplane->links[i];

		if (link->fd >= 0)
			code = link_update(dataplane, link->name, link->fd, error);
	}
	return code;
}

/* How it is attached is known only now. */
static int link_check_jumbo(struct dataplane *dataplane, const struct dataplane_link *link,
			    struct error *error)
{
	int code;

	if (dataplane->is_jumbo || !link_needs_jumbo(link->name, link->mode))
		return 0;
	code = jumbo_switch(dataplane, error);
	return code ? code : link_update(dataplane, link->name, link->fd, error);
}

static int link_attach(struct dataplane *dataplane, const char *name, uint32_t ifindex,
		       enum attach_mode wanted, struct error *error)
{
	struct dataplane_link facts = {.ifindex = ifindex, .wanted = wanted};
	int code;

	snprintf(facts.name, sizeof(facts.name), "%s", name);
	facts.fd = link_make_wanted(dataplane->program, name, ifindex, wanted, &facts.mode, error);
	if (facts.fd < 0)
		return facts.fd;
	code = link_check_jumbo(dataplane, &facts, error);
	if (!code)
		code = link_pin(dataplane, &facts, error);
	if (!code && link_enter(dataplane, name, facts.pin, &facts)) {
		unlink(facts.pin);
		code = error_set(error, -ENOMEM, "%s: out of memory", name);
	}
	if (code) {
		close(facts.fd);
		return code;
	}
	log_info("%s: attached in %s mode", name, attach_mode_names[facts.mode]);
	notice_tell(&dataplane->notice, "interface", "%s: attached in %s mode", name,
		    attach_mode_names[facts.mode]);
	return 0;
}

int dataplane_attach(struct dataplane *dataplane, const char *name, enum attach_mode wanted,
		     enum attach_mode *ret_mode, struct error *error)
{
	uint32_t ifindex = if_nametoindex(name);
	struct dataplane_link *link;
	int code;

	if (!ifindex)
		return error_set(error, -ENODEV,
				 "%s: there is no such interface; `ip link` lists those there are",
				 name);
	links_look(dataplane);
	link = link_find(dataplane, ifindex);
	if (link && wanted != ATTACH_AUTO && wanted != link->mode)
		return error_set(
			error, -EBUSY,
			"%s: attached in %s mode already; detach it first: sluice detach %s", name,
			attach_mode_names[link->mode], name);
	if (!link) {
		code = link_attach(dataplane, name, ifindex, wanted, error);
		if (code)
			return code;
		link = link_find(dataplane, ifindex);
	}
	link->wanted = wanted;
	if (ret_mode)
		*ret_mode = link->mode;
	return 0;
}

int dataplane_detach(struct dataplane *dataplane, const char *name, struct error *error)
{
	uint32_t ifindex = if_nametoindex(name);
	struct dataplane_link *link;

	links_look(dataplane);
	link = ifindex ? link_find(dataplane, ifindex) : NULL;
	if (!link)
		link = link_gone(dataplane, name);
	if (!link)
		return error_set(error, -ENOENT,
				 "%s: sluice is not attached there; `sluice status` lists where it "
				 "is",
				 name);
	/* Whoever else holds the link open must not keep the program attached. */
	if (link->fd >= 0)
		bpf_link_detach(link->fd);
	link_remove(dataplane, link);
	log_info("%s: detached", name);
	notice_tell(&dataplane->notice, "interface", "%s: detached", name);
	return 0;
}

void dataplane_notice(struct dataplane *dataplane, const struct notice *notice)
{
	dataplane->notice = *notice;
}

size_t dataplane_interfaces(struct dataplane *dataplane, struct dataplane_interface *interfaces,
			    size_t max)
{
	links_look(dataplane);
	for (size_t i = 0; i < dataplane->link_count && i < max; i++) {
		const struct dataplane_link *link = &dataplane->links[i];

		interfaces[i] =
			(struct dataplane_interface){.ifindex = link->ifindex, .mode = link->mode};
		memcpy(interfaces[i].name, link->name, sizeof(link->name));
	}
	return dataplane->link_count;
}

void dataplane_links_renew(struct dataplane *dataplane)
{
	links_look(dataplane);
	for (size_t i = 0; i < dataplane->link_count; i++) {
		const struct dataplane_link *link = &dataplane->links[i];
		uint32_t ifindex = link->fd < 0 ? if_nametoindex(link->name) : 0;
		char name[IF_NAMESIZE];
		struct error error;

		if (!ifindex || link_find(dataplane, ifindex))
			continue;
		memcpy(name, link->name, sizeof(name)); /* the entry is filled in meanwhile */
		if (link_attach(dataplane, name, ifindex, link->wanted, &error)) {
			log_warning("%s", error.text);
			notice_tell(&dataplane->notice, "interface", "%s", error.text);
		}
	}
}

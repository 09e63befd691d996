// SPDX-License-Identifier: GPL-2.0-only
/* The programs that let probes go by the forwarding path: loaded, told the ways, attached by TC. */
#include "agent/dataplane_probe.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/dataplane_private.h"
#include "base/log.h"
#include "probe.skel.h"
#include "sluice/probe.h"

/* Of our filters, by which they are found again, and which no other program is likely to have. */
#define HANDLE         0x51u
#define PRIORITY       0x5151u

#define INTERFACES_MAX 256u

struct probe_path {
	struct dataplane *dataplane;
	struct probe_bpf *object;
	__be16 gue_port;
	uint32_t attached[INTERFACES_MAX]; /* by ifindex */
	size_t attached_count;
};

int probe_path_open(struct dataplane *dataplane, const struct config *config,
		    struct probe_path **ret_path, struct error *error)
{
	struct probe_path *path = calloc(1, sizeof(*path));
	int code = path ? 0 : -ENOMEM;

	if (path) {
		path->dataplane = dataplane;
		path->gue_port = htons(config->tunnel.gue_port);
		path->object = probe_bpf__open();
		if (!path->object)
			code = -errno;
	}
	if (!code)
		code = bpf_map__set_max_entries(path->object->maps.probe_targets,
						dataplane_meta(dataplane)->backends_max);
	if (!code)
		code = probe_bpf__load(path->object);
	if (code) {
		if (path)
			probe_bpf__destroy(path->object);
		free(path);
		return error_set(error, code,
				 "probes by the forwarding path: the program cannot be loaded: %s; "
				 "say `via: address` in health",
				 strerror(-code));
	}
	*ret_path = path;
	return 0;
}

static void detach(uint32_t ifindex, enum bpf_tc_attach_point point)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = HANDLE, .priority = PRIORITY);

	bpf_tc_detach(&hook, &filter);
}

void probe_path_close(struct probe_path *path)
{
	if (!path)
		return;
	for (size_t i = 0; i < path->attached_count; i++) {
		detach(path->attached[i], BPF_TC_EGRESS);
		detach(path->attached[i], BPF_TC_INGRESS);
	}
	probe_bpf__destroy(path->object);
	free(path);
}

void probe_path_cleanup(void)
{
	struct if_nameindex *interfaces = if_nameindex();

	for (size_t i = 0; interfaces && interfaces[i].if_index; i++) {
		detach(interfaces[i].if_index, BPF_TC_EGRESS);
		detach(interfaces[i].if_index, BPF_TC_INGRESS);
	}
	if (interfaces)
		if_freenameindex(interfaces);
}

int probe_path_set(struct probe_path *path, uint32_t backend, const struct service_config *service,
		   const struct ip *address)
{
	struct probe_way way = {
		.gue_port = path->gue_port,
		.mode = (uint8_t)service->mode,
		.family = (uint8_t)ip_family(address),
	};

	memcpy(way.vip, service->vip.word, sizeof(way.vip));
	memcpy(way.address, address->word, sizeof(way.address));
	return bpf_map_update_elem(bpf_map__fd(path->object->maps.probe_targets), &backend, &way,
				   BPF_ANY);
}

void probe_path_remove(struct probe_path *path, uint32_t backend)
{
	bpf_map_delete_elem(bpf_map__fd(path->object->maps.probe_targets), &backend);
}

static int attach_point(struct probe_path *path, uint32_t ifindex, enum bpf_tc_attach_point point)
{
	const struct bpf_program *program = point == BPF_TC_EGRESS ? path->object->progs.probe_out
								   : path->object->progs.probe_in;
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = HANDLE, .priority = PRIORITY,
		    .prog_fd = bpf_program__fd(program), .flags = BPF_TC_F_REPLACE);

	return bpf_tc_attach(&hook, &filter);
}

static int attach(struct probe_path *path, uint32_t ifindex, struct error *error)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	int code;

	for (size_t i = 0; i < path->attached_count; i++) {
		if (path->attached[i] == ifindex)
			return 0;
	}
	if (path->attached_count == INTERFACES_MAX)
		return error_set(error, -ENOSPC, "probes leave by more than %u interfaces",
				 INTERFACES_MAX);
	code = bpf_tc_hook_create(&hook);
	if (!code || code == -EEXIST)
		code = attach_point(path, ifindex, BPF_TC_EGRESS);
	if (!code)
		code = attach_point(path, ifindex, BPF_TC_INGRESS);
	if (code)
		return error_set(error, code, "interface %u: probes cannot be attached by TC: %s",
				 ifindex, strerror(-code));
	path->attached[path->attached_count++] = ifindex;
	return 0;
}

int probe_path_ready(struct probe_path *path, uint32_t backend, struct error *error)
{
	struct dataplane_interface interfaces[INTERFACES_MAX];
	const union nexthop nexthop = {
		.word = path->dataplane->maps.backends[backend].nexthop.word};
	uint32_t ifindex;
	size_t count;
	int code;

	if (!nexthop.word || nexthop.egress >= SLUICE_EGRESS_MAX)
		return error_set(error, -EHOSTUNREACH, "its next hop is not known");
	ifindex = path->dataplane->maps.egress[nexthop.egress].ifindex;
	if (!ifindex)
		return error_set(error, -EHOSTUNREACH, "its next hop is not known");
	for (size_t i = 0; i < path->attached_count; i++) {
		if (path->attached[i] == ifindex)
			return 0;
	}
	/* Answers may come in where clients' packets do. */
	count = dataplane_interfaces(path->dataplane, interfaces, INTERFACES_MAX);
	for (size_t i = 0; i < count && i < INTERFACES_MAX; i++) {
		if (interfaces[i].ifindex && attach(path, interfaces[i].ifindex, error))
			log_warning("%s", error->text);
	}
	code = attach(path, ifindex, error);
	return code;
}

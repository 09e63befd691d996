/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Probes by the forwarding path: bpf/probe.bpf.c, loaded and attached by TC while it is used. See
 * sluice/probe.h for what it does.
 */
#ifndef AGENT_DATAPLANE_PROBE_H
#define AGENT_DATAPLANE_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/dataplane.h"
#include "base/error.h"
#include "model/config.h"

struct probe_path;

/* probe_path_open - load the programs; nothing is attached. Returns 0 or -errno. */
int probe_path_open(struct dataplane *dataplane, const struct config *config,
		    struct probe_path **ret_path, struct error *error);

/* probe_path_close - detach what was attached. Takes NULL. */
void probe_path_close(struct probe_path *path);

/*
 * probe_path_set - how marked packets to this backend (index in map "backends") go. Families of VIP
 * and address must be the same. probe_path_remove: they go as they are.
 */
int probe_path_set(struct probe_path *path, uint32_t backend, const struct service_config *service,
		   const struct ip *address);
void probe_path_remove(struct probe_path *path, uint32_t backend);

/*
 * probe_path_ready - attach the programs where packets to this backend leave, and where answers
 * come in. Returns 0; -EHOSTUNREACH if no way to the backend is known, or another -errno with a
 * message: then nothing is to be sent.
 */
int probe_path_ready(struct probe_path *path, uint32_t backend, struct error *error);

/* probe_path_cleanup - detach it from every interface, whoever attached it. */
void probe_path_cleanup(void);

#endif

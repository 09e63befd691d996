/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The backends' program on this host's interfaces: takes tunnel headers off what arrives there. It
 * has nothing to do with services; what it is told lies in its constants, and pinned links keep it
 * attached while no agent runs.
 */
#ifndef AGENT_DATAPLANE_DECAP_H
#define AGENT_DATAPLANE_DECAP_H

#include "agent/dataplane.h"
#include "sluice/decap.h"

struct decap_wanted {
	struct ip addresses[DECAP_ADDRESSES_MAX]; /* outer destinations to take */
	size_t address_count;                     /* 0: any unicast address */
	uint16_t port;                            /* of GUE, host order; 0: GUE is left alone */
};

struct decap_interface {
	char name[IF_NAMESIZE];
	uint32_t ifindex;
	enum attach_mode mode;
	struct decap_wanted wanted;
	uint64_t packets[DECAP_VERDICT_COUNT];
};

/*
 * decap_attach - returns 0; -ENODEV for an unknown interface, -EBUSY if an XDP program is there, or
 * another -errno.
 */
int decap_attach(struct dataplane *dataplane, const char *name, const struct decap_wanted *wanted,
		 struct error *error);

/* decap_detach - returns 0, or -ENOENT if the program is not attached there. */
int decap_detach(struct dataplane *dataplane, const char *name, struct error *error);

/*
 * decap_interfaces - where it is attached, by the order of the names. Writes at most max of them;
 * returns how many.
 */
size_t decap_interfaces(struct dataplane *dataplane, struct decap_interface *interfaces,
			size_t max);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Gathers what the doctor judges: of this host, its interfaces, and the ways to the backends. */
#ifndef AGENT_DOCTOR_H
#define AGENT_DOCTOR_H

#include <stddef.h>
#include <stdint.h>

#include "model/doctor.h"

struct agent;

/* How often an interface had lost or found its link when it was looked at first. */
struct link_watch {
	char name[IF_NAMESIZE];
	uint32_t carrier_changes;
};

/* The agent's own; zeroed at first. */
struct doctor {
	struct link_watch *watches;
	size_t watch_count;
};

/* doctor_watch - remember the interfaces as they are, if they were not seen before. */
void doctor_watch(struct agent *agent);
void doctor_clear(struct doctor *doctor);

/*
 * doctor_gather - the facts point into the agent, and are valid until its next change; to be
 * released by doctor_release. Returns 0 or -ENOMEM.
 */
int doctor_gather(struct agent *agent, struct doctor_facts *ret_facts);
void doctor_release(struct doctor_facts *facts);

#endif

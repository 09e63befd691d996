/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keeps fragments that came before the first one of their datagram, and gives each back to the
 * data plane as soon as that has come. Bounded: 512 frames, a second each.
 */
#ifndef AGENT_FRAGMENT_H
#define AGENT_FRAGMENT_H

#include <stdint.h>
#include <uv.h>

#include "agent/dataplane.h"
#include "base/error.h"

struct fragments;

/* fragments_start - returns 0 or -errno. The data plane must outlive fragments_stop. */
int fragments_start(uv_loop_t *loop, const struct dataplane *dataplane,
		    struct fragments **ret_fragments, struct error *error);

/* fragments_stop - its memory goes when the loop has closed its handles. Takes NULL. */
void fragments_stop(struct fragments *fragments);

struct fragments_count {
	uint64_t held;      /* now */
	uint64_t returned;  /* to the data plane */
	uint64_t expired;   /* the first one did not come in time */
	uint64_t displaced; /* had to make room for others */
};

void fragments_count(const struct fragments *fragments, struct fragments_count *ret_count);

#endif

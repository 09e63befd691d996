/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sweep over the flow table: counts live entries, forgets idle ones and those of backends that
 * are gone, and settles slots. Works on memory that the data plane is using meanwhile: entries are
 * removed and slots settled by compare-exchange of one word, so a packet in flight always wins.
 *
 * Settling (previous := current) rules, by service. A slot keeps its previous owner until a full
 * pass that began no sooner than the settle time after the last change of the table; the settle
 * time is the idle timeout of the service's protocol, or UDP's grace time if longer. A flow older than the change has sent a
 * packet by then, and so has an entry, or it is idle past its timeout. Then:
 *
 *  - full tracking: every slot settles. Packets ask the flow table first, settled slot or not, so
 *    flows pinned elsewhere stay where they are.
 *  - minimal tracking, affinity "flow": packets of a settled slot do not ask the flow table, so a
 *    slot settles only if no live entry of that slot points to a backend that is not the current
 *    owner. The entry's slot is known from its tag.
 *  - minimal tracking, other affinities: the slot is not known from an entry. All slots settle
 *    together, if there was only one change since they were all settled and no live entry points
 *    to a backend that is some slot's previous owner (any other entry is with an owner that lost
 *    nothing), or if the service has no live entry at all.
 *
 * From full tracking to minimal: a flow that is pinned to another backend than the owner of its
 * settled slot would break, for minimal tracking does not look for it. So TRACKING_ENDING still
 * works as full, until two full passes have taken the previous owner (SLUICE_NO_BACKEND: a flow
 * without entry stays with the current owner) of every settled slot that has such a flow; then the
 * sweep itself makes it TRACKING_MINIMAL, and settles those slots as above. With affinities other
 * than "flow" the slot is not known: all slots lose it, unless no entry is live. Two passes: a
 * packet that was under way when the scheduler changed may write its entry behind the first one.
 */
#ifndef MODEL_SWEEP_H
#define MODEL_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "sluice/abi.h"

/* The memory that is swept; all of it may be changed by the data plane meanwhile. */
struct sweep_maps {
	const struct meta *meta;         /* the sizes of the arrays below */
	const struct settings *settings; /* the timeouts */
	struct service *services;
	struct slot_line *slots;
	struct backend *backends;
	struct backend_load *loads;
	struct flow_bucket *flows;
};

struct sweep;

/*
 * sweep_new - maps are copied; what they point to must be there whenever the sweep goes on, but
 * may go before sweep_free(). NULL: no memory.
 */
struct sweep *sweep_new(const struct sweep_maps *maps);
void sweep_free(struct sweep *sweep);

/*
 * sweep_step - go on by at most bucket_count buckets, or settle one service after the last of
 * them. tick is the data plane's clock now (modulo 2^13); steps must be less than 2^13 ticks
 * apart. Returns true if this step ended a pass.
 */
bool sweep_step(struct sweep *sweep, uint32_t bucket_count, uint32_t tick);

/* The counts of the last full pass. An entry is live from its first packet until it is idle past its timeout. */
uint32_t sweep_live(const struct sweep *sweep, uint32_t backend);
/* sweep_idle - for how many ticks its live entries are unseen, least and most. False: none. */
bool sweep_idle(const struct sweep *sweep, uint32_t backend, uint32_t *ret_least,
		uint32_t *ret_most);
uint64_t sweep_total(const struct sweep *sweep);
/* sweep_passes - full passes done. */
uint64_t sweep_passes(const struct sweep *sweep);
/* sweep_removed - entries removed by all passes: idle ones, and those of backends that are gone. */
uint64_t sweep_removed(const struct sweep *sweep);

#endif

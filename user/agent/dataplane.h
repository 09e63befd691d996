/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The data plane as the agent sees it: loaded, pinned, attached, written and read. Behind this
 * header are the only files that know libbpf or the layout of the maps in memory.
 *
 * Order of a change: nexthop_prepare(plan), dataplane_execute(plan), nexthop_finish(plan).
 * Order of a start: dataplane_open; the journal if its instance is that of dataplane_meta();
 * the change from an empty state to that state (writes that change nothing move no flow);
 * dataplane_prune(state); dataplane_attach. Where maps give way to new ones, dataplane_carry comes
 * before that change, and dataplane_commit after dataplane_prune.
 */
#ifndef AGENT_DATAPLANE_H
#define AGENT_DATAPLANE_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/notice.h"
#include "base/error.h"
#include "base/ip.h"
#include "model/config.h"
#include "model/guard_list.h"
#include "model/plan.h"
#include "sluice/abi.h"

struct dataplane;

/*
 * dataplane_open - load the program, adopt the maps that are pinned in config->pin_dir or make and
 * pin new ones, and swap the program of every pinned link for the new one: packets go on through
 * it all. Mounts a bpffs on /sys/fs/bpf if pin_dir lies below and none is there. Holds a lock on
 * pin_dir until dataplane_close. Makes config->state_dir.
 *
 * Pinned maps of another version or of other limits give way to new ones: see dataplane_carry().
 * Until dataplane_commit() the program and the maps before go on, and if anything fails they stay.
 *
 * Returns 0; -EPERM without privilege, -ENOSYS on a kernel without BPF, -EBUSY if another agent
 * has the pins, -EEXIST if the pinned maps were made for other CPUs or seed, by a later version or
 * by one that is too old (nothing is changed then), or another -errno, each with a message.
 */
int dataplane_open(const struct config *config, struct dataplane **ret_dataplane,
		   struct error *error);

/* dataplane_close - let go; pins, links and forwarding stay. Takes NULL. */
void dataplane_close(struct dataplane *dataplane);

/*
 * dataplane_cleanup - detach every interface and remove every pin in pin_dir. Not while an agent
 * holds it (-EBUSY). Nothing there is success.
 */
int dataplane_cleanup(const char *pin_dir, struct error *error);

/* dataplane_adopted - whether the maps were there before; false: new and empty. */
bool dataplane_adopted(const struct dataplane *dataplane);

/* dataplane_migrates - whether the maps are new and to take the place of others. */
bool dataplane_migrates(const struct dataplane *dataplane);

/* dataplane_empty - whether no service is in the maps, be it these or those before. */
bool dataplane_empty(const struct dataplane *dataplane);

/*
 * dataplane_carry - fill new maps from those before, which held the first state: records, slots,
 * counters and flows, at the places that the pools have in the second. before may be NULL for none.
 * Nothing to do if the maps are not to take the place of others. Returns 0 or -errno.
 */
int dataplane_carry(struct dataplane *dataplane, const struct state *before,
		    const struct state *now, struct error *error);

/*
 * dataplane_commit - the new maps come into force: every link gets the new program, at once for
 * each; flows that came meanwhile follow; the pins are replaced. Cut off after its first step, the
 * next start finishes it. Returns 0, or -errno with a message: then all is as it was before.
 */
int dataplane_commit(struct dataplane *dataplane, struct error *error);

/* dataplane_flows_tidy - after a flow table has grown: some of what dataplane_commit left to do. */
void dataplane_flows_tidy(struct dataplane *dataplane, uint32_t buckets);

/* dataplane_meta - what the maps were made for; .instance is random and ties the journal to them. */
const struct meta *dataplane_meta(const struct dataplane *dataplane);

/* ------------------------------------------------------------------ interfaces */

struct dataplane_interface {
	char name[IF_NAMESIZE];
	uint32_t ifindex;
	enum attach_mode mode; /* ATTACH_NATIVE or ATTACH_GENERIC */
};

/*
 * dataplane_attach - attach the program by a pinned link. ATTACH_AUTO tries native, then generic
 * with a warning in the log. An interface that has the program already is left as it is (0).
 * Returns 0; -ENODEV for an unknown interface, -EBUSY if another XDP program is there, or another
 * -errno. ret_mode may be NULL.
 */
int dataplane_attach(struct dataplane *dataplane, const char *name, enum attach_mode wanted,
		     enum attach_mode *ret_mode, struct error *error);

/* dataplane_detach - returns 0, or -ENOENT if the program is not attached there. */
int dataplane_detach(struct dataplane *dataplane, const char *name, struct error *error);

/*
 * dataplane_interfaces - the interfaces the program is attached to, and those that have gone, with
 * ifindex 0. Writes at most max of them; returns how many there are.
 */
size_t dataplane_interfaces(struct dataplane *dataplane, struct dataplane_interface *interfaces,
			    size_t max);

/* dataplane_notice - tell this of interfaces that go, come back, are attached and detached. */
void dataplane_notice(struct dataplane *dataplane, const struct notice *notice);

/*
 * dataplane_links_renew - notice interfaces that have gone, and attach to those that are back; to
 * be called when an interface has changed.
 */
void dataplane_links_renew(struct dataplane *dataplane);

/* ------------------------------------------------------------------ changes */

struct plan_outcome {
	uint32_t slots_moved;      /* whose current owner changed, in all tables */
	uint32_t tables_published; /* a table without a changed word is not published */
};

/*
 * dataplane_execute - carry a plan out, step by step. Carrying a plan out again changes nothing.
 * May sleep up to 50 ms before it writes into a table that packets may still be reading, and
 * once more before it clears what they may have found there.
 * Counters of a backend or service that was not there before start at 0; one that was there
 * keeps them, and its next hop if its address stays.
 *
 * Returns 0, or -errno with a message after a part of the steps; then plan_make(new, old) and
 * dataplane_execute take the part back.
 */
int dataplane_execute(struct dataplane *dataplane, const struct plan *plan,
		      struct plan_outcome *ret_outcome, struct error *error);

/*
 * dataplane_table_foresee - how many slots of the pool would change their owner if its table were
 * published now: what dataplane_execute will count. Writes nothing. Returns 0 or -errno.
 */
int dataplane_table_foresee(const struct dataplane *dataplane, const struct pool *pool,
			    uint32_t *ret_moved, struct error *error);

/*
 * dataplane_check - hold the maps against a state; found is called with a line for each thing that
 * differs. Writes nothing. It builds every slot table. Returns 0, -EINVAL or -ENOMEM.
 */
int dataplane_check(const struct dataplane *dataplane, const struct state *state,
		    void (*found)(void *context, const char *text), void *context);

/*
 * dataplane_prune - remove from adopted maps what the state does not name: keys first, then
 * services, then backends. Returns 0 or -errno.
 */
int dataplane_prune(struct dataplane *dataplane, const struct state *state, struct error *error);

/* ------------------------------------------------------------------ guard */

/*
 * dataplane_guard_write, dataplane_guard_remove - prefixes, in their order; each is seen by packets
 * at once. What is there already is written over; what is to go and is not there is no error.
 * Returns 0 or -errno after a part of them.
 */
int dataplane_guard_write(struct dataplane *dataplane, const struct guard_write *writes,
			  size_t count, struct error *error);
int dataplane_guard_remove(struct dataplane *dataplane, const struct guard_write *removals,
			   size_t count, struct error *error);

/* dataplane_guard_read - all prefixes that are there; the array is the caller's. 0 or -ENOMEM. */
int dataplane_guard_read(const struct dataplane *dataplane, struct guard_write **ret_writes,
			 size_t *ret_count);

/* dataplane_guard_bits - GUARD_COMMON and GUARD_OWN of a service, also before it is there. */
void dataplane_guard_bits(struct dataplane *dataplane, uint32_t service, uint8_t bits);

/* ------------------------------------------------------------------ next hops */

/* The way to a backend; a zeroed one means that no way is known. */
struct dataplane_nexthop {
	uint32_t ifindex;
	uint8_t mac[6];        /* of the backend or the gateway */
	uint8_t source_mac[6]; /* of the interface */
	struct ip source;      /* the host's own address towards the backend */
	uint32_t mtu;          /* of the route or the interface */
};

/*
 * dataplane_nexthop_set - the way to the backend with this id and address; takes effect at once
 * if the record has this address, else when a plan writes it. backend = index in map "backends".
 * Returns 0, or -ENOSPC when packets leave by more than SLUICE_EGRESS_MAX interfaces already, or
 * another -errno; then the next hop is "not known".
 */
int dataplane_nexthop_set(struct dataplane *dataplane, uint32_t backend, const struct ip *address,
			  const struct dataplane_nexthop *nexthop);

/* dataplane_egress_forget - the interface has gone: no packet may leave by it. */
void dataplane_egress_forget(struct dataplane *dataplane, uint32_t ifindex);

/* ------------------------------------------------------------------ fragments */

/* What the data plane hands over because the first fragment of its datagram has not come. */
struct dataplane_fragments;

/* Gets what was handed over; frame->head.length == 0: the first fragment has come, no data. */
typedef void (*dataplane_held_fn)(const struct held_frame *frame, void *data);

/* dataplane_fragments_open - to be closed before the data plane. Returns 0 or -errno. */
int dataplane_fragments_open(const struct dataplane *dataplane, dataplane_held_fn take, void *data,
			     struct dataplane_fragments **ret_fragments, struct error *error);

/* dataplane_fragments_close - takes NULL. */
void dataplane_fragments_close(struct dataplane_fragments *fragments);

/* dataplane_fragments_fd - becomes readable when something is handed over; for the loop. */
int dataplane_fragments_fd(const struct dataplane_fragments *fragments);

/* dataplane_fragments_read - take what is there, so many at most; whether more may be there. */
bool dataplane_fragments_read(struct dataplane_fragments *fragments, size_t max);

/* dataplane_fragment_known - whether the first fragment of this datagram has come. */
bool dataplane_fragment_known(const struct dataplane_fragments *fragments,
			      const struct fragment_key *key);

/*
 * dataplane_fragment_return - let the frame come in anew, by the interface it came in by.
 * Returns 0 or -errno.
 */
int dataplane_fragment_return(const struct dataplane_fragments *fragments,
			      const struct held_frame *frame);

/* ------------------------------------------------------------------ reading */

/* The sums over all CPUs; of ids that are out of range, zero. */
void dataplane_backend_counter(const struct dataplane *dataplane, uint32_t backend,
			       struct counter *ret_counter);
void dataplane_service_counter(const struct dataplane *dataplane, uint32_t service,
			       struct counter *ret_counter);
void dataplane_verdict_counter(const struct dataplane *dataplane, enum verdict verdict,
			       struct verdict_counter *ret_counter);
void dataplane_flow_counter(const struct dataplane *dataplane, struct flow_counter *ret_counter);

/* dataplane_backend - the record, live; NULL if out of range. .nexthop.word == 0: not reachable. */
const struct backend *dataplane_backend(const struct dataplane *dataplane, uint32_t backend);

struct table_facts {
	uint32_t generation;
	uint32_t unsettled; /* slots with a previous owner */
	uint64_t digest;    /* equal on hosts whose tables agree */
};

/*
 * dataplane_table - read the pool's published table. shares (may be NULL; pool->backend_capacity
 * long) gets the number of slots each backend owns, by number. Costs a walk over the table (well
 * under a millisecond for 65537 slots). Returns 0, -ENOENT if there is none, -ENOMEM.
 */
int dataplane_table(const struct dataplane *dataplane, const struct pool *pool,
		    struct table_facts *ret_facts, uint32_t *shares);

/*
 * dataplane_tick - the data plane's clock now, in ticks of about a second, modulo 2^13: the
 * kernel's jiffies as a program reads them. CLOCK_MONOTONIC would drift away from jiffies with
 * clock discipline, so a program of two instructions is run to read them.
 */
uint32_t dataplane_tick(struct dataplane *dataplane);

/* dataplane_tick_ms - milliseconds of a tick. */
uint32_t dataplane_tick_ms(const struct dataplane *dataplane);

struct dataplane_maps;

/* dataplane_maps - the mapped memory itself, see dataplane_maps.h; for the sweep and flow lists. */
const struct dataplane_maps *dataplane_maps(const struct dataplane *dataplane);

#endif

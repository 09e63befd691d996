/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The loaded data plane with small maps, filled by plain writes, and packets run through it. Each
 * service has its own 32 backends and 4093 slots; a backend's MAC address tells which it is.
 */
#ifndef DATAPATH_LAB_H
#define DATAPATH_LAB_H

#include <stdbool.h>
#include <stdint.h>

#include "cases.h"
#include "frame.h"
#include "sluice/abi.h"
#include "wire.h"

#define LAB_SERVICES         8u
#define LAB_SERVICE_BACKENDS 32u
#define LAB_BACKENDS         (LAB_SERVICES * LAB_SERVICE_BACKENDS)
#define LAB_SLOTS            SLUICE_SLOTS_SMALL
#define LAB_TABLE_LINES      ((LAB_SLOTS + SLUICE_SLOTS_PER_LINE - 1) / SLUICE_SLOTS_PER_LINE)
#define LAB_BUCKETS          4096u
#define LAB_KEY_LINES        16u /* so few that keys spill over */
/* Long, as a slow machine must not fill a bucket faster than a test empties it. */
#define LAB_REPLY_INTERVAL_NS 100000000ULL
#define LAB_GUE_PORT          6080
#define LAB_SEED              0x5eedULL

/* Ways out: by where packets come in, and by another interface. */
#define LAB_EGRESS_SAME  0
#define LAB_EGRESS_OTHER 1

struct lab {
	struct sluice_bpf *sluice;
	/* With the same maps; NULL: not loaded yet. */
	struct sluice_bpf *spread;  /* outer sources by flow */
	struct sluice_bpf *jumbo;   /* frames in several buffers */
	struct sluice_bpf *variant; /* the one of them that lab_run runs */
	struct decap_bpf *decap;
	struct pass_bpf *pass;       /* at the other ends of the wire */
	struct wire *wire;           /* frames go over namespaces; NULL: by BPF_PROG_RUN */
	uint64_t marks, decap_marks; /* counted as packets, though they are the wire's own */
	uint32_t ifindex;            /* by which packets come in */
	uint32_t cpus;
	struct service_line *service_keys;
	struct vip_filter_line *vip_filter;
	struct service *services;
	struct guard_limit *guard_limits;
	struct slot_line *slots;
	struct backend *backends;
	struct backend_load *loads;
	struct egress *egress;
	struct flow_bucket *flows;
	struct counter *backend_counters, *service_counters;
	struct verdict_counter *verdict_counters;
	struct flow_counter *flow_counters;
};

struct result {
	uint32_t action;      /* XDP_* */
	enum verdict verdict; /* the one whose counter moved */
	uint64_t bytes;       /* that it moved by */
	int backend;          /* number of the backend by its MAC address; -1: not forwarded */
	struct frame frame;
};

/* lab_is_wired - whether this run goes over namespaces: SLUICE_TEST_DRIVER=wire. */
bool lab_is_wired(void);

/* For cmocka: the whole group, and each case. */
int lab_new(void **state);
int lab_free(void **state);
int lab_reset(void **state);

/* lab_service - add service id with its VIP: full tracking, maglev, empty pool drops, no slots. */
struct service *lab_service(struct lab *lab, uint32_t id, const char *vip, uint8_t protocol,
			    uint16_t port);

/* lab_vip_pass - the VIP's answer for what no service takes. */
void lab_vip_pass(struct lab *lab, const char *vip, bool pass);

/* lab_backend - add a living backend; address NULL: forward mode l2, else ipip. */
struct backend *lab_backend(struct lab *lab, uint32_t service, uint32_t number, const char *source,
			    const char *address);

/* lab_slots - give all slots of the service these owners, in a table that is published anew. */
void lab_slots(struct lab *lab, uint32_t service, uint32_t current, uint32_t previous);

/* lab_table - weights of backends 0..count: build their Maglev table and publish it, settled. */
void lab_table(struct lab *lab, uint32_t service, const uint32_t *weights, uint32_t count);

/*
 * lab_guard - the guard's answer for a prefix of sources, of a service or (GUARD_ALL) of all; with
 * GUARD_NONE the prefix goes. The bits of the services say what is asked: the case sets them.
 */
void lab_guard(struct lab *lab, uint32_t service, const char *prefix, enum guard_answer answer);

/* lab_guard_limit - so many new flows a second, so many at once, from each prefix so long. */
void lab_guard_limit(struct lab *lab, uint32_t service, uint32_t rate, uint32_t burst,
		     uint32_t prefix4, uint32_t prefix6);

/* lab_guard_source_age - as if this time had passed for the bucket of these sources. */
void lab_guard_source_age(struct lab *lab, const struct guard_source_key *key, uint64_t age_ns);

/* lab_guard_sources - buckets that there are. */
size_t lab_guard_sources(struct lab *lab);

/* lab_fragments_age - as if all records of datagrams had been made so many ticks ago. */
void lab_fragments_age(struct lab *lab, uint32_t ticks);

/* lab_carries - whether the frame can be run at all; a case leaves out those that cannot. */
bool lab_carries(const struct lab *lab, const struct frame *frame);

/* lab_frames - how many frames a case sends that is about their number: on the wire fewer. */
uint32_t lab_frames(const struct lab *lab, uint32_t frames, uint32_t on_wire);

/* lab_run - one frame through the data plane. */
void lab_run(struct lab *lab, const struct frame *frame, struct result *ret_result);

/* lab_spread - until the end of the case outer sources come from these prefixes. */
#define LAB_SPREAD_V4 "198.18.0.0"      /* /16 */
#define LAB_SPREAD_V6 "2001:db8:5a:1::" /* /64 */
void lab_spread(struct lab *lab);

/* lab_maps_size - for opening another one. */
void lab_maps_size(const struct lab *lab, struct sluice_bpf *sluice);

/* lab_jumbo - until the end of the case the program is that for frames in several buffers. */
void lab_jumbo(struct lab *lab);

/* lab_send - build a frame and run it; gives the number of the backend, or -1. */
int lab_send(struct lab *lab, const struct spec *spec);

/* lab_decap - one frame through the backends' program; returns the action. */
uint32_t lab_decap(struct lab *lab, const struct frame *frame, struct frame *ret_frame);

/* lab_bucket - of all CPUs: the token bucket is full again so many nanoseconds from now. */
void lab_bucket(struct lab *lab, enum reply_kind kind, uint64_t in_ns);

/* Sums of the CPUs' counters. */
uint64_t lab_decap_count(const struct lab *lab, uint32_t verdict);
struct counter lab_backend_count(const struct lab *lab, uint32_t service, uint32_t number);
struct counter lab_service_count(const struct lab *lab, uint32_t service);
struct flow_counter lab_flow_count(const struct lab *lab);

/* lab_hash - of the flow that a description names. */
uint64_t lab_hash(const struct spec *spec);

/* lab_entry - the flow's entry in the flow table, or NULL. */
uint64_t *lab_entry(struct lab *lab, const struct spec *spec);

/* lab_now - the tick that the data plane would store. */
uint32_t lab_now(struct lab *lab);

/* lab_backend_mac - destination MAC address of what goes to a backend. */
void lab_backend_mac(uint32_t service, uint32_t number, uint8_t ret_mac[6]);
extern const uint8_t lab_own_mac[6];

#endif

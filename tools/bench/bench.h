/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of the benchmark. All of them end the program with a message where they cannot go on. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/abi.h"

#define BENCH_VIP      "198.51.100.80"
#define BENCH_PORT     80
#define BENCH_SLOTS    SLUICE_SLOTS_LARGE
#define BENCH_BACKENDS 100u

/* Sizes of the maps; the benchmark's own, or those of a default config. */
struct bench_limits {
	uint32_t services, backends, slots, flows;
	bool lru_hash; /* the kernel's LRU hash, of so many flows, in the place of the flow table */
};

struct dataplane {
	struct sluice_bpf *sluice;
	struct slot_line *slots;
	struct service *services;
	struct flow_bucket *flows;
	size_t flow_bytes; /* of the map */
};

/* dataplane_new - load the data plane, with one service and its pool behind ipip, all settled. */
struct dataplane *dataplane_new(const struct bench_limits *limits);
void dataplane_free(struct dataplane *dataplane);
int dataplane_program(const struct dataplane *dataplane);
/* dataplane_track - how the service tracks; the flow table is emptied. */
void dataplane_track(struct dataplane *dataplane, enum tracking tracking);
/* dataplane_owners - give each slot its owner, so many numbers further on, and a previous one. */
void dataplane_owners(struct dataplane *dataplane, uint32_t current_shift, uint32_t previous_shift);
/* dataplane_backend - number of the backend that a frame goes to; it must be forwarded. */
uint32_t dataplane_backend(const struct dataplane *dataplane, const uint8_t *frame, size_t length);
/* dataplane_flow_count - how many entries came and went; the LRU hash does not count. */
struct flow_counter dataplane_flow_count(const struct dataplane *dataplane);
/* dataplane_memory - bytes that the kernel charges for all its maps. */
uint64_t dataplane_memory(const struct dataplane *dataplane);

#define FRAME_LENGTH 64

#define FRAME_SYN    0x02
#define FRAME_ACK    0x10

/*
 * frame_fill - a TCP packet with these flags alone. The wrapper gives it the next flow's source
 * address.
 */
void frame_fill(uint8_t frame[FRAME_LENGTH], const char *destination, uint8_t flags);
/* frame_source - give the frame another source address. */
void frame_source(uint8_t frame[FRAME_LENGTH], uint32_t source);

/* The frames that a target is run with. */
struct stream {
	const char *destination;
	uint32_t flows;        /* a power of two */
	uint32_t first_source; /* address of the first flow; 0: one in 10.0.0.0/8 */
	uint8_t flags;         /* 0: as of an established flow */
};

struct target;

/*
 * target_new - the wrapper around a program; program_fd -1: around nothing. The wrapper is a copy
 * of its own, so that targets do not share a prog array.
 */
struct target *target_new(int program_fd, const struct stream *stream);
void target_free(struct target *target);
/* target_run - nanoseconds a packet, over so many packets. */
double target_run(struct target *target, uint32_t packets);

/* swap_run - nanoseconds a packet of a program that only swaps MAC addresses, without wrapper. */
double swap_run(uint32_t packets);

/*
 * memory_access_ns - one random access to so many bytes (a multiple of 64) of memory in pages of
 * the usual size, as the maps have: the median of the rounds, which are written to rounds.
 */
double memory_access_ns(size_t bytes, double *rounds, size_t round_count);

/* Percent of established flows that are on their backend. */
struct flood_kept {
	double busy, idle, all;
	double forgotten; /* of all, with the flow table emptied: what the slots alone keep */
};

/*
 * flood_run - a flood of so many spoofed SYNs and as many spoofed lone ACKs, over established
 * flows, and then a change of the pool that moves every slot.
 */
struct flood_kept flood_run(struct dataplane *dataplane, uint32_t packets);

/*
 * guard_fill - allow so many prefixes of sources, near to those of the packets; the service asks
 * for them. Returns the milliseconds that the kernel took for it.
 */
double guard_fill(struct dataplane *dataplane, uint32_t prefixes);

/*
 * scale_run - the autoscaler and the others over each trace, by the simulator; the others with our
 * slow start and, "_cold", without, at the target at which they cost what ours costs.
 */
typedef void (*scale_figure_fn)(void *context, const char *name, double value);
void scale_run(scale_figure_fn figure, void *context);

double table_build_ms(void);
double table_publish_ms(struct dataplane *dataplane);

double median(double *values, size_t count);
double clock_thread_ns(void);
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of the benchmark. All of them end the program with a message where they cannot go on. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <linux/types.h>
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
/* dataplane_memory - bytes that the kernel charges for all its maps. */
uint64_t dataplane_memory(const struct dataplane *dataplane);

/* One frame that a target is measured with. */
struct stream {
	const char *destination;
	uint32_t flows; /* a power of two */
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

double table_build_ms(void);
double table_publish_ms(struct dataplane *dataplane);

double median(double *values, size_t count);
double clock_thread_ns(void);
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);

#endif

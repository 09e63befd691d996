// SPDX-License-Identifier: GPL-2.0-only
/* Measures the data plane and the slot tables, and writes the figures as a flat JSON object. */
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

#define ROUNDS        11
#define PACKETS       4000000u
#define FLOWS_MANY    (1u << 20)
#define FLOW_ENTRIES  (2 * FLOWS_MANY) /* 16 bytes a flow */
#define FLOOD_PACKETS 10000000u        /* of each kind */
#define PREFIXES      100000u

void die(const char *format, ...)
{
	va_list arguments;

	fputs("sluice-bench: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

/* The thread's own time: another process on the machine does not count. */
double clock_thread_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int double_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), double_compare);
	return values[count / 2];
}

static void figure(json_t *figures, const char *name, double value)
{
	printf("%-42s %14.2f\n", name, value);
	json_object_set_new(figures, name, json_real(value));
}

/* A helper of the kernel that would be measured along. */
static void stats_check(void)
{
	FILE *file = fopen("/proc/sys/kernel/bpf_stats_enabled", "re");
	int enabled = 0;

	if (file && fscanf(file, "%d", &enabled) == 1 && enabled)
		die("kernel.bpf_stats_enabled is 1 and would be measured along; set it to 0");
	if (file)
		fclose(file);
}

/* What is measured: its name, the service's tracking, and the packets. */
struct measure {
	const char *name;
	enum tracking tracking;
	struct stream stream;
};

/*
 * The program and the empty one take turns, so that both see the same machine; the figure is the
 * median of the differences.
 */
static double measure_run(struct dataplane *dataplane, const struct measure *measure,
			  double *ret_floor)
{
	struct target *target = target_new(dataplane_program(dataplane), &measure->stream);
	struct target *nothing = target_new(-1, &measure->stream);
	double differences[ROUNDS], floors[ROUNDS];

	dataplane_track(dataplane, measure->tracking);
	/* Every flow is new, then proven. */
	for (int i = 0; i < 2; i++)
		target_run(target, measure->stream.flows + PACKETS / 4);
	for (int i = 0; i < ROUNDS; i++) {
		floors[i] = target_run(nothing, PACKETS);
		differences[i] = target_run(target, PACKETS) - floors[i];
	}
	target_free(target);
	target_free(nothing);
	*ret_floor = median(floors, ROUNDS);
	return median(differences, ROUNDS);
}

static void measure_packets(json_t *figures)
{
	const struct measure measures[] = {
		{"forward_ipip_v4_full_1flow_ns",
		 TRACKING_FULL,
		 {.destination = BENCH_VIP, .flows = 1}},
		{"forward_ipip_v4_full_1mflows_ns",
		 TRACKING_FULL,
		 {.destination = BENCH_VIP, .flows = FLOWS_MANY}},
		{"forward_ipip_v4_minimal_1flow_ns",
		 TRACKING_MINIMAL,
		 {.destination = BENCH_VIP, .flows = 1}},
		{"forward_ipip_v4_minimal_1mflows_ns",
		 TRACKING_MINIMAL,
		 {.destination = BENCH_VIP, .flows = FLOWS_MANY}},
		{"pass_v4_ns", TRACKING_FULL, {.destination = "192.0.2.200", .flows = 1}},
	};
	/* With a list of 100,000 prefixes to look at. */
	const struct measure guarded[] = {
		{"forward_guard_100k_1flow_ns",
		 TRACKING_FULL,
		 {.destination = BENCH_VIP, .flows = 1}},
		{"forward_guard_100k_1mflows_ns",
		 TRACKING_FULL,
		 {.destination = BENCH_VIP, .flows = FLOWS_MANY}},
	};
	const struct bench_limits limits = {
		.services = 64, .backends = 4096, .slots = 1 << 20, .flows = FLOW_ENTRIES};
	struct dataplane *dataplane = dataplane_new(&limits);
	double floor_tx[ROUNDS], memory[ROUNDS], floor = 0;

	for (int i = 0; i < ROUNDS; i++)
		floor_tx[i] = swap_run(PACKETS);
	figure(figures, "floor_tx_ns", median(floor_tx, ROUNDS));
	for (size_t i = 0; i < sizeof(measures) / sizeof(measures[0]); i++)
		figure(figures, measures[i].name, measure_run(dataplane, &measures[i], &floor));
	figure(figures, "guard_write_100k_ms", guard_fill(dataplane, PREFIXES));
	for (size_t i = 0; i < sizeof(guarded) / sizeof(guarded[0]); i++)
		figure(figures, guarded[i].name, measure_run(dataplane, &guarded[i], &floor));
	figure(figures, "floor_wrapper_ns", floor);
	figure(figures, "floor_memory_16mib_ns", memory_access_ns(16u << 20, memory, ROUNDS));
	figure(figures, "flow_bytes", sizeof(struct flow_bucket) / (double)SLUICE_FLOWS_PER_BUCKET);
	figure(figures, "flow_table_1mflows_bytes", (double)dataplane->flow_bytes);
	dataplane_free(dataplane);
}

/* The sizes of a default config, with no service in it. */
static void measure_memory(json_t *figures)
{
	const struct bench_limits limits = {
		.services = 64, .backends = 4096, .slots = 4194304, .flows = 1048576};
	struct dataplane *dataplane = dataplane_new(&limits);

	figure(figures, "idle_memory_bytes", (double)dataplane_memory(dataplane));
	dataplane_free(dataplane);
}

static void measure_tables(json_t *figures)
{
	const struct bench_limits limits = {
		.services = 1, .backends = 256, .slots = 1 << 18, .flows = 1024};
	struct dataplane *dataplane = dataplane_new(&limits);
	double build[ROUNDS], publish[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		build[i] = table_build_ms();
		publish[i] = table_publish_ms(dataplane);
	}
	figure(figures, "table_build_65537x100_ms", median(build, ROUNDS));
	figure(figures, "table_publish_65537_ms", median(publish, ROUNDS));
	dataplane_free(dataplane);
}

/* At the sizes of a default config. */
static struct flood_kept measure_flood(json_t *figures, uint32_t packets, bool lru_hash)
{
	const struct bench_limits limits = {.services = 64,
					    .backends = 4096,
					    .slots = 4194304,
					    .flows = 1048576,
					    .lru_hash = lru_hash};
	struct dataplane *dataplane = dataplane_new(&limits);
	struct flood_kept kept = flood_run(dataplane, packets);
	struct flow_counter count = dataplane_flow_count(dataplane);

	if (!lru_hash) {
		figure(figures, "flood_packets", 2.0 * packets);
		figure(figures, "flood_inserts", (double)count.inserts);
		figure(figures, "flood_evicted_probation_flows", (double)count.evicted_probation);
		figure(figures, "flood_evicted_proven_flows", (double)count.evicted_proven);
		figure(figures, "flood_flows_kept_by_slots_alone_percent", kept.forgotten);
	}
	dataplane_free(dataplane);
	return kept;
}

static void measure_flood_table(json_t *figures, uint32_t packets)
{
	struct flood_kept kept = measure_flood(figures, packets, false);

	figure(figures, "flood_flows_kept_percent", kept.all);
	figure(figures, "flood_busy_flows_kept_percent", kept.busy);
	figure(figures, "flood_idle_flows_kept_percent", kept.idle);
}

/* The same with the kernel's LRU hash in the place of the flow table. */
static void measure_flood_lru_hash(json_t *figures, uint32_t packets)
{
	struct flood_kept kept = measure_flood(figures, packets, true);

	figure(figures, "flood_flows_kept_lru_hash_percent", kept.all);
	figure(figures, "flood_busy_flows_kept_lru_hash_percent", kept.busy);
	figure(figures, "flood_idle_flows_kept_lru_hash_percent", kept.idle);
}

static void figure_add(void *context, const char *name, double value)
{
	figure(context, name, value);
}

static void measure_all(json_t *figures)
{
	stats_check();
	scale_run(figure_add, figures);
	measure_packets(figures);
	measure_memory(figures);
	measure_tables(figures);
	measure_flood_table(figures, FLOOD_PACKETS);
	measure_flood_lru_hash(figures, FLOOD_PACKETS);
}

int main(int argc, char **argv)
{
	bool flood_only = argc == 4 && !strcmp(argv[1], "--flood");
	const char *path = argv[argc - 1];
	json_t *figures = json_object();

	if ((argc != 2 && !flood_only) || !figures) {
		fprintf(stderr, "usage: sluice-bench [--flood PACKETS_OF_EACH_KIND] OUT.json\n");
		return 2;
	}
	if (flood_only)
		measure_flood_table(figures, (uint32_t)strtoul(argv[2], NULL, 10));
	else
		measure_all(figures);
	if (json_dump_file(figures, path, JSON_INDENT(2) | JSON_REAL_PRECISION(6)))
		die("%s: cannot be written: %s", path, strerror(errno));
	json_decref(figures);
	return 0;
}

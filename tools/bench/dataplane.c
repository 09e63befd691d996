// SPDX-License-Identifier: GPL-2.0-only
/* The data plane as the benchmark loads it: one service, a hundred backends behind ipip. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/ip.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/ip.h"
#include "bench.h"
#include "lru_hash.skel.h"
#include "model/table.h"
#include "sluice.skel.h"
#include "sluice/service_table.h"

static size_t map_bytes(const struct bpf_map *map)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t value = (bpf_map__value_size(map) + 7) / 8 * 8;

	return (value * bpf_map__max_entries(map) + page - 1) / page * page;
}

static void *map_memory(const struct bpf_map *map)
{
	void *memory =
		mmap(NULL, map_bytes(map), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	if (memory == MAP_FAILED)
		die("map %s: cannot be mapped: %s", bpf_map__name(map), strerror(errno));
	return memory;
}

static uint32_t bucket_count(uint32_t flows)
{
	uint32_t buckets = 1;

	while (buckets * SLUICE_FLOWS_PER_BUCKET < flows)
		buckets *= 2;
	return buckets;
}

static void maps_size(struct sluice_bpf *sluice, const struct bench_limits *limits)
{
	int cpus = libbpf_num_possible_cpus();
	uint32_t cpu_count = cpus > 0 ? (uint32_t)cpus : 1;
	uint32_t buckets = bucket_count(limits->flows);
	uint32_t key_lines = service_table_lines(limits->services * 2);
	struct settings *settings = &sluice->rodata->settings;

	bpf_map__set_max_entries(sluice->maps.service_keys, key_lines);
	bpf_map__set_max_entries(sluice->maps.services, limits->services);
	bpf_map__set_max_entries(sluice->maps.backends, limits->backends);
	bpf_map__set_max_entries(sluice->maps.backend_loads, limits->backends);
	bpf_map__set_max_entries(sluice->maps.slots, limits->slots / SLUICE_SLOTS_PER_LINE);
	bpf_map__set_max_entries(sluice->maps.flows, buckets);
	bpf_map__set_max_entries(sluice->maps.backend_counters, limits->backends * cpu_count);
	bpf_map__set_max_entries(sluice->maps.service_counters, limits->services * cpu_count);
	bpf_map__set_max_entries(sluice->maps.verdict_counters, VERDICT_COUNT * cpu_count);
	bpf_map__set_max_entries(sluice->maps.flow_counters, cpu_count);
	settings->cpus = cpu_count;
	settings->services_max = limits->services;
	settings->backends_max = limits->backends;
	settings->flow_mask = buckets - 1;
	settings->key_mask = key_lines - 1;
}

static void backends_fill(struct dataplane *dataplane)
{
	struct backend *backends = map_memory(dataplane->sluice->maps.backends);

	for (uint32_t i = 0; i < BENCH_BACKENDS; i++) {
		struct backend *backend = &backends[i];
		const __be32 mapped = htonl(0xffff);

		*backend = (struct backend){.mode = FORWARD_MODE_IPIP, .family = 4};
		backend->nexthop.mac[0] = 2;
		backend->nexthop.mac[5] = (uint8_t)i;
		backend->address[2] = mapped;
		backend->address[3] = htonl(0xc0000200 + i);
		backend->source[2] = mapped;
		backend->source[3] = htonl(0xc00002fe);
		backend->outer_sum = backend_outer_sum(backend);
		backend->inner_mtu = 1480;
		backend->state = BACKEND_ALIVE;
	}
	munmap(backends, map_bytes(dataplane->sluice->maps.backends));
}

void dataplane_owners(struct dataplane *dataplane, uint32_t current_shift, uint32_t previous_shift)
{
	for (uint32_t slot = 0; slot < BENCH_SLOTS; slot++) {
		uint32_t owner = (uint32_t)(slot * 2654435761u >> 8);

		dataplane->slots[slot / SLUICE_SLOTS_PER_LINE].slots[slot % SLUICE_SLOTS_PER_LINE] =
			slot_word((owner + current_shift) % BENCH_BACKENDS,
				  (owner + previous_shift) % BENCH_BACKENDS);
	}
}

static void vip_fill(struct dataplane *dataplane)
{
	struct service_target service = {.service = 0}, own = {.service = SLUICE_NO_SERVICE};
	struct service_key key = {.port = htons(BENCH_PORT), .protocol = IPPROTO_TCP};
	struct service_key own_key = {0};
	struct vip_filter_line *filter = map_memory(dataplane->sluice->maps.vip_filter);
	struct service_line *keys = map_memory(dataplane->sluice->maps.service_keys);
	uint32_t mask = bpf_map__max_entries(dataplane->sluice->maps.service_keys) - 1;
	struct ip vip;
	uint32_t bit;

	if (ip_parse(BENCH_VIP, &vip))
		die("%s: not an address", BENCH_VIP);
	memcpy(key.vip, vip.word, sizeof(key.vip));
	memcpy(own_key.vip, vip.word, sizeof(own_key.vip));
	if (service_table_put(keys, mask, &key, target_word(&service)) ||
	    service_table_put(keys, mask, &own_key, target_word(&own)))
		die("map service_keys: no room");
	munmap(keys, map_bytes(dataplane->sluice->maps.service_keys));
	bit = hash_vip_bit(vip.word);
	filter[bit / 512].bits[bit / 64 % 8] |= 1ULL << (bit % 64);
	munmap(filter, map_bytes(dataplane->sluice->maps.vip_filter));
}

static void egress_fill(struct dataplane *dataplane)
{
	struct egress *egress = map_memory(dataplane->sluice->maps.egress);

	/* Test runs come in by the loopback interface. */
	egress[0] = (struct egress){.ifindex = 1, .mac = {2, 0, 0, 0, 0, 9}};
	munmap(egress, map_bytes(dataplane->sluice->maps.egress));
}

/*
 * The program with the LRU hash has all that the product's has, by the same names, so it is opened
 * by the product's skeleton: only the object file is another.
 */
static struct sluice_bpf *lru_hash_open(uint32_t flows)
{
	struct sluice_bpf *sluice = calloc(1, sizeof(*sluice));
	struct bpf_map *map;

	_Static_assert(sizeof(((struct lru_hash_bpf *)0)->rodata[0]) ==
			       sizeof(((struct sluice_bpf *)0)->rodata[0]),
		       "the two programs have the same constants");
	if (!sluice || sluice_bpf__create_skeleton(sluice))
		die("out of memory");
	sluice->skeleton->data = (void *)lru_hash_bpf__elf_bytes(&sluice->skeleton->data_sz);
	if (bpf_object__open_skeleton(sluice->skeleton, NULL))
		return NULL;
	map = bpf_object__find_map_by_name(sluice->obj, "flow_hash");
	if (!map || bpf_map__set_max_entries(map, flows))
		die("map flow_hash: its size cannot be set");
	return sluice;
}

struct dataplane *dataplane_new(const struct bench_limits *limits)
{
	struct dataplane *dataplane = calloc(1, sizeof(*dataplane));

	if (!dataplane)
		die("out of memory");
	dataplane->sluice = limits->lru_hash ? lru_hash_open(limits->flows) : sluice_bpf__open();
	if (!dataplane->sluice)
		die("the data plane cannot be opened: %s", strerror(errno));
	maps_size(dataplane->sluice, limits);
	if (sluice_bpf__load(dataplane->sluice))
		die("the data plane cannot be loaded: %s; is this root?", strerror(errno));
	dataplane->slots = map_memory(dataplane->sluice->maps.slots);
	dataplane->services = map_memory(dataplane->sluice->maps.services);
	dataplane->flows = map_memory(dataplane->sluice->maps.flows);
	dataplane->flow_bytes = map_bytes(dataplane->sluice->maps.flows);
	dataplane->services[0] = (struct service){
		.table = table_word(0, 1, 0),
		.slot_count = BENCH_SLOTS,
		.backend_capacity = 128,
		.state = SERVICE_PRESENT,
	};
	egress_fill(dataplane);
	backends_fill(dataplane);
	dataplane_owners(dataplane, 0, 0);
	vip_fill(dataplane);
	return dataplane;
}

void dataplane_free(struct dataplane *dataplane)
{
	if (!dataplane)
		return;
	munmap(dataplane->slots, map_bytes(dataplane->sluice->maps.slots));
	munmap(dataplane->services, map_bytes(dataplane->sluice->maps.services));
	munmap(dataplane->flows, dataplane->flow_bytes);
	sluice_bpf__destroy(dataplane->sluice);
	free(dataplane);
}

int dataplane_program(const struct dataplane *dataplane)
{
	return bpf_program__fd(dataplane->sluice->progs.sluice);
}

uint32_t dataplane_backend(const struct dataplane *dataplane, const uint8_t *frame, size_t length)
{
	uint8_t out[FRAME_LENGTH + sizeof(struct iphdr)];
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = (uint32_t)length,
		    .data_out = out, .data_size_out = sizeof(out), .repeat = 1);

	if (bpf_prog_test_run_opts(dataplane_program(dataplane), &options))
		die("a test run failed: %s", strerror(errno));
	if (options.retval != XDP_TX)
		die("a frame was not forwarded; the benchmark itself is wrong");
	/* The last byte of the backend's MAC address, see backends_fill. */
	return out[5];
}

void dataplane_track(struct dataplane *dataplane, enum tracking tracking)
{
	memset(dataplane->flows, 0, dataplane->flow_bytes);
	dataplane->services[0].tracking = (uint8_t)tracking;
}

struct flow_counter dataplane_flow_count(const struct dataplane *dataplane)
{
	const struct bpf_map *map = dataplane->sluice->maps.flow_counters;
	struct flow_counter *counters = map_memory(map), sum = {0};

	for (uint32_t cpu = 0; cpu < bpf_map__max_entries(map); cpu++) {
		sum.inserts += counters[cpu].inserts;
		sum.evicted_probation += counters[cpu].evicted_probation;
		sum.evicted_proven += counters[cpu].evicted_proven;
		sum.rejects += counters[cpu].rejects;
	}
	munmap(counters, map_bytes(map));
	return sum;
}

static uint64_t map_memlock(int fd)
{
	char path[64], line[128];
	unsigned long long bytes = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		die("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	}
	fclose(file);
	return bytes;
}

uint64_t dataplane_memory(const struct dataplane *dataplane)
{
	const struct bpf_map *map;
	uint64_t bytes = 0;

	bpf_object__for_each_map(map, dataplane->sluice->obj) bytes +=
		map_memlock(bpf_map__fd(map));
	return bytes;
}

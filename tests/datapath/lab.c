// SPDX-License-Identifier: GPL-2.0-only
/* Loading the data plane for tests, filling its maps, and running packets through it. */
#include "lab.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/ip.h"
#include "decap.skel.h"
#include "model/guard.h"
#include "model/table.h"
#include "pass.skel.h"
#include "sluice.skel.h"
#include "sluice/decap.h"
#include "sluice/service_table.h"

#define LOOPBACK_IFINDEX 1 /* by which test runs come in */

const uint8_t lab_own_mac[6] = {2, 0xcc, 0, 0, 0, 9};

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

	if (memory == MAP_FAILED) {
		print_error("mmap of %s: %s\n", bpf_map__name(map), strerror(errno));
		abort();
	}
	return memory;
}

void lab_maps_size(const struct lab *lab, struct sluice_bpf *sluice)
{
	bpf_map__set_max_entries(sluice->maps.service_keys, LAB_KEY_LINES);
	bpf_map__set_max_entries(sluice->maps.services, LAB_SERVICES);
	bpf_map__set_max_entries(sluice->maps.guard_limits, LAB_SERVICES);
	bpf_map__set_max_entries(sluice->maps.backends, LAB_BACKENDS);
	bpf_map__set_max_entries(sluice->maps.backend_loads, LAB_BACKENDS);
	bpf_map__set_max_entries(sluice->maps.slots, LAB_SERVICES * LAB_TABLE_LINES);
	bpf_map__set_max_entries(sluice->maps.quic_ids, LAB_BACKENDS);
	bpf_map__set_max_entries(sluice->maps.nat_replies, LAB_BACKENDS);
	bpf_map__set_max_entries(sluice->maps.flows, LAB_BUCKETS);
	bpf_map__set_max_entries(sluice->maps.backend_counters, LAB_BACKENDS * lab->cpus);
	bpf_map__set_max_entries(sluice->maps.service_counters, LAB_SERVICES * lab->cpus);
	bpf_map__set_max_entries(sluice->maps.verdict_counters, VERDICT_COUNT * lab->cpus);
	bpf_map__set_max_entries(sluice->maps.flow_counters, lab->cpus);
	sluice->rodata->settings.seed = LAB_SEED;
	sluice->rodata->settings.cpus = lab->cpus;
	sluice->rodata->settings.services_max = LAB_SERVICES;
	sluice->rodata->settings.backends_max = LAB_BACKENDS;
	sluice->rodata->settings.flow_mask = LAB_BUCKETS - 1;
	sluice->rodata->settings.key_mask = LAB_KEY_LINES - 1;
	sluice->rodata->settings.echo_interval_ns = LAB_REPLY_INTERVAL_NS;
	sluice->rodata->settings.error_interval_ns = LAB_REPLY_INTERVAL_NS;
	sluice->rodata->settings.gue_port = htons(LAB_GUE_PORT);
}

static void maps_open(struct lab *lab)
{
	lab->service_keys = map_memory(lab->sluice->maps.service_keys);
	lab->vip_filter = map_memory(lab->sluice->maps.vip_filter);
	lab->services = map_memory(lab->sluice->maps.services);
	lab->guard_limits = map_memory(lab->sluice->maps.guard_limits);
	lab->slots = map_memory(lab->sluice->maps.slots);
	lab->backends = map_memory(lab->sluice->maps.backends);
	lab->loads = map_memory(lab->sluice->maps.backend_loads);
	lab->egress = map_memory(lab->sluice->maps.egress);
	lab->flows = map_memory(lab->sluice->maps.flows);
	lab->backend_counters = map_memory(lab->sluice->maps.backend_counters);
	lab->service_counters = map_memory(lab->sluice->maps.service_counters);
	lab->verdict_counters = map_memory(lab->sluice->maps.verdict_counters);
	lab->flow_counters = map_memory(lab->sluice->maps.flow_counters);
}

bool lab_is_wired(void)
{
	const char *driver = getenv("SLUICE_TEST_DRIVER");

	return driver && !strcmp(driver, "wire");
}

static int wire_new(struct lab *lab)
{
	lab->pass = pass_bpf__open_and_load();
	lab->wire = calloc(1, sizeof(*lab->wire));
	if (!lab->pass || !lab->wire ||
	    !wire_open(lab->wire, bpf_program__fd(lab->pass->progs.pass))) {
		print_error("cannot make the namespaces: %s\n", strerror(errno));
		return -1;
	}
	lab->ifindex = lab->wire->balancer.ifindex;
	return 0;
}

int lab_new(void **state)
{
	struct lab *lab = calloc(1, sizeof(*lab));
	int cpus = libbpf_num_possible_cpus();

	if (!lab || cpus < 1)
		return -1;
	*state = lab;
	lab->cpus = (uint32_t)cpus;
	lab->ifindex = LOOPBACK_IFINDEX;
	if (lab_is_wired() && wire_new(lab))
		return -1;
	lab->sluice = sluice_bpf__open();
	lab->decap = decap_bpf__open_and_load();
	if (!lab->sluice || !lab->decap) {
		print_error("cannot open the BPF objects: %s\n", strerror(errno));
		return -1;
	}
	lab_maps_size(lab, lab->sluice);
	if (sluice_bpf__load(lab->sluice)) {
		print_error("cannot load the data plane: %s\n", strerror(errno));
		return -1;
	}
	maps_open(lab);
	return 0;
}

static void map_memory_free(const struct bpf_map *map, void *memory)
{
	munmap(memory, map_bytes(map));
}

int lab_free(void **state)
{
	struct lab *lab = *state;

	map_memory_free(lab->sluice->maps.service_keys, lab->service_keys);
	map_memory_free(lab->sluice->maps.vip_filter, lab->vip_filter);
	map_memory_free(lab->sluice->maps.services, lab->services);
	map_memory_free(lab->sluice->maps.guard_limits, lab->guard_limits);
	map_memory_free(lab->sluice->maps.slots, lab->slots);
	map_memory_free(lab->sluice->maps.backends, lab->backends);
	map_memory_free(lab->sluice->maps.backend_loads, lab->loads);
	map_memory_free(lab->sluice->maps.egress, lab->egress);
	map_memory_free(lab->sluice->maps.flows, lab->flows);
	map_memory_free(lab->sluice->maps.backend_counters, lab->backend_counters);
	map_memory_free(lab->sluice->maps.service_counters, lab->service_counters);
	map_memory_free(lab->sluice->maps.verdict_counters, lab->verdict_counters);
	map_memory_free(lab->sluice->maps.flow_counters, lab->flow_counters);
	if (lab->wire)
		wire_close(lab->wire);
	free(lab->wire);
	pass_bpf__destroy(lab->pass);
	decap_bpf__destroy(lab->decap);
	sluice_bpf__destroy(lab->sluice);
	sluice_bpf__destroy(lab->spread);
	sluice_bpf__destroy(lab->jumbo);
	free(lab);
	return 0;
}

static void fragments_clear(struct lab *lab)
{
	int fd = bpf_map__fd(lab->sluice->maps.fragments);
	struct fragment_key key;

	while (!bpf_map_get_next_key(fd, NULL, &key))
		bpf_map_delete_elem(fd, &key);
}

static void guard_clear(struct lab *lab)
{
	int prefixes = bpf_map__fd(lab->sluice->maps.guard_prefixes);
	int sources = bpf_map__fd(lab->sluice->maps.guard_sources);
	struct guard_prefix_key prefix;
	struct guard_source_key source;

	while (!bpf_map_get_next_key(prefixes, NULL, &prefix))
		bpf_map_delete_elem(prefixes, &prefix);
	while (!bpf_map_get_next_key(sources, NULL, &source))
		bpf_map_delete_elem(sources, &source);
}

static void nat_clear(struct lab *lab)
{
	int replies = bpf_map__fd(lab->sluice->maps.nat_replies);
	struct nat_key key;

	while (!bpf_map_get_next_key(replies, NULL, &key))
		bpf_map_delete_elem(replies, &key);
}

static void egress_fill(struct lab *lab, uint32_t index, uint32_t ifindex)
{
	/* Test runs do not transmit, but look the way up: to the one interface that they know. */
	uint32_t port = lab->wire ? ifindex : lab->ifindex;

	lab->egress[index].ifindex = ifindex;
	memcpy(lab->egress[index].mac, lab_own_mac, 6);
	bpf_map_update_elem(bpf_map__fd(lab->sluice->maps.egress_ports), &index, &port, BPF_ANY);
}

int lab_reset(void **state)
{
	struct lab *lab = *state;

	lab->variant = lab->sluice;
	fragments_clear(lab);
	guard_clear(lab);
	nat_clear(lab);
	memset(lab->service_keys, 0, map_bytes(lab->sluice->maps.service_keys));
	memset(lab->vip_filter, 0, map_bytes(lab->sluice->maps.vip_filter));
	memset(lab->services, 0, map_bytes(lab->sluice->maps.services));
	memset(lab->guard_limits, 0, map_bytes(lab->sluice->maps.guard_limits));
	memset(lab->backends, 0, map_bytes(lab->sluice->maps.backends));
	memset(lab->loads, 0, map_bytes(lab->sluice->maps.backend_loads));
	memset(lab->flows, 0, map_bytes(lab->sluice->maps.flows));
	memset(lab->backend_counters, 0, map_bytes(lab->sluice->maps.backend_counters));
	memset(lab->service_counters, 0, map_bytes(lab->sluice->maps.service_counters));
	memset(lab->verdict_counters, 0, map_bytes(lab->sluice->maps.verdict_counters));
	memset(lab->flow_counters, 0, map_bytes(lab->sluice->maps.flow_counters));
	lab->marks = 0;
	egress_fill(lab, LAB_EGRESS_SAME, lab->ifindex);
	egress_fill(lab, LAB_EGRESS_OTHER, lab->wire ? lab->wire->other_ifindex : lab->ifindex + 1);
	if (lab->wire)
		wire_clear(lab->wire);
	return 0;
}

static void key_write(struct lab *lab, const struct ip *vip, uint8_t protocol, uint16_t port,
		      const struct service_target *target)
{
	struct service_key key = {.port = htons(port), .protocol = protocol};

	memcpy(key.vip, vip->word, sizeof(key.vip));
	assert_int_equal(
		service_table_put(lab->service_keys, LAB_KEY_LINES - 1, &key, target_word(target)),
		0);
}

void lab_vip_pass(struct lab *lab, const char *vip, bool pass)
{
	struct service_target target = {.service = SLUICE_NO_SERVICE, .pass = pass};
	struct ip address;
	uint32_t bit;

	assert_int_equal(ip_parse(vip, &address), 0);
	bit = hash_vip_bit(address.word);
	lab->vip_filter[bit / 512].bits[bit / 64 % 8] |= 1ULL << (bit % 64);
	key_write(lab, &address, 0, 0, &target);
}

struct service *lab_service(struct lab *lab, uint32_t id, const char *vip, uint8_t protocol,
			    uint16_t port)
{
	struct service_target target = {.service = id};
	struct service *service = &lab->services[id];
	struct ip address;

	assert_int_equal(ip_parse(vip, &address), 0);
	*service = (struct service){
		.table = table_word(id * LAB_TABLE_LINES, 1, 0),
		.slot_count = LAB_SLOTS,
		.backend_base = id * LAB_SERVICE_BACKENDS,
		.backend_capacity = LAB_SERVICE_BACKENDS,
		.grace_ticks = 10,
		.state = SERVICE_PRESENT,
	};
	lab_slots(lab, id, SLUICE_NO_BACKEND, SLUICE_NO_BACKEND);
	lab_vip_pass(lab, vip, false);
	key_write(lab, &address, protocol, port, &target);
	return service;
}

void lab_backend_mac(uint32_t service, uint32_t number, uint8_t ret_mac[6])
{
	const uint8_t mac[6] = {2, 0xdd, 0, 0, (uint8_t)service, (uint8_t)number};

	memcpy(ret_mac, mac, sizeof(mac));
}

struct backend *lab_backend(struct lab *lab, uint32_t service, uint32_t number, const char *source,
			    const char *address)
{
	struct backend *backend = &lab->backends[service * LAB_SERVICE_BACKENDS + number];
	struct ip ip;

	*backend = (struct backend){.service = service, .mode = FORWARD_MODE_L2, .family = 4};
	backend->nexthop.egress = LAB_EGRESS_SAME;
	lab_backend_mac(service, number, backend->nexthop.mac);
	if (address) {
		assert_int_equal(ip_parse(source, &ip), 0);
		memcpy(backend->source, ip.word, sizeof(ip.word));
		assert_int_equal(ip_parse(address, &ip), 0);
		memcpy(backend->address, ip.word, sizeof(ip.word));
		backend->mode = FORWARD_MODE_IPIP;
		backend->family = ip_family(&ip);
		if (backend->family == 4)
			backend->outer_sum = backend_outer_sum(backend);
	}
	backend->inner_mtu = UINT16_MAX;
	backend->state = BACKEND_ALIVE;
	return backend;
}

static uint32_t *slot_place(struct lab *lab, uint32_t service, uint32_t slot)
{
	uint32_t line = table_line(lab->services[service].table);

	return &lab->slots[line + slot / SLUICE_SLOTS_PER_LINE].slots[slot % SLUICE_SLOTS_PER_LINE];
}

void lab_slots(struct lab *lab, uint32_t service, uint32_t current, uint32_t previous)
{
	for (uint32_t slot = 0; slot < LAB_SLOTS; slot++)
		*slot_place(lab, service, slot) = slot_word(current, previous);
}

void lab_table(struct lab *lab, uint32_t service, const uint32_t *weights, uint32_t count)
{
	struct table_member members[LAB_SERVICE_BACKENDS];
	uint16_t owners[LAB_SLOTS];

	for (uint32_t i = 0; i < count; i++) {
		members[i] = (struct table_member){
			.identity = i + 1, .weight = weights[i], .number = (uint16_t)i};
		lab->loads[service * LAB_SERVICE_BACKENDS + i].weight = weights[i];
	}
	assert_int_equal(table_build(members, count, LAB_SLOTS, owners), 0);
	for (uint32_t slot = 0; slot < LAB_SLOTS; slot++)
		*slot_place(lab, service, slot) = slot_word(owners[slot], owners[slot]);
}

void lab_guard(struct lab *lab, uint32_t service, const char *prefix, enum guard_answer answer)
{
	int fd = bpf_map__fd(lab->sluice->maps.guard_prefixes);
	struct guard_prefix_key key;
	struct prefix parsed;
	uint32_t word;

	assert_int_equal(prefix_parse(prefix, &parsed, NULL), 0);
	guard_prefix_key_fill(&key, service, &parsed);
	word = guard_prefix_word(answer, parsed.length);
	if (answer == GUARD_NONE)
		assert_int_equal(bpf_map_delete_elem(fd, &key), 0);
	else
		assert_int_equal(bpf_map_update_elem(fd, &key, &word, BPF_ANY), 0);
}

void lab_guard_limit(struct lab *lab, uint32_t service, uint32_t rate, uint32_t burst,
		     uint32_t prefix4, uint32_t prefix6)
{
	const struct new_flow_limit limit = {rate, burst, prefix4, prefix6};

	guard_limit_fill(&lab->guard_limits[service], &limit);
	lab->services[service].guard |= GUARD_LIMIT;
}

void lab_guard_source_age(struct lab *lab, const struct guard_source_key *key, uint64_t age_ns)
{
	int fd = bpf_map__fd(lab->sluice->maps.guard_sources);
	uint64_t full;

	assert_int_equal(bpf_map_lookup_elem(fd, key, &full), 0);
	full -= age_ns;
	assert_int_equal(bpf_map_update_elem(fd, key, &full, BPF_EXIST), 0);
}

void lab_fragments_age(struct lab *lab, uint32_t ticks)
{
	int fd = bpf_map__fd(lab->sluice->maps.fragments);
	struct fragment_key key, *previous = NULL;
	uint32_t then = lab_now(lab) - ticks;
	struct fragment_owner owner;

	while (!bpf_map_get_next_key(fd, previous, &key)) {
		assert_int_equal(bpf_map_lookup_elem(fd, &key, &owner), 0);
		owner.word =
			fragment_word(fragment_kind(owner.word), fragment_number(owner.word), then);
		assert_int_equal(bpf_map_update_elem(fd, &key, &owner, BPF_EXIST), 0);
		previous = &key;
	}
}

size_t lab_guard_sources(struct lab *lab)
{
	int fd = bpf_map__fd(lab->sluice->maps.guard_sources);
	struct guard_source_key key, *previous = NULL;
	size_t count = 0;

	while (!bpf_map_get_next_key(fd, previous, &key)) {
		previous = &key;
		count++;
	}
	return count;
}

uint64_t lab_decap_count(const struct lab *lab, uint32_t verdict)
{
	uint64_t packets[1024] = {0}, sum = 0;

	assert_true(lab->cpus <= sizeof(packets) / sizeof(packets[0]));
	assert_int_equal(bpf_map__lookup_elem(lab->decap->maps.decap_counters, &verdict,
					      sizeof(verdict), packets,
					      lab->cpus * sizeof(packets[0]), 0),
			 0);
	for (uint32_t cpu = 0; cpu < lab->cpus; cpu++)
		sum += packets[cpu];
	return verdict == DECAP_PASS_OTHER ? sum - lab->decap_marks : sum;
}

void lab_bucket(struct lab *lab, enum reply_kind kind, uint64_t in_ns)
{
	uint64_t *full = calloc(lab->cpus, sizeof(*full));
	uint32_t index = kind;
	struct timespec now;

	assert_non_null(full);
	clock_gettime(CLOCK_MONOTONIC, &now);
	for (uint32_t cpu = 0; cpu < lab->cpus; cpu++)
		full[cpu] = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + in_ns;
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(lab->sluice->maps.reply_buckets), &index,
					     full, BPF_ANY),
			 0);
	free(full);
}

static void counter_sum(struct counter *sum, const struct counter *counter)
{
	sum->packets += counter->packets;
	sum->bytes += counter->bytes;
	sum->new_flows += counter->new_flows;
}

struct counter lab_backend_count(const struct lab *lab, uint32_t service, uint32_t number)
{
	struct counter sum = {0};

	for (uint32_t cpu = 0; cpu < lab->cpus; cpu++)
		counter_sum(&sum, &lab->backend_counters[cpu * LAB_BACKENDS +
							 service * LAB_SERVICE_BACKENDS + number]);
	return sum;
}

struct counter lab_service_count(const struct lab *lab, uint32_t service)
{
	struct counter sum = {0};

	for (uint32_t cpu = 0; cpu < lab->cpus; cpu++)
		counter_sum(&sum, &lab->service_counters[cpu * LAB_SERVICES + service]);
	return sum;
}

struct flow_counter lab_flow_count(const struct lab *lab)
{
	struct flow_counter sum = {0};

	for (uint32_t cpu = 0; cpu < lab->cpus; cpu++) {
		sum.inserts += lab->flow_counters[cpu].inserts;
		sum.evicted_closing += lab->flow_counters[cpu].evicted_closing;
		sum.evicted_probation += lab->flow_counters[cpu].evicted_probation;
		sum.evicted_proven += lab->flow_counters[cpu].evicted_proven;
		sum.rejects += lab->flow_counters[cpu].rejects;
		sum.from_previous += lab->flow_counters[cpu].from_previous;
		sum.races += lab->flow_counters[cpu].races;
	}
	return sum;
}

uint64_t lab_hash(const struct spec *spec)
{
	struct flow_key key = {
		.source_port = htons(spec->source_port),
		.destination_port = htons(spec->port),
		.protocol = spec->protocol ? spec->protocol : IPPROTO_TCP,
	};
	struct ip ip;

	assert_int_equal(ip_parse(spec->from, &ip), 0);
	memcpy(key.source, ip.word, sizeof(key.source));
	assert_int_equal(ip_parse(spec->to, &ip), 0);
	memcpy(key.destination, ip.word, sizeof(key.destination));
	key.family = ip_family(&ip);
	return hash_flow(&key, LAB_SEED);
}

uint64_t *lab_entry(struct lab *lab, const struct spec *spec)
{
	uint64_t hash = lab_hash(spec);
	struct flow_bucket *bucket = &lab->flows[hash & (LAB_BUCKETS - 1)];

	for (int i = 0; i < SLUICE_FLOWS_PER_BUCKET; i++) {
		uint64_t entry = bucket->entries[i];

		if (entry && flow_entry_tag(entry) == flow_entry_tag(hash))
			return (uint64_t *)&bucket->entries[i];
	}
	return NULL;
}

uint32_t lab_now(struct lab *lab)
{
	/* A flow of its own that the data plane stamps; then forgotten. */
	const struct spec spec = {
		.from = "203.0.113.77", .to = "198.51.100.77", .source_port = 7, .port = 7};
	uint32_t id = LAB_SERVICES - 1;
	uint64_t *entry;
	uint32_t now;

	lab_service(lab, id, spec.to, IPPROTO_TCP, spec.port);
	lab_backend(lab, id, 0, NULL, NULL);
	lab_slots(lab, id, 0, 0);
	assert_int_equal(lab_send(lab, &spec), 0);
	entry = lab_entry(lab, &spec);
	assert_non_null(entry);
	now = flow_entry_seen(*entry);
	*entry = 0;
	return now;
}

// SPDX-License-Identifier: GPL-2.0-only
/* The agent's data plane in a folder of its own, and its pools with a model beside them. */
#include "rig.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "model/table.h"

#define BACKEND_PORT 80

static const struct {
	const char *name, *vip;
	uint8_t protocol;
	enum forward_mode mode;
	enum tracking tracking;
} services[RIG_SERVICES] = {
	{"tcp-full", "198.51.100.1", IPPROTO_TCP, FORWARD_MODE_L2, TRACKING_FULL},
	{"tcp-minimal", "198.51.100.2", IPPROTO_TCP, FORWARD_MODE_IPIP, TRACKING_MINIMAL},
	{"udp-full", "198.51.100.3", IPPROTO_UDP, FORWARD_MODE_IPIP, TRACKING_FULL},
	{"udp-minimal", "198.51.100.4", IPPROTO_UDP, FORWARD_MODE_L2, TRACKING_MINIMAL},
};

/* At once, so that nothing is left behind even if the program is killed. */
static void folders_remove(const struct rig *rig)
{
	DIR *folder = opendir(rig->pin_dir);
	const struct dirent *entry;

	while (folder && (entry = readdir(folder)))
		unlinkat(dirfd(folder), entry->d_name, 0); /* not . and .. */
	if (folder)
		closedir(folder);
	rmdir(rig->pin_dir);
	rmdir(rig->state_dir);
}

/* Idle flows are forgotten, and slots settle, after idle_ms. */
static int open_with(void **context, uint32_t flows, uint64_t idle_ms)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	char program[96];
	struct error error;

	assert_non_null(rig);
	snprintf(rig->pin_dir, sizeof(rig->pin_dir), "/sys/fs/bpf/sluice-test-%d", (int)getpid());
	snprintf(rig->state_dir, sizeof(rig->state_dir), "/tmp/sluice-test-%d", (int)getpid());
	rig->config = (struct config){
		.pin_dir = rig->pin_dir,
		.state_dir = rig->state_dir,
		.seed = 0x5eed,
		.limits = {.services = 8, .backends = 256, .slots = 1 << 18, .flows = flows},
		.timeouts = {.closing_ms = idle_ms,
			     .probation_ms = idle_ms,
			     .tcp_idle_ms = idle_ms,
			     .udp_idle_ms = idle_ms},
	};
	*context = rig;
	if (dataplane_open(&rig->config, &rig->dataplane, &error)) {
		print_error("%s\n", error.text);
		folders_remove(rig);
		return -1;
	}
	snprintf(program, sizeof(program), "%s/program", rig->pin_dir);
	rig->program = bpf_obj_get(program);
	assert_true(rig->program >= 0);
	folders_remove(rig);
	rig->maps = dataplane_maps(rig->dataplane);
	rig->sweep = sweep_new(&(struct sweep_maps){
		.meta = rig->maps->meta,
		.settings = &rig->maps->settings,
		.services = rig->maps->services,
		.slots = rig->maps->slots,
		.backends = rig->maps->backends,
		.loads = rig->maps->loads,
		.flows = rig->maps->flows,
	});
	rig->state = state_new(&rig->config.limits);
	assert_true(rig->sweep && rig->state);
	return 0;
}

int rig_open(void **context)
{
	return open_with(context, 1 << 18, 2000);
}

int rig_open_large(void **context)
{
	return open_with(context, 1 << 20, 600000);
}

int rig_close(void **context)
{
	struct rig *rig = *context;

	for (uint32_t i = 0; i < RIG_SERVICES; i++) {
		for (uint32_t version = 0; version < RIG_VERSIONS_MAX; version++)
			free(rig->services[i].tables[version]);
	}
	state_free(rig->state);
	sweep_free(rig->sweep);
	dataplane_close(rig->dataplane);
	if (rig->program > 0)
		close(rig->program);
	free(rig);
	return 0;
}

const char *rig_name(uint32_t serial, char text[16])
{
	snprintf(text, 16, "b%u", serial);
	return text;
}

static uint32_t serial_of(const struct pool_backend *backend)
{
	return (uint32_t)strtoul(backend->name + 1, NULL, 10);
}

struct state *rig_draft(const struct rig *rig)
{
	struct state *draft = state_clone(rig->state);

	assert_non_null(draft);
	return draft;
}

uint32_t rig_add(struct rig *rig, struct state *draft, uint32_t service, uint32_t weight)
{
	struct backend_config backend = {.weight = weight, .port = BACKEND_PORT};
	uint32_t serial = rig->serials + 1;
	char name[16], address[24];
	struct error error;
	int code;

	assert_true(serial < RIG_SERIALS_MAX);
	snprintf(address, sizeof(address), "10.0.%u.%u", serial >> 8, serial & 0xff);
	rig_name(serial, name);
	backend.name = name;
	backend.address = ip_make(address);
	code = state_backend_add(draft, services[service].name, &backend, ORIGIN_RUNTIME, &error);
	if (code == -ENOSPC)
		return 0;
	if (code)
		fail_msg("%s", error.text);
	rig->serials = serial;
	rig->lives[serial].service = service;
	rig->lives[serial].born = RIG_NEVER;
	rig->lives[serial].died = RIG_NEVER;
	return serial;
}

/* The owners of a pool's slots, by serial; nobody, if there is no pool. */
static uint16_t *table_of(const struct rig *rig, const struct pool *pool)
{
	struct table_member members[RIG_BACKENDS_MAX];
	uint16_t *owners = calloc(RIG_SLOTS, sizeof(*owners));
	uint16_t serials[SLUICE_NO_BACKEND + 1] = {0};
	size_t count = 0;

	assert_non_null(owners);
	if (!pool)
		return owners;
	assert_int_equal(pool->slot_count, RIG_SLOTS);
	for (size_t i = 0; i < pool->backend_count; i++) {
		const struct pool_backend *backend = &pool->backends[i];

		if (!backend_alive(backend))
			continue;
		serials[backend->number] = (uint16_t)serial_of(backend);
		members[count++] = (struct table_member){
			.identity = table_identity(&backend->address, htons(BACKEND_PORT),
						   rig->config.seed),
			.weight = backend_weight(backend),
			.number = (uint16_t)backend->number,
		};
	}
	assert_int_equal(table_build(members, count, RIG_SLOTS, owners), 0);
	for (uint32_t slot = 0; slot < RIG_SLOTS; slot++)
		owners[slot] = serials[owners[slot]];
	return owners;
}

static bool takes_packets(const struct state *state, uint32_t service, uint32_t serial)
{
	char name[16];
	const struct pool *pool = state_pool(state, services[service].name);
	const struct pool_backend *backend = pool ? pool_backend(pool, rig_name(serial, name)) : 0;

	return backend && backend_alive(backend);
}

/* From here on packets may find the new version as well as the old one. */
static void model_begin(struct rig *rig, uint32_t service, const struct state *draft)
{
	struct rig_service *own = &rig->services[service];
	uint32_t version = own->tables[0] ? own->newest + 1 : 0;

	assert_true(version < RIG_VERSIONS_MAX);
	own->tables[version] = table_of(rig, state_pool(draft, services[service].name));
	for (uint32_t serial = 1; serial <= rig->serials; serial++) {
		struct rig_life *life = &rig->lives[serial];

		if (life->service != service)
			continue;
		if (life->born == RIG_NEVER && takes_packets(draft, service, serial))
			life->born = version;
		else if (life->born != RIG_NEVER && life->died == RIG_NEVER &&
			 !takes_packets(draft, service, serial))
			life->died = version;
	}
	own->newest = version;
}

static void nexthop_give(struct rig *rig, const struct plan_step *step)
{
	uint32_t serial = serial_of(step->backend);
	const struct dataplane_nexthop nexthop = {
		.ifindex = 1, /* where the packets of test runs come in: they go out there again */
		.mac = {2, 0xdd, 0, 0, (uint8_t)(serial >> 8), (uint8_t)serial},
		.source_mac = {2, 0xcc, 0, 0, 0, 9},
		.source = ip_make("192.0.2.1"),
		.mtu = 1500,
	};

	assert_int_equal(dataplane_nexthop_set(rig->dataplane,
					       step->pool->backend_base + step->backend->number,
					       &step->backend->address, &nexthop),
			 0);
}

static void plan_carry_out(struct rig *rig, const struct plan *plan, void (*on_step)(void *data),
			   void *data)
{
	struct plan_outcome outcome;
	struct error error;

	if (!on_step) {
		if (dataplane_execute(rig->dataplane, plan, &outcome, &error))
			fail_msg("%s", error.text);
		return;
	}
	for (size_t i = 0; i < plan->step_count; i++) {
		const struct plan single = {&plan->steps[i], 1};

		if (dataplane_execute(rig->dataplane, &single, &outcome, &error))
			fail_msg("%s", error.text);
		on_step(data);
	}
}

void rig_change(struct rig *rig, uint32_t service, struct state *draft, void (*on_step)(void *data),
		void *data)
{
	struct rig_service *own = &rig->services[service];
	struct counter counter;
	struct plan *plan;

	assert_int_equal(plan_make(rig->state, draft, &plan), 0);
	for (size_t i = 0; i < plan->step_count; i++) {
		if (plan->steps[i].kind == PLAN_BACKEND_WRITE)
			nexthop_give(rig, &plan->steps[i]);
	}
	model_begin(rig, service, draft);
	plan_carry_out(rig, plan, on_step, data);
	own->oldest = own->newest;
	for (size_t i = 0; i < plan->step_count; i++) {
		const struct plan_step *step = &plan->steps[i];

		if (step->kind != PLAN_BACKEND_CLEAR)
			continue;
		dataplane_backend_counter(
			rig->dataplane, step->pool->backend_base + step->backend->number, &counter);
		own->counted_before += counter.packets;
	}
	plan_free(plan);
	state_free(rig->state);
	rig->state = draft;
}

void rig_service_add(struct rig *rig, uint32_t service, void (*on_step)(void *data), void *data)
{
	struct service_config config =
		service_make(services[service].name, services[service].vip, 80, RIG_BACKENDS_MAX);
	struct state *draft = rig_draft(rig);
	struct error error;

	config.protocol = services[service].protocol;
	config.mode = services[service].mode;
	config.tracking = services[service].tracking;
	config.grace_ms = 5000;
	rig->services[service].name = services[service].name;
	rig->services[service].vip = config.vip;
	rig->services[service].protocol = config.protocol;
	if (state_service_add(draft, &config, ORIGIN_CONFIG, &error))
		fail_msg("%s", error.text);
	for (int backend = 0; backend < 4; backend++)
		assert_true(rig_add(rig, draft, service, 100) > 0);
	rig_change(rig, service, draft, on_step, data);
}

void rig_start(struct rig *rig)
{
	for (uint32_t i = 0; i < RIG_SERVICES; i++)
		rig_service_add(rig, i, NULL, NULL);
}

/* A random backend of the pool in this state of life, if there is one. */
static const struct pool_backend *backend_any(struct rig *rig, const struct pool *pool,
					      enum lifecycle life)
{
	size_t start = below(&rig->random, (uint32_t)pool->backend_count + 1);

	for (size_t i = 0; i < pool->backend_count; i++) {
		const struct pool_backend *backend =
			&pool->backends[(start + i) % pool->backend_count];

		if (backend->life == life)
			return backend;
	}
	return NULL;
}

static size_t active_count(const struct pool *pool)
{
	size_t count = 0;

	for (size_t i = 0; i < pool->backend_count; i++)
		count += backend_weight(&pool->backends[i]) > 0;
	return count;
}

static int tracking_turn(struct state *draft, const char *name)
{
	struct pool *pool;
	struct error error;
	int code = state_pool_edit(draft, name, &pool, &error);

	if (!code)
		pool_service_edit(pool)->tracking =
			pool->service->tracking == TRACKING_FULL ? TRACKING_MINIMAL : TRACKING_FULL;
	return code;
}

/* Returns 0, or -ENOENT if there is nothing now that could be changed in this way. */
static int change_make(struct rig *rig, struct state *draft, uint32_t service, uint32_t kind)
{
	const char *name = services[service].name;
	const struct pool *pool = state_pool(draft, name);
	const struct pool_backend *active = backend_any(rig, pool, LIFE_ACTIVE);
	const struct pool_backend *draining = backend_any(rig, pool, LIFE_DRAINING);
	bool spare = active && active_count(pool) > 2;
	struct error error;

	switch (kind) {
	case 0:
		return rig_add(rig, draft, service, 50 + below(&rig->random, 100)) ? 0 : -ENOENT;
	case 1:
		return spare ? state_backend_drain(draft, name, active->name, 0, &error) : -ENOENT;
	case 2:
		return draining ? state_backend_undrain(draft, name, draining->name, &error)
				: -ENOENT;
	case 3:
		return active ? state_backend_weight(draft, name, active->name,
						     1 + below(&rig->random, 200), &error)
			      : -ENOENT;
	case 4:
		return draining ? state_backend_remove(draft, name, draining->name, &error)
				: -ENOENT;
	case 5:
		return spare ? state_backend_remove(draft, name, active->name, &error) : -ENOENT;
	default:
		return tracking_turn(draft, name);
	}
}

void rig_change_random(struct rig *rig, void (*on_step)(void *data), void *data)
{
	for (;;) {
		uint32_t service = below(&rig->random, RIG_SERVICES);
		struct state *draft = rig_draft(rig);
		int code = change_make(rig, draft, service,
				       below(&rig->random, 6 + !rig->tracking_stays));

		if (!code) {
			rig_change(rig, service, draft, on_step, data);
			return;
		}
		assert_int_equal(code, -ENOENT);
		state_free(draft);
	}
}

static void sweep_pass(struct rig *rig, uint32_t tick)
{
	while (!sweep_step(rig->sweep, 4096, tick))
		;
}

void rig_purge(struct rig *rig, uint32_t tick)
{
	sweep_pass(rig, tick);
	sweep_pass(rig, tick);
	assert_int_equal(state_purged(rig->state), 0);
}

uint32_t rig_unsettled(const struct rig *rig, bool full_only)
{
	uint32_t unsettled = 0;

	for (uint32_t i = 0; i < RIG_SERVICES; i++) {
		const struct pool *pool = state_pool(rig->state, services[i].name);
		struct table_facts facts;

		if (full_only && pool->service->tracking != TRACKING_FULL)
			continue;
		assert_int_equal(dataplane_table(rig->dataplane, pool, &facts, NULL), 0);
		unsettled += facts.unsettled;
	}
	return unsettled;
}

void rig_assert(struct rig *rig)
{
	if (rig->failed)
		fail_msg("%s", rig->failure);
}

void rig_assert_counters(const struct rig *rig)
{
	for (uint32_t i = 0; i < RIG_SERVICES; i++) {
		const struct rig_service *own = &rig->services[i];
		const struct pool *pool = state_pool(rig->state, own->name);
		uint64_t by_backends = own->counted_before;
		struct counter counter;

		dataplane_service_counter(rig->dataplane, pool->id, &counter);
		assert_int_equal(counter.packets, own->sent);
		if (own->protocol == IPPROTO_TCP)
			assert_int_equal(counter.new_flows, own->opened);
		for (size_t b = 0; b < pool->backend_count; b++) {
			if (!backend_alive(&pool->backends[b]))
				continue;
			dataplane_backend_counter(rig->dataplane,
						  pool->backend_base + pool->backends[b].number,
						  &counter);
			by_backends += counter.packets;
		}
		assert_int_equal(by_backends, own->sent);
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/* Tests of user/model/plan.h: its order, and its safety at every step on a toy of the kernel. */
#include "make.h"

#include <errno.h>

#include "model/plan.h"
#include "sluice/limits.h"

#define TOY_SERVICES 16
#define TOY_BACKENDS 1024
#define TOY_KEYS     64

/* The maps, as far as the plan writes them. */
struct toy {
	struct {
		bool present;
		struct ip vip;
		uint8_t protocol;
		uint16_t port;
		uint32_t service;
	} keys[TOY_KEYS];
	struct {
		bool present;
		struct ip vip;
	} vips[TOY_KEYS];
	struct {
		bool present, published;
		uint32_t base;
		bool member[TOY_BACKENDS]; /* records that the published table may name */
		uint32_t weight[TOY_BACKENDS];
	} services[TOY_SERVICES];
	struct {
		bool present, dead;
		struct ip address;
	} records[TOY_BACKENDS];
};

static int toy_key_find(const struct toy *toy, const struct service_config *service)
{
	for (int i = 0; i < TOY_KEYS; i++) {
		if (toy->keys[i].present && ip_equal(&toy->keys[i].vip, &service->vip) &&
		    toy->keys[i].protocol == service->protocol &&
		    toy->keys[i].port == service->port)
			return i;
	}
	return -1;
}

static int toy_vip_find(const struct toy *toy, const struct ip *vip)
{
	for (int i = 0; i < TOY_KEYS; i++) {
		if (toy->vips[i].present && ip_equal(&toy->vips[i].vip, vip))
			return i;
	}
	return -1;
}

static void toy_key_write(struct toy *toy, const struct pool *pool)
{
	int place = toy_key_find(toy, pool->service);

	for (int i = 0; place < 0 && i < TOY_KEYS; i++) {
		if (!toy->keys[i].present)
			place = i;
	}
	assert_true(place >= 0);
	toy->keys[place].present = true;
	toy->keys[place].vip = pool->service->vip;
	toy->keys[place].protocol = pool->service->protocol;
	toy->keys[place].port = pool->service->port;
	toy->keys[place].service = pool->id;
}

static void toy_publish(struct toy *toy, const struct plan_step *step)
{
	const struct pool *pool = step->pool;

	assert_int_equal(step->created, !toy->services[pool->id].published);
	memset(toy->services[pool->id].member, 0, sizeof(toy->services[0].member));
	memset(toy->services[pool->id].weight, 0, sizeof(toy->services[0].weight));
	for (size_t i = 0; i < pool->backend_count; i++) {
		const struct pool_backend *backend = &pool->backends[i];
		uint32_t record = pool->backend_base + backend->number;

		if (!backend_takes(backend))
			continue;
		toy->services[pool->id].member[record] = true;
		toy->services[pool->id].weight[record] = backend_weight(backend);
	}
	toy->services[pool->id].published = true;
	toy->services[pool->id].base = pool->backend_base;
}

static void toy_vip(struct toy *toy, const struct plan_step *step)
{
	int place = toy_vip_find(toy, &step->pool->service->vip);

	if (step->kind == PLAN_VIP_REMOVE) {
		assert_true(place >= 0);
		toy->vips[place].present = false;
		return;
	}
	assert_int_equal(place, -1);
	for (int i = 0; i < TOY_KEYS; i++) {
		if (toy->vips[i].present)
			continue;
		toy->vips[i].present = true;
		toy->vips[i].vip = step->pool->service->vip;
		return;
	}
	fail();
}

static void toy_step(struct toy *toy, const struct plan_step *step)
{
	const struct pool *pool = step->pool;
	uint32_t record = step->backend ? pool->backend_base + step->backend->number : 0;
	int key;

	switch (step->kind) {
	case PLAN_KEY_REMOVE:
		key = toy_key_find(toy, pool->service);
		assert_true(key >= 0);
		toy->keys[key].present = false;
		break;
	case PLAN_VIP_REMOVE:
	case PLAN_VIP_WRITE:
		toy_vip(toy, step);
		break;
	case PLAN_BACKEND_WRITE:
		toy->records[record].present = true;
		toy->records[record].address = step->backend->address;
		toy->records[record].dead = !backend_takes(step->backend);
		break;
	case PLAN_TABLE_PUBLISH:
		toy_publish(toy, step);
		break;
	case PLAN_SERVICE_WRITE:
		toy->services[pool->id].present = true;
		break;
	case PLAN_KEY_WRITE:
		toy_key_write(toy, pool);
		break;
	case PLAN_SERVICE_CLEAR:
		assert_true(toy->services[pool->id].present);
		memset(&toy->services[pool->id], 0, sizeof(toy->services[0]));
		break;
	case PLAN_BACKEND_DEAD:
		assert_true(toy->records[record].present && !toy->records[record].dead);
		toy->records[record].dead = true;
		break;
	case PLAN_BACKEND_CLEAR:
		assert_true(toy->records[record].present);
		memset(&toy->records[record], 0, sizeof(toy->records[0]));
		break;
	}
}

/* What must hold between any two writes. */
static void toy_check(const struct toy *toy)
{
	for (int i = 0; i < TOY_KEYS; i++) {
		if (!toy->keys[i].present)
			continue;
		assert_true(toy->services[toy->keys[i].service].present);
		assert_true(toy->services[toy->keys[i].service].published);
	}
	for (int i = 0; i < TOY_SERVICES; i++) {
		for (int n = 0; toy->services[i].published && n < TOY_BACKENDS; n++)
			assert_true(!toy->services[i].member[n] ||
				    (toy->records[n].present && !toy->records[n].dead));
	}
}

/* A key that both states have is there at every moment. */
static void toy_check_keys(const struct toy *toy, const struct state *before,
			   const struct state *after)
{
	for (size_t i = 0; i < before->pool_count; i++) {
		for (size_t n = 0; n < after->pool_count; n++) {
			const struct service_config *a = before->pools[i]->service;
			const struct service_config *b = after->pools[n]->service;

			if (a->protocol == b->protocol && a->port == b->port &&
			    ip_equal(&a->vip, &b->vip))
				assert_true(toy_key_find(toy, a) >= 0);
		}
	}
}

static bool state_has_vip(const struct state *state, const struct ip *vip)
{
	for (size_t i = 0; i < state->pool_count; i++) {
		if (ip_equal(&state->pools[i]->service->vip, vip))
			return true;
	}
	return false;
}

/* A VIP that comes or goes has all of its keys while it has an entry of its own. */
static void toy_check_vips(const struct toy *toy, const struct state *before,
			   const struct state *after)
{
	for (int i = 0; i < TOY_KEYS; i++) {
		const struct ip *vip = &toy->vips[i].vip;
		const struct state *having = state_has_vip(before, vip) ? before : after;

		if (!toy->vips[i].present ||
		    (state_has_vip(before, vip) && state_has_vip(after, vip)))
			continue;
		for (size_t n = 0; n < having->pool_count; n++) {
			if (ip_equal(&having->pools[n]->service->vip, vip))
				assert_true(toy_key_find(toy, having->pools[n]->service) >= 0);
		}
	}
}

/* The kernel holds the state: neither less nor more. */
static void toy_equals(const struct toy *toy, const struct state *state)
{
	uint32_t keys = 0, services = 0, records = 0;

	for (size_t i = 0; i < state->pool_count; i++) {
		const struct pool *pool = state->pools[i];
		int key = toy_key_find(toy, pool->service);

		assert_true(key >= 0);
		assert_int_equal(toy->keys[key].service, pool->id);
		services++;
		keys++;
		for (size_t n = 0; n < pool->backend_count; n++) {
			const struct pool_backend *backend = &pool->backends[n];
			uint32_t record = pool->backend_base + backend->number;

			if (!backend_alive(backend))
				continue;
			records++;
			assert_true(toy->records[record].present);
			assert_true(ip_equal(&toy->records[record].address, &backend->address));
			assert_int_equal(toy->records[record].dead, !backend_takes(backend));
			assert_int_equal(toy->services[pool->id].member[record],
					 backend_takes(backend));
			assert_int_equal(toy->services[pool->id].weight[record],
					 backend_weight(backend));
		}
	}
	for (int i = 0; i < TOY_KEYS; i++)
		keys -= toy->keys[i].present;
	for (int i = 0; i < TOY_SERVICES; i++) {
		services -= toy->services[i].present;
		for (int n = 0; n < TOY_BACKENDS; n++)
			assert_true(!toy->services[i].member[n] || toy->records[n].present);
	}
	for (int i = 0; i < TOY_BACKENDS; i++)
		records -= toy->records[i].present;
	for (int i = 0; i < TOY_KEYS; i++) {
		bool used = false;

		for (size_t n = 0; n < state->pool_count; n++)
			used |= ip_equal(&toy->vips[i].vip, &state->pools[n]->service->vip);
		assert_true(used || !toy->vips[i].present);
	}
	assert_int_equal(keys, 0);
	assert_int_equal(services, 0);
	assert_int_equal(records, 0);
}

static size_t toy_replay(struct toy *toy, const struct state *before, const struct state *after)
{
	struct plan *plan;
	size_t count;

	assert_int_equal(plan_make(before, after, &plan), 0);
	for (size_t i = 0; i < plan->step_count; i++) {
		toy_step(toy, &plan->steps[i]);
		toy_check(toy);
		toy_check_keys(toy, before, after);
		toy_check_vips(toy, before, after);
	}
	toy_equals(toy, after);
	count = plan->step_count;
	plan_free(plan);
	return count;
}

static const char *const vips[] = {"192.0.2.80", "192.0.2.81", "2001:db8::80"};
static const char *const names[] = {"a", "b", "c", "d"};

static const char *random_name(uint64_t *random, char buffer[16])
{
	snprintf(buffer, 16, "n-%u", (unsigned int)(unit_next(random) % 8));
	return buffer;
}

static struct ip random_address(uint64_t *random)
{
	char text[24];

	snprintf(text, sizeof(text), "10.0.0.%u", (unsigned int)(unit_next(random) % 12) + 1);
	return ip_make(text);
}

/* A config of some services with some backends; what it says may be in conflict with itself. */
static void random_apply(struct state *state, uint64_t *random)
{
	static char backend_names[4][6][16];
	struct backend_config backends[4][6];
	struct service_config services[4];
	struct config config = {.limits = limits_small, .services = services};
	static const uint32_t sizes[] = {8, 8, 8, 30};

	struct state *trial, swap;
	struct error error;
	char address[24];

	for (size_t i = 0; i < 4; i++) {
		struct service_config *service = &services[config.service_count];

		if (unit_next(random) % 3 == 0)
			continue;
		*service = service_make(names[i], vips[unit_next(random) % 3],
					(uint16_t)(i + unit_next(random) % 2),
					sizes[unit_next(random) % 4]);
		service->tracking = unit_next(random) % 2;
		service->backends = backends[i];
		for (size_t n = 0; n < 6; n++) {
			snprintf(backend_names[i][n], 16, "n-%zu", n);
			snprintf(address, sizeof(address), "10.0.0.%u",
				 (unsigned int)(n * 2 + unit_next(random) % 2 + 1));
			if (unit_next(random) % 2)
				backends[i][service->backend_count++] =
					backend_make(backend_names[i][n], address,
						     (uint32_t)(unit_next(random) % 3));
		}
		config.service_count++;
	}
	trial = state_clone(state);
	assert_non_null(trial);
	if (!state_apply(trial, &config, &error)) {
		swap = *state;
		*state = *trial;
		*trial = swap;
	}
	state_free(trial);
}

static void random_health(struct state *state, const char *service, const char *name,
			  uint64_t *random)
{
	struct backend_health health = {
		.verdict = (enum health_verdict)(unit_next(random) % 4),
		.ramp = (uint32_t)(unit_next(random) % 3) * (HEALTH_WHOLE / 2),
		.report = (enum backend_report)(unit_next(random) % 4),
		.report_weight = (uint32_t)(unit_next(random) % 3) * (HEALTH_WHOLE / 2),
	};
	struct error error;

	state_backend_health(state, service, name, &health, &error);
}

static void random_change(struct state *state, uint64_t *random)
{
	const char *service = names[unit_next(random) % 4];
	struct ip address = random_address(random);
	struct service_config added;
	struct backend_config backend;
	struct error error;
	char name[16];

	random_name(random, name);
	switch (unit_next(random) % 28) {
	case 0:
		added = service_make(service, vips[unit_next(random) % 3],
				     (uint16_t)(unit_next(random) % 3), 8);
		state_service_add(state, &added, ORIGIN_RUNTIME, &error);
		break;
	case 1:
		if (unit_next(random) % 4)
			break;
		state_service_remove(state, service, &error);
		break;
	case 2:
	case 3:
	case 4:
	default:
		backend = (struct backend_config){.name = name, .address = address, .weight = 100};
		state_backend_add(state, service, &backend, ORIGIN_RUNTIME, &error);
		break;
	case 5:
		state_backend_remove(state, service, name, &error);
		break;
	case 6:
		state_backend_drain(state, service, name, 0, &error);
		break;
	case 12:
		state_backend_drained(state, service, name, &error);
		break;
	case 7:
		state_backend_undrain(state, service, name, &error);
		break;
	case 8:
		state_backend_weight(state, service, name, (uint32_t)(unit_next(random) % 3),
				     &error);
		break;
	case 9:
		state_backend_intend(state, service, name, &error);
		break;
	case 10:
		state_backend_created(state, service, name, &address, 0, &error);
		break;
	case 11:
		state_backend_deleting(state, service, name, &error);
		break;
	case 13:
	case 14:
		state_backend_maint(state, service, name, unit_next(random) % 2, &error);
		break;
	case 15:
	case 16:
		random_health(state, service, name, random);
		break;
	}
}

static void plans_are_safe(void **context)
{
	struct state *before = state_new(&limits_small), *after;
	struct toy *toy = calloc(1, sizeof(*toy));
	uint64_t random = 99;
	size_t steps = 0;

	(void)context;
	assert_non_null(before);
	assert_non_null(toy);
	for (int round = 0; round < 3000; round++) {
		after = state_clone(before);
		assert_non_null(after);
		if (unit_next(&random) % 4 == 0)
			random_apply(after, &random);
		for (uint64_t n = unit_next(&random) % 9; n > 0; n--)
			random_change(after, &random);
		steps += toy_replay(toy, before, after);
		if (unit_next(&random) % 3 == 0)
			assert_int_equal(state_purged(after), 0);
		state_free(before);
		before = after;
	}
	/* The walk is worth something only if it changes much. */
	print_message("# %zu steps\n", steps);
	assert_true(steps > 10000);
	after = state_new(&limits_small);
	toy_replay(toy, before, after);
	state_free(after);
	state_free(before);
	free(toy);
}

static char *plan_text(const struct state *before, const struct state *after)
{
	struct plan *plan;
	json_t *list, *step;
	char *text = calloc(1, 1024);
	size_t index;

	assert_int_equal(plan_make(before, after, &plan), 0);
	list = plan_to_json(plan);
	json_array_foreach(list, index, step)
	{
		const char *backend = json_string_value(json_object_get(step, "backend"));
		size_t length = strlen(text);

		snprintf(text + length, 1024 - length, "%s%s %s%s%s", index ? ", " : "",
			 json_string_value(json_object_get(step, "step")),
			 json_string_value(json_object_get(step, "service")), backend ? "/" : "",
			 backend ? backend : "");
	}
	json_decref(list);
	plan_free(plan);
	return text;
}

static void assert_plan(const struct state *before, const struct state *after, const char *want)
{
	char *text = plan_text(before, after);

	assert_string_equal(text, want);
	free(text);
}

/* A state with service web and backends w1, w2. */
static struct state *state_web(void)
{
	struct backend_config backends[] = {backend_make("w1", "10.0.0.1", 100),
					    backend_make("w2", "10.0.0.2", 100)};
	struct service_config service = service_make("web", "192.0.2.80", 80, 8);
	struct state *state = state_new(&limits_small);

	service.backends = backends;
	service.backend_count = 2;
	assert_int_equal(state_service_add(state, &service, ORIGIN_CONFIG, NULL), 0);
	return state;
}

static void plan_order(void **context)
{
	struct state *none = state_new(&limits_small), *web = state_web();
	struct state *after = state_clone(web);
	struct backend_config backend = backend_make("w3", "10.0.0.3", 100);

	(void)context;
	assert_plan(none, web,
		    "backend_write web/w1, backend_write web/w2, table_publish web, service_write "
		    "web, key_write web, vip_write web");
	assert_plan(web, none,
		    "vip_remove web, key_remove web, service_clear web, backend_clear web/w1, "
		    "backend_clear web/w2");
	assert_plan(web, after, "");
	assert_int_equal(state_backend_add(after, "web", &backend, ORIGIN_RUNTIME, NULL), 0);
	assert_int_equal(state_backend_remove(after, "web", "w1", NULL), 0);
	assert_plan(web, after, "backend_write web/w3, table_publish web, backend_clear web/w1");
	state_free(after);
	state_free(web);
	state_free(none);
}

static void publish_when_needed(void **context)
{
	struct state *web = state_web(), *after = state_clone(web);

	(void)context;
	assert_int_equal(state_backend_weight(after, "web", "w1", 100, NULL), 0);
	assert_plan(web, after, "");
	assert_int_equal(state_backend_weight(after, "web", "w1", 99, NULL), 0);
	assert_plan(web, after, "table_publish web");
	state_free(after);
	after = state_clone(web);
	assert_int_equal(state_backend_intend(after, "web", "web-sluice-1", NULL), 0);
	assert_plan(web, after, "");
	assert_int_equal(state_backend_drain(after, "web", "w1", 0, NULL), 0);
	assert_plan(web, after, "table_publish web");
	state_free(after);
	after = state_clone(web);
	service_edit(after, "web")->tracking = TRACKING_MINIMAL;
	assert_plan(web, after, "service_write web");
	service_edit(after, "web")->mode = FORWARD_MODE_IPIP;
	assert_plan(web, after, "backend_write web/w1, backend_write web/w2, service_write web");
	state_free(after);
	after = state_clone(web);
	service_edit(after, "web")->mss = 1400;
	assert_plan(web, after, "backend_write web/w1, backend_write web/w2, service_write web");
	state_free(after);
	after = state_clone(web);
	service_edit(after, "web")->vlan = VLAN_NONE;
	assert_plan(web, after, "backend_write web/w1, backend_write web/w2, service_write web");
	state_free(after);
	state_free(web);
}

/* Two services of one VIP: it is written once, and goes with the last of them. */
static void vips_are_shared(void **context)
{
	struct service_config one = service_make("one", "192.0.2.80", 80, 8);
	struct service_config two = service_make("two", "192.0.2.80", 443, 8);
	struct state *none = state_new(&limits_small), *both = state_new(&limits_small), *after;

	(void)context;
	assert_int_equal(state_service_add(both, &one, ORIGIN_CONFIG, NULL), 0);
	assert_int_equal(state_service_add(both, &two, ORIGIN_CONFIG, NULL), 0);
	assert_plan(none, both,
		    "table_publish one, table_publish two, service_write one, service_write two, "
		    "key_write one, key_write two, vip_write one");
	after = state_clone(both);
	assert_int_equal(state_service_remove(after, "one", NULL), 0);
	assert_plan(both, after, "key_remove one, service_clear one");
	assert_plan(after, none, "vip_remove two, key_remove two, service_clear two");
	state_free(after);
	state_free(both);
	state_free(none);
}

/* What a VIP answers for an unknown port is written with its own entry, and once. */
static void vip_answers(void **context)
{
	struct service_config one = service_make("one", "192.0.2.80", 80, 8);
	struct service_config two = service_make("two", "192.0.2.80", 443, 8);
	struct service_config three = service_make("three", "192.0.2.80", 444, 8);
	struct state *both = state_new(&limits_small), *after;

	(void)context;
	assert_int_equal(state_service_add(both, &one, ORIGIN_CONFIG, NULL), 0);
	assert_int_equal(state_service_add(both, &two, ORIGIN_CONFIG, NULL), 0);
	after = state_clone(both);
	service_edit(after, "one")->unknown_port = EMPTY_PASS;
	service_edit(after, "two")->unknown_port = EMPTY_PASS;
	assert_plan(both, after, "vip_write one");
	assert_plan(after, both, "vip_write one");
	assert_int_equal(state_service_add(after, &three, ORIGIN_CONFIG, NULL), -EINVAL);
	three.unknown_port = EMPTY_PASS;
	assert_int_equal(state_service_add(after, &three, ORIGIN_CONFIG, NULL), 0);
	state_free(after);
	state_free(both);
}

/* A larger table needs other blocks; the key moves in one write. */
static void keys_move_at_once(void **context)
{
	struct backend_config backends[] = {backend_make("w1", "10.0.0.1", 100)};
	struct service_config service = service_make("web", "192.0.2.80", 80, 30);
	struct config config = {.limits = limits_small, .services = &service, .service_count = 1};
	struct state *web = state_web(), *after = state_clone(web);

	(void)context;
	service.backends = backends;
	service.backend_count = 1;
	assert_int_equal(state_apply(after, &config, NULL), 0);
	assert_plan(web, after,
		    "backend_write web/w1, table_publish web, service_write web, key_write web, "
		    "service_clear web, backend_clear web/w1, backend_clear web/w2");
	state_free(after);
	state_free(web);
}

/* Whoever dies leaves the table first, whoever comes back is written first. */
static void deaths(void **context)
{
	const struct backend_health down = {HEALTH_DOWN, HEALTH_WHOLE, REPORT_READY, HEALTH_WHOLE};
	const struct backend_health up = {HEALTH_UP, HEALTH_WHOLE, REPORT_READY, HEALTH_WHOLE};
	struct state *before = state_web(), *after = state_clone(before);

	(void)context;
	assert_int_equal(state_backend_health(after, "web", "w1", &down, NULL), 0);
	assert_plan(before, after, "table_publish web, backend_dead web/w1");
	assert_int_equal(state_backend_maint(after, "web", "w1", true, NULL), 0);
	assert_plan(before, after, "table_publish web, backend_dead web/w1");
	state_free(before);
	before = state_clone(after);
	assert_int_equal(state_backend_health(after, "web", "w1", &up, NULL), 0);
	assert_plan(before, after, "");
	assert_int_equal(state_backend_maint(after, "web", "w1", false, NULL), 0);
	assert_plan(before, after, "backend_write web/w1, table_publish web");
	state_free(before);
	state_free(after);
}

static const struct CMUnitTest cases[] = {
	CASE(deaths, "health/plan: the dead leave the table before their record, and come back "
		     "after it"),
	CASE(plan_order, "unit/plan: adding goes from backends to keys, removing the other way"),
	CASE(publish_when_needed, "unit/plan: a table is published only if its members changed"),
	CASE(vips_are_shared, "unit/plan: a VIP goes with the last of its services"),
	CASE(vip_answers, "unit/plan: a VIP's own entry follows its answer for unknown ports"),
	CASE(keys_move_at_once, "unit/plan: a service that gets other blocks is never without key"),
	CASE(plans_are_safe, "unit/plan: no step of 3,000 random plans leaves a dangling record"),
};

UNIT_MAIN("plan", cases)

// SPDX-License-Identifier: GPL-2.0-only
/* The state as JSON, for the saved state file: written whole, read back with every field checked. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "model/state_parts.h"
#include "sluice/limits.h"

#define STATE_VERSION 1

static json_t *backend_to_json(const struct pool_backend *backend)
{
	char address[IP_TEXT_MAX];
	json_t *object = json_pack(
		"{s:s, s:s, s:I, s:I, s:s, s:s, s:I}", "name", backend->name, "address",
		ip_format(&backend->address, address), "port", (json_int_t)backend->port, "weight",
		(json_int_t)backend->weight, "origin", origin_names[backend->origin], "state",
		lifecycle_names[backend->life], "deadline_ms", (json_int_t)backend->deadline_ms);

	if (!object)
		return NULL;
	if (backend->maint)
		json_object_set_new(object, "maint", json_true());
	if (backend->maint_configured)
		json_object_set_new(object, "maint_configured", json_true());
	json_object_set_new(object, "health",
			    json_pack("{s:s, s:I, s:s, s:I}", "verdict",
				      health_verdict_names[backend->health.verdict], "ramp",
				      (json_int_t)backend->health.ramp, "report",
				      backend_report_names[backend->health.report], "report_weight",
				      (json_int_t)backend->health.report_weight));
	if (backend->weight_runtime != NO_WEIGHT)
		json_object_set_new(object, "weight_runtime",
				    json_integer(backend->weight_runtime));
	if (backend->drain)
		json_object_set_new(object, "drain", json_true());
	if (backend->number != NO_NUMBER)
		json_object_set_new(object, "number", json_integer(backend->number));
	if (backend->note)
		json_object_set_new(object, "note", json_string(backend->note));
	if (backend->provider)
		json_object_set_new(object, "provider", provider_to_json(backend->provider));
	return object;
}

static json_t *numbers_to_json(const struct pool *pool, enum number_use use)
{
	json_t *list = json_array();

	for (uint32_t number = 0; list && number < pool->backend_capacity; number++) {
		if (pool->numbers[number] == use)
			json_array_append_new(list, json_integer(number));
	}
	return list;
}

json_t *pool_to_json(const struct pool *pool)
{
	const struct scale_configured *scale = &pool->scale_configured;
	json_t *backends = json_array();

	for (size_t i = 0; backends && i < pool->backend_count; i++)
		json_array_append_new(backends, backend_to_json(&pool->backends[i]));
	return json_pack(
		"{s:o, s:{s:f, s:I, s:I, s:b}, s:s, s:I, s:I, s:I, s:I, s:[I, I], s:I, s:o, s:o, "
		"s:o}",
		"service", service_config_to_json(pool->service), "scale_configured", "target",
		scale->target, "min", (json_int_t)scale->min, "max", (json_int_t)scale->max,
		"paused", scale->paused, "origin", origin_names[pool->origin], "id",
		(json_int_t)pool->id, "backend_base", (json_int_t)pool->backend_base,
		"backend_capacity", (json_int_t)pool->backend_capacity, "slot_count",
		(json_int_t)pool->slot_count, "slot_line", (json_int_t)pool->slot_line[0],
		(json_int_t)pool->slot_line[1], "sequence", (json_int_t)pool->sequence, "retired",
		numbers_to_json(pool, NUMBER_RETIRED), "purged",
		numbers_to_json(pool, NUMBER_PURGED), "backends", backends);
}

static json_t *block_to_json(const struct retired_block *block)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:[I, I]}", "id", (json_int_t)block->service,
			 "backend_base", (json_int_t)block->backend_base, "backend_capacity",
			 (json_int_t)block->backend_capacity, "slot_count",
			 (json_int_t)block->slot_count, "slot_line",
			 (json_int_t)block->slot_line[0], (json_int_t)block->slot_line[1]);
}

json_t *state_head_to_json(const struct state *state)
{
	json_t *retired = json_array();

	for (size_t i = 0; retired && i < state->retired_count; i++)
		json_array_append_new(retired, block_to_json(&state->retired[i]));
	return json_pack("{s:i, s:{s:I, s:I, s:I, s:I}, s:o}", "version", STATE_VERSION, "limits",
			 "services", (json_int_t)state->limits.services, "backends",
			 (json_int_t)state->limits.backends, "slots",
			 (json_int_t)state->limits.slots, "flows", (json_int_t)state->limits.flows,
			 "retired", retired);
}

json_t *state_to_json(const struct state *state)
{
	json_t *object = state_head_to_json(state), *pools = json_array();

	for (size_t i = 0; pools && i < state->pool_count; i++)
		json_array_append_new(pools, pool_to_json(state->pools[i]));
	if (object && !json_object_set_new(object, "pools", pools))
		return object;
	json_decref(object);
	return NULL;
}

/* A reader keeps the first thing that is wrong, so that its callers need not ask each time. */
struct reader {
	struct error *error;
	int code;
};

static void reader_fail(struct reader *reader, const char *key, const char *what)
{
	if (!reader->code)
		reader->code = error_set(reader->error, -EINVAL, "%s: %s", key, what);
}

static void reader_no_memory(struct reader *reader)
{
	if (!reader->code)
		reader->code = error_set(reader->error, -ENOMEM, "out of memory");
}

/* A whole number of at most max; absent is standard, unless that is above max: then it must be. */
static uint64_t read_number(struct reader *reader, const json_t *object, const char *key,
			    uint64_t max, uint64_t standard)
{
	const json_t *value = json_object_get(object, key);

	if (!value && standard <= max)
		return standard;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    (uint64_t)json_integer_value(value) > max) {
		reader_fail(reader, key, "is absent, not a whole number, or out of range");
		return 0;
	}
	return (uint64_t)json_integer_value(value);
}

static uint32_t read_u32(struct reader *reader, const json_t *object, const char *key, uint32_t max)
{
	return (uint32_t)read_number(reader, object, key, max, UINT64_MAX);
}

static const char *read_text(struct reader *reader, const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (text)
		return text;
	reader_fail(reader, key, "is absent or not a text");
	return "";
}

static unsigned int read_word(struct reader *reader, const json_t *object, const char *key,
			      const char *const *words)
{
	const char *text = read_text(reader, object, key);

	for (unsigned int i = 0; words[i]; i++) {
		if (!strcmp(words[i], text))
			return i;
	}
	reader_fail(reader, key, "is not a known word");
	return 0;
}

static const json_t *read_list(struct reader *reader, const json_t *object, const char *key)
{
	const json_t *list = json_object_get(object, key);

	if (!json_is_array(list))
		reader_fail(reader, key, "is absent or not a list");
	return list;
}

static char *read_copy(struct reader *reader, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		reader_no_memory(reader);
	return copy;
}

/* The number and address of a living one, which no other has. */
static void read_place(struct reader *reader, const json_t *object, const struct ip *address,
		       struct pool *pool, struct pool_backend *backend)
{
	uint32_t number = read_u32(reader, object, "number", pool->backend_capacity - 1);

	if (!ip_is_unicast(address))
		reader_fail(reader, "address", "is not that of a host");
	if (reader->code)
		return;
	if (pool->numbers[number] == NUMBER_USED || pool_backend_at(pool, address)) {
		reader_fail(reader, "name", "has number or address of another backend");
		return;
	}
	pool->numbers[number] = NUMBER_USED;
	backend->number = number;
}

/* Absent in what an agent without probes saved. */
static void read_health(struct reader *reader, const json_t *object, struct pool_backend *backend)
{
	const json_t *health = json_object_get(object, "health");

	backend->maint = json_is_true(json_object_get(object, "maint"));
	backend->maint_configured = json_is_true(json_object_get(object, "maint_configured"));
	if (!health)
		return;
	backend->health = (struct backend_health){
		.verdict = read_word(reader, health, "verdict", health_verdict_names),
		.ramp = read_u32(reader, health, "ramp", HEALTH_WHOLE),
		.report = read_word(reader, health, "report", backend_report_names),
		.report_weight = read_u32(reader, health, "report_weight", HEALTH_WHOLE),
	};
}

/* Absent in what an earlier version saved. */
static void read_provider(struct reader *reader, const json_t *object, struct pool_backend *backend)
{
	const json_t *provider = json_object_get(object, "provider");

	if (!provider)
		return;
	backend->provider = provider_from_json(provider);
	if (!backend->provider)
		reader_fail(reader, "provider", "is not one");
}

static void read_backend(struct reader *reader, const json_t *object, struct pool *pool)
{
	const char *note = json_string_value(json_object_get(object, "note"));
	const char *name = read_text(reader, object, "name");
	struct ip address = {0};
	struct pool_backend *backend;
	enum lifecycle life;

	if (!name_valid(name) || pool_backend(pool, name))
		reader_fail(reader, "name", "is not one, or that of another backend");
	if (ip_parse(read_text(reader, object, "address"), &address))
		reader_fail(reader, "address", "is not an IP address");
	if (!reader->code && pool_backend_append(pool, name, &backend))
		reader_no_memory(reader);
	if (reader->code)
		return;
	life = read_word(reader, object, "state", lifecycle_names);
	if (life == LIFE_ACTIVE || life == LIFE_WARMING || life == LIFE_DRAINING)
		read_place(reader, object, &address, pool, backend);
	if (pool_backend_place(pool, backend, &address,
			       (uint16_t)read_u32(reader, object, "port", 65535)))
		reader_no_memory(reader);
	backend->life = life;
	backend->note = note ? read_copy(reader, note) : NULL;
	backend->weight = read_u32(reader, object, "weight", SLUICE_WEIGHT_MAX);
	if (json_object_get(object, "weight_runtime"))
		backend->weight_runtime =
			read_u32(reader, object, "weight_runtime", SLUICE_WEIGHT_MAX);
	backend->drain = json_is_true(json_object_get(object, "drain"));
	backend->origin = read_word(reader, object, "origin", origin_names);
	backend->deadline_ms = read_number(reader, object, "deadline_ms", INT64_MAX, 0);
	read_health(reader, object, backend);
	read_provider(reader, object, backend);
}

static void read_numbers(struct reader *reader, const json_t *object, const char *key,
			 enum number_use use, struct pool *pool)
{
	const json_t *list = read_list(reader, object, key);

	for (size_t i = 0; !reader->code && i < json_array_size(list); i++) {
		const json_t *number = json_array_get(list, i);

		if (!json_is_integer(number) || json_integer_value(number) < 0 ||
		    json_integer_value(number) >= pool->backend_capacity)
			reader_fail(reader, key, "has a number out of range");
		else
			pool->numbers[json_integer_value(number)] = (uint8_t)use;
	}
}

static void read_block(struct reader *reader, const json_t *object, struct retired_block *block)
{
	const json_t *lines = read_list(reader, object, "slot_line");

	block->service = read_u32(reader, object, "id", UINT32_MAX);
	block->backend_base = read_u32(reader, object, "backend_base", UINT32_MAX);
	block->backend_capacity =
		read_u32(reader, object, "backend_capacity", SLUICE_SERVICE_BACKENDS_MAX);
	block->slot_count = read_u32(reader, object, "slot_count", SLUICE_SLOTS_HUGE);
	for (size_t place = 0; place < 2; place++) {
		const json_t *line = json_array_get(lines, place);
		json_int_t value = json_integer_value(line);

		if (!json_is_integer(line) || value < 0 || value > UINT32_MAX)
			reader_fail(reader, "slot_line", "does not hold two whole numbers");
		else
			block->slot_line[place] = (uint32_t)value;
	}
}

static void read_backends(struct reader *reader, const json_t *object, struct pool *pool)
{
	const json_t *list = read_list(reader, object, "backends");

	for (size_t i = 0; !reader->code && i < json_array_size(list); i++)
		read_backend(reader, json_array_get(list, i), pool);
	if (!reader->code)
		pool_health_settle(pool);
}

static void read_scale_configured(struct reader *reader, const json_t *object, struct pool *pool)
{
	const json_t *scale = json_object_get(object, "scale_configured");
	const json_t *target = json_object_get(scale, "target");

	if (!json_is_number(target) || !json_is_boolean(json_object_get(scale, "paused")))
		reader_fail(reader, "scale_configured", "is absent or lacks target or paused");
	pool->scale_configured = (struct scale_configured){
		.target = json_number_value(target),
		.min = read_u32(reader, scale, "min", UINT32_MAX),
		.max = read_u32(reader, scale, "max", UINT32_MAX),
		.paused = json_is_true(json_object_get(scale, "paused")),
	};
}

static void read_pool(struct reader *reader, const json_t *object, struct pool *pool)
{
	struct retired_block block = {0};

	read_block(reader, object, &block);
	read_scale_configured(reader, object, pool);
	pool->origin = read_word(reader, object, "origin", origin_names);
	pool->sequence = read_u32(reader, object, "sequence", UINT32_MAX);
	pool->id = block.service;
	pool->backend_base = block.backend_base;
	pool->backend_capacity = block.backend_capacity;
	pool->slot_count = block.slot_count;
	memcpy(pool->slot_line, block.slot_line, sizeof(pool->slot_line));
	if (reader->code)
		return;
	if (pool->backend_capacity <= pool->service->backends_max ||
	    pool->slot_count != config_slot_count(pool->service->backends_max)) {
		reader_fail(reader, "service", "does not fit its blocks");
		return;
	}
	pool->numbers = calloc(pool->backend_capacity, 1);
	if (!pool->numbers)
		reader_no_memory(reader);
	read_numbers(reader, object, "retired", NUMBER_RETIRED, pool);
	read_numbers(reader, object, "purged", NUMBER_PURGED, pool);
	if (!reader->code)
		read_backends(reader, object, pool);
}

/* NULL: the reader says why. */
static struct pool *read_pool_new(struct reader *reader, const json_t *object)
{
	struct service_config *service;
	struct pool *pool;

	if (!reader->code)
		reader->code = service_config_from_json(json_object_get(object, "service"),
							&service, reader->error);
	if (reader->code)
		return NULL;
	pool = pool_new(service, ORIGIN_CONFIG);
	if (!pool)
		reader_no_memory(reader);
	else if (service->backend_count)
		reader_fail(reader, "service", "has backends of its own");
	service_config_free(service);
	return pool;
}

static void read_pools(struct reader *reader, const json_t *object, struct state *state)
{
	const json_t *list = read_list(reader, object, "pools");

	for (size_t i = 0; !reader->code && i < json_array_size(list); i++) {
		struct pool *pool = read_pool_new(reader, json_array_get(list, i));

		if (pool)
			read_pool(reader, json_array_get(list, i), pool);
		if (!reader->code && state_pool(state, pool->service->name))
			reader_fail(reader, "service", "is there twice");
		if (!reader->code && state_pool_append(state, pool))
			reader_no_memory(reader);
		if (!reader->code)
			continue;
		pool_put(pool);
		error_prefix(reader->error, "pools[%zu].", i);
	}
}

static void read_retired(struct reader *reader, const json_t *object, struct state *state)
{
	const json_t *list = read_list(reader, object, "retired");

	state->retired = calloc(json_array_size(list) + 1, sizeof(*state->retired));
	if (!state->retired)
		reader_no_memory(reader);
	for (size_t i = 0; !reader->code && i < json_array_size(list); i++)
		read_block(reader, json_array_get(list, i),
			   &state->retired[state->retired_count++]);
}

int state_from_json(const json_t *object, struct state **ret_state, struct error *error)
{
	struct reader reader = {.error = error};
	const json_t *limits = json_object_get(object, "limits");
	struct limits_config sizes = {
		.services = read_u32(&reader, limits, "services", UINT32_MAX),
		.backends = read_u32(&reader, limits, "backends", SLUICE_BACKENDS_MAX),
		.slots = read_u32(&reader, limits, "slots", UINT32_MAX),
		.flows = read_u32(&reader, limits, "flows", UINT32_MAX),
	};
	struct state *state = state_new(&sizes);

	if (!state)
		return error_set(error, -ENOMEM, "out of memory");
	if (read_u32(&reader, object, "version", UINT32_MAX) != STATE_VERSION)
		reader_fail(&reader, "version", "is not one that this agent reads");
	read_pools(&reader, object, state);
	read_retired(&reader, object, state);
	if (!reader.code)
		reader.code = state_keys_check(state, error);
	if (!reader.code)
		reader.code = state_blocks_check(state, error);
	if (reader.code) {
		state_free(state);
		error_prefix(error, "saved state: ");
		/* Whatever it was, the file does not fit. */
		return reader.code == -ENOMEM ? -ENOMEM : -EINVAL;
	}
	*ret_state = state;
	return 0;
}

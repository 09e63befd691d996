// SPDX-License-Identifier: GPL-2.0-only
/* Which records and slot lines a pool has in the maps, and which number a backend has in it. */
#include <errno.h>
#include <stdlib.h>

#include "model/state_parts.h"
#include "sluice/limits.h"

struct span {
	uint32_t start, length;
};

enum block_kind {
	BLOCK_SERVICE = 0,
	BLOCK_BACKENDS,
	BLOCK_SLOTS,
	BLOCK_KINDS
};

/* What pools, and blocks that are not purged yet, hold of each kind; sorted by start. */
struct state_rooms {
	struct spans {
		struct span *list;
		size_t count, room;
	} kinds[BLOCK_KINDS];
};

static int span_by_start(const void *a, const void *b)
{
	const struct span *left = a, *right = b;

	return (left->start > right->start) - (left->start < right->start);
}

static void rooms_free(struct state_rooms *rooms)
{
	for (int kind = 0; rooms && kind < BLOCK_KINDS; kind++)
		free(rooms->kinds[kind].list);
	free(rooms);
}

void state_rooms_forget(struct state *state)
{
	rooms_free(state->rooms);
	state->rooms = NULL;
}

static void span_add(struct spans *spans, uint32_t start, uint32_t length)
{
	spans->list[spans->count++] = (struct span){start, length};
}

static void block_add(struct state_rooms *rooms, const struct retired_block *block)
{
	uint32_t lines = config_slot_lines(block->slot_count);

	span_add(&rooms->kinds[BLOCK_SERVICE], block->service, 1);
	span_add(&rooms->kinds[BLOCK_BACKENDS], block->backend_base, block->backend_capacity);
	span_add(&rooms->kinds[BLOCK_SLOTS], block->slot_line[0], lines);
	span_add(&rooms->kinds[BLOCK_SLOTS], block->slot_line[1], lines);
}

static struct retired_block block_of(const struct pool *pool)
{
	return (struct retired_block){
		.service = pool->id,
		.backend_base = pool->backend_base,
		.backend_capacity = pool->backend_capacity,
		.slot_count = pool->slot_count,
		.slot_line = {pool->slot_line[0], pool->slot_line[1]},
	};
}

/* skip: of each pool whether to leave it out; NULL: none. */
static struct state_rooms *rooms_make(const struct state *state, const bool *skip)
{
	struct state_rooms *rooms = calloc(1, sizeof(*rooms));

	for (int kind = 0; rooms && kind < BLOCK_KINDS; kind++) {
		struct spans *spans = &rooms->kinds[kind];

		spans->room = (state->pool_count + state->retired_count) * 2 + 2;
		spans->list = calloc(spans->room, sizeof(*spans->list));
		if (!spans->list) {
			rooms_free(rooms);
			return NULL;
		}
	}
	if (!rooms)
		return NULL;
	for (size_t i = 0; i < state->pool_count; i++) {
		struct retired_block block = block_of(state->pools[i]);

		if (!skip || !skip[i])
			block_add(rooms, &block);
	}
	for (size_t i = 0; i < state->retired_count; i++)
		block_add(rooms, &state->retired[i]);
	for (int kind = 0; kind < BLOCK_KINDS; kind++)
		qsort(rooms->kinds[kind].list, rooms->kinds[kind].count, sizeof(struct span),
		      span_by_start);
	return rooms;
}

/* The first gap of the length among those that are used. */
static int span_find(const struct spans *used, uint32_t length, uint32_t limit, uint32_t *ret_start)
{
	uint32_t start = 0;

	for (size_t i = 0; i < used->count; i++) {
		const struct span *span = &used->list[i];

		if (span->start >= start && span->start - start >= length)
			break;
		if (span->start + span->length > start)
			start = span->start + span->length;
	}
	if (length > limit || start > limit - length)
		return -ENOSPC;
	*ret_start = start;
	return 0;
}

static int span_insert(struct spans *spans, uint32_t start, uint32_t length)
{
	size_t i;

	if (spans->count >= spans->room) {
		size_t room = spans->room * 2;
		struct span *list = reallocarray(spans->list, room, sizeof(*list));

		if (!list)
			return -ENOMEM;
		spans->list = list;
		spans->room = room;
	}
	for (i = spans->count; i > 0 && spans->list[i - 1].start > start; i--)
		spans->list[i] = spans->list[i - 1];
	spans->list[i] = (struct span){start, length};
	spans->count++;
	return 0;
}

/* 0, -ENOSPC or -ENOMEM. */
static int span_take(struct spans *spans, uint32_t length, uint32_t limit, uint32_t *ret_start)
{
	int code = span_find(spans, length, limit, ret_start);

	return code ? code : span_insert(spans, *ret_start, length);
}

static int no_room(const struct state *state, const char *service, const char *what, uint32_t limit,
		   struct error *error)
{
	return error_set(
		error, -ENOSPC,
		"service %s: no room left in limits.%s %u; raise it (and lower backends_max "
		"where it is too large)%s",
		service, what, limit,
		state->retired_count ? ", or try again when flows of removed services are gone"
				     : "");
}

/* What did not get a place; NULL: all has. *ret_code is not 0 then, -ENOSPC or -ENOMEM. */
static const char *blocks_find(const struct state *state, struct pool *pool, uint32_t *ret_limit,
			       int *ret_code)
{
	const struct limits_config *limits = &state->limits;
	struct spans *kinds = state->rooms->kinds;
	uint32_t lines = config_slot_lines(pool->slot_count);

	*ret_limit = limits->services;
	*ret_code = span_take(&kinds[BLOCK_SERVICE], 1, limits->services, &pool->id);
	if (*ret_code)
		return "services";
	*ret_limit = limits->backends;
	*ret_code = span_take(&kinds[BLOCK_BACKENDS], pool->backend_capacity, limits->backends,
			      &pool->backend_base);
	if (*ret_code)
		return "backends";
	*ret_limit = limits->slots;
	for (int place = 0; !*ret_code && place < 2; place++)
		*ret_code =
			span_take(&kinds[BLOCK_SLOTS], lines, limits->slots / SLUICE_SLOTS_PER_LINE,
				  &pool->slot_line[place]);
	return *ret_code ? "slots" : NULL;
}

int state_blocks_take(struct state *state, struct pool *pool, struct error *error)
{
	const char *name = pool->service->name, *what;
	uint32_t capacity = config_backend_capacity(pool->service->backends_max);
	uint8_t *numbers = calloc(capacity, 1);
	uint32_t limit;
	int code;

	if (!state->rooms)
		state->rooms = rooms_make(state, NULL);
	if (!state->rooms || !numbers) {
		free(numbers);
		return error_set(error, -ENOMEM, "service %s: out of memory", name);
	}
	free(pool->numbers);
	pool->numbers = numbers;
	pool->fresh_from = 0;
	pool->purged_from = 0;
	pool->backend_capacity = capacity;
	pool->slot_count = config_slot_count(pool->service->backends_max);
	what = blocks_find(state, pool, &limit, &code);
	if (!what)
		return 0;
	state_rooms_forget(state); /* they have a part of the pool's */
	if (code == -ENOMEM)
		return error_set(error, -ENOMEM, "service %s: out of memory", name);
	return no_room(state, name, what, limit, error);
}

static bool pool_fits(const struct pool *pool, const struct limits_config *limits)
{
	uint32_t lines = config_slot_lines(pool->slot_count);
	uint32_t all_lines = limits->slots / SLUICE_SLOTS_PER_LINE;

	return pool->id < limits->services && pool->backend_capacity <= limits->backends &&
	       pool->backend_base <= limits->backends - pool->backend_capacity &&
	       lines <= all_lines && pool->slot_line[0] <= all_lines - lines &&
	       pool->slot_line[1] <= all_lines - lines;
}

/* New blocks for the pools that are to move; their sizes and numbers stay. */
static int pools_place(struct state *state, const bool *moves, struct error *error)
{
	state_rooms_forget(state);
	state->rooms = rooms_make(state, moves);
	if (!state->rooms)
		return error_set(error, -ENOMEM, "out of memory");
	for (size_t i = 0; i < state->pool_count; i++) {
		struct pool *pool = moves[i] ? state_pool_own(state, i) : NULL;
		const char *what;
		uint32_t limit;
		int code;

		if (!moves[i])
			continue;
		if (!pool)
			return error_set(error, -ENOMEM, "out of memory");
		what = blocks_find(state, pool, &limit, &code);
		if (what && code == -ENOMEM)
			return error_set(error, code, "out of memory");
		if (what)
			return no_room(state, pool->service->name, what, limit, error);
	}
	return 0;
}

int state_limits_change(struct state *state, const struct limits_config *limits,
			struct error *error)
{
	bool smaller = limits->services < state->limits.services ||
		       limits->backends < state->limits.backends ||
		       limits->slots < state->limits.slots;
	bool *moves = calloc(state->pool_count + 1, sizeof(*moves));
	int code;

	if (!moves)
		return error_set(error, -ENOMEM, "out of memory");
	state->limits = *limits;
	state_rooms_forget(state);
	/* In a smaller world no flow keeps the number of what has gone. */
	if (smaller)
		state->retired_count = 0;
	for (size_t i = 0; i < state->pool_count; i++)
		moves[i] = !pool_fits(state->pools[i], limits);
	code = pools_place(state, moves, error);
	/* There may be room in many small gaps, which all together are large enough. */
	for (size_t i = 0; code == -ENOSPC && i < state->pool_count; i++)
		moves[i] = true;
	if (code == -ENOSPC)
		code = pools_place(state, moves, error);
	if (code)
		state_rooms_forget(state);
	free(moves);
	return code;
}

static bool spans_apart(const struct spans *spans, uint32_t limit)
{
	uint64_t end = 0;

	for (size_t i = 0; i < spans->count; i++) {
		if (spans->list[i].start < end)
			return false;
		end = (uint64_t)spans->list[i].start + spans->list[i].length;
	}
	return end <= limit;
}

int state_blocks_check(const struct state *state, struct error *error)
{
	const uint32_t limits[] = {state->limits.services, state->limits.backends,
				   state->limits.slots / SLUICE_SLOTS_PER_LINE};
	static const char *const names[] = {"services", "backends", "slots"};
	struct state_rooms *rooms = rooms_make(state, NULL);
	int code = 0;

	if (!rooms)
		return error_set(error, -ENOMEM, "out of memory");
	for (enum block_kind kind = BLOCK_SERVICE; !code && kind < BLOCK_KINDS; kind++) {
		if (!spans_apart(&rooms->kinds[kind], limits[kind]))
			code = error_set(error, -EINVAL,
					 "%s: two blocks overlap or one is beyond limits.%s %u",
					 names[kind], names[kind],
					 kind == BLOCK_SLOTS ? state->limits.slots : limits[kind]);
	}
	rooms_free(rooms);
	return code;
}

int state_blocks_retire(struct state *state, const struct pool *pool, struct error *error)
{
	struct retired_block *retired =
		reallocarray(state->retired, state->retired_count + 1, sizeof(*retired));

	if (!retired)
		return error_set(error, -ENOMEM, "service %s: out of memory", pool->service->name);
	state->retired = retired;
	retired[state->retired_count++] = block_of(pool);
	return 0;
}

/* The first number of this use, from *from on, which no earlier one has. Or NO_NUMBER. */
static uint32_t number_find(const struct pool *pool, enum number_use use, uint32_t *from)
{
	while (*from < pool->backend_capacity && pool->numbers[*from] != use)
		(*from)++;
	return *from < pool->backend_capacity ? *from : NO_NUMBER;
}

int pool_number_take(struct pool *pool, struct pool_backend *backend, struct error *error)
{
	uint32_t number = number_find(pool, NUMBER_FRESH, &pool->fresh_from);

	if (number == NO_NUMBER)
		number = number_find(pool, NUMBER_PURGED, &pool->purged_from);
	if (number == NO_NUMBER)
		return error_set(error, -ENOSPC,
				 "backend %s: all %u numbers of service %s are in use or wait "
				 "until flows of removed backends are gone; try again later or "
				 "raise backends_max",
				 backend->name, pool->backend_capacity, pool->service->name);
	pool->numbers[number] = NUMBER_USED;
	backend->number = number;
	return 0;
}

void pool_number_retire(struct pool *pool, struct pool_backend *backend)
{
	if (backend->number == NO_NUMBER)
		return;
	pool->numbers[backend->number] = NUMBER_RETIRED;
	backend->number = NO_NUMBER;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Which records and slot lines a pool has in the maps, and which number a backend has in it. */
#include <errno.h>
#include <stdlib.h>

#include "model/state_parts.h"
#include "sluice/limits.h"

struct span {
	uint32_t start, length;
};

static int span_by_start(const void *a, const void *b)
{
	const struct span *left = a, *right = b;

	return (left->start > right->start) - (left->start < right->start);
}

/* The first gap of the length among the used spans, which are sorted here. */
static int span_find(struct span *used, size_t count, uint32_t length, uint32_t limit,
		     uint32_t *ret_start)
{
	uint32_t start = 0;

	qsort(used, count, sizeof(*used), span_by_start);
	for (size_t i = 0; i < count; i++) {
		if (used[i].start >= start && used[i].start - start >= length)
			break;
		if (used[i].start + used[i].length > start)
			start = used[i].start + used[i].length;
	}
	if (length > limit || start > limit - length)
		return -ENOSPC;
	*ret_start = start;
	return 0;
}

enum block_kind {
	BLOCK_SERVICE,
	BLOCK_BACKENDS,
	BLOCK_SLOTS
};

static size_t spans_add(struct span *spans, enum block_kind kind, const struct retired_block *block)
{
	switch (kind) {
	case BLOCK_SERVICE:
		spans[0] = (struct span){block->service, 1};
		return 1;
	case BLOCK_BACKENDS:
		spans[0] = (struct span){block->backend_base, block->backend_capacity};
		return 1;
	default:
		spans[0] = (struct span){block->slot_line[0], config_slot_lines(block->slot_count)};
		spans[1] = (struct span){block->slot_line[1], config_slot_lines(block->slot_count)};
		return 2;
	}
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

/* All that pools but the one at index, and blocks that are not purged yet, hold of one kind. */
static size_t spans_collect(const struct state *state, size_t index, enum block_kind kind,
			    struct span *spans)
{
	size_t count = 0;

	for (size_t i = 0; i < state->pool_count; i++) {
		struct retired_block block = block_of(&state->pools[i]);

		if (i != index)
			count += spans_add(spans + count, kind, &block);
	}
	for (size_t i = 0; i < state->retired_count; i++)
		count += spans_add(spans + count, kind, &state->retired[i]);
	return count;
}

static int no_room(const struct state *state, const char *service, const char *what, uint32_t limit,
		   struct error *error)
{
	error_set(error, -ENOSPC,
		  "service %s: no room left in limits.%s %u; raise it (and lower backends_max "
		  "where it is too large)%s",
		  service, what, limit,
		  state->retired_count ? ", or try again when flows of removed services are gone"
				       : "");
	return -ENOSPC;
}

int state_blocks_take(const struct state *state, size_t index, struct error *error)
{
	const struct limits_config *limits = &state->limits;
	struct pool *pool = &state->pools[index];
	const char *name = pool->service->name;
	uint32_t slot_count = config_slot_count(pool->service->backends_max);
	uint32_t capacity = config_backend_capacity(pool->service->backends_max);
	size_t count = (state->pool_count + state->retired_count) * 2 + 2;
	struct span *spans = calloc(count, sizeof(*spans));
	uint8_t *numbers = calloc(capacity, 1);
	int code = -ENOSPC;

	if (!spans || !numbers) {
		code = error_set(error, -ENOMEM, "service %s: out of memory", name);
		goto out;
	}
	count = spans_collect(state, index, BLOCK_SERVICE, spans);
	if (span_find(spans, count, 1, limits->services, &pool->id)) {
		no_room(state, name, "services", limits->services, error);
		goto out;
	}
	count = spans_collect(state, index, BLOCK_BACKENDS, spans);
	if (span_find(spans, count, capacity, limits->backends, &pool->backend_base)) {
		no_room(state, name, "backends", limits->backends, error);
		goto out;
	}
	count = spans_collect(state, index, BLOCK_SLOTS, spans);
	for (int place = 0; place < 2; place++) {
		if (span_find(spans, count, config_slot_lines(slot_count),
			      limits->slots / SLUICE_SLOTS_PER_LINE, &pool->slot_line[place])) {
			no_room(state, name, "slots", limits->slots, error);
			goto out;
		}
		spans[count++] =
			(struct span){pool->slot_line[place], config_slot_lines(slot_count)};
	}
	free(pool->retired);
	pool->retired = numbers;
	numbers = NULL;
	pool->backend_capacity = capacity;
	pool->slot_count = slot_count;
	code = 0;
out:
	free(numbers);
	free(spans);
	return code;
}

static bool spans_apart(struct span *spans, size_t count, uint32_t limit)
{
	uint64_t end = 0;

	qsort(spans, count, sizeof(*spans), span_by_start);
	for (size_t i = 0; i < count; i++) {
		if (spans[i].start < end)
			return false;
		end = (uint64_t)spans[i].start + spans[i].length;
	}
	return end <= limit;
}

int state_blocks_check(const struct state *state, struct error *error)
{
	const uint32_t limits[] = {state->limits.services, state->limits.backends,
				   state->limits.slots / SLUICE_SLOTS_PER_LINE};
	static const char *const names[] = {"services", "backends", "slots"};
	size_t count = (state->pool_count + state->retired_count) * 2 + 1;
	struct span *spans = calloc(count, sizeof(*spans));
	int code = 0;

	if (!spans)
		return error_set(error, -ENOMEM, "out of memory");
	for (enum block_kind kind = BLOCK_SERVICE; !code && kind <= BLOCK_SLOTS; kind++) {
		count = spans_collect(state, SIZE_MAX, kind, spans);
		if (!spans_apart(spans, count, limits[kind]))
			code = error_set(error, -EINVAL,
					 "%s: two blocks overlap or one is beyond limits.%s %u",
					 names[kind], names[kind],
					 kind == BLOCK_SLOTS ? state->limits.slots : limits[kind]);
	}
	free(spans);
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

/* Mark what backends hold, then take the best that is left: fresh, else purged. */
int pool_number_take(struct pool *pool, struct pool_backend *backend, struct error *error)
{
	uint32_t best = NO_NUMBER;
	uint8_t *used = calloc(pool->backend_capacity, 1);

	if (!used)
		return error_set(error, -ENOMEM, "backend %s: out of memory", backend->name);
	for (size_t i = 0; i < pool->backend_count; i++) {
		if (pool->backends[i].number != NO_NUMBER)
			used[pool->backends[i].number] = 1;
	}
	for (uint32_t number = 0; number < pool->backend_capacity; number++) {
		if (used[number] || pool->retired[number] == NUMBER_RETIRED)
			continue;
		if (best == NO_NUMBER || pool->retired[number] < pool->retired[best])
			best = number;
	}
	free(used);
	if (best == NO_NUMBER)
		return error_set(error, -ENOSPC,
				 "backend %s: all %u numbers of service %s are in use or wait "
				 "until flows of removed backends are gone; try again later or "
				 "raise backends_max",
				 backend->name, pool->backend_capacity, pool->service->name);
	backend->number = best;
	return 0;
}

void pool_number_retire(struct pool *pool, struct pool_backend *backend)
{
	if (backend->number == NO_NUMBER)
		return;
	pool->retired[backend->number] = NUMBER_RETIRED;
	backend->number = NO_NUMBER;
}

// SPDX-License-Identifier: GPL-2.0-only
/* The guard's lists on their way to the kernel, before and after a plan. */
#include "agent/guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "model/guard.h"

/* For the services of a state; the bits that `also` has for them too, if it is given. */
static void bits_write(struct agent *agent, const struct desired *desired,
		       const struct desired *also)
{
	for (size_t i = 0; i < desired->state->pool_count; i++) {
		const struct pool *pool = desired->state->pools[i];
		const char *name = pool->service->name;
		uint8_t bits = guard_bits(desired->guard, name);

		if (also)
			bits |= guard_bits(also->guard, name);
		dataplane_guard_bits(agent->dataplane, pool->id, bits);
	}
}

static bool number_used(const struct state *state, uint32_t id)
{
	for (size_t i = 0; i < state->pool_count; i++) {
		if (state->pools[i]->id == id)
			return true;
	}
	return false;
}

/* Of services that have gone: the number's next service is not to inherit them. */
static void bits_clear(struct agent *agent, const struct desired *before, const struct desired *now)
{
	for (size_t i = 0; i < before->state->pool_count; i++) {
		const struct pool *pool = before->state->pools[i];

		const struct pool *same = state_pool(now->state, pool->service->name);

		if (!(same && same->id == pool->id) && !number_used(now->state, pool->id))
			dataplane_guard_bits(agent->dataplane, pool->id, 0);
	}
}

static int writes_make(struct agent *agent, const struct guard_part *before, size_t before_count,
		       const struct desired *draft, struct guard_changes *ret_changes,
		       struct error *error)
{
	uint64_t started_ms = clock_monotonic_ms();
	struct guard_part *after;
	size_t after_count;
	int code = -ENOMEM;

	after = guard_parts(draft->guard, draft->state, &after_count);
	if (before && after)
		code = guard_changes_make(before, before_count, after, after_count, ret_changes);
	free(after);
	if (code)
		return error_set(error, code, "guard: %s", strerror(-code));
	code = dataplane_guard_write(agent->dataplane, ret_changes->writes,
				     ret_changes->write_count, error);
	if (!code && ret_changes->write_count)
		log_info("guard: wrote %zu prefixes in %llu ms", ret_changes->write_count,
			 (unsigned long long)(clock_monotonic_ms() - started_ms));
	return code;
}

int guard_begin(struct agent *agent, const struct desired *now, const struct desired *draft,
		struct guard_changes *ret_changes, struct error *error)
{
	struct guard_part *before;
	size_t count;
	int code;

	*ret_changes = (struct guard_changes){0};
	before = guard_parts(now->guard, now->state, &count);
	code = writes_make(agent, before, count, draft, ret_changes, error);
	free(before);
	if (!code)
		bits_write(agent, draft, now);
	return code;
}

static void removals_make(struct agent *agent, struct guard_changes *changes)
{
	uint64_t started_ms = clock_monotonic_ms();
	struct error error;

	if (dataplane_guard_remove(agent->dataplane, changes->removals, changes->removal_count,
				   &error))
		log_error("%s; restart sluiced", error.text);
	else if (changes->removal_count)
		log_info("guard: removed %zu prefixes in %llu ms", changes->removal_count,
			 (unsigned long long)(clock_monotonic_ms() - started_ms));
	guard_changes_clear(changes);
}

void guard_end(struct agent *agent, const struct desired *before, const struct desired *now,
	       struct guard_changes *changes)
{
	removals_make(agent, changes);
	bits_write(agent, now, NULL);
	bits_clear(agent, before, now);
}

/* ------------------------------------------------------------------ a start */

static int service_compare(const void *a, const void *b)
{
	uint32_t service_a = ((const struct guard_write *)a)->service;
	uint32_t service_b = ((const struct guard_write *)b)->service;

	return (service_a > service_b) - (service_a < service_b);
}

static void parts_free(struct guard_part *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		guard_list_drop((struct guard_list *)(uintptr_t)parts[i].list);
	free(parts);
}

/* A list of those that are of one service. */
static int part_make(const struct guard_write *writes, size_t count, struct guard_part *ret_part)
{
	struct guard_rule *rules = calloc(count, sizeof(*rules));
	struct guard_list *list = NULL;
	int code = -ENOMEM;

	for (size_t i = 0; rules && i < count; i++)
		rules[i] = writes[i].rule;
	if (rules)
		code = guard_list_new(rules, count, &list, NULL);
	free(rules);
	*ret_part = (struct guard_part){writes[0].service, list};
	return code;
}

/* What the map holds as lists; the array and its lists are the caller's. */
static int parts_read(struct agent *agent, struct guard_part **ret_parts, size_t *ret_count)
{
	size_t parts_max = (size_t)dataplane_meta(agent->dataplane)->services_max + 2;
	struct guard_write *writes = NULL;
	struct guard_part *parts = NULL;
	size_t count = 0, parts_count = 0;
	int code = dataplane_guard_read(agent->dataplane, &writes, &count);

	if (!code) {
		parts = calloc(parts_max, sizeof(*parts));
		code = parts ? 0 : -ENOMEM;
	}
	if (!code && count)
		qsort(writes, count, sizeof(*writes), service_compare);
	for (size_t first = 0, next; !code && first < count && parts_count < parts_max;
	     first = next) {
		for (next = first + 1;
		     next < count && writes[next].service == writes[first].service; next++)
			;
		code = part_make(writes + first, next - first, &parts[parts_count]);
		parts_count += !code;
	}
	free(writes);
	*ret_parts = parts;
	*ret_count = parts_count;
	return code;
}

int guard_begin_adopted(struct agent *agent, const struct desired *draft,
			struct guard_changes *ret_changes, struct error *error)
{
	struct guard_part *before;
	size_t count;
	int code = parts_read(agent, &before, &count);

	*ret_changes = (struct guard_changes){0};
	if (code)
		error_set(error, code, "guard: cannot read the map: %s", strerror(-code));
	else
		code = writes_make(agent, before, count, draft, ret_changes, error);
	parts_free(before, count);
	if (!code) {
		/* Whatever is asked besides, until the end: the map has both lists. */
		for (size_t i = 0; i < draft->state->pool_count; i++)
			dataplane_guard_bits(agent->dataplane, draft->state->pools[i]->id,
					     GUARD_COMMON | GUARD_OWN);
	}
	return code;
}

void guard_end_adopted(struct agent *agent, struct guard_changes *changes)
{
	uint32_t services_max = dataplane_meta(agent->dataplane)->services_max;

	removals_make(agent, changes);
	bits_write(agent, agent->desired, NULL);
	for (uint32_t id = 0; id < services_max; id++) {
		if (!number_used(agent->desired->state, id))
			dataplane_guard_bits(agent->dataplane, id, 0);
	}
}

int guard_check(struct agent *agent, size_t *ret_count)
{
	struct guard_changes changes = {0};
	struct guard_part *before = NULL, *after;
	size_t count = 0, after_count;
	int code = parts_read(agent, &before, &count);

	after = guard_parts(agent->desired->guard, agent->desired->state, &after_count);
	if (!code && !after)
		code = -ENOMEM;
	if (!code)
		code = guard_changes_make(before, count, after, after_count, &changes);
	*ret_count = changes.write_count + changes.removal_count;
	guard_changes_clear(&changes);
	free(after);
	parts_free(before, count);
	return code;
}

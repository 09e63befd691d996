// SPDX-License-Identifier: GPL-2.0-only
/* Slot tables: weighted Maglev, and what a change of owners leaves in each slot. */
#include "model/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/flow.h"
#include "sluice/hash.h"
#include "sluice/limits.h"

/* A member while the table is built. */
struct walker {
	uint64_t identity;
	uint64_t remainder; /* of its exact share, for the largest-remainder method */
	uint32_t weight;
	uint32_t quota; /* slots it will own */
	uint32_t position, skip;
	uint16_t number;
};

uint64_t table_identity(const struct ip *address, __be16 port, uint64_t seed)
{
	uint64_t hash = hash_pair(seed, address->word[0], address->word[1]);

	hash = hash_pair(hash, address->word[2], address->word[3]);
	return hash_last(hash_word(hash, port));
}

static int walker_by_identity(const void *a, const void *b)
{
	const struct walker *left = a, *right = b;

	return (left->identity > right->identity) - (left->identity < right->identity);
}

static int walker_by_remainder(const void *a, const void *b)
{
	const struct walker *const *left = a, *const *right = b;

	if ((*left)->remainder != (*right)->remainder)
		return (*left)->remainder < (*right)->remainder ? 1 : -1;
	return walker_by_identity(*left, *right);
}

/* Those with weight, sorted by identity; so the order of the members cannot matter. */
static int walkers_make(const struct table_member *members, size_t member_count,
			uint32_t slot_count, struct walker *walkers, size_t *ret_count)
{
	size_t count = 0;

	if (slot_count < 2)
		return -EINVAL;
	for (size_t i = 0; i < member_count; i++) {
		uint64_t identity = members[i].identity;

		if (!members[i].weight)
			continue;
		walkers[count++] = (struct walker){
			.identity = identity,
			.weight = members[i].weight,
			.number = members[i].number,
			.position = (uint32_t)(hash_last(identity ^ SLUICE_HASH_STEP) % slot_count),
			.skip = (uint32_t)(hash_last(identity ^ SLUICE_HASH_LAST) %
					   (slot_count - 1)) +
				1,
		};
	}
	qsort(walkers, count, sizeof(*walkers), walker_by_identity);
	for (size_t i = 1; i < count; i++) {
		if (walkers[i].identity == walkers[i - 1].identity)
			return -EINVAL;
	}
	*ret_count = count;
	return 0;
}

/* Largest remainder: the exact shares rounded down, the slots left over to the largest rests. */
static int walkers_set_quotas(struct walker *walkers, size_t count, uint32_t slot_count)
{
	struct walker **sorted = malloc(count * sizeof(struct walker *));
	uint64_t sum = 0;
	uint32_t left = slot_count;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		sum += walkers[i].weight;
	for (size_t i = 0; i < count; i++) {
		uint64_t share = (uint64_t)walkers[i].weight * slot_count;

		walkers[i].quota = (uint32_t)(share / sum);
		walkers[i].remainder = share % sum;
		left -= walkers[i].quota;
		sorted[i] = &walkers[i];
	}
	qsort(sorted, count, sizeof(struct walker *), walker_by_remainder);
	for (uint32_t i = 0; i < left; i++)
		sorted[i]->quota++;
	free(sorted);
	return 0;
}

/*
 * Whose turn it is: turn k of a member with quota q falls at (k + 1/2) / q of the whole, so that
 * turns come in proportion to weight all along. Sorted by counting, ties in order of identity.
 */
static int turns_make(const struct walker *walkers, size_t count, uint32_t slot_count,
		      uint16_t *turns)
{
	uint32_t *starts = calloc((size_t)slot_count + 1, sizeof(*starts));

	if (!starts)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		uint64_t step =
			walkers[i].quota ? ((uint64_t)slot_count << 16) / walkers[i].quota : 0;
		uint64_t time = step / 2;

		for (uint32_t k = 0; k < walkers[i].quota; k++, time += step)
			starts[(time >> 16) + 1]++;
	}
	for (uint32_t slot = 1; slot < slot_count; slot++)
		starts[slot] += starts[slot - 1];
	for (size_t i = 0; i < count; i++) {
		uint64_t step =
			walkers[i].quota ? ((uint64_t)slot_count << 16) / walkers[i].quota : 0;
		uint64_t time = step / 2;

		for (uint32_t k = 0; k < walkers[i].quota; k++, time += step)
			turns[starts[time >> 16]++] = (uint16_t)i;
	}
	free(starts);
	return 0;
}

/* In its turn a member walks on along its permutation to the next free slot and takes it. */
static void turns_walk(struct walker *walkers, const uint16_t *turns, uint32_t turn_count,
		       uint32_t slot_count, uint64_t *taken, uint16_t *owners)
{
	for (uint32_t turn = 0; turn < turn_count; turn++) {
		struct walker *walker = &walkers[turns[turn]];
		uint32_t position = walker->position, skip = walker->skip;

		while (taken[position / 64] >> (position % 64) & 1) {
			position += skip;
			if (position >= slot_count)
				position -= slot_count;
		}
		taken[position / 64] |= 1ULL << (position % 64);
		owners[position] = walker->number;
		walker->position = position;
	}
}

/* The inverse of value modulo a prime, by Fermat's little theorem: value ^ (prime - 2). */
static uint64_t inverse_of(uint64_t value, uint32_t prime)
{
	uint64_t inverse = 1;

	for (uint32_t exponent = prime - 2; exponent; exponent /= 2) {
		if (exponent & 1)
			inverse = inverse * value % prime;
		value = value * value % prime;
	}
	return inverse;
}

/*
 * The same for the last slots: a walk there would be long (half of all steps are made for the
 * last thousandth of the slots), so each free slot is asked how many steps away it is.
 */
static void turns_jump(struct walker *walkers, const uint16_t *turns, uint32_t turn_count,
		       uint32_t slot_count, uint32_t *free_slots, uint16_t *owners)
{
	for (uint32_t left = turn_count; left > 0; left--, turns++) {
		struct walker *walker = &walkers[*turns];
		uint64_t inverse = inverse_of(walker->skip, slot_count), nearest = UINT64_MAX;
		uint32_t chosen = 0;

		for (uint32_t i = 0; i < left; i++) {
			uint32_t distance = free_slots[i] + slot_count - walker->position;
			uint64_t steps = distance * inverse % slot_count;

			if (steps < nearest) {
				nearest = steps;
				chosen = i;
			}
		}
		walker->position = free_slots[chosen];
		owners[walker->position] = walker->number;
		free_slots[chosen] = free_slots[left - 1];
	}
}

static int turns_take(struct walker *walkers, const uint16_t *turns, uint32_t slot_count,
		      uint16_t *owners)
{
	uint64_t *taken = calloc(slot_count / 64 + 1, sizeof(*taken));
	uint32_t last = slot_count / 1024, walked = slot_count - last, count = 0;
	uint32_t *free_slots = calloc(last + 1, sizeof(*free_slots));
	int code = -ENOMEM;

	if (!taken || !free_slots)
		goto out;
	turns_walk(walkers, turns, walked, slot_count, taken, owners);
	for (uint32_t slot = 0; slot < slot_count; slot++) {
		if (!(taken[slot / 64] >> (slot % 64) & 1))
			free_slots[count++] = slot;
	}
	turns_jump(walkers, turns + walked, last, slot_count, free_slots, owners);
	code = 0;
out:
	free(free_slots);
	free(taken);
	return code;
}

int table_build(const struct table_member *members, size_t member_count, uint32_t slot_count,
		uint16_t *owners)
{
	struct walker *walkers = calloc(member_count + 1, sizeof(*walkers));
	uint16_t *turns = malloc(slot_count * sizeof(*turns));
	size_t count = 0;
	int code = -ENOMEM;

	if (!walkers || !turns)
		goto out;
	code = walkers_make(members, member_count, slot_count, walkers, &count);
	if (code)
		goto out;
	if (!count) {
		memset(owners, 0xff, slot_count * sizeof(*owners));
		goto out;
	}
	code = walkers_set_quotas(walkers, count, slot_count);
	if (!code)
		code = turns_make(walkers, count, slot_count, turns);
	if (!code)
		code = turns_take(walkers, turns, slot_count, owners);
out:
	free(turns);
	free(walkers);
	return code;
}

uint64_t table_digest(const struct table_member *members, size_t member_count,
		      const uint16_t *owners, uint32_t slot_count)
{
	uint64_t *identities = calloc(SLUICE_NO_BACKEND + 1, sizeof(*identities));
	uint64_t digest = slot_count;

	if (!identities)
		return 0;
	for (size_t i = 0; i < member_count; i++)
		identities[members[i].number] = members[i].identity;
	for (uint32_t slot = 0; slot < slot_count; slot++)
		digest = hash_word(digest, identities[owners[slot]]);
	free(identities);
	return hash_last(digest);
}

static bool alive(const struct alive_set *set, uint32_t number)
{
	return number != SLUICE_NO_BACKEND && (set->bits[number / 64] >> (number % 64) & 1);
}

/*
 * previous_owner - who has the flows that are older than this change of a slot. A slot that was
 * not settled may have flows pinned to owners that it does not name any more, so it does not
 * become settled by a change, even if its oldest owner is current again: then it has no previous.
 */
static uint32_t previous_owner(uint32_t old_word, uint32_t owner, const struct alive_set *set)
{
	bool settled = slot_current(old_word) == slot_previous(old_word);
	uint32_t previous = owner;

	if (alive(set, slot_previous(old_word)))
		previous = slot_previous(old_word);
	else if (alive(set, slot_current(old_word)))
		/* The oldest are gone; those that the last owner had since are the oldest left. */
		previous = slot_current(old_word);
	return previous == owner && !settled ? SLUICE_NO_BACKEND : previous;
}

uint32_t slots_change(const uint32_t *old_words, const uint16_t *owners, uint32_t slot_count,
		      const struct alive_set *alive_now, uint32_t *new_words)
{
	uint32_t changed = 0;

	for (uint32_t slot = 0; slot < slot_count; slot++) {
		uint32_t owner = owners[slot], previous = owner;

		if (old_words) {
			changed += slot_current(old_words[slot]) != owner;
			previous = previous_owner(old_words[slot], owner, alive_now);
		} else {
			changed++;
		}
		new_words[slot] = slot_word(owner, previous);
	}
	return changed;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Slot tables: weighted Maglev, and what a change of owners leaves in each slot. */
#ifndef MODEL_TABLE_H
#define MODEL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"

struct table_member {
	uint64_t identity; /* table_identity(): the same on every host, whatever the order */
	uint32_t weight;   /* 0: owns no slot */
	uint16_t number;   /* the service's own number of the backend: what owners[] gets */
};

/* table_identity - of a backend, from its address and port (network order). */
uint64_t table_identity(const struct ip *address, __be16 port, uint64_t seed);

/*
 * table_build - fill owners[0..slot_count) with the numbers of the slots' owners, or with
 * SLUICE_NO_BACKEND where no member has weight. slot_count is a prime. Each member gets its
 * share of the slots to within one slot of weight / sum, and the result depends on the
 * members as a set only. Weighted Maglev (Eisenbud et al., NSDI 2016, section 3.4): each member
 * walks its own permutation of the slots and takes the next free one in its turn; turns come
 * in proportion to weight. Returns 0, -EINVAL for two members of one identity or less than 2
 * slots, -ENOMEM.
 */
int table_build(const struct table_member *members, size_t member_count, uint32_t slot_count,
		uint16_t *owners);

/*
 * table_digest - of the identities of the slots' owners: equal on hosts whose tables agree.
 * 0 when memory is short.
 */
uint64_t table_digest(const struct table_member *members, size_t member_count,
		      const uint16_t *owners, uint32_t slot_count);

/* Which of a service's own backends may still have flows: bit n % 64 of word n / 64. */
struct alive_set {
	uint64_t bits[1024];
};

/*
 * slots_change - the slot words after a change of owners. A slot that was settled and changes its
 * owner keeps the old owner as previous; a slot that was not settled keeps its previous, because
 * every flow younger than that has an entry of its own; an owner that is not alive is nobody's
 * previous, the last current owner takes its place. Only the sweep settles a slot that was not
 * settled: where current and previous would be the same, previous is SLUICE_NO_BACKEND, so that
 * flows pinned meanwhile to another backend are still looked up with minimal tracking.
 * old may be NULL (a new service). old and new may be the same array.
 * Returns the number of slots whose current owner changed.
 */
uint32_t slots_change(const uint32_t *old_words, const uint16_t *owners, uint32_t slot_count,
		      const struct alive_set *alive, uint32_t *new_words);

#endif

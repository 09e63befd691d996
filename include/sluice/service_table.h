/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table that finds a service: map "service_keys", an open hash table in an mmap-able array.
 * The data plane only reads it, with loads alone: a lookup in a hash map of the kernel was half of
 * what a packet cost. The agent is its one writer.
 *
 * A key lies in the line that its hash names, or, if that is full, in one of those after it; then
 * the lines on the way are marked as spilled, and stay so. A reader that meets no mark stops.
 */
#ifndef SLUICE_SERVICE_TABLE_H
#define SLUICE_SERVICE_TABLE_H

#include <linux/types.h>
#include <stddef.h>

#include "sluice/abi.h"

/* Lines that a search goes through at most; see service_table_lines: so many are never full. */
#define SERVICE_PROBES_MAX 16u

/* service_table_lines - size of the table for so many keys: a power of two, a quarter full. */
static inline __u32 service_table_lines(__u32 keys)
{
	__u32 lines = SERVICE_PROBES_MAX;

	while (lines * SLUICE_KEYS_PER_LINE < keys * 4)
		lines *= 2;
	return lines;
}

/* service_key_line - where a key's search starts; vip_hash is hash_vip() of its address. */
static inline __attribute__((always_inline)) __u32 service_key_line(__u64 vip_hash, __be16 port,
								    __u8 protocol, __u32 mask)
{
	__u64 hash = hash_word(vip_hash, ((__u64)port << 8) | protocol);

	return (__u32)(hash >> 16) & mask;
}

/* service_key_equal - by its words, without a branch for each. */
static inline __attribute__((always_inline)) int service_key_equal(const struct service_key *a,
								   const struct service_key *b)
{
	__u32 difference = (a->vip[0] ^ b->vip[0]) | (a->vip[1] ^ b->vip[1]) |
			   (a->vip[2] ^ b->vip[2]) | (a->vip[3] ^ b->vip[3]) |
			   (a->transport ^ b->transport);

	return !difference;
}

/*
 * service_line_find - the target of a key in one line, or 0. The target is read before and after
 * the key: a place that is given to another key meanwhile is no match.
 */
static inline __attribute__((always_inline)) __u64
service_line_find(const struct service_line *line, const struct service_key *key)
{
	for (int i = 0; i < SLUICE_KEYS_PER_LINE; i++) {
		__u64 target = *(const volatile __u64 *)&line->targets[i];

		if (service_key_equal(&line->keys[i], key) && target &&
		    *(const volatile __u64 *)&line->targets[i] == target)
			return target;
	}
	return 0;
}

#ifndef __bpf__

/* For the writer. mask: lines - 1. */

static inline __u32 service_key_start(const struct service_key *key, __u32 mask)
{
	return service_key_line(hash_vip(key->vip), key->port, key->protocol, mask);
}

static inline __u64 *service_table_place(struct service_line *lines, __u32 mask,
					 const struct service_key *key)
{
	__u32 start = service_key_start(key, mask);

	for (__u32 probe = 0; probe < SERVICE_PROBES_MAX; probe++) {
		struct service_line *line = &lines[(start + probe) & mask];

		for (int i = 0; i < SLUICE_KEYS_PER_LINE; i++) {
			if (line->targets[i] && service_key_equal(&line->keys[i], key))
				return &line->targets[i];
		}
	}
	return NULL;
}

/* service_table_find - the target of a key, or 0. */
static inline __u64 service_table_find(struct service_line *lines, __u32 mask,
				       const struct service_key *key)
{
	const __u64 *place = service_table_place(lines, mask, key);

	return place ? *place : 0;
}

/* service_table_put - add a key, or give it another target. Returns 0, or -1 if there is no room. */
static inline int service_table_put(struct service_line *lines, __u32 mask,
				    const struct service_key *key, __u64 target)
{
	__u64 *place = service_table_place(lines, mask, key);
	__u32 start = service_key_start(key, mask);

	if (place) {
		__atomic_store_n(place, target, __ATOMIC_RELEASE);
		return 0;
	}
	for (__u32 probe = 0; probe < SERVICE_PROBES_MAX; probe++) {
		struct service_line *line = &lines[(start + probe) & mask];

		for (int i = 0; i < SLUICE_KEYS_PER_LINE; i++) {
			if (line->targets[i])
				continue;
			line->keys[i] = *key;
			__atomic_store_n(&line->targets[i], target, __ATOMIC_RELEASE);
			return 0;
		}
		__atomic_store_n(&line->spilled, 1, __ATOMIC_RELEASE);
	}
	return -1;
}

/* service_table_remove - returns 0, or -1 if the key is not there. */
static inline int service_table_remove(struct service_line *lines, __u32 mask,
				       const struct service_key *key)
{
	__u64 *place = service_table_place(lines, mask, key);

	if (!place)
		return -1;
	__atomic_store_n(place, 0, __ATOMIC_RELEASE);
	return 0;
}

/*
 * service_table_next - the key after this one (NULL: the first), in the order of the table.
 * Returns 0, or -1 after the last one. A key that is not there leads nowhere.
 */
static inline int service_table_next(struct service_line *lines, __u32 mask,
				     const struct service_key *key, struct service_key *ret_key)
{
	int found = !key;

	for (__u32 number = 0; number <= mask; number++) {
		for (int i = 0; i < SLUICE_KEYS_PER_LINE; i++) {
			if (!lines[number].targets[i])
				continue;
			if (found) {
				*ret_key = lines[number].keys[i];
				return 0;
			}
			found = service_key_equal(&lines[number].keys[i], key);
		}
	}
	return -1;
}

#endif

#endif

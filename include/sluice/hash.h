/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hash of a flow. Data plane and user space compile this same code, so two hosts with the
 * same seed hash a flow alike, and user space can tell where a flow's entry and slot are.
 *
 * A word is folded in by xor, a multiplication with an odd constant and a fold of the high half
 * (the scheme of wyhash and MurmurHash3's finalizer, cut to what 64-bit BPF has: no 128-bit
 * product). Constants: the 64-bit golden ratio and MurmurHash3's second finalizer constant.
 */
#ifndef SLUICE_HASH_H
#define SLUICE_HASH_H

#include <linux/types.h>

#define SLUICE_HASH_STEP 0x9e3779b97f4a7c15ULL
#define SLUICE_HASH_LAST 0xc4ceb9fe1a85ec53ULL

/* What identifies a flow. IPv4 addresses are v4-mapped (::ffff:a.b.c.d). */
struct flow_key {
	__be32 source[4];
	__be32 destination[4];
	__be16 source_port;
	__be16 destination_port;
	__u8 protocol; /* IPPROTO_TCP, IPPROTO_UDP */
	__u8 family;   /* 4 or 6 */
	__u8 reserved[2];
};

static inline __attribute__((always_inline)) __u64 hash_word(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * SLUICE_HASH_STEP;
	return hash ^ (hash >> 32);
}

static inline __attribute__((always_inline)) __u64 hash_pair(__u64 hash, __be32 high, __be32 low)
{
	return hash_word(hash, ((__u64)high << 32) | low);
}

static inline __attribute__((always_inline)) __u64 hash_last(__u64 hash)
{
	hash ^= hash >> 29;
	hash *= SLUICE_HASH_LAST;
	return hash ^ (hash >> 32);
}

/*
 * hash_flow - hash of a 5-tuple.
 *
 * The bits are used thus: the low ones choose the bucket of the flow table, the high
 * SLUICE_TAG_BITS are the entry's tag and, scaled, the slot. Both are therefore known from an
 * entry and its place: user space can tell an entry's slot without knowing the flow.
 */
static inline __attribute__((always_inline)) __u64 hash_flow(const struct flow_key *key, __u64 seed)
{
	__u64 ports = ((__u64)key->source_port << 32) | ((__u64)key->destination_port << 8) |
		      key->protocol;
	__u64 hash = seed;

	if (key->family == 4) {
		hash = hash_pair(hash, key->source[3], key->destination[3]);
	} else {
		hash = hash_pair(hash, key->source[0], key->source[1]);
		hash = hash_pair(hash, key->source[2], key->source[3]);
		hash = hash_pair(hash, key->destination[0], key->destination[1]);
		hash = hash_pair(hash, key->destination[2], key->destination[3]);
	}
	return hash_last(hash_word(hash, ports));
}

/* hash_source - hash of the source address alone, with_port: and of the destination port. */
static inline __attribute__((always_inline)) __u64 hash_source(const struct flow_key *key,
							       __u64 seed, int with_port)
{
	__u64 hash = seed;

	if (key->family == 4) {
		hash = hash_pair(hash, 0, key->source[3]);
	} else {
		hash = hash_pair(hash, key->source[0], key->source[1]);
		hash = hash_pair(hash, key->source[2], key->source[3]);
	}
	return hash_last(hash_word(hash, with_port ? key->destination_port : 0));
}

/* hash_vip - of a VIP; the data plane computes it once for the filter and for the services. */
static inline __attribute__((always_inline)) __u64 hash_vip(const __be32 address[4])
{
	return hash_pair(hash_pair(0, address[0], address[1]), address[2], address[3]);
}

/* hash_vip_filter_bit - the bit in the filter before the service lookup, from hash_vip(). */
static inline __attribute__((always_inline)) __u32 hash_vip_filter_bit(__u64 vip_hash)
{
	return (__u32)(vip_hash >> 20) & 0xffff;
}

/* hash_vip_bit - the same from the address. */
static inline __attribute__((always_inline)) __u32 hash_vip_bit(const __be32 address[4])
{
	return hash_vip_filter_bit(hash_vip(address));
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flow table: which backend a flow is pinned to. Entries are single words, changed by
 * compare-and-swap and only when something changes, so that a busy flow's line stays shared.
 */
#ifndef BPF_FLOW_TABLE_H
#define BPF_FLOW_TABLE_H

#include "maps.h"
#include "packet.h"

/* The clock of the table; bpf_jiffies64 is a load, where the nanosecond clock is a call. */
static __always_inline __u32 tick_now(void)
{
	return (__u32)(bpf_jiffies64() >> settings.tick_shift) & SLUICE_SEEN_MASK;
}

static __always_inline struct flow_bucket *flow_bucket(__u64 hash)
{
	__u32 index = (__u32)hash & settings.flow_mask;

	return bpf_map_lookup_elem(&flows, &index);
}

/* flow_is_own - whether an entry is this flow's: its tag, and a backend of the same service. */
static __always_inline bool flow_is_own(__u64 entry, __u64 hash, const struct service *service)
{
	return !((entry ^ hash) >> SLUICE_TAG_SHIFT) && entry & SLUICE_STATE_MASK &&
	       flow_entry_backend(entry) - service->backend_base < service->backend_capacity;
}

/*
 * flow_search - the place of the flow's entry, wherever it is, or SLUICE_FLOWS_PER_BUCKET. Global,
 * so that the verifier looks at it only once.
 */
noinline __u32 flow_search(__u64 hash, __u32 service_id)
{
	const struct service *service = bpf_map_lookup_elem(&services, &service_id);
	const struct flow_bucket *bucket = flow_bucket(hash);
	__u32 place = 0;

	if (!bucket || !service)
		return SLUICE_FLOWS_PER_BUCKET;
	while (place < SLUICE_FLOWS_PER_BUCKET &&
	       !flow_is_own(READ_ONCE(bucket->entries[place]), hash, service))
		place++;
	return place;
}

/*
 * flow_find - the flow's entry and its place, or 0. The place of its tag is computed, not searched
 * for: a branch that waits for the bucket to come from memory, and is then guessed wrong, costs
 * more than the rest of the packet. Where two entries have the tag, as rare as a false match, the
 * result is some other place, and a search follows.
 */
static __always_inline __u64 flow_find(struct flow_bucket *bucket, __u64 hash,
				       const struct service *service, __u32 service_id,
				       __u64 **ret_place)
{
	__u64 place = 0, entry;

#pragma unroll
	for (__u64 i = 1; i < SLUICE_FLOWS_PER_BUCKET; i++) {
		/* All ones where the tags are equal. */
		__s64 equal =
			(__s64)(((READ_ONCE(bucket->entries[i]) ^ hash) >> SLUICE_TAG_SHIFT) - 1) >>
			63;

		place |= (__u64)equal & i;
	}
	OPAQUE(place);
	place &= SLUICE_FLOWS_PER_BUCKET - 1;
	entry = READ_ONCE(bucket->entries[place]);
	*ret_place = &bucket->entries[place];
	if (likely(flow_is_own(entry, hash, service)))
		return entry;
	if (!place)
		return 0;
	place = flow_search(hash, service_id);
	if (place >= SLUICE_FLOWS_PER_BUCKET)
		return 0;
	entry = READ_ONCE(bucket->entries[place]);
	*ret_place = &bucket->entries[place];
	return flow_is_own(entry, hash, service) ? entry : 0;
}

static __always_inline struct flow_counter *flow_counter(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&flow_counters, &cpu);
}

/* flow_touch - store the new state and the time of a flow's entry, if that changes it. */
static __always_inline void flow_touch(__u64 *place, __u64 entry, __u32 now, enum flow_state state)
{
	__u64 next = flow_entry(entry, flow_entry_backend(entry), now, state);
	struct flow_counter *counter;

	if (likely(next == entry))
		return;
	if (__sync_val_compare_and_swap(place, entry, next) == entry)
		return;
	counter = flow_counter();
	if (counter)
		counter->races++;
}

/*
 * How willingly an entry gives way to a new one. The age decides between two of the same kind. A
 * proven entry is never given up while it is live, whoever asks: this is what keeps a flood of
 * SYNs, or of lone ACKs, from breaking a flow.
 */
#define YIELD_OWN       0x100000u
#define YIELD_EMPTY     0x80000u
#define YIELD_EXPIRED   0x40000u
#define YIELD_CLOSING   0x20000u
#define YIELD_PROBATION 0x10000u /* below: not at all; more than the highest age */

/* A number for each state, 16 bits each: chosen by a shift, as branches double the verifier's paths. */
static __always_inline __u32 state_lane(__u64 lanes, enum flow_state state)
{
	return (__u32)(lanes >> (state & 3u) * 16) & 0xffff;
}

static __always_inline __u64 state_lanes(__u32 empty, __u32 closing, __u32 probation, __u32 proven)
{
	return empty | (__u64)closing << 16 | (__u64)probation << 32 | (__u64)proven << 48;
}

static __always_inline __u32 flow_yield(__u64 entry, __u32 now)
{
	/* The entry does not say which protocol: the agent sweeps the shorter one precisely. */
	__u32 proven = settings.proven_tcp_ticks > settings.proven_udp_ticks
			       ? settings.proven_tcp_ticks
			       : settings.proven_udp_ticks;
	__u64 timeouts = state_lanes(0, settings.closing_ticks, settings.probation_ticks, proven);
	__u64 yields = state_lanes(YIELD_EMPTY >> 4, YIELD_CLOSING >> 4, YIELD_PROBATION >> 4, 0);
	enum flow_state state = flow_entry_state(entry);
	__u32 age = flow_entry_age(entry, now);
	/* Whether age is above the timeout, by its sign. */
	__u32 expired = (state_lane(timeouts, state) - age) >> 31;

	return age + expired * YIELD_EXPIRED + (state_lane(yields, state) << 4);
}

static __always_inline void flow_count_insert(struct flow_counter *counter, __u32 yield,
					      enum flow_state evicted)
{
	counter->inserts++;
	if (yield >= YIELD_OWN || evicted == FLOW_EMPTY)
		return;
	if (evicted == FLOW_CLOSING)
		counter->evicted_closing++;
	else if (evicted == FLOW_PROBATION)
		counter->evicted_probation++;
	else
		counter->evicted_proven++;
}

/* The choice of flow_victim: a place in the bucket, and above it how willingly its entry yields. */
#define VICTIM_PLACE_BITS 3
#define VICTIM_NONE       0u

/*
 * flow_victim - the place in the flow's bucket that a new entry may take, or VICTIM_NONE. It and
 * flow_insert are out of line, as established flows never come here, and global, so that the
 * verifier looks at each once, and not once for each way to it.
 */
noinline __u32 flow_victim(__u64 hash, __u32 service_id, __u32 now)
{
	const struct service *service = bpf_map_lookup_elem(&services, &service_id);
	const struct flow_bucket *bucket = flow_bucket(hash);
	__u32 best = VICTIM_NONE;

	if (!bucket || !service)
		return VICTIM_NONE;
	for (__u32 place = 0; place < SLUICE_FLOWS_PER_BUCKET; place++) {
		__u64 entry = READ_ONCE(bucket->entries[place]);
		__u32 victim = flow_yield(entry, now) << VICTIM_PLACE_BITS | place;

		if (flow_is_own(entry, hash, service))
			return YIELD_OWN << VICTIM_PLACE_BITS | place;
		if (victim > best)
			best = victim;
	}
	return best >= YIELD_PROBATION << VICTIM_PLACE_BITS ? best : VICTIM_NONE;
}

/*
 * flow_insert - pin a flow to a backend, on probation. Returns the backend that the flow is pinned
 * to, which is another CPU's choice if that was faster, or SLUICE_BACKENDS_MAX if there is no room.
 */
noinline __u32 flow_insert(__u64 hash, __u32 service_id, __u32 backend_id, __u32 now)
{
	const struct service *service = bpf_map_lookup_elem(&services, &service_id);
	__u64 fresh = flow_entry(hash, backend_id, now, FLOW_PROBATION);
	struct flow_bucket *bucket = flow_bucket(hash);
	struct flow_counter *counter = flow_counter();
	__u64 entry, found, *place;
	__u32 victim;

	if (!bucket || !counter || !service)
		return SLUICE_BACKENDS_MAX;
	victim = flow_victim(hash, service_id, now);
	if (victim == VICTIM_NONE) {
		counter->rejects++;
		return SLUICE_BACKENDS_MAX;
	}
	place = &bucket->entries[victim & (SLUICE_FLOWS_PER_BUCKET - 1)];
	entry = READ_ONCE(*place);
	/* Between the two readings the entry may have become another's, and proven. */
	if (flow_yield(entry, now) < YIELD_PROBATION && !flow_is_own(entry, hash, service)) {
		counter->races++;
		return SLUICE_BACKENDS_MAX;
	}
	found = __sync_val_compare_and_swap(place, entry, fresh);
	if (found == entry) {
		flow_count_insert(counter, victim >> VICTIM_PLACE_BITS, flow_entry_state(entry));
		return backend_id;
	}
	counter->races++;
	return flow_is_own(found, hash, service) ? flow_entry_backend(found) : SLUICE_BACKENDS_MAX;
}

#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data plane with the kernel's LRU hash in the place of its flow table, for comparison: all
 * else is the same program. Its key is the flow's whole hash; its value is an entry as the flow
 * table has them.
 */
#include "../../bpf/flow_table.h"

/* The size is set before the load. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u64);
} flow_hash SEC(".maps");

static __always_inline __u64 lru_hash_find(__u64 hash, const struct service *service,
					   __u64 **ret_place)
{
	__u64 *place = bpf_map_lookup_elem(&flow_hash, &hash);
	__u64 entry;

	if (!place)
		return 0;
	*ret_place = place;
	entry = READ_ONCE(*place);
	return flow_is_own(entry, hash, service) ? entry : 0;
}

static __always_inline __u32 lru_hash_insert(__u64 hash, __u32 backend_id, __u32 now)
{
	__u64 fresh = flow_entry(hash, backend_id, now, FLOW_PROBATION);

	return bpf_map_update_elem(&flow_hash, &hash, &fresh, BPF_ANY) ? SLUICE_BACKENDS_MAX
								       : backend_id;
}

#define flow_find(bucket, hash, service, service_id, ret_place) \
	((void)(bucket), (void)(service_id), lru_hash_find(hash, service, ret_place))
#define flow_insert(hash, service_id, backend_id, now) \
	((void)(service_id), lru_hash_insert(hash, backend_id, now))

/* The program itself, and no copy of it. NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "../../bpf/sluice.bpf.c"

/* SPDX-License-Identifier: GPL-2.0-only */
/* How many packets of its own the data plane sends: a token bucket for each kind, on each CPU. */
#ifndef BPF_REPLY_H
#define BPF_REPLY_H

#include "maps.h"

/* What may be sent at once after a silence: so much time's worth, but at least so many packets. */
#define REPLY_BURST_NS      100000000ULL
#define REPLY_BURST_PACKETS 10ULL

/*
 * reply_is_due - take a token; false if there is none. The bucket is kept as the time when it will
 * be full again: one word, written by its own CPU only.
 */
static __always_inline bool reply_is_due(enum reply_kind kind, __u64 interval_ns)
{
	__u64 burst_ns = REPLY_BURST_PACKETS * interval_ns, now = bpf_ktime_get_ns();
	__u32 index = kind;
	__u64 *full_ns = bpf_map_lookup_elem(&reply_buckets, &index);

	if (!full_ns)
		return false;
	if (burst_ns < REPLY_BURST_NS)
		burst_ns = REPLY_BURST_NS;
	if (*full_ns < now)
		*full_ns = now;
	if (*full_ns - now + interval_ns > burst_ns)
		return false;
	*full_ns += interval_ns;
	return true;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The layouts of the maps, shared by the data plane and user space; each exists only here. A hole
 * in a layout is a build error, and every size is asserted.
 *
 * Arrays are BPF_F_MMAPABLE: the agent reads and writes them without system calls. What a packet
 * must see whole is one aligned word and is stored as one.
 */
#ifndef SLUICE_ABI_H
#define SLUICE_ABI_H

#include <linux/types.h>

#include "sluice/flow.h"
#include "sluice/fragment.h"
#include "sluice/guard.h"
#include "sluice/hash.h"
#include "sluice/limits.h"
#include "sluice/verdict.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

/* From what clients connect to, to a service; see sluice/service_table.h. */
struct service_key {
	__be32 vip[4]; /* v4-mapped for IPv4 */
	union {
		struct {
			__be16 port;   /* 0: any port */
			__u8 protocol; /* IPPROTO_*; 0 with port 0: the VIP, see service_target */
			__u8 reserved; /* 0 */
		};
		__u32 transport; /* of these three, to compare them at once */
	};
};

/* The entry of a VIP itself has this service; it answers for what no service of the VIP takes. */
#define SLUICE_NO_SERVICE 0xffffffffu

struct service_target {
	__u32 service; /* index in map "services" */
	__u8 pass;     /* of a VIP itself: pass what no service takes, instead of dropping it */
	__u8 reserved[3];
};

/* Map "service_keys" (array): a line of the table that finds a service. */
struct service_line {
	__u64 targets[SLUICE_KEYS_PER_LINE]; /* target_word(); 0: the place is free */
	struct service_key keys[SLUICE_KEYS_PER_LINE];
	__u32 spilled; /* a key whose search starts here, or passes here, lies behind */
	__u32 reserved;
};

/* A target in one word: service in bits 0..31, pass in bit 32, bit 63 set. */
static inline __attribute__((always_inline)) __u64 target_word(const struct service_target *target)
{
	return 1ULL << 63 | (__u64)(target->pass != 0) << 32 | target->service;
}

static inline __attribute__((always_inline)) __u32 target_service(__u64 word)
{
	return (__u32)word;
}

static inline __attribute__((always_inline)) int target_pass(__u64 word)
{
	return (int)(word >> 32 & 1);
}

/*
 * Map "vip_filter" (array): bit hash_vip_bit(address) is set if a VIP may have that address. It
 * spares the packets of the host itself the lookup in service_keys.
 */
struct vip_filter_line {
	__u64 bits[8]; /* bit n of the filter: line n / 512, word n / 64 % 8, bit n % 64 */
};

enum service_state {
	SERVICE_ABSENT = 0,
	SERVICE_PRESENT,
};

enum tracking {
	TRACKING_FULL = 0,   /* every flow has an entry in the flow table */
	TRACKING_MINIMAL,    /* only flows in slots whose current and previous owner differ */
	TRACKING_ENDING,     /* works as full; the agent wants minimal, see model/sweep.h */
	TRACKING_UNSETTLING, /* works as full; the sweep is at it */
};

enum affinity {
	AFFINITY_FLOW = 0,    /* the 5-tuple */
	AFFINITY_SOURCE,      /* source address */
	AFFINITY_SOURCE_PORT, /* source address and destination port */
};

enum scheduler {
	SCHEDULER_MAGLEV = 0,  /* the slot is the flow's hash */
	SCHEDULER_RANDOM,      /* a random slot */
	SCHEDULER_ROUND_ROBIN, /* the next slot */
	SCHEDULER_LEAST_FLOWS, /* the better of two random slots by live flows */
};

enum empty_answer {
	EMPTY_DROP = 0,
	EMPTY_PASS,
};

/*
 * The word that publishes a slot table; one atomic store makes a new table, its generation and
 * the tick of the change visible together. Bits 0..31: the table's first line in map "slots";
 * bits 32..47: generation; bits 48..60: the tick of the last change.
 */
static inline __attribute__((always_inline)) __u64 table_word(__u32 line, __u32 generation,
							      __u32 tick)
{
	return ((__u64)(tick & SLUICE_SEEN_MASK) << 48) | ((__u64)(generation & 0xffff) << 32) |
	       line;
}

static inline __attribute__((always_inline)) __u32 table_line(__u64 word)
{
	return (__u32)word;
}

static inline __attribute__((always_inline)) __u32 table_generation(__u64 word)
{
	return (__u32)(word >> 32) & 0xffff;
}

static inline __attribute__((always_inline)) __u32 table_tick(__u64 word)
{
	return (__u32)(word >> 48) & SLUICE_SEEN_MASK;
}

/* In place of a VLAN's ID, 1 to VLAN_ID_MAX. */
#define VLAN_KEEP   0      /* the tags that a packet came with */
#define VLAN_NONE   0x1000 /* no tag */
#define VLAN_ID_MAX 4094

/* Map "services" (array): one record a service. */
struct service {
	__u64 table;            /* table_word() */
	__u32 slot_count;       /* a prime; never changes while the service exists */
	__u32 backend_base;     /* first of the service's own records in map "backends" */
	__u32 backend_capacity; /* how many records are its own */
	__u32 grace_ticks;      /* UDP: unknown flows stay on previous so long after a change */
	__u8 state;             /* enum service_state */
	__u8 tracking;          /* enum tracking */
	__u8 affinity;          /* enum affinity */
	__u8 scheduler;         /* enum scheduler */
	__u8 empty;             /* enum empty_answer */
	__u8 quic;              /* UDP: a QUIC Initial counts as a TCP SYN does */
	__u8 protocol;          /* IPPROTO_*: by which the sweep ages its flows */
	__u8 quic_id_length; /* UDP: bytes of the server ID in a connection ID; 0: not looked at */
	__u8 quic_id_offset; /* of the server ID, from the start of the connection ID */
	__u8 quic_id_config; /* with an offset: the top three bits of the connection ID */
	__u8 guard;          /* GUARD_*: what the guard is to ask; 0: nothing */
	__u8 reserved;
	__u16 mss;         /* TCP: the largest segment size that a SYN may offer; 0: any */
	__u16 vlan;        /* of what goes to the backends: an ID, or one of VLAN_* */
	__u16 client_vlan; /* mode nat: of what the backends answer, on its way to the client */
	__u8 reserved2[22];
};

/* Map "quic_ids" (hash): from a server ID to the backend's index in map "backends". */
struct quic_key {
	__u32 service;
	__u8 id[SLUICE_QUIC_ID_MAX]; /* zeros behind its length */
	__u8 length;
};

/* Map "slots" (array): the slot tables of all services; a table starts at a line of its own. */
struct slot_line {
	__u32 slots[SLUICE_SLOTS_PER_LINE]; /* slot_word() */
};

enum backend_state {
	BACKEND_ABSENT = 0,
	BACKEND_ALIVE, /* takes the packets of its flows; whether new flows: by its slots */
	BACKEND_DEAD,  /* its flows move */
};

enum forward_mode {
	FORWARD_MODE_L2 = 0,
	FORWARD_MODE_IPIP,
	FORWARD_MODE_GUE,
	FORWARD_MODE_NAT,
};

/*
 * What struct backend's mode has beside that: what few backends ask for. So one comparison tells
 * all of them from the plain l2 and ipip ones.
 */
#define BACKEND_MODE_MASK 0x0f
#define BACKEND_CLAMPS    0x10 /* the service has an MSS */
#define BACKEND_RETAGS    0x20 /* the service has a VLAN of its own, on either way */

/* How a packet leaves: one word, so that a change of neighbour is seen whole. 0: not known. */
union nexthop {
	struct {
		__u8 mac[6];
		__u16 egress; /* index in maps "egress" and "egress_ports" */
	};
	__u64 word;
};

/* Map "backends" (array): one record a backend; index = the service's backend_base + own number. */
struct backend {
	union nexthop nexthop;
	__be32 address[4]; /* outer destination; v4-mapped for IPv4 */
	__be32 source[4];  /* outer source of the same family */
	__u32 outer_sum;   /* ipip over IPv4: backend_outer_sum(); else 0 */
	__u32 service;     /* index in map "services" */
	__u8 state;        /* enum backend_state; written last */
	__u8 mode;         /* enum forward_mode, and BACKEND_* above it */
	__u8 family;       /* of address: 4 or 6 */
	__u8 reserved;
	__be16 port; /* for modes that rewrite it */
	__u16 inner_mtu; /* the longest packet that fits the way, see backend_overhead(); 0: not known */
	__u32 reserved2[2];
};

static inline __attribute__((always_inline)) enum forward_mode
backend_mode(const struct backend *backend)
{
	return (enum forward_mode)(backend->mode & BACKEND_MODE_MASK);
}

/* Constants of the outer header. RFC 6864: with DF set, an ID of 0 is allowed. */
#define OUTER_DONT_FRAGMENT 0x4000u
#define OUTER_HOP_LIMIT     64u

/* GUE's source ports: those for private use (RFC 6335), the low bits are the flow's. */
#define GUE_SOURCE_PORTS 0xc000u
/* Bytes of UDP and GUE, behind the outer IP header. */
#define GUE_HEADERS 12u

/*
 * outer_sum - the part of an outer IPv4 header's checksum that no packet changes: the plain sum,
 * not folded, of the header's 16-bit words in host order with total length, TOS, protocol and
 * checksum taken as 0. The data plane adds those three, folds and complements. At most 9 words: it
 * fits 32 bits with room for what is added.
 */
static inline __attribute__((always_inline)) __u32 outer_sum(__be32 source, __be32 destination)
{
	const __u8 *from = (const __u8 *)&source, *to = (const __u8 *)&destination;
	__u32 sum = 0x4500u + OUTER_DONT_FRAGMENT + (OUTER_HOP_LIMIT << 8);

	for (int i = 0; i < 4; i += 2) {
		sum += ((__u32)from[i] << 8) + from[i + 1];
		sum += ((__u32)to[i] << 8) + to[i + 1];
	}
	return sum;
}

/* backend_overhead - bytes that the forward mode puts before a packet. */
static inline __attribute__((always_inline)) __u32 backend_overhead(const struct backend *backend)
{
	__u32 outer = backend->family == 4 ? 20 : 40;

	if (backend_mode(backend) == FORWARD_MODE_IPIP)
		return outer;
	return backend_mode(backend) == FORWARD_MODE_GUE ? outer + GUE_HEADERS : 0;
}

/* backend_outer_sum - outer_sum() between a backend's own addresses. */
static inline __attribute__((always_inline)) __u32 backend_outer_sum(const struct backend *backend)
{
	return outer_sum(backend->source[3], backend->address[3]);
}

/*
 * Map "nat_replies" (hash): from the end of a backend in mode nat to that of its service, for the
 * way back. Of a service of any port both ports are 0, and stay what they are.
 */
struct nat_key {
	__be32 address[4]; /* v4-mapped for IPv4 */
	__be16 port;
	__u8 protocol;
	__u8 reserved;
};

struct nat_reply {
	__be32 vip[4];
	__be16 port;
	__u16 reserved;
	__u32 backend; /* index in map "backends": who may remove it */
};

/* Map "nat_use" (array of one): with no backend in mode nat no packet is looked up there. */
struct nat_use {
	__u64 backends;
};

/* Map "backend_loads" (array): what least_flows compares. */
struct backend_load {
	__u32 live;   /* live flows: counted up by the data plane, set right by the agent */
	__u32 weight; /* effective weight */
};

/* Map "egress" (array), beside the device map "egress_ports" with the same index. */
struct egress {
	__u32 ifindex; /* 0: unused */
	__u8 mac[6];   /* the interface's own, the source of what it sends */
	__u8 reserved[6];
};

/*
 * Counters: maps "backend_counters", "service_counters" and "verdict_counters" (arrays), one
 * record for each CPU and thing, at index cpu * (number of things) + thing. Each record has one
 * writer, so counting needs no atomics; a reader adds the CPUs up.
 */
struct counter {
	__u64 packets;
	__u64 bytes;     /* by the IP header's length */
	__u64 new_flows; /* TCP SYNs and first packets that were given a backend */
	__u64 reserved;
};

struct verdict_counter {
	__u64 packets;
	__u64 bytes; /* by the IP header where that was validated, else 0 */
};

/*
 * Map "flow_counters" (array, index cpu): pressure on the flow table.
 */
struct flow_counter {
	__u64 inserts;
	__u64 evicted_closing; /* evictions by the state of the entry that went */
	__u64 evicted_probation;
	__u64 evicted_proven; /* only proven entries idle past their timeout */
	__u64 rejects;        /* no room: probation found only proven entries */
	__u64 from_previous;  /* unknown flows that went to a slot's previous owner */
	__u64 races;          /* another CPU changed the entry meanwhile */
	__u64 reserved;
};

/* Map "flows" (array): the flow table. */
struct flow_bucket {
	__u64 entries[SLUICE_FLOWS_PER_BUCKET]; /* flow_entry() */
};

/*
 * Map "reply_buckets" (per-CPU array): of each kind of packet that the data plane sends by itself,
 * when its token bucket will be full again, in nanoseconds.
 */
enum reply_kind {
	REPLY_KIND_ECHO = 0,
	REPLY_KIND_ERROR,
	REPLY_KINDS,
};

/* Map "meta" (array of one): what the maps were made for; checked before they are adopted. */
struct meta {
	__u32 abi_version;
	__u32 cpus;
	__u32 services_max;
	__u32 backends_max;
	__u32 slot_lines;
	__u32 flow_buckets; /* a power of two */
	__u64 seed;
	__u64 instance; /* random; ties the agent's journal to these maps */
};

/* Constants of the loaded program, in its .rodata; the verifier folds them. */
struct settings {
	__u64 seed;
	__u32 cpus;
	__u32 services_max;
	__u32 backends_max;
	__u32 flow_mask;       /* flow_buckets - 1 */
	__u32 tick_shift;      /* jiffies >> tick_shift = ticks, about a second each */
	__u32 closing_ticks;   /* after so many ticks unseen an entry in this state is free to */
	__u32 probation_ticks; /* be reused, whoever asks */
	__u32 proven_tcp_ticks;
	__u32 proven_udp_ticks;
	__u32 key_mask;          /* lines of service_keys - 1 */
	__u64 echo_interval_ns;  /* between answers to pings, per CPU; 0: left to the host */
	__u64 error_interval_ns; /* between ICMP errors, per CPU; 0: none are sent */
	__be16 gue_port;         /* UDP port that backends take GUE at */
	__u16 reserved;
	/* Outer sources: a prefix, and the bits behind it, which are the flow's; 0: a host's own. */
	__be32 source_v4, source_v4_bits;
	__be32 source_v6[4], source_v6_bits[4];
	__u32 reserved2;
};

#pragma GCC diagnostic pop

#define SLUICE_SIZE(type, size) _Static_assert(sizeof(type) == (size), "layout of " #type)
SLUICE_SIZE(struct flow_key, 40);
SLUICE_SIZE(struct service_key, 20);
SLUICE_SIZE(struct service_target, 8);
SLUICE_SIZE(struct service_line, 64);
SLUICE_SIZE(struct vip_filter_line, 64);
SLUICE_SIZE(struct service, 64);
SLUICE_SIZE(struct quic_key, 20);
SLUICE_SIZE(struct slot_line, 64);
SLUICE_SIZE(union nexthop, 8);
SLUICE_SIZE(struct backend, 64);
SLUICE_SIZE(struct nat_key, 20);
SLUICE_SIZE(struct nat_reply, 24);
SLUICE_SIZE(struct nat_use, 8);
SLUICE_SIZE(struct backend_load, 8);
SLUICE_SIZE(struct egress, 16);
SLUICE_SIZE(struct fragment_key, 40);
SLUICE_SIZE(struct fragment_owner, 24);
SLUICE_SIZE(struct held_fragment, 48);
SLUICE_SIZE(struct held_frame, 48 + SLUICE_HELD_FRAME_MAX);
SLUICE_SIZE(struct counter, 32);
SLUICE_SIZE(struct verdict_counter, 16);
SLUICE_SIZE(struct flow_counter, 64);
SLUICE_SIZE(struct flow_bucket, 64);
SLUICE_SIZE(struct meta, 40);
SLUICE_SIZE(struct settings, 112);
#undef SLUICE_SIZE

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fragments of one datagram go to one backend. The first fragment, which has the ports, goes as
 * its flow does and is recorded; later ones follow the record. A later one that comes before the
 * first is handed to the agent, which gives it back when the first has come. The memory is
 * bounded: the oldest records go first, and a full ring means that the fragment is dropped.
 *
 * What few packets need is out of line, and global, so that the verifier looks at it only once.
 * Such functions copy what they are given before a map sees it: kernels before 6.3 demand that.
 */
#ifndef BPF_FRAGMENT_H
#define BPF_FRAGMENT_H

#include "pick.h"
#include "service.h"
#include "slot.h"

static __always_inline void fragment_key_fill(struct fragment_key *key, const struct packet *packet)
{
#pragma unroll
	for (int i = 0; i < 4; i++) {
		key->source[i] = packet->key.source[i];
		key->destination[i] = packet->key.destination[i];
	}
	key->id = packet->fragment_id;
	/* An IPv6 fragment names what follows it, which in the first one may be an extension. */
	key->protocol = packet->key.family == 4 ? packet->key.protocol : 0;
	key->family = packet->key.family;
	key->reserved[0] = 0;
	key->reserved[1] = 0;
}

/* Tell the agent that the first fragment has come. If the ring is full, it looks by itself. */
static __always_inline void fragment_release(const struct fragment_key *key)
{
	struct held_fragment *event =
		bpf_ringbuf_reserve(&held_fragments, sizeof(struct held_fragment), 0);

	if (!event)
		return;
	event->key = *key;
	event->ifindex = 0;
	event->length = 0;
	bpf_ringbuf_submit(event, 0);
}

/*
 * fragment_remember - record a first fragment. Either the record is new, or the word that it takes
 * the place of says whether somebody waits for it: nobody can begin to wait in between.
 */
noinline int fragment_remember(const struct fragment_key *given_key,
			       const struct fragment_owner *given_owner)
{
	struct fragment_owner owner, *place;
	struct fragment_key key;
	__u64 before;

	if (!given_key || !given_owner)
		return 0;
	key = *given_key;
	owner = *given_owner;
	if (!bpf_map_update_elem(&fragments, &key, &owner, BPF_NOEXIST))
		return 0;
	place = bpf_map_lookup_elem(&fragments, &key);
	if (!place) {
		bpf_map_update_elem(&fragments, &key, &owner, BPF_ANY);
		return 0;
	}
	place->hash = owner.hash;
	place->service = owner.service;
	place->slot_tag = owner.slot_tag;
	before = __sync_lock_test_and_set(&place->word, owner.word);
	if (fragment_kind(before) == FRAGMENT_KIND_WAITED)
		fragment_release(&key);
	return 0;
}

/* fragment_record - remember what becomes of the first fragment of a datagram. */
static __always_inline void fragment_record(const struct packet *packet, const struct route *route,
					    enum verdict verdict)
{
	struct fragment_owner owner = {.hash = route->hash, .service = route->service_id};
	struct fragment_key key;

	if (verdict == VERDICT_PASS_NOT_VIP)
		return;
	if (verdict == VERDICT_NONE) {
		owner.slot_tag = slot_tag(&packet->key, route->service, route->hash);
		owner.word = fragment_word(FRAGMENT_KIND_BACKEND, route->backend_id, tick_now());
	} else {
		owner.word = fragment_word(FRAGMENT_KIND_VERDICT, verdict, tick_now());
	}
	fragment_key_fill(&key, packet);
	fragment_remember(&key, &owner);
}

/* Whether a record says where the datagram goes; one that is too old is of another datagram. */
static __always_inline bool fragment_is_known(__u64 word, __u32 now)
{
	return fragment_kind(word) != FRAGMENT_KIND_WAITED &&
	       fragment_age(word, now) <= SLUICE_FRAGMENT_TICKS;
}

/* Hand the frame to the agent. */
static __always_inline enum verdict fragment_hold(struct xdp_md *ctx,
						  const struct fragment_key *key)
{
	__u64 length = bpf_xdp_get_buff_len(ctx);
	struct held_frame *held;
	__u64 last;

	/* What is checked is what the length is computed from: the verifier sees that it is not 0. */
	OPAQUE(length);
	last = length - 1;
	OPAQUE(last);
	if (last >= SLUICE_HELD_FRAME_MAX)
		return VERDICT_DROP_FRAGMENT;
	held = bpf_ringbuf_reserve(&held_fragments, sizeof(*held), 0);
	if (!held)
		return VERDICT_DROP_FRAGMENT;
	if (bpf_xdp_load_bytes(ctx, 0, held->data, (__u32)last + 1)) {
		bpf_ringbuf_discard(held, 0);
		return VERDICT_DROP_FRAGMENT;
	}
	held->head.key = *key;
	held->head.ifindex = ctx->ingress_ifindex;
	held->head.length = (__u32)last + 1;
	bpf_ringbuf_submit(held, 0);
	return VERDICT_HOLD_FRAGMENT;
}

/*
 * fragment_wait - a later fragment found no record. Leave word in the record's place, so that the
 * first one tells when it comes, and hand the fragment to the agent. Returns the word of the
 * record if it has come meanwhile, else one of the kind "verdict".
 */
noinline __u64 fragment_wait(struct xdp_md *ctx, const struct fragment_key *given_key, __u32 now)
{
	struct fragment_owner waited = {.word = fragment_word(FRAGMENT_KIND_WAITED, 0, now)};
	struct fragment_owner *place;
	struct fragment_key key;
	__u64 before;

	if (!given_key)
		return fragment_word(FRAGMENT_KIND_VERDICT, VERDICT_DROP_FRAGMENT, now);
	key = *given_key;
	if (bpf_map_update_elem(&fragments, &key, &waited, BPF_NOEXIST)) {
		place = bpf_map_lookup_elem(&fragments, &key);
		before = place ? READ_ONCE(place->word) : waited.word;
		if (fragment_is_known(before, now))
			return before;
		if (place && fragment_kind(before) != FRAGMENT_KIND_WAITED) {
			before = __sync_val_compare_and_swap(&place->word, before, waited.word);
			if (fragment_is_known(before, now))
				return before;
		}
	}
	return fragment_word(FRAGMENT_KIND_VERDICT, fragment_hold(ctx, &key), now);
}

/*
 * fragment_pick_again - the backend of a flow whose first fragment went to one that is not alive
 * any more; as pick_unknown gives it.
 */
noinline __u32 fragment_pick_again(__u64 hash, __u32 service_id, __u32 slot_tag)
{
	const struct service *service = bpf_map_lookup_elem(&services, &service_id);
	const struct flow_bucket *bucket = flow_bucket(hash);

	if (!service || !bucket)
		return BACKEND_NONE;
	for (__u32 i = 0; i < SLUICE_FLOWS_PER_BUCKET; i++) {
		__u64 entry = READ_ONCE(bucket->entries[i]);

		if (flow_is_own(entry, hash, service) && backend_by_id(flow_entry_backend(entry)))
			return flow_entry_backend(entry);
	}
	return pick_unknown(hash, service_id, slot_tag,
			    service->protocol == IPPROTO_TCP ? SIGNAL_TCP | SIGNAL_ACK : 0,
			    tick_now()) &
	       ~PICK_NEW_FLOW;
}

/* Route by the record of the first fragment. */
static __always_inline enum verdict fragment_route(const struct fragment_owner *owner, __u64 word,
						   struct route *route)
{
	__u32 service_id = owner->service, slot_tag = owner->slot_tag;
	struct service *service = bpf_map_lookup_elem(&services, &service_id);
	struct backend *backend;

	route->hash = owner->hash;
	route->backend_id = fragment_number(word);
	if (!service || service->state != SERVICE_PRESENT)
		return VERDICT_DROP_FRAGMENT;
	backend = backend_by_id(route->backend_id);
	if (!backend || backend->service != service_id) {
		route->backend_id = fragment_pick_again(route->hash, service_id, slot_tag);
		backend = backend_by_id(route->backend_id);
		if (!backend)
			return VERDICT_DROP_FRAGMENT;
	}
	route->service_id = service_id;
	route->service = service;
	route->backend = backend;
	return VERDICT_NONE;
}

/* fragment_follow - route a later fragment. */
static __always_inline enum verdict fragment_follow(struct xdp_md *ctx, const struct packet *packet,
						    struct route *route)
{
	const struct fragment_owner *owner;
	__u32 now = tick_now();
	struct fragment_key key;
	enum verdict verdict;
	__u64 word = 0;

	if (packet->key.protocol == IPPROTO_ICMP || packet->key.protocol == IPPROTO_ICMPV6)
		return vip_answer(packet, VERDICT_PASS_ICMP);
	fragment_key_fill(&key, packet);
	owner = bpf_map_lookup_elem(&fragments, &key);
	if (owner)
		word = READ_ONCE(owner->word);
	if (!owner || !fragment_is_known(word, now)) {
		if (vip_answer(packet, VERDICT_DROP_FRAGMENT) != VERDICT_DROP_FRAGMENT)
			return VERDICT_PASS_NOT_VIP;
		word = fragment_wait(ctx, &key, now);
		if (fragment_kind(word) == FRAGMENT_KIND_BACKEND)
			owner = bpf_map_lookup_elem(&fragments, &key);
	}
	if (fragment_kind(word) == FRAGMENT_KIND_BACKEND)
		return owner ? fragment_route(owner, word, route) : VERDICT_DROP_FRAGMENT;
	verdict = (enum verdict)fragment_number(word);
	if (verdict < VERDICT_COUNT && verdict != VERDICT_DROP_FRAGMENT)
		return verdict;
	/* Not held. If the VIP passes what no service takes, the first one may have gone that way. */
	verdict = vip_answer(packet, VERDICT_DROP_NO_SERVICE);
	return verdict == VERDICT_DROP_NO_SERVICE ? VERDICT_DROP_FRAGMENT : verdict;
}

#endif

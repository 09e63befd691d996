/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Answers in fragments of backends in mode nat. Only the first fragment has the port that tells the
 * service; what it told is recorded where the clients' datagrams are, and the later ones follow it.
 * The two directions do not meet there: what a client sends goes to a VIP, an answer never does.
 *
 * An answer is not held until its first fragment has come: a backend sends them in order, and a
 * fragment that nobody knows may as well be of the host's own traffic.
 */
#ifndef BPF_NAT_FRAGMENT_H
#define BPF_NAT_FRAGMENT_H

#include "flow_table.h"
#include "nat_rewrite.h"

static __always_inline void nat_fragment_key(struct fragment_key *key, const struct nat_job *job)
{
	__builtin_memcpy(key->source, job->key.address, sizeof(key->source));
	__builtin_memcpy(key->destination, job->client, sizeof(key->destination));
	key->id = job->fragment_id;
	key->protocol = job->family == 4 ? job->protocol : 0;
	key->family = job->family;
	key->reserved[0] = 0;
	key->reserved[1] = 0;
}

/* nat_fragment_remember - the job's first fragment has been found to be an answer. */
noinline int nat_fragment_remember(void)
{
	const struct nat_job *job = nat_job();
	struct fragment_owner owner = {.hash = 0};
	struct fragment_key key;

	if (!job)
		return 0;
	owner.word = fragment_word(FRAGMENT_KIND_BACKEND, job->backend, tick_now());
	owner.service = SLUICE_NO_SERVICE;
	owner.slot_tag = (__u32)job->key.port | (__u32)job->key.protocol << 16;
	nat_fragment_key(&key, job);
	bpf_map_update_elem(&fragments, &key, &owner, BPF_ANY);
	return 0;
}

/* nat_fragment_recall - give the job's later fragment the port of the first one; 0: there is none. */
noinline int nat_fragment_recall(void)
{
	const struct fragment_owner *owner;
	struct nat_job *job = nat_job();
	struct fragment_key key;
	__u64 word;

	if (!job)
		return 0;
	nat_fragment_key(&key, job);
	owner = bpf_map_lookup_elem(&fragments, &key);
	if (!owner)
		return 0;
	word = READ_ONCE(owner->word);
	if (fragment_kind(word) != FRAGMENT_KIND_BACKEND || owner->service != SLUICE_NO_SERVICE ||
	    fragment_age(word, tick_now()) > SLUICE_FRAGMENT_TICKS)
		return 0;
	job->key.port = (__be16)owner->slot_tag;
	job->key.protocol = (__u8)(owner->slot_tag >> 16);
	return 1;
}

#endif

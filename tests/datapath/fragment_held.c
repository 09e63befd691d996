// SPDX-License-Identifier: GPL-2.0-only
/* Fragments that come before the first one of their datagram: what the agent is handed, and when. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "lab.h"
#include "sluice.skel.h"

#define VIP4     "198.51.100.80"
#define VIP6     "2001:db8:80::80"
#define HELD_MAX 8

#define TO4      .to = VIP4, .protocol = IPPROTO_UDP, .port = 53
#define FROM4    .from = "203.0.113.5", TO4
#define FROM6    .from = "2001:db8:5::5", .to = VIP6, .protocol = IPPROTO_UDP, .port = 53

static const uint8_t fragment_chain[] = {44, 0xff}, options_chain[] = {60, 44, 0xff};

/* What the ring held, in its order. */
struct ring {
	size_t count;
	struct held_frame events[HELD_MAX];
};

static int ring_take(void *context, void *data, size_t size)
{
	struct ring *ring = context;
	struct held_frame *event;

	if (ring->count >= HELD_MAX)
		return 0;
	event = &ring->events[ring->count++];
	assert_in_range(size, sizeof(event->head), sizeof(*event));
	memcpy(event, data, size);
	if (event->head.length)
		assert_int_equal(size, sizeof(*event));
	return 0;
}

static size_t ring_read(struct lab *lab, struct ring *ring)
{
	struct ring_buffer *buffer = ring_buffer__new(bpf_map__fd(lab->sluice->maps.held_fragments),
						      ring_take, ring, NULL);

	assert_non_null(buffer);
	ring->count = 0;
	assert_true(ring_buffer__consume(buffer) >= 0);
	ring_buffer__free(buffer);
	return ring->count;
}

static void pool(struct lab *lab)
{
	const uint32_t weights[] = {1, 1, 1, 1};
	const char *const vips[] = {VIP4, VIP6};
	struct ring ring;

	for (uint32_t id = 1; id <= 2; id++) {
		lab_service(lab, id, vips[id - 1], IPPROTO_UDP, 53);
		for (uint32_t number = 0; number < 4; number++)
			lab_backend(lab, id, number, NULL, NULL);
		lab_table(lab, id, weights, 4);
	}
	ring_read(lab, &ring);
}

static enum verdict verdict_of(struct lab *lab, const struct spec *spec)
{
	struct result result;
	struct frame frame;

	frame_build(&frame, spec);
	lab_run(lab, &frame, &result);
	return result.verdict;
}

/* The later fragment is handed over whole, and the first one asks for it; then it is given back. */
static void check_datagram(struct lab *lab, struct spec spec)
{
	struct spec first = spec, later = spec;
	struct frame frame;
	struct ring ring;
	int backend;

	first.more = true;
	later.fragment = 800;
	later.payload_length = 700;
	frame_build(&frame, &later);
	assert_int_equal(verdict_of(lab, &later), VERDICT_HOLD_FRAGMENT);
	assert_int_equal(ring_read(lab, &ring), 1);
	assert_int_equal(ring.events[0].head.ifindex, lab->ifindex);
	assert_int_equal(ring.events[0].head.length, frame.length);
	assert_memory_equal(ring.events[0].data, frame.data, frame.length);

	backend = lab_send(lab, &first);
	assert_in_range(backend, 0, 3);
	assert_int_equal(ring_read(lab, &ring), 1);
	assert_int_equal(ring.events[0].head.length, 0);

	assert_int_equal(lab_send(lab, &later), backend);
	/* Nobody waits any more: neither the same one again nor another fragment says a word. */
	assert_int_equal(lab_send(lab, &first), backend);
	assert_int_equal(ring_read(lab, &ring), 0);
}

CASE(later_waits_for_the_first,
     "conformance/fragment: a later one before the first is handed over whole, and asked for when the first has come, v4 and v6")
{
	struct lab *lab = *state;

	pool(lab);
	for (uint16_t i = 1; i < 60; i++) {
		check_datagram(lab, (struct spec){FROM4, .source_port = i, .id = i});
		check_datagram(lab, (struct spec){TO4, .from = "203.0.113.6", .source_port = i,
						  .id = i, .vlans = 1, .options = 8});
		check_datagram(lab, (struct spec){FROM6, .source_port = i, .id = i,
						  .extensions = fragment_chain});
		check_datagram(lab,
			       (struct spec){FROM6, .source_port = i, .id = (uint16_t)(1000 + i),
					     .extensions = options_chain});
	}
}

CASE(first_before_later_asks_for_nothing,
     "conformance/fragment: in their order, nothing is held and nothing is asked for")
{
	const struct spec first = {FROM4, .source_port = 9, .id = 7, .more = true};
	const struct spec later = {FROM4, .fragment = 800, .id = 7};
	struct lab *lab = *state;
	struct ring ring;
	int backend;

	pool(lab);
	backend = lab_send(lab, &first);
	assert_in_range(backend, 0, 3);
	assert_int_equal(lab_send(lab, &later), backend);
	assert_int_equal(ring_read(lab, &ring), 0);
}

CASE(event_names_the_datagram,
     "conformance/fragment: the same id of two clients is two datagrams that wait")
{
	const struct spec mine = {FROM4, .fragment = 800, .id = 7};
	const struct spec theirs = {TO4, .from = "203.0.113.6", .fragment = 800, .id = 7};
	const struct spec first = {FROM4, .source_port = 9, .id = 7, .more = true};
	struct lab *lab = *state;
	struct ring ring;

	pool(lab);
	assert_int_equal(verdict_of(lab, &mine), VERDICT_HOLD_FRAGMENT);
	assert_int_equal(verdict_of(lab, &theirs), VERDICT_HOLD_FRAGMENT);
	assert_int_equal(verdict_of(lab, &mine), VERDICT_HOLD_FRAGMENT);
	assert_in_range(lab_send(lab, &first), 0, 3);
	assert_int_equal(ring_read(lab, &ring), 4);
	assert_memory_equal(&ring.events[3].head.key, &ring.events[0].head.key,
			    sizeof(struct fragment_key));
	assert_memory_equal(&ring.events[2].head.key, &ring.events[0].head.key,
			    sizeof(struct fragment_key));
	assert_memory_not_equal(&ring.events[1].head.key, &ring.events[0].head.key,
				sizeof(struct fragment_key));
	assert_int_equal(verdict_of(lab, &theirs), VERDICT_HOLD_FRAGMENT);
}

CASE(old_record_is_of_another_datagram,
     "conformance/fragment: an id that is used again does not follow the old datagram")
{
	struct spec first = {FROM4, .source_port = 1, .id = 7, .more = true};
	const struct spec later = {FROM4, .fragment = 800, .id = 7};
	struct lab *lab = *state;
	struct ring ring;
	int old, new;

	pool(lab);
	old = lab_send(lab, &first);
	lab_fragments_age(lab, SLUICE_FRAGMENT_TICKS - 1);
	assert_int_equal(lab_send(lab, &later), old);
	lab_fragments_age(lab, SLUICE_FRAGMENT_TICKS + 2);
	assert_int_equal(verdict_of(lab, &later), VERDICT_HOLD_FRAGMENT);
	do {
		first.source_port++;
		new = lab_send(lab, &first);
	} while (new == old);
	assert_int_equal(ring_read(lab, &ring), 2);
	assert_int_equal(ring.events[1].head.length, 0);
	assert_int_equal(lab_send(lab, &later), new);
}

CASE(later_shares_the_verdict_of_the_first,
     "conformance/fragment: later ones share the verdict of a first one that got no backend")
{
	struct spec first = {FROM4, .source_port = 9, .id = 7, .more = true};
	const struct spec later = {FROM4, .fragment = 800, .id = 7};
	struct lab *lab = *state;
	struct ring ring;

	pool(lab);
	first.port = 54;
	assert_int_equal(verdict_of(lab, &later), VERDICT_HOLD_FRAGMENT);
	assert_int_equal(verdict_of(lab, &first), VERDICT_DROP_NO_SERVICE);
	assert_int_equal(ring_read(lab, &ring), 2);
	assert_int_equal(verdict_of(lab, &later), VERDICT_DROP_NO_SERVICE);
	/* The same where the VIP passes such packets: those of its services must wait as well. */
	lab_vip_pass(lab, VIP4, true);
	lab_fragments_age(lab, SLUICE_FRAGMENT_TICKS + 2);
	assert_int_equal(verdict_of(lab, &later), VERDICT_HOLD_FRAGMENT);
	assert_int_equal(verdict_of(lab, &first), VERDICT_PASS_NO_SERVICE);
	assert_int_equal(ring_read(lab, &ring), 2);
	assert_int_equal(verdict_of(lab, &later), VERDICT_PASS_NO_SERVICE);
	/* An empty pool that passes. */
	lab->services[1].empty = EMPTY_PASS;
	lab_slots(lab, 1, SLUICE_NO_BACKEND, SLUICE_NO_BACKEND);
	first.port = 53;
	assert_int_equal(verdict_of(lab, &first), VERDICT_PASS_EMPTY_POOL);
	assert_int_equal(verdict_of(lab, &later), VERDICT_PASS_EMPTY_POOL);
}

CASE(full_ring_drops,
     "conformance/fragment: with the ring full they are dropped, or passed by a VIP that passes")
{
	struct spec later = {FROM4, .fragment = 800};
	struct lab *lab = *state;
	enum verdict verdict;
	uint32_t held = 0;
	struct ring ring;

	pool(lab);
	do {
		later.id++;
		verdict = verdict_of(lab, &later);
		held += verdict == VERDICT_HOLD_FRAGMENT;
	} while (verdict == VERDICT_HOLD_FRAGMENT && held < 1000);
	assert_int_equal(verdict, VERDICT_DROP_FRAGMENT);
	assert_int_equal(held, SLUICE_HELD_RING_SIZE / (sizeof(struct held_frame) + 8));
	lab_vip_pass(lab, VIP4, true);
	assert_int_equal(verdict_of(lab, &later), VERDICT_PASS_NO_SERVICE);
	ring_read(lab, &ring);
	assert_int_equal(verdict_of(lab, &later), VERDICT_HOLD_FRAGMENT);
	ring_read(lab, &ring);
}

CASE(only_fragments_of_a_vip_are_held,
     "conformance/fragment: those of the host and of ICMP are never held")
{
	const struct spec icmp = {
		.from = "203.0.113.5", .to = VIP4, .fragment = 800, .protocol = IPPROTO_ICMP};
	const struct spec icmp6 = {.from = "2001:db8:5::5",
				   .to = VIP6,
				   .fragment = 800,
				   .protocol = IPPROTO_ICMPV6,
				   .extensions = fragment_chain};
	const struct spec host = {.from = "203.0.113.5",
				  .to = "198.51.100.1",
				  .fragment = 800,
				  .protocol = IPPROTO_UDP};
	struct lab *lab = *state;
	struct spec other = host;
	char address[INET_ADDRSTRLEN];
	struct ring ring;

	pool(lab);
	assert_int_equal(verdict_of(lab, &icmp), VERDICT_PASS_ICMP);
	assert_int_equal(verdict_of(lab, &icmp6), VERDICT_PASS_ICMP);
	assert_int_equal(verdict_of(lab, &host), VERDICT_PASS_NOT_VIP);
	/* Where the filter errs, too, first or later. */
	memset(lab->vip_filter, 0xff, SLUICE_VIP_FILTER_BITS / 8);
	for (int i = 1; i < 10; i++) {
		snprintf(address, sizeof(address), "192.0.2.%d", i);
		other.to = address;
		other.fragment = i % 2 ? 800 : 0;
		other.more = true;
		assert_int_equal(verdict_of(lab, &other), VERDICT_PASS_NOT_VIP);
	}
	assert_int_equal(ring_read(lab, &ring), 0);
}

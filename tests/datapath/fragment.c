// SPDX-License-Identifier: GPL-2.0-only
/* Fragments: all of a datagram to one backend, and no port is read where there is none. */
#include <linux/bpf.h>
#include <netinet/in.h>

#include "lab.h"

#define VIP4 "198.51.100.80"
#define VIP6 "2001:db8:80::80"

static const uint8_t fragment_chain[] = {44, 0xff}, options_chain[] = {60, 44, 0xff},
		     options_after_chain[] = {44, 60, 0xff};

#define FROM4 .from = "203.0.113.5", .to = VIP4, .protocol = IPPROTO_UDP, .port = 53
#define FROM6 .from = "2001:db8:5::5", .to = VIP6, .protocol = IPPROTO_UDP, .port = 53

static void pool(struct lab *lab)
{
	const uint32_t weights[] = {1, 1, 1, 1};
	const char *const vips[] = {VIP4, VIP6};

	for (uint32_t id = 1; id <= 2; id++) {
		lab_service(lab, id, vips[id - 1], IPPROTO_UDP, 53);
		for (uint32_t number = 0; number < 4; number++)
			lab_backend(lab, id, number, NULL, NULL);
		lab_table(lab, id, weights, 4);
	}
}

static enum verdict verdict_of(struct lab *lab, const struct spec *spec)
{
	struct result result;
	struct frame frame;

	frame_build(&frame, spec);
	lab_run(lab, &frame, &result);
	return result.verdict;
}

static void check_datagram(struct lab *lab, struct spec spec)
{
	struct spec whole = spec, first = spec, middle = spec, last = spec;
	int backend;

	whole.extensions = NULL;
	first.more = true;
	middle.more = true;
	middle.fragment = 800;
	last.fragment = 1600;
	backend = lab_send(lab, &first);
	assert_in_range(backend, 0, 3);
	assert_int_equal(lab_send(lab, &middle), backend);
	assert_int_equal(lab_send(lab, &last), backend);
	assert_int_equal(lab_send(lab, &middle), backend);
	/* And the flow itself is there too. */
	assert_int_equal(lab_send(lab, &whole), backend);
}

CASE(datagram_reaches_one_backend,
     "conformance/fragment: first and later ones reach the backend of their flow, v4 and v6")
{
	struct lab *lab = *state;

	pool(lab);
	for (uint16_t i = 1; i < 60; i++) {
		check_datagram(lab, (struct spec){FROM4, .source_port = i, .id = i});
		check_datagram(lab, (struct spec){FROM6, .source_port = i, .id = i,
						  .extensions = fragment_chain});
		check_datagram(lab,
			       (struct spec){FROM6, .source_port = i, .id = (uint16_t)(1000 + i),
					     .extensions = options_chain});
	}
}

CASE(chain_behind_the_fragment_header,
     "conformance/fragment: an IPv6 datagram is told by its id, whatever follows the header")
{
	struct spec first = {FROM6, .source_port = 9, .extensions = options_after_chain,
			     .more = true};
	struct spec last = first;
	struct lab *lab = *state;
	int backend;

	last.extensions = fragment_chain;
	last.protocol = 60;
	last.fragment = 800;
	last.more = false;
	pool(lab);
	backend = lab_send(lab, &first);
	assert_in_range(backend, 0, 3);
	assert_int_equal(lab_send(lab, &last), backend);
}

CASE(ports_are_never_read_from_a_later_one,
     "conformance/fragment: ports are never read from a later one")
{
	struct lab *lab = *state;

	pool(lab);
	/* The payload starts with what would be ports of the service. */
	const uint8_t ports[] = {0, 9, 0, 53, 0, 8, 0, 0};
	const struct spec later4 = {FROM4, .fragment = 800, .payload = ports, .payload_length = 8};
	const struct spec later6 = {FROM6, .fragment = 800, .payload = ports, .payload_length = 8,
				    .extensions = fragment_chain};

	assert_int_equal(verdict_of(lab, &later4), VERDICT_HOLD_FRAGMENT);
	assert_int_equal(verdict_of(lab, &later6), VERDICT_HOLD_FRAGMENT);
	/* A service that takes any port has no way to know its flow either. */
	lab_service(lab, 3, VIP4, IPPROTO_UDP, 0);
	lab_backend(lab, 3, 0, NULL, NULL);
	lab_slots(lab, 3, 0, 0);
	assert_int_equal(verdict_of(lab, &later4), VERDICT_HOLD_FRAGMENT);
	assert_int_equal(lab_service_count(lab, 1).packets, 0);
	assert_int_equal(lab_service_count(lab, 3).packets, 0);
}

CASE(other_datagrams_do_not_follow,
     "conformance/fragment: another id, source or protocol is another datagram")
{
	const struct spec first = {FROM4, .source_port = 9, .id = 7, .more = true};
	struct spec later = {FROM4, .fragment = 800, .id = 8};
	struct lab *lab = *state;

	pool(lab);
	assert_in_range(lab_send(lab, &first), 0, 3);
	assert_int_equal(verdict_of(lab, &later), VERDICT_HOLD_FRAGMENT);
	later.id = 7;
	later.from = "203.0.113.6";
	assert_int_equal(verdict_of(lab, &later), VERDICT_HOLD_FRAGMENT);
	later.from = "203.0.113.5";
	later.protocol = IPPROTO_TCP;
	assert_int_equal(verdict_of(lab, &later), VERDICT_HOLD_FRAGMENT);
	later.protocol = IPPROTO_UDP;
	assert_int_equal(verdict_of(lab, &later), VERDICT_FORWARD_L2);
}

/* What is left of the datagram goes where its flow is now. */
static void check_moved(struct lab *lab, const struct spec *later, const struct spec *whole,
			int gone)
{
	int backend = lab_send(lab, later);

	assert_in_range(backend, 0, 3);
	assert_int_not_equal(backend, gone);
	assert_int_equal(lab_send(lab, whole), backend);
	assert_int_equal(lab_send(lab, later), backend);
}

CASE(fragments_move_with_their_flow,
     "conformance/fragment: those of a dead or reused backend go where their flow is now")
{
	const struct spec first = {FROM4, .source_port = 9, .id = 7, .more = true};
	const struct spec whole = {FROM4, .source_port = 9};
	const struct spec later = {FROM4, .fragment = 800, .id = 7};
	struct lab *lab = *state;
	struct backend *backend;
	int number;

	pool(lab);
	number = lab_send(lab, &first);
	assert_in_range(number, 0, 3);
	/* Another owner of the slot changes nothing: the flow is pinned. */
	lab_slots(lab, 1, (uint32_t)(number + 1) % 4, (uint32_t)(number + 1) % 4);
	assert_int_equal(lab_send(lab, &later), number);
	backend = &lab->backends[LAB_SERVICE_BACKENDS + (uint32_t)number];
	backend->state = BACKEND_DEAD;
	check_moved(lab, &later, &whole, number);
	/* Nor to its number, when another service has it. */
	backend->state = BACKEND_ALIVE;
	backend->service = 2;
	check_moved(lab, &later, &whole, number);
	/* No backend is left. */
	for (uint32_t i = 0; i < 4; i++)
		lab->backends[LAB_SERVICE_BACKENDS + i].state = BACKEND_DEAD;
	assert_int_equal(verdict_of(lab, &later), VERDICT_DROP_FRAGMENT);
	lab->services[1].state = SERVICE_ABSENT;
	assert_int_equal(verdict_of(lab, &later), VERDICT_DROP_FRAGMENT);
}

CASE(fragments_are_counted, "conformance/fragment: all are counted, the flow once")
{
	const struct spec first = {FROM4, .source_port = 9, .id = 7, .more = true,
				   .payload_length = 792};
	const struct spec later = {FROM4, .fragment = 800, .id = 7, .payload_length = 100};
	struct lab *lab = *state;
	int number;

	pool(lab);
	number = lab_send(lab, &first);
	assert_int_equal(lab_send(lab, &later), number);
	assert_int_equal(lab_backend_count(lab, 1, (uint32_t)number).packets, 2);
	assert_int_equal(lab_backend_count(lab, 1, (uint32_t)number).bytes, 20 + 800 + 20 + 100);
	assert_int_equal(lab_service_count(lab, 1).packets, 2);
	assert_int_equal(lab_service_count(lab, 1).new_flows, 1);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Counters add up. */
#include <linux/bpf.h>
#include <netinet/in.h>

#include "lab.h"

#define VIP "198.51.100.80"

CASE(sums_agree,
     "conformance/counters: packets, bytes and new flows of backends add up to the service's")
{
	const uint32_t weights[] = {1, 2, 3};
	struct counter sum = {0}, service;
	struct lab *lab = *state;
	uint64_t bytes = 0;

	lab_service(lab, 1, VIP, IPPROTO_TCP, 80);
	for (uint32_t number = 0; number < 3; number++)
		lab_backend(lab, 1, number, "192.0.2.1", "192.0.2.11");
	lab_table(lab, 1, weights, 3);
	for (uint16_t i = 0; i < 900; i++) {
		const struct spec spec = {.from = "203.0.113.5",
					  .to = VIP,
					  .port = 80,
					  .padding = i % 7,
					  .source_port = (uint16_t)(1000 + i / 3),
					  .payload_length = 1 + i % 100,
					  .flags = i % 3 ? FLAG_ACK : FLAG_SYN};

		lab_send(lab, &spec);
		bytes += 40u + 1 + i % 100;
	}
	for (uint32_t number = 0; number < 3; number++) {
		struct counter counter = lab_backend_count(lab, 1, number);

		assert_true(counter.packets > 0);
		sum.packets += counter.packets;
		sum.bytes += counter.bytes;
		sum.new_flows += counter.new_flows;
	}
	service = lab_service_count(lab, 1);
	assert_int_equal(service.packets, 900);
	assert_int_equal(service.bytes, bytes);
	assert_int_equal(service.new_flows, 300);
	assert_int_equal(sum.packets, service.packets);
	assert_int_equal(sum.bytes, service.bytes);
	assert_int_equal(sum.new_flows, service.new_flows);
}

CASE(unsent_is_the_services_alone,
     "conformance/counters: what was sent to no backend is counted for the service alone")
{
	const struct spec spec = {.from = "203.0.113.5", .to = VIP, .port = 80};
	struct lab *lab = *state;

	lab_service(lab, 1, VIP, IPPROTO_TCP, 80);
	lab_send(lab, &spec);
	assert_int_equal(lab_service_count(lab, 1).packets, 1);
	assert_int_equal(lab_service_count(lab, 1).new_flows, 0);
	for (uint32_t number = 0; number < LAB_SERVICE_BACKENDS; number++)
		assert_int_equal(lab_backend_count(lab, 1, number).packets, 0);
}

CASE(new_flows_are_counted_once, "conformance/counters: a UDP flow is new once")
{
	const struct spec datagram = {.from = "203.0.113.5",
				      .to = VIP,
				      .source_port = 5,
				      .port = 53,
				      .protocol = IPPROTO_UDP};
	struct lab *lab = *state;

	lab_service(lab, 1, VIP, IPPROTO_UDP, 53);
	lab_backend(lab, 1, 0, NULL, NULL);
	lab_slots(lab, 1, 0, 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(lab_send(lab, &datagram), 0);
	assert_int_equal(lab_service_count(lab, 1).new_flows, 1);
	assert_int_equal(lab_backend_count(lab, 1, 0).new_flows, 1);
}

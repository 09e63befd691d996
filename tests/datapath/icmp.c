// SPDX-License-Identifier: GPL-2.0-only
/* ICMP errors to a VIP: to the backend of the flow that they quote, and no trace of them left. */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "lab.h"

#define VIP4           "198.51.100.80"
#define VIP6           "2001:db8:80::80"
#define CLIENT4        "203.0.113.5"
#define CLIENT6        "2001:db8:5::5"
#define ROUTER4        "203.0.113.1"
#define ROUTER6        "2001:db8:5::1"

#define UNREACHABLE4   3
#define TIME_EXCEEDED4 11
#define UNREACHABLE6   1
#define TOO_BIG6       2
#define TIME_EXCEEDED6 3
#define PARAMETER6     4

/* An ICMP error, and the packet from a VIP to a client that it is about. */
struct error_spec {
	uint8_t type, code;
	struct spec quoted;
	size_t quote_length; /* 0: the IP header and 8 bytes */
	unsigned int options, vlans;
};

static size_t quote_header_length(const struct spec *quoted)
{
	size_t length = strchr(quoted->to, ':') ? 40 : 20 + quoted->options;

	for (const uint8_t *type = quoted->extensions; type && *type != 0xff; type++)
		length += *type == IPPROTO_FRAGMENT ? 8 : 16;
	return length;
}

/* The frame of an error that a router sent to the quoted packet's source. */
static void error_build(struct frame *frame, const struct error_spec *error)
{
	bool is_ipv6 = strchr(error->quoted.from, ':');
	uint8_t message[1024] = {error->type, error->code};
	struct spec spec = {.from = is_ipv6 ? ROUTER6 : ROUTER4,
			    .to = error->quoted.from,
			    .protocol = is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
			    .payload = message,
			    .options = error->options,
			    .vlans = error->vlans};
	size_t length = error->quote_length;
	struct frame quoted;
	uint16_t sum;

	if (!length)
		length = quote_header_length(&error->quoted) + 8;
	frame_build(&quoted, &error->quoted);
	assert_true(14 + length <= quoted.length);
	memcpy(message + 8, quoted.data + 14, length);
	sum = internet_sum(message, 8 + length);
	message[2] = (uint8_t)(sum >> 8);
	message[3] = (uint8_t)sum;
	spec.payload_length = (int)(8 + length);
	frame_build(frame, &spec);
}

static void run(struct lab *lab, const struct error_spec *error, struct result *ret_result)
{
	struct frame frame;

	error_build(&frame, error);
	lab_run(lab, &frame, ret_result);
}

static enum verdict verdict_of(struct lab *lab, const struct error_spec *error)
{
	struct result result;

	run(lab, error, &result);
	return result.verdict;
}

/* Service 1: VIP4 TCP 80; 2: VIP6 TCP 80; 3 and 4: the same with UDP 53. */
static void pools(struct lab *lab)
{
	const uint32_t weights[] = {1, 1, 1, 1, 1, 1, 1, 1};

	for (uint32_t id = 1; id <= 4; id++) {
		bool udp = id > 2;

		lab_service(lab, id, id % 2 ? VIP4 : VIP6, udp ? IPPROTO_UDP : IPPROTO_TCP,
			    udp ? 53 : 80);
		lab->services[id].protocol = udp ? IPPROTO_UDP : IPPROTO_TCP;
		for (uint32_t number = 0; number < 8; number++)
			lab_backend(lab, id, number, NULL, NULL);
		lab_table(lab, id, weights, 8);
	}
}

/* The client's packet, and the backend's answer to it. */
static struct spec request_spec(bool is_ipv6, uint8_t protocol, uint16_t client_port)
{
	return (struct spec){.from = is_ipv6 ? CLIENT6 : CLIENT4,
			     .to = is_ipv6 ? VIP6 : VIP4,
			     .protocol = protocol,
			     .source_port = client_port,
			     .port = protocol == IPPROTO_UDP ? 53 : 80};
}

static struct spec answer_spec(const struct spec *request)
{
	return (struct spec){.from = request->to,
			     .to = request->from,
			     .protocol = request->protocol,
			     .source_port = request->port,
			     .port = request->source_port};
}

/* An error about the answer to a request. */
static struct error_spec error_about(const struct spec *request, uint8_t type, uint8_t code)
{
	return (struct error_spec){.type = type, .code = code, .quoted = answer_spec(request)};
}

static void check_follows(struct lab *lab, const struct spec *request, uint8_t type, uint8_t code)
{
	struct error_spec error = error_about(request, type, code);
	struct result result;
	int backend;

	/* The flow is not known: its slot's owner. Then its own backend, wherever that is. */
	run(lab, &error, &result);
	assert_int_equal(result.verdict, VERDICT_FORWARD_L2);
	backend = lab_send(lab, request);
	assert_in_range(backend, 0, 7);
	assert_int_equal(result.backend, backend);
	run(lab, &error, &result);
	assert_int_equal(result.backend, backend);
}

CASE(too_big_reaches_the_backend_of_its_flow,
     "conformance/I2 frag-needed and too-big reach the backend of the flow that they quote")
{
	struct lab *lab = *state;

	pools(lab);
	for (uint16_t port = 1000; port < 1040; port++) {
		for (int i = 0; i < 4; i++) {
			const struct spec request =
				request_spec(i & 1, i & 2 ? IPPROTO_UDP : IPPROTO_TCP, port);

			if (i & 1)
				check_follows(lab, &request, TOO_BIG6, 0);
			else
				check_follows(lab, &request, UNREACHABLE4, 4);
		}
	}
}

CASE(unreachable_and_time_exceeded_follow_too,
     "conformance/I7 unreachable, time exceeded and parameter problem: to the flow's backend")
{
	const struct spec request4 = request_spec(false, IPPROTO_TCP, 1000);
	const struct spec request6 = request_spec(true, IPPROTO_TCP, 1000);
	struct lab *lab = *state;

	pools(lab);
	for (uint8_t code = 0; code < 16; code++)
		check_follows(lab, &request4, UNREACHABLE4, code);
	check_follows(lab, &request4, TIME_EXCEEDED4, 0);
	check_follows(lab, &request4, 12, 0);
	check_follows(lab, &request6, UNREACHABLE6, 4);
	check_follows(lab, &request6, TIME_EXCEEDED6, 0);
	check_follows(lab, &request6, PARAMETER6, 1);
}

CASE(error_is_forwarded_as_the_flow_is,
     "conformance/I2 an error is forwarded, byte for byte, as its flow's packets are")
{
	const struct spec request = request_spec(false, IPPROTO_TCP, 1000);
	const struct spec request6 = request_spec(true, IPPROTO_TCP, 1000);
	struct error_spec error = error_about(&request, UNREACHABLE4, 4);
	struct outer outer = {.from = "10.0.0.9", .to = "10.0.1.1", .inner_family = 4};
	struct lab *lab = *state;
	struct frame expected;
	struct result result;
	uint8_t mac[6];

	lab_service(lab, 1, VIP4, IPPROTO_TCP, 80);
	lab_service(lab, 2, VIP6, IPPROTO_TCP, 80);
	lab_backend(lab, 1, 3, outer.from, outer.to);
	lab_backend(lab, 2, 3, "2001:db8::9", "2001:db8:1::1");
	lab_slots(lab, 1, 3, 3);
	lab_slots(lab, 2, 3, 3);
	error.vlans = 1;
	error_build(&expected, &error);
	lab_run(lab, &expected, &result);
	assert_int_equal(result.verdict, VERDICT_FORWARD_IPIP);
	assert_int_equal(result.bytes, expected.length - 18);
	outer.inner_length = expected.length - 18;
	frame_wrap(&expected, &outer);
	lab_backend_mac(1, 3, mac);
	frame_set_macs(&expected, mac, lab_own_mac);
	frame_assert_equal(&result.frame, &expected);
	assert_int_equal(lab_service_count(lab, 1).packets, 1);
	assert_int_equal(lab_backend_count(lab, 1, 3).packets, 1);
	assert_int_equal(lab_backend_count(lab, 1, 3).new_flows, 0);

	error = error_about(&request6, TOO_BIG6, 0);
	error_build(&expected, &error);
	lab_run(lab, &expected, &result);
	outer = (struct outer){.from = "2001:db8::9",
			       .to = "2001:db8:1::1",
			       .inner_family = 6,
			       .inner_length = expected.length - 14,
			       .label = (uint32_t)(lab_hash(&request6) >> 20) & 0xfffff};
	frame_wrap(&expected, &outer);
	lab_backend_mac(2, 3, mac);
	frame_set_macs(&expected, mac, lab_own_mac);
	frame_assert_equal(&result.frame, &expected);
}

CASE(error_follows_the_flow_table,
     "conformance/I2 an error follows the flow table, and does not touch it")
{
	const struct spec request = request_spec(false, IPPROTO_TCP, 1000);
	const struct spec stranger = request_spec(false, IPPROTO_TCP, 1001);
	const struct error_spec error = error_about(&request, UNREACHABLE4, 4);
	const struct error_spec unknown = error_about(&stranger, UNREACHABLE4, 4);
	struct lab *lab = *state;
	struct result result;
	uint64_t before;

	pools(lab);
	lab_slots(lab, 1, 0, 0);
	assert_int_equal(lab_send(lab, &request), 0);
	lab_slots(lab, 1, 1, 2);
	before = *lab_entry(lab, &request);
	run(lab, &error, &result);
	assert_int_equal(result.backend, 0);
	assert_int_equal(*lab_entry(lab, &request), before);
	/* One that is not recorded is older than the change: to the previous owner. */
	run(lab, &unknown, &result);
	assert_int_equal(result.backend, 2);
	assert_null(lab_entry(lab, &stranger));
	/* A dead backend is nobody's. */
	lab->backends[LAB_SERVICE_BACKENDS].state = BACKEND_DEAD;
	lab->backends[LAB_SERVICE_BACKENDS + 2].state = BACKEND_DEAD;
	run(lab, &error, &result);
	assert_int_equal(result.backend, 1);
	assert_int_equal(lab_flow_count(lab).inserts, 1);
}

CASE(error_leaves_no_entry,
     "conformance/I2 an error about an unknown flow goes by its slot and leaves no entry")
{
	struct lab *lab = *state;
	struct result result;

	pools(lab);
	lab->services[3].scheduler = SCHEDULER_ROUND_ROBIN;
	for (int i = 0; i < 4; i++) {
		const struct spec request =
			request_spec(i & 1, i & 2 ? IPPROTO_UDP : IPPROTO_TCP, 1000);
		const struct error_spec error =
			error_about(&request, i & 1 ? UNREACHABLE6 : UNREACHABLE4, 1);

		run(lab, &error, &result);
		assert_int_equal(result.action, XDP_TX);
		assert_null(lab_entry(lab, &request));
	}
	assert_int_equal(lab_flow_count(lab).inserts, 0);
}

CASE(minimal_tracking_goes_by_the_slot,
     "conformance/I2 with minimal tracking an error goes where the flow's packets do")
{
	const struct spec request = request_spec(false, IPPROTO_TCP, 1000);
	const struct error_spec error = error_about(&request, UNREACHABLE4, 4);
	struct lab *lab = *state;
	struct result result;

	pools(lab);
	lab_slots(lab, 1, 5, 5);
	assert_int_equal(lab_send(lab, &request), 5);
	lab->services[1].tracking = TRACKING_MINIMAL;
	lab_slots(lab, 1, 6, 6);
	assert_int_equal(lab_send(lab, &request), 6);
	run(lab, &error, &result);
	assert_int_equal(result.backend, 6);
	lab_slots(lab, 1, 7, 6);
	assert_int_equal(lab_send(lab, &request), 5);
	run(lab, &error, &result);
	assert_int_equal(result.backend, 5);
	/* The owner of the settled slot is dead: the flow's packets go by its entry, and so does it. */
	lab_slots(lab, 1, 6, 6);
	lab->backends[LAB_SERVICE_BACKENDS + 6].state = BACKEND_DEAD;
	assert_int_equal(lab_send(lab, &request), 5);
	run(lab, &error, &result);
	assert_int_equal(result.backend, 5);
}

CASE(affinity_counts_as_for_the_flow, "conformance/S7 an error's affinity is that of its flow")
{
	struct lab *lab = *state;
	struct result result;

	pools(lab);
	for (uint32_t affinity = AFFINITY_SOURCE; affinity <= AFFINITY_SOURCE_PORT; affinity++) {
		for (uint16_t port = 1000; port < 1020; port++) {
			const struct spec request = request_spec(false, IPPROTO_TCP, port);
			const struct error_spec error = error_about(&request, UNREACHABLE4, 4);

			lab->services[1].affinity = (uint8_t)affinity;
			run(lab, &error, &result);
			assert_int_equal(result.backend, lab_send(lab, &request));
		}
	}
}

CASE(any_port_service_gets_its_errors,
     "conformance/I2 a service of any port gets the errors of its flows")
{
	struct spec request = request_spec(false, IPPROTO_TCP, 1000);
	struct error_spec error;
	struct lab *lab = *state;
	struct result result;

	pools(lab);
	lab_service(lab, 5, VIP4, IPPROTO_TCP, 0);
	lab_backend(lab, 5, 9, NULL, NULL);
	lab_slots(lab, 5, 9, 9);
	request.port = 8080;
	error = error_about(&request, UNREACHABLE4, 4);
	run(lab, &error, &result);
	assert_int_equal(result.backend, 9);
	assert_int_equal(lab_service_count(lab, 5).packets, 1);
}

CASE(quote_of_eight_bytes_is_enough, "conformance/I3 a quote of 8 bytes of TCP is enough")
{
	const struct spec request = request_spec(false, IPPROTO_TCP, 1000);
	struct error_spec error = error_about(&request, UNREACHABLE4, 4);
	struct lab *lab = *state;
	struct result result;

	pools(lab);
	error.quote_length = 28;
	run(lab, &error, &result);
	assert_int_equal(result.backend, lab_send(lab, &request));
	/* The error's own IP header may have options, too, and the frame padding or none. */
	error.options = 40;
	run(lab, &error, &result);
	assert_int_equal(result.backend, lab_send(lab, &request));
}

CASE(quoted_headers_may_be_long,
     "conformance/I4 a quote may have IP options or extension headers, or be a first fragment")
{
	static const uint8_t chain[] = {0, 43, 51, 60, 0xff}, first[] = {60, 44, 0xff};
	const struct spec request4 = request_spec(false, IPPROTO_UDP, 1000);
	const struct spec request6 = request_spec(true, IPPROTO_UDP, 1000);
	struct error_spec error = error_about(&request4, UNREACHABLE4, 4);
	struct lab *lab = *state;
	struct result result;

	pools(lab);
	for (unsigned int options = 4; options <= 40; options += 4) {
		error.quoted.options = options;
		run(lab, &error, &result);
		assert_int_equal(result.backend, lab_send(lab, &request4));
	}
	error = error_about(&request6, TOO_BIG6, 0);
	error.quoted.extensions = chain;
	run(lab, &error, &result);
	assert_int_equal(result.backend, lab_send(lab, &request6));
	/* The first fragment of a datagram has the ports. */
	error.quoted.extensions = first;
	error.quoted.more = true;
	run(lab, &error, &result);
	assert_int_equal(result.backend, lab_send(lab, &request6));
	error = error_about(&request4, TIME_EXCEEDED4, 1);
	error.quoted.more = true;
	run(lab, &error, &result);
	assert_int_equal(result.backend, lab_send(lab, &request4));
}

CASE(quotes_of_others_pass,
     "conformance/I5 a quote of what is not a flow of a service is left to the host")
{
	struct lab *lab = *state;
	struct error_spec error;

	pools(lab);
	for (int i = 0; i < 2; i++) {
		struct spec request = request_spec(i, IPPROTO_TCP, 1000);
		struct result result;
		struct frame frame;

		/* From another address than the one that the error came to. */
		error = error_about(&request, i ? UNREACHABLE6 : UNREACHABLE4, 1);
		error_build(&frame, &error);
		frame.data[14 + (i ? 40 + 8 + 8 + 15 : 20 + 8 + 15)] ^= 1;
		lab_run(lab, &frame, &result);
		assert_int_equal(result.verdict, VERDICT_PASS_ICMP);
		frame_assert_equal(&result.frame, &frame);
		/* The host's own conversations from the VIP: another port, another protocol. */
		request.port = 81;
		error = error_about(&request, i ? UNREACHABLE6 : UNREACHABLE4, 1);
		assert_int_equal(verdict_of(lab, &error), VERDICT_PASS_ICMP);
		request.port = 80;
		error.quoted.protocol = i ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
		assert_int_equal(verdict_of(lab, &error), VERDICT_PASS_ICMP);
		assert_int_equal(lab_service_count(lab, 1).packets, 0);
	}
}

CASE(other_messages_pass, "conformance/I5 messages that are no errors are left to the host")
{
	static const uint8_t types4[] = {0, 4, 5, 9, 10, 13, 17},
			     types6[] = {0, 129, 133, 134, 135, 136, 137};
	struct lab *lab = *state;

	pools(lab);
	for (size_t i = 0; i < sizeof(types4); i++) {
		const struct spec request4 = request_spec(false, IPPROTO_TCP, 1000);
		const struct spec request6 = request_spec(true, IPPROTO_TCP, 1000);
		const struct error_spec error4 = error_about(&request4, types4[i], 0);
		const struct error_spec error6 = error_about(&request6, types6[i], 0);

		assert_int_equal(verdict_of(lab, &error4), VERDICT_PASS_ICMP);
		assert_int_equal(verdict_of(lab, &error6), VERDICT_PASS_ICMP);
	}
}

/* Every shorter quote than the least, with and without bytes behind the IP packet. */
CASE(short_quotes_are_dropped,
     "conformance/I6 a quote that is too short is dropped, at every length")
{
	struct lab *lab = *state;
	struct result result;
	struct frame frame = {0};

	pools(lab);
	for (int i = 0; i < 2; i++) {
		const struct spec request = request_spec(i, IPPROTO_TCP, 1000);
		struct error_spec error = error_about(&request, i ? TOO_BIG6 : UNREACHABLE4, 4);
		size_t least = i ? 48 : 28;

		for (size_t length = least; length-- > 1;) {
			error.quote_length = length;
			error_build(&frame, &error);
			lab_run(lab, &frame, &result);
			assert_int_equal(result.verdict, VERDICT_DROP_ICMP_QUOTE);
			assert_int_equal(result.action, XDP_DROP);
			/* What would complete it lies behind the packet. */
			frame.length += 64;
			lab_run(lab, &frame, &result);
			assert_int_equal(result.verdict, VERDICT_DROP_ICMP_QUOTE);
		}
	}
	assert_int_equal(lab_service_count(lab, 1).packets, 0);
}

CASE(quotes_that_do_not_tell_the_flow_are_dropped,
     "conformance/I6 later fragments, bad headers and too long chains in a quote are dropped")
{
	static const uint8_t later[] = {44, 0xff}, many[] = {60, 60, 60, 60, 60, 60, 60, 0xff};
	const struct spec request4 = request_spec(false, IPPROTO_UDP, 1000);
	const struct spec request6 = request_spec(true, IPPROTO_UDP, 1000);
	struct error_spec error4 = error_about(&request4, UNREACHABLE4, 4);
	struct error_spec error6 = error_about(&request6, TOO_BIG6, 0);
	struct lab *lab = *state;
	struct result result;
	struct frame frame;

	pools(lab);
	error4.quoted.fragment = 800;
	assert_int_equal(verdict_of(lab, &error4), VERDICT_DROP_ICMP_QUOTE);
	error6.quoted.fragment = 800;
	error6.quoted.extensions = later;
	assert_int_equal(verdict_of(lab, &error6), VERDICT_DROP_ICMP_QUOTE);
	error6.quoted.fragment = 0;
	error6.quoted.extensions = many;
	assert_int_equal(verdict_of(lab, &error6), VERDICT_DROP_ICMP_QUOTE);
	/* A version, and a header length, that cannot be. */
	error4.quoted.fragment = 0;
	error_build(&frame, &error4);
	frame.data[42] = 0x55;
	lab_run(lab, &frame, &result);
	assert_int_equal(result.verdict, VERDICT_DROP_ICMP_QUOTE);
	frame.data[42] = 0x44;
	lab_run(lab, &frame, &result);
	assert_int_equal(result.verdict, VERDICT_DROP_ICMP_QUOTE);
	frame.data[42] = 0x4f;
	lab_run(lab, &frame, &result);
	assert_int_equal(result.verdict, VERDICT_DROP_ICMP_QUOTE);
}

CASE(empty_pool_answers_as_configured,
     "conformance/I2 a service without backends gives its answer to errors, too")
{
	const struct spec request = request_spec(false, IPPROTO_TCP, 1000);
	const struct error_spec error = error_about(&request, UNREACHABLE4, 4);
	struct lab *lab = *state;

	lab_service(lab, 1, VIP4, IPPROTO_TCP, 80);
	assert_int_equal(verdict_of(lab, &error), VERDICT_DROP_EMPTY_POOL);
	lab->services[1].empty = EMPTY_PASS;
	assert_int_equal(verdict_of(lab, &error), VERDICT_PASS_EMPTY_POOL);
	assert_int_equal(lab_service_count(lab, 1).packets, 2);
}

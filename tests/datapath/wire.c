// SPDX-License-Identifier: GPL-2.0-only
/* Two namespaces, two pairs of interfaces, and packet sockets on three of their ends. */
#include "wire.h"

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cases.h"

/* The longest that one page holds with what XDP needs of it. */
#define MTU        "3400"
#define DEADLINE_S 20
#define MARK_TYPE  0x88b5 /* for local experiments, by IEEE 802 */
#define TAG_LENGTH 4

/* Nothing that leaves has a group address, but for what the kernel says of its own. */
#define GROUP_BIT 1

bool wire_commands(const char *lines)
{
	FILE *ip = popen("ip -batch - >/dev/null", "w");

	if (!ip)
		return false;
	fputs(lines, ip);
	return pclose(ip) == 0;
}

static bool ipv6_off(void)
{
	int fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, "1", 1) == 1;

	if (fd >= 0)
		close(fd);
	return done;
}

static int namespace_open(void)
{
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

/* Make both pairs from the balancer's namespace, one end of each in the client's. */
static bool pairs_make(int client)
{
	int pid = (int)getpid();
	char lines[1024];

	snprintf(lines, sizeof(lines),
		 "link set lo up\n"
		 "link add wire0 mtu " MTU " type veth peer name wire1 mtu " MTU "\n"
		 "link add wire2 mtu " MTU " type veth peer name wire3 mtu " MTU "\n"
		 "link add wire4 mtu " MTU " type veth peer name wire5 mtu " MTU "\n"
		 "link set wire0 up\n"
		 "link set wire2 up\n"
		 "link set wire4 up\n"
		 "link set wire1 netns /proc/%d/fd/%d\n"
		 "link set wire3 netns /proc/%d/fd/%d\n"
		 "link set wire5 netns /proc/%d/fd/%d\n",
		 pid, client, pid, client, pid, client);
	return wire_commands(lines);
}

static int socket_open(const char *interface)
{
	const int yes = 1;
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_protocol = htons(ETH_P_ALL),
				      .sll_ifindex = (int)if_nametoindex(interface)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &yes, sizeof(yes)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* In the client's namespace: native programs, or the pairs would lose what XDP sends. */
static bool client_open(struct wire *wire, int pass_program)
{
	const char *const names[] = {"wire1", "wire3", "wire5"};
	int *const sockets[] = {&wire->balancer.outside, &wire->other, &wire->backend.outside};

	for (int i = 0; i < 3; i++) {
		char line[64];

		snprintf(line, sizeof(line), "link set %s up\n", names[i]);
		if (!wire_commands(line) || bpf_xdp_attach((int)if_nametoindex(names[i]),
							   pass_program, XDP_FLAGS_DRV_MODE, NULL))
			return false;
		*sockets[i] = socket_open(names[i]);
		if (*sockets[i] < 0)
			return false;
	}
	return true;
}

static bool port_open(struct wire_port *port, const char *name)
{
	port->ifindex = if_nametoindex(name);
	port->stack = socket_open(name);
	return port->stack >= 0;
}

static bool balancer_open(struct wire *wire)
{
	wire->other_ifindex = if_nametoindex(WIRE_OTHER_NAME);
	return port_open(&wire->balancer, "wire0") && port_open(&wire->backend, "wire4");
}

bool wire_open(struct wire *wire, int pass_program)
{
	bool done;
	int here;

	*wire = (struct wire){.client = -1, .other = -1};
	wire->balancer = wire->backend =
		(struct wire_port){.program = -1, .outside = -1, .stack = -1};
	wire->home = namespace_open();
	if (wire->home < 0 || unshare(CLONE_NEWNET) || !ipv6_off())
		return false;
	wire->client = namespace_open();
	if (wire->client < 0 || unshare(CLONE_NEWNET) || !ipv6_off() || !pairs_make(wire->client))
		return false;
	here = namespace_open();
	done = here >= 0 && !setns(wire->client, CLONE_NEWNET) && client_open(wire, pass_program) &&
	       !setns(here, CLONE_NEWNET) && balancer_open(wire);
	close(here);
	return done;
}

void wire_close(struct wire *wire)
{
	const int fds[] = {wire->balancer.outside, wire->balancer.stack, wire->backend.outside,
			   wire->backend.stack,    wire->other,          wire->client};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	setns(wire->home, CLONE_NEWNET);
	close(wire->home);
}

static bool is_tag(const uint8_t *type)
{
	return (type[0] == 0x81 && !type[1]) || (type[0] == 0x88 && type[1] == 0xa8);
}

bool wire_carries(const struct frame *frame)
{
	/* The stack takes the first tag off, and throws away what has less than two bytes behind. */
	return frame->length >= 14u + (is_tag(frame->data + 12) ? TAG_LENGTH + 2u : 0);
}

static void tag_put_back(struct frame *frame, const struct tpacket_auxdata *data)
{
	uint16_t type = data->tp_status & TP_STATUS_VLAN_TPID_VALID ? data->tp_vlan_tpid : 0x8100;
	const uint8_t tag[TAG_LENGTH] = {(uint8_t)(type >> 8), (uint8_t)type,
					 (uint8_t)(data->tp_vlan_tci >> 8),
					 (uint8_t)data->tp_vlan_tci};

	memmove(frame->data + 12 + TAG_LENGTH, frame->data + 12, frame->length - 12);
	memcpy(frame->data + 12, tag, TAG_LENGTH);
	frame->length += TAG_LENGTH;
}

static void tags_put_back(struct msghdr *message, struct frame *frame)
{
	struct tpacket_auxdata data;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&data, CMSG_DATA(c), sizeof(data));
		if (data.tp_status & TP_STATUS_VLAN_VALID)
			tag_put_back(frame, &data);
	}
}

/* Take one frame if there is one. */
static bool frame_take(int fd, struct frame *ret_frame)
{
	union {
		struct cmsghdr header;
		uint8_t space[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct iovec part = {ret_frame->data, FRAME_MAX - TAG_LENGTH};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	ssize_t length;

	do
		length = recvmsg(fd, &message, 0);
	while (length < 0 && errno == EINTR);
	if (length < 0) {
		assert_int_equal(errno, EAGAIN);
		return false;
	}
	assert_false(message.msg_flags & MSG_TRUNC);
	ret_frame->length = (size_t)length;
	tags_put_back(&message, ret_frame);
	return true;
}

/* What leaves, without what the kernel says of its own. */
static bool leaving_take(int fd, struct frame *ret_frame)
{
	while (frame_take(fd, ret_frame))
		if (!(ret_frame->data[0] & GROUP_BIT))
			return true;
	return false;
}

static enum wire_end any_take(struct wire *wire, const struct wire_port *port,
			      struct frame *ret_frame)
{
	if (leaving_take(port->outside, ret_frame))
		return WIRE_BACK;
	if (leaving_take(wire->other, ret_frame))
		return WIRE_OTHER;
	return frame_take(port->stack, ret_frame) ? WIRE_STACK : WIRE_NOWHERE;
}

/* Until a frame may be there; a case fails where none comes for long. */
static void ends_wait(struct pollfd *ends, nfds_t count, const char *what)
{
	for (nfds_t i = 0; i < count; i++)
		ends[i].events = POLLIN;
	if (poll(ends, count, DEADLINE_S * 1000) <= 0)
		fail_msg("%s did not come in %d s", what, DEADLINE_S);
}

static void mark_make(const struct wire *wire, struct frame *mark)
{
	*mark = (struct frame){
		.length = 60,
		.data = {2, 0x5e, [6] = 2, [12] = MARK_TYPE >> 8, [13] = MARK_TYPE & 0xff}};
	memcpy(mark->data + 14, &wire->marks, sizeof(wire->marks));
}

static void program_set(struct wire_port *port, int program)
{
	if (port->program == program)
		return;
	assert_int_equal(bpf_xdp_attach((int)port->ifindex, program, XDP_FLAGS_DRV_MODE, NULL), 0);
	port->program = program;
}

void wire_clear(struct wire *wire)
{
	struct frame frame;

	while (any_take(wire, &wire->balancer, &frame) != WIRE_NOWHERE ||
	       any_take(wire, &wire->backend, &frame) != WIRE_NOWHERE)
		;
}

/* Put what came before the mark where wire_receive finds it. */
static void mark_wait(struct wire *wire, int socket, const struct frame *mark)
{
	struct pollfd stack = {.fd = socket};
	struct frame frame;

	for (;;) {
		while (!frame_take(socket, &frame))
			ends_wait(&stack, 1, "the mark behind a frame");
		if (frame.length == mark->length && !memcmp(frame.data, mark->data, mark->length))
			return;
		assert_false(wire->is_passed);
		wire->passed = frame;
		wire->is_passed = true;
	}
}

void wire_send(struct wire *wire, struct wire_port *port, int program, const struct frame *frame)
{
	struct frame mark;
	struct iovec parts[2] = {{(void *)frame->data, frame->length}, {mark.data, 0}};
	struct mmsghdr messages[2] = {{.msg_hdr = {.msg_iov = &parts[0], .msg_iovlen = 1}},
				      {.msg_hdr = {.msg_iov = &parts[1], .msg_iovlen = 1}}};

	assert_true(wire_carries(frame));
	assert_int_equal(any_take(wire, port, &mark), WIRE_NOWHERE);
	program_set(port, program);
	wire->is_passed = false;
	wire->marks++;
	mark_make(wire, &mark);
	parts[1].iov_len = mark.length;
	assert_int_equal(sendmmsg(port->outside, messages, 2, 0), 2);
	mark_wait(wire, port->stack, &mark);
}

enum wire_end wire_receive(struct wire *wire, const struct wire_port *port, bool arrives,
			   struct frame *ret_frame)
{
	struct pollfd ends[] = {{.fd = port->outside}, {.fd = wire->other}, {.fd = port->stack}};
	enum wire_end end = WIRE_NOWHERE;
	struct frame again;

	if (wire->is_passed) {
		*ret_frame = wire->passed;
		end = WIRE_STACK;
	}
	while (end == WIRE_NOWHERE) {
		end = any_take(wire, port, ret_frame);
		if (!arrives)
			break;
		if (end == WIRE_NOWHERE)
			ends_wait(ends, 3, "a frame that was not dropped");
	}
	if (any_take(wire, port, &again) != WIRE_NOWHERE)
		fail_msg("a frame came out twice");
	return end;
}

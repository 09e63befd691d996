// SPDX-License-Identifier: GPL-2.0-only
/* Probes that are a socket: a connection, a line by one, a datagram, an echo request. */
#include <errno.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/probe_private.h"

#define ICMP_DATA 32u

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t length;
};

static struct address address_make(const struct ip *ip, uint16_t port)
{
	struct address address = {.length = sizeof(address.v4)};

	if (ip_family(ip) == 4) {
		address.v4.sin_family = AF_INET;
		address.v4.sin_port = htons(port);
		memcpy(&address.v4.sin_addr, &ip->word[3], sizeof(address.v4.sin_addr));
		return address;
	}
	address.length = sizeof(address.v6);
	address.v6.sin6_family = AF_INET6;
	address.v6.sin6_port = htons(port);
	memcpy(&address.v6.sin6_addr, ip->word, sizeof(address.v6.sin6_addr));
	return address;
}

int probe_socket(const struct probe_target *target, int type, int protocol)
{
	struct address none = {.length = 0};
	int family = ip_family(&target->address) == 4 ? AF_INET : AF_INET6;
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol), err = 0;

	if (fd < 0)
		return -errno;
	if (!target->mark)
		return fd;
	/*
	 * Answers to marked packets all come from the VIP: only the local port tells them apart, so
	 * it must be this socket's alone. A bind gives that; connect() alone does not.
	 */
	none.any.sa_family = (sa_family_t)family;
	none.length = family == AF_INET ? sizeof(none.v4) : sizeof(none.v6);
	if (setsockopt(fd, SOL_SOCKET, SO_MARK, &target->mark, sizeof(target->mark)) ||
	    (type != SOCK_RAW && bind(fd, &none.any, none.length)))
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* ------------------------------------------------------------------ ICMP */

static void icmp_filter(int fd, bool v4)
{
	/* A set bit keeps that type out. */
	uint32_t filter[8] = {~(1u << ICMP_ECHOREPLY), ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u};

	if (v4) {
		setsockopt(fd, SOL_RAW, 1 /* ICMP_FILTER */, filter, sizeof(filter[0]));
		return;
	}
	filter[0] = ~0u;
	filter[ICMPV6_ECHO_REPLY / 32] = ~(1u << (ICMPV6_ECHO_REPLY % 32));
	setsockopt(fd, IPPROTO_ICMPV6, 1 /* ICMPV6_FILTER */, filter, sizeof(filter));
}

static uint16_t icmp_sum(const uint8_t *data, size_t length)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < length; i += 2)
		sum += (uint32_t)data[i] << 8 | data[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	return (uint16_t)~sum;
}

/* Type, code, checksum, identifier, sequence; the same in both families. */
static int icmp_send(const struct probe *probe)
{
	bool v4 = ip_family(&probe->target.address) == 4;
	uint8_t packet[8 + ICMP_DATA] = {v4 ? ICMP_ECHO : ICMPV6_ECHO_REQUEST};
	uint16_t sum;

	packet[4] = packet[6] = (uint8_t)(probe->sequence >> 8);
	packet[5] = packet[7] = (uint8_t)probe->sequence;
	/* The kernel fills in that of ICMPv6. */
	sum = v4 ? icmp_sum(packet, sizeof(packet)) : 0;
	packet[2] = (uint8_t)(sum >> 8);
	packet[3] = (uint8_t)sum;
	return send(probe->fd, packet, sizeof(packet), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void icmp_read(struct probe *probe)
{
	bool v4 = ip_family(&probe->target.address) == 4;
	uint8_t packet[256];
	ssize_t length;

	while ((length = recv(probe->fd, packet, sizeof(packet), 0)) >= 0) {
		size_t offset = v4 ? (size_t)(packet[0] & 15) * 4 : 0;
		const uint8_t *icmp = packet + offset;

		if ((size_t)length < offset + 8 ||
		    icmp[0] != (v4 ? ICMP_ECHOREPLY : ICMPV6_ECHO_REPLY) ||
		    (icmp[4] << 8 | icmp[5]) != probe->sequence)
			continue;
		probe_finish(probe, true, "echo reply");
		return;
	}
	if (errno != EAGAIN)
		probe_finish(probe, false, "%s", strerror(errno));
}

/* ------------------------------------------------------------------ UDP */

static void udp_read(struct probe *probe)
{
	uint8_t reply[2048];
	ssize_t length = recv(probe->fd, reply, sizeof(reply), 0);

	if (length < 0 && errno == EAGAIN)
		return;
	if (length < 0)
		probe_finish(probe, false, "%s", strerror(errno));
	else if ((size_t)length < probe->expect_length ||
		 (probe->expect_length && memcmp(reply, probe->expect, probe->expect_length) != 0))
		probe_finish(probe, false, "a reply of %zd bytes that was not expected", length);
	else
		probe_finish(probe, true, "a reply of %zd bytes", length);
}

/* ------------------------------------------------------------------ TCP */

static void line_read(struct probe *probe)
{
	while (probe->length < PROBE_TEXT_MAX) {
		ssize_t length = recv(probe->fd, probe->text + probe->length,
				      PROBE_TEXT_MAX - probe->length, 0);

		if (length < 0 && errno == EAGAIN)
			return;
		if (length < 0) {
			probe_finish(probe, false, "%s", strerror(errno));
			return;
		}
		probe->length += (size_t)length;
		if (!length || memchr(probe->text, '\n', probe->length))
			break;
	}
	probe_finish(probe, probe->length > 0, probe->length ? "a line" : "closed without a line");
}

static void tcp_event(struct probe *probe, uint32_t events)
{
	socklen_t length = sizeof(int);
	int err = 0;

	if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &err, &length))
		err = errno;
	if (err)
		probe_finish(probe, false, "%s", strerror(err));
	else if (probe->kind == PROBE_KIND_TCP)
		probe_finish(probe, true, "connected");
	else if (events & (EPOLLIN | EPOLLHUP))
		line_read(probe);
}

void socket_event(struct probe *probe, uint32_t events)
{
	if (probe->kind == PROBE_KIND_ICMP)
		icmp_read(probe);
	else if (probe->kind == PROBE_KIND_UDP)
		udp_read(probe);
	else
		tcp_event(probe, events);
}

/* ------------------------------------------------------------------ start */

static int socket_open(const struct probe *probe)
{
	bool v4 = ip_family(&probe->target.address) == 4;
	const struct linger reset = {.l_onoff = 1};
	int fd;

	switch (probe->kind) {
	case PROBE_KIND_UDP:
		return probe_socket(&probe->target, SOCK_DGRAM, 0);
	case PROBE_KIND_ICMP:
		fd = probe_socket(&probe->target, SOCK_RAW, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
		if (fd >= 0)
			icmp_filter(fd, v4);
		return fd;
	default:
		fd = probe_socket(&probe->target, SOCK_STREAM, 0);
		/* Closed by a reset: nothing lingers in TIME_WAIT here, and no server waits. */
		if (fd >= 0)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		return fd;
	}
}

static int payload_send(struct probe *probe, const struct health_config *config)
{
	if (config->expect.length) {
		probe->expect = malloc(config->expect.length);
		if (!probe->expect)
			return -ENOMEM;
		probe->expect_length = config->expect.length;
		memcpy(probe->expect, config->expect.data, config->expect.length);
	}
	if (send(probe->fd, config->payload.data, config->payload.length, MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

int socket_begin(struct probe *probe, const struct health_config *config)
{
	bool connects = probe->kind == PROBE_KIND_TCP || probe->kind == PROBE_KIND_LINE;
	/* A raw socket's port would be a protocol. */
	uint16_t port = probe->kind == PROBE_KIND_ICMP ? 0 : probe->target.port;
	struct address address = address_make(&probe->target.address, port);
	struct epoll_event event = {.events = probe->kind == PROBE_KIND_TCP ? EPOLLOUT : EPOLLIN,
				    .data.ptr = probe};
	int err;

	probe->fd = socket_open(probe);
	if (probe->fd < 0)
		return probe->fd;
	err = connect(probe->fd, &address.any, address.length) ? -errno : 0;
	if (err && (!connects || err != -EINPROGRESS))
		return err;
	err = 0;
	if (probe->kind == PROBE_KIND_UDP)
		err = payload_send(probe, config);
	else if (probe->kind == PROBE_KIND_ICMP)
		err = icmp_send(probe);
	if (!err && epoll_ctl(probe->prober->sockets_fd, EPOLL_CTL_ADD, probe->fd, &event))
		err = -errno;
	return err;
}

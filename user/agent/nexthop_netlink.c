// SPDX-License-Identifier: GPL-2.0-only
/* The rtnetlink messages behind the next hops. */
#include "agent/nexthop_netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define QUESTION_SIZE  256
#define MESSAGE_SIZE   16384
#define EVENT_BUFFER   (4 << 20)
#define ANSWER_SECONDS 2

/* What a question's answer is put into; by kind of message. */
struct answer {
	const struct ip *address;
	struct route_facts *route;
	struct neighbour_facts *neighbour;
	struct link_facts *link;
};

static void ip_from(struct ip *ip, int family, const void *bytes)
{
	if (family == AF_INET6) {
		memcpy(ip->word, bytes, sizeof(ip->word));
		return;
	}
	*ip = (struct ip){.word = {0, 0, htonl(0xffff), 0}};
	memcpy(&ip->word[3], bytes, sizeof(ip->word[3]));
}

static unsigned char ip_address_family(const struct ip *ip)
{
	return ip_is_v4(ip) ? AF_INET : AF_INET6;
}

static void ip_put(struct nlmsghdr *message, uint16_t type, const struct ip *ip)
{
	if (ip_is_v4(ip))
		mnl_attr_put(message, type, sizeof(ip->word[3]), &ip->word[3]);
	else
		mnl_attr_put(message, type, sizeof(ip->word), ip->word);
}

static size_t ip_size(int family)
{
	return family == AF_INET6 ? 16 : 4;
}

static int socket_make(int flags, unsigned int groups, struct mnl_socket **ret_socket)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | flags);
	int code;

	if (!socket)
		return -errno;
	if (mnl_socket_bind(socket, groups, MNL_SOCKET_AUTOPID) < 0) {
		code = -errno;
		mnl_socket_close(socket);
		return code;
	}
	*ret_socket = socket;
	return 0;
}

int netlink_open(struct netlink *netlink, struct error *error)
{
	const struct timeval patience = {.tv_sec = ANSWER_SECONDS};
	unsigned int groups = RTMGRP_NEIGH | RTMGRP_LINK | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE |
			      RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
	int buffer = EVENT_BUFFER;
	int code;

	*netlink = (struct netlink){0};
	code = socket_make(0, 0, &netlink->questions);
	if (!code)
		code = socket_make(SOCK_NONBLOCK, groups, &netlink->events);
	if (code) {
		netlink_close(netlink);
		return error_set(error, code, "rtnetlink: cannot open a socket: %s",
				 strerror(-code));
	}
	netlink->port = mnl_socket_get_portid(netlink->questions);
	setsockopt(mnl_socket_get_fd(netlink->questions), SOL_SOCKET, SO_RCVTIMEO, &patience,
		   sizeof(patience));
	setsockopt(mnl_socket_get_fd(netlink->events), SOL_SOCKET, SO_RCVBUFFORCE, &buffer,
		   sizeof(buffer));
	return 0;
}

void netlink_close(struct netlink *netlink)
{
	if (netlink->questions)
		mnl_socket_close(netlink->questions);
	if (netlink->events)
		mnl_socket_close(netlink->events);
	*netlink = (struct netlink){0};
}

/* Whether an attribute is there with at least so many bytes. */
static bool has(struct nlattr *const *attributes, int type, size_t size)
{
	return attributes[type] && mnl_attr_get_payload_len(attributes[type]) >= size;
}

struct attributes {
	struct nlattr **table;
	uint16_t max;
};

static int attribute_keep(const struct nlattr *attribute, void *data)
{
	const struct attributes *attributes = data;
	uint16_t type = mnl_attr_get_type(attribute);

	if (type <= attributes->max)
		memcpy(&attributes->table[type], &attribute, sizeof(attribute));
	return MNL_CB_OK;
}

static void attributes_parse(const struct nlmsghdr *message, unsigned int offset,
			     struct nlattr **table, uint16_t max)
{
	struct attributes attributes = {.table = table, .max = max};

	mnl_attr_parse(message, offset, attribute_keep, &attributes);
}

static uint32_t route_mtu(const struct nlattr *metrics)
{
	struct nlattr *table[RTAX_MAX + 1] = {0};
	struct attributes attributes = {.table = table, .max = RTAX_MAX};

	mnl_attr_parse_nested(metrics, attribute_keep, &attributes);
	return has(table, RTAX_MTU, sizeof(uint32_t)) ? mnl_attr_get_u32(table[RTAX_MTU]) : 0;
}

/* A gateway of the other family: RTA_VIA holds a family and an address. */
static bool route_via(const struct nlattr *attribute, struct ip *ret_via)
{
	const struct rtvia *via = mnl_attr_get_payload(attribute);

	if (mnl_attr_get_payload_len(attribute) < sizeof(*via) ||
	    mnl_attr_get_payload_len(attribute) - sizeof(*via) < ip_size(via->rtvia_family))
		return false;
	ip_from(ret_via, via->rtvia_family, via->rtvia_addr);
	return true;
}

static void route_parse(const struct nlmsghdr *message, const struct ip *address,
			struct route_facts *ret_route)
{
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);
	struct nlattr *table[RTA_MAX + 1] = {0};
	size_t size = ip_size(header->rtm_family);
	struct route_facts route = {.via = *address};

	attributes_parse(message, sizeof(*header), table, RTA_MAX);
	route.local = header->rtm_type == RTN_LOCAL;
	if (header->rtm_type == RTN_UNICAST && has(table, RTA_OIF, sizeof(uint32_t)))
		route.ifindex = mnl_attr_get_u32(table[RTA_OIF]);
	if (has(table, RTA_GATEWAY, size)) {
		route.gateway = true;
		ip_from(&route.via, header->rtm_family, mnl_attr_get_payload(table[RTA_GATEWAY]));
	} else if (table[RTA_VIA]) {
		route.gateway = route_via(table[RTA_VIA], &route.via);
	}
	if (has(table, RTA_PREFSRC, size))
		ip_from(&route.source, header->rtm_family,
			mnl_attr_get_payload(table[RTA_PREFSRC]));
	if (table[RTA_METRICS])
		route.mtu = route_mtu(table[RTA_METRICS]);
	*ret_route = route;
}

static bool neighbour_parse(const struct nlmsghdr *message, struct neighbour_facts *ret_neighbour)
{
	const struct ndmsg *header = mnl_nlmsg_get_payload(message);
	struct nlattr *table[NDA_MAX + 1] = {0};

	if (header->ndm_family != AF_INET && header->ndm_family != AF_INET6)
		return false;
	attributes_parse(message, sizeof(*header), table, NDA_MAX);
	if (!has(table, NDA_DST, ip_size(header->ndm_family)))
		return false;
	*ret_neighbour = (struct neighbour_facts){
		.ifindex = (uint32_t)header->ndm_ifindex,
		.state = header->ndm_state,
		.removed = message->nlmsg_type == RTM_DELNEIGH,
		.has_mac = has(table, NDA_LLADDR, sizeof(ret_neighbour->mac)),
	};
	ip_from(&ret_neighbour->address, header->ndm_family, mnl_attr_get_payload(table[NDA_DST]));
	if (ret_neighbour->has_mac)
		memcpy(ret_neighbour->mac, mnl_attr_get_payload(table[NDA_LLADDR]),
		       sizeof(ret_neighbour->mac));
	return true;
}

static bool link_parse(const struct nlmsghdr *message, struct link_facts *ret_link)
{
	const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
	struct nlattr *table[IFLA_MAX + 1] = {0};

	/* Bridges tell about their ports in messages of their own family. */
	if (header->ifi_family != AF_UNSPEC)
		return false;
	attributes_parse(message, sizeof(*header), table, IFLA_MAX);
	*ret_link = (struct link_facts){
		.ifindex = (uint32_t)header->ifi_index,
		.up = header->ifi_flags & IFF_UP,
		.removed = message->nlmsg_type == RTM_DELLINK,
	};
	if (table[IFLA_IFNAME])
		snprintf(ret_link->name, sizeof(ret_link->name), "%s",
			 mnl_attr_get_str(table[IFLA_IFNAME]));
	if (has(table, IFLA_MTU, sizeof(uint32_t)))
		ret_link->mtu = mnl_attr_get_u32(table[IFLA_MTU]);
	if (has(table, IFLA_ADDRESS, sizeof(ret_link->mac)))
		memcpy(ret_link->mac, mnl_attr_get_payload(table[IFLA_ADDRESS]),
		       sizeof(ret_link->mac));
	return true;
}

static int answer_read(const struct nlmsghdr *message, void *data)
{
	struct answer *answer = data;

	if (message->nlmsg_type == RTM_NEWROUTE && answer->route)
		route_parse(message, answer->address, answer->route);
	else if (message->nlmsg_type == RTM_NEWNEIGH && answer->neighbour)
		neighbour_parse(message, answer->neighbour);
	else if (message->nlmsg_type == RTM_NEWLINK && answer->link)
		link_parse(message, answer->link);
	return MNL_CB_OK;
}

/* Send a question and read until its acknowledgement, which carries the kernel's error. */
static int ask(struct netlink *netlink, struct nlmsghdr *message, struct answer *answer)
{
	_Alignas(struct nlmsghdr) char buffer[MESSAGE_SIZE];
	int code;

	message->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	message->nlmsg_seq = ++netlink->sequence;
	if (mnl_socket_sendto(netlink->questions, message, message->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		const struct nlmsghdr *first = (const struct nlmsghdr *)(const void *)buffer;
		ssize_t length = mnl_socket_recvfrom(netlink->questions, buffer, sizeof(buffer));

		if (length < 0)
			return -errno;
		/* The late answer to a question that was given up. */
		if ((size_t)length >= sizeof(*first) && first->nlmsg_seq != netlink->sequence)
			continue;
		code = mnl_cb_run(buffer, (size_t)length, netlink->sequence, netlink->port,
				  answer_read, answer);
		if (code <= MNL_CB_STOP)
			break;
	}
	return code < 0 ? -errno : 0;
}

int netlink_route(struct netlink *netlink, const struct ip *address, struct route_facts *ret_route)
{
	_Alignas(struct nlmsghdr) char buffer[QUESTION_SIZE] = {0};
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct answer answer = {.address = address, .route = ret_route};
	struct rtmsg *header;

	message->nlmsg_type = RTM_GETROUTE;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->rtm_family = ip_address_family(address);
	header->rtm_dst_len = ip_is_v4(address) ? 32 : 128;
	ip_put(message, RTA_DST, address);
	return ask(netlink, message, &answer);
}

static struct nlmsghdr *neighbour_message(char *buffer, uint16_t type, uint32_t ifindex,
					  const struct ip *address, uint8_t flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct ndmsg *header;

	message->nlmsg_type = type;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->ndm_family = ip_address_family(address);
	header->ndm_ifindex = (int)ifindex;
	header->ndm_flags = flags;
	ip_put(message, NDA_DST, address);
	return message;
}

int netlink_neighbour(struct netlink *netlink, uint32_t ifindex, const struct ip *address,
		      struct neighbour_facts *ret_neighbour)
{
	_Alignas(struct nlmsghdr) char buffer[QUESTION_SIZE] = {0};
	struct answer answer = {.neighbour = ret_neighbour};
	struct nlmsghdr *message = neighbour_message(buffer, RTM_GETNEIGH, ifindex, address, 0);

	return ask(netlink, message, &answer);
}

int netlink_neighbour_use(struct netlink *netlink, uint32_t ifindex, const struct ip *address)
{
	_Alignas(struct nlmsghdr) char buffer[QUESTION_SIZE] = {0};
	struct answer answer = {0};
	struct nlmsghdr *message =
		neighbour_message(buffer, RTM_NEWNEIGH, ifindex, address, NTF_USE);

	message->nlmsg_flags |= NLM_F_CREATE;
	return ask(netlink, message, &answer);
}

int netlink_link(struct netlink *netlink, uint32_t ifindex, struct link_facts *ret_link)
{
	_Alignas(struct nlmsghdr) char buffer[QUESTION_SIZE] = {0};
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct answer answer = {.link = ret_link};
	struct ifinfomsg *header;

	message->nlmsg_type = RTM_GETLINK;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->ifi_family = AF_UNSPEC;
	header->ifi_index = (int)ifindex;
	return ask(netlink, message, &answer);
}

static int event_read(const struct nlmsghdr *message, void *data)
{
	const struct netlink_handler *handler = data;
	struct neighbour_facts neighbour;
	struct link_facts link;

	switch (message->nlmsg_type) {
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		if (neighbour_parse(message, &neighbour))
			handler->neighbour(handler->data, &neighbour);
		break;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		if (link_parse(message, &link))
			handler->link(handler->data, &link);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
	case RTM_NEWADDR:
	case RTM_DELADDR:
		handler->routes(handler->data);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

void netlink_events(struct netlink *netlink, const struct netlink_handler *handler)
{
	struct netlink_handler copy = *handler;
	_Alignas(struct nlmsghdr) char buffer[MESSAGE_SIZE];

	for (;;) {
		ssize_t length = mnl_socket_recvfrom(netlink->events, buffer, sizeof(buffer));

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0 && (errno == ENOBUFS || errno == ENOSPC)) {
			handler->lost(handler->data);
			continue;
		}
		if (length <= 0)
			return;
		mnl_cb_run(buffer, (size_t)length, 0, 0, event_read, &copy);
	}
}

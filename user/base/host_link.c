// SPDX-License-Identifier: GPL-2.0-only
/* What a host says of an interface: by rtnetlink, by ethtool's ioctl, by sysctls and sysfs. */
#include <dirent.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/host.h"
#include "base/host_number.h"

#define REPLY_ROOM    32768
#define CPUS_MAX      4096u
#define RSS_TABLE_MAX 4096u

/* ------------------------------------------------------------------ rtnetlink */

typedef void (*attribute_fn)(const struct rtattr *attribute, struct host_link *link);

/* Calls for each attribute in so many bytes. */
static void attributes_walk(const void *start, size_t length, attribute_fn call,
			    struct host_link *link)
{
	const char *bytes = start;
	size_t at = 0;

	while (at + sizeof(struct rtattr) <= length) {
		const struct rtattr *attribute = (const void *)(bytes + at);

		if (attribute->rta_len < sizeof(*attribute) || attribute->rta_len > length - at)
			return;
		call(attribute, link);
		at += RTA_ALIGN((size_t)attribute->rta_len);
	}
}

static size_t payload(const struct rtattr *attribute)
{
	return attribute->rta_len - sizeof(*attribute);
}

static void xdp_attribute_read(const struct rtattr *attribute, struct host_link *link)
{
	unsigned char attached;

	if (attribute->rta_type != IFLA_XDP_ATTACHED || !payload(attribute))
		return;
	attached = *(const unsigned char *)(attribute + 1);
	if (attached != XDP_ATTACHED_NONE)
		link->xdp_generic = attached == XDP_ATTACHED_SKB;
}

static void attribute_read(const struct rtattr *attribute, struct host_link *link)
{
	uint32_t number = 0;

	if (payload(attribute) >= sizeof(number))
		memcpy(&number, attribute + 1, sizeof(number));
	switch (attribute->rta_type & NLA_TYPE_MASK) {
	case IFLA_MTU:
		link->mtu = number;
		break;
	case IFLA_CARRIER_CHANGES:
		link->carrier_changes = number;
		break;
	case IFLA_NUM_RX_QUEUES:
		link->rx_queues_max = number;
		break;
	case IFLA_XDP:
		attributes_walk(attribute + 1, payload(attribute), xdp_attribute_read, link);
		break;
	default:
		break;
	}
}

static void reply_read(const struct nlmsghdr *header, size_t length, struct host_link *link)
{
	const struct ifinfomsg *info = (const void *)(header + 1);
	const size_t head = NLMSG_ALIGN(sizeof(*header)) + NLMSG_ALIGN(sizeof(*info));

	if (length < head || header->nlmsg_type != RTM_NEWLINK || header->nlmsg_len > length)
		return;
	link->present = true;
	link->up = info->ifi_flags & IFF_UP;
	link->running = info->ifi_flags & IFF_RUNNING;
	attributes_walk(info + 1, header->nlmsg_len - head, attribute_read, link);
}

static void rtnetlink_read(struct host_link *link)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
	} request = {
		.header = {.nlmsg_len = sizeof(request),
			   .nlmsg_type = RTM_GETLINK,
			   .nlmsg_flags = NLM_F_REQUEST},
		.info = {.ifi_index = (int)if_nametoindex(link->name)},
	};
	struct nlmsghdr *reply = malloc(REPLY_ROOM);
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	ssize_t length = -1;

	/* The kernel answers while the request is sent: the reply is there, or there is none. */
	if (reply && fd >= 0 && request.info.ifi_index &&
	    send(fd, &request, sizeof(request), 0) == (ssize_t)sizeof(request))
		length = recv(fd, reply, REPLY_ROOM, MSG_DONTWAIT);
	if (length > 0)
		reply_read(reply, (size_t)length, link);
	if (fd >= 0)
		close(fd);
	free(reply);
}

/* ------------------------------------------------------------------ ethtool */

/* Asks with the command that stands first in data. */
static bool ethtool_ask(int fd, const char *name, void *data)
{
	struct ifreq request = {.ifr_data = data};

	memcpy(request.ifr_name, name, sizeof(request.ifr_name));
	return ioctl(fd, SIOCETHTOOL, &request) == 0;
}

static int ethtool_flag(int fd, const char *name, uint32_t command, uint32_t mask)
{
	struct ethtool_value value = {.cmd = command};

	return ethtool_ask(fd, name, &value) ? (value.data & mask) != 0 : -1;
}

/* How many queues the table that spreads flows over them names. */
static uint32_t rss_count(int fd, const char *name)
{
	struct ethtool_rxfh_indir size = {.cmd = ETHTOOL_GRXFHINDIR}, *table;
	uint8_t seen[RSS_TABLE_MAX / 8] = {0};
	uint32_t count = 0;

	if (!ethtool_ask(fd, name, &size) || !size.size || size.size > RSS_TABLE_MAX)
		return 0;
	table = calloc(1, sizeof(*table) + size.size * sizeof(table->ring_index[0]));
	if (!table)
		return 0;
	table->cmd = ETHTOOL_GRXFHINDIR;
	table->size = size.size;
	if (ethtool_ask(fd, name, table)) {
		for (uint32_t i = 0; i < size.size; i++) {
			uint32_t queue = table->ring_index[i] % RSS_TABLE_MAX;

			count += !(seen[queue / 8] >> (queue % 8) & 1);
			seen[queue / 8] |= (uint8_t)(1u << (queue % 8));
		}
	}
	free(table);
	return count;
}

static void ethtool_read(struct host_link *link)
{
	struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (ethtool_ask(fd, link->name, &driver))
		snprintf(link->driver, sizeof(link->driver), "%s", driver.driver);
	link->gro = ethtool_flag(fd, link->name, ETHTOOL_GGRO, UINT32_MAX);
	link->lro = ethtool_flag(fd, link->name, ETHTOOL_GFLAGS, ETH_FLAG_LRO);
	link->rxvlan = ethtool_flag(fd, link->name, ETHTOOL_GFLAGS, ETH_FLAG_RXVLAN);
	if (ethtool_ask(fd, link->name, &channels)) {
		link->rx_queues = channels.rx_count + channels.combined_count;
		link->rx_queues_max = channels.max_rx > channels.max_combined
					      ? channels.max_rx
					      : channels.max_combined;
	}
	link->rss_queues = rss_count(fd, link->name);
	close(fd);
}

/* ------------------------------------------------------------------ sysctls, interrupts */

static int rp_filter_read(const char *name)
{
	int all = host_number("/proc/sys/net/ipv4/conf/all/rp_filter"), own;
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", name);
	own = host_number(path);
	return own < 0 || all < 0 ? -1 : own > all ? own : all;
}

/* Adds the CPUs of "0-3,8" to those that were seen. */
static void cpus_add(const char *path, uint8_t *seen)
{
	FILE *file = fopen(path, "re");
	unsigned int first, last;

	if (!file)
		return;
	while (fscanf(file, "%u", &first) == 1) {
		last = first;
		if (fscanf(file, "-%u", &last) == EOF)
			last = first;
		for (unsigned int cpu = first; cpu <= last && cpu < CPUS_MAX; cpu++)
			seen[cpu] = 1;
		if (fgetc(file) != ',')
			break;
	}
	fclose(file);
}

/* sysfs shows the network that it was mounted in, which need not be this one. */
static bool sysfs_shows(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/net/%s/ifindex", name);
	return host_number(path) == (int)if_nametoindex(name);
}

static void interrupts_read(struct host_link *link)
{
	uint8_t seen[CPUS_MAX] = {0};
	const struct dirent *entry;
	char path[PATH_MAX];
	DIR *folder;

	snprintf(path, sizeof(path), "/sys/class/net/%s/device/msi_irqs", link->name);
	folder = sysfs_shows(link->name) ? opendir(path) : NULL;
	if (!folder)
		return;
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		link->irqs++;
		snprintf(path, sizeof(path), "/proc/irq/%s/effective_affinity_list", entry->d_name);
		cpus_add(path, seen);
	}
	closedir(folder);
	for (uint32_t cpu = 0; cpu < CPUS_MAX; cpu++)
		link->irq_cpus += seen[cpu];
}

void host_link_read(const char *name, struct host_link *ret_link)
{
	*ret_link = (struct host_link){
		.xdp_generic = -1, .gro = -1, .lro = -1, .rxvlan = -1, .rp_filter = -1};
	if (snprintf(ret_link->name, sizeof(ret_link->name), "%s", name) >=
	    (int)sizeof(ret_link->name))
		return;
	rtnetlink_read(ret_link);
	if (!ret_link->present)
		return;
	ethtool_read(ret_link);
	ret_link->rp_filter = rp_filter_read(name);
	interrupts_read(ret_link);
}

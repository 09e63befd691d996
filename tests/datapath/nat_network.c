// SPDX-License-Identifier: GPL-2.0-only
/*
 * The network of the clients, for the way back of mode nat: the wire has an interface for that, else
 * a namespace is made with one of its own.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "nat.h"

static const char pair[] = "link set lo up\n"
			   "link add nat0 type veth peer name nat1\n"
			   "link set nat1 up\n"
			   "link set nat0 up\n";

/* Of the interface to the clients, by its name. */
#define NETWORK(name)                                                                      \
	"link set " name " address " NAT_ROUTER_MAC "\n"                                   \
	"addr add " NAT_HOST4 "/24 dev " name "\n"                                         \
	"addr add 2001:db8:5::7/64 dev " name " nodad\n"                                   \
	"neigh add " NAT_CLIENT4 " lladdr " NAT_CLIENT_MAC " dev " name " nud permanent\n" \
	"neigh add " NAT_CLIENT6 " lladdr " NAT_CLIENT_MAC " dev " name " nud permanent\n" \
	"route add blackhole 192.0.2.0/24\n"
#define NETWORK_GONE(name)           \
	"addr flush dev " name "\n"  \
	"neigh flush dev " name "\n" \
	"route del blackhole 192.0.2.0/24\n"

static int file_write(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	if (!file)
		return -1;
	fputs(text, file);
	return fclose(file);
}

int nat_forwarding_set(const char *value)
{
	return file_write("/proc/sys/net/ipv4/ip_forward", value) == 0 &&
			       file_write("/proc/sys/net/ipv6/conf/all/forwarding", value) == 0
		       ? 0
		       : -1;
}

/* Where this process was before; -1: where it is. */
static int home = -1;

static bool wire_network_make(void)
{
	return file_write("/proc/sys/net/ipv6/conf/" WIRE_OTHER_NAME "/disable_ipv6", "0") == 0 &&
	       wire_commands(NETWORK(WIRE_OTHER_NAME)) && !nat_forwarding_set("1");
}

bool nat_network_open(struct lab *lab)
{
	if (lab->wire)
		return wire_network_make();
	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home < 0 || unshare(CLONE_NEWNET))
		return false;
	return wire_commands(pair) && wire_commands(NETWORK("nat0")) && !nat_forwarding_set("1");
}

void nat_network_close(struct lab *lab)
{
	if (lab->wire) {
		wire_commands(NETWORK_GONE(WIRE_OTHER_NAME));
		nat_forwarding_set("0");
		return;
	}
	if (home < 0)
		return;
	setns(home, CLONE_NEWNET);
	close(home);
	home = -1;
}

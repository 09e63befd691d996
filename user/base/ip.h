/* SPDX-License-Identifier: GPL-2.0-only */
/* IP addresses of both families in one type: IPv4 is v4-mapped (::ffff:a.b.c.d), as in the maps. */
#ifndef BASE_IP_H
#define BASE_IP_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define IP_TEXT_MAX 46 /* longest text, with its NUL */

struct ip {
	__be32 word[4];
};

/* ip_parse - read "192.0.2.1" or "2001:db8::1". Returns 0, or -EINVAL with ret_ip untouched. */
int ip_parse(const char *text, struct ip *ret_ip);

/* ip_format - the shortest usual text into buffer, which is also returned. */
const char *ip_format(const struct ip *ip, char buffer[IP_TEXT_MAX]);

bool ip_is_v4(const struct ip *ip);

/* ip_family - 4 or 6. */
unsigned char ip_family(const struct ip *ip);

bool ip_equal(const struct ip *a, const struct ip *b);

/* ip_is_unicast - whether a host can have the address: not zero, multicast, broadcast. */
bool ip_is_unicast(const struct ip *ip);

/* ip_is_loopback - 127.0.0.0/8 and ::1, which leave no host. */
bool ip_is_loopback(const struct ip *ip);

#endif

// SPDX-License-Identifier: GPL-2.0-only
/* IP addresses: text to words and back, and what kind of address it is. */
#include "base/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define IP_V4_MARK htonl(0xffff)

int ip_parse(const char *text, struct ip *ret_ip)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		*ret_ip = (struct ip){.word = {0, 0, IP_V4_MARK, v4.s_addr}};
		return 0;
	}
	if (inet_pton(AF_INET6, text, &v6) == 1) {
		memcpy(ret_ip->word, &v6, sizeof(ret_ip->word));
		return 0;
	}
	return -EINVAL;
}

const char *ip_format(const struct ip *ip, char buffer[IP_TEXT_MAX])
{
	if (ip_is_v4(ip))
		return inet_ntop(AF_INET, &ip->word[3], buffer, IP_TEXT_MAX);
	return inet_ntop(AF_INET6, ip->word, buffer, IP_TEXT_MAX);
}

bool ip_is_v4(const struct ip *ip)
{
	return !ip->word[0] && !ip->word[1] && ip->word[2] == IP_V4_MARK;
}

unsigned char ip_family(const struct ip *ip)
{
	return ip_is_v4(ip) ? 4 : 6;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
	return !memcmp(a->word, b->word, sizeof(a->word));
}

bool ip_is_unicast(const struct ip *ip)
{
	__u32 first = ntohl(ip->word[0]);

	if (ip_is_v4(ip)) {
		__u32 v4 = ntohl(ip->word[3]);

		/* 0/8 is "this network"; 224/4 multicast, 240/4 reserved with broadcast. */
		return v4 >> 24 != 0 && v4 >> 28 < 0xe;
	}
	return (first || ip->word[1] || ip->word[2] || ip->word[3]) && first >> 24 != 0xff;
}

bool ip_is_loopback(const struct ip *ip)
{
	if (ip_is_v4(ip))
		return ntohl(ip->word[3]) >> 24 == 127;
	return !ip->word[0] && !ip->word[1] && !ip->word[2] && ip->word[3] == htonl(1);
}

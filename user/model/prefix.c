// SPDX-License-Identifier: GPL-2.0-only
/* Prefixes of IP addresses. */
#include "model/prefix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define V4_MAPPED_BITS 96u

static uint32_t length_max(unsigned char family)
{
	return family == 4 ? 32 : 128;
}

void prefix_mask(unsigned char family, uint32_t length, struct ip *ret_mask)
{
	uint32_t bits = length + (family == 4 ? V4_MAPPED_BITS : 0);

	for (uint32_t word = 0; word < 4; word++) {
		uint32_t set = bits > word * 32 ? bits - word * 32 : 0;

		ret_mask->word[word] = set >= 32 ? UINT32_MAX : htonl(~(UINT32_MAX >> set));
	}
}

static struct ip address_masked(const struct ip *address, uint32_t length)
{
	struct ip mask, masked;

	prefix_mask(ip_family(address), length, &mask);
	for (int word = 0; word < 4; word++)
		masked.word[word] = address->word[word] & mask.word[word];
	return masked;
}

/* The digits behind the slash; UINT32_MAX: none that can be read. */
static uint32_t length_parse(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	if (!digits || digits > 3 || text[digits])
		return UINT32_MAX;
	return (uint32_t)strtoul(text, NULL, 10);
}

static int not_a_prefix(const char *text, struct error *error)
{
	return error_set(error, -EINVAL,
			 "'%.64s' is not a prefix; give one such as 192.0.2.0/24 or 2001:db8::/32",
			 text);
}

int prefix_parse(const char *text, struct prefix *ret_prefix, struct error *error)
{
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);
	char address[IP_TEXT_MAX], better[PREFIX_TEXT_MAX];
	struct prefix prefix;
	struct ip masked;
	uint32_t max;

	if (length >= sizeof(address))
		return not_a_prefix(text, error);
	memcpy(address, text, length);
	address[length] = '\0';
	if (ip_parse(address, &prefix.address))
		return not_a_prefix(text, error);
	max = length_max(ip_family(&prefix.address));
	prefix.length = slash ? length_parse(slash + 1) : max;
	if (prefix.length > max)
		return error_set(error, -EINVAL,
				 "'%.64s' has no length behind its slash that fits; give 0 to %u",
				 text, max);
	masked = address_masked(&prefix.address, prefix.length);
	if (!ip_equal(&masked, &prefix.address)) {
		prefix.address = masked;
		return error_set(error, -EINVAL,
				 "'%.64s' has bits set behind its length; write %s, or the address "
				 "alone",
				 text, prefix_format(&prefix, better));
	}
	*ret_prefix = prefix;
	return 0;
}

const char *prefix_format(const struct prefix *prefix, char buffer[PREFIX_TEXT_MAX])
{
	char address[IP_TEXT_MAX];

	snprintf(buffer, PREFIX_TEXT_MAX, "%s/%u", ip_format(&prefix->address, address),
		 prefix->length);
	return buffer;
}

int prefix_compare(const struct prefix *a, const struct prefix *b)
{
	bool v4_a = ip_is_v4(&a->address), v4_b = ip_is_v4(&b->address);
	int order;

	if (v4_a != v4_b)
		return v4_a ? -1 : 1;
	order = memcmp(a->address.word, b->address.word, sizeof(a->address.word));
	if (order)
		return order;
	return (a->length > b->length) - (a->length < b->length);
}

void prefix_of(const struct ip *address, uint32_t length, struct prefix *ret_prefix)
{
	*ret_prefix = (struct prefix){address_masked(address, length), length};
}

bool prefix_has(const struct prefix *prefix, const struct ip *address)
{
	struct ip masked;

	if (ip_is_v4(&prefix->address) != ip_is_v4(address))
		return false;
	masked = address_masked(address, prefix->length);
	return ip_equal(&masked, &prefix->address);
}

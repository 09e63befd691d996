/* SPDX-License-Identifier: GPL-2.0-only */
/* Prefixes of IP addresses: text and back, order, and whether an address is inside. */
#ifndef MODEL_PREFIX_H
#define MODEL_PREFIX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/ip.h"

#define PREFIX_TEXT_MAX (IP_TEXT_MAX + 4)

struct prefix {
	struct ip address; /* bits behind the length are 0 */
	uint32_t length;   /* in the address's own family: 0..32, 0..128 */
};

/*
 * prefix_parse - read "192.0.2.0/24", "2001:db8::/32", or an address, which is a prefix of its
 * whole length. Returns 0, or -EINVAL with a message that says what to write instead.
 */
int prefix_parse(const char *text, struct prefix *ret_prefix, struct error *error);

/* prefix_format - the text into buffer, which is also returned. */
const char *prefix_format(const struct prefix *prefix, char buffer[PREFIX_TEXT_MAX]);

/* prefix_compare - <0, 0, >0: by family, address, length; what has another comes before it. */
int prefix_compare(const struct prefix *a, const struct prefix *b);

/* prefix_of - the prefix of this length that has the address. */
void prefix_of(const struct ip *address, uint32_t length, struct prefix *ret_prefix);

bool prefix_has(const struct prefix *prefix, const struct ip *address);

/* prefix_mask - set so many leading bits of an address of this family; v4-mapped for IPv4. */
void prefix_mask(unsigned char family, uint32_t length, struct ip *ret_mask);

#endif

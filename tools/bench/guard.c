// SPDX-License-Identifier: GPL-2.0-only
/* A long list of sources for the guard. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "model/guard.h"
#include "sluice.skel.h"

/* The packets come from 10.0.0.0/12; each prefix is an address of it. */
static void prefix_fill(struct guard_prefix_key *key, uint32_t *random)
{
	struct prefix prefix = {.length = 32};
	char text[IP_TEXT_MAX];

	/* A row of numbers that is the same in every run. */
	*random = *random * 1664525 + 1013904223;
	snprintf(text, sizeof(text), "10.%u.%u.%u", *random >> 28, *random >> 20 & 255,
		 *random >> 12 & 255);
	if (ip_parse(text, &prefix.address))
		die("%s: not an address", text);
	guard_prefix_key_fill(key, GUARD_ALL, &prefix);
}

double guard_fill(struct dataplane *dataplane, uint32_t prefixes)
{
	struct guard_prefix_key *keys = calloc(prefixes, sizeof(*keys));
	uint32_t *words = calloc(prefixes, sizeof(*words)), count = prefixes, random = 1;
	double started_ns;

	if (!keys || !words)
		die("out of memory");
	for (uint32_t i = 0; i < prefixes; i++) {
		prefix_fill(&keys[i], &random);
		words[i] = guard_prefix_word(GUARD_ALLOW, 32);
	}
	started_ns = clock_thread_ns();
	if (bpf_map_update_batch(bpf_map__fd(dataplane->sluice->maps.guard_prefixes), keys, words,
				 &count, NULL))
		die("map guard_prefixes: %s", strerror(errno));
	dataplane->services[0].guard = GUARD_COMMON;
	free(keys);
	free(words);
	return (clock_thread_ns() - started_ns) / 1e6;
}

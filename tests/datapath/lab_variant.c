// SPDX-License-Identifier: GPL-2.0-only
/* The data plane as it is loaded on other hosts: other constants, or the program for jumbo frames. */
#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "lab.h"

#include "jumbo.skel.h"
#include "sluice.skel.h"

/* Load it over the maps that there are. */
static void variant_load(struct lab *lab, struct sluice_bpf *variant)
{
	struct bpf_map *map, *shared;

	bpf_object__for_each_map(map, variant->obj)
	{
		if (bpf_map__is_internal(map))
			continue;
		shared = bpf_object__find_map_by_name(lab->sluice->obj, bpf_map__name(map));
		assert_int_equal(bpf_map__reuse_fd(map, bpf_map__fd(shared)), 0);
	}
	assert_int_equal(sluice_bpf__load(variant), 0);
}

void lab_spread(struct lab *lab)
{
	struct settings *settings;
	struct ip address;

	if (!lab->spread) {
		lab->spread = sluice_bpf__open();
		assert_non_null(lab->spread);
		lab_maps_size(lab, lab->spread);
		settings = (struct settings *)&lab->spread->rodata->settings;
		assert_int_equal(ip_parse(LAB_SPREAD_V4, &address), 0);
		settings->source_v4 = address.word[3];
		settings->source_v4_bits = htonl(0xffff);
		assert_int_equal(ip_parse(LAB_SPREAD_V6, &address), 0);
		memcpy(settings->source_v6, address.word, sizeof(settings->source_v6));
		settings->source_v6_bits[2] = settings->source_v6_bits[3] = UINT32_MAX;
		variant_load(lab, lab->spread);
	}
	lab->variant = lab->spread;
}

/* It has the same maps and constants, so that one skeleton does for both. */
void lab_jumbo(struct lab *lab)
{
	struct sluice_bpf *jumbo = lab->jumbo;

	if (!jumbo) {
		lab->jumbo = jumbo = calloc(1, sizeof(*jumbo));
		assert_non_null(jumbo);
		assert_int_equal(sluice_bpf__create_skeleton(jumbo), 0);
		jumbo->skeleton->data =
			(void *)(uintptr_t)jumbo_bpf__elf_bytes(&jumbo->skeleton->data_sz);
		assert_int_equal(bpf_object__open_skeleton(jumbo->skeleton, NULL), 0);
		lab_maps_size(lab, jumbo);
		variant_load(lab, jumbo);
	}
	lab->variant = jumbo;
}

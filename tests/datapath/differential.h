/* SPDX-License-Identifier: GPL-2.0-only */
/* Random packets for the test that compares the data plane with the model. */
#ifndef DATAPATH_DIFFERENTIAL_H
#define DATAPATH_DIFFERENTIAL_H

#include <time.h>

#include "reference.h"

struct round {
	struct lab *lab;
	struct reference *reference;
	struct ring_buffer *ring;
	bool has_network;   /* of the clients, for what backends in mode nat answer */
	struct spec answer; /* the last first fragment of one; .from NULL: there was none */
	uint64_t seed, random;
	struct timespec start;
	uint32_t now; /* in ticks */
	uint32_t run, judged, seen[VERDICT_COUNT];
};

uint32_t random_below(struct round *round, uint32_t limit);
bool one_in(struct round *round, uint32_t limit);

/* frame_random - a packet to a service, about one, or from a backend; often broken somewhere. */
void frame_random(struct round *round, struct frame *frame);

#endif

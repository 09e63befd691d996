/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the simulator share: the world (simulate.c), the policies, the traces. */
#ifndef MODEL_SIMULATE_PRIVATE_H
#define MODEL_SIMULATE_PRIVATE_H

#include "model/simulate.h"

/* What a policy sees of the world in a second. */
struct policy_view {
	uint64_t second;
	double load;      /* requests that came in the last second */
	double true_rate; /* without noise: for POLICY_BOUND alone */
	double target;
	uint32_t ready, warming, booting, draining; /* warming ones are ready, too */
	uint32_t min, max;
};

/* What it wants: a pool of so many backends, booting ones counted. */
struct policy_memory {
	struct autoscale_memory autoscale;
	struct autoscale_output output;
	double minute[60];   /* the last loads, by second */
	uint64_t seconds;    /* of them, in all */
	uint32_t wished[20]; /* HPA: what it would have had, one each 15 s */
	uint32_t wishes;
	uint64_t panic_since; /* KPA: second of the last panic, plus 1; 0 = none */
	uint32_t panic_most;
	uint32_t high, low;  /* AWS: minutes in a row above and below */
	uint32_t peaks[300]; /* BOUND: needs of the last seconds */
};

/* policy_decide - how many backends there should be. have is what there is, booting ones counted. */
uint32_t policy_decide(const struct simulation *simulation, struct policy_memory *memory,
		       const struct policy_view *view);

/* policy_grace_s - how long a backend that is removed may still serve its flows. */
double policy_grace_s(const struct simulation *simulation);

#endif

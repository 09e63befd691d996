/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When a drain will be over, from how the number of live flows has fallen: flows end at a rate, so
 * what is left decays exponentially. Pure; time is passed in.
 */
#ifndef MODEL_DRAIN_H
#define MODEL_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

#define DRAIN_SAMPLES 32u

/* So few live flows are called stragglers: a drain's end hangs on each of them. */
#define DRAIN_STRAGGLERS_MAX 10u

/* A drain from its beginning to now; zeroed at first. */
struct drain_history {
	struct drain_sample {
		uint64_t time_ms; /* monotonic */
		uint32_t live;
	} samples[DRAIN_SAMPLES], latest;
	uint32_t count;
	uint64_t spacing_ms; /* of the samples; doubles whenever they are full */
};

/* drain_note - the live flows that were counted at this moment. */
void drain_note(struct drain_history *history, uint64_t now_ms, uint32_t live);

/*
 * drain_eta - seconds from the last count until no flow is left: a least-squares line through the
 * logarithms of the counts in the later half of the drain; the last flow is over, as likely as
 * not, when half a flow is left. False if it cannot be said: too few counts, or they do not fall,
 * or so slowly that it would be a guess (more than a week).
 */
bool drain_eta(const struct drain_history *history, double *ret_seconds);

#endif

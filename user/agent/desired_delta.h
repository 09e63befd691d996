/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What leads from one desired to the next, as the journal holds it: a delta of model/state_delta.h,
 * with "orphans", all of them, where they changed.
 */
#ifndef AGENT_DESIRED_DELTA_H
#define AGENT_DESIRED_DELTA_H

#include "agent/desired.h"
#include "model/state_delta.h"

/* desired_delta - empty if nothing changed. NULL: no memory. */
json_t *desired_delta(const struct desired *old, const struct desired *now);

/* All deltas so far. Begins as {0}. */
struct desired_image {
	struct state_image state;
	json_t *orphans;
};

/* desired_image_apply - 0 or -errno with a message. */
int desired_image_apply(struct desired_image *image, const json_t *delta, struct error *error);

/* desired_image_read - the desired that it is, every field checked. 0 or -errno with a message. */
int desired_image_read(const struct desired_image *image, struct desired **ret_desired,
		       struct error *error);
void desired_image_clear(struct desired_image *image);

#endif

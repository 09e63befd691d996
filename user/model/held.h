/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames that wait for the first fragment of their datagram: a bounded list in the order of their
 * arrival. Whoever waits longest makes room for what comes. Time is passed in.
 */
#ifndef MODEL_HELD_H
#define MODEL_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/fragment.h"

struct held;

/* held_new - room for so many frames, each to wait so long at most; NULL without memory. */
struct held *held_new(size_t frames_max, uint64_t wait_ms);

/* held_free - takes NULL. */
void held_free(struct held *held);

/*
 * held_add - keep a copy of a frame with 1..SLUICE_HELD_FRAME_MAX bytes. Returns whether another
 * one had to go for it.
 */
bool held_add(struct held *held, const struct held_frame *frame, uint64_t now_ms);

/*
 * held_take - the longest waiting frame of this datagram, or NULL. It leaves the list and is
 * valid until the next held_add.
 */
const struct held_frame *held_take(struct held *held, const struct fragment_key *key);

/* held_expire - forget frames that have waited for their time; returns how many. */
size_t held_expire(struct held *held, uint64_t now_ms);

/*
 * held_next - the key of each frame that waits, in no order; *place is 0 for the first one and is
 * moved on. NULL after the last. Frames may be taken meanwhile, none may be added.
 */
const struct fragment_key *held_next(const struct held *held, size_t *place);

/* held_count - frames that wait. */
size_t held_count(const struct held *held);

#endif

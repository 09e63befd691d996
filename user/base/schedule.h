/* SPDX-License-Identifier: GPL-2.0-only */
/* What is due when: many moments of which the first is always at hand. */
#ifndef BASE_SCHEDULE_H
#define BASE_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

/* A moment of something; a part of it. Zeroed: not in any schedule. */
struct moment {
	uint64_t at_ms;
	size_t place; /* in the heap, counted from 1; 0: it is in none */
};

struct schedule {
	struct moment **heap;
	size_t count, room;
};

/* schedule_set - put the moment in, or move it. Returns 0 or -ENOMEM, never when it is in. */
int schedule_set(struct schedule *schedule, struct moment *moment, uint64_t at_ms);
/* schedule_remove - also of one that is not in. */
void schedule_remove(struct schedule *schedule, struct moment *moment);
/* schedule_first - NULL: nothing is in. */
struct moment *schedule_first(const struct schedule *schedule);
/* schedule_clear - free the heap; the moments in it are out. */
void schedule_clear(struct schedule *schedule);

#endif

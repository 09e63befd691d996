// SPDX-License-Identifier: GPL-2.0-only
/* A binary heap of moments, each of which knows its place. */
#include "base/schedule.h"

#include <errno.h>
#include <stdlib.h>

static void place(struct schedule *schedule, struct moment *moment, size_t index)
{
	schedule->heap[index - 1] = moment;
	moment->place = index;
}

static void rise(struct schedule *schedule, struct moment *moment)
{
	size_t index = moment->place;

	while (index > 1 && schedule->heap[index / 2 - 1]->at_ms > moment->at_ms) {
		place(schedule, schedule->heap[index / 2 - 1], index);
		index /= 2;
	}
	place(schedule, moment, index);
}

static void sink(struct schedule *schedule, struct moment *moment)
{
	size_t index = moment->place;

	for (;;) {
		size_t child = 2 * index;

		if (child > schedule->count)
			break;
		if (child < schedule->count &&
		    schedule->heap[child]->at_ms < schedule->heap[child - 1]->at_ms)
			child++;
		if (schedule->heap[child - 1]->at_ms >= moment->at_ms)
			break;
		place(schedule, schedule->heap[child - 1], index);
		index = child;
	}
	place(schedule, moment, index);
}

int schedule_set(struct schedule *schedule, struct moment *moment, uint64_t at_ms)
{
	if (!moment->place && schedule->count == schedule->room) {
		size_t room = schedule->room ? schedule->room * 2 : 64;
		struct moment **heap = reallocarray(schedule->heap, room, sizeof(struct moment *));

		if (!heap)
			return -ENOMEM;
		schedule->heap = heap;
		schedule->room = room;
	}
	moment->at_ms = at_ms;
	if (!moment->place)
		place(schedule, moment, ++schedule->count);
	rise(schedule, moment);
	sink(schedule, moment);
	return 0;
}

void schedule_remove(struct schedule *schedule, struct moment *moment)
{
	struct moment *last;

	if (!moment->place)
		return;
	last = schedule->heap[--schedule->count];
	if (last != moment) {
		place(schedule, last, moment->place);
		rise(schedule, last);
		sink(schedule, last);
	}
	moment->place = 0;
}

struct moment *schedule_first(const struct schedule *schedule)
{
	return schedule->count ? schedule->heap[0] : NULL;
}

void schedule_clear(struct schedule *schedule)
{
	for (size_t i = 0; i < schedule->count; i++)
		schedule->heap[i]->place = 0;
	free(schedule->heap);
	*schedule = (struct schedule){0};
}

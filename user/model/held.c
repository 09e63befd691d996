// SPDX-License-Identifier: GPL-2.0-only
/* The list of frames that wait for a first fragment: a ring whose places empty in any order. */
#include "model/held.h"

#include <stdlib.h>
#include <string.h>

struct place {
	uint64_t until_ms;
	bool used;
	struct held_frame frame;
};

/* The places from `first` on, `length` of them around the end, hold what waits, with gaps. */
struct held {
	uint64_t wait_ms;
	size_t frames_max, first, length, count;
	struct place places[];
};

struct held *held_new(size_t frames_max, uint64_t wait_ms)
{
	struct held *held = calloc(1, sizeof(*held) + frames_max * sizeof(held->places[0]));

	if (held) {
		held->frames_max = frames_max;
		held->wait_ms = wait_ms;
	}
	return held;
}

void held_free(struct held *held)
{
	free(held);
}

static struct place *place_at(struct held *held, size_t number)
{
	return &held->places[(held->first + number) % held->frames_max];
}

static void place_leave(struct held *held, struct place *place)
{
	place->used = false;
	held->count--;
	while (held->length && !place_at(held, 0)->used) {
		held->first = (held->first + 1) % held->frames_max;
		held->length--;
	}
}

bool held_add(struct held *held, const struct held_frame *frame, uint64_t now_ms)
{
	bool full = held->length == held->frames_max;
	struct place *place;

	/* The first place is never a gap. */
	if (full)
		place_leave(held, place_at(held, 0));
	place = place_at(held, held->length++);
	place->used = true;
	place->until_ms = now_ms + held->wait_ms;
	place->frame.head = frame->head;
	memcpy(place->frame.data, frame->data, frame->head.length);
	held->count++;
	return full;
}

const struct held_frame *held_take(struct held *held, const struct fragment_key *key)
{
	for (size_t i = 0; i < held->length; i++) {
		struct place *place = place_at(held, i);

		if (!place->used || memcmp(&place->frame.head.key, key, sizeof(*key)) != 0)
			continue;
		place_leave(held, place);
		return &place->frame;
	}
	return NULL;
}

size_t held_expire(struct held *held, uint64_t now_ms)
{
	size_t before = held->count;

	while (held->length && place_at(held, 0)->until_ms <= now_ms)
		place_leave(held, place_at(held, 0));
	return before - held->count;
}

const struct fragment_key *held_next(const struct held *held, size_t *place)
{
	while (*place < held->frames_max) {
		size_t at = (*place)++;

		if (held->places[at].used)
			return &held->places[at].frame.head.key;
	}
	return NULL;
}

size_t held_count(const struct held *held)
{
	return held->count;
}

// SPDX-License-Identifier: GPL-2.0-only
/* The list of frames that wait for a first fragment: all of its places are there from the start. */
#include "model/held.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct place {
	TAILQ_ENTRY(place) link;
	uint64_t until_ms;
	bool used;
	struct held_frame frame;
};

TAILQ_HEAD(places, place);

struct held {
	uint64_t wait_ms;
	size_t frames_max, count;
	struct places waiting, empty; /* waiting: in the order of arrival */
	struct place places[];
};

struct held *held_new(size_t frames_max, uint64_t wait_ms)
{
	struct held *held = calloc(1, sizeof(*held) + frames_max * sizeof(held->places[0]));

	if (!held)
		return NULL;
	held->frames_max = frames_max;
	held->wait_ms = wait_ms;
	TAILQ_INIT(&held->waiting);
	TAILQ_INIT(&held->empty);
	for (size_t i = 0; i < frames_max; i++)
		TAILQ_INSERT_TAIL(&held->empty, &held->places[i], link);
	return held;
}

void held_free(struct held *held)
{
	free(held);
}

static void place_leave(struct held *held, struct place *place)
{
	TAILQ_REMOVE(&held->waiting, place, link);
	TAILQ_INSERT_HEAD(&held->empty, place, link);
	place->used = false;
	held->count--;
}

bool held_add(struct held *held, const struct held_frame *frame, uint64_t now_ms)
{
	bool full = TAILQ_EMPTY(&held->empty);
	struct place *place;

	if (full)
		place_leave(held, TAILQ_FIRST(&held->waiting));
	place = TAILQ_FIRST(&held->empty);
	TAILQ_REMOVE(&held->empty, place, link);
	TAILQ_INSERT_TAIL(&held->waiting, place, link);
	place->used = true;
	place->until_ms = now_ms + held->wait_ms;
	place->frame.head = frame->head;
	memcpy(place->frame.data, frame->data, frame->head.length);
	held->count++;
	return full;
}

const struct held_frame *held_take(struct held *held, const struct fragment_key *key)
{
	struct place *place = TAILQ_FIRST(&held->waiting);

	while (place && memcmp(&place->frame.head.key, key, sizeof(*key)) != 0)
		place = TAILQ_NEXT(place, link);
	if (!place)
		return NULL;
	place_leave(held, place);
	return &place->frame;
}

size_t held_expire(struct held *held, uint64_t now_ms)
{
	size_t before = held->count;
	struct place *place;

	while ((place = TAILQ_FIRST(&held->waiting)) && place->until_ms <= now_ms)
		place_leave(held, place);
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

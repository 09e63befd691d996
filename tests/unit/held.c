// SPDX-License-Identifier: GPL-2.0-only
/* Tests of user/model/held.h: frames wait in their order, bounded in number and in time. */
#include "unit.h"

#include "model/held.h"

#define FRAMES  8u
#define WAIT_MS 100u

static struct held_frame frame_of(uint32_t datagram, uint8_t mark)
{
	struct held_frame frame = {.head = {.key = {.id = datagram, .family = 4}, .length = 60}};

	memset(frame.data, mark, sizeof(frame.data));
	return frame;
}

static bool add(struct held *held, uint32_t datagram, uint8_t mark, uint64_t now_ms)
{
	const struct held_frame frame = frame_of(datagram, mark);

	return held_add(held, &frame, now_ms);
}

/* The mark of the next frame of this datagram, or -1. */
static int take(struct held *held, uint32_t datagram)
{
	const struct held_frame want = frame_of(datagram, 0);
	const struct held_frame *frame = held_take(held, &want.head.key);

	if (!frame)
		return -1;
	assert_int_equal(frame->head.length, 60);
	assert_int_equal(frame->data[59], frame->data[0]);
	return frame->data[0];
}

static size_t walk(const struct held *held)
{
	size_t place = 0, count = 0;

	while (held_next(held, &place))
		count++;
	return count;
}

static void frames_leave_in_their_order(void **context)
{
	struct held *held = held_new(FRAMES, WAIT_MS);

	(void)context;
	assert_int_equal(take(held, 1), -1);
	assert_false(add(held, 1, 10, 0));
	assert_false(add(held, 2, 20, 0));
	assert_false(add(held, 1, 11, 0));
	assert_int_equal(held_count(held), 3);
	assert_int_equal(walk(held), 3);
	assert_int_equal(take(held, 1), 10);
	assert_int_equal(take(held, 1), 11);
	assert_int_equal(take(held, 1), -1);
	assert_int_equal(walk(held), 1);
	assert_int_equal(take(held, 2), 20);
	assert_int_equal(held_count(held), 0);
	held_free(held);
}

static void oldest_makes_room(void **context)
{
	struct held *held = held_new(FRAMES, WAIT_MS);

	(void)context;
	for (uint8_t i = 0; i < FRAMES; i++)
		assert_false(add(held, i, i, 0));
	assert_true(add(held, 100, 100, 0));
	assert_int_equal(held_count(held), FRAMES);
	assert_int_equal(take(held, 0), -1);
	assert_int_equal(take(held, 100), 100);
	assert_int_equal(take(held, 1), 1);
	held_free(held);
}

static void time_is_over(void **context)
{
	struct held *held = held_new(FRAMES, WAIT_MS);

	(void)context;
	add(held, 1, 1, 1000);
	add(held, 2, 2, 1050);
	add(held, 3, 3, 1050);
	assert_int_equal(held_expire(held, 1000 + WAIT_MS - 1), 0);
	assert_int_equal(held_expire(held, 1000 + WAIT_MS), 1);
	assert_int_equal(take(held, 1), -1);
	assert_int_equal(take(held, 2), 2);
	assert_int_equal(held_expire(held, 5000), 1);
	assert_int_equal(held_expire(held, 9000), 0);
	assert_int_equal(held_count(held), 0);
	held_free(held);
}

/* Against a plain list: the same frames, in the same order, whatever is done. */
static void nothing_is_lost_or_doubled(void **context)
{
	struct held *held = held_new(FRAMES, WAIT_MS);
	uint32_t datagrams[FRAMES + 1];
	uint8_t marks[FRAMES + 1];
	size_t count = 0;
	uint64_t random = 1;

	(void)context;
	for (int step = 0; step < 100000; step++) {
		uint32_t datagram = (uint32_t)unit_next(&random) % 5;
		uint8_t mark = (uint8_t)step;
		size_t i = 0;

		if (unit_next(&random) % 2) {
			assert_int_equal(add(held, datagram, mark, 0), count == FRAMES);
			datagrams[count] = datagram;
			marks[count++] = mark;
			if (count <= FRAMES)
				continue;
		} else {
			while (i < count && datagrams[i] != datagram)
				i++;
			assert_int_equal(take(held, datagram), i < count ? marks[i] : -1);
			if (i == count)
				continue;
		}
		/* The one at i has left; of those that had to make room, the oldest. */
		count--;
		memmove(&datagrams[i], &datagrams[i + 1], (count - i) * sizeof(datagrams[0]));
		memmove(&marks[i], &marks[i + 1], (count - i) * sizeof(marks[0]));
		assert_int_equal(held_count(held), count);
		assert_int_equal(walk(held), count);
	}
	held_free(held);
}

static const struct CMUnitTest cases[] = {
	CASE(frames_leave_in_their_order,
	     "unit/held: the frames of a datagram leave in their order, those of others stay"),
	CASE(oldest_makes_room, "unit/held: the oldest frame makes room when the list is full"),
	CASE(time_is_over, "unit/held: a frame is forgotten when its time is over, not before"),
	CASE(nothing_is_lost_or_doubled,
	     "unit/held: whatever comes and goes, no frame is lost or comes twice"),
};

UNIT_MAIN("held", cases)

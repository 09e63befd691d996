// SPDX-License-Identifier: GPL-2.0-only
/* Fragments that wait for the first one of their datagram, on the agent's loop. */
#include "agent/fragment.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "model/held.h"

#define FRAMES_MAX 512u

/* What is out of order on a network is so by milliseconds. */
#define WAIT_MS 1000u

/* How often is looked for what has waited too long, or was not told of as the ring was full. */
#define LOOK_MS 50u

/* A flood of fragments must not keep the agent from all else: so many, and a pause. */
#define READ_MAX 256u
#define PAUSE_MS 5u

struct fragments {
	uv_poll_t poll;
	uv_timer_t look, pause;
	unsigned int open; /* handles */
	struct dataplane_fragments *source;
	struct held *held;
	struct fragments_count count;
};

static void frame_return(struct fragments *fragments, const struct held_frame *frame)
{
	int code = dataplane_fragment_return(fragments->source, frame);

	/* The interface may have gone meanwhile. */
	if (code)
		log_debug("a fragment cannot be given back: %s", uv_strerror(code));
	fragments->count.returned++;
}

static void datagram_return(struct fragments *fragments, const struct fragment_key *key)
{
	const struct held_frame *frame;

	while ((frame = held_take(fragments->held, key)))
		frame_return(fragments, frame);
}

static void look(uv_timer_t *timer)
{
	struct fragments *fragments = timer->data;
	const struct fragment_key *key;
	size_t place = 0;

	while ((key = held_next(fragments->held, &place))) {
		struct fragment_key copy = *key;

		if (dataplane_fragment_known(fragments->source, &copy))
			datagram_return(fragments, &copy);
	}
	fragments->count.expired += held_expire(fragments->held, uv_now(timer->loop));
	if (!held_count(fragments->held))
		uv_timer_stop(timer);
}

static void event_take(const struct held_frame *frame, void *data)
{
	struct fragments *fragments = data;

	if (!frame->head.length) {
		datagram_return(fragments, &frame->head.key);
		return;
	}
	/* The first one may have come while this one was on its way here. */
	if (dataplane_fragment_known(fragments->source, &frame->head.key)) {
		frame_return(fragments, frame);
		return;
	}
	fragments->count.displaced +=
		held_add(fragments->held, frame, uv_now(fragments->poll.loop));
	if (!uv_is_active((uv_handle_t *)&fragments->look))
		uv_timer_start(&fragments->look, look, LOOK_MS, LOOK_MS);
}

static void readable(uv_poll_t *poll, int status, int events);

static void pause_end(uv_timer_t *timer)
{
	struct fragments *fragments = timer->data;

	uv_poll_start(&fragments->poll, UV_READABLE, readable);
}

static void readable(uv_poll_t *poll, int status, int events)
{
	struct fragments *fragments = poll->data;

	(void)status;
	(void)events;
	if (!dataplane_fragments_read(fragments->source, READ_MAX))
		return;
	uv_poll_stop(poll);
	uv_timer_start(&fragments->pause, pause_end, PAUSE_MS, 0);
}

static void fragments_free(struct fragments *fragments)
{
	dataplane_fragments_close(fragments->source);
	held_free(fragments->held);
	free(fragments);
}

static void closed(uv_handle_t *handle)
{
	struct fragments *fragments = handle->data;

	if (--fragments->open == 0)
		fragments_free(fragments);
}

void fragments_stop(struct fragments *fragments)
{
	if (!fragments)
		return;
	uv_close((uv_handle_t *)&fragments->poll, closed);
	uv_close((uv_handle_t *)&fragments->look, closed);
	uv_close((uv_handle_t *)&fragments->pause, closed);
}

int fragments_start(uv_loop_t *loop, const struct dataplane *dataplane,
		    struct fragments **ret_fragments, struct error *error)
{
	struct fragments *fragments = calloc(1, sizeof(*fragments));
	int code = -ENOMEM;

	if (fragments)
		fragments->held = held_new(FRAMES_MAX, WAIT_MS);
	if (!fragments || !fragments->held) {
		error_set(error, code, "out of memory for fragments");
		goto failed;
	}
	code = dataplane_fragments_open(dataplane, event_take, fragments, &fragments->source,
					error);
	if (code)
		goto failed;
	code = uv_poll_init(loop, &fragments->poll, dataplane_fragments_fd(fragments->source));
	if (code) {
		error_set(error, code, "fragments: cannot wait for them: %s", uv_strerror(code));
		goto failed;
	}
	/* These cannot fail. */
	uv_timer_init(loop, &fragments->look);
	uv_timer_init(loop, &fragments->pause);
	fragments->open = 3;
	fragments->poll.data = fragments->look.data = fragments->pause.data = fragments;
	code = uv_poll_start(&fragments->poll, UV_READABLE, readable);
	if (code) {
		fragments_stop(fragments);
		return error_set(error, code, "fragments: cannot wait for them: %s",
				 uv_strerror(code));
	}
	*ret_fragments = fragments;
	return 0;

failed:
	if (fragments)
		fragments_free(fragments);
	return code;
}

void fragments_count(const struct fragments *fragments, struct fragments_count *ret_count)
{
	*ret_count = fragments->count;
	ret_count->held = held_count(fragments->held);
}

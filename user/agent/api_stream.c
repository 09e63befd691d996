// SPDX-License-Identifier: GPL-2.0-only
/* Answers that come as they are made: suspended while there is nothing, kept alive by empty lines. */
#include "agent/api_stream.h"

#include <stdlib.h>

/* Well below the idle time-out, so that a reader who reads is never let go. */
#define BEAT_MS 3000u

struct stream {
	struct stream *next, **link;
	struct http_streams *streams;
	struct MHD_Connection *connection;
	struct http_stream source;
	bool waiting; /* the library does not look at it, until it is resumed */
	bool beat;    /* to be sent an empty line */
};

static void beat_expired(uv_timer_t *timer)
{
	struct http_streams *streams =
		(struct http_streams *)((char *)timer - offsetof(struct http_streams, beat));

	for (struct stream *stream = streams->first; stream; stream = stream->next)
		stream->beat = true;
	streams->beat_due(streams->context);
}

void streams_init(struct http_streams *streams, uv_loop_t *loop, void (*beat_due)(void *context),
		  void *context)
{
	*streams = (struct http_streams){.beat_due = beat_due, .context = context};
	uv_timer_init(loop, &streams->beat);
	streams->beat.data = context;
}

static ssize_t stream_read(void *context, uint64_t position, char *buffer, size_t room)
{
	struct stream *stream = context;
	size_t length;

	(void)position;
	if (stream->streams->closing)
		return MHD_CONTENT_READER_END_OF_STREAM;
	length = stream->source.read(stream->source.context, buffer, room);
	if (!length && stream->beat) {
		buffer[0] = '\n';
		length = 1;
	}
	stream->beat = false;
	if (length)
		return (ssize_t)length;
	MHD_suspend_connection(stream->connection);
	stream->waiting = true;
	return 0;
}

static void stream_free(void *context)
{
	struct stream *stream = context;
	struct http_streams *streams = stream->streams;

	stream->source.free(stream->source.context);
	*stream->link = stream->next;
	if (stream->next)
		stream->next->link = stream->link;
	if (!--streams->count && !streams->closing)
		uv_timer_stop(&streams->beat);
	free(stream);
}

struct MHD_Response *streams_response(struct http_streams *streams,
				      struct MHD_Connection *connection,
				      const struct http_stream *source)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	struct MHD_Response *reply = NULL;

	if (stream)
		reply = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16384, stream_read,
							  stream, stream_free);
	if (!reply) {
		source->free(source->context);
		free(stream);
		return NULL;
	}
	*stream = (struct stream){
		.next = streams->first,
		.link = &streams->first,
		.streams = streams,
		.connection = connection,
		.source = *source,
	};
	if (stream->next)
		stream->next->link = &stream->next;
	streams->first = stream;
	if (!streams->count++)
		uv_timer_start(&streams->beat, beat_expired, BEAT_MS, BEAT_MS);
	return reply;
}

bool streams_resume(struct http_streams *streams)
{
	bool any = false;

	for (struct stream *stream = streams->first; stream; stream = stream->next) {
		if (!stream->waiting)
			continue;
		stream->waiting = false;
		MHD_resume_connection(stream->connection);
		any = true;
	}
	return any;
}

void streams_close(struct http_streams *streams, uv_close_cb closed)
{
	streams->closing = true;
	uv_close((uv_handle_t *)&streams->beat, closed);
}

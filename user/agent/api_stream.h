/* SPDX-License-Identifier: GPL-2.0-only */
/* The HTTP server's answers that come as they are made: who waits, who is woken. */
#ifndef AGENT_API_STREAM_H
#define AGENT_API_STREAM_H

#include <microhttpd.h>

#include "agent/api_http.h"

struct stream;

/* Of one server. */
struct http_streams {
	struct stream *first;
	unsigned int count;
	bool closing;
	uv_timer_t beat;
	void (*beat_due)(void *context); /* to call streams_resume, and to run the server then */
	void *context;
};

/* streams_init - beat.data is the context. */
void streams_init(struct http_streams *streams, uv_loop_t *loop, void (*beat_due)(void *context),
		  void *context);

/* streams_response - takes the source, also on an error. NULL: no memory. */
struct MHD_Response *streams_response(struct http_streams *streams,
				      struct MHD_Connection *connection,
				      const struct http_stream *source);

/* streams_resume - let the library look at those that wait. Whether there were any. */
bool streams_resume(struct http_streams *streams);

/* streams_close - each ends when it is looked at the next time. */
void streams_close(struct http_streams *streams, uv_close_cb closed);

#endif

// SPDX-License-Identifier: GPL-2.0-only
/* Fragments between the data plane and the agent: handed over by a ring, and given back. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "agent/dataplane_private.h"
#include "sluice.skel.h"

struct dataplane_fragments {
	const struct dataplane *dataplane;
	struct ring_buffer *ring;
	int records;
	size_t left; /* of this reading */
	dataplane_held_fn take;
	void *data;
};

/* An error ends the reading; the event counts as read all the same. */
static int event_take(void *context, void *data, size_t size)
{
	struct dataplane_fragments *fragments = context;
	const struct held_frame *frame = data;

	if (size >= sizeof(frame->head) && frame->head.length <= size - sizeof(frame->head))
		fragments->take(frame, fragments->data);
	return --fragments->left ? 0 : -EAGAIN;
}

int dataplane_fragments_open(const struct dataplane *dataplane, dataplane_held_fn take, void *data,
			     struct dataplane_fragments **ret_fragments, struct error *error)
{
	struct dataplane_fragments *fragments = calloc(1, sizeof(*fragments));
	int code;

	if (!fragments)
		return error_set(error, -ENOMEM, "out of memory");
	fragments->records = bpf_map__fd(dataplane->object->maps.fragments);
	fragments->dataplane = dataplane;
	fragments->take = take;
	fragments->data = data;
	fragments->ring = ring_buffer__new(bpf_map__fd(dataplane->object->maps.held_fragments),
					   event_take, fragments, NULL);
	if (!fragments->ring) {
		code = -errno;
		free(fragments);
		return error_set(error, code, "map held_fragments: cannot be read: %s",
				 strerror(-code));
	}
	*ret_fragments = fragments;
	return 0;
}

void dataplane_fragments_close(struct dataplane_fragments *fragments)
{
	if (!fragments)
		return;
	ring_buffer__free(fragments->ring);
	free(fragments);
}

int dataplane_fragments_fd(const struct dataplane_fragments *fragments)
{
	return ring_buffer__epoll_fd(fragments->ring);
}

bool dataplane_fragments_read(struct dataplane_fragments *fragments, size_t max)
{
	fragments->left = max;
	return ring_buffer__consume(fragments->ring) == -EAGAIN;
}

bool dataplane_fragment_known(const struct dataplane_fragments *fragments,
			      const struct fragment_key *key)
{
	struct fragment_owner owner;

	return bpf_map_lookup_elem(fragments->records, key, &owner) == 0 &&
	       fragment_kind(owner.word) != FRAGMENT_KIND_WAITED;
}

int dataplane_fragment_return(const struct dataplane_fragments *fragments,
			      const struct held_frame *frame)
{
	struct xdp_md context = {
		.data_end = frame->head.length,
		.ingress_ifindex = frame->head.ifindex,
	};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->data,
		    .data_size_in = frame->head.length, .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		    .repeat = 1, .batch_size = 1);

	return bpf_prog_test_run_opts(fragments->dataplane->program, &options);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Running a program many times over the packets of many flows, and timing it. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "wrapper.skel.h"

struct target {
	struct wrapper_bpf *wrapper;
	uint8_t frame[FRAME_LENGTH];
};

#define FLAGS_OFFSET  47
#define SOURCE_OFFSET 26

void frame_fill(uint8_t frame[FRAME_LENGTH], const char *destination, uint8_t flags)
{
	static const uint8_t head[] = {2, 0, 0,  0, 1, 2, 2, 0,  0, 0, 0, 2,  8, 0, 0x45,
				       0, 0, 50, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1};
	static const uint8_t tcp[] = {0x9c, 0x40, 0, BENCH_PORT, 0,    0, 0,    1,
				      0,    0,    0, 1,          0x50, 0, 0xff, 0xff};

	memset(frame, 0, FRAME_LENGTH);
	memcpy(frame, head, sizeof(head));
	if (inet_pton(AF_INET, destination, frame + sizeof(head)) != 1)
		die("%s: not an IPv4 address", destination);
	memcpy(frame + sizeof(head) + 4, tcp, sizeof(tcp));
	frame[FLAGS_OFFSET] = flags;
}

void frame_source(uint8_t frame[FRAME_LENGTH], uint32_t source)
{
	source = htonl(source);
	memcpy(frame + SOURCE_OFFSET, &source, sizeof(source));
}

struct target *target_new(int program_fd, const struct stream *stream)
{
	struct target *target = calloc(1, sizeof(*target));
	uint32_t index = 0;

	if (!target)
		die("out of memory");
	target->wrapper = wrapper_bpf__open();
	if (!target->wrapper)
		die("the wrapper cannot be opened: %s", strerror(errno));
	target->wrapper->rodata->frame_length = FRAME_LENGTH;
	target->wrapper->rodata->flow_mask = stream->flows - 1;
	if (stream->first_source)
		target->wrapper->rodata->first_source = stream->first_source;
	if (wrapper_bpf__load(target->wrapper))
		die("the wrapper cannot be loaded: %s", strerror(errno));
	if (program_fd < 0)
		program_fd = bpf_program__fd(target->wrapper->progs.nothing);
	if (bpf_map_update_elem(bpf_map__fd(target->wrapper->maps.target), &index, &program_fd, 0))
		die("the program cannot be put behind the wrapper: %s", strerror(errno));
	frame_fill(target->frame, stream->destination, stream->flags ? stream->flags : FRAME_ACK);
	return target;
}

void target_free(struct target *target)
{
	if (!target)
		return;
	wrapper_bpf__destroy(target->wrapper);
	free(target);
}

static double program_run(int fd, const uint8_t *frame, uint32_t packets)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = FRAME_LENGTH,
		    .repeat = (int)packets);
	double start = clock_thread_ns();

	if (bpf_prog_test_run_opts(fd, &options))
		die("a test run failed: %s", strerror(errno));
	if (!options.retval)
		die("a test run ended in XDP_ABORTED; the benchmark itself is wrong");
	return (clock_thread_ns() - start) / packets;
}

double target_run(struct target *target, uint32_t packets)
{
	return program_run(bpf_program__fd(target->wrapper->progs.wrapper), target->frame, packets);
}

double swap_run(uint32_t packets)
{
	const struct stream stream = {.destination = BENCH_VIP, .flows = 1};
	struct target *target = target_new(-1, &stream);
	double ns =
		program_run(bpf_program__fd(target->wrapper->progs.swap), target->frame, packets);

	target_free(target);
	return ns;
}

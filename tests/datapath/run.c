// SPDX-License-Identifier: GPL-2.0-only
/* A frame through a program, by BPF_PROG_RUN or over namespaces, and what came of it. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <string.h>

#include "decap.skel.h"
#include "keep.h"
#include "lab.h"
#include "sluice.skel.h"

struct verdicts {
	struct verdict_counter sums[VERDICT_COUNT];
};

static void verdicts_read(const struct lab *lab, struct verdicts *ret_verdicts)
{
	memset(ret_verdicts, 0, sizeof(*ret_verdicts));
	for (uint32_t i = 0; i < lab->cpus * VERDICT_COUNT; i++) {
		struct verdict_counter *sum = &ret_verdicts->sums[i % VERDICT_COUNT];

		sum->packets += lab->verdict_counters[i].packets;
		sum->bytes += lab->verdict_counters[i].bytes;
	}
	ret_verdicts->sums[VERDICT_PASS_NOT_IP].packets -= lab->marks;
}

/* Every packet moves one counter, by one. */
static void verdict_find(const struct verdicts *before, const struct verdicts *after,
			 struct result *ret_result)
{
	unsigned int moved = 0;

	for (uint32_t i = 0; i < VERDICT_COUNT; i++) {
		const struct verdict_counter *old = &before->sums[i], *new = &after->sums[i];

		if (new->packets == old->packets)
			continue;
		assert_int_equal(new->packets - old->packets, 1);
		ret_result->verdict = (enum verdict)i;
		ret_result->bytes = new->bytes - old->bytes;
		moved++;
	}
	assert_int_equal(moved, 1);
}

static uint32_t program_run(const struct bpf_program *program, const struct frame *frame,
			    struct frame *ret_frame)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->data,
		    .data_size_in = (uint32_t)frame->length, .data_out = ret_frame->data,
		    .data_size_out = FRAME_MAX, .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(program), &options), 0);
	ret_frame->length = options.data_size_out;
	return options.retval;
}

static bool is_dropped(enum verdict verdict)
{
#define RUN_ACTION(name, label, action, meaning) [VERDICT_##name] = VERDICT_ACTION_##action,
	static const enum verdict_action actions[] = {SLUICE_VERDICTS(RUN_ACTION)};

	return actions[verdict] == VERDICT_ACTION_DROP;
}

/* The action is what is seen: by which interface the frame came out, if at all. */
static uint32_t action_seen(struct wire *wire, const struct wire_port *port, bool arrives,
			    const struct frame *frame, struct frame *ret_frame)
{
	switch (wire_receive(wire, port, arrives, ret_frame)) {
	case WIRE_BACK:
		return XDP_TX;
	case WIRE_OTHER:
		return XDP_REDIRECT;
	case WIRE_STACK:
		return XDP_PASS;
	case WIRE_NOWHERE:
		break;
	}
	*ret_frame = *frame;
	return XDP_DROP;
}

static int backend_number(const struct result *result)
{
	if (result->action != XDP_TX && result->action != XDP_REDIRECT)
		return -1;
	return result->frame.data[1] == 0xdd ? result->frame.data[5] : -1;
}

bool lab_carries(const struct lab *lab, const struct frame *frame)
{
	return !lab->wire || wire_carries(frame);
}

uint32_t lab_frames(const struct lab *lab, uint32_t frames, uint32_t on_wire)
{
	return lab->wire ? on_wire : frames;
}

void lab_run(struct lab *lab, const struct frame *frame, struct result *ret_result)
{
	const struct bpf_program *program = lab->variant->progs.sluice;
	struct verdicts before, after;

	keep_sent(frame);
	verdicts_read(lab, &before);
	if (lab->wire) {
		wire_send(lab->wire, &lab->wire->balancer, bpf_program__fd(program), frame);
		lab->marks++;
	} else {
		ret_result->action = program_run(program, frame, &ret_result->frame);
	}
	verdicts_read(lab, &after);
	verdict_find(&before, &after, ret_result);
	if (lab->wire)
		ret_result->action =
			action_seen(lab->wire, &lab->wire->balancer,
				    !is_dropped(ret_result->verdict), frame, &ret_result->frame);
	ret_result->backend = backend_number(ret_result);
	if (ret_result->action != XDP_DROP)
		keep_got(&ret_result->frame);
}

int lab_send(struct lab *lab, const struct spec *spec)
{
	struct result result;
	struct frame frame;

	frame_build(&frame, spec);
	lab_run(lab, &frame, &result);
	return result.backend;
}

uint32_t lab_decap(struct lab *lab, const struct frame *frame, struct frame *ret_frame)
{
	const struct bpf_program *program = lab->decap->progs.decap;
	uint32_t action;

	keep_sent(frame);
	if (!lab->wire) {
		action = program_run(program, frame, ret_frame);
	} else {
		wire_send(lab->wire, &lab->wire->backend, bpf_program__fd(program), frame);
		lab->decap_marks++;
		action = action_seen(lab->wire, &lab->wire->backend, true, frame, ret_frame);
	}
	keep_got(ret_frame);
	return action;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames in several buffers: jumbo frames. What lies between data and data_end is the first one, in
 * which all headers are. Programs that define JUMBO_FRAMES look further; for the others, and where the
 * parsers are tested on the host, nothing is behind data_end.
 *
 * It is not for all to define: the call of a helper, though hardly ever made, takes registers from
 * what is around it, and makes every packet dearer by 2 of 41 ns. The section is xdp.frags for both:
 * a device map takes programs of one kind only, and the two follow each other over the same maps.
 */
#ifndef BPF_FRAME_H
#define BPF_FRAME_H

#include <linux/types.h>

#include "compiler.h"

#ifdef JUMBO_FRAMES
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#endif

/*
 * frame_has - whether `length` bytes from `start` on are there, which is at this offset in the frame.
 * frame: the context of the program.
 */
static __always_inline bool frame_has(const void *frame, const void *start, __u32 offset,
				      __u32 length, const void *end)
{
	if (likely(start + length <= end))
		return true;
#ifdef JUMBO_FRAMES
	return offset + length <= bpf_xdp_get_buff_len((struct xdp_md *)frame);
#else
	(void)frame;
	(void)offset;
	return false;
#endif
}

#endif

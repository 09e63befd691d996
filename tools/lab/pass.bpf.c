// SPDX-License-Identifier: GPL-2.0-only
/* Passes everything: the peer of a veth needs some native program, or it never sees XDP_TX. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("xdp.frags")
int pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";

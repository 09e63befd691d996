// SPDX-License-Identifier: GPL-2.0-only
/*
 * A test run with `repeat` does not restore the packet, so that an encapsulating program would
 * see its own output. This program restores the packet, makes it the next flow's, and tail-calls
 * the program that is measured. Its own cost is measured with the target "nothing", and includes
 * a move of the packet's head whether there is one or not.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* Set before the load. */
const volatile __u32 frame_length = 64;
const volatile __u32 flow_mask = 0; /* number of flows - 1 */
const volatile __u32 first_source = 0x0a000000;

/* The flow of the next packet; test runs are one after another. */
__u64 turn;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target SEC(".maps");

SEC("xdp.frags")
int wrapper(struct xdp_md *ctx)
{
	__s64 length = (long)ctx->data_end - (long)ctx->data;
	struct ethhdr *ethernet;
	struct tcphdr *tcp;
	struct iphdr *ip;
	void *end;

	/* Subtracted here, or clang subtracts the pointers in 32 bits, which is not allowed. */
	asm volatile("" : "+r"(length));
	if (bpf_xdp_adjust_head(ctx, (int)(length - frame_length)))
		return XDP_ABORTED;
	ethernet = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	ip = (void *)(ethernet + 1);
	tcp = (void *)(ip + 1);
	if ((void *)(tcp + 1) > end)
		return XDP_ABORTED;
	*(__u64 *)ethernet = 0x0000020100000002ULL;
	*(__u32 *)((void *)ethernet + 8) = 0x02000000;
	ethernet->h_proto = bpf_htons(ETH_P_IP);
	ip->saddr = bpf_htonl(first_source + ((__u32)turn & flow_mask));
	turn++;
	bpf_tail_call_static(ctx, &target, 0);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int nothing(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_TX;
}

/* The least that a forwarder of any kind does. */
SEC("xdp.frags")
int swap(struct xdp_md *ctx)
{
	struct ethhdr *ethernet = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u16 *words = (__u16 *)ethernet;

	if ((void *)(ethernet + 1) > end)
		return XDP_DROP;
	for (int i = 0; i < 3; i++) {
		__u16 word = words[i];

		words[i] = words[i + 3];
		words[i + 3] = word;
	}
	return XDP_TX;
}

char _license[] SEC("license") = "GPL";

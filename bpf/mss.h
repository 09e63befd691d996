/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Clamping the maximum segment size that a client's SYN offers, so that the backend's segments to it
 * are no longer: lowered, never raised. A SYN without the option means 536, or 1220 with IPv6
 * (RFC 9293), and gets the option with no more than that.
 */
#ifndef BPF_MSS_H
#define BPF_MSS_H

#include "checksum.h"
#include "maps.h"
#include "parse.h"

#define TCP_OPTION_END     0
#define TCP_OPTION_NOTHING 1
#define TCP_OPTION_MSS     2
#define TCP_OPTIONS_MAX    40u
#define MSS_OPTION_LENGTH  4u
#define MSS_DEFAULT_IPV4   536u
#define MSS_DEFAULT_IPV6   1220u

/* What mss_find returns beside an offset: there is none, or the list is not to be understood. */
#define MSS_ABSENT 64u
#define MSS_BROKEN 65u

/* The options of a TCP header; the room behind them lets a masked index be any. */
struct tcp_options {
	__u8 bytes[64];
};

/* mss_find - the offset of the MSS option among so many bytes of options. */
static __always_inline __u32 mss_find(const struct tcp_options *options, __u32 length)
{
	__u32 at = 0;

	for (__u32 i = 0; i < TCP_OPTIONS_MAX; i++) {
		__u32 kind, size;

		/* One state for the verifier, whichever way it came by. */
		OPAQUE(at);
		at &= 63;
		if (at >= length)
			return MSS_ABSENT;
		kind = options->bytes[at];
		size = options->bytes[(at + 1) & 63];
		if (kind == TCP_OPTION_NOTHING)
			size = 1;
		/* What came behind an end of the list would not be read. */
		if (kind == TCP_OPTION_END || !size || at + size > length)
			return MSS_BROKEN;
		if (kind == TCP_OPTION_MSS)
			return size == MSS_OPTION_LENGTH ? at : MSS_BROKEN;
		at += size;
	}
	return MSS_BROKEN;
}

/* Where things are in a SYN. */
struct syn {
	__u32 network; /* offset of the IP header in the frame */
	__u32 header;  /* that of the TCP header */
	__u32 end;     /* that of the end of the IP packet */
	__u32 family;
	__be16 ip_length; /* the word of it in the IP header */
	__sum16 ip_check; /* IPv4 */
	struct tcphdr tcp;
};

static __always_inline bool syn_read_ipv4(const void *data, const void *end, struct syn *syn)
{
	const struct iphdr *ip = data + syn->network;

	if ((const void *)(ip + 1) > end || ip->protocol != IPPROTO_TCP ||
	    ip->frag_off & (IPV4_FRAGMENT_MORE | IPV4_FRAGMENT_OFFSET))
		return false;
	syn->header = syn->network + (*(const __u8 *)ip & 0x0f) * 4u;
	syn->end = syn->network + length_read(ip->tot_len);
	syn->ip_length = ip->tot_len;
	syn->ip_check = ip->check;
	return true;
}

/* Behind extension headers it is left as it is. */
static __always_inline bool syn_read_ipv6(const void *data, const void *end, struct syn *syn)
{
	const struct ipv6hdr *ip = data + syn->network;

	if ((const void *)(ip + 1) > end || ip->nexthdr != IPPROTO_TCP)
		return false;
	syn->header = syn->network + (__u32)sizeof(*ip);
	syn->end = syn->header + length_read(ip->payload_len);
	syn->ip_length = ip->payload_len;
	return true;
}

static __always_inline __u32 syn_options_length(const struct syn *syn)
{
	return syn->tcp.doff * 4u - (__u32)sizeof(struct tcphdr);
}

static __always_inline void mss_lower(struct xdp_md *ctx, struct syn *syn, __u32 at, __be16 before,
				      __be16 after)
{
	__u32 place = syn->header + (__u32)sizeof(struct tcphdr) + at + 2;

	if (bpf_xdp_store_bytes(ctx, place, &after, sizeof(after)))
		return;
	/* At an odd offset the sum has the two bytes the other way round. */
	if (at & 1) {
		before = (__be16)__builtin_bswap16(before);
		after = (__be16)__builtin_bswap16(after);
	}
	syn->tcp.check = checksum_change(syn->tcp.check, before, after);
	bpf_xdp_store_bytes(ctx, syn->header, &syn->tcp, sizeof(syn->tcp));
}

static __always_inline __be16 length_longer(__be16 length)
{
	return (__be16)swap_be16((__u16)(length_read(length) + MSS_OPTION_LENGTH));
}

static __always_inline void ip_lengthen(struct xdp_md *ctx, struct syn *syn)
{
	__be16 length = length_longer(syn->ip_length);

	if (syn->family == 6) {
		bpf_xdp_store_bytes(ctx, syn->network + offsetof(struct ipv6hdr, payload_len),
				    &length, sizeof(length));
		return;
	}
	syn->ip_check = checksum_change(syn->ip_check, syn->ip_length, length);
	bpf_xdp_store_bytes(ctx, syn->network + offsetof(struct iphdr, tot_len), &length,
			    sizeof(length));
	bpf_xdp_store_bytes(ctx, syn->network + offsetof(struct iphdr, check), &syn->ip_check,
			    sizeof(syn->ip_check));
}

/* The longest frame that a SYN without data is: two VLAN tags, an IPv4 header with all options. */
#define SYN_FRAME_MAX 142u

/* mss_move - make room for the option by moving all that is before it; true if it could be had. */
static __always_inline bool mss_move(struct xdp_md *ctx, __u32 end)
{
	if (bpf_xdp_adjust_head(ctx, -(int)MSS_OPTION_LENGTH))
		return false;
	for (__u32 at = 0; at < SYN_FRAME_MAX && at < end; at += sizeof(__u16)) {
		__u16 word = 0;

		if (bpf_xdp_load_bytes(ctx, at + MSS_OPTION_LENGTH, &word, sizeof(word)) ||
		    bpf_xdp_store_bytes(ctx, at, &word, sizeof(word)))
			return false;
	}
	return true;
}

/* Put the option behind the others, where a SYN without data ends. Returns by how much it grew. */
static __always_inline __u32 mss_add(struct xdp_md *ctx, struct syn *syn, __be16 mss)
{
	__be16 option[2] = {CONSTANT_BE16(TCP_OPTION_MSS << 8 | MSS_OPTION_LENGTH), mss};
	__u32 header_length = syn->tcp.doff * 4u, tcp_length = syn->end - syn->header;
	__u32 frame = (__u32)bpf_xdp_get_buff_len(ctx), end = syn->end + MSS_OPTION_LENGTH;
	__be16 *words = (__be16 *)&syn->tcp, before = words[6];

	if (tcp_length != header_length ||
	    header_length + MSS_OPTION_LENGTH > sizeof(struct tcphdr) + TCP_OPTIONS_MAX)
		return 0;
	/* Padding gives room, too; and not every driver has some behind the frame. */
	if (end > frame && bpf_xdp_adjust_tail(ctx, (int)(end - frame)) && !mss_move(ctx, syn->end))
		return 0;
	if (bpf_xdp_store_bytes(ctx, syn->end, option, sizeof(option)))
		return 0;
	syn->tcp.doff++;
	syn->tcp.check = checksum_change(syn->tcp.check, before, words[6]);
	syn->tcp.check = checksum_change(syn->tcp.check, 0, option[0]);
	syn->tcp.check = checksum_change(syn->tcp.check, 0, option[1]);
	/* The length in the pseudo header. */
	syn->tcp.check = checksum_change(syn->tcp.check, swap_be16((__u16)tcp_length),
					 swap_be16((__u16)(tcp_length + MSS_OPTION_LENGTH)));
	bpf_xdp_store_bytes(ctx, syn->header, &syn->tcp, sizeof(syn->tcp));
	ip_lengthen(ctx, syn);
	return MSS_OPTION_LENGTH;
}

/* Read the options, and the place of the MSS among them. */
static __always_inline __u32 mss_read(struct xdp_md *ctx, const struct syn *syn, __be16 *ret_mss)
{
	struct tcp_options options = {0};
	__u64 last = syn_options_length(syn) - 1;
	__u32 at;

	/* The verifier sees that it is not 0; without options it is huge. */
	OPAQUE(last);
	if (last >= TCP_OPTIONS_MAX)
		return MSS_ABSENT;
	if (bpf_xdp_load_bytes(ctx, syn->header + (__u32)sizeof(struct tcphdr), options.bytes,
			       (__u32)last + 1))
		return MSS_BROKEN;
	at = mss_find(&options, (__u32)last + 1);
	if (at < MSS_ABSENT)
		*ret_mss = (__be16)swap_be16(
			(__u16)(options.bytes[(at + 2) & 63] << 8 | options.bytes[(at + 3) & 63]));
	return at;
}

/* Whether it is one: most packets are not, and end here. */
static __always_inline bool syn_is(const void *data, const void *end, const struct syn *syn)
{
	const struct tcphdr *tcp = data + (syn->header & 127);

	return (const void *)(tcp + 1) <= end && tcp->syn;
}

/*
 * mss_clamp - see above; of a packet of the service that parse_packet took. Returns by how many bytes
 * it is longer now. Out of line, as few services ask for it, and global: the verifier looks at it
 * once. That the packet is a SYN is read again here: what the parser read would have to stay in
 * memory, and make as many more states for the verifier.
 */
noinline __u32 mss_clamp(struct xdp_md *ctx, __u32 link_length, __u32 family, __u32 service_id)
{
	const void *data = (const void *)(long)ctx->data;
	const void *end = (const void *)(long)ctx->data_end;
	const struct service *service = bpf_map_lookup_elem(&services, &service_id);
	struct syn syn = {.network = link_length & 31, .family = family};
	__u32 at, limit = family == 4 ? MSS_DEFAULT_IPV4 : MSS_DEFAULT_IPV6, mss;
	__be16 offered = 0;

	if (!service || !service->mss)
		return 0;
	mss = service->mss;
	if (!(family == 4 ? syn_read_ipv4(data, end, &syn) : syn_read_ipv6(data, end, &syn)) ||
	    !syn_is(data, end, &syn))
		return 0;
	if (bpf_xdp_load_bytes(ctx, syn.header, &syn.tcp, sizeof(syn.tcp)))
		return 0;
	at = mss_read(ctx, &syn, &offered);
	if (at == MSS_ABSENT)
		return mss_add(ctx, &syn, (__be16)swap_be16((__u16)(mss < limit ? mss : limit)));
	if (at < MSS_ABSENT && length_read(offered) > mss)
		mss_lower(ctx, &syn, at, offered, (__be16)swap_be16((__u16)mss));
	return 0;
}

#endif

// SPDX-License-Identifier: GPL-2.0-only
/* The data plane: what happens to a packet, step by step; each step is a header of its own. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "count.h"
#include "forward.h"
#include "fragment.h"
#include "guard.h"
#include "icmp_error.h"
#include "maps.h"
#include "packet.h"
#include "parse.h"
#include "pick.h"
#include "quic_pick.h"
#include "service.h"

/* What few services ask for comes first, behind one branch. */
static __always_inline enum verdict service_pick(struct xdp_md *ctx, const struct packet *packet,
						 struct route *route)
{
	const struct service *service = route->service;
	enum verdict verdict;

	if (unlikely(service->guard | service->quic_id_length)) {
		verdict = service->guard ? guard_check(packet, route) : VERDICT_NONE;
		if (verdict != VERDICT_NONE)
			return verdict;
		if (service->quic_id_length && quic_pick(ctx, packet, route))
			return VERDICT_NONE;
	}
	return backend_pick(packet, route);
}

/* The family is a constant here, so that either one's path is straight. */
static __always_inline enum verdict balance(struct xdp_md *ctx, struct packet *packet,
					    struct route *route, __u8 family)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	enum verdict verdict;

	packet->frame = ctx;
	packet->key.family = family;
	verdict = parse_destination(data, end, packet);
	if (verdict != VERDICT_NONE)
		return verdict;
	if (likely(!vip_is_possible(packet)))
		return VERDICT_PASS_NOT_VIP;

	verdict = parse_packet(data, end, packet);
	if (unlikely(verdict != VERDICT_NONE))
		return vip_answer(packet, verdict);

	if (unlikely(packet->fragment == FRAGMENT_LATER)) {
		verdict = fragment_follow(ctx, packet, route);
	} else {
		verdict = service_find(packet, route);
		if (verdict == VERDICT_NONE)
			verdict = service_pick(ctx, packet, route);
		if (unlikely(packet->fragment == FRAGMENT_FIRST))
			fragment_record(packet, route, verdict);
	}
	if (unlikely(verdict == VERDICT_PASS_ICMP))
		verdict = icmp_pick(ctx, packet, route);
	/* By order: that a verdict is another one, the verifier of 6.1 does not see. */
	if (unlikely(verdict < VERDICT_NONE))
		return verdict;
	return forward(ctx, packet, route);
}

static __always_inline enum verdict balance_any(struct xdp_md *ctx, struct packet *packet,
						struct route *route)
{
	__be16 type = parse_link((void *)(long)ctx->data, (void *)(long)ctx->data_end, packet);

	switch (ethertype_family(type)) {
	case 4:
		return balance(ctx, packet, route, 4);
	case 6:
		return balance(ctx, packet, route, 6);
	default:
		return VERDICT_PASS_NOT_IP;
	}
}

/* The one place where a verdict becomes an XDP action. */
#define ACTION_CASE(name, label, action, meaning) \
	case VERDICT_##name:                      \
		return VERDICT_ACTION_##action;

static __always_inline enum verdict_action verdict_action(enum verdict verdict)
{
	switch (verdict) {
		SLUICE_VERDICTS(ACTION_CASE)
	default:
		return VERDICT_ACTION_DROP;
	}
}

static __always_inline int forward_out(const struct xdp_md *ctx, const struct route *route)
{
	if (likely(route->ifindex == ctx->ingress_ifindex))
		return XDP_TX;
	return (int)bpf_redirect_map(&egress_ports, route->egress, 0);
}

static __always_inline int verdict_apply(struct xdp_md *ctx, enum verdict verdict,
					 const struct route *route)
{
	switch (verdict_action(verdict)) {
	case VERDICT_ACTION_PASS:
		return XDP_PASS;
	case VERDICT_ACTION_DROP:
		return XDP_DROP;
	case VERDICT_ACTION_REPLY:
		return XDP_TX;
	case VERDICT_ACTION_RETURN:
		if (route->ifindex == ctx->ingress_ifindex)
			return XDP_TX;
		return (int)bpf_redirect(route->ifindex, 0);
	case VERDICT_ACTION_FORWARD:
		break;
	}
	return forward_out(ctx, route);
}

SEC("xdp.frags")
int sluice(struct xdp_md *ctx)
{
	struct packet packet;
	/* Zeroed as a whole: with fields left unset the verifier has four times as much to look at. */
	struct route route = {.cpu = bpf_get_smp_processor_id()};
	enum verdict verdict;

	verdict = balance_any(ctx, &packet, &route);
	if (verdict == VERDICT_PASS_NOT_VIP && unlikely(nat_is_used()))
		verdict = nat_return(ctx, &packet, &route);
	count_verdict(verdict, &packet, route.cpu);
	if (route.service)
		count_service(&packet, &route);
	if (likely(verdict_action(verdict) == VERDICT_ACTION_FORWARD)) {
		count_backend(&packet, &route);
		return forward_out(ctx, &route);
	}
	return verdict_apply(ctx, verdict, &route);
}

char _license[] SEC("license") = "GPL";

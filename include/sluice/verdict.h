/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the data plane decided for a packet, with its reason. This list is the only one: the enum,
 * the counters, the Prometheus label, the text of the CLI and the docs all come from it.
 */
#ifndef SLUICE_VERDICT_H
#define SLUICE_VERDICT_H

/* What becomes of the packet; bpf/sluice.bpf.c turns it into an XDP action. */
enum verdict_action {
	VERDICT_ACTION_PASS,    /* to the host's own stack, bytes untouched */
	VERDICT_ACTION_FORWARD, /* rewritten, out by the backend's interface */
	VERDICT_ACTION_RETURN,  /* rewritten, out by the way to its client */
	VERDICT_ACTION_REPLY,   /* answered, out by where it came in */
	VERDICT_ACTION_DROP,
};

/* X(enum name, label, action, meaning) */
#define SLUICE_VERDICTS(X)                                                                         \
	X(PASS_NOT_IP, "pass_not_ip", PASS,                                                        \
	  "no whole IPv4 or IPv6 header: ARP, LLDP and the like")                                  \
	X(PASS_NOT_VIP, "pass_not_vip", PASS, "not addressed to a VIP")                            \
	X(PASS_ICMP, "pass_icmp", PASS,                                                            \
	  "ICMP to a VIP that is about no flow of a service, left to the host")                    \
	X(PASS_NO_SERVICE, "pass_no_service", PASS,                                                \
	  "no service of this VIP takes the protocol and port; the VIP passes such packets")       \
	X(PASS_EMPTY_POOL, "pass_empty_pool", PASS,                                                \
	  "the service has no backend for the flow and passes such packets to the host")           \
	X(FORWARD_L2, "forward_l2", FORWARD, "to a backend by its MAC address")                    \
	X(FORWARD_IPIP, "forward_ipip", FORWARD, "to a backend inside an IP-in-IP tunnel")         \
	X(FORWARD_GUE, "forward_gue", FORWARD,                                                     \
	  "to a backend inside UDP, by generic UDP encapsulation")                                 \
	X(FORWARD_NAT, "forward_nat", FORWARD, "to a backend, under its own address and port")     \
	X(RETURN_NAT, "return_nat", RETURN,                                                        \
	  "what a backend in mode nat answers, on to the client as the VIP's")                     \
	X(PASS_NAT, "pass_nat", PASS,                                                              \
	  "the same, rewritten, but the client's neighbour entry is missing, or the packet too "   \
	  "long: the host's stack goes on")                                                        \
	X(REPLY_ECHO, "reply_echo", REPLY, "a ping to a VIP, answered by the data plane")          \
	X(REPLY_TOO_BIG, "reply_too_big", REPLY,                                                   \
	  "too long for the way to the backend: the client was told by ICMP")                      \
	X(HOLD_FRAGMENT, "hold_fragment", DROP,                                                    \
	  "a later fragment that came before the first one; the agent has it until that comes")    \
	X(DROP_MALFORMED, "drop_malformed", DROP,                                                  \
	  "lengths or versions of the headers contradict each other or the frame")                 \
	X(DROP_BAD_FLAGS, "drop_bad_flags", DROP,                                                  \
	  "TCP flags that no honest sender uses: none, SYN with FIN or RST, FIN with URG and PSH") \
	X(DROP_EXT_CHAIN, "drop_ext_chain", DROP, "too long a chain of IPv6 extension headers")    \
	X(DROP_FRAGMENT, "drop_fragment", DROP,                                                    \
	  "a later fragment of a datagram whose first one is not known, and that was not held")    \
	X(DROP_ICMP_QUOTE, "drop_icmp_quote", DROP,                                                \
	  "an ICMP error whose quote does not tell the flow: too short, or a later fragment")      \
	X(DROP_ECHO_LIMIT, "drop_echo_limit", DROP, "a ping to a VIP above icmp.echo_rate")        \
	X(DROP_DENIED, "drop_denied", DROP, "from a source that the guard denies")                 \
	X(DROP_NEW_FLOW_LIMIT, "drop_new_flow_limit", DROP,                                        \
	  "would open a flow, and its source has opened as many as the service's limit lets it")   \
	X(DROP_TOO_BIG, "drop_too_big", DROP,                                                      \
	  "too long for the way to the backend, and of a kind that gets no ICMP error: no DF set") \
	X(DROP_ERROR_LIMIT, "drop_error_limit", DROP, "as reply_too_big, above icmp.error_rate")   \
	X(DROP_NO_SERVICE, "drop_no_service", DROP,                                                \
	  "no service of this VIP takes the protocol and port")                                    \
	X(DROP_EMPTY_POOL, "drop_empty_pool", DROP, "the service has no backend for the flow")     \
	X(DROP_NO_NEXTHOP, "drop_no_nexthop", DROP,                                                \
	  "the way to the backend is not known: no route or no neighbour entry")                   \
	X(DROP_LOOP, "drop_loop", DROP,                                                            \
	  "l2: it comes from the very backend that it would go to, or from this host")             \
	X(DROP_TTL, "drop_ttl", DROP,                                                              \
	  "its hop limit ends here: in mode nat this host is a router on the way")                 \
	X(DROP_NO_ROOM, "drop_no_room", DROP, "no headroom in the frame for the tunnel header")

#define SLUICE_VERDICT_ENUM(name, label, action, meaning) VERDICT_##name,
enum verdict {
	SLUICE_VERDICTS(SLUICE_VERDICT_ENUM) VERDICT_COUNT,
	/* Not a verdict: the stage is done and the next one goes on. */
	VERDICT_NONE = VERDICT_COUNT,
};
#undef SLUICE_VERDICT_ENUM

#endif

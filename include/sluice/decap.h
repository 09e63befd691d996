/* SPDX-License-Identifier: GPL-2.0-only */
/* What the backends' program, bpf/decap.bpf.c, shares with those who load it and read its counters. */
#ifndef SLUICE_DECAP_H
#define SLUICE_DECAP_H

/* Outer destinations that it can be told to take. */
#define DECAP_ADDRESSES_MAX 8

/* UDP port of generic UDP encapsulation, by the registry of ports. */
#define GUE_PORT 6080

/* X(enum name, label, meaning): what became of a packet; all of them go to the host's stack. */
#define DECAP_VERDICTS(X)                                                                \
	X(PASS_OTHER, "pass_other", "no tunnel packet; untouched")                       \
	X(PASS_ADDRESS, "pass_address", "a tunnel packet to another address; untouched") \
	X(PASS_FRAGMENT, "pass_fragment", "a fragment of a tunnel packet; untouched")    \
	X(PASS_MALFORMED, "pass_malformed",                                              \
	  "lengths, versions or fields of the headers contradict each other; untouched") \
	X(IPIP, "ipip", "an outer IP header was removed")                                \
	X(GUE, "gue", "outer IP, UDP and GUE headers were removed")

#define DECAP_VERDICT_ENUM(name, label, meaning) DECAP_##name,
/* Indices of map "decap_counters": packets of each, per CPU, of 8 bytes. */
enum decap_verdict {
	DECAP_VERDICTS(DECAP_VERDICT_ENUM) DECAP_VERDICT_COUNT
};
#undef DECAP_VERDICT_ENUM

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the agent gives up once it has started: all capabilities but those of SANDBOX_CAPABILITIES,
 * gaining any (no_new_privs), and all system calls but those of sandbox_calls.h. Executables are
 * started by the runner, which was forked before.
 */
#ifndef AGENT_SANDBOX_H
#define AGENT_SANDBOX_H

#include <stdint.h>

#include "base/error.h"

/*
 * SANDBOX_CAPABILITIES(X) - X(name): what the agent keeps.
 *   NET_ADMIN  XDP links, neighbours, BPF_PROG_RUN
 *   NET_RAW    probes that make packets themselves
 *   BPF        maps and programs: decap, and interfaces that are attached under way
 *   PERFMON    the verifier lets programs do what ours do with pointers, at full speed
 */
#define SANDBOX_CAPABILITIES(X) X(NET_ADMIN) X(NET_RAW) X(BPF) X(PERFMON)

/*
 * sandbox_enter - for the whole process, for good. To be called while it has one thread. Returns 0
 * or -errno with a message.
 */
int sandbox_enter(struct error *error);

/* sandbox_capabilities - the set that is kept, as in CapEff of /proc/PID/status. */
uint64_t sandbox_capabilities(void);

#endif

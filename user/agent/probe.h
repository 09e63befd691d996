/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Probes, each run once: a connection, a datagram, an echo, a request or a command, on the agent's
 * loop. When they run, and what their results mean, is the business of health.h.
 */
#ifndef AGENT_PROBE_H
#define AGENT_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"
#include "base/ip.h"
#include "model/health_config.h"

struct children;
struct prober;
struct probe;

/* Where a probe goes. */
struct probe_target {
	struct ip address; /* what its socket is connected to */
	uint16_t port;     /* host order */
	uint32_t mark;     /* of its packets, see sluice/probe.h; 0: none */
};

#define PROBE_WHY_MAX  160
#define PROBE_TEXT_MAX 4096u

struct probe_result {
	bool passed;
	char why[PROBE_WHY_MAX]; /* in words: what came, or what was wrong */
	const char *text;        /* of questions: the answer, length bytes and a NUL */
	size_t length;
};

/* Called once, from the loop, never from the start itself; the probe is over then. */
typedef void (*probe_done_fn)(void *context, const struct probe_result *result);

/* prober_start - the loop must outlive it; exec probes are run by children. Returns 0 or -errno. */
int prober_start(uv_loop_t *loop, struct children *children, struct prober **ret_prober,
		 struct error *error);

/* prober_stop - after the last probe is over; its memory goes when the loop has closed its handles. */
void prober_stop(struct prober *prober);

/*
 * probe_start - run a probe of this kind; what it needs of the config it reads before it returns.
 * It never ends by time: cancel it. Returns 0, or -errno when it could not begin: done is not called.
 */
int probe_start(struct prober *prober, const struct health_config *config,
		const struct probe_target *target, probe_done_fn done, void *context,
		struct probe **ret_probe);

/* probe_ask - the same for an agent-check: a line by TCP, or what a URL gives. */
int probe_ask(struct prober *prober, const struct agent_check_config *config,
	      const struct probe_target *target, probe_done_fn done, void *context,
	      struct probe **ret_probe);

/* probe_cancel - end it without a result. Takes NULL. */
void probe_cancel(struct probe *probe);

/* prober_poll - take results that have come, before something is judged to be late. */
void prober_poll(struct prober *prober);

#endif

// SPDX-License-Identifier: GPL-2.0-only
/* The sweep over the flow table on the agent's loop: a slice at each turn of a timer. */
#include "agent/sweep.h"

#include <errno.h>
#include <stdlib.h>

#include "agent/dataplane_maps.h"
#include "model/sweep.h"

/* A slice of 4096 buckets (256 KiB) takes well under a millisecond. */
#define SLICE_MS      10
#define SLICE_BUCKETS 4096u

/* A pass takes at least so many slices: a second. */
#define PASS_SLICES 100u

/*
 * Two full passes: a packet that found a backend just before it was retired may write its entry
 * behind the first one.
 */
#define PURGE_PASSES 2u

struct sweeper {
	uv_timer_t timer;
	struct dataplane *dataplane;
	struct sweep *sweep;
	void (*on_purged)(void *data);
	void *data;
	uint32_t slice_buckets;
	uint64_t purge_pass; /* the purge is complete after this pass; 0 = none asked for */
};

static void pass_done(struct sweeper *sweeper)
{
	if (!sweeper->purge_pass || sweep_passes(sweeper->sweep) < sweeper->purge_pass)
		return;
	sweeper->purge_pass = 0;
	if (sweeper->on_purged)
		sweeper->on_purged(sweeper->data);
}

static void slice_run(uv_timer_t *timer)
{
	struct sweeper *sweeper = timer->data;
	uint32_t tick = dataplane_tick(sweeper->dataplane);

	dataplane_flows_tidy(sweeper->dataplane, sweeper->slice_buckets);
	if (sweep_step(sweeper->sweep, sweeper->slice_buckets, tick))
		pass_done(sweeper);
}

int sweeper_start(uv_loop_t *loop, struct dataplane *dataplane, void (*on_purged)(void *data),
		  void *data, struct sweeper **ret_sweeper, struct error *error)
{
	const struct dataplane_maps *maps = dataplane_maps(dataplane);
	const struct sweep_maps swept = {
		.meta = maps->meta,
		.settings = &maps->settings,
		.services = maps->services,
		.slots = maps->slots,
		.backends = maps->backends,
		.loads = maps->loads,
		.flows = maps->flows,
	};
	struct sweeper *sweeper = calloc(1, sizeof(*sweeper));
	int code;

	if (sweeper)
		sweeper->sweep = sweep_new(&swept);
	if (!sweeper || !sweeper->sweep) {
		free(sweeper);
		return error_set(error, -ENOMEM, "out of memory for the sweep of the flow table");
	}
	sweeper->dataplane = dataplane;
	sweeper->on_purged = on_purged;
	sweeper->data = data;
	sweeper->timer.data = sweeper;
	/* A small table is spread over a second, a large one takes a slice at a time. */
	sweeper->slice_buckets = maps->meta->flow_buckets / PASS_SLICES + 1;
	if (sweeper->slice_buckets > SLICE_BUCKETS)
		sweeper->slice_buckets = SLICE_BUCKETS;
	code = uv_timer_init(loop, &sweeper->timer);
	if (!code)
		code = uv_timer_start(&sweeper->timer, slice_run, SLICE_MS, SLICE_MS);
	if (code) {
		sweep_free(sweeper->sweep);
		free(sweeper);
		return error_set(error, code, "the sweep's timer: %s", uv_strerror(code));
	}
	*ret_sweeper = sweeper;
	return 0;
}

static void sweeper_closed(uv_handle_t *handle)
{
	struct sweeper *sweeper = handle->data;

	sweep_free(sweeper->sweep);
	free(sweeper);
}

void sweeper_stop(struct sweeper *sweeper)
{
	if (sweeper)
		uv_close((uv_handle_t *)&sweeper->timer, sweeper_closed);
}

void sweeper_purge(struct sweeper *sweeper)
{
	/* The pass under way does not count: it is past some of the entries already. */
	sweeper->purge_pass = sweep_passes(sweeper->sweep) + 1 + PURGE_PASSES;
}

uint32_t sweeper_live(const struct sweeper *sweeper, uint32_t backend)
{
	return sweep_live(sweeper->sweep, backend);
}

bool sweeper_idle(const struct sweeper *sweeper, uint32_t backend, uint32_t *ret_least,
		  uint32_t *ret_most)
{
	return sweep_idle(sweeper->sweep, backend, ret_least, ret_most);
}

uint64_t sweeper_total(const struct sweeper *sweeper)
{
	return sweep_total(sweeper->sweep);
}

uint64_t sweeper_passes(const struct sweeper *sweeper)
{
	return sweep_passes(sweeper->sweep);
}

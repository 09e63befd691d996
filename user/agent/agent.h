/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The agent: its parts, and the one place that every change goes through. A change is made to a
 * clone of what is wanted, planned, saved, carried out, and only then kept.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "agent/dataplane.h"
#include "agent/desired.h"
#include "agent/doctor.h"
#include "agent/nexthop.h"
#include "agent/runner.h"
#include "agent/sweep.h"
#include "base/error.h"
#include "model/cause.h"
#include "model/config.h"

struct children;
struct fragments;
struct drains;
struct health_monitor;
struct http_server;
struct journal;
struct scaler;

struct agent {
	uv_loop_t *loop;
	char *config_path;
	struct config *config; /* the one applied last */
	struct desired *desired;
	struct journal *journal;
	const struct change_cause *acting; /* for whom interfaces change now; NULL: the agent */
	struct dataplane *dataplane;
	struct nexthops *nexthops;
	struct sweeper *sweeper;
	struct fragments *fragments;
	struct runner runner;      /* started before agent_start, by whoever calls that */
	struct children *children; /* by which provisioners run */
	void (*runner_gone)(struct agent *agent); /* called if the runner ends by itself */
	struct health_monitor *health;
	struct scaler *scaler;
	struct http_server *api, *metrics;
	struct drains *drains;
	struct doctor doctor;
	uint64_t started_ms;
};

/*
 * agent_start - open everything, make the kernel hold what the config and the journal say,
 * and answer on the API. The config becomes the agent's. On error the host is as it was before,
 * but for changes that were complete; agent_stop is to be called in either case.
 */
int agent_start(struct agent *agent, uv_loop_t *loop, const char *config_path,
		struct config *config, struct error *error);

/* agent_stop - close everything; the loop then runs out. Forwarding goes on. */
void agent_stop(struct agent *agent);

/* agent_free - after the loop has run out. */
void agent_free(struct agent *agent);

/* Edits a draft of what is wanted. Returns 0 or -errno with a message: then nothing changes. */
typedef int (*agent_edit_fn)(struct desired *draft, void *context, struct error *error);

struct agent_outcome {
	size_t steps;
	uint32_t slots_moved;
};

/*
 * agent_change - make an edit happen, whole or not at all. cause: who wants it and why; it is only
 * read in the call. ret_outcome may be NULL.
 */
int agent_change(struct agent *agent, const struct change_cause *cause, agent_edit_fn edit,
		 void *context, struct agent_outcome *ret_outcome, struct error *error);

/*
 * agent_event - note what happened that changes nothing wanted, for `sluice events`. event: a word
 * like "interface"; service: whom it concerns, or NULL; the text says what and why.
 */
void agent_event(struct agent *agent, enum cause_kind kind, const char *event, const char *service,
		 const char *format, ...) __attribute__((format(printf, 5, 6)));

/*
 * agent_apply - follow a whole config: services, backends, interfaces. What cannot change while
 * the agent runs (limits, folders, addresses) is refused. The config becomes the agent's, also on
 * error.
 */
int agent_apply(struct agent *agent, const struct change_cause *cause, struct config *config,
		struct agent_outcome *ret_outcome, struct error *error);

/* agent_reload - agent_apply of the config file, read again. */
int agent_reload(struct agent *agent, struct agent_outcome *ret_outcome, struct error *error);

/* agent_config_parse - config_parse, with the list files that the config names. */
int agent_config_parse(const char *text, size_t length, const char *name,
		       struct config **ret_config, struct error *error);

/* agent_config_read - read and check a config file. */
int agent_config_read(const char *path, struct config **ret_config, struct error *error);

/* agent_backend_id, agent_live - of a backend: its index in the maps; its live flows, last sweep. */
uint32_t agent_backend_id(const struct pool *pool, const struct pool_backend *backend);
uint32_t agent_live(const struct agent *agent, const struct pool *pool,
		    const struct pool_backend *backend);

uint64_t clock_wall_ms(void);
uint64_t clock_monotonic_ms(void);

#endif

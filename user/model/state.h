/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the agent wants the kernel to hold: services with their pools, each backend with what is
 * configured, what a person changed at run time, and where it is in its life. Every change is
 * made to a clone, planned against the original, written to the kernel, and only then kept.
 *
 * States share their pools: a clone has those of the original until it edits one, which makes that
 * one pool its own. So a change costs what it changes, and what two states share did not change.
 */
#ifndef MODEL_STATE_H
#define MODEL_STATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/index.h"
#include "model/config.h"
#include "model/health.h"
#include "model/provider.h"

/*
 * intent -> provisioning -> warming -> active <-> draining -> deleting -> gone; or draining ->
 * drained. See life_next in state_health.c: all ways there are.
 */
enum lifecycle {
	LIFE_PROVISIONING = 0, /* its provisioner is creating it; it has no address yet */
	LIFE_ACTIVE,
	LIFE_DRAINING, /* no new flows; existing ones go on until deadline_ms */
	LIFE_DELETING, /* out of the tables; its provisioner is deleting it */
	LIFE_FAILED,   /* its creation or deletion failed; note says how */
	LIFE_DRAINED,  /* its drain reached the deadline: takes no packets until undrained */
	LIFE_WARMING,  /* it waits for its first success, or its weight is on its way up */
};
extern const char *const lifecycle_names[];

enum origin {
	ORIGIN_CONFIG = 0, /* from the config file */
	ORIGIN_RUNTIME,    /* added over the API */
	ORIGIN_AUTOSCALE,  /* created by the autoscaler */
};
extern const char *const origin_names[];

#define NO_NUMBER UINT32_MAX
#define NO_WEIGHT UINT32_MAX

/* What a backend says about itself by its agent-check. */
enum backend_report {
	REPORT_READY = 0, /* or nothing */
	REPORT_DRAIN,     /* no new flows */
	REPORT_MAINT,     /* no packets */
	REPORT_DOWN,      /* it counts as down */
};
extern const char *const backend_report_names[];

/* Operational: what probes and the backend itself say. */
struct backend_health {
	enum health_verdict verdict;
	uint32_t ramp; /* share of the weight, 0..HEALTH_WHOLE */
	enum backend_report report;
	uint32_t report_weight; /* share of the weight that it wants, 0..HEALTH_WHOLE */
};

struct pool_backend {
	char *name;
	struct ip address;
	uint16_t port;           /* host order; 0 = the service's */
	uint32_t weight;         /* configured */
	uint32_t weight_runtime; /* set by a person; NO_WEIGHT = not set */
	bool drain; /* configured; what is in force is in life, which a person may change */
	enum origin origin;
	enum lifecycle life;
	uint64_t deadline_ms; /* LIFE_DRAINING: its end, ms since 1970 by wall clock; 0 = never */
	uint32_t number;      /* the service's own number; NO_NUMBER unless backend_alive() */
	char *note;           /* why it failed, or NULL */
	struct provider *provider; /* ORIGIN_AUTOSCALE: by whom; NULL: by whom the config says */
	bool maint; /* no packets, whatever its health: by a person, or as configured below */
	bool maint_configured;
	struct backend_health health;
	bool dead; /* by its health and that of its pool; see state_health_settle */
};

/* What the config said last of those fields of autoscale that may change at run time. */
struct scale_configured {
	double target;
	uint32_t min, max;
	bool paused;
};

enum number_use {
	NUMBER_FRESH = 0, /* never used */
	NUMBER_RETIRED,   /* its backend is gone; not to be reused before a purge */
	NUMBER_PURGED,    /* may be reused, after the fresh ones */
	NUMBER_USED,      /* a backend has it */
};

struct pool {
	uint32_t users; /* states that have it */
	/*
	 * In force, with run-time changes of .autoscale; .backends is empty: they are below. To be
	 * changed through pool_service_edit() alone.
	 */
	const struct service_config *service;
	struct scale_configured scale_configured;
	enum origin origin;
	uint32_t id;           /* index in map "services" */
	uint32_t backend_base; /* in map "backends" */
	uint32_t backend_capacity;
	uint32_t slot_count;
	uint32_t slot_line[2]; /* the two places of its table in map "slots", in lines */
	struct pool_backend *backends;
	size_t backend_count, backend_room;
	struct index names, addresses; /* of backends; those without an address are not in there */
	uint8_t *numbers;              /* enum number_use of each number below backend_capacity */
	uint32_t fresh_from;           /* no number below is fresh, */
	uint32_t purged_from;          /* none below this one purged */
	uint32_t sequence; /* last number used in a minted name; state_backend_intend keeps it */
};

/* Blocks of the arrays that a removed service leaves: not to be reused before a purge. */
struct retired_block {
	uint32_t service, backend_base, backend_capacity;
	uint32_t slot_count, slot_line[2];
};

struct state_rooms;

struct state {
	struct limits_config limits;
	struct pool **pools; /* shared with other states: see state_pool_edit() */
	size_t pool_count;
	struct index names;        /* of pools */
	struct state_rooms *rooms; /* what is taken of the maps; NULL: to be found out */
	struct retired_block *retired;
	size_t retired_count;
};

struct state *state_new(const struct limits_config *limits);
struct state *state_clone(const struct state *state);
void state_free(struct state *state);

/*
 * state_apply - make the state follow a whole config: services and backends of ORIGIN_CONFIG are
 * added, changed and removed; what came at run time, what a person set and what the autoscaler
 * created stay. A backend that the config dropped goes at once. A run-time value (weight, drain,
 * maint, limits of autoscale) survives unless the config itself changed that field. A service whose
 * VIP, protocol, port or table size changed gets new blocks and numbers. The limits cannot change.
 * Returns 0, -EINVAL, -EEXIST, -ENOSPC or -ENOMEM with a message; on error the state is to be
 * thrown away.
 */
int state_apply(struct state *state, const struct config *config, struct error *error);

/*
 * state_limits_change - have other limits. Pools whose blocks lie beyond them get other blocks, and
 * their backends keep their numbers: for maps that are made anew and filled from the old ones, see
 * dataplane_carry(). Returns 0, -ENOSPC with a message, or -ENOMEM; then the state is to be thrown
 * away.
 */
int state_limits_change(struct state *state, const struct limits_config *limits,
			struct error *error);

/* NULL for what is not there. */
const struct pool *state_pool(const struct state *state, const char *service);
const struct pool_backend *pool_backend(const struct pool *pool, const char *name);

/*
 * state_pool_edit - the pool, made the state's own: it may be changed. Pointers to the pool, and
 * into it, that were had before are those of the other states. 0, -ENOENT or -ENOMEM.
 */
int state_pool_edit(struct state *state, const char *service, struct pool **ret_pool,
		    struct error *error);
/* Of a pool that is the state's own. */
struct service_config *pool_service_edit(struct pool *pool);
struct pool_backend *pool_backend_edit(struct pool *pool, const char *name);

/*
 * All below: 0; -ENOENT for what is not there, -EEXIST for what is there already, -EINVAL for what
 * is wrong or what the backend's life forbids, -ENOSPC for a limit, -ENOMEM; with a message. On
 * -ENOMEM the state is to be thrown away. They may move pools and backends in memory.
 */
int state_service_add(struct state *state, const struct service_config *service, enum origin origin,
		      struct error *error);
int state_service_remove(struct state *state, const char *service, struct error *error);
int state_backend_add(struct state *state, const char *service,
		      const struct backend_config *backend, enum origin origin,
		      struct error *error);
int state_backend_remove(struct state *state, const char *service, const char *name,
			 struct error *error);
/* deadline_ms: wall clock, 0 = none. Draining what drains sets its deadline anew. */
int state_backend_drain(struct state *state, const char *service, const char *name,
			uint64_t deadline_ms, struct error *error);
/* state_backend_drained - the drain's deadline has come: its number is retired, its flows move. */
int state_backend_drained(struct state *state, const char *service, const char *name,
			  struct error *error);
/* Of what drains or has drained. */
int state_backend_undrain(struct state *state, const char *service, const char *name,
			  struct error *error);
int state_backend_weight(struct state *state, const char *service, const char *name,
			 uint32_t weight, struct error *error);

/* The autoscaler's own: an intent without address, then its outcome. */
int state_backend_intend(struct state *state, const char *service, const char *name,
			 struct error *error);
/* state_backend_provider - of what is intended; one user more. */
int state_backend_provider(struct state *state, const char *service, const char *name,
			   struct provider *provider, struct error *error);
int state_backend_created(struct state *state, const char *service, const char *name,
			  const struct ip *address, uint16_t port, struct error *error);
int state_backend_fail(struct state *state, const char *service, const char *name, const char *note,
		       struct error *error);
/*
 * state_backend_deleting - take it out of the tables: its number is retired. It stays listed until
 * state_backend_remove.
 */
int state_backend_deleting(struct state *state, const char *service, const char *name,
			   struct error *error);

/*
 * backend_weight - effective: 0 unless it may take new flows; a person's weight over the
 * configured one, and of that the share that its ramp and its own report leave.
 */
uint32_t backend_weight(const struct pool_backend *backend);
/* backend_alive - whether it has a place in the maps: warming, active or draining. */
bool backend_alive(const struct pool_backend *backend);
/* backend_takes - whether it takes packets of existing flows: alive, not dead, not in maint. */
bool backend_takes(const struct pool_backend *backend);

/*
 * state_backend_health - what probes and reports say now. state_backend_maint - a person takes it
 * out, or puts it back.
 */
int state_backend_health(struct state *state, const char *service, const char *name,
			 const struct backend_health *health, struct error *error);
int state_backend_maint(struct state *state, const char *service, const char *name, bool maint,
			struct error *error);

/*
 * state_health_started - the agent starts: backends that saved (may be NULL) lacks have no ramp.
 * Returns 0 or -ENOMEM.
 */
int state_health_started(struct state *state, const struct state *saved);

/* pool_health - how a pool is, by the backends that probes have judged and that may take flows. */
struct pool_health {
	uint32_t up, down, waiting;
	bool ignored; /* too few are up: those that are down take flows, too */
};
struct pool_health pool_health(const struct pool *pool);

/*
 * state_purged - flows of everything retired are gone from the flow table: numbers are free.
 * Returns 0 or -ENOMEM.
 */
int state_purged(struct state *state);

/*
 * state_to_json, state_from_json - all of it, for the journal. The reader checks every
 * field and returns -EINVAL for what does not fit.
 */
json_t *state_to_json(const struct state *state);
/* Its parts: what it has besides its pools, and one pool. */
json_t *state_head_to_json(const struct state *state);
json_t *pool_to_json(const struct pool *pool);
int state_from_json(const json_t *object, struct state **ret_state, struct error *error);

#endif

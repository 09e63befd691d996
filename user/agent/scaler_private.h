/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the scaler share: what is read (scaler_demand.c), the decisions (scaler.c), the
 * calls (scaler_jobs.c), objects that nobody knows (scaler_list.c), what a provisioner can do
 * (scaler_capabilities.c), and what goes wrong with it (scaler_trouble.c).
 */
#ifndef AGENT_SCALER_PRIVATE_H
#define AGENT_SCALER_PRIVATE_H

#include "agent/scaler.h"
#include "model/provision.h"

/* Signals that counters give; they are the first ones. */
#define SCALED_RATES (SIGNAL_BYTES + 1)

/* What is remembered about a backend between two readings, by its number in the pool. */
struct sample {
	bool there; /* seen at this reading */
	bool known;
	uint32_t backend;              /* index in map "backends": another one, another counter */
	uint64_t values[SCALED_RATES]; /* of the counters */
	bool draining;                 /* at the last look */
	uint64_t drain_passes;         /* sweeper_passes() when the drain was first seen */
	uint64_t idle_since_ms;        /* since when it has had no live flow; 0 = it has */
};

/* The question what a provisioner can do, and who is asked. */
struct ask {
	char *provisioner; /* NULL: nobody yet */
	json_t *options;
	struct provisioner_call *call;
	uint32_t failures;
	uint64_t at_ms; /* not before */
};

/* What goes wrong: said when it begins and when it is over. */
struct trouble {
	uint32_t count; /* failures in a row; 0 = all is well */
	enum provisioner_outcome outcome;
};

struct scaled {
	struct scaled *next;
	char *service;
	bool wanted;
	struct scaler_facts facts;
	enum scaler_verb problem_verb; /* whose success ends facts.problem */
	struct trouble troubles[SCALER_VERBS];
	struct autoscale_memory memory;
	struct sample *samples;
	uint32_t sample_count;
	double sums[SCALED_RATES]; /* since sum_since_ms */
	bool sum_broken;           /* a counter ran backwards */
	uint64_t sum_since_ms;
	uint64_t heard_ms;      /* the latest report that went into a decision */
	uint64_t service_flows; /* new ones, of the service's counter */
	bool service_idle;      /* nothing took new flows at that reading */
	uint32_t failed_in_a_row;
	uint64_t last_failure_ms;
	bool quota;            /* the last failure: there is no more to be had */
	bool halted;           /* and that was said */
	uint64_t decision;     /* the last one that acted: its time, since 1970 */
	uint64_t provision_ms; /* that creations take, lately; 0 = not known yet */
	struct ask ask;
	struct provisioner_call *list;
	struct provision_list listing;
	struct scaler *scaler;
};

/* The calls that one object of a provisioner needs, until it is as wanted. */
struct job {
	struct job *next;
	struct scaler *scaler;
	bool wanted;
	char *service; /* NULL: it was an orphan from the beginning */
	char *name;
	struct provision provision;
	struct provisioner_call *call;
	struct trouble trouble; /* with its deletion */
	uint64_t begun_ms;
	uint64_t created_at_ms; /* it can serve; its next hop is waited for since then */
	struct ip address;
	uint16_t port;
	char note[512];
};

struct scaler {
	struct agent *agent;
	uv_timer_t timer;
	uint32_t tick;
	uint64_t started_ms;
	struct scaled *scaled;
	struct job *jobs;
};

/* scaled_problem - remember, or with "" forget, the trouble with a verb. scaled may be NULL. */
void scaled_problem(struct scaled *scaled, enum scaler_verb verb, const char *message);

struct scaled *scaled_find(const struct scaler *scaler, const char *service);

/* A change of one backend through agent_change. */
struct backend_change {
	const char *service, *name;
	uint64_t deadline_ms;
	struct ip address;
	uint16_t port;
	const char *note;
	struct provider *provider;
	json_t *scale; /* of the cause: told the name that is minted */
	struct nexthops *nexthops;
};
int scaler_change(struct scaler *scaler, const struct change_cause *cause, agent_edit_fn edit,
		  struct backend_change *change);

/* outcome_make - what came of a backend, for a cause's scale; note may be NULL. NULL: no memory. */
json_t *outcome_make(const char *backend, const char *outcome, const char *note);

/* demand_read - look at the counters, four times a second; input_make - what a decision is given. */
void demand_read(struct scaled *scaled, const struct pool *pool);
void input_make(struct scaled *scaled, const struct pool *pool, uint64_t now_ms);

/* jobs_run - start, retry and drop calls so that every object becomes as wanted. */
void jobs_run(struct scaler *scaler);
void jobs_stop(struct scaler *scaler);

/* capabilities_run - ask the pool's provisioner what it can do, unless that is known. */
void capabilities_run(struct scaled *scaled, const struct pool *pool, uint64_t now_ms);
void ask_clear(struct ask *ask);

/* Whether its provisioner has said that it can do what is needed. */
bool scaled_may_create(const struct scaled *scaled);
bool scaled_may_list(const struct scaled *scaled);

/* list_run - find objects of this owner and service that nobody knows, when that is due. */
void list_run(struct scaled *scaled, const struct pool *pool, uint64_t now_ms);

/* scaled_provider - by whom the config has objects made now: a new one, or NULL without memory. */
struct provider *scaled_provider(const struct scaled *scaled,
				 const struct autoscale_config *config);

/*
 * scaled_trouble, job_trouble - how a call of this verb ended; PROVISIONER_DONE: trouble is over.
 * Logged and an event when it begins, changes or ends.
 */
void scaled_trouble(struct scaled *scaled, enum scaler_verb verb, enum provisioner_outcome outcome,
		    const char *message);
void job_trouble(struct job *job, enum scaler_verb verb, enum provisioner_outcome outcome,
		 const char *message);

/* scaled_failed, scaled_created - a creation failed, or worked. scaled may be NULL. */
void scaled_failed(struct scaled *scaled, bool quota);
void scaled_created(struct scaled *scaled, uint64_t took_ms);

#endif

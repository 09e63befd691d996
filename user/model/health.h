/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The health of one backend as a state machine: results of probes in, a verdict and a share of its
 * weight out. Pure; time is passed in. The pool's part (panic, all down) is in state_health.c.
 *
 *   waiting --rise passes--> up <--> down     fall failures; rise passes, not before the hold ends
 *   unchecked                                 of a service without probes: counts as up
 *
 * A backend that goes down again before it was up for hold_max_ms stays down for a hold that
 * doubles each time, so that one that flaps moves ever fewer flows.
 */
#ifndef MODEL_HEALTH_H
#define MODEL_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

enum health_verdict {
	HEALTH_UNCHECKED = 0, /* its service has no probes */
	HEALTH_WAITING,       /* it has not been up yet: takes no packets */
	HEALTH_UP,
	HEALTH_DOWN,
};
extern const char *const health_verdict_names[];

/* Shares of a weight are in thousandths. */
#define HEALTH_WHOLE 1000u

struct health_rules {
	bool checked;         /* false: no results come */
	uint32_t rise, fall;  /* results in a row that change the verdict; at least 1 */
	uint64_t hold_ms;     /* of the second time down; 0: no hold */
	uint64_t hold_max_ms; /* no hold is longer; up for so long, and the holds are forgotten */
	uint64_t ramp_ms;     /* from ramp_first to the whole weight; 0: at once */
	uint32_t ramp_first;  /* 1..HEALTH_WHOLE */
};

/* The machine; of health_begin, and changed by health_step alone. */
struct health {
	enum health_verdict verdict;
	uint32_t streak;  /* results in a row that speak against the verdict */
	bool trouble;     /* the backend itself says so: the ramp waits */
	bool ramp_spared; /* it was there when the agent started: its first time up has no ramp */
	uint32_t ramp;    /* share of the weight */
	uint64_t ramp_done_ms;
	uint64_t stepped_ms; /* of the last step */
	uint64_t up_ms;      /* since when it is up */
	uint64_t hold_last_ms, hold_until_ms;
};

enum health_event {
	HEALTH_EVENT_TIME = 0, /* nothing but time has passed */
	HEALTH_EVENT_PASS,     /* a probe succeeded */
	HEALTH_EVENT_FAIL,     /* a probe failed */
	HEALTH_EVENT_TROUBLE,  /* the backend reports trouble of its own */
	HEALTH_EVENT_CALM,     /* no more */
};

struct health_output {
	enum health_verdict verdict;
	uint32_t ramp;    /* in steps of 1/20, so that few tables are built */
	uint64_t wake_ms; /* when to step again, if nothing happens before; 0: never */
};

/*
 * health_begin - a machine that goes on from a verdict and ramp that are in force. at_start: the
 * agent starts, and the backend is not new.
 */
void health_begin(struct health *health, enum health_verdict verdict, uint32_t ramp,
		  const struct health_rules *rules, bool at_start, uint64_t now_ms);

/* health_step - now_ms must not be earlier than at the last step. */
struct health_output health_step(struct health *health, const struct health_rules *rules,
				 enum health_event event, uint64_t now_ms);

/* health_first - the verdict that a new backend begins with. */
enum health_verdict health_first(bool checked, bool initial_up);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The autoscaler's decision: step(memory, input) -> output. Pure; time is passed in. First form:
 * need = ceil(estimate / target), up at once, down only after `hold` at the largest need seen.
 */
#ifndef MODEL_AUTOSCALE_H
#define MODEL_AUTOSCALE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/config.h"

#define AUTOSCALE_HISTORY 64 /* samples of demand kept for the estimate */

struct autoscale_input {
	uint64_t now_ms; /* monotonic */
	bool fresh;      /* demand below is a real reading */
	double demand;   /* of the whole service, signal units a second */
	uint32_t active; /* backends that take new flows */
	uint32_t provisioning;
	uint32_t draining; /* those that could be taken back */
	uint32_t deleting;
	uint32_t failed_in_a_row; /* creations that failed since the last one that worked */
	uint64_t last_failure_ms; /* when the last of them failed; 0 = never */
};

/* What the decision remembers; zeroed at first. */
struct autoscale_memory {
	struct {
		uint64_t time_ms;
		double demand;
	} history[AUTOSCALE_HISTORY];
	uint32_t history_count, history_next;
	uint32_t hold_need;     /* largest need since hold_since_ms */
	uint64_t hold_since_ms; /* 0 = need is not below what is there */
};

enum autoscale_why {
	SCALE_STEADY = 0,
	SCALE_UP,
	SCALE_DOWN,
	SCALE_HOLDING,     /* need is lower, hold has not passed */
	SCALE_STALE,       /* no fresh reading: nothing is taken away */
	SCALE_BACKING_OFF, /* provisioner failed: waiting before the next try */
	SCALE_AT_MAX,      /* need is above max */
	SCALE_BUSY,        /* creations in flight reach their limit */
	SCALE_PAUSED,
};
extern const char *const autoscale_why_names[];

struct autoscale_output {
	double estimate;  /* demand the decision is based on */
	uint32_t need;    /* backends, between min and max */
	uint32_t undrain; /* take back so many drains */
	uint32_t create;  /* start so many creations */
	uint32_t drain;   /* start so many drains */
	enum autoscale_why why;
	char text[200]; /* the reason in words and numbers, for people */
};

/* autoscale_step - one decision, called about once a second. */
void autoscale_step(struct autoscale_memory *memory, const struct autoscale_config *config,
		    const struct autoscale_input *input, struct autoscale_output *ret_output);

/* autoscale_backoff_ms - how long to wait after so many failures in a row: 1 s doubling to 60 s. */
uint64_t autoscale_backoff_ms(uint32_t failed_in_a_row);

#endif

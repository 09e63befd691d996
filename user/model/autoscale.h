/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The autoscaler's decision: step(memory, input) -> output. Pure; time is passed in. The agent, the
 * simulator and the tests run the same code.
 *
 * need = ceil(forecast / target), the largest of all signals. Up at once; down only to the most
 * that was needed while hold passed. docs/ARCHITECTURE.md has the reasons.
 */
#ifndef MODEL_AUTOSCALE_H
#define MODEL_AUTOSCALE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/config.h"

#define AUTOSCALE_SAMPLES 128 /* of each signal: a little over two minutes */
#define AUTOSCALE_PEAKS   32
#define AUTOSCALE_SLOTS   96 /* of a day, for the seasonal floor */

struct autoscale_signal {
	bool fresh;   /* value is a real reading; a stale signal never lets the pool shrink */
	double value; /* of the whole pool: a rate a second, a count, or percents added up */
	/*
	 * Of what backends report themselves: value is the sum of so many, of those that are to
	 * report. The others are taken to have their target, so that they make the pool neither
	 * larger nor smaller; and as long as there are such, it does not shrink.
	 */
	uint32_t known, asked;
	bool repeated; /* nothing was heard since the last step */
};

struct autoscale_input {
	uint64_t now_ms;  /* monotonic */
	uint64_t wall_ms; /* since 1970, for schedule and season; 0 = not known */
	struct autoscale_signal signals[SIGNALS];
	double capacity;  /* of an active backend, on average, 1 = as the target says; 0 = that */
	uint64_t lead_ms; /* from a creation's start until the backend carries its full share */
	uint32_t active;  /* backends that take new flows and are healthy */
	uint32_t warming; /* those of them whose share still grows */
	uint32_t unhealthy;
	uint32_t provisioning;
	uint32_t failed;   /* creations that failed and are not deleted yet: they take room only */
	uint32_t draining; /* those that could be taken back */
	uint32_t standby;  /* ready beside the pool */
	uint32_t deleting;
	bool knocked;             /* packets came while the pool was empty */
	uint32_t failed_in_a_row; /* creations that failed since the last one that worked */
	uint64_t last_failure_ms; /* when the last of them failed; 0 = never */
	bool quota;               /* it failed because there is no more to be had */
};

struct autoscale_series {
	struct {
		uint64_t time_ms;
		double value;
	} samples[AUTOSCALE_SAMPLES];
	uint32_t count, next;
};

/* What the decision remembers; zeroed at first. */
struct autoscale_memory {
	struct autoscale_series series[SIGNALS];
	uint64_t stepped_ms; /* the last step */
	/* Needs seen while hold passed, falling; the first is the largest. */
	struct {
		uint64_t at_ms;
		uint32_t need;
	} peaks[AUTOSCALE_PEAKS];
	uint32_t peak_count;
	uint64_t fresh_since_ms; /* all signals are, and decisions fall; 0 = not so */
	uint32_t hold_factor;    /* of hold, after regret; 0 = 1 */
	uint64_t down_ms;        /* the last scale-down; 0 = none to regret */
	uint64_t regret_ms;      /* when hold_factor last changed */
	uint64_t knocked_ms;     /* 0 = never */
	double learned;          /* target of the signal, by what the resource says; 0 = none yet */
	uint32_t learned_count;
	/* The largest estimate of each slot of the day, plus 1; 0 = not seen. */
	uint64_t day;
	double today[AUTOSCALE_SLOTS], yesterday[AUTOSCALE_SLOTS];
	uint64_t schedule_minute; /* when schedule_min was worked out */
	uint32_t schedule_min;
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
	SCALE_HALTED, /* too much of the pool is unhealthy */
	SCALE_WHYS,
};
extern const char *const autoscale_why_names[];

/* What the need follows from. */
enum autoscale_reason {
	REASON_DEMAND = 0,
	REASON_TREND,    /* demand as it will be when a backend made now is ready */
	REASON_MIN,      /* of the config */
	REASON_SCHEDULE, /* its minimum */
	REASON_SEASON,   /* what yesterday needed at this time */
	REASON_KNOCK,    /* the first packet to an empty pool */
	REASONS,
};
extern const char *const autoscale_reason_names[];

/* What one signal asks for. */
struct autoscale_need {
	bool fresh; /* its reading is real, though maybe not of all: known of asked have reported */
	uint32_t known, asked;
	double demand;
	double estimate;   /* demand without the noise */
	double forecast;   /* as it will be after lead_ms; estimate unless growth is sustained */
	double target;     /* per backend that the decision is based on: configured, or learned */
	uint32_t window_s; /* of the mean that is the estimate */
	uint32_t wanted;   /* backends; 0 if it is not fresh */
	bool trend;        /* so many because of the forecast alone */
};

struct autoscale_output {
	struct autoscale_need needs[SIGNALS]; /* all zero: not looked at */
	enum scale_signal signal;             /* the one that decides */
	bool fresh;                           /* the signal's reading, demand, is real */
	double demand;
	double estimate;   /* demand without the noise */
	double forecast;   /* as it will be after lead_ms; estimate unless growth is sustained */
	double target;     /* per backend that the decision is based on: configured, or learned */
	uint32_t window_s; /* of the mean that is the estimate */
	enum autoscale_reason reason;
	uint32_t wanted; /* before min and max */
	uint32_t need;   /* backends, between min and max */
	/* What else asked for backends; 0 = nothing. */
	uint32_t schedule_min, season_min, knock_min;
	uint64_t hold_ms;      /* in force, with regret */
	uint64_t hold_left_ms; /* until the pool may become smaller than hold_need */
	uint32_t hold_need;    /* the largest need of the hold; 0: none is on */
	uint64_t backoff_ms;   /* until the provisioner may be asked again */
	uint32_t undrain;      /* take back so many drains */
	uint32_t wake;         /* put so many of the standby to work */
	uint32_t create;       /* start so many creations */
	uint32_t drain;        /* start so many drains */
	enum autoscale_why why;
	char text[400]; /* the reason in words and numbers, for people */
	char next[200]; /* what would make it do something else, and when */
};

/* autoscale_step - one decision, called about once a second. */
void autoscale_step(struct autoscale_memory *memory, const struct autoscale_config *config,
		    const struct autoscale_input *input, struct autoscale_output *ret_output);

/*
 * autoscale_backoff_ms - how long to wait after so many failures in a row: 1 s doubling to 60 s;
 * autoscale_quota_ms - after the answer that there is no more: a minute doubling to ten.
 */
uint64_t autoscale_backoff_ms(uint32_t failed_in_a_row);
uint64_t autoscale_quota_ms(uint32_t failed_in_a_row);

/* signal_target - of a signal, 0 = it is not looked at. */
double signal_target(const struct autoscale_config *config, enum scale_signal signal);

/*
 * schedule_parse - read "MINUTE HOUR DAY MONTH WEEKDAY DURATION MIN". The first five are as in
 * crontab(5), in UTC: numbers, lists, ranges, steps, stars. DURATION: 30m, 10h, 2d, at most 7d.
 * Returns 0 or -EINVAL.
 */
int schedule_parse(const char *text, struct scale_schedule *ret_schedule);

/* schedule_active - whether it holds at some minute from now until lead_ms later. */
bool schedule_active(const struct scale_schedule *schedule, uint64_t wall_ms, uint64_t lead_ms);

#endif

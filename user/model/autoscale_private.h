/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the decision share: what demand is (autoscale_estimate.c), what the calendar
 * asks for (autoscale_calendar.c), what is done (autoscale.c) and how it is told
 * (autoscale_text.c).
 */
#ifndef MODEL_AUTOSCALE_PRIVATE_H
#define MODEL_AUTOSCALE_PRIVATE_H

#include "model/autoscale.h"

void series_add(struct autoscale_series *series, uint64_t now_ms, double value);

struct estimate {
	double value;      /* mean of the window */
	uint32_t window_s; /* the longest that agrees with every shorter one; 0 = no sample yet */
	double growth;     /* until lead_ms later, if it is sustained; else 0 */
};

struct estimate series_estimate(const struct autoscale_series *series, uint64_t lead_ms);

/* season_note, season_floor - the largest estimate of each part of the day, and yesterday's. */
void season_note(struct autoscale_memory *memory, uint64_t wall_ms, double estimate);
double season_floor(const struct autoscale_memory *memory, uint64_t wall_ms, uint64_t lead_ms);

/* schedules_min - the largest minimum of those schedules that are active; once a minute. */
uint32_t schedules_min(struct autoscale_memory *memory, const struct autoscale_config *config,
		       const struct autoscale_input *input);

/* backoff_left - milliseconds until the provisioner may be asked again; 0 = now. */
uint64_t backoff_left(const struct autoscale_input *input);

/* hold_left - milliseconds until the pool may become smaller. */
uint64_t hold_left(const struct autoscale_memory *memory, uint64_t hold_ms, uint64_t now_ms);

/* text_make - the decision in words and numbers, into output->text. */
void text_make(const struct autoscale_memory *memory, const struct autoscale_config *config,
	       const struct autoscale_input *input, struct autoscale_output *output);

#endif

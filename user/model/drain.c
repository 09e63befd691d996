// SPDX-License-Identifier: GPL-2.0-only
/* When a drain will be over. */
#include "model/drain.h"

#include <math.h>
#include <string.h>

#define SPACING_MS  1000u
#define SAMPLES_MIN 3u
#define HALF_FROM   8u /* with fewer samples all of them count */
#define ETA_MAX_S   (7 * 86400.0)

void drain_note(struct drain_history *history, uint64_t now_ms, uint32_t live)
{
	struct drain_sample *samples = history->samples;

	history->latest = (struct drain_sample){now_ms, live};
	if (!history->spacing_ms)
		history->spacing_ms = SPACING_MS;
	if (history->count && now_ms - samples[history->count - 1].time_ms < history->spacing_ms)
		return;
	if (history->count == DRAIN_SAMPLES) {
		for (uint32_t i = 0; i < DRAIN_SAMPLES / 2; i++)
			samples[i] = samples[2 * i];
		history->count = DRAIN_SAMPLES / 2;
		history->spacing_ms *= 2;
		if (now_ms - samples[history->count - 1].time_ms < history->spacing_ms)
			return;
	}
	samples[history->count++] = history->latest;
}

bool drain_eta(const struct drain_history *history, double *ret_seconds)
{
	uint32_t first = history->count < HALF_FROM ? 0 : history->count / 2, count = 0;
	double sum_t = 0, sum_y = 0, sum_tt = 0, sum_ty = 0, rate, eta;

	if (history->count && !history->latest.live) {
		*ret_seconds = 0;
		return true;
	}
	for (uint32_t i = first; i < history->count; i++) {
		const struct drain_sample *sample = &history->samples[i];
		double t = (double)(sample->time_ms - history->samples[first].time_ms) / 1000;
		double y;

		if (!sample->live)
			continue;
		y = log(sample->live);
		sum_t += t;
		sum_y += y;
		sum_tt += t * t;
		sum_ty += t * y;
		count++;
	}
	if (count < SAMPLES_MIN || history->latest.live >= history->samples[first].live)
		return false;
	rate = (sum_t * sum_y - count * sum_ty) / (count * sum_tt - sum_t * sum_t);
	eta = log(2.0 * history->latest.live) / rate;
	if (!(rate > 0) || eta > ETA_MAX_S)
		return false;
	*ret_seconds = eta;
	return true;
}

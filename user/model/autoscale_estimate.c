// SPDX-License-Identifier: GPL-2.0-only
/* What a signal's demand is, noise taken off, and whether it grows. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/autoscale_private.h"

#define WINDOWS     7    /* 1, 2, 4, ... 64 s */
#define DIFFERENCES 32   /* between neighbours, that the noise is taken from */
#define SURE        5.0  /* standard deviations, of means that differ and of growth */
#define STILL       0.01 /* means that differ by less than this part are the same to a pool */
#define EXTEND      2.0  /* times as long as growth was seen, it is taken to go on */
#define EVEN        4.0  /* times the least of a growth's quarters: more is a step with noise */
#define GREEN       8    /* samples; with fewer the noise is guessed */

void series_add(struct autoscale_series *series, uint64_t now_ms, double value)
{
	series->samples[series->next].time_ms = now_ms;
	series->samples[series->next].value = value;
	series->next = (series->next + 1) % AUTOSCALE_SAMPLES;
	if (series->count < AUTOSCALE_SAMPLES)
		series->count++;
}

/* The sample so many before the last one. */
static uint32_t back(const struct autoscale_series *series, uint32_t steps)
{
	return (series->next + AUTOSCALE_SAMPLES - 1 - steps) % AUTOSCALE_SAMPLES;
}

static double value_back(const struct autoscale_series *series, uint32_t steps)
{
	return series->samples[back(series, steps)].value;
}

static uint64_t age_ms(const struct autoscale_series *series, uint32_t steps)
{
	return series->samples[back(series, 0)].time_ms -
	       series->samples[back(series, steps)].time_ms;
}

static int double_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/*
 * Standard deviation of one sample, by the median of the differences of neighbours: neither a step
 * nor a slope adds to it. The root of the mean is what arrivals at random have at least.
 */
static double noise_of(const struct autoscale_series *series)
{
	double differences[DIFFERENCES], mean = 0, noise;
	double latest = value_back(series, 0);
	uint32_t count = series->count - 1;

	if (count > DIFFERENCES)
		count = DIFFERENCES;
	for (uint32_t i = 0; i < count; i++) {
		differences[i] = fabs(value_back(series, i) - value_back(series, i + 1));
		mean += value_back(series, i) / count;
	}
	if (count < GREEN)
		return fmax(sqrt(mean), mean * 0.05);
	qsort(differences, count, sizeof(*differences), double_compare);
	/* The median of |a - b| of two normal variables is 0.954 deviations. */
	noise = differences[count / 2] / 0.954;
	noise = fmax(noise, sqrt(mean) / 2);
	/* After a step up most of them are of the time before; arrivals vary by their root. */
	return mean > 0 && latest > mean ? noise * sqrt(latest / mean) : noise;
}

struct window {
	double mean;
	uint32_t count;
};

/* Means of the windows, all in one pass: each has the samples that are younger than its length. */
static void windows_fill(const struct autoscale_series *series, struct window windows[WINDOWS])
{
	double sum = 0;
	uint32_t window = 0, i = 0;

	while (window < WINDOWS) {
		while (i < series->count && age_ms(series, i) < (1000ull << window))
			sum += value_back(series, i++);
		windows[window].mean = sum / i;
		windows[window].count = i;
		window++;
	}
}

/* A mean within a longer one: they share samples, so that their difference varies by less. */
static bool means_agree(const struct window *shorter, const struct window *longer, double noise)
{
	double variance = 1.0 / shorter->count - 1.0 / longer->count;
	double allowed = SURE * noise * sqrt(variance);

	return fabs(shorter->mean - longer->mean) <= fmax(allowed, STILL * longer->mean);
}

/*
 * A step that has noise, or a part of a slope, is no growth: of a growth each quarter of the window
 * has more than the one before, by about as much.
 */
static bool grows_evenly(const struct autoscale_series *series, uint32_t count, double noise)
{
	uint32_t quarter = count / 4;
	double means[4] = {0}, most = 0, doubt = noise * sqrt(2.0 / quarter);

	for (uint32_t i = 0; i < 4 * quarter; i++)
		means[i / quarter] += value_back(series, i) / quarter;
	for (uint32_t i = 0; i < 3; i++)
		most = fmax(most, means[i] - means[i + 1]);
	for (uint32_t i = 0; i < 3; i++) {
		if (means[i] - means[i + 1] < most / EVEN - doubt)
			return false;
	}
	return true;
}

/*
 * Growth a second over a window, by least squares, less its standard error; 0 unless it is clear
 * and even.
 */
static double slope_over(const struct autoscale_series *series, uint64_t window_ms, double noise)
{
	double mean_age = 0, mean = 0, spread = 0, product = 0, slope, error;
	uint32_t count = 0;

	while (count < series->count && age_ms(series, count) < window_ms) {
		mean_age += (double)age_ms(series, count) / 1000;
		mean += value_back(series, count++);
	}
	/* A window that is not full yet, or full of holes, tells nothing. */
	if (count < GREEN || age_ms(series, count - 1) + 2000 < window_ms)
		return 0;
	mean_age /= count;
	mean /= count;
	for (uint32_t i = 0; i < count; i++) {
		double age = (double)age_ms(series, i) / 1000 - mean_age;

		spread += age * age;
		product -= age * (value_back(series, i) - mean);
	}
	slope = product / spread;
	error = noise / sqrt(spread);
	if (slope < SURE * error || slope * (double)window_ms / 1000 < STILL * 4 * mean ||
	    !grows_evenly(series, count, noise))
		return 0;
	return slope - error;
}

struct estimate series_estimate(const struct autoscale_series *series, uint64_t lead_ms)
{
	static const uint64_t spans_ms[] = {12000, 20000, 32000, 60000};
	struct window windows[WINDOWS];
	struct estimate estimate = {0};
	bool agrees = true;
	double noise;
	uint32_t chosen = 0;

	if (!series->count)
		return estimate;
	noise = noise_of(series);
	windows_fill(series, windows);
	for (uint32_t longer = 1; longer < WINDOWS && agrees; longer++) {
		for (uint32_t i = 0; i < longer && agrees; i++)
			agrees = means_agree(&windows[i], &windows[longer], noise);
		if (agrees)
			chosen = longer;
	}
	/* What one second's noise may have added is not bought; the next second knows better. */
	estimate.value = windows[chosen].mean;
	estimate.value -= fmin(noise / sqrt(windows[chosen].count), estimate.value / 10);
	estimate.window_s = 1u << chosen;
	for (size_t i = 0; i < sizeof(spans_ms) / sizeof(spans_ms[0]); i++)
		estimate.growth =
			fmax(estimate.growth,
			     slope_over(series, spans_ms[i], noise) *
				     fmin((double)lead_ms, EXTEND * (double)spans_ms[i]) / 1000);
	return estimate;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Traces of load for the simulator: made by name, or read from "time,requests". */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/simulate_private.h"

#define DAY_S    86400.0
#define LOW      1000.0 /* requests a second of the made traces, and four times as many */
#define HIGH     4000.0
#define ROWS_MAX 10000000u

const char *const trace_names[] = {"step", "ramp", "square120", "square600", "diurnal", NULL};

static int point_add(struct trace *trace, double time_s, double rate)
{
	struct trace_point *points;

	/* Room for twice as many whenever their number is a power of two. */
	if (!(trace->count & (trace->count - 1))) {
		points = reallocarray(trace->points, trace->count ? trace->count * 2 : 1,
				      sizeof(*points));
		if (!points)
			return -ENOMEM;
		trace->points = points;
	}
	trace->points[trace->count++] = (struct trace_point){time_s, rate};
	trace->length_s = time_s;
	return 0;
}

static int points_add(struct trace *trace, const struct trace_point *points, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (point_add(trace, points[i].time_s, points[i].rate))
			return -ENOMEM;
	}
	return 0;
}

/* Two hours, the middle one at four times the load. */
static int step_make(struct trace *trace)
{
	static const struct trace_point points[] = {{0, LOW},     {1800, LOW}, {1800, HIGH},
						    {5400, HIGH}, {5400, LOW}, {7200, LOW}};

	return points_add(trace, points, sizeof(points) / sizeof(points[0]));
}

/* Ten minutes up to four times the load, and down again. */
static int ramp_make(struct trace *trace)
{
	static const struct trace_point points[] = {{0, LOW},     {1800, LOW}, {2400, HIGH},
						    {4800, HIGH}, {5400, LOW}, {7200, LOW}};

	return points_add(trace, points, sizeof(points) / sizeof(points[0]));
}

static int square_make(struct trace *trace, double half_s, uint32_t periods)
{
	double time_s = 1800;

	if (point_add(trace, 0, LOW))
		return -ENOMEM;
	for (uint32_t i = 0; i < periods; i++) {
		const struct trace_point points[] = {{time_s, LOW},
						     {time_s, HIGH},
						     {time_s + half_s, HIGH},
						     {time_s + half_s, LOW}};

		if (points_add(trace, points, sizeof(points) / sizeof(points[0])))
			return -ENOMEM;
		time_s += 2 * half_s;
	}
	return point_add(trace, time_s + 1800, LOW);
}

/* Three days between 200 and 1400, and on the second day a crowd that comes in two minutes. */
static double diurnal_rate(double time_s)
{
	static const struct trace_point crowd[] = {{DAY_S + 50000, 0},
						   {DAY_S + 50120, 1600},
						   {DAY_S + 51320, 1600},
						   {DAY_S + 53120, 0}};
	double rate = 800 - 600 * cos(2 * M_PI * time_s / DAY_S);

	for (size_t i = 1; i < sizeof(crowd) / sizeof(crowd[0]); i++) {
		double part =
			(time_s - crowd[i - 1].time_s) / (crowd[i].time_s - crowd[i - 1].time_s);

		if (part >= 0 && part < 1)
			rate += crowd[i - 1].rate + part * (crowd[i].rate - crowd[i - 1].rate);
	}
	return rate;
}

static int diurnal_make(struct trace *trace)
{
	for (uint32_t i = 0; i * 20 <= 3 * DAY_S; i++) {
		if (point_add(trace, i * 20, diurnal_rate(i * 20)))
			return -ENOMEM;
	}
	return 0;
}

static int trace_make(size_t which, struct trace *trace)
{
	switch (which) {
	case 0:
		return step_make(trace);
	case 1:
		return ramp_make(trace);
	case 2:
		return square_make(trace, 120, 30);
	case 3:
		return square_make(trace, 600, 6);
	default:
		return diurnal_make(trace);
	}
}

int trace_named(const char *name, struct trace *ret_trace)
{
	struct trace trace = {0};

	for (size_t i = 0; trace_names[i]; i++) {
		if (strcmp(trace_names[i], name))
			continue;
		if (trace_make(i, &trace)) {
			trace_clear(&trace);
			return -ENOMEM;
		}
		*ret_trace = trace;
		return 0;
	}
	return -ENOENT;
}

void trace_clear(struct trace *trace)
{
	free(trace->points);
	*trace = (struct trace){0};
}

double trace_rate(const struct trace *trace, double time_s)
{
	size_t low = 0, high = trace->count;

	/* The last point that is not later. */
	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (trace->points[middle].time_s <= time_s)
			low = middle;
		else
			high = middle;
	}
	if (high == trace->count || time_s <= trace->points[low].time_s)
		return trace->points[low].rate;
	return trace->points[low].rate +
	       (trace->points[high].rate - trace->points[low].rate) *
		       (time_s - trace->points[low].time_s) /
		       (trace->points[high].time_s - trace->points[low].time_s);
}

/* ------------------------------------------------------------------ reading */

/* Days since 1970 of a date by the Gregorian rules; years begin in March here. */
static int days_from_civil(int year, int month, int day)
{
	int shifted = year - (month <= 2);
	int era = shifted / 400, year_of_era = shifted % 400;
	int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

static bool time_read(const char *text, double *ret_time_s, const char **ret_end)
{
	int year, month, day, hour, minute, second, length = 0;
	char *end;

	if (sscanf(text, "%4d-%2d-%2d%*[ T]%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute,
		   &second, &length) == 6 &&
	    length) {
		*ret_time_s = days_from_civil(year, month, day) * DAY_S + hour * 3600.0 +
			      minute * 60.0 + second;
		*ret_end = text + length + (text[length] == 'Z');
		return month >= 1 && month <= 12 && day >= 1 && day <= 31;
	}
	*ret_time_s = strtod(text, &end);
	*ret_end = end;
	return end != text && isfinite(*ret_time_s);
}

static bool row_read(const char *text, double *ret_time_s, double *ret_requests,
		     const char **ret_end)
{
	char *end;

	if (!time_read(text, ret_time_s, &text) || *text != ',')
		return false;
	*ret_requests = strtod(text + 1, &end);
	*ret_end = end;
	return end != text + 1 && isfinite(*ret_requests) && *ret_requests >= 0 &&
	       (*end == '\0' || *end == '\n' || *end == '\r');
}

/* Requests of a row, over the time until the next, are the rate in its middle. */
static int rows_to_rates(struct trace *rows, struct trace *trace)
{
	double start_s = rows->points[0].time_s, length_s = 0;
	int err = 0;

	for (size_t i = 0; !err && i < rows->count; i++) {
		if (i + 1 < rows->count)
			length_s = rows->points[i + 1].time_s - rows->points[i].time_s;
		err = point_add(trace, rows->points[i].time_s - start_s + length_s / 2,
				rows->points[i].rate / length_s);
	}
	trace->length_s = rows->points[rows->count - 1].time_s - start_s + length_s;
	return err;
}

static int rows_read(const char *text, const char *name, struct trace *rows, struct error *error)
{
	const char *line = text;
	double time_s, requests;

	for (uint32_t number = 1; *line && number < ROWS_MAX; number++) {
		const char *end = strchr(line, '\n');

		if (number == 1 ? strncmp(line, "time,requests", 13) != 0
				: !row_read(line, &time_s, &requests, &line))
			return error_set(error, -EINVAL,
					 number == 1
						 ? "%s:%u: is not \"time,requests\"; begin with "
						   "that line"
						 : "%s:%u: is not a time and a number; write "
						   "for instance \"1998-06-24 00:00:00,22200\"",
					 name, number);
		if (number > 1 && rows->count && time_s <= rows->points[rows->count - 1].time_s)
			return error_set(error, -EINVAL,
					 "%s:%u: its time is not behind the one before; sort the "
					 "rows",
					 name, number);
		if (number > 1 && point_add(rows, time_s, requests))
			return error_set(error, -ENOMEM, "%s: out of memory", name);
		line = end ? end + 1 : line + strlen(line);
	}
	return 0;
}

int trace_read(const char *text, const char *name, struct trace *ret_trace, struct error *error)
{
	struct trace rows = {0}, trace = {0};
	int err = rows_read(text, name, &rows, error);

	if (!err && rows.count < 2)
		err = error_set(error, -EINVAL, "%s: has fewer than two rows; give it more", name);
	if (!err && rows_to_rates(&rows, &trace))
		err = error_set(error, -ENOMEM, "%s: out of memory", name);
	trace_clear(&rows);
	if (err)
		trace_clear(&trace);
	else
		*ret_trace = trace;
	return err;
}

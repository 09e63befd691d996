// SPDX-License-Identifier: GPL-2.0-only
/* What the calendar asks for: scheduled minimums, and what yesterday needed. All of it in UTC. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/autoscale_private.h"

#define MINUTE_MS    60000u
#define DAY_MS       86400000u
#define SLOT_MS      (DAY_MS / AUTOSCALE_SLOTS)
#define DAY_MINUTES  1440u
#define DURATION_MAX (7 * DAY_MINUTES)

/* ------------------------------------------------------------------ reading */

static int number_read(const char **text, uint32_t low, uint32_t high, uint32_t *ret_number)
{
	uint32_t number = 0;
	const char *start = *text;

	while (**text >= '0' && **text <= '9' && *text - start < 6)
		number = number * 10 + (uint32_t)(*(*text)++ - '0');
	if (*text == start || number < low || number > high)
		return -EINVAL;
	*ret_number = number;
	return 0;
}

/* One of a list: "*", "5", "1-5", each with "/STEP" or not. */
static int range_read(const char **text, uint32_t low, uint32_t high, uint64_t *bits)
{
	uint32_t first = low, last = high, step = 1;

	if (**text == '*') {
		(*text)++;
	} else {
		if (number_read(text, low, high, &first))
			return -EINVAL;
		last = first;
		if (**text == '-') {
			(*text)++;
			if (number_read(text, first, high, &last))
				return -EINVAL;
		}
	}
	if (**text == '/') {
		(*text)++;
		if (number_read(text, 1, high, &step))
			return -EINVAL;
	}
	for (uint32_t i = first; i <= last; i += step)
		*bits |= 1ull << i;
	return 0;
}

static int field_read(const char *text, uint32_t low, uint32_t high, uint64_t *ret_bits)
{
	uint64_t bits = 0;

	for (;;) {
		if (range_read(&text, low, high, &bits))
			return -EINVAL;
		if (*text != ',')
			break;
		text++;
	}
	*ret_bits = bits;
	return *text ? -EINVAL : 0;
}

static int duration_read(const char *text, uint32_t *ret_minutes)
{
	uint32_t number;

	if (number_read(&text, 1, DURATION_MAX, &number) || !text[0] || text[1])
		return -EINVAL;
	if (*text == 'h')
		number *= 60;
	else if (*text == 'd')
		number *= DAY_MINUTES;
	else if (*text != 'm')
		return -EINVAL;
	*ret_minutes = number;
	return number <= DURATION_MAX ? 0 : -EINVAL;
}

int schedule_parse(const char *text, struct scale_schedule *ret_schedule)
{
	struct scale_schedule schedule = {0};
	char words[7][24], rest[2];
	uint64_t hours, days, months, weekdays;
	const char *min = words[6];

	if (strlen(text) >= sizeof(schedule.text) ||
	    sscanf(text, "%23s %23s %23s %23s %23s %23s %23s %1s", words[0], words[1], words[2],
		   words[3], words[4], words[5], words[6], rest) != 7)
		return -EINVAL;
	if (field_read(words[0], 0, 59, &schedule.minutes) || field_read(words[1], 0, 23, &hours) ||
	    field_read(words[2], 1, 31, &days) || field_read(words[3], 1, 12, &months) ||
	    field_read(words[4], 0, 7, &weekdays) ||
	    duration_read(words[5], &schedule.duration_min) ||
	    number_read(&min, 1, 999999, &schedule.min) || *min)
		return -EINVAL;
	strcpy(schedule.text, text);
	schedule.hours = (uint32_t)hours;
	schedule.days = (uint32_t)days;
	schedule.months = (uint32_t)months;
	/* Sunday is 0, and 7 too. */
	schedule.weekdays = (uint32_t)((weekdays | weekdays >> 7) & 0x7f);
	schedule.any_day = words[2][0] == '*';
	schedule.any_weekday = words[4][0] == '*';
	*ret_schedule = schedule;
	return 0;
}

/* ------------------------------------------------------------------ the calendar */

/* Month and day of the month of a day since 1970, by the Gregorian rules. */
static void civil_from_days(uint64_t days, uint32_t *ret_month, uint32_t *ret_day)
{
	/* Days since 0000-03-01: years that start in March end with the day that may lack. */
	uint64_t shifted = days + 719468;
	uint64_t day_of_era = shifted % 146097;
	uint64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	uint64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint64_t month = (5 * day_of_year + 2) / 153;

	*ret_day = (uint32_t)(day_of_year - (153 * month + 2) / 5 + 1);
	*ret_month = (uint32_t)(month < 10 ? month + 3 : month - 9);
}

/* As in crontab(5): if both day and weekday are given, either will do. */
static bool day_fits(const struct scale_schedule *schedule, uint64_t day)
{
	uint32_t month, day_of_month;
	bool by_day, by_weekday;

	civil_from_days(day, &month, &day_of_month);
	by_day = schedule->days >> day_of_month & 1;
	by_weekday = schedule->weekdays >> (day + 4) % 7 & 1; /* 1970 began on a Thursday */
	if (!(schedule->months >> month & 1))
		return false;
	if (schedule->any_day || schedule->any_weekday)
		return by_day && by_weekday;
	return by_day || by_weekday;
}

static bool starts_at(const struct scale_schedule *schedule, uint64_t minute)
{
	return schedule->minutes >> minute % 60 & 1 && schedule->hours >> minute / 60 % 24 & 1 &&
	       day_fits(schedule, minute / DAY_MINUTES);
}

bool schedule_active(const struct scale_schedule *schedule, uint64_t wall_ms, uint64_t lead_ms)
{
	uint64_t now = wall_ms / MINUTE_MS, last = (wall_ms + lead_ms) / MINUTE_MS;
	uint64_t first = now >= schedule->duration_min ? now - schedule->duration_min + 1 : 0;

	for (uint64_t minute = first; minute <= last; minute++) {
		if (starts_at(schedule, minute))
			return true;
	}
	return false;
}

uint32_t schedules_min(struct autoscale_memory *memory, const struct autoscale_config *config,
		       const struct autoscale_input *input)
{
	uint64_t minute = input->wall_ms / MINUTE_MS;

	if (!input->wall_ms)
		return 0;
	if (minute == memory->schedule_minute)
		return config->schedule_count ? memory->schedule_min : 0;
	memory->schedule_minute = minute;
	memory->schedule_min = 0;
	for (size_t i = 0; i < config->schedule_count; i++) {
		const struct scale_schedule *schedule = &config->schedules[i];

		if (schedule->min > memory->schedule_min &&
		    schedule_active(schedule, input->wall_ms, input->lead_ms))
			memory->schedule_min = schedule->min;
	}
	return memory->schedule_min;
}

/* ------------------------------------------------------------------ the season */

void season_note(struct autoscale_memory *memory, uint64_t wall_ms, double estimate)
{
	uint64_t day = wall_ms / DAY_MS;
	double *slot = &memory->today[wall_ms % DAY_MS / SLOT_MS];

	if (day != memory->day) {
		if (day == memory->day + 1)
			memcpy(memory->yesterday, memory->today, sizeof(memory->yesterday));
		else
			memset(memory->yesterday, 0, sizeof(memory->yesterday));
		memset(memory->today, 0, sizeof(memory->today));
		memory->day = day;
	}
	if (estimate + 1 > *slot)
		*slot = estimate + 1;
}

/* A slot behind midnight is the first of today, not of yesterday. */
double season_floor(const struct autoscale_memory *memory, uint64_t wall_ms, uint64_t lead_ms)
{
	uint64_t now = wall_ms % DAY_MS / SLOT_MS;
	uint64_t last = (wall_ms % DAY_MS + lead_ms) / SLOT_MS;
	double floor = 0;

	for (uint64_t slot = now; slot <= last; slot++) {
		double seen = slot < AUTOSCALE_SLOTS ? memory->yesterday[slot]
						     : memory->today[slot % AUTOSCALE_SLOTS];

		if (seen - 1 > floor)
			floor = seen - 1;
	}
	return floor;
}

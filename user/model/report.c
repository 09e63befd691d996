// SPDX-License-Identifier: GPL-2.0-only
/* Reads what backends report of themselves. */
#include "model/report.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *word;
	enum backend_report state;
} states[] = {
	{"up", REPORT_READY},     {"ready", REPORT_READY}, {"drain", REPORT_DRAIN},
	{"maint", REPORT_MAINT},  {"down", REPORT_DOWN},   {"fail", REPORT_DOWN},
	{"stopped", REPORT_DOWN},
};

struct report report_none(void)
{
	return (struct report){.weight = HEALTH_WHOLE,
			       .figures = {.cpu = NAN, .memory = NAN, .custom = NAN}};
}

bool report_trouble(const struct report *report)
{
	return report->state != REPORT_READY || report->figures.cpu >= REPORT_CPU_TROUBLE;
}

static bool state_find(const char *word, size_t length, enum backend_report *ret_state)
{
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (strlen(states[i].word) != length || strncmp(states[i].word, word, length) != 0)
			continue;
		*ret_state = states[i].state;
		return true;
	}
	return false;
}

static void reason_set(struct report *report, const char *text)
{
	size_t length = strcspn(text, "\r\n");

	if (length >= REPORT_REASON_MAX)
		length = REPORT_REASON_MAX - 1;
	for (size_t i = 0; i < length; i++)
		report->reason[i] = text[i] < ' ' || text[i] > '~' ? '?' : text[i];
	report->reason[length] = '\0';
}

/* A number of at least 0 that a percent sign may follow, up to the word's end. */
static bool number_read(const char *text, size_t length, double *ret_number, bool *ret_percent)
{
	char copy[32], *end;

	if (!length || length >= sizeof(copy) || strspn(text, "0123456789.") == 0)
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	*ret_number = strtod(copy, &end);
	*ret_percent = *end == '%';
	return isfinite(*ret_number) && !end[*ret_percent];
}

static uint32_t share_of(double percent)
{
	return percent >= 100 ? HEALTH_WHOLE : (uint32_t)(percent * HEALTH_WHOLE / 100);
}

static bool figure_read(const char *word, size_t length, uint32_t weight, struct report *report)
{
	const char *colon = memchr(word, ':', length);
	size_t name = colon ? (size_t)(colon - word) : 0;
	bool percent;
	double number;

	if (!colon) {
		if (!number_read(word, length, &number, &percent) || !percent)
			return false;
		report->weight = share_of(number);
		return true;
	}
	if (!number_read(colon + 1, length - name - 1, &number, &percent))
		return false;
	if (name == 6 && !strncmp(word, "weight", name))
		report->weight = share_of(percent || !weight ? number : number * 100 / weight);
	else if (name == 3 && !strncmp(word, "cpu", name))
		report->figures.cpu = number;
	else if (name == 6 && !strncmp(word, "memory", name))
		report->figures.memory = number;
	else if (name == 6 && !strncmp(word, "custom", name))
		report->figures.custom = number;
	else
		return false;
	return true;
}

int report_line(const char *text, uint32_t weight, struct report *ret_report, struct error *error)
{
	static const char between[] = " \t,\r\n";
	struct report report = report_none();
	size_t end = strcspn(text, "\r\n");
	bool understood = false;

	for (const char *word = text; word < text + end;) {
		size_t length = strcspn(word, " \t,\r\n#");

		if (state_find(word, length, &report.state) ||
		    figure_read(word, length, weight, &report))
			understood = true;
		word += length;
		if (*word == '#') {
			reason_set(&report, word + 1);
			break;
		}
		word += strspn(word, between);
	}
	if (!understood)
		return error_set(error, -EINVAL,
				 "it says nothing that is known; a line such as \"up 75%%\" is");
	*ret_report = report;
	return 0;
}

static bool number_get(const json_t *object, const char *key, double *number, struct error *error)
{
	const json_t *value = json_object_get(object, key);

	if (!value || json_is_null(value))
		return true;
	if (!json_is_number(value) || json_number_value(value) < 0) {
		error_set(error, -EINVAL, "%s is not a number of at least 0", key);
		return false;
	}
	*number = json_number_value(value);
	return true;
}

static int object_read(const json_t *object, struct report *report, struct error *error)
{
	const json_t *state = json_object_get(object, "state");
	const char *word = json_string_value(state);
	double weight = 100;

	if (!json_is_object(object))
		return error_set(error, -EINVAL, "it is no JSON object");
	if (state && (!word || !state_find(word, strlen(word), &report->state)))
		return error_set(error, -EINVAL,
				 "state is not one of up, ready, drain, maint and down");
	if (!number_get(object, "weight", &weight, error) ||
	    !number_get(object, "cpu", &report->figures.cpu, error) ||
	    !number_get(object, "memory", &report->figures.memory, error) ||
	    !number_get(object, "custom", &report->figures.custom, error))
		return -EINVAL;
	report->weight = share_of(weight);
	if (json_is_string(json_object_get(object, "reason")))
		reason_set(report, json_string_value(json_object_get(object, "reason")));
	return 0;
}

int report_json(const char *text, size_t length, struct report *ret_report, struct error *error)
{
	json_t *object = json_loadb(text, length, 0, NULL);
	struct report report = report_none();
	int err = object_read(object, &report, error);

	json_decref(object);
	if (!err)
		*ret_report = report;
	return err;
}

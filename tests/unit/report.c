// SPDX-License-Identifier: GPL-2.0-only
/* Tests of user/model/report.h: what backends say of themselves, and what is no report. */
#include "model/report.h"
#include "unit.h"

#include <errno.h>
#include <math.h>

static struct report line(const char *text)
{
	struct error error = {.text = ""};
	struct report report;

	if (report_line(text, 200, &report, &error))
		fail_msg("%s: refused: %s", text, error.text);
	return report;
}

static void lines(void **context)
{
	static const struct {
		const char *text;
		enum backend_report state;
		uint32_t weight;
		const char *reason;
	} rows[] = {
		{"75%\n", REPORT_READY, 750, ""},
		{"up 100%", REPORT_READY, 1000, ""},
		{"up,0%\r\n", REPORT_READY, 0, ""},
		{"150%", REPORT_READY, 1000, ""},
		{"weight:50%", REPORT_READY, 500, ""},
		{"weight:50", REPORT_READY, 250, ""},
		{"weight:900", REPORT_READY, 1000, ""},
		{"drain\n", REPORT_DRAIN, 1000, ""},
		{"maint", REPORT_MAINT, 1000, ""},
		{"ready\n", REPORT_READY, 1000, ""},
		{"down#disk full, sorry\n", REPORT_DOWN, 1000, "disk full, sorry"},
		{"stopped#\x01z", REPORT_DOWN, 1000, "?z"},
		{"fail", REPORT_DOWN, 1000, ""},
		{"up 20% brand:new words", REPORT_READY, 200, ""},
		{"up\n5%", REPORT_READY, 1000, ""},
	};

	(void)context;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct report report = line(rows[i].text);

		assert_int_equal(report.state, rows[i].state);
		assert_int_equal(report.weight, rows[i].weight);
		assert_string_equal(report.reason, rows[i].reason);
	}
}

static void figures(void **context)
{
	struct report report = line("up cpu:93.5% memory:40 custom:12.25");

	(void)context;
	assert_true(report.figures.cpu == 93.5);
	assert_true(report.figures.memory == 40);
	assert_true(report.figures.custom == 12.25);
	assert_false(report_trouble(&report));
	report = line("cpu:95%");
	assert_true(report_trouble(&report));
	assert_true(isnan(report.figures.memory));
	report = line("drain");
	assert_true(report_trouble(&report));
}

static void no_lines(void **context)
{
	static const char *const rows[] = {"",      "\n",       "hello", "75",        "%",
					   "-5%",   "weight:x", "nan%",  "#down",     "1e999%",
					   "downs", "5%5",      "cpu:",  "weight:-1", "inf%"};

	(void)context;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error error = {.text = ""};
		struct report report;

		if (report_line(rows[i], 100, &report, &error) != -EINVAL)
			fail_msg("'%s' is taken for a report", rows[i]);
		assert_true(strlen(error.text) > 0);
	}
}

static void objects(void **context)
{
	static const char whole[] = "{\"state\": \"drain\", \"reason\": \"x\", \"weight\": 12.5, "
				    "\"cpu\": 1, \"memory\": null, \"custom\": 7.5, \"more\": []}";
	static const char *const wrong[] = {"",
					    "[]",
					    "{\"state\": 1}",
					    "{\"state\": \"sideways\"}",
					    "{\"weight\": -1}",
					    "{\"cpu\": \"9\"}",
					    "{"};
	struct report report;

	(void)context;
	assert_int_equal(report_json(whole, strlen(whole), &report, NULL), 0);
	assert_int_equal(report.state, REPORT_DRAIN);
	assert_int_equal(report.weight, 125);
	assert_string_equal(report.reason, "x");
	assert_true(report.figures.cpu == 1 && isnan(report.figures.memory));
	assert_true(report.figures.custom == 7.5);
	assert_int_equal(report_json("{}", 2, &report, NULL), 0);
	assert_int_equal(report.weight, HEALTH_WHOLE);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct error error = {.text = ""};

		if (report_json(wrong[i], strlen(wrong[i]), &report, &error) != -EINVAL)
			fail_msg("'%s' is taken for a report", wrong[i]);
		assert_true(strlen(error.text) > 0);
	}
}

static const struct CMUnitTest cases[] = {
	CASE(lines, "health/report: the words of an agent-check's line"),
	CASE(figures, "health/report: figures, and what counts as trouble"),
	CASE(no_lines, "health/report: what says nothing that is known is no report"),
	CASE(objects, "health/report: a JSON object says the same"),
};

UNIT_MAIN("report", cases)

/* SPDX-License-Identifier: GPL-2.0-only */
/* What every unit test program shares: cmocka with its headers, TAP, and the choice of cases. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

/* A case: its name is a sentence. */
#define CASE(function, sentence)                            \
	{                                                   \
		.name = (sentence), .test_func = (function) \
	}

/* assert_message - the text of an error, whole. */
static inline void assert_message(const struct error *error, const char *text)
{
	assert_string_equal(error->text, text);
}

/* unit_next - the next of a row of random numbers (splitmix64); the same row in every run. */
static inline uint64_t unit_next(uint64_t *state)
{
	uint64_t word = *state += 0x9e3779b97f4a7c15ULL;

	word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ULL;
	word = (word ^ (word >> 27)) * 0x94d049bb133111ebULL;
	return word ^ (word >> 31);
}

/*
 * unit_run - run those cases whose names contain SLUICE_TEST_ONLY. cmocka's own filter is a glob
 * on the whole name, so the cases are picked here; a program with none of them prints "1..0".
 */
static inline int unit_run(const char *group, const struct CMUnitTest *cases, size_t count)
{
	const char *only = getenv("SLUICE_TEST_ONLY");
	struct CMUnitTest *picked = calloc(count, sizeof(*picked));
	size_t picked_count = 0;
	int failed = 0;

	if (!picked)
		return 1;
	for (size_t i = 0; i < count; i++) {
		if (!only || strstr(cases[i].name, only))
			picked[picked_count++] = cases[i];
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (picked_count)
		failed = _cmocka_run_group_tests(group, picked, picked_count, NULL, NULL);
	else
		printf("1..0 # SKIP no case of this program matches\n");
	free(picked);
	return failed ? 1 : 0;
}

#define UNIT_MAIN(group, cases)                                                    \
	int main(void)                                                             \
	{                                                                          \
		return unit_run(group, cases, sizeof(cases) / sizeof((cases)[0])); \
	}

#endif

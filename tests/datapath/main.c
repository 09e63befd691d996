// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the data plane: packet in, packet out, counter moved. One table of cases; each runs by
 * BPF_PROG_RUN, or with SLUICE_TEST_DRIVER=wire over namespaces.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keep.h"
#include "lab.h"

/* The table, by the linker. */
extern const struct test_case *const __start_test_cases[];
extern const struct test_case *const __stop_test_cases[];

/* Of the case that runs: cmocka leaves a failed one by a jump, and its teardown knows no name. */
static struct {
	const struct test_case *test;
	bool is_over;
} running;

void case_start(const struct test_case *test)
{
	keep_start();
	running.test = test;
	running.is_over = false;
}

void case_end(void)
{
	running.is_over = true;
}

static int case_close(void **state)
{
	const struct test_case *test = running.test;

	if (!running.is_over)
		keep_write(test->sentence, lab_is_wired() ? "-wire" : "");
	return test->close ? test->close(state) : 0;
}

static bool is_picked(const struct test_case *test)
{
	const char *only = getenv("SLUICE_TEST_ONLY");

	if (only && !strstr(test->sentence, only))
		return false;
	if (!lab_is_wired() || !test->not_on_wire)
		return true;
	/* tests/run counts these. */
	printf("# not applicable - %s: %s\n", test->sentence, test->not_on_wire);
	return false;
}

int main(void)
{
	struct CMUnitTest picked[512];
	size_t count = 0;

	for (size_t i = 0; &__start_test_cases[i] < __stop_test_cases; i++) {
		const struct test_case *test = __start_test_cases[i];

		if (!is_picked(test))
			continue;
		if (count == sizeof(picked) / sizeof(picked[0]))
			return 1;
		picked[count++] = (struct CMUnitTest){test->sentence, test->run, test->open,
						      case_close, NULL};
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (!count) {
		printf("1..0 # SKIP no case of this program matches\n");
		return 0;
	}
	fflush(stdout);
	return _cmocka_run_group_tests("datapath", picked, count, lab_new, lab_free) ? 1 : 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Tests of the data plane through BPF_PROG_RUN: packet in, packet out, counter moved. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"

/* The table, by the linker. */
extern const struct test_case *const __start_test_cases[];
extern const struct test_case *const __stop_test_cases[];

int main(void)
{
	const char *only = getenv("SLUICE_TEST_ONLY");
	struct CMUnitTest picked[512];
	size_t count = 0;

	for (size_t i = 0; &__start_test_cases[i] < __stop_test_cases; i++) {
		const struct test_case *test = __start_test_cases[i];

		if (only && !strstr(test->sentence, only))
			continue;
		if (count == sizeof(picked) / sizeof(picked[0]))
			return 1;
		picked[count++] = (struct CMUnitTest){test->sentence, test->run, test->open,
						      test->close, NULL};
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (!count) {
		printf("1..0 # SKIP no case of this program matches\n");
		return 0;
	}
	return _cmocka_run_group_tests("datapath", picked, count, lab_new, lab_free) ? 1 : 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Tests of the data plane through BPF_PROG_RUN: packet in, packet out, counter moved. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"

int main(void)
{
	const struct case_table *tables[] = {
		&forward_cases,       &pass_drop_cases,  &parse_cases,      &tcp_cases,
		&udp_cases,           &flow_table_cases, &scheduler_cases,  &fragment_cases,
		&fragment_held_cases, &counter_cases,    &decap_cases,      &icmp_cases,
		&quic_cases,          &nat_cases,        &nat_return_cases, &echo_cases,
		&guard_cases,         &too_big_cases,    &gue_cases,        &budget_cases,
		&differential_cases,  &spread_cases};
	const char *only = getenv("SLUICE_TEST_ONLY");
	struct CMUnitTest picked[512];
	size_t count = 0;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (size_t j = 0; j < tables[i]->count; j++) {
			const struct CMUnitTest *test = &tables[i]->cases[j];

			if (only && !strstr(test->name, only))
				continue;
			if (count == sizeof(picked) / sizeof(picked[0]))
				return 1;
			picked[count++] = *test;
		}
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (!count) {
		printf("1..0 # SKIP no case of this program matches\n");
		return 0;
	}
	return _cmocka_run_group_tests("datapath", picked, count, lab_new, lab_free) ? 1 : 0;
}

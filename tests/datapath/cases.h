/* SPDX-License-Identifier: GPL-2.0-only */
/* cmocka with its headers, and the table of cases of each file. */
#ifndef DATAPATH_CASES_H
#define DATAPATH_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct case_table {
	const struct CMUnitTest *cases;
	size_t count;
};

extern const struct case_table forward_cases, pass_drop_cases, parse_cases, tcp_cases, udp_cases,
	flow_table_cases, scheduler_cases, fragment_cases, fragment_held_cases, counter_cases,
	decap_cases, quic_cases, nat_cases, nat_return_cases, icmp_cases, echo_cases, guard_cases,
	too_big_cases, gue_cases, budget_cases, differential_cases, spread_cases;

/* A case starts with maps that lab_reset emptied. */
#define CASE(sentence, function)                                                     \
	{                                                                            \
		.name = (sentence), .test_func = (function), .setup_func = lab_reset \
	}

#define CASE_TABLE(name, table) \
	const struct case_table name = {(table), sizeof(table) / sizeof((table)[0])}

#endif

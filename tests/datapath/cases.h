/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A case: a sentence, and right below it the packets that it is about. All cases of all files are
 * one table, which main.c runs by BPF_PROG_RUN or over namespaces.
 */
#ifndef DATAPATH_CASES_H
#define DATAPATH_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct test_case {
	const char *sentence;
	void (*run)(void **state);
	int (*open)(void **state);  /* CASE has lab_reset: a case starts with empty maps */
	int (*close)(void **state); /* NULL: nothing is to be put back */
	const char *not_on_wire;    /* why it cannot be run over namespaces; NULL: it can */
};

/* case_start, case_end - around the body; a case that does not come to its end has failed. */
void case_start(const struct test_case *test);
void case_end(void);

/*
 * CASE_WITH - what follows is the body of the case; the further arguments are fields of its struct
 * test_case. The section is the table; its order is that of the files and of the cases in each.
 */
#define CASE_WITH(function, text, ...)                                           \
	static void function(void **state);                                      \
	static void function##_run(void **state);                                \
	static const struct test_case function##_case = {                        \
		.sentence = (text), .run = function##_run, __VA_ARGS__};         \
	static const struct test_case *const function##_entry                    \
		__attribute__((section("test_cases"), used)) = &function##_case; \
	static void function##_run(void **state)                                 \
	{                                                                        \
		case_start(&function##_case);                                    \
		function(state);                                                 \
		case_end();                                                      \
	}                                                                        \
	static void function(void **state)

#define CASE(function, text) CASE_WITH(function, text, .open = lab_reset)

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What every fuzzed target has: what must hold, and an input that no byte can be read behind. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_REQUIRE(test)                                                                         \
	do {                                                                                       \
		if (!(test)) {                                                                     \
			fprintf(stderr, "does not hold: %s (%s:%d)\n", #test, __FILE__, __LINE__); \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* fuzz_copy - in memory of just its size, so that a sanitizer sees each overread; to be freed. */
static inline void *fuzz_copy(const uint8_t *input, size_t size)
{
	void *data = malloc(size ? size : 1);

	FUZZ_REQUIRE(data);
	if (size)
		memcpy(data, input, size);
	return data;
}

/* The entry of libFuzzer for a target. */
#define FUZZ_ENTRY(one)                                                \
	int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size); \
	int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)  \
	{                                                              \
		one(input, size);                                      \
		return 0;                                              \
	}

#endif

// SPDX-License-Identifier: GPL-2.0-only
/* The entry of libFuzzer; what it runs is in parsers.h. */
#include "parsers.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	fuzz_one(input, size);
	return 0;
}

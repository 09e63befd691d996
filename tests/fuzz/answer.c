// SPDX-License-Identifier: GPL-2.0-only
/* libFuzzer on what provisioners answer. */
#include "answer.h"

FUZZ_ENTRY(fuzz_answer)

// SPDX-License-Identifier: GPL-2.0-only
/* libFuzzer on the saved state. */
#include "saved.h"

FUZZ_ENTRY(fuzz_saved)

// SPDX-License-Identifier: GPL-2.0-only
/* libFuzzer on bodies of the API. */
#include "api.h"

FUZZ_ENTRY(fuzz_api)

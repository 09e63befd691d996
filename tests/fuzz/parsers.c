// SPDX-License-Identifier: GPL-2.0-only
/* libFuzzer on the data plane's parsers. */
#include "parsers.h"

FUZZ_ENTRY(fuzz_parsers)

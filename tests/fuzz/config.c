// SPDX-License-Identifier: GPL-2.0-only
/* libFuzzer on the config's YAML. */
#include "config.h"

FUZZ_ENTRY(fuzz_config)

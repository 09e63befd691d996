// SPDX-License-Identifier: GPL-2.0-only
/* libFuzzer on the journal. */
#include "journal.h"

FUZZ_ENTRY(fuzz_journal)

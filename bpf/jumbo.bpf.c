// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data plane for hosts with jumbo frames, which come in several buffers: all else is the same
 * program.
 */
#define JUMBO_FRAMES

#include "sluice.bpf.c" /* NOLINT(bugprone-suspicious-include): the program itself */

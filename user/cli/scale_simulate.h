/* SPDX-License-Identifier: GPL-2.0-only */
/* The verb "scale simulate". */
#ifndef CLI_SCALE_SIMULATE_H
#define CLI_SCALE_SIMULATE_H

#include "cli/verb.h"

int scale_simulate_run(struct call *call, struct error *error);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The verb "scale history". */
#ifndef CLI_SCALE_HISTORY_H
#define CLI_SCALE_HISTORY_H

#include "cli/verb.h"

int scale_history_run(struct call *call, struct error *error);

#endif

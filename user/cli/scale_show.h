/* SPDX-License-Identifier: GPL-2.0-only */
/* The verb "scale show". */
#ifndef CLI_SCALE_SHOW_H
#define CLI_SCALE_SHOW_H

#include "cli/verb.h"

int scale_show_run(struct call *call, struct error *error);

#endif

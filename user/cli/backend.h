/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of backends, which two verbs print. */
#ifndef CLI_BACKEND_H
#define CLI_BACKEND_H

#include "cli/verb.h"

int backends_print(const struct call *call, const json_t *backends, struct error *error);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What is said about a service or backend that is not there, with the one that may be meant. */
#ifndef MODEL_MISSING_H
#define MODEL_MISSING_H

#include "base/error.h"
#include "model/state.h"

/* Both return -ENOENT with the message. */
int service_missing(const struct state *state, const char *name, struct error *error);
int backend_missing(const struct pool *pool, const char *name, struct error *error);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The autoscaler's past decisions of a service, put together from events: changes that it made have
 * an object "scale" of what they belong to. Pure.
 *
 * An action: {"decision", "action", "backend", "from", "to", "why"}, and "text" of the first one of a
 * decision. What came of it: {"backend", "outcome"}, with "note" if it failed.
 */
#ifndef MODEL_SCALE_HISTORY_H
#define MODEL_SCALE_HISTORY_H

#include <jansson.h>
#include <stddef.h>

#include "model/event_log.h"

/*
 * scale_history - the latest `count` decisions, the oldest first: [{"time", "time_ms", "from", "to",
 * "why", "text", "actions": [{"action", "backend", "outcome", "took_s", "note"}]}]. outcome: what came
 * of it ("created", "failed", "drained", "deleted", "taken back", "done"), null = it is under way.
 * NULL: no memory.
 */
json_t *scale_history(const struct event_log *log, const char *service, size_t count);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls of provisioners: one verb, a JSON object in, one out; docs/PROVISIONERS.md has the contract. */
#ifndef AGENT_PROVISIONER_H
#define AGENT_PROVISIONER_H

#include <jansson.h>
#include <stdint.h>

#include "agent/child.h"
#include "model/provision.h"

/* The words of the outcomes: a label of metrics. */
extern const char *const provisioner_outcome_names[];

struct provisioner_result {
	enum provisioner_outcome outcome;
	const json_t *answer; /* the object, of PROVISIONER_DONE only */
	const char *message;  /* what happened, for people; "" if done */
};

struct provisioner_call;

typedef void (*provisioner_done_fn)(void *context, const struct provisioner_result *result);

/*
 * provisioner_start - call "path verb" with input on its standard input. done is called once,
 * from the loop, never from here, unless the call is cancelled first. The call frees itself
 * after that. Returns it, or NULL when out of memory.
 */
struct provisioner_call *provisioner_start(struct children *children, const char *path,
					   const char *verb, const json_t *input,
					   uint64_t timeout_ms, provisioner_done_fn done,
					   void *context);

/* provisioner_cancel - kill its process group; done will not be called. Takes NULL. */
void provisioner_cancel(struct provisioner_call *call);

#endif

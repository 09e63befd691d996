/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The autoscaler on the loop: reads demand, asks autoscale_step() for a decision each second, and
 * makes the pools and the provisioners' objects follow what is wanted.
 */
#ifndef AGENT_SCALER_H
#define AGENT_SCALER_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/agent.h"
#include "agent/provisioner.h"
#include "model/autoscale.h"

enum scaler_action {
	SCALER_UNDRAIN = 0,
	SCALER_CREATE,
	SCALER_DRAIN,
	SCALER_DELETE,
	SCALER_ACTIONS,
};
extern const char *const scaler_action_names[];

enum scaler_verb {
	SCALER_VERB_CREATE = 0,
	SCALER_VERB_DELETE,
	SCALER_VERB_LIST,
	SCALER_VERBS,
};
extern const char *const scaler_verb_names[];

/* What is known about the scaling of one service. */
struct scaler_facts {
	bool decided; /* the fields below hold a decision */
	struct autoscale_input input;
	struct autoscale_output output;
	char problem[512]; /* the trouble with its provisioner, "" if there is none */
	uint64_t actions[SCALER_ACTIONS];
	uint64_t calls[SCALER_VERBS][PROVISIONER_OUTCOMES];
};

/* scaler_start - the agent must outlive it. Returns 0 or -errno. */
int scaler_start(struct agent *agent, struct scaler **ret_scaler, struct error *error);

/*
 * scaler_stop - cancel what is under way; it is finished after the next start. scaler_free after
 * the loop has run out. Both take NULL.
 */
void scaler_stop(struct scaler *scaler);
void scaler_free(struct scaler *scaler);

/* scaler_facts - of a service, or NULL if it does not scale. */
const struct scaler_facts *scaler_facts(const struct scaler *scaler, const char *service);

/* scaler_note - what its provisioner last said about a backend in the making, or NULL. */
const char *scaler_note(const struct scaler *scaler, const char *service, const char *backend);

#endif

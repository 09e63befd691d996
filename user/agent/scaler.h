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
	SCALER_WAKE, /* from the standby */
	SCALER_PARK, /* to it, after a drain */
	SCALER_ACTIONS,
};
extern const char *const scaler_action_names[];

enum scaler_verb {
	SCALER_VERB_CREATE = 0,
	SCALER_VERB_DELETE,
	SCALER_VERB_LIST,
	SCALER_VERB_CAPABILITIES,
	SCALER_VERBS,
};
extern const char *const scaler_verb_names[];

/* Verbs that a provisioner may have. */
enum provisioner_verb {
	PROVISIONER_CAPABILITIES = 0,
	PROVISIONER_CREATE,
	PROVISIONER_DELETE,
	PROVISIONER_LIST,
	PROVISIONER_GET,    /* nothing calls it yet */
	PROVISIONER_RESIZE, /* nothing calls it yet */
	PROVISIONER_VERBS,
};
extern const char *const provisioner_verb_names[];

/* What a provisioner said about itself. */
struct provisioner_abilities {
	bool known; /* it has answered; the fields below hold its answer */
	bool verbs[PROVISIONER_VERBS];
	uint32_t consistency_delay_ms; /* so late its list may show a change */
	char trouble[512];             /* why nothing is created, "" if that is not so */
};

/* What is known about the scaling of one service. */
struct scaler_facts {
	bool decided; /* the fields below hold a decision */
	struct autoscale_input input;
	struct autoscale_output output;
	char problem[512]; /* the trouble with its provisioner, "" if there is none */
	struct provisioner_abilities abilities;
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

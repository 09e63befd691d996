// SPDX-License-Identifier: GPL-2.0-only
/* What a provisioner can do: asked once, and again when another one is to be called. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/scaler_private.h"
#include "base/index.h"
#include "base/log.h"
#include "model/answer.h"

const char *const provisioner_verb_names[] = {"capabilities", "create", "delete", "list",
					      "get",          "resize", NULL};

bool scaled_may_create(const struct scaled *scaled)
{
	const struct provisioner_abilities *able = &scaled->facts.abilities;

	return able->known && able->verbs[PROVISIONER_CREATE] && able->verbs[PROVISIONER_DELETE] &&
	       able->verbs[PROVISIONER_LIST];
}

bool scaled_may_list(const struct scaled *scaled)
{
	return scaled->facts.abilities.known && scaled->facts.abilities.verbs[PROVISIONER_LIST];
}

static void trouble(struct scaled *scaled, enum provisioner_outcome outcome, const char *message)
{
	struct provisioner_abilities *able = &scaled->facts.abilities;

	scaled_trouble(scaled, SCALER_VERB_CAPABILITIES, outcome, message);
	scaled_problem(scaled, SCALER_VERB_CAPABILITIES, ""); /* it is said by able->trouble */
	snprintf(able->trouble, sizeof(able->trouble), "%s", message);
}

static void ask_failed(struct scaled *scaled, enum provisioner_outcome outcome, const char *message)
{
	uint64_t delay_ms =
		provision_backoff_ms(++scaled->ask.failures, index_hash_text(scaled->service));

	scaled->ask.at_ms = clock_monotonic_ms() + delay_ms;
	trouble(scaled, outcome, message);
}

/* Returns what is wrong with the answer, or NULL. */
static const char *answer_read(const json_t *answer, struct provisioner_abilities *able)
{
	*able = (struct provisioner_abilities){.known = true};
	return answer_capabilities(answer, provisioner_verb_names, able->verbs,
				   &able->consistency_delay_ms);
}

/* The verbs that it lacks and that scaling cannot do without. */
static void missing_tell(struct scaled *scaled)
{
	static const enum provisioner_verb needed[] = {PROVISIONER_CREATE, PROVISIONER_DELETE,
						       PROVISIONER_LIST};
	char missing[64] = "", message[512];

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		size_t length = strlen(missing);

		if (!scaled->facts.abilities.verbs[needed[i]])
			snprintf(missing + length, sizeof(missing) - length, "%s%s",
				 length ? ", " : "", provisioner_verb_names[needed[i]]);
	}
	if (!*missing)
		return;
	snprintf(message, sizeof(message),
		 "provisioner %.256s: its capabilities lack %s; nothing is created by it; "
		 "configure one that has all of create, delete, list",
		 scaled->ask.provisioner, missing);
	trouble(scaled, PROVISIONER_BAD_CONFIG, message);
}

static void ask_done(void *context, const struct provisioner_result *result)
{
	struct scaled *scaled = context;
	struct provisioner_abilities able;
	const char *wrong;
	char message[512];

	scaled->ask.call = NULL;
	scaled->facts.calls[SCALER_VERB_CAPABILITIES][result->outcome]++;
	if (result->outcome != PROVISIONER_DONE) {
		ask_failed(scaled, result->outcome, result->message);
		return;
	}
	wrong = answer_read(result->answer, &able);
	if (wrong) {
		snprintf(message, sizeof(message),
			 "provisioner %.256s: its answer to capabilities: %s; see the contract",
			 scaled->ask.provisioner, wrong);
		ask_failed(scaled, PROVISIONER_RUBBISH, message);
		return;
	}
	scaled->facts.abilities = able;
	scaled_trouble(scaled, SCALER_VERB_CAPABILITIES, PROVISIONER_DONE, "");
	missing_tell(scaled);
}

void ask_clear(struct ask *ask)
{
	provisioner_cancel(ask->call);
	free(ask->provisioner);
	json_decref(ask->options);
	*ask = (struct ask){0};
}

static bool ask_is_about(const struct ask *ask, const struct autoscale_config *scale)
{
	return ask->provisioner && !strcmp(ask->provisioner, scale->provisioner) &&
	       json_equal(ask->options, scale->options);
}

void capabilities_run(struct scaled *scaled, const struct pool *pool, uint64_t now_ms)
{
	const struct autoscale_config *scale = pool->service->autoscale;
	struct agent *agent = scaled->scaler->agent;
	struct ask *ask = &scaled->ask;
	json_t *input;

	if (!ask_is_about(ask, scale)) {
		ask_clear(ask);
		scaled->facts.abilities = (struct provisioner_abilities){0};
		ask->provisioner = strdup(scale->provisioner);
		ask->options = json_deep_copy(scale->options);
	}
	if (scaled->facts.abilities.known || ask->call || ask->at_ms > now_ms)
		return;
	input = json_pack("{ss,sO}", "owner", agent->config->owner, "spec", scale->options);
	if (input && ask->provisioner)
		ask->call = provisioner_start(agent->children, ask->provisioner,
					      scaler_verb_names[SCALER_VERB_CAPABILITIES], input,
					      scale->call_timeout_ms, ask_done, scaled);
	json_decref(input);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Looks for objects of this owner that nobody knows, and has them deleted. */
#include <errno.h>
#include <string.h>

#include "agent/scaler_private.h"
#include "base/index.h"
#include "base/log.h"
#include "model/answer.h"

static int edit_orphan(struct desired *draft, void *context, struct error *error)
{
	const struct backend_change *change = context;
	const struct pool *pool = state_pool(draft->state, change->service);
	int err = 0;

	if (pool)
		err = desired_orphan_add(draft, change->name, change->provider,
					 pool->service->autoscale->call_timeout_ms);
	return err ? error_set(error, err, "orphan %s: %s", change->name, strerror(-err)) : 0;
}

static bool name_known(const struct desired *desired, const struct pool *pool, const char *name)
{
	if (pool_backend(pool, name))
		return true;
	for (size_t i = 0; i < desired->orphan_count; i++) {
		if (!strcmp(desired->orphans[i].name, name))
			return true;
	}
	return false;
}

static void orphan_found(struct scaled *scaled, const char *name)
{
	const struct pool *pool =
		state_pool(scaled->scaler->agent->desired->state, scaled->service);
	struct backend_change change = {
		.service = scaled->service,
		.name = name,
		.provider = scaled_provider(scaled, pool->service->autoscale),
	};
	struct change_cause cause = cause_make(
		CAUSE_AUTOSCALER, "delete %s: its provisioner lists it, and nobody knows it", name);

	log_warning("service %s: its provisioner lists %s, which nobody knows; deleting it",
		    scaled->service, name);
	if (change.provider)
		scaler_change(scaled->scaler, &cause, edit_orphan, &change);
	provider_put(change.provider);
}

static void list_take(struct scaled *scaled, const json_t *backends)
{
	struct agent *agent = scaled->scaler->agent;
	json_t *item;
	size_t i;

	json_array_foreach(backends, i, item)
	{
		const char *name = json_string_value(json_object_get(item, "name"));
		const struct pool *pool = state_pool(agent->desired->state, scaled->service);

		if (name && pool && pool->service->autoscale &&
		    provision_name_ours(name, scaled->service, agent->config->owner) &&
		    !name_known(agent->desired, pool, name))
			orphan_found(scaled, name);
	}
}

static void list_done(void *context, const struct provisioner_result *result)
{
	struct scaled *scaled = context;
	const json_t *backends = answer_list(result->answer);
	enum provisioner_outcome outcome = result->outcome;
	const char *message = result->message;

	scaled->list = NULL;
	scaled->facts.calls[SCALER_VERB_LIST][outcome]++;
	if (outcome == PROVISIONER_DONE && !backends) {
		outcome = PROVISIONER_RUBBISH;
		message = "its provisioner: the answer to list has no array \"backends\" of "
			  "objects with a name; see the contract";
	}
	provision_list_replied(&scaled->listing, outcome == PROVISIONER_DONE, clock_monotonic_ms(),
			       scaled->facts.abilities.consistency_delay_ms,
			       index_hash_text(scaled->service));
	scaled_trouble(scaled, SCALER_VERB_LIST, outcome, message);
	if (outcome == PROVISIONER_DONE)
		list_take(scaled, backends);
}

void list_run(struct scaled *scaled, const struct pool *pool, uint64_t now_ms)
{
	const struct autoscale_config *scale = pool->service->autoscale;
	struct agent *agent = scaled->scaler->agent;
	json_t *input;

	if (!scaled_may_list(scaled) || !provision_list_due(&scaled->listing, now_ms))
		return;
	input = json_pack("{ss,so}", "owner", agent->config->owner, "spec",
			  scale->options ? json_deep_copy(scale->options) : json_object());
	if (input)
		scaled->list = provisioner_start(agent->children, scale->provisioner,
						 scaler_verb_names[SCALER_VERB_LIST], input,
						 scale->call_timeout_ms, list_done, scaled);
	if (scaled->list)
		provision_list_begun(&scaled->listing);
	json_decref(input);
}

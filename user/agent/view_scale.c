// SPDX-License-Identifier: GPL-2.0-only
/* What the API shows of scaling: the decision, and all that it follows from. */
#include "agent/scaler.h"
#include "agent/view.h"

static json_t *integer(uint64_t number)
{
	return json_integer((json_int_t)number);
}

static json_t *scale_text(const struct scaler_facts *facts)
{
	const char *words = facts->decided ? facts->output.text : "no decision yet";
	const char *trouble = facts->abilities.trouble;

	return json_sprintf("%s%s%s%s%s", words, *facts->problem ? "; " : "", facts->problem,
			    *trouble ? "; " : "", trouble);
}

static json_t *capabilities_view(const struct provisioner_abilities *abilities)
{
	json_t *verbs;

	if (!abilities->known)
		return json_null();
	verbs = json_array();
	for (int verb = 0; verb < PROVISIONER_VERBS; verb++) {
		if (abilities->verbs[verb])
			json_array_append_new(verbs, json_string(provisioner_verb_names[verb]));
	}
	return json_pack("{so,so}", "verbs", verbs, "consistency_delay_ms",
			 integer(abilities->consistency_delay_ms));
}

/* A reading that is not known is null. */
static json_t *signals_view(const struct autoscale_output *output)
{
	json_t *list = json_array();

	for (int signal = 0; signal < SIGNALS; signal++) {
		const struct autoscale_need *need = &output->needs[signal];

		if (!(need->target > 0))
			continue;
		json_array_append_new(
			list,
			json_pack("{ss,sb,so,so,sf,so,sf,sf,so,so}", "signal",
				  scale_signal_names[signal], "decides",
				  (int)output->signal == signal, "value",
				  need->fresh ? json_real(need->demand) : json_null(), "reported",
				  need->asked ? json_pack("{so,so}", "known", integer(need->known),
							  "asked", integer(need->asked))
					      : json_null(),
				  "estimate", need->estimate, "window_s", integer(need->window_s),
				  "forecast", need->forecast, "target", need->target, "trend",
				  json_boolean(need->trend), "need", integer(need->wanted)));
	}
	return list;
}

static json_t *floors_view(const struct autoscale_config *config,
			   const struct autoscale_output *output)
{
	return json_pack("{so,so,so,so}", "min", integer(config->min), "schedule",
			 integer(output->schedule_min), "yesterday", integer(output->season_min),
			 "first_packet", integer(output->knock_min));
}

static json_t *waits_view(const struct autoscale_config *config, const struct scaler_facts *facts)
{
	const struct autoscale_output *output = &facts->output;
	const struct autoscale_input *input = &facts->input;

	return json_pack("{s{sf,sf,so},s{so,sb,sf},s{so,so,so}}", "hold", "for_s",
			 (double)output->hold_ms / 1000, "left_s",
			 (double)output->hold_left_ms / 1000, "need", integer(output->hold_need),
			 "backoff", "failures", integer(input->failed_in_a_row), "quota",
			 input->quota, "left_s", (double)output->backoff_ms / 1000, "unhealthy",
			 "count", integer(input->unhealthy), "of",
			 integer((uint64_t)input->unhealthy + input->active), "percent_max",
			 integer(config->unhealthy_max));
}

/* Backends that are on their way, or that something is wrong with. */
static json_t *pending_view(const struct agent *agent, const struct pool *pool)
{
	json_t *list = json_array();

	for (size_t i = 0; i < pool->backend_count; i++) {
		const struct pool_backend *backend = &pool->backends[i];

		if (backend->origin != ORIGIN_AUTOSCALE || backend->life == LIFE_ACTIVE ||
		    backend->life == LIFE_DRAINED)
			continue;
		json_array_append_new(list, json_pack("{ss,ss,ss?}", "name", backend->name, "state",
						      lifecycle_names[backend->life], "note",
						      view_backend_note(agent, pool, backend)));
	}
	return list;
}

/* All that explains a decision. */
static void reasons_add(const struct agent *agent, const struct pool *pool,
			const struct scaler_facts *facts, json_t *object)
{
	const struct autoscale_config *config = pool->service->autoscale;
	const struct autoscale_output *output = &facts->output;
	json_t *waits = waits_view(config, facts);

	json_object_set_new(object, "dry_run", json_boolean(config->dry_run));
	json_object_set_new(object, "next", json_string(facts->decided ? output->next : ""));
	json_object_set_new(object, "reason", json_string(autoscale_reason_names[output->reason]));
	json_object_set_new(object, "forecast", json_real(output->forecast));
	json_object_set_new(object, "lead_s", json_real((double)facts->input.lead_ms / 1000));
	json_object_set_new(object, "signals", signals_view(output));
	json_object_set_new(object, "floors", floors_view(config, output));
	json_object_update(object, waits);
	json_object_set_new(object, "actions",
			    json_pack("{so,so,so,so}", "undrain", integer(output->undrain), "wake",
				      integer(output->wake), "create", integer(output->create),
				      "drain", integer(output->drain)));
	json_object_set_new(object, "pending", pending_view(agent, pool));
	json_decref(waits);
}

json_t *view_scale(const struct agent *agent, const struct pool *pool)
{
	static const struct scaler_facts none;
	const struct autoscale_config *config = pool->service->autoscale;
	const struct scaler_facts *found = scaler_facts(agent->scaler, pool->service->name);
	const struct scaler_facts *facts = found ? found : &none;
	uint32_t counts[LIFE_WARMING + 1] = {0};
	json_t *object;

	for (size_t i = 0; i < pool->backend_count; i++)
		counts[pool->backends[i].life]++;
	object = json_pack(
		"{ss,ss,sf,so,so,sb,sf,sf,so,so,so,so,so,so,so,so,ss,so,ss,so}", "service",
		pool->service->name, "signal", scale_signal_names[config->signal], "target",
		config->target, "min", integer(config->min), "max", integer(config->max), "paused",
		config->paused, "demand", facts->output.demand, "estimate", facts->output.estimate,
		"need", integer(facts->output.need), "active", integer(counts[LIFE_ACTIVE]),
		"warming", integer(counts[LIFE_WARMING]), "provisioning",
		integer(counts[LIFE_PROVISIONING]), "draining", integer(counts[LIFE_DRAINING]),
		"standby", integer(facts->input.standby), "deleting",
		integer(counts[LIFE_DELETING]), "failed", integer(counts[LIFE_FAILED]), "why",
		autoscale_why_names[facts->output.why], "text", scale_text(facts), "provisioner",
		config->provisioner, "capabilities", capabilities_view(&facts->abilities));
	if (object)
		reasons_add(agent, pool, facts, object);
	return object;
}

json_t *view_scales(const struct agent *agent)
{
	const struct state *state = agent->desired->state;
	json_t *list = json_array();

	for (size_t i = 0; i < state->pool_count; i++) {
		if (state->pools[i]->service->autoscale)
			json_array_append_new(list, view_scale(agent, state->pools[i]));
	}
	return json_pack("{so}", "scale", list);
}

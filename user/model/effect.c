// SPDX-License-Identifier: GPL-2.0-only
/* What comes of all that was said about a backend, and why: the configured, the set, the found. */
#include "model/effect.h"

#include <stdio.h>

static bool takes_packets(const struct pool_backend *backend, const struct effect_facts *facts)
{
	return backend_takes(backend) && facts->reachable;
}

const char *effect_word(const struct pool_backend *backend, const struct effect_facts *facts)
{
	if (!takes_packets(backend, facts))
		return "no packets";
	if (backend_weight(backend) && facts->slots)
		return "new and existing flows";
	return "existing flows only";
}

static const char *why_not_active(const struct pool_backend *backend)
{
	switch (backend->life) {
	case LIFE_PROVISIONING:
		return "its provisioner is creating it";
	case LIFE_DELETING:
		return "its provisioner is deleting it";
	case LIFE_FAILED:
		return "its creation or deletion failed";
	case LIFE_DRAINED:
		return "its drain has reached the deadline; 'sluice backend undrain' takes it back";
	case LIFE_DRAINING:
		if (backend->drain)
			return "the config drains it";
		return backend->origin == ORIGIN_AUTOSCALE ? "the autoscaler or a person drains it"
							   : "it drains, told at run time";
	case LIFE_WARMING:
	case LIFE_ACTIVE:
		break;
	}
	return NULL;
}

/* Of one that may take flows but for its health, or for what somebody said about it. */
static const char *why_not_taking(const struct pool_backend *backend)
{
	if (backend->maint)
		return backend->maint_configured
			       ? "the config has it in maintenance"
			       : "it is in maintenance; 'sluice backend ready' takes it back";
	switch (backend->health.report) {
	case REPORT_MAINT:
		return "its agent-check says maint";
	case REPORT_DRAIN:
		return "its agent-check says drain";
	case REPORT_DOWN:
		return backend->dead ? "its agent-check says down" : NULL;
	case REPORT_READY:
		break;
	}
	if (!backend->dead)
		return NULL;
	return backend->health.verdict == HEALTH_WAITING
		       ? "its first success has not come yet"
		       : "its probes have failed; 'sluice health' says how";
}

/* Of an active one that can be reached: its weight says all. */
static const char *why_weight(const struct pool_backend *backend, const struct effect_facts *facts,
			      char text[EFFECT_TEXT_MAX])
{
	uint32_t weight = backend_weight(backend);

	if (!weight && !backend->health.report_weight)
		snprintf(text, EFFECT_TEXT_MAX, "its agent-check says weight 0");
	else if (!weight)
		snprintf(text, EFFECT_TEXT_MAX, "weight 0 %s",
			 backend->weight_runtime == 0 ? "set at run time" : "of the config");
	else if (!facts->slots)
		snprintf(text, EFFECT_TEXT_MAX,
			 "weight %u is too small beside the others for a slot of the table",
			 weight);
	else if (backend->health.ramp < HEALTH_WHOLE)
		snprintf(text, EFFECT_TEXT_MAX, "weight %u, on its way up: %u%% so far", weight,
			 backend->health.ramp / 10);
	else if (backend->weight_runtime != NO_WEIGHT)
		snprintf(text, EFFECT_TEXT_MAX, "weight %u set at run time, in place of %u", weight,
			 backend->weight);
	else
		snprintf(text, EFFECT_TEXT_MAX, "weight %u, nothing was set at run time", weight);
	return text;
}

const char *effect_why(const struct pool_backend *backend, const struct effect_facts *facts,
		       char text[EFFECT_TEXT_MAX])
{
	const char *life = why_not_active(backend);

	if (!life)
		life = why_not_taking(backend);

	if (backend_alive(backend) && !facts->reachable)
		snprintf(text, EFFECT_TEXT_MAX, "%s%s%s",
			 facts->problem ? facts->problem : "the way to it is not known",
			 life ? "; besides, " : "", life ? life : "");
	else if (life && backend->note)
		snprintf(text, EFFECT_TEXT_MAX, "%s: %s", life, backend->note);
	else if (life)
		snprintf(text, EFFECT_TEXT_MAX, "%s", life);
	else
		return why_weight(backend, facts, text);
	return text;
}

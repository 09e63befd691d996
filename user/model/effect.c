// SPDX-License-Identifier: GPL-2.0-only
/* What comes of all that was said about a backend, and why: the configured, the set, the found. */
#include "model/effect.h"

#include <stdio.h>

static bool takes_packets(const struct pool_backend *backend, const struct effect_facts *facts)
{
	return backend_alive(backend) && facts->reachable;
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
	case LIFE_ACTIVE:
		break;
	}
	return NULL;
}

/* Of an active one that can be reached: its weight says all. */
static const char *why_weight(const struct pool_backend *backend, const struct effect_facts *facts,
			      char text[EFFECT_TEXT_MAX])
{
	uint32_t weight = backend_weight(backend);

	if (!weight)
		snprintf(text, EFFECT_TEXT_MAX, "weight 0 %s",
			 backend->weight_runtime == 0 ? "set at run time" : "of the config");
	else if (!facts->slots)
		snprintf(text, EFFECT_TEXT_MAX,
			 "weight %u is too small beside the others for a slot of the table",
			 weight);
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

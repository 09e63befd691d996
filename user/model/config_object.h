/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A whole config as one JSON object with every field of docs/sluice.yaml: one that was read, or one
 * that says what is running. Such an object is a config itself, since JSON is YAML.
 */
#ifndef MODEL_CONFIG_OBJECT_H
#define MODEL_CONFIG_OBJECT_H

#include <jansson.h>

#include "model/config.h"
#include "model/guard.h"
#include "model/state.h"

/* An interface that the program is attached to. */
struct running_interface {
	const char *name;
	enum attach_mode mode;
};

/* What is running, beside the config that was applied last. */
struct running {
	const struct config *config;
	const struct state *state;
	const struct guard *guard;
	const struct running_interface *interfaces;
	size_t interface_count;
};

/* Each returns a new reference, or NULL without memory. */
json_t *config_to_json(const struct config *config);

/*
 * running_to_json - the config that makes an agent do what this one does: with what people set at
 * run time, without the backends of the autoscaler, which makes its own. Prefixes are left in the
 * files that the config names as long as nobody set one of these at run time.
 */
json_t *running_to_json(const struct running *running);

#endif

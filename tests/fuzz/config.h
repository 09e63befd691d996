/* SPDX-License-Identifier: GPL-2.0-only */
/* A config's YAML: refused with a message, or taken, and then it can be applied, written and read. */
#ifndef TESTS_FUZZ_CONFIG_H
#define TESTS_FUZZ_CONFIG_H

#include "model.h"

static inline void fuzz_config_taken(const struct config *config)
{
	struct state *state = state_new(&config->limits);
	struct error error = {""};
	int code;

	FUZZ_REQUIRE(state);
	code = state_apply(state, config, &error);
	if (code)
		fuzz_refused(code, &error);
	else
		fuzz_state(state);
	for (size_t i = 0; i < config->service_count; i++)
		fuzz_service(&config->services[i]);
	state_free(state);
}

static inline void fuzz_config(const uint8_t *input, size_t size)
{
	char *text = fuzz_copy(input, size);
	struct error error = {""};
	struct config *config;
	int code = config_parse(text, size, "fuzz.yaml", &config, &error);

	if (code) {
		fuzz_refused(code, &error);
	} else {
		fuzz_config_taken(config);
		config_free(config);
	}
	free(text);
}

#endif

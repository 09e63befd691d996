/* SPDX-License-Identifier: GPL-2.0-only */
/* What the targets of user/model share. */
#ifndef TESTS_FUZZ_MODEL_H
#define TESTS_FUZZ_MODEL_H

#include <jansson.h>

#include "base/error.h"
#include "fuzz.h"
#include "model/config.h"
#include "model/guard.h"
#include "model/state.h"

/* Whatever is refused has a message, of one line, that says why. */
static inline void fuzz_refused(int code, const struct error *error)
{
	FUZZ_REQUIRE(code < 0);
	FUZZ_REQUIRE(*error->text && !strchr(error->text, '\n'));
}

/* A state that was taken is written, read again, and written the same. */
static inline void fuzz_state(const struct state *state)
{
	json_t *once = state_to_json(state), *twice;
	struct error error = {""};
	struct state *again;

	FUZZ_REQUIRE(once);
	if (state_from_json(once, &again, &error)) {
		fprintf(stderr, "read again: %s\n", error.text);
		abort();
	}
	twice = state_to_json(again);
	FUZZ_REQUIRE(twice && json_equal(once, twice));
	json_decref(once);
	json_decref(twice);
	state_free(again);
}

static inline void fuzz_service(const struct service_config *service)
{
	json_t *object = service_config_to_json(service);
	struct service_config *again;
	struct error error = {""};

	FUZZ_REQUIRE(object);
	if (service_config_from_json(object, &again, &error)) {
		fprintf(stderr, "read again: %s\n", error.text);
		abort();
	}
	FUZZ_REQUIRE(service_config_equal(service, again));
	service_config_free(again);
	json_decref(object);
}

#endif

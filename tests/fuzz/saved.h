/* SPDX-License-Identifier: GPL-2.0-only */
/* The saved state, as one JSON object. */
#ifndef TESTS_FUZZ_SAVED_H
#define TESTS_FUZZ_SAVED_H

#include "model.h"

static inline void fuzz_saved(const uint8_t *input, size_t size)
{
	char *text = fuzz_copy(input, size);
	json_error_t json_error;
	json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, &json_error);
	struct error error = {""};
	struct state *state;
	int code = state_from_json(object, &state, &error);

	if (code) {
		fuzz_refused(code, &error);
	} else {
		fuzz_state(state);
		state_free(state);
	}
	json_decref(object);
	free(text);
}

#endif

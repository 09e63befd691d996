/* SPDX-License-Identifier: GPL-2.0-only */
/* What comes of all that was said about a backend, in a word and a sentence. */
#ifndef MODEL_EFFECT_H
#define MODEL_EFFECT_H

#include <stdbool.h>

#include "model/state.h"

#define EFFECT_TEXT_MAX 256

/* What is found about it, beside what the state has. */
struct effect_facts {
	bool reachable;
	const char *problem; /* why not, or NULL */
	uint32_t slots;      /* that it owns */
};

/* effect_word - "new and existing flows", "existing flows only", "no packets". */
const char *effect_word(const struct pool_backend *backend, const struct effect_facts *facts);

/* effect_why - the reason of that, which names who decided it. Returns text. */
const char *effect_why(const struct pool_backend *backend, const struct effect_facts *facts,
		       char text[EFFECT_TEXT_MAX]);

#endif

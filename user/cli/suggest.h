/* SPDX-License-Identifier: GPL-2.0-only */
/* "Did you mean": the known word that is nearest to a mistyped one. */
#ifndef CLI_SUGGEST_H
#define CLI_SUGGEST_H

#include <stddef.h>

/* suggest_nearest - NULL if none is near enough: at most a third of the letters may differ. */
const char *suggest_nearest(const char *word, const char *const *known, size_t known_count);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Secrets among a provisioner's options: those whose names say that they are one. Pure. */
#ifndef MODEL_SECRET_H
#define MODEL_SECRET_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define SECRET_SHOWN "***"

/* secret_named - whether the name has "token", "password", "passwd", "secret", "credential" or "key". */
bool secret_named(const char *name);

/*
 * secret_hide - in a text to be shown, SECRET_SHOWN in place of each secret of the object, at any
 * depth, that is a text of four characters or more: the text never grows.
 */
void secret_hide(char *text, const json_t *object);

/*
 * secret_options_hide - the same in a list of options as a config has them, "name=value": of those
 * that are secrets "name=***" stays. What is no such list is left as it is.
 */
void secret_options_hide(json_t *list);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* A JSON text of any bytes. */
#ifndef MODEL_JSON_TEXT_H
#define MODEL_JSON_TEXT_H

#include <jansson.h>

/* json_text - what is not UTF-8 has each byte above ASCII replaced by '?'. NULL: no memory. */
json_t *json_text(const char *text);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* A JSON value as YAML that people read: blocks with indentation, one field a line. */
#ifndef MODEL_CONFIG_YAML_H
#define MODEL_CONFIG_YAML_H

#include <jansson.h>

/* yaml_format - the text, to be freed; NULL without memory. */
char *yaml_format(const json_t *value);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The text that a config is read from, and where in it something is: for messages. */
#ifndef MODEL_CONFIG_SOURCE_H
#define MODEL_CONFIG_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include "base/error.h"
#include "model/config_schema.h"

struct source {
	const char *text;
	size_t length;
	const char *name; /* of the file; NULL: JSON of the API, messages name the field's path */
	yaml_document_t document;
};

/*
 * source_load - read the text, check its shape against the schema and give back the schema's own
 * structure in *ret_raw (NULL for an empty text), to be freed by source_free_raw. The source is
 * open afterwards in any case; source_close ends it. Returns 0, -EINVAL or -ENOMEM.
 */
int source_load(struct source *source, const char *text, size_t length, const char *name,
		const cyaml_schema_value_t *schema, void **ret_raw, struct error *error);
void source_free_raw(const cyaml_schema_value_t *schema, void *raw);
void source_close(struct source *source);

/*
 * source_fail - put where it is in front of the message that error holds: the place of the field
 * of the thing at path ("services[1].backends[0]", "" for the whole), or of the thing if it lacks
 * the field or field is NULL. Returns -EINVAL.
 */
int source_fail(struct source *source, const char *path, const char *field, struct error *error);

/*
 * shape_check - whether mappings, lists and texts are where the schema has them, without unknown
 * or doubled keys. Returns 0 or -EINVAL with the message.
 */
int shape_check(struct source *source, const cyaml_schema_value_t *schema, struct error *error);

/* word_closest - the word that the text was probably meant to be, or NULL. */
const char *word_closest(const char *text, const char *const *words);

#endif

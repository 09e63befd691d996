// SPDX-License-Identifier: GPL-2.0-only
/* Whether a config has the shape of the schema, walked side by side, to say where it has not. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/config_source.h"

#define WORD_MAX 32

struct walk {
	struct source *source;
	struct error *error;
};

static int walk_value(const struct walk *walk, yaml_node_t *node, const char *path,
		      const cyaml_schema_value_t *schema);

/* Levenshtein's distance of two words; far when one is too long to be compared. */
static unsigned int word_distance(const char *a, const char *b)
{
	size_t length_a = strlen(a), length_b = strlen(b);
	unsigned int row[WORD_MAX + 1];

	if (length_a > WORD_MAX || length_b > WORD_MAX)
		return UINT_MAX;
	for (unsigned int n = 0; n <= length_b; n++)
		row[n] = n;
	for (unsigned int i = 1; i <= length_a; i++) {
		unsigned int corner = row[0];

		row[0] = i;
		for (size_t n = 1; n <= length_b; n++) {
			unsigned int best = corner + (a[i - 1] != b[n - 1]);

			corner = row[n];
			if (corner + 1 < best)
				best = corner + 1;
			if (row[n - 1] + 1 < best)
				best = row[n - 1] + 1;
			row[n] = best;
		}
	}
	return row[length_b];
}

const char *word_closest(const char *text, const char *const *words)
{
	unsigned int best_distance = 3;
	const char *best = NULL;

	for (; *words; words++) {
		unsigned int distance = word_distance(text, *words);

		if (distance < best_distance && distance < strlen(*words)) {
			best_distance = distance;
			best = *words;
		}
	}
	return best;
}

/* Put the place of a node in front of the message. */
static int node_fail(const struct walk *walk, const yaml_node_t *node, const char *path)
{
	if (walk->source->name)
		error_prefix(walk->error, "%s:%zu:%zu: ", walk->source->name,
			     node->start_mark.line + 1, node->start_mark.column + 1);
	else if (*path)
		error_prefix(walk->error, "%s: ", path);
	return -EINVAL;
}

static const char *node_text(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "?";
}

/* A NUL would end the value for all who read it as a text. */
static bool node_has_nul(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE &&
	       memchr(node->data.scalar.value, '\0', node->data.scalar.length);
}

static const cyaml_schema_field_t *field_find(const cyaml_schema_field_t *fields, const char *key)
{
	for (; fields->key; fields++) {
		if (!strcmp(fields->key, key))
			return fields;
	}
	return NULL;
}

static int unknown_key(const struct walk *walk, const yaml_node_t *key, const char *path,
		       const cyaml_schema_field_t *fields)
{
	const char *words[32], *closest;
	size_t count = 0, length;
	char list[256] = "";

	for (; count < 31 && fields[count].key; count++)
		words[count] = fields[count].key;
	words[count] = NULL;
	closest = word_closest(node_text(key), words);
	if (closest) {
		error_set(walk->error, -EINVAL, "unknown key '%s'; did you mean '%s'?",
			  node_text(key), closest);
		return node_fail(walk, key, path);
	}
	for (size_t i = 0; i < count; i++) {
		length = strlen(list);
		snprintf(list + length, sizeof(list) - length, "%s%s", i ? ", " : "", words[i]);
	}
	error_set(walk->error, -EINVAL, "unknown key '%s'; known here: %s", node_text(key), list);
	return node_fail(walk, key, path);
}

static int walk_mapping(const struct walk *walk, yaml_node_t *node, const char *path,
			const cyaml_schema_field_t *fields)
{
	yaml_document_t *document = &walk->source->document;
	const yaml_node_pair_t *start = node->data.mapping.pairs.start;
	int code = 0;

	for (const yaml_node_pair_t *pair = start; !code && pair < node->data.mapping.pairs.top;
	     pair++) {
		yaml_node_t *key = yaml_document_get_node(document, pair->key);
		const cyaml_schema_field_t *field = field_find(fields, node_text(key));
		char below[128];

		if (!field || node_has_nul(key))
			return unknown_key(walk, key, path, fields);
		for (const yaml_node_pair_t *other = start; other < pair; other++) {
			if (strcmp(node_text(yaml_document_get_node(document, other->key)),
				   field->key))
				continue;
			error_set(walk->error, -EINVAL, "key '%s' is here twice; remove one",
				  field->key);
			return node_fail(walk, key, path);
		}
		snprintf(below, sizeof(below), "%s%s%s", path, *path ? "." : "", field->key);
		code = walk_value(walk, yaml_document_get_node(document, pair->value), below,
				  &field->value);
	}
	return code;
}

static int walk_sequence(const struct walk *walk, yaml_node_t *node, const char *path,
			 const cyaml_schema_value_t *entry)
{
	const yaml_node_item_t *start = node->data.sequence.items.start;
	int code = 0;

	for (const yaml_node_item_t *item = start; !code && item < node->data.sequence.items.top;
	     item++) {
		char below[128];

		snprintf(below, sizeof(below), "%s[%zu]", path, (size_t)(item - start));
		code = walk_value(walk, yaml_document_get_node(&walk->source->document, *item),
				  below, entry);
	}
	return code;
}

static bool node_is_null(const yaml_node_t *node)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};

	if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++) {
		if (!strcmp(node_text(node), nulls[i]))
			return true;
	}
	return false;
}

static int walk_value(const struct walk *walk, yaml_node_t *node, const char *path,
		      const cyaml_schema_value_t *schema)
{
	const char *last = strrchr(path, '.');
	const char *name = *path ? (last ? last + 1 : path) : "the config";

	if (node_has_nul(node)) {
		error_set(walk->error, -EINVAL, "%s has a NUL character; remove it", name);
		return node_fail(walk, node, walk->source->name ? path : "");
	}
	if (node_is_null(node) && schema->flags & (CYAML_FLAG_POINTER_NULL & ~CYAML_FLAG_POINTER))
		return 0;
	if (schema->type == CYAML_MAPPING && node->type == YAML_MAPPING_NODE)
		return walk_mapping(walk, node, path, schema->mapping.fields);
	if (schema->type == CYAML_SEQUENCE && node->type == YAML_SEQUENCE_NODE)
		return walk_sequence(walk, node, path, schema->sequence.entry);
	if (schema->type == CYAML_STRING && node->type == YAML_SCALAR_NODE)
		return 0;
	if (schema->type == CYAML_MAPPING)
		error_set(walk->error, -EINVAL, "%s is not a section; give 'key: value' lines",
			  name);
	else if (schema->type == CYAML_SEQUENCE)
		error_set(walk->error, -EINVAL, "%s is not a list; begin each entry with '- '",
			  name);
	else
		error_set(walk->error, -EINVAL, "%s is not a single value; give one", name);
	return node_fail(walk, node, walk->source->name ? path : "");
}

int shape_check(struct source *source, const cyaml_schema_value_t *schema, struct error *error)
{
	struct error scratch;
	struct walk walk = {source, error ? error : &scratch};

	return walk_value(&walk, yaml_document_get_root_node(&source->document), "", schema);
}

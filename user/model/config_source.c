// SPDX-License-Identifier: GPL-2.0-only
/* The text that a config is read from: loaded by libcyaml, with the places that libyaml keeps. */
#include "model/config_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The schema has 6 levels. */
#define DEPTH_MAX 32

/* libcyaml reports by a callback; its first line says what is wrong. */
static void log_first(cyaml_log_t level, void *data, const char *format, va_list arguments)
{
	struct error *error = data;

	(void)level;
	if (error->text[0])
		return;
	vsnprintf(error->text, sizeof(error->text), format, arguments);
	error->text[strcspn(error->text, "\n")] = '\0';
}

static cyaml_config_t reader(struct error *error)
{
	return (cyaml_config_t){
		.log_fn = error ? log_first : NULL,
		.log_ctx = error,
		.mem_fn = cyaml_mem,
		.log_level = CYAML_LOG_WARNING,
		.flags = CYAML_CFG_DEFAULT,
	};
}

/* Where the parser stopped; of a bad character it knows the offset only. */
static yaml_mark_t parser_mark(const struct source *source, const yaml_parser_t *parser)
{
	yaml_mark_t mark = {0};

	if (parser->error != YAML_READER_ERROR)
		return parser->problem_mark;
	for (size_t i = 0; i < parser->problem_offset && i < source->length; i++) {
		mark.column++;
		if (source->text[i] == '\n') {
			mark.line++;
			mark.column = 0;
		}
	}
	return mark;
}

static int parser_fail(const struct source *source, const yaml_parser_t *parser,
		       struct error *error)
{
	yaml_mark_t mark = parser_mark(source, parser);

	if (parser->error == YAML_MEMORY_ERROR)
		return error_set(error, -ENOMEM, "out of memory");
	error_set(error, -EINVAL, "%s%s%s; is it YAML?", parser->context ? parser->context : "",
		  parser->context ? ", " : "", parser->problem ? parser->problem : "cannot read");
	if (source->name)
		error_prefix(error, "%s:%zu:%zu: ", source->name, mark.line + 1, mark.column + 1);
	return -EINVAL;
}

static int event_depth(yaml_event_type_t type)
{
	if (type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT)
		return 1;
	return type == YAML_SEQUENCE_END_EVENT || type == YAML_MAPPING_END_EVENT ? -1 : 0;
}

/*
 * libyaml's time grows with the square of the depth: some 100,000 brackets would stop the agent
 * for minutes. What is wrong otherwise is found when the document is loaded.
 */
static int depth_check(const struct source *source, struct error *error)
{
	yaml_parser_t parser;
	bool more = true;
	int depth = 0, code = 0;

	if (!yaml_parser_initialize(&parser))
		return error_set(error, -ENOMEM, "out of memory");
	yaml_parser_set_input_string(&parser, (const unsigned char *)source->text, source->length);
	while (more && !code) {
		yaml_event_t event;

		if (!yaml_parser_parse(&parser, &event))
			break;
		more = event.type != YAML_STREAM_END_EVENT;
		depth += event_depth(event.type);
		if (depth > DEPTH_MAX) {
			code = error_set(error, -EINVAL,
					 "is nested deeper than %d levels; is it the right file?",
					 DEPTH_MAX);
			error_prefix(error, "%s:%zu:%zu: ", source->name ? source->name : "body",
				     event.start_mark.line + 1, event.start_mark.column + 1);
		}
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return code;
}

/* One document, and nothing after it. */
static int document_load(struct source *source, struct error *error)
{
	yaml_document_t second;
	yaml_parser_t parser;
	int code = depth_check(source, error);

	if (code)
		return code;
	if (!yaml_parser_initialize(&parser))
		return error_set(error, -ENOMEM, "out of memory");
	yaml_parser_set_input_string(&parser, (const unsigned char *)source->text, source->length);
	if (!yaml_parser_load(&parser, &source->document)) {
		code = parser_fail(source, &parser, error);
		goto out;
	}
	if (!yaml_document_get_root_node(&source->document))
		goto out;
	if (!yaml_parser_load(&parser, &second)) {
		code = parser_fail(source, &parser, error);
		goto out;
	}
	if (yaml_document_get_root_node(&second)) {
		code = error_set(error, -EINVAL, "a second document begins; remove it");
		error_prefix(error, "%s:%zu:%zu: ", source->name ? source->name : "body",
			     second.start_mark.line + 1, second.start_mark.column + 1);
	}
	yaml_document_delete(&second);
out:
	yaml_parser_delete(&parser);
	return code;
}

int source_load(struct source *source, const char *text, size_t length, const char *name,
		const cyaml_schema_value_t *schema, void **ret_raw, struct error *error)
{
	struct error said = {.text = ""};
	cyaml_config_t cyaml = reader(&said);
	void *raw = NULL;
	cyaml_err_t result;
	int code;

	*source = (struct source){.text = text, .length = length, .name = name};
	code = document_load(source, error);
	if (code)
		return code;
	if (!yaml_document_get_root_node(&source->document)) {
		*ret_raw = NULL;
		return 0;
	}
	code = shape_check(source, schema, error);
	if (code)
		return code;
	result = cyaml_load_data((const uint8_t *)text, length, &cyaml, schema,
				 (cyaml_data_t **)&raw, NULL);
	if (result == CYAML_ERR_OOM)
		return error_set(error, -ENOMEM, "out of memory");
	if (result != CYAML_OK) {
		error_set(error, -EINVAL, "%s; compare it with docs/sluice.yaml",
			  said.text[0] ? said.text : cyaml_strerror(result));
		return source_fail(source, "", NULL, error);
	}
	*ret_raw = raw;
	return 0;
}

void source_free_raw(const cyaml_schema_value_t *schema, void *raw)
{
	cyaml_config_t cyaml = reader(NULL);

	if (raw)
		cyaml_free(&cyaml, schema, raw, 0);
}

void source_close(struct source *source)
{
	yaml_document_delete(&source->document);
}

static yaml_node_t *node_of(struct source *source, int item)
{
	return yaml_document_get_node(&source->document, item);
}

static bool node_is(const yaml_node_t *node, const char *text, size_t length)
{
	return node->type == YAML_SCALAR_NODE && node->data.scalar.length == length &&
	       !memcmp(node->data.scalar.value, text, length);
}

/* The value of a key of a mapping, its key's node in *ret_key; or NULL. */
static yaml_node_t *mapping_get(struct source *source, const yaml_node_t *mapping, const char *key,
				size_t length, yaml_node_t **ret_key)
{
	if (mapping->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
	     pair < mapping->data.mapping.pairs.top; pair++) {
		yaml_node_t *found = node_of(source, pair->key);

		if (!node_is(found, key, length))
			continue;
		*ret_key = found;
		return node_of(source, pair->value);
	}
	return NULL;
}

static yaml_node_t *sequence_get(struct source *source, const yaml_node_t *sequence, size_t index)
{
	if (sequence->type != YAML_SEQUENCE_NODE ||
	    index >= (size_t)(sequence->data.sequence.items.top -
			      sequence->data.sequence.items.start))
		return NULL;
	return node_of(source, sequence->data.sequence.items.start[index]);
}

/* Follow a path such as "services[1].autoscale" down from node, as far as it goes. */
static yaml_node_t *path_follow(struct source *source, yaml_node_t *node, const char *path)
{
	yaml_node_t *next = node, *key;

	while (*path && next) {
		size_t length = strcspn(path, ".[]");

		node = next;
		if (*path == '[') {
			next = sequence_get(source, node, strtoul(path + 1, NULL, 10));
			path += strcspn(path, "]") + 1;
		} else if (*path == '.') {
			path++;
		} else {
			next = mapping_get(source, node, path, length, &key);
			path += length;
		}
	}
	return next ? next : node;
}

int source_fail(struct source *source, const char *path, const char *field, struct error *error)
{
	yaml_node_t *node, *key;

	if (!source->name) {
		if (*path)
			error_prefix(error, "%s%s", path, field ? "." : ": ");
		return -EINVAL;
	}
	node = yaml_document_get_root_node(&source->document);
	if (node)
		node = path_follow(source, node, path);
	if (node && field && mapping_get(source, node, field, strlen(field), &key))
		node = key;
	error_prefix(error, "%s:%zu:%zu: ", source->name, node ? node->start_mark.line + 1 : 1,
		     node ? node->start_mark.column + 1 : 1);
	return -EINVAL;
}

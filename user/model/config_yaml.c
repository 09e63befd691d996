// SPDX-License-Identifier: GPL-2.0-only
/* A JSON value as YAML that people read, written by libyaml's emitter. */
#include "model/config_yaml.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct text {
	char *data;
	size_t length;
};

static int text_append(void *context, unsigned char *data, size_t length)
{
	struct text *text = context;
	char *grown = realloc(text->data, text->length + length + 1);

	if (!grown)
		return 0;
	memcpy(grown + text->length, data, length);
	text->length += length;
	grown[text->length] = '\0';
	text->data = grown;
	return 1;
}

static bool emit(yaml_emitter_t *emitter, yaml_event_t *event, int made)
{
	return made && yaml_emitter_emit(emitter, event);
}

static bool emit_scalar(yaml_emitter_t *emitter, const json_t *value)
{
	yaml_scalar_style_t style = YAML_PLAIN_SCALAR_STYLE;
	const char *text = "";
	char number[40];
	yaml_event_t event;

	if (json_is_string(value)) {
		text = json_string_value(value);
		if (!*text)
			style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	} else if (json_is_integer(value)) {
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
		text = number;
	} else if (json_is_real(value)) {
		snprintf(number, sizeof(number), "%.15g", json_real_value(value));
		text = number;
	} else if (json_is_boolean(value)) {
		text = json_is_true(value) ? "true" : "false";
	}
	return emit(emitter, &event,
		    yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text,
						 (int)strlen(text), 1, 1, style));
}

static bool emit_value(yaml_emitter_t *emitter, const json_t *value);

static bool emit_array(yaml_emitter_t *emitter, const json_t *value)
{
	yaml_event_t event;
	const json_t *below;
	size_t i;

	if (!emit(emitter, &event,
		  yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
						       json_array_size(value)
							       ? YAML_BLOCK_SEQUENCE_STYLE
							       : YAML_FLOW_SEQUENCE_STYLE)))
		return false;
	json_array_foreach(value, i, below)
	{
		if (!emit_value(emitter, below))
			return false;
	}
	return emit(emitter, &event, yaml_sequence_end_event_initialize(&event));
}

static bool emit_object(yaml_emitter_t *emitter, const json_t *value)
{
	yaml_event_t event;
	const json_t *below;
	const char *key;

	if (!emit(emitter, &event,
		  yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
						      YAML_BLOCK_MAPPING_STYLE)))
		return false;
	json_object_foreach((json_t *)(uintptr_t)value, key, below)
	{
		if (!emit(emitter, &event,
			  yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)key,
						       (int)strlen(key), 1, 1,
						       YAML_PLAIN_SCALAR_STYLE)) ||
		    !emit_value(emitter, below))
			return false;
	}
	return emit(emitter, &event, yaml_mapping_end_event_initialize(&event));
}

/* As deep as a config: a few levels. */
static bool emit_value(yaml_emitter_t *emitter, const json_t *value)
{
	if (json_is_array(value))
		return emit_array(emitter, value);
	if (json_is_object(value))
		return emit_object(emitter, value);
	return emit_scalar(emitter, value);
}

static bool emit_document(yaml_emitter_t *emitter, const json_t *value)
{
	yaml_event_t event;

	return emit(emitter, &event,
		    yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING)) &&
	       emit(emitter, &event,
		    yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1)) &&
	       emit_value(emitter, value) &&
	       emit(emitter, &event, yaml_document_end_event_initialize(&event, 1)) &&
	       emit(emitter, &event, yaml_stream_end_event_initialize(&event));
}

char *yaml_format(const json_t *value)
{
	struct text text = {0};
	yaml_emitter_t emitter;
	bool done;

	if (!yaml_emitter_initialize(&emitter))
		return NULL;
	yaml_emitter_set_output(&emitter, text_append, &text);
	yaml_emitter_set_width(&emitter, -1);
	yaml_emitter_set_unicode(&emitter, 1);
	done = emit_document(&emitter, value) && yaml_emitter_flush(&emitter);
	yaml_emitter_delete(&emitter);
	if (!done) {
		free(text.data);
		return NULL;
	}
	return text.data;
}

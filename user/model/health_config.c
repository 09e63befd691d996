// SPDX-License-Identifier: GPL-2.0-only
/* The section "health" of a service as a value: copies, and its JSON. */
#include "model/health_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const probe_type_names[] = {"tcp", "http", "https", "udp", "icmp", "exec", NULL};
const char *const probe_via_names[] = {"path", "address", NULL};
const char *const all_down_names[] = {"empty", "all", NULL};

bool status_in(const struct status_set *set, long status)
{
	if (status < 0 || status >= (long)(sizeof(set->bits) * 8))
		return false;
	return set->bits[status / 64] >> (status % 64) & 1;
}

void agent_check_config_free(struct agent_check_config *check)
{
	if (!check)
		return;
	free(check->url);
	free(check);
}

void health_config_free(struct health_config *health)
{
	if (!health)
		return;
	free(health->method);
	free(health->path);
	free(health->host);
	free(health->body);
	free(health->status_text);
	free(health->ca_file);
	free(health->server_name);
	free(health->payload.data);
	free(health->expect.data);
	free(health->command);
	free(health);
}

static bool text_clone(char **place)
{
	if (*place)
		*place = strdup(*place);
	return *place;
}

static bool bytes_clone(struct probe_bytes *bytes)
{
	uint8_t *copy;

	if (!bytes->data)
		return true;
	copy = malloc(bytes->length);
	if (copy)
		memcpy(copy, bytes->data, bytes->length);
	bytes->data = copy;
	return copy;
}

/* Each text is copied; false if one that was there could not be. */
static bool texts_clone(struct health_config *clone, const struct health_config *from)
{
	char **places[] = {&clone->method,      &clone->path,    &clone->host,
			   &clone->body,        &clone->ca_file, &clone->server_name,
			   &clone->status_text, &clone->command};
	char *const sources[] = {from->method,      from->path,    from->host,
				 from->body,        from->ca_file, from->server_name,
				 from->status_text, from->command};
	bool whole = true;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		whole = (text_clone(places[i]) || !sources[i]) && whole;
	whole = bytes_clone(&clone->payload) && whole;
	return bytes_clone(&clone->expect) && whole;
}

struct health_config *health_config_clone(const struct health_config *health)
{
	struct health_config *clone = health ? malloc(sizeof(*clone)) : NULL;

	if (!clone)
		return NULL;
	*clone = *health;
	if (texts_clone(clone, health))
		return clone;
	health_config_free(clone);
	return NULL;
}

struct agent_check_config *agent_check_config_clone(const struct agent_check_config *check)
{
	struct agent_check_config *clone = check ? malloc(sizeof(*clone)) : NULL;

	if (!clone)
		return NULL;
	*clone = *check;
	if (text_clone(&clone->url) || !check->url)
		return clone;
	free(clone);
	return NULL;
}

static void text_set(json_t *object, const char *key, const char *text)
{
	if (text)
		json_object_set_new(object, key, json_string(text));
}

static bool bytes_printable(const struct probe_bytes *bytes)
{
	for (size_t i = 0; i < bytes->length; i++) {
		if (bytes->data[i] < ' ' || bytes->data[i] > '~')
			return false;
	}
	return true;
}

/* As text where it is one, else in hexadecimal. */
static void bytes_set(json_t *object, const char *const keys[2], const struct probe_bytes *bytes)
{
	char hex[2 * PROBE_PAYLOAD_MAX + 1];

	if (!bytes->data)
		return;
	if (bytes_printable(bytes)) {
		json_object_set_new(object, keys[0],
				    json_stringn((const char *)bytes->data, bytes->length));
		return;
	}
	for (size_t i = 0; i < bytes->length; i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes->data[i]);
	json_object_set_new(object, keys[1], json_string(hex));
}

json_t *agent_check_config_to_json(const struct agent_check_config *check)
{
	json_t *object;

	if (!check)
		return json_null();
	object = json_pack("{s:I, s:I}", "interval_ms", (json_int_t)check->interval_ms,
			   "timeout_ms", (json_int_t)check->timeout_ms);
	if (object && check->port)
		json_object_set_new(object, "port", json_integer(check->port));
	if (object)
		text_set(object, "url", check->url);
	return object;
}

static void http_set(json_t *object, const struct health_config *health)
{
	if (health->type != PROBE_HTTP && health->type != PROBE_HTTPS)
		return;
	text_set(object, "method", health->method);
	text_set(object, "path", health->path);
	text_set(object, "host", health->host);
	text_set(object, "body", health->body);
	text_set(object, "status", health->status_text);
	if (health->type != PROBE_HTTPS)
		return;
	json_object_set_new(object, "tls_verify", json_boolean(health->tls_verify));
	text_set(object, "ca_file", health->ca_file);
	text_set(object, "server_name", health->server_name);
}

json_t *health_config_to_json(const struct health_config *health)
{
	static const char *const payload[] = {"payload", "payload_hex"};
	static const char *const expect[] = {"expect", "expect_hex"};
	json_t *object;

	if (!health)
		return json_null();
	object = json_pack(
		"{s:s, s:s, s:I, s:I, s:I, s:i, s:i, s:i, s:s, s:i, s:s, s:I, s:I}", "type",
		probe_type_names[health->type], "via", probe_via_names[health->via], "interval_ms",
		(json_int_t)health->interval_ms, "timeout_ms", (json_int_t)health->timeout_ms,
		"down_interval_ms", (json_int_t)health->down_interval_ms, "jitter",
		(int)health->jitter, "rise", (int)health->rise, "fall", (int)health->fall,
		"initial", health->initial_up ? "up" : "down", "panic_threshold",
		(int)health->panic_threshold, "all_down", all_down_names[health->all_down],
		"hold_ms", (json_int_t)health->hold_ms, "hold_max_ms",
		(json_int_t)health->hold_max_ms);
	if (!object)
		return NULL;
	if (health->port)
		json_object_set_new(object, "port", json_integer(health->port));
	http_set(object, health);
	bytes_set(object, payload, &health->payload);
	bytes_set(object, expect, &health->expect);
	text_set(object, "command", health->command);
	return object;
}

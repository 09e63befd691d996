// SPDX-License-Identifier: GPL-2.0-only
/* Checks of a service's health section: what each type of probe takes, and how often it runs. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "model/config_check.h"

#define HOUR_MS        3600000u
#define INTERVAL_LEAST 50u

static const char *const initial_names[] = {"down", "up", NULL};

static uint32_t number(struct check *check, const char *field, const char *text, uint32_t min,
		       uint32_t max, uint32_t standard)
{
	return (uint32_t)check_number(check, field, text, (struct range){min, max, standard});
}

static char *optional(struct check *check, const char *field, const char *text)
{
	if (text && !*text)
		check_fail(check, field, "%s is empty; leave it out, or say what it is", field);
	return text ? check_text(check, field, text, NULL) : NULL;
}

/* What belongs to another type would be forgotten without a word. */
static void refuse(struct check *check, const char *field, const char *text, const char *types)
{
	if (text)
		check_fail(check, field, "%s is for probes of type %s; remove it", field, types);
}

/* "200,204,300-399" */
static void check_status(struct check *check, const char *text, struct status_set *set)
{
	const char *place = text;

	while (place && !check->code) {
		char *end;
		unsigned long first = strtoul(place, &end, 10), last = first;

		if (end != place && *end == '-') {
			place = end + 1;
			last = strtoul(place, &end, 10);
		}
		if (end == place || first < 100 || last > 599 || last < first ||
		    (*end && *end != ',')) {
			check_fail(check, "status",
				   "status '%s' is not a list of 100 to 599; give one such as "
				   "200,300-399",
				   text);
			return;
		}
		for (unsigned long status = first; status <= last; status++)
			set->bits[status / 64] |= 1ULL << (status % 64);
		place = *end ? end + 1 : NULL;
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void bytes_from_hex(struct check *check, const char *field, const char *hex,
			   struct probe_bytes *bytes)
{
	size_t length = strlen(hex);

	for (size_t i = 0; i < length / 2 && length % 2 == 0; i++) {
		int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			break;
		bytes->data[i] = (uint8_t)(high << 4 | low);
		bytes->length = i + 1;
	}
	if (!bytes->length || bytes->length * 2 != length)
		check_fail(check, field, "%s '%s' is not hexadecimal; give two digits a byte",
			   field, hex);
}

/* As text or in hexadecimal, whose field has the same name and _hex. */
static void check_bytes(struct check *check, const char *const fields[2], const char *text,
			const char *hex, struct probe_bytes *bytes)
{
	size_t length = text ? strlen(text) : hex ? strlen(hex) / 2 : 0;

	if (!text && !hex)
		return;
	if (text && hex)
		check_fail(check, fields[1], "%s and %s are both here; remove one", fields[0],
			   fields[1]);
	if (length > PROBE_PAYLOAD_MAX)
		check_fail(check, fields[text ? 0 : 1], "%s is longer than %u bytes; shorten it",
			   fields[text ? 0 : 1], PROBE_PAYLOAD_MAX);
	if (check->code)
		return;
	bytes->data = malloc(length + 1);
	if (!bytes->data) {
		check_no_memory(check);
		return;
	}
	if (hex) {
		bytes_from_hex(check, fields[1], hex, bytes);
		return;
	}
	memcpy(bytes->data, text, length);
	bytes->length = length;
	if (!length)
		check_fail(check, fields[0], "%s is empty; leave it out, or say what it is",
			   fields[0]);
}

static void check_http(struct check *check, const struct raw_health *raw,
		       struct health_config *health)
{
	bool tls = health->type == PROBE_HTTPS;

	if (!tls) {
		refuse(check, "tls_verify", raw->tls_verify, "https");
		refuse(check, "ca_file", raw->ca_file, "https");
		refuse(check, "server_name", raw->server_name, "https");
	}
	if (health->type != PROBE_HTTP && !tls) {
		refuse(check, "method", raw->method, "http and https");
		refuse(check, "path", raw->path, "http and https");
		refuse(check, "host", raw->host, "http and https");
		refuse(check, "status", raw->status, "http and https");
		refuse(check, "body", raw->body, "http and https");
		return;
	}
	health->method = check_text(check, "method", raw->method, "GET");
	if (health->method &&
	    (!*health->method ||
	     strspn(health->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(health->method)))
		check_fail(check, "method", "method '%s' is not one; give one such as GET or HEAD",
			   health->method);
	health->path = check_path(check, "path", raw->path, "/");
	health->host = optional(check, "host", raw->host);
	health->body = optional(check, "body", raw->body);
	health->status_text = check_text(check, "status", raw->status, "200-399");
	check_status(check, health->status_text, &health->status);
	health->tls_verify = check_bool(check, "tls_verify", raw->tls_verify, tls);
	health->ca_file = raw->ca_file ? check_path(check, "ca_file", raw->ca_file, NULL) : NULL;
	health->server_name = optional(check, "server_name", raw->server_name);
	if (tls && health->tls_verify && !health->server_name && !health->host)
		check_fail(check, "server_name",
			   "server_name is missing: the name in the backends' certificate; add it, "
			   "or say tls_verify: false");
}

/* Below half an interval: of a backend that says nothing the last failure is known soon enough. */
static uint32_t timeout_standard(uint64_t interval_ms)
{
	return interval_ms * 2 / 5 < 1000 ? (uint32_t)(interval_ms * 2 / 5) : 1000;
}

static void check_times(struct check *check, const struct raw_health *raw,
			struct health_config *health)
{
	health->interval_ms =
		number(check, "interval_ms", raw->interval_ms, INTERVAL_LEAST, HOUR_MS, 2000);
	health->down_interval_ms = number(check, "down_interval_ms", raw->down_interval_ms,
					  INTERVAL_LEAST, HOUR_MS, (uint32_t)health->interval_ms);
	health->timeout_ms = number(check, "timeout_ms", raw->timeout_ms, 10, HOUR_MS,
				    timeout_standard(health->interval_ms));
	if (health->timeout_ms > health->interval_ms)
		check_fail(check, "timeout_ms",
			   "timeout_ms %ju is above interval_ms %ju; a probe must be over when the "
			   "next begins",
			   (uintmax_t)health->timeout_ms, (uintmax_t)health->interval_ms);
	health->jitter = number(check, "jitter", raw->jitter, 0, 50, 10);
	health->hold_ms = number(check, "hold_ms", raw->hold_ms, 0, HOUR_MS, 1000);
	health->hold_max_ms = number(check, "hold_max_ms", raw->hold_max_ms, 0, HOUR_MS, 60000);
}

/* What is wrong only with the service that it is for. */
static void check_fits(struct check *check, const struct service_config *service,
		       const struct health_config *health)
{
	bool ports = health->type != PROBE_ICMP && health->type != PROBE_EXEC;

	if (health->type == PROBE_UDP && !health->payload.data)
		check_fail(check, "payload",
			   "payload is missing; add it (or payload_hex): what "
			   "the backend answers");
	if (health->type == PROBE_EXEC && !health->command)
		check_fail(check, "command", "command is missing; add the path of an executable");
	if (!service->port && !health->port && ports)
		check_fail(check, "port",
			   "port is missing, and the service takes every port; add "
			   "one to probe");
	if (health->port && !ports)
		check_fail(check, "port", "port is for probes that have one; remove it");
}

struct health_config *check_health(struct check *check, const struct raw_health *raw,
				   const struct service_config *service)
{
	static const char *const payload[] = {"payload", "payload_hex"};
	static const char *const expect[] = {"expect", "expect_hex"};
	struct health_config *health = calloc(1, sizeof(*health));
	size_t outer = check_into(check, "health");

	if (!health) {
		check_no_memory(check);
		return NULL;
	}
	health->type = check_word(check, "type", raw->type, probe_type_names,
				  service->protocol == IPPROTO_UDP ? PROBE_ICMP : PROBE_TCP);
	/* nat has no encapsulation: there the backend's own address is the path. */
	health->via =
		check_word(check, "via", raw->via, probe_via_names,
			   service->mode == FORWARD_MODE_NAT ? PROBE_VIA_ADDRESS : PROBE_VIA_PATH);
	health->port = (uint16_t)number(check, "port", raw->port, 1, 65535, 0);
	health->rise = number(check, "rise", raw->rise, 1, 1000, 2);
	health->fall = number(check, "fall", raw->fall, 1, 1000, 3);
	health->initial_up = check_word(check, "initial", raw->initial, initial_names, 0);
	health->panic_threshold = number(check, "panic_threshold", raw->panic_threshold, 0, 100, 0);
	health->all_down = check_word(check, "all_down", raw->all_down, all_down_names, 0);
	check_times(check, raw, health);
	check_http(check, raw, health);
	if (health->type != PROBE_UDP) {
		refuse(check, "payload", raw->payload, "udp");
		refuse(check, "payload_hex", raw->payload_hex, "udp");
		refuse(check, "expect", raw->expect, "udp");
		refuse(check, "expect_hex", raw->expect_hex, "udp");
	}
	check_bytes(check, payload, raw->payload, raw->payload_hex, &health->payload);
	check_bytes(check, expect, raw->expect, raw->expect_hex, &health->expect);
	if (health->type != PROBE_EXEC)
		refuse(check, "command", raw->command, "exec");
	else if (raw->command)
		health->command = check_path(check, "command", raw->command, NULL);
	check_fits(check, service, health);
	check_out(check, outer);
	return health;
}

struct agent_check_config *check_agent_check(struct check *check, const struct raw_agent_check *raw)
{
	struct agent_check_config *agent = calloc(1, sizeof(*agent));
	size_t outer = check_into(check, "agent_check");

	if (!agent) {
		check_no_memory(check);
		return NULL;
	}
	agent->port = (uint16_t)number(check, "port", raw->port, 1, 65535, 0);
	agent->url = optional(check, "url", raw->url);
	if (!agent->port == !agent->url)
		check_fail(check, agent->port ? "url" : "port",
			   "one of port (a line of text) and url (a JSON object) has to be here");
	if (agent->url && strncmp(agent->url, "http://", 7) && strncmp(agent->url, "https://", 8))
		check_fail(check, "url", "url '%s' is not one; begin with http:// or https://",
			   agent->url);
	agent->interval_ms =
		number(check, "interval_ms", raw->interval_ms, INTERVAL_LEAST, HOUR_MS, 2000);
	agent->timeout_ms = number(check, "timeout_ms", raw->timeout_ms, 10, HOUR_MS,
				   timeout_standard(agent->interval_ms));
	if (agent->timeout_ms > agent->interval_ms)
		check_fail(check, "timeout_ms", "timeout_ms is above interval_ms; lower it");
	check_out(check, outer);
	return agent;
}

void check_warm_up(struct check *check, const struct raw_warm_up *raw,
		   struct service_config *service)
{
	size_t outer;

	service->warm_up_first = HEALTH_WHOLE;
	if (!raw)
		return;
	outer = check_into(check, "warm_up");
	service->warm_up_ms = number(check, "duration_ms", raw->duration_ms, 0, HOUR_MS, 30000);
	service->warm_up_first =
		10 * number(check, "initial_weight", raw->initial_weight, 1, 100, 10);
	check_out(check, outer);
}

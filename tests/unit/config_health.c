// SPDX-License-Identifier: GPL-2.0-only
/* Tests of the sections health, agent_check and warm_up of a service: read, refused, round trips. */
#include "unit.h"

#include <errno.h>

#include "model/config.h"

#define WEB                     \
	"services:\n"           \
	"  - name: web\n"       \
	"    vip: 192.0.2.80\n" \
	"    protocol: tcp\n"   \
	"    port: 80\n"

static struct config *parse(const char *text)
{
	struct config *config = NULL;
	struct error error = {.text = ""};

	if (config_parse(text, strlen(text), "c.yaml", &config, &error))
		fail_msg("refused: %s", error.text);
	return config;
}

static void refused(const char *text, const char *message)
{
	struct config *config = NULL;
	struct error error = {.text = ""};

	assert_int_equal(config_parse(text, strlen(text), "c.yaml", &config, &error), -EINVAL);
	assert_string_equal(error.text, message);
}

static void defaults(void **context)
{
	struct config *config = parse(WEB "    health: {}\n    agent_check: {port: 1}\n"
					  "    warm_up: {}\n");
	const struct service_config *service = &config->services[0];
	const struct health_config *health = service->health;

	(void)context;
	assert_int_equal(health->type, PROBE_TCP);
	assert_int_equal(health->via, PROBE_VIA_PATH);
	assert_int_equal(health->interval_ms, 2000);
	assert_int_equal(health->down_interval_ms, 2000);
	assert_int_equal(health->timeout_ms, 800);
	assert_int_equal(health->jitter, 10);
	assert_int_equal(health->rise, 2);
	assert_int_equal(health->fall, 3);
	assert_false(health->initial_up);
	assert_int_equal(health->panic_threshold, 0);
	assert_int_equal(health->all_down, ALL_DOWN_EMPTY);
	assert_int_equal(health->hold_ms, 1000);
	assert_int_equal(health->hold_max_ms, 60000);
	assert_int_equal(service->agent_check->interval_ms, 2000);
	assert_int_equal(service->agent_check->timeout_ms, 800);
	assert_int_equal(service->warm_up_ms, 30000);
	assert_int_equal(service->warm_up_first, 100);
	config_free(config);
}

static void types(void **context)
{
	struct config *config =
		parse(WEB "    mode: nat\n"
			  "    health: {type: https, status: '200,300-302', host: a.example}\n"
			  "  - {name: u, vip: 192.0.2.81, protocol: udp, port: any,\n"
			  "     health: {type: udp, port: 53, payload_hex: '00fF', expect: x,\n"
			  "     interval_ms: 200}}\n"
			  "  - {name: i, vip: 192.0.2.82, protocol: udp, port: any, health: {}}\n");
	const struct health_config *health = config->services[0].health;

	(void)context;
	assert_int_equal(health->via, PROBE_VIA_ADDRESS);
	assert_true(health->tls_verify);
	assert_true(status_in(&health->status, 200));
	assert_true(status_in(&health->status, 302));
	assert_false(status_in(&health->status, 201));
	assert_false(status_in(&health->status, 303));
	assert_false(status_in(&health->status, 0));
	assert_false(status_in(&health->status, 100000));
	health = config->services[1].health;
	assert_int_equal(health->payload.length, 2);
	assert_memory_equal(health->payload.data, "\0\xff", 2);
	assert_int_equal(health->timeout_ms, 80);
	assert_int_equal(config->services[2].health->type, PROBE_ICMP);
	config_free(config);
}

static void wrong(void **context)
{
	static const struct {
		const char *health, *message;
	} rows[] = {
		{"{type: tpc}", "type 'tpc' is not known; did you mean tcp? (tcp, http, https, "
				"udp, icmp or exec)"},
		{"{timeout_ms: 3000}", "timeout_ms 3000 is above interval_ms 2000; a probe must be "
				       "over when the next begins"},
		{"{interval_ms: 49}", "interval_ms 49 is below 50; give 50 to 3600000"},
		{"{path: /x}", "path is for probes of type http and https; remove it"},
		{"{type: http, ca_file: /x}", "ca_file is for probes of type https; remove it"},
		{"{type: http, path: x}",
		 "path 'x' is not an absolute path; give one that begins with /"},
		{"{type: http, status: '99'}", "status '99' is not a list of 100 to 599; give one "
					       "such as 200,300-399"},
		{"{type: http, status: 200-}", "status '200-' is not a list of 100 to 599; give "
					       "one such as 200,300-399"},
		{"{type: http, method: get}",
		 "method 'get' is not one; give one such as GET or HEAD"},
		{"{type: https}", "server_name is missing: the name in the backends' certificate; "
				  "add it, or say tls_verify: false"},
		{"{type: udp}", "payload is missing; add it (or payload_hex): what the backend "
				"answers"},
		{"{type: udp, payload_hex: abc}",
		 "payload_hex 'abc' is not hexadecimal; give two digits a byte"},
		{"{type: udp, payload: a, payload_hex: ab}",
		 "payload and payload_hex are both here; remove one"},
		{"{type: exec}", "command is missing; add the path of an executable"},
		{"{type: icmp, port: 1}", "port is for probes that have one; remove it"},
		{"{command: /x}", "command is for probes of type exec; remove it"},
	};

	(void)context;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error error = {.text = ""};
		struct config *config = NULL;
		char text[512];

		snprintf(text, sizeof(text), WEB "    health: %s\n", rows[i].health);
		assert_int_equal(config_parse(text, strlen(text), "c.yaml", &config, &error),
				 -EINVAL);
		if (!strstr(error.text, rows[i].message) || strncmp(error.text, "c.yaml:6:", 9))
			assert_string_equal(error.text, rows[i].message);
	}
	refused(WEB "    agent_check: {port: 1, url: http://a/}\n",
		"c.yaml:6:28: one of port (a line of text) and url (a JSON object) has to be here");
	refused(WEB "    agent_check: {url: ftp://a/}\n",
		"c.yaml:6:19: url 'ftp://a/' is not one; begin with http:// or https://");
	refused(WEB "    warm_up: {initial_weight: 0}\n",
		"c.yaml:6:15: initial_weight 0 is below 1; give 1 to 100");
}

static void round_trip(void **context)
{
	struct config *config = parse(
		WEB
		"    health: {type: https, via: address, port: 8443, interval_ms: 500, timeout_ms: 400,"
		" down_interval_ms: 900, jitter: 0, rise: 4, fall: 5, initial: up,"
		" panic_threshold: 30, all_down: all, hold_ms: 0, hold_max_ms: 1,"
		" method: HEAD, path: '/a%\"b', host: h, status: 204, body: 'x: [',"
		" tls_verify: false, ca_file: /ca, server_name: s}\n"
		"    agent_check: {url: 'http://%s/x', interval_ms: 600, timeout_ms: 60}\n"
		"    warm_up: {duration_ms: 5, initial_weight: 33}\n"
		"  - {name: u, vip: 192.0.2.81, protocol: udp, port: 53,"
		" health: {type: udp, payload: ping, expect_hex: '00'}, agent_check: {port: 7}}\n"
		"  - {name: e, vip: 192.0.2.82, protocol: udp, port: any,"
		" health: {type: exec, command: /bin/true}}\n");

	(void)context;
	for (size_t i = 0; i < config->service_count; i++) {
		json_t *first = service_config_to_json(&config->services[i]), *second;
		struct service_config *service = NULL, *clone;
		struct error error;

		assert_non_null(first);
		if (service_config_from_json(first, &service, &error))
			fail_msg("%s", error.text);
		clone = service_config_clone(service);
		service_config_free(service);
		second = service_config_to_json(clone);
		assert_true(json_equal(first, second));
		service_config_free(clone);
		json_decref(first);
		json_decref(second);
	}
	config_free(config);
}

static const struct CMUnitTest cases[] = {
	CASE(defaults, "health/config: the sections have the documented defaults"),
	CASE(types, "health/config: each type of probe takes its own fields"),
	CASE(wrong, "health/config: what is wrong is refused at its place"),
	CASE(round_trip, "health/config: every field survives a copy and the way through JSON"),
};

UNIT_MAIN("config_health", cases)

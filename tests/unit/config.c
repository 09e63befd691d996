// SPDX-License-Identifier: GPL-2.0-only
/* Tests of user/model/config.h: what is read, the defaults, and each message with its place. */
#include "unit.h"

#include <errno.h>
#include <netinet/in.h>

#include "base/file.h"
#include "model/config.h"
#include "sluice/limits.h"

static struct config *parse(const char *text)
{
	struct config *config = NULL;
	struct error error = {.text = ""};

	if (config_parse(text, strlen(text), "c.yaml", &config, &error))
		fail_msg("refused: %s", error.text);
	return config;
}

struct refusal {
	const char *text, *message;
};

static void refuse(const struct refusal *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct config *config = NULL;
		struct error error = {.text = ""};

		assert_int_equal(
			config_parse(rows[i].text, strlen(rows[i].text), "c.yaml", &config, &error),
			-EINVAL);
		assert_string_equal(error.text, rows[i].message);
		assert_null(config);
	}
}

#define REFUSE(rows) refuse(rows, sizeof(rows) / sizeof((rows)[0]))

/* A service up to its port; the next line is the sixth. */
#define WEB                     \
	"services:\n"           \
	"  - name: web\n"       \
	"    vip: 192.0.2.80\n" \
	"    protocol: tcp\n"   \
	"    port: 80\n"

#define DNS                     \
	"services:\n"           \
	"  - name: dns\n"       \
	"    vip: 192.0.2.53\n" \
	"    protocol: udp\n"   \
	"    port: 53\n"

static void defaults(void **context)
{
	static const char *const empty[] = {"", "# nothing\n", "agent:\nservices:\n",
					    "limits: ~\n"};

	(void)context;
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		struct config *config = parse(empty[i]);

		assert_string_equal(config->pin_dir, "/sys/fs/bpf/sluice");
		assert_string_equal(config->socket, "/run/sluice/sluice.sock");
		assert_string_equal(config->state_dir, "/var/lib/sluice");
		assert_string_equal(config->metrics, "127.0.0.1:9980");
		assert_string_equal(config->owner, "sluice");
		assert_int_equal(config->seed, 1);
		assert_int_equal(config->limits.services, 64);
		assert_int_equal(config->limits.backends, 4096);
		assert_int_equal(config->limits.slots, 4194304);
		assert_int_equal(config->limits.flows, 1048576);
		assert_int_equal(config->timeouts.closing_ms, 10000);
		assert_int_equal(config->timeouts.probation_ms, 30000);
		assert_int_equal(config->timeouts.tcp_idle_ms, 3600000);
		assert_int_equal(config->timeouts.udp_idle_ms, 120000);
		assert_int_equal(config->icmp.echo, ECHO_ANSWER);
		assert_int_equal(config->icmp.echo_rate, 1000);
		assert_int_equal(config->icmp.error_rate, 1000);
		assert_int_equal(config->tunnel.gue_port, 6080);
		assert_int_equal(config->tunnel.source_prefix4.address.word[3], 0);
		assert_int_equal(config->tunnel.source_prefix6.address.word[0], 0);
		assert_int_equal(config->interface_count, 0);
		assert_int_equal(config->service_count, 0);
		config_free(config);
	}
}

static void service_defaults(void **context)
{
	struct config *config = parse(WEB "    backends: [{name: w1, address: 10.0.0.1}]\n"
					  "    autoscale: {provisioner: /p, target: 2.5e3}\n");
	const struct service_config *service = &config->services[0];
	const struct autoscale_config *scale = service->autoscale;

	(void)context;
	assert_int_equal(service->mode, FORWARD_MODE_L2);
	assert_int_equal(service->tracking, TRACKING_FULL);
	assert_int_equal(service->affinity, AFFINITY_FLOW);
	assert_int_equal(service->scheduler, SCHEDULER_MAGLEV);
	assert_int_equal(service->empty, EMPTY_DROP);
	assert_int_equal(service->unknown_port, EMPTY_DROP);
	assert_false(service->quic);
	assert_int_equal(service->mss, 0);
	assert_int_equal(service->vlan, VLAN_KEEP);
	assert_int_equal(service->client_vlan, VLAN_KEEP);
	assert_int_equal(service->quic_id_length, 0);
	assert_int_equal(service->quic_id_offset, 1);
	assert_int_equal(service->quic_id_config, 0);
	assert_int_equal(service->grace_ms, 10000);
	assert_int_equal(service->drain_ms, 300000);
	assert_int_equal(service->backends_max, 128);
	assert_int_equal(service->backends[0].weight, 100);
	assert_int_equal(service->backends[0].port, 0);
	assert_string_equal(scale->provisioner, "/p");
	assert_int_equal(json_object_size(scale->options), 0);
	assert_int_equal(scale->signal, SIGNAL_PACKETS);
	assert_true(scale->target > 2499 && scale->target < 2501);
	assert_int_equal(scale->min, 1);
	assert_int_equal(scale->max, 8);
	assert_int_equal(scale->step_down, 1);
	assert_int_equal(scale->creating_max, 16);
	assert_int_equal(scale->hold_ms, 300000);
	assert_int_equal(scale->hold_max_ms, 2400000);
	assert_int_equal(scale->drain_ms, 600000);
	assert_true(scale->trend && !scale->learn && !scale->seasonal && !scale->dry_run);
	assert_int_equal(scale->call_timeout_ms, 60000);
	assert_false(scale->paused);
	config_free(config);
}

static void every_field(void **context)
{
	struct config *config = parse(
		"agent: {pin_dir: /p, socket: /s, state_dir: /d, metrics: '[::]:80', "
		"metrics_remote: true, socket_group: g, sandbox: false, executables: [/x, /y], "
		"owner: o-1, seed: 9223372036854775807}\n"
		"limits: {services: 1, backends: 1048576, slots: 10000, flows: 8}\n"
		"timeouts: {closing_ms: 1000, probation_ms: 2000, tcp_idle_ms: 3000, "
		"udp_idle_ms: 4000}\n"
		"icmp: {echo: pass, echo_rate: 1, error_rate: 1000000}\n"
		"tunnel: {gue_port: 65535, source_prefix4: 198.18.0.0/15, source_prefix6: "
		"'fd00:1:2:3::/64'}\n"
		"interfaces: [{name: eth0}, {name: eth1, mode: generic}]\n"
		"services:\n"
		"- {name: dns.a-1, vip: '2001:db8::53', protocol: udp, port: any, mode: ipip,"
		" tracking: full, affinity: source_port, scheduler: least_flows, empty: pass,"
		" unknown_port: pass, quic: true, quic_id_length: 15, quic_id_offset: 5,"
		" quic_id_config: 6, grace_ms: 0, drain_ms: 1, backends_max: 3,"
		" backends: [{name: b, address: '2001:db8::1', port: 5353, weight: 0}],"
		" agent_check: {port: 9999},"
		" autoscale: {provisioner: /x, options: [a=b, c==d, e=], signal: bytes,"
		" target: 0.5, targets: {cpu: 70, live_flows: 9}, min: 2, max: 3, standby: 0,"
		" schedule: [0 8 * * 1-5 10h 3], step_down: 4, creating_max: 5, hold_ms: 6,"
		" hold_max_ms: 8, drain_ms: 7, call_timeout_ms: 800, unhealthy_max: 9,"
		" trend: false, learn: true, seasonal: true, paused: true, dry_run: true}}\n");
	const struct service_config *service = &config->services[0];
	const struct autoscale_config *scale = service->autoscale;

	(void)context;
	assert_string_equal(config->metrics, "[::]:80");
	assert_true(config->metrics_remote && !config->sandbox);
	assert_string_equal(config->socket_group, "g");
	assert_string_equal(config->executables[1], "/y");
	assert_null(config->executables[2]);
	assert_string_equal(config->owner, "o-1");
	assert_int_equal(config->seed, INT64_MAX);
	assert_int_equal(config->limits.backends, SLUICE_BACKENDS_MAX);
	assert_int_equal(config->timeouts.udp_idle_ms, 4000);
	assert_int_equal(config->icmp.echo, ECHO_PASS);
	assert_int_equal(config->icmp.echo_rate, 1);
	assert_int_equal(config->icmp.error_rate, 1000000);
	assert_int_equal(config->tunnel.gue_port, 65535);
	assert_int_equal(config->tunnel.source_prefix4.length, 15);
	assert_int_equal(config->tunnel.source_prefix6.length, 64);
	assert_int_equal(config->interface_count, 2);
	assert_int_equal(config->interfaces[0].mode, ATTACH_AUTO);
	assert_int_equal(config->interfaces[1].mode, ATTACH_GENERIC);
	assert_int_equal(service->protocol, IPPROTO_UDP);
	assert_int_equal(service->port, 0);
	assert_int_equal(service->mode, FORWARD_MODE_IPIP);
	assert_int_equal(service->affinity, AFFINITY_SOURCE_PORT);
	assert_int_equal(service->scheduler, SCHEDULER_LEAST_FLOWS);
	assert_int_equal(service->empty, EMPTY_PASS);
	assert_int_equal(service->unknown_port, EMPTY_PASS);
	assert_true(service->quic);
	assert_int_equal(service->quic_id_length, 15);
	assert_int_equal(service->quic_id_offset, 5);
	assert_int_equal(service->quic_id_config, 6);
	assert_int_equal(service->grace_ms, 0);
	assert_int_equal(service->backends[0].port, 5353);
	assert_int_equal(service->backends[0].weight, 0);
	assert_string_equal(json_string_value(json_object_get(scale->options, "c")), "=d");
	assert_string_equal(json_string_value(json_object_get(scale->options, "e")), "");
	assert_int_equal(scale->signal, SIGNAL_BYTES);
	assert_int_equal(scale->min, 2);
	assert_int_equal(scale->call_timeout_ms, 800);
	assert_true(scale->paused);
	config_free(config);
}

static void example_file(void **context)
{
	struct config *config = NULL;
	struct error error;
	size_t length;
	char *text;

	(void)context;
	assert_int_equal(file_read("docs/sluice.yaml", 1 << 20, &text, &length, &error), 0);
	assert_int_equal(config_parse(text, length, "docs/sluice.yaml", &config, &error), 0);
	assert_int_equal(config->service_count, 1);
	config_free(config);
	free(text);
}

static void not_yaml(void **context)
{
	static const struct refusal rows[] = {
		{"services: [a\n", "c.yaml:2:1: while parsing a flow sequence, did not find "
				   "expected ',' or ']'; is it YAML?"},
		{"services:\n  - name: a\n   vip: b\n",
		 "c.yaml:3:4: while parsing a block collection, did not find expected '-' "
		 "indicator; is it YAML?"},
		{"agent:\n  owner: a\x01z\n",
		 "c.yaml:2:11: control characters are not allowed; is it YAML?"},
		{"agent:\n---\nlimits:\n", "c.yaml:2:1: a second document begins; remove it"},
		{"agent: {owner: \"a\\0b\"}\n",
		 "c.yaml:1:16: owner has a NUL character; remove it"},
		{"\"agent\\0\": {}\n", "c.yaml:1:1: unknown key 'agent'; did you mean 'agent'?"},
		{"hello\n", "c.yaml:1:1: the config is not a section; give 'key: value' lines"},
		{"- a\n", "c.yaml:1:1: the config is not a section; give 'key: value' lines"},
	};

	(void)context;
	REFUSE(rows);
}

static void wrong_shape(void **context)
{
	static const struct refusal rows[] = {
		{"service:\n", "c.yaml:1:1: unknown key 'service'; did you mean 'services'?"},
		{WEB "    wait: 1\n",
		 "c.yaml:6:5: unknown key 'wait'; known here: name, vip, protocol, port, mode, "
		 "tracking, affinity, scheduler, empty, unknown_port, quic, mss, "
		 "vlan, client_vlan, quic_id_length, quic_id_offset, quic_id_config, grace_ms, drain_ms, "
		 "backends_max, backends, autoscale, guard, health, agent_check, warm_up"},
		{WEB "    backends:\n      - name: a\n        addressx: 10.0.0.1\n",
		 "c.yaml:8:9: unknown key 'addressx'; did you mean 'address'?"},
		{WEB "    port: 81\n", "c.yaml:6:5: key 'port' is here twice; remove one"},
		{"services: {}\n",
		 "c.yaml:1:11: services is not a list; begin each entry with '- '"},
		{"services: web\n",
		 "c.yaml:1:11: services is not a list; begin each entry with '- '"},
		{"limits: [1]\n", "c.yaml:1:9: limits is not a section; give 'key: value' lines"},
		{"interfaces: [eth0]\n",
		 "c.yaml:1:14: interfaces[0] is not a section; give 'key: value' lines"},
		{"agent:\n  owner: [a]\n", "c.yaml:2:10: owner is not a single value; give one"},
		{"services: &all\n  - *all\n",
		 "c.yaml:1:11: services[0] is not a section; give 'key: value' lines"},
		{"? [a]\n: b\n", "c.yaml:1:3: unknown key '?'; known here: agent, limits, "
				 "timeouts, icmp, guard, tunnel, interfaces, services"},
	};

	(void)context;
	REFUSE(rows);
}

static void wrong_agent(void **context)
{
	static const struct refusal rows[] = {
		{"agent:\n  pin_dir: sluice\n", "c.yaml:2:3: pin_dir 'sluice' is not an absolute "
						"path; give one that begins with /"},
		{"agent:\n  metrics: localhost:80\n",
		 "c.yaml:2:3: metrics 'localhost:80' is not address:port; give one such as "
		 "127.0.0.1:9980, [::1]:9980, or \"\" for none"},
		{"agent:\n  metrics: 0.0.0.0:80\n",
		 "c.yaml:2:3: metrics '0.0.0.0:80' can be reached from other hosts, without a "
		 "password; give metrics_remote: true if that is meant, or an address such as "
		 "127.0.0.1:9980"},
		{"agent: {metrics: '[::]:80', metrics_remote: 'no'}\n",
		 "c.yaml:1:29: metrics_remote 'no' is neither true nor false; give one of them"},
		{"agent:\n  executables: [lib]\n",
		 "c.yaml:2:3: executables[0] 'lib' is not an absolute path; give one that begins "
		 "with /"},
		{"agent:\n  owner: A\n",
		 "c.yaml:2:3: owner 'A' is not one; use at most 20 of a-z 0-9 -"},
		{"agent: {seed: 0x10}\n", "c.yaml:1:9: seed '0x10' is not a whole number; give 0 "
					  "to 9223372036854775807"},
		{"limits: {flows: 99999999999999999999}\n",
		 "c.yaml:1:10: flows 99999999999999999999 is above 1073741824; give 8 to "
		 "1073741824"},
		{"limits: {services: 0}\n", "c.yaml:1:10: services 0 is below 1; give 1 to 65536"},
		{"timeouts:\n  tcp_idle_ms: 5000000\n",
		 "c.yaml:2:3: tcp_idle_ms 5000000 is above 4000000; give 1000 to 4000000"},
		{"icmp: {echo: yes}\n", "c.yaml:1:8: echo 'yes' is not known; use answer or pass"},
		{"tunnel: {source_prefix4: 'fd00::/64'}\n",
		 "c.yaml:1:10: source_prefix4 'fd00::/64' is not one of IPv4 addresses that hosts "
		 "have"},
		{"tunnel: {source_prefix4: 224.0.0.0/8}\n",
		 "c.yaml:1:10: source_prefix4 '224.0.0.0/8' is not one of IPv4 addresses that hosts "
		 "have"},
		{"tunnel: {source_prefix6: 'fc00::/7'}\n",
		 "c.yaml:1:10: source_prefix6 'fc00::/7' is too large; give one of at least /32"},
		{"tunnel: {gue_port: 0}\n", "c.yaml:1:10: gue_port 0 is below 1; give 1 to 65535"},
		{"icmp: {echo_rate: 0}\n", "c.yaml:1:8: echo_rate 0 is below 1; give 1 to 1000000"},
		{"interfaces:\n  - mode: auto\n", "c.yaml:2:5: name is missing; add it"},
		{"interfaces:\n  - name: eth0\n    mode: nativ\n",
		 "c.yaml:3:5: mode 'nativ' is not known; did you mean native? (auto, native or "
		 "generic)"},
		{"interfaces:\n  - name: an-interface-too-long\n",
		 "c.yaml:2:5: name 'an-interface-too-long' is not that of an interface; 'ip link' "
		 "lists those there are"},
		{"interfaces: [{name: eth0}, {name: eth0}]\n",
		 "c.yaml:1:29: interface eth0 is here twice; remove one"},
	};

	(void)context;
	REFUSE(rows);
}

static void wrong_service(void **context)
{
	static const struct refusal rows[] = {
		{"services:\n  - vip: 192.0.2.80\n", "c.yaml:2:5: name is missing; add it"},
		{"services:\n  - name: Web\n",
		 "c.yaml:2:5: name 'Web' is not one; use at most 63 of a-z 0-9 . - with a letter "
		 "or digit first"},
		{"services:\n  - name: web\n", "c.yaml:2:5: vip is missing; add it"},
		{"services:\n  - name: web\n    vip: 192.0.2\n",
		 "c.yaml:3:5: vip '192.0.2' is not an IP address; give one such as 192.0.2.80 or "
		 "2001:db8::80"},
		{"services:\n  - name: web\n    vip: 224.0.0.1\n",
		 "c.yaml:3:5: vip 224.0.0.1 is not that of a host; give a unicast address"},
		{"services:\n  - name: web\n    vip: 127.0.0.1\n",
		 "c.yaml:3:5: vip 127.0.0.1 is loopback, and no packet to it comes in or goes out; "
		 "give an address of the network"},
		{"services:\n  - name: web\n    vip: 192.0.2.80\n",
		 "c.yaml:2:5: protocol is missing; add it (tcp or udp)"},
		{"services:\n  - {name: web, vip: 192.0.2.80, protocol: tpc}\n",
		 "c.yaml:2:34: protocol 'tpc' is not known; did you mean tcp? (tcp or udp)"},
		{"services:\n  - {name: web, vip: 192.0.2.80, protocol: tcp}\n",
		 "c.yaml:2:5: port is missing; add it (any = every port)"},
		{"services:\n  - {name: web, vip: 192.0.2.80, protocol: tcp, port: 65536}\n",
		 "c.yaml:2:49: port 65536 is above 65535; give 1 to 65535"},
		{"services:\n  - {name: web, vip: 192.0.2.80, protocol: tcp, port: http}\n",
		 "c.yaml:2:49: port 'http' is not a whole number; give 1 to 65535"},
		{WEB "    mode: tunnel\n",
		 "c.yaml:6:5: mode 'tunnel' is not known; use l2, ipip, gue or nat"},
		{WEB "    scheduler: magelv\n",
		 "c.yaml:6:5: scheduler 'magelv' is not known; did you mean maglev? (maglev, "
		 "random, round_robin or least_flows)"},
		{WEB "    scheduler: random\n    tracking: minimal\n",
		 "c.yaml:6:5: scheduler random needs tracking: full, or its flows cannot be found "
		 "again; use maglev with tracking: minimal"},
		{WEB "    quic: yes\n",
		 "c.yaml:6:5: quic 'yes' is neither true nor false; give one of them"},
		{WEB "    quic: true\n", "c.yaml:6:5: quic is for protocol udp; set quic: false"},
		{WEB "    mode: nat\n    backends:\n      - {name: a, address: '2001:db8::1'}\n",
		 "c.yaml:8:19: address 2001:db8::1 is IPv6 and the VIP of service web IPv4, and "
		 "mode nat keeps the family; give the IPv4 address, or use mode ipip"},
		{WEB "    mode: nat\n    backends: [{name: a, address: 10.0.0.1, port: 8080}]\n"
		     "  - name: other\n    vip: 192.0.2.81\n    protocol: tcp\n    port: 8080\n"
		     "    mode: nat\n    backends: [{name: b, address: 10.0.0.1}]\n",
		 "c.yaml:13:5: backend b, 10.0.0.1, has the address and port of a backend of "
		 "service web, which is in mode nat too; give it another port"},
		{WEB "    mss: 87\n",
		 "c.yaml:6:5: mss 87 is below 88; give 0 (any), or 88 to 65535"},
		{WEB "    vlan: 4095\n", "c.yaml:6:5: vlan 4095 is above 4094; give 1 to 4094"},
		{WEB "    vlan: all\n",
		 "c.yaml:6:5: vlan 'all' is not a VLAN; give keep, none, or 1 to 4094"},
		{WEB "    client_vlan: 7\n",
		 "c.yaml:6:5: client_vlan is for mode nat, in which answers pass here; set "
		 "client_vlan: keep"},
		{DNS "    mss: 1400\n", "c.yaml:6:5: mss is for protocol tcp; set mss: 0"},
		{WEB "    quic_id_length: 4\n",
		 "c.yaml:6:5: quic_id_length is for services with quic: true; set that too"},
		{DNS "    quic: true\n    quic_id_length: 15\n    quic_id_offset: 6\n",
		 "c.yaml:8:5: a server ID of 15 bytes from byte 6 on is longer than a connection "
		 "ID, which has at most 20; lower quic_id_offset or quic_id_length"},
		{DNS "    quic: true\n    quic_id_length: 1\n    backends:\n"
		     "      - {name: a, address: 10.0.0.1}\n      - {name: b, address: 10.0.1.1}\n",
		 "c.yaml:10:19: address 10.0.1.1 gives the QUIC server ID of backend a, the last 1 "
		 "bytes; raise quic_id_length"},
		{WEB "    backends_max: 0\n",
		 "c.yaml:6:5: backends_max 0 is below 1; give 1 to 52000"},
		{WEB "  - {name: web, vip: 192.0.2.81, protocol: tcp, port: 80}\n",
		 "c.yaml:6:6: name web is that of another service; rename one"},
		{WEB "  - name: b\n    port: 80\n    protocol: tcp\n    vip: 192.0.2.80\n",
		 "c.yaml:9:5: service b has the vip, protocol and port of service web; change one "
		 "of them"},
	};

	(void)context;
	REFUSE(rows);
}

static void without_room(void **context)
{
	static const struct refusal rows[] = {
		{"limits: {services: 1}\n" WEB
		 "  - {name: b, vip: 192.0.2.80, protocol: tcp, port: 81}\n",
		 "c.yaml:7:6: service b: no room left in limits.services 1; raise it, or lower "
		 "backends_max where it is too large"},
		{"limits: {backends: 163}\n" WEB,
		 "c.yaml:3:5: service web: no room left in limits.backends 163; raise it, or lower "
		 "backends_max where it is too large"},
		{"limits: {slots: 131103}\n" WEB,
		 "c.yaml:3:5: service web: no room left in limits.slots 131103; raise it, or lower "
		 "backends_max where it is too large"},
	};

	(void)context;
	REFUSE(rows);
	config_free(parse("limits: {services: 1, backends: 164, slots: 131104}\n" WEB));
}

/* This took more than a minute, in which the agent did nothing else. */
static void deep(void **context)
{
	static const char *const levels[] = {"[", "{a: ", "- "};
	struct error error = {.text = ""};
	struct config *config = NULL;
	char *text;

	(void)context;
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		size_t length = strlen(levels[i]) * 200000;

		text = malloc(length + 1);
		assert_non_null(text);
		text[0] = '\0';
		for (char *end = text; end < text + length; end += strlen(levels[i]))
			strcpy(end, levels[i]);
		assert_int_equal(config_parse(text, length, "c.yaml", &config, &error), -EINVAL);
		assert_non_null(strstr(error.text, ": is nested deeper than 32 levels; is it the "
						   "right file?"));
		free(text);
	}
}

/* The thing is at the beginning of a message and the next step at its end. */
static void long_and_wild_values(void **context)
{
	struct error error = {.text = ""};
	struct config *config = NULL;
	char text[2000];

	(void)context;
	snprintf(text, sizeof(text), "agent: {owner: %01000d}", 7);
	assert_int_equal(config_parse(text, strlen(text), "c.yaml", &config, &error), -EINVAL);
	assert_non_null(strstr(error.text, "c.yaml:1:9: owner '0000"));
	assert_non_null(strstr(error.text, "' is not one; use at most 20 of a-z 0-9 -"));
	strcpy(text, "agent: {owner: \"a\\nerror b\\e[2J\\x7f\"}");
	assert_int_equal(config_parse(text, strlen(text), "c.yaml", &config, &error), -EINVAL);
	assert_string_equal(error.text, "c.yaml:1:9: owner 'a?error b?[2J?' is not one; use at "
					"most 20 of a-z 0-9 -");
}

static void wrong_backend(void **context)
{
	static const struct refusal rows[] = {
		{WEB "    backends:\n      - name: w1\n", "c.yaml:7:9: address is missing; add it"},
		{WEB "    backends:\n      - name: w1\n        address: 10.0.0.1\n"
		     "        weight: 1001\n",
		 "c.yaml:9:9: weight 1001 is above 1000; give 0 to 1000"},
		{WEB "    backends:\n      - name: w1\n        address: 10.0.0.1\n"
		     "        weight: -1\n",
		 "c.yaml:9:9: weight '-1' is not a whole number; give 0 to 1000"},
		{WEB "    backends:\n      - {name: w1, address: 192.0.2.80}\n",
		 "c.yaml:7:20: address 192.0.2.80 is the VIP of service web; give the server's own"},
		{WEB "    backends:\n      - {name: w1, address: 10.0.0.1}\n"
		     "      - {name: w1, address: 10.0.0.2}\n",
		 "c.yaml:8:10: name w1 is that of another backend of service web; rename one"},
		{WEB "    backends:\n      - {name: w1, address: 10.0.0.1}\n"
		     "      - {name: w2, address: 10.0.0.1}\n",
		 "c.yaml:8:20: address 10.0.0.1 is that of backend w1 already; remove one"},
		{WEB "    backends_max: 1\n    backends:\n      - {name: w1, address: 10.0.0.1}\n"
		     "      - {name: w2, address: 10.0.0.2}\n",
		 "c.yaml:7:5: backends are 2, more than backends_max 1; raise backends_max"},
	};

	(void)context;
	REFUSE(rows);
}

#define SCALE WEB "    autoscale:\n      provisioner: /p\n"

static void wrong_autoscale(void **context)
{
	static const struct refusal rows[] = {
		{WEB "    autoscale:\n      target: 1\n",
		 "c.yaml:7:7: provisioner is missing; add it"},
		{WEB "    autoscale: {provisioner: netns, target: 1}\n",
		 "c.yaml:6:17: provisioner 'netns' is not an absolute path; give one that begins "
		 "with /"},
		{SCALE, "c.yaml:7:7: target is missing; add it"},
		{SCALE "      target: 0\n",
		 "c.yaml:8:7: target '0' is not a number above 0; give the load of one backend in "
		 "units of the signal a second"},
		{SCALE "      target: nan\n",
		 "c.yaml:8:7: target 'nan' is not a number above 0; give the load of one backend "
		 "in units of the signal a second"},
		{SCALE "      target: 5\n      signal: cpus\n",
		 "c.yaml:9:7: signal 'cpus' is not known; did you mean cpu? (packets, new_flows, bytes, "
		 "live_flows, cpu, memory or custom)"},
		{SCALE "      target: 5\n      targets: {cpu: -1}\n",
		 "c.yaml:9:17: cpu '-1' is not a number above 0; give what one backend of the "
		 "pool is to have of it"},
		{SCALE "      target: 5\n      targets: {packets: 1}\n",
		 "c.yaml:9:17: packets is the signal, whose target is 'target'; leave it out here"},
		{SCALE "      target: 5\n      schedule:\n        - 0 8 * * 9 10h 6\n",
		 "c.yaml:10:11: '0 8 * * 9 10h 6' is not of the form 'MINUTE HOUR DAY MONTH WEEKDAY "
		 "DURATION MIN'; write for instance '0 8 * * 1-5 10h 6'"},
		{SCALE "      target: 5\n      schedule:\n        - 0 8 * * 1 10h 9\n",
		 "c.yaml:10:11: its minimum 9 is above max 8; lower it or raise max"},
		{SCALE "      target: 5\n      standby: 121\n",
		 "c.yaml:9:7: standby 121 and max 8 together are more than backends_max 128; raise "
		 "backends_max"},
		{SCALE "      target: 5\n      hold_max_ms: 1\n",
		 "c.yaml:9:7: hold_max_ms is below hold_ms; raise it, or set both alike for a hold "
		 "that never grows"},
		{SCALE "      target: 5\n      min: 9\n",
		 "c.yaml:9:7: min 9 is above max 8; lower min or raise max"},
		{SCALE "      target: 5\n      min: 3\n      max: 2\n",
		 "c.yaml:10:7: min 3 is above max 2; lower min or raise max"},
		{SCALE "      target: 5\n      max: 129\n",
		 "c.yaml:9:7: max 129 is above 128; give 1 to 128"},
		{SCALE "      target: 5\n      options:\n        - bridge\n",
		 "c.yaml:10:11: option 'bridge' is not of the form key=value"},
		{SCALE "      target: 5\n      options: [a=b, a=c]\n",
		 "c.yaml:9:22: option 'a' is here twice; remove one"},
	};

	(void)context;
	REFUSE(rows);
}

static json_t *json_of(const char *text)
{
	json_t *object = json_loads(text, 0, NULL);

	assert_non_null(object);
	return object;
}

static void json_refused(const char *text, const char *message, bool backend)
{
	json_t *object = json_of(text);
	struct service_config *service = NULL;
	struct backend_config untouched = {.weight = 77};
	struct error error = {.text = ""};

	if (backend)
		assert_int_equal(backend_config_from_json(object, &untouched, &error), -EINVAL);
	else
		assert_int_equal(service_config_from_json(object, &service, &error), -EINVAL);
	assert_string_equal(error.text, message);
	assert_null(service);
	assert_int_equal(untouched.weight, 77);
	json_decref(object);
}

static void json_messages(void **context)
{
	(void)context;
	json_refused("[]", "body: is not a JSON object; send one", false);
	json_refused("{}", "name is missing; add it", false);
	json_refused("{\"name\": \"web\", \"vipp\": \"x\"}",
		     "unknown key 'vipp'; did you mean 'vip'?", false);
	json_refused("{\"name\": \"web\", \"vip\": \"192.0.2.80\", \"protocol\": \"tcp\", "
		     "\"port\": 80, \"backends\": [{\"name\": \"a\", \"address\": \"10.0.0.1\"}, "
		     "{\"name\": \"b\", \"address\": \"10.0.0.2\", \"weight\": 1200}]}",
		     "backends[1].weight 1200 is above 1000; give 0 to 1000", false);
	json_refused("{\"name\": \"web\", \"backends\": [{\"namex\": \"a\"}]}",
		     "backends[0]: unknown key 'namex'; did you mean 'name'?", false);
	json_refused("{\"name\": \"b\", \"address\": \"10.0.0.1\", \"port\": 0}",
		     "port 0 is below 1; give 1 to 65535", true);
	json_refused("{\"name\": \"b\", \"address\": \"10.0.0.1\", \"weight\": 1.5}",
		     "weight '1.5' is not a whole number; give 0 to 1000", true);
	json_refused("{\"name\": \"b\", \"address\": [\"10.0.0.1\"]}",
		     "address is not a single value; give one", true);
	json_refused("{\"name\": \"a\\n- b: &c\", \"address\": \"10.0.0.1\"}",
		     "name 'a?- b: &c' is not one; use at most 63 of a-z 0-9 . - with a letter or "
		     "digit first",
		     true);
}

static void json_backend(void **context)
{
	json_t *object = json_of("{\"name\": \"b\", \"address\": \"2001:db8::1\", \"port\": null}");
	struct backend_config backend;

	(void)context;
	assert_int_equal(backend_config_from_json(object, &backend, NULL), 0);
	assert_string_equal(backend.name, "b");
	assert_int_equal(ip_family(&backend.address), 6);
	assert_int_equal(backend.port, 0);
	assert_int_equal(backend.weight, 100);
	backend_config_clear(&backend);
	json_decref(object);
}

static void json_round_trip(void **context)
{
	struct config *config = parse(
		WEB
		"    backends: [{name: w1, address: 10.0.0.1, port: 8080, weight: 7}]\n"
		"    autoscale: {provisioner: /p, target: 0.3, options: ['a=\"b\": [c', d=]}\n"
		"  - {name: all, vip: '2001:db8::80', protocol: udp, port: any, quic: true,"
		" quic_id_length: 4, quic_id_offset: 0, quic_id_config: 3, empty: pass, tracking: minimal}\n");

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

static void slot_counts(void **context)
{
	(void)context;
	assert_int_equal(config_slot_count(1), SLUICE_SLOTS_SMALL);
	assert_int_equal(config_slot_count(8), SLUICE_SLOTS_SMALL);
	assert_int_equal(config_slot_count(9), SLUICE_SLOTS_MEDIUM);
	assert_int_equal(config_slot_count(32), SLUICE_SLOTS_MEDIUM);
	assert_int_equal(config_slot_count(33), SLUICE_SLOTS_LARGE);
	assert_int_equal(config_slot_count(128), SLUICE_SLOTS_LARGE);
	assert_int_equal(config_slot_count(131), SLUICE_SLOTS_LARGE);
	assert_int_equal(config_slot_count(132), SLUICE_SLOTS_HUGE);
	assert_int_equal(config_slot_count(52000), SLUICE_SLOTS_HUGE);
}

static void names_checked(void **context)
{
	char longest[NAME_MAX_LENGTH + 2];

	(void)context;
	memset(longest, 'a', sizeof(longest));
	longest[NAME_MAX_LENGTH + 1] = '\0';
	assert_false(name_valid(longest));
	longest[NAME_MAX_LENGTH] = '\0';
	assert_true(name_valid(longest));
	assert_true(name_valid("9.a-b"));
	assert_false(name_valid(""));
	assert_false(name_valid("-a"));
	assert_false(name_valid(".a"));
	assert_false(name_valid("a_b"));
	assert_false(name_valid("a/b"));
	assert_false(name_valid("\xc3\xa9"));
}

/* Cuts and flips of a real config: whatever comes out, it is an answer and no harm. */
static void damaged_texts(void **context)
{
	static const char whole[] =
		WEB "    backends: [{name: w1, address: 10.0.0.1}]\n"
		    "    autoscale: &s {provisioner: /p, target: 1, options: [a=b]}\n"
		    "interfaces:\n  - name: eth0\nagent: {metrics: \"\"}\n";
	uint64_t random = 31;
	unsigned int refused = 0;

	(void)context;
	for (int i = 0; i < 20000; i++) {
		struct config *config = NULL;
		struct error error = {.text = ""};
		char text[sizeof(whole)];
		size_t length = sizeof(whole) - 1 - unit_next(&random) % 20;
		int code;

		memcpy(text, whole, sizeof(whole));
		for (uint64_t n = unit_next(&random) % 4; n > 0; n--)
			text[unit_next(&random) % length] =
				"\0\n \t:-[]{}&*!|>'\"#%@`,?a0\x80"[unit_next(&random) % 27];
		code = config_parse(text, length, "c.yaml", &config, &error);
		assert_true(code == 0 || code == -EINVAL);
		assert_true(code == 0 ? config && !error.text[0] : !config);
		assert_true(code == 0 || !strncmp(error.text, "c.yaml:", 7));
		refused += code != 0;
		config_free(config);
	}
	assert_true(refused > 5000);
}

static const struct CMUnitTest cases[] = {
	CASE(defaults, "unit/config: an empty config has the documented defaults"),
	CASE(service_defaults, "unit/config: a service needs name, vip, protocol and port only"),
	CASE(every_field, "unit/config: every field is read"),
	CASE(example_file, "unit/config: the documented example is right"),
	CASE(not_yaml, "unit/config: what is no YAML is refused where it breaks"),
	CASE(wrong_shape, "unit/config: unknown keys and wrong shapes are refused at their place"),
	CASE(wrong_agent, "unit/config: wrong agent, limits, timeouts and interfaces are refused"),
	CASE(wrong_service, "unit/config: wrong services are refused at their place"),
	CASE(without_room, "unit/config: services that the limits have no room for are refused"),
	CASE(deep, "unit/config: a text of 200,000 levels is refused at once"),
	CASE(long_and_wild_values,
	     "unit/config: a long value does not push the next step out of its message, a wild one "
	     "is one line"),
	CASE(wrong_backend, "unit/config: wrong backends are refused at their place"),
	CASE(wrong_autoscale, "unit/config: wrong autoscaling is refused at its place"),
	CASE(json_messages, "unit/config: JSON is refused with the path of the field"),
	CASE(json_backend, "unit/config: a backend is read from JSON"),
	CASE(json_round_trip, "unit/config: a service survives the way through JSON"),
	CASE(slot_counts, "unit/config: a table has 500 slots for each possible backend"),
	CASE(names_checked, "unit/config: names are short and plain"),
	CASE(damaged_texts, "unit/config: 20,000 damaged configs are answered without harm"),
};

UNIT_MAIN("config", cases)

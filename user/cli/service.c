// SPDX-License-Identifier: GPL-2.0-only
/* The verbs "service ...": list, show, add, remove. */
#include <stdio.h>
#include <string.h>

#include "cli/backend.h"
#include "cli/client.h"
#include "cli/number.h"
#include "cli/output.h"
#include "model/config.h"

/* The port as text: a number, or "any". */
static const char *port_text(const json_t *service, char buffer[NUMBER_TEXT_MAX])
{
	const json_t *port = json_object_get(service, "port");

	if (!json_is_integer(port))
		return field_text(service, "port");
	snprintf(buffer, NUMBER_TEXT_MAX, "%lld", (long long)json_integer_value(port));
	return buffer;
}

/* "3", or "3 of 4" where not all are active. */
static void pool_add(struct grid *grid, const json_t *backends)
{
	size_t active = 0, total = json_array_size(backends), i;
	const json_t *backend;
	char text[2 * NUMBER_TEXT_MAX];

	json_array_foreach(backends, i, backend) active +=
		strcmp(field_text(backend, "state"), "active") == 0;
	if (active == total)
		snprintf(text, sizeof(text), "%zu", total);
	else
		snprintf(text, sizeof(text), "%zu of %zu", active, total);
	grid_add(grid, text);
}

static int services_print(const struct call *call, const json_t *services, struct error *error)
{
	struct grid grid = {
		.titles = {"NAME", "VIP", "PROTOCOL", ">PORT", "MODE", "SCHEDULER", ">ACTIVE",
			   ">NEW FLOWS", ">PACKETS", ">BYTES", "ORIGIN"},
	};
	char buffer[NUMBER_TEXT_MAX];
	const json_t *service;
	size_t i;

	json_array_foreach(services, i, service)
	{
		grid_add(&grid, field_text(service, "name"));
		grid_add(&grid, field_text(service, "vip"));
		grid_add(&grid, field_text(service, "protocol"));
		grid_add(&grid, port_text(service, buffer));
		grid_add(&grid, field_text(service, "mode"));
		grid_add(&grid, field_text(service, "scheduler"));
		pool_add(&grid, field_array(service, "backends"));
		grid_add_count(&grid, json_object_get(service, "new_flows"));
		grid_add_count(&grid, json_object_get(service, "packets"));
		grid_add_bytes(&grid, json_object_get(service, "bytes"));
		grid_add(&grid, field_text(service, "origin"));
	}
	return grid_print(&grid, call->colour, error);
}

static int list_run(struct call *call, struct error *error)
{
	json_t *answer = NULL;
	int code = client_get(call, &answer, error, "/v1/services");

	if (code)
		return code;
	if (call->json)
		code = print_json(answer, error);
	else
		code = services_print(call, field_array(answer, "services"), error);
	json_decref(answer);
	return code;
}

/* "minimal (still full)" for the seconds in which full tracking ends. */
static const char *tracking_text(const json_t *service, char *buffer, size_t size)
{
	const char *wanted = field_text(service, "tracking");
	const char *now = field_text(service, "tracking_now");

	if (json_object_get(service, "tracking_now") && strcmp(wanted, now) != 0)
		snprintf(buffer, size, "%s (still %s)", wanted, now);
	else
		snprintf(buffer, size, "%s", wanted);
	return buffer;
}

static const char *quic_text(const json_t *service)
{
	if (!json_is_true(json_object_get(service, "quic")))
		return "";
	return field_number(service, "quic_id_length") > 0 ? ", QUIC by connection ID" : ", QUIC";
}

static void service_print(const json_t *service)
{
	char port[NUMBER_TEXT_MAX], packets[NUMBER_TEXT_MAX], bytes[NUMBER_TEXT_MAX],
		flows[NUMBER_TEXT_MAX], grace[NUMBER_TEXT_MAX], drain[NUMBER_TEXT_MAX];
	const json_t *scale = json_object_get(service, "autoscale");
	char tracking[NUMBER_TEXT_MAX];

	printf("service     %s: %s %s port %s, from %s\n", field_text(service, "name"),
	       field_text(service, "vip"), field_text(service, "protocol"),
	       port_text(service, port), field_text(service, "origin"));
	printf("forwarding  mode %s, scheduler %s, affinity %s, tracking %s, empty pool: %s, "
	       "unknown port: %s%s\n",
	       field_text(service, "mode"), field_text(service, "scheduler"),
	       field_text(service, "affinity"), tracking_text(service, tracking, sizeof(tracking)),
	       field_text(service, "empty"), field_text(service, "unknown_port"),
	       quic_text(service));
	printf("times       grace %s, drain %s\n",
	       duration_format(field_number(service, "grace_ms") / 1000, grace),
	       duration_format(field_number(service, "drain_ms") / 1000, drain));
	printf("slot table  %.0f slots, generation %.0f, digest %s, %.0f unsettled\n",
	       field_number(service, "slots"), field_number(service, "generation"),
	       field_text(service, "digest"), field_number(service, "unsettled"));
	printf("traffic     %s packets, %s, %s new flows\n",
	       count_format(field_number(service, "packets"), packets),
	       bytes_format(field_number(service, "bytes"), bytes),
	       count_format(field_number(service, "new_flows"), flows));
	if (json_is_object(scale))
		printf("autoscale   %.0f to %.0f backends, target %g %s/s each\n",
		       field_number(scale, "min"), field_number(scale, "max"),
		       field_number(scale, "target"), field_text(scale, "signal"));
}

static void limit_print(const json_t *service)
{
	const json_t *limit = json_object_get(json_object_get(service, "guard"), "new_flow_limit");

	if (json_is_object(limit))
		printf("new flows   at most %.0f/s, %.0f at once, from each /%.0f (IPv4), /%.0f "
		       "(IPv6)\n",
		       field_number(limit, "rate"), field_number(limit, "burst"),
		       field_number(limit, "prefix4"), field_number(limit, "prefix6"));
}

static int show_run(struct call *call, struct error *error)
{
	json_t *service = NULL;
	int code = client_get(call, &service, error, "/v1/services/%s", call_text(call, "SERVICE"));

	if (code)
		return code;
	if (call->json) {
		code = print_json(service, error);
	} else {
		service_print(service);
		limit_print(service);
		putchar('\n');
		code = backends_print(call, field_array(service, "backends"), error);
	}
	json_decref(service);
	return code;
}

static int add_run(struct call *call, struct error *error)
{
	json_t *answer = NULL;
	int code = client_change(call, "POST", call_body(call), &answer, error, "/v1/services");

	if (code)
		return code;
	if (call->json)
		code = print_json(answer, error);
	else
		talk("%s: added; give it backends with 'sluice backend add %s NAME ADDRESS'",
		     call_text(call, "SERVICE"), call_text(call, "SERVICE"));
	json_decref(answer);
	return code;
}

static int remove_run(struct call *call, struct error *error)
{
	const char *name = call_text(call, "SERVICE");
	json_t *answer = NULL;
	int code = client_change(call, "DELETE", NULL, &answer, error, "/v1/services/%s", name);

	if (code)
		return code;
	if (call->json)
		code = print_json(answer, error);
	else
		talk("%s: removed", name);
	json_decref(answer);
	return code;
}

static const char *const protocol_words[] = {"tcp", "udp", NULL};

const struct verb service_verbs[] = {
	{
		.name = "service ls",
		.summary = "list the services",
		.example = "sluice service ls",
		.run = list_run,
	},
	{
		.name = "service show",
		.summary = "show one service, its slot table and its backends",
		.example = "sluice service show web",
		.parameters = {PARAMETER_SERVICE},
		.run = show_run,
	},
	{
		.name = "service add",
		.summary = "add a service",
		.example = "sluice service add web --vip 192.0.2.80 --protocol tcp --port 80",
		.parameters =
			{
				{.name = "SERVICE",
				 .help = "name of the new service",
				 .key = "name",
				 .kind = PARAMETER_NAME,
				 .required = true},
				{.name = "--vip",
				 .value = "ADDRESS",
				 .key = "vip",
				 .required = true,
				 .kind = PARAMETER_ADDRESS,
				 .help = "the address that clients connect to"},
				{.name = "--protocol",
				 .value = "WORD",
				 .key = "protocol",
				 .required = true,
				 .kind = PARAMETER_CHOICE,
				 .choices = protocol_words,
				 .help = "tcp, udp"},
				{.name = "--port",
				 .letter = 'p',
				 .value = "PORT",
				 .key = "port",
				 .required = true,
				 .kind = PARAMETER_PORT_ANY,
				 .help = "a port, or any for every port that no other service has"},
				{.name = "--mode",
				 .letter = 'm',
				 .value = "WORD",
				 .key = "mode",
				 .kind = PARAMETER_CHOICE,
				 .choices = forward_mode_names,
				 .help = "how packets reach the backends: l2 (default), ipip, gue, nat"},
				{.name = "--tracking",
				 .value = "WORD",
				 .key = "tracking",
				 .kind = PARAMETER_CHOICE,
				 .choices = tracking_names,
				 .help = "flows in the flow table: full (default), minimal"},
				{.name = "--affinity",
				 .value = "WORD",
				 .key = "affinity",
				 .kind = PARAMETER_CHOICE,
				 .choices = affinity_names,
				 .help = "what stays together: flow (default), source, source_port"},
				{.name = "--scheduler",
				 .value = "WORD",
				 .key = "scheduler",
				 .kind = PARAMETER_CHOICE,
				 .choices = scheduler_names,
				 .help = "maglev (default), random, round_robin, least_flows"},
				{.name = "--empty",
				 .value = "WORD",
				 .key = "empty",
				 .kind = PARAMETER_CHOICE,
				 .choices = empty_answer_names,
				 .help = "packets when there is no backend: drop (default), pass"},
				{.name = "--unknown-port",
				 .value = "WORD",
				 .key = "unknown_port",
				 .kind = PARAMETER_CHOICE,
				 .choices = empty_answer_names,
				 .help = "packets to ports of the VIP that no service takes: drop (default), pass"},
				{.name = "--quic",
				 .key = "quic",
				 .kind = PARAMETER_FLAG,
				 .help = "UDP: a QUIC Initial packet starts a new flow"},
				{.name = "--mss",
				 .value = "N",
				 .key = "mss",
				 .kind = PARAMETER_NUMBER,
				 .maximum = UINT16_MAX,
				 .help = "TCP: the largest segment size that a SYN may offer; 0 (default): any"},
				{.name = "--vlan",
				 .value = "VLAN",
				 .key = "vlan",
				 .kind = PARAMETER_VLAN,
				 .help = "of packets to the backends: keep (default: their tags), none, or an ID"},
				{.name = "--client-vlan",
				 .value = "VLAN",
				 .key = "client_vlan",
				 .kind = PARAMETER_VLAN,
				 .help = "mode nat: of answers to clients: keep (default: their tags), none, or an ID"},
				{.name = "--quic-id-length",
				 .value = "N",
				 .key = "quic_id_length",
				 .kind = PARAMETER_NUMBER,
				 .maximum = SLUICE_QUIC_ID_MAX,
				 .help = "bytes of the server ID in QUIC connection IDs; 0 (default): not used"},
				{.name = "--quic-id-offset",
				 .value = "N",
				 .key = "quic_id_offset",
				 .kind = PARAMETER_NUMBER,
				 .maximum = 19,
				 .help = "where the server ID starts in a connection ID (default 1)"},
				{.name = "--quic-id-config",
				 .value = "N",
				 .key = "quic_id_config",
				 .kind = PARAMETER_NUMBER,
				 .maximum = 6,
				 .help = "top three bits of connection IDs with a server ID (default 0)"},
				{.name = "--grace",
				 .value = "TIME",
				 .key = "grace_ms",
				 .kind = PARAMETER_DURATION,
				 .help = "UDP: unknown flows stay put so long after a change (default 10s)"},
				{.name = "--drain",
				 .value = "TIME",
				 .key = "drain_ms",
				 .kind = PARAMETER_DURATION,
				 .help = "deadline of a drain (default 5m)"},
				{.name = "--backends-max",
				 .value = "N",
				 .key = "backends_max",
				 .kind = PARAMETER_NUMBER,
				 .minimum = 1,
				 .maximum = SLUICE_SERVICE_BACKENDS_MAX,
				 .help = "largest pool ever wanted (default 128); sizes the slot table"},
			},
		.run = add_run,
	},
	{
		.name = "service rm",
		.summary = "remove a service and its backends at once; its flows break",
		.example = "sluice service rm web",
		.parameters = {PARAMETER_SERVICE},
		.run = remove_run,
	},
	{0},
};

// SPDX-License-Identifier: GPL-2.0-only
/* The verbs "decap": on a backend without a tunnel device, tunnel headers are taken off. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "cli/client.h"
#include "cli/output.h"
#include "sluice/decap.h"

static int name_check(const char *name, struct error *error)
{
	if (strlen(name) <= 15 && !strpbrk(name, "/ \t\n?#%"))
		return 0;
	return error_set(error, -EINVAL,
			 "IFACE: '%s' is not a name of an interface; see 'ip link' for them", name);
}

/* "192.0.2.11,2001:db8::11" as a list; NULL: an empty one. */
static int addresses_read(const char *text, json_t *list, struct error *error)
{
	char *copy = strdup(text ? text : ""), *rest = copy, *word;
	struct ip address;
	int code = copy ? 0 : error_set(error, -ENOMEM, "out of memory");

	while (!code && (word = strtok_r(rest, ",", &rest))) {
		if (ip_parse(word, &address))
			code = error_set(error, -EINVAL,
					 "--address: '%s' is not an address; give one of this "
					 "host's own",
					 word);
		else
			json_array_append_new(list, json_string(word));
	}
	free(copy);
	return code;
}

static int attach_run(struct call *call, struct error *error)
{
	const char *name = call_text(call, "IFACE");
	json_t *body = call_body(call), *list = json_array(), *answer = NULL;
	int code = name_check(name, error);

	if (!code)
		code = addresses_read(call_text(call, "--address"), list, error);
	json_object_set_new(body, "addresses", list);
	if (code) {
		json_decref(body);
		return code;
	}
	code = client_change(call, "PUT", body, &answer, error, "/v1/decap/%s", name);
	if (!code && call->json)
		code = print_json(answer, error);
	else if (!code)
		talk("%s: tunnel headers are taken off (%s mode)", name,
		     field_text(answer, "mode"));
	json_decref(answer);
	return code;
}

static int detach_run(struct call *call, struct error *error)
{
	const char *name = call_text(call, "IFACE");
	json_t *answer = NULL;
	int code = name_check(name, error);

	if (!code)
		code = client_change(call, "DELETE", NULL, &answer, error, "/v1/decap/%s", name);
	if (!code)
		talk("%s: detached", name);
	json_decref(answer);
	return code;
}

#define DECAP_LABEL(name, label, meaning) label,
#define DECAP_TITLE(name, label, meaning) ">" label,
static const char *const labels[] = {DECAP_VERDICTS(DECAP_LABEL)};

static void addresses_add(struct grid *grid, const json_t *list)
{
	char text[DECAP_ADDRESSES_MAX * IP_TEXT_MAX] = "any";
	const json_t *value;
	size_t i, length = 0;

	json_array_foreach(list, i, value)
	{
		int more = snprintf(text + length, sizeof(text) - length, "%s%s", i ? "," : "",
				    json_string_value(value));

		if (more < 0 || (size_t)more >= sizeof(text) - length)
			break;
		length += (size_t)more;
	}
	grid_add(grid, text);
}

static int list_run(struct call *call, struct error *error)
{
	struct grid grid = {
		.titles = {"INTERFACE", "MODE", "ADDRESSES", "PORT", DECAP_VERDICTS(DECAP_TITLE)}};
	const json_t *interfaces, *interface;
	json_t *answer = NULL;
	size_t i;
	int code = client_get(call, &answer, error, "/v1/decap");

	if (code)
		return code;
	interfaces = field_array(answer, "interfaces");
	if (call->json) {
		code = print_json(answer, error);
	} else if (!json_array_size(interfaces)) {
		talk("attached nowhere");
	} else {
		json_array_foreach(interfaces, i, interface)
		{
			const json_t *packets = json_object_get(interface, "packets");

			grid_add(&grid, field_text(interface, "name"));
			grid_add(&grid, field_text(interface, "mode"));
			addresses_add(&grid, field_array(interface, "addresses"));
			grid_add_count(&grid, json_object_get(interface, "port"));
			for (size_t label = 0; label < DECAP_VERDICT_COUNT; label++)
				grid_add_count(&grid, json_object_get(packets, labels[label]));
		}
		code = grid_print(&grid, call->colour, error);
	}
	json_decref(answer);
	return code;
}

#define PARAMETER_INTERFACE                                                \
	{                                                                  \
		.name = "IFACE", .kind = PARAMETER_TEXT, .required = true, \
		.help = "name of the network interface",                   \
	}

const struct verb decap_verbs[] = {
	{
		.name = "decap attach",
		.summary = "on a backend: take tunnel headers off what an interface receives",
		.example = "sluice decap attach eth0 --address 192.0.2.11",
		.parameters =
			{
				PARAMETER_INTERFACE,
				{.name = "--address",
				 .letter = 'a',
				 .value = "ADDR[,ADDR]...",
				 .kind = PARAMETER_TEXT,
				 .help = "outer destinations to take (default: any but multicast)"},
				{.name = "--port",
				 .letter = 'p',
				 .value = "PORT",
				 .key = "port",
				 .kind = PARAMETER_PORT,
				 .help = "UDP port of mode gue (default 6080)"},
			},
		.run = attach_run,
	},
	{
		.name = "decap detach",
		.summary = "take no tunnel headers off any more",
		.example = "sluice decap detach eth0",
		.parameters = {PARAMETER_INTERFACE},
		.run = detach_run,
	},
	{
		.name = "decap ls",
		.summary = "where tunnel headers are taken off, and how many packets did what",
		.example = "sluice decap ls",
		.run = list_run,
	},
	{0},
};

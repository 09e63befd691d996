// SPDX-License-Identifier: GPL-2.0-only
/* The verb "status": the agent, its interfaces, the flow table and the verdicts. */
#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/number.h"
#include "cli/output.h"

static void agent_print(const json_t *status)
{
	const char *config = json_string_value(json_object_get(status, "config"));
	char buffer[NUMBER_TEXT_MAX];

	printf("agent       sluice %s, pid %.0f, up %s\n", field_text(status, "version"),
	       field_number(status, "pid"),
	       duration_format(field_number(status, "uptime_s"), buffer));
	printf("config      %s\n", config ? config : "none; what is there was set at run time");
	printf("maps        %s (ABI %.0f)\n", field_text(status, "pin_dir"),
	       field_number(status, "abi"));
}

static void interfaces_print(const struct call *call, const json_t *interfaces)
{
	const json_t *interface;
	size_t i;

	printf("interfaces  %s", json_array_size(interfaces) ? "" : "none; see 'sluice attach'");
	json_array_foreach(interfaces, i, interface)
	{
		const char *mode = field_number(interface, "ifindex")
					   ? field_text(interface, "mode")
					   : "gone, awaited";
		const char *escape = call->colour ? state_colour(mode) : "";

		printf("%s%s (%s%s%s)", i ? ", " : "", field_text(interface, "name"), escape, mode,
		       *escape ? "\033[0m" : "");
	}
	putchar('\n');
}

static void flows_print(const json_t *flows)
{
	char live[NUMBER_TEXT_MAX], capacity[NUMBER_TEXT_MAX], closing[NUMBER_TEXT_MAX],
		probation[NUMBER_TEXT_MAX], proven[NUMBER_TEXT_MAX], rejects[NUMBER_TEXT_MAX];
	double room = field_number(flows, "capacity");

	printf("flows       %s live of %s (%.1f%%); evicted: %s closing, %s on probation, %s "
	       "proven; no room for %s\n",
	       count_format(field_number(flows, "live"), live), count_format(room, capacity),
	       room > 0 ? 100 * field_number(flows, "live") / room : 0,
	       count_format(field_number(flows, "evicted_closing"), closing),
	       count_format(field_number(flows, "evicted_probation"), probation),
	       count_format(field_number(flows, "evicted_proven"), proven),
	       count_format(field_number(flows, "rejects"), rejects));
}

static int verdicts_print(const struct call *call, const json_t *verdicts, struct error *error)
{
	struct grid grid = {.titles = {"VERDICT", ">PACKETS", ">BYTES", "MEANING"}};
	const json_t *verdict;
	size_t i, shown = 0;

	json_array_foreach(verdicts, i, verdict)
	{
		if (!call_text(call, "--all") && field_number(verdict, "packets") <= 0)
			continue;
		grid_add(&grid, field_text(verdict, "name"));
		grid_add_count(&grid, json_object_get(verdict, "packets"));
		grid_add_bytes(&grid, json_object_get(verdict, "bytes"));
		grid_add(&grid, field_text(verdict, "meaning"));
		shown++;
	}
	if (!shown) {
		printf("packets     none yet\n");
		return 0;
	}
	putchar('\n');
	return grid_print(&grid, call->colour, error);
}

static int status_run(struct call *call, struct error *error)
{
	json_t *status = NULL;
	int code = client_get(call, &status, error, "/v1/status");

	if (code)
		return code;
	if (call->json) {
		code = print_json(status, error);
	} else {
		agent_print(status);
		interfaces_print(call, field_array(status, "interfaces"));
		printf("services    %.0f with %.0f backends\n", field_number(status, "services"),
		       field_number(status, "backends"));
		flows_print(json_object_get(status, "flows"));
		code = verdicts_print(call, field_array(status, "verdicts"), error);
	}
	json_decref(status);
	return code;
}

const struct verb status_verbs[] = {
	{
		.name = "status",
		.summary = "show the agent, its interfaces, the flow table and the verdicts",
		.example = "sluice status",
		.parameters =
			{
				{.name = "--all",
				 .letter = 'a',
				 .kind = PARAMETER_FLAG,
				 .help = "verdicts that no packet got, too"},
			},
		.run = status_run,
	},
	{0},
};

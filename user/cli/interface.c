// SPDX-License-Identifier: GPL-2.0-only
/* The verbs "attach" and "detach": the data plane on an interface. */
#include <errno.h>
#include <string.h>

#include "cli/client.h"
#include "cli/output.h"
#include "model/config.h"

static int name_check(const char *name, struct error *error)
{
	if (strlen(name) <= 15 && !strpbrk(name, "/ \t\n?#%"))
		return 0;
	return error_set(error, -EINVAL,
			 "IFACE: '%s' is not a name of an interface; see 'ip link' for them", name);
}

static int attach_run(struct call *call, struct error *error)
{
	const char *name = call_text(call, "IFACE"), *wanted = call_text(call, "--mode");
	json_t *body, *answer = NULL;
	const char *mode;
	int code = name_check(name, error);

	if (code)
		return code;
	body = json_pack("{s:s}", "mode", wanted ? wanted : "auto");
	code = client_change(call, "PUT", body, &answer, error, "/v1/interfaces/%s", name);
	if (code)
		return code;
	mode = field_text(answer, "mode");
	if (call->json)
		code = print_json(answer, error);
	else
		talk("%s: attached in %s mode%s", name, mode,
		     strcmp(mode, "generic") == 0 && !wanted
			     ? "; its driver has no native mode, so packets cost several times more"
			     : "");
	json_decref(answer);
	return code;
}

static int detach_one(struct call *call, const char *name, struct error *error)
{
	json_t *answer = NULL;
	int code = client_change(call, "DELETE", NULL, &answer, error, "/v1/interfaces/%s", name);

	if (!code)
		talk("%s: detached", name);
	json_decref(answer);
	return code;
}

static int detach_all(struct call *call, struct error *error)
{
	const json_t *interfaces, *interface;
	json_t *status = NULL;
	size_t i;
	int code = client_get(call, &status, error, "/v1/status");

	if (code)
		return code;
	interfaces = field_array(status, "interfaces");
	if (!json_array_size(interfaces))
		talk("nothing is attached");
	json_array_foreach(interfaces, i, interface)
	{
		code = detach_one(call, field_text(interface, "name"), error);
		if (code)
			break;
	}
	json_decref(status);
	return code;
}

static int detach_run(struct call *call, struct error *error)
{
	const char *name = call_text(call, "IFACE");
	int code;

	if (!name == !call_text(call, "--all"))
		return error_set(error, -EINVAL, "detach: give either an interface or --all");
	if (!name)
		return detach_all(call, error);
	code = name_check(name, error);
	return code ? code : detach_one(call, name, error);
}

const struct verb interface_verbs[] = {
	{
		.name = "attach",
		.summary = "start to balance what an interface receives",
		.example = "sluice attach eth0",
		.parameters =
			{
				{.name = "IFACE",
				 .kind = PARAMETER_TEXT,
				 .required = true,
				 .help = "name of the network interface"},
				{.name = "--mode",
				 .letter = 'm',
				 .value = "MODE",
				 .kind = PARAMETER_CHOICE,
				 .choices = attach_mode_names,
				 .help = "auto (native where the driver can, else generic), native, generic"},
			},
		.run = attach_run,
	},
	{
		.name = "detach",
		.summary = "stop to balance what an interface receives; its packets go to the host",
		.example = "sluice detach eth0",
		.parameters =
			{
				{.name = "IFACE",
				 .kind = PARAMETER_TEXT,
				 .help = "name of the network interface"},
				{.name = "--all",
				 .letter = 'a',
				 .kind = PARAMETER_FLAG,
				 .help = "every attached interface"},
			},
		.run = detach_run,
	},
	{0},
};

// SPDX-License-Identifier: GPL-2.0-only
/* The verbs "scale ...": what the autoscaler thinks, and its limits. */
#include <errno.h>
#include <stdio.h>

#include "cli/client.h"
#include "cli/number.h"
#include "cli/output.h"
#include "cli/scale_history.h"
#include "cli/scale_show.h"
#include "cli/scale_simulate.h"
#include "sluice/limits.h"

static const char *limits_text(const json_t *scale, char *buffer, size_t size)
{
	snprintf(buffer, size, "%.0f-%.0f", field_number(scale, "min"), field_number(scale, "max"));
	return buffer;
}

static int scale_change(struct call *call, const char *method, const char *suffix, json_t *body,
			const char *done, struct error *error)
{
	const char *service = call_text(call, "SERVICE");
	json_t *answer = NULL;
	char text[NUMBER_TEXT_MAX * 2];
	int code = client_change(call, method, body, &answer, error, "/v1/scale/%s%s", service,
				 suffix);

	if (code)
		return code;
	if (call->json)
		code = print_json(answer, error);
	else
		talk("%s: %s; limits %s, target %g per backend", service, done,
		     limits_text(answer, text, sizeof(text)), field_number(answer, "target"));
	json_decref(answer);
	return code;
}

static int set_run(struct call *call, struct error *error)
{
	const struct value *min = call_value(call, "--min"), *max = call_value(call, "--max");

	if (!min->text && !max->text && !call_text(call, "--target"))
		return error_set(error, -EINVAL,
				 "scale set: nothing to set; give --min, --max or "
				 "--target");
	if (min->text && max->text && min->number > max->number)
		return error_set(error, -EINVAL, "--min: %s is above --max %s; swap them",
				 min->text, max->text);
	return scale_change(call, "PATCH", "", call_body(call), "set", error);
}

static int pause_run(struct call *call, struct error *error)
{
	return scale_change(call, "POST", "/pause", json_object(),
			    "paused, the pool stays as it is", error);
}

static int resume_run(struct call *call, struct error *error)
{
	return scale_change(call, "POST", "/resume", json_object(), "scales again", error);
}

static const char *const policies[] = {"sluice", "hpa", "kpa", "aws", "bound", "all", NULL};

const struct verb scale_verbs[] = {
	{
		.name = "scale show",
		.summary =
			"show demand, need and the last decision; of one service all that it follows from",
		.example = "sluice scale show web",
		.parameters =
			{
				{.name = "SERVICE",
				 .help = "name of the service (default: all)",
				 .kind = PARAMETER_NAME},
			},
		.run = scale_show_run,
	},
	{
		.name = "scale history",
		.summary = "show past decisions, why they fell, and what came of them",
		.example = "sluice scale history web --last 5",
		.parameters =
			{
				PARAMETER_SERVICE,
				{.name = "--last",
				 .letter = 'n',
				 .value = "N",
				 .kind = PARAMETER_NUMBER,
				 .minimum = 1,
				 .maximum = 4096,
				 .help = "so many of the latest (default: 20)"},
			},
		.run = scale_history_run,
	},
	{
		.name = "scale set",
		.summary = "change the limits or the target of a service's pool",
		.example = "sluice scale set web --min 2 --max 10",
		.parameters =
			{
				PARAMETER_SERVICE,
				{.name = "--min",
				 .value = "N",
				 .key = "min",
				 .kind = PARAMETER_NUMBER,
				 .maximum = SLUICE_SERVICE_BACKENDS_MAX,
				 .help = "fewest backends"},
				{.name = "--max",
				 .value = "N",
				 .key = "max",
				 .kind = PARAMETER_NUMBER,
				 .minimum = 1,
				 .maximum = SLUICE_SERVICE_BACKENDS_MAX,
				 .help = "most backends"},
				{.name = "--target",
				 .value = "RATE",
				 .key = "target",
				 .kind = PARAMETER_REAL,
				 .help = "of the signal, per second and backend"},
			},
		.run = set_run,
	},
	{
		.name = "scale pause",
		.summary = "leave a pool as it is: no decisions",
		.example = "sluice scale pause web",
		.parameters = {PARAMETER_SERVICE},
		.run = pause_run,
	},
	{
		.name = "scale resume",
		.summary = "take up decisions again",
		.example = "sluice scale resume web",
		.parameters = {PARAMETER_SERVICE},
		.run = resume_run,
	},
	{
		.name = "scale simulate",
		.summary = "run the autoscaler, and models of others, against a trace of load",
		.example = "sluice scale simulate --trace diurnal --policy all",
		.local = true,
		.parameters =
			{
				{.name = "--trace",
				 .value = "FILE",
				 .kind = PARAMETER_TEXT,
				 .required = true,
				 .help = "\"time,requests\" in rows; or step, ramp, square120, "
					 "square600, diurnal"},
				{.name = "--config",
				 .value = "FILE",
				 .kind = PARAMETER_TEXT,
				 .help = "config whose autoscale section is used (default: a target "
					 "of 75)"},
				{.name = "--service",
				 .value = "NAME",
				 .kind = PARAMETER_NAME,
				 .help = "which of its services (default: the first that scales)"},
				{.name = "--policy",
				 .value = "NAME",
				 .kind = PARAMETER_CHOICE,
				 .choices = policies,
				 .help = "sluice (default), hpa, kpa, aws, bound, all"},
				{.name = "--target",
				 .value = "RATE",
				 .kind = PARAMETER_REAL,
				 .help = "of the policy, in place of the config's"},
				{.name = "--capacity",
				 .value = "RATE",
				 .kind = PARAMETER_REAL,
				 .help = "that a backend can serve (default: the config's target / "
					 "0.75)"},
				{.name = "--boot",
				 .value = "TIME",
				 .kind = PARAMETER_DURATION,
				 .help = "of a backend (default 60s)"},
				{.name = "--warmup",
				 .value = "TIME",
				 .kind = PARAMETER_DURATION,
				 .help = "from cold to full capacity (default 30s)"},
				{.name = "--no-slow-start",
				 .kind = PARAMETER_FLAG,
				 .help = "a full share at once for what is cold"},
				{.name = "--seed",
				 .value = "N",
				 .kind = PARAMETER_NUMBER,
				 .maximum = UINT32_MAX,
				 .help = "of chance; the same one gives the same result"},
				{.name = "--plot",
				 .value = "FILE",
				 .kind = PARAMETER_TEXT,
				 .help = "draw load, need and pool as SVG"},
			},
		.run = scale_simulate_run,
	},
	{0},
};

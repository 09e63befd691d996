// SPDX-License-Identifier: GPL-2.0-only
/* The verb "provision test": a provisioner against the contract. No agent is asked. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/input.h"
#include "cli/output.h"
#include "cli/provision_trial.h"
#include "model/config.h"

#define FILE_SIZE_MAX   (16u << 20)
#define TIMEOUT_DEFAULT 60000

static uint64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------ what is asked for */

/* The service of a config that scales, as a provisioner is shown it. */
static int service_take(const struct call *call, const struct config *config, struct trial *trial,
			struct error *error)
{
	static const char *const fields[] = {"name", "vip", "protocol", "port", "mode"};
	const char *name = call_text(call, "--service");

	for (size_t i = 0; i < config->service_count; i++) {
		const struct service_config *service = &config->services[i];
		json_t *all;

		if (!service->autoscale || (name && strcmp(name, service->name) != 0))
			continue;
		all = service_config_to_json(service);
		trial->service = json_object();
		for (size_t j = 0; j < sizeof(fields) / sizeof(fields[0]); j++)
			json_object_set(trial->service, fields[j], json_object_get(all, fields[j]));
		json_decref(all);
		trial->spec = json_deep_copy(service->autoscale->options);
		trial->timeout_ms = service->autoscale->call_timeout_ms;
		return 0;
	}
	return error_set(error, -ENOENT,
			 "%s: the config has no service %s that scales; give it an 'autoscale' "
			 "section",
			 call_text(call, "--config"), name ? name : "");
}

static int config_take(const struct call *call, struct trial *trial, struct error *error)
{
	const char *path = call_text(call, "--config");
	struct config *config = NULL;
	char *text = NULL;
	size_t length;
	int code = input_read(path, FILE_SIZE_MAX, &text, &length, error);

	if (!code)
		code = config_parse(text, length, path, &config, error);
	if (!code)
		code = service_take(call, config, trial, error);
	free(text);
	config_free(config);
	return code == -EINVAL ? -EBADMSG : code;
}

/* Options as a JSON object: given as it is, or in a file. */
static int spec_take(const char *given, struct trial *trial, struct error *error)
{
	json_error_t wrong;
	size_t length = strlen(given);
	char *text = NULL;
	int code = 0;

	if (*given == '{')
		text = strdup(given);
	else
		code = input_read(given, FILE_SIZE_MAX, &text, &length, error);
	if (code)
		return code;
	json_decref(trial->spec);
	trial->spec = text ? json_loadb(text, length, JSON_REJECT_DUPLICATES, &wrong) : NULL;
	free(text);
	if (!json_is_object(trial->spec))
		return error_set(error, -EBADMSG,
				 "--spec: not a JSON object; give one such as '{\"bridge\": "
				 "\"br0\"}', or a file that has one");
	return 0;
}

/* What cannot be started at all gets one message instead of the same finding for each question. */
static int plugin_check(const char *path, struct error *error)
{
	struct stat found;
	int code = 0;

	if (stat(path, &found) < 0 || access(path, X_OK) < 0)
		code = -errno;
	else if (!S_ISREG(found.st_mode))
		code = -EACCES;
	if (code)
		return error_set(error, code, "%s: %s; give the path of an executable file", path,
				 strerror(-code));
	return 0;
}

static int trial_open(const struct call *call, struct trial *trial, struct error *error)
{
	const char *spec = call_text(call, "--spec");
	int code = 0;

	if (call_text(call, "--service") && !call_text(call, "--config"))
		return error_set(error, -EINVAL, "--service: it is one of a config; give --config");
	trial->path = call_text(call, "PLUGIN");
	trial->timeout_ms = TIMEOUT_DEFAULT;
	trial->clock_ms = clock_ms;
	if (call_text(call, "--config"))
		code = config_take(call, trial, error);
	else
		trial->service =
			json_pack("{ss,ss,ss,si,ss}", "name", "test", "vip", "203.0.113.80",
				  "protocol", "tcp", "port", 80, "mode", "l2");
	if (!code && !trial->spec)
		trial->spec = json_object();
	if (!code && spec)
		code = spec_take(spec, trial, error);
	if (call_text(call, "--timeout"))
		trial->timeout_ms = call_value(call, "--timeout")->number;
	return code ? code : plugin_check(trial->path, error);
}

/* ------------------------------------------------------------------ the report */

static void line_print(const char *what, const json_t *entry, const char *key)
{
	const json_t *text = json_object_get(entry, key);

	if (text)
		printf("      %-9s %s\n", what, json_string_value(text));
}

static void entry_print(const struct call *call, const json_t *entry)
{
	const char *result = field_text(entry, "result"), *check = field_text(entry, "check");
	bool failed = strcmp(result, "failed") == 0;

	if (strcmp(result, "skipped") == 0) {
		printf("skip  %s: %s\n", check, field_text(entry, "why"));
		return;
	}
	printf("%s%s%s  %s\n",
	       !call->colour ? ""
	       : failed      ? "\033[31m"
			     : "\033[32m",
	       failed ? "FAIL" : "ok  ", call->colour ? "\033[0m" : "", check);
	line_print("found", entry, "found");
	line_print("sent", entry, "sent");
	line_print("answered", entry, "answered");
	line_print("contract", entry, "contract");
	line_print("next", entry, "next");
}

static size_t result_count(const json_t *report, const char *result)
{
	const json_t *entry;
	size_t i, count = 0;

	json_array_foreach(report, i, entry) count +=
		strcmp(field_text(entry, "result"), result) == 0;
	return count;
}

static int report_show(struct call *call, const struct trial *trial, json_t *report, int left,
		       struct error *error)
{
	size_t failed = result_count(report, "failed");
	const json_t *entry;
	size_t i;

	call->status = failed || left || trial->interrupted ? EXIT_FAILURE : EXIT_SUCCESS;
	if (call->json) {
		json_t *answer = json_pack(
			"{ss,sO,sO*,sI,sI,sI,sb}", "provisioner", trial->path, "checks", report,
			"capabilities", trial->capabilities, "ok",
			(json_int_t)result_count(report, "ok"), "failed", (json_int_t)failed,
			"skipped", (json_int_t)result_count(report, "skipped"), "clean", !left);
		int code = print_json(answer, error);

		json_decref(answer);
		return code;
	}
	json_array_foreach(report, i, entry) entry_print(call, entry);
	printf("%zu ok, %zu failed, %zu skipped\n", result_count(report, "ok"), failed,
	       result_count(report, "skipped"));
	if (trial->interrupted)
		talk("provision test: interrupted; what was made is deleted");
	if (left)
		talk("provision test: backends of owner %s or %s may be left over; look, and "
		     "delete them",
		     trial->owner, trial->other);
	return 0;
}

/* ------------------------------------------------------------------ the trial */

/* Ctrl-C ends a trial with its backends deleted. */
static int interrupts_open(sigset_t *before)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigprocmask(SIG_BLOCK, &mask, before);
	return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* What came meanwhile has had its effect. */
static void interrupts_close(int fd, const sigset_t *before)
{
	struct signalfd_siginfo come;

	while (read(fd, &come, sizeof(come)) > 0)
		;
	close(fd);
	sigprocmask(SIG_SETMASK, before, NULL);
}

static json_t *trial_hold(struct trial *trial, int *ret_left)
{
	json_t *report = json_array();

	trial_run(trial, provision_questions, report);
	/* What does not say what it can do is asked for nothing: it may be anything. */
	if (trial->capabilities && !trial->interrupted) {
		trial_run(trial, provision_life, report);
		*ret_left = trial_sweep(trial);
	}
	return report;
}

static int test_run(struct call *call, struct error *error)
{
	char owner[40], other[40];
	struct trial trial = {.owner = owner, .other = other, .interrupts = -1};
	uint32_t chance = 0;
	sigset_t before;
	json_t *report;
	int left = 0, interrupts, code = trial_open(call, &trial, error);

	if (!code && getrandom(&chance, sizeof(chance), 0) < 0)
		code = error_set(error, -errno, "random numbers: %s; try again", strerror(errno));
	if (!code) {
		snprintf(owner, sizeof(owner), "trial-%08" PRIx32, chance);
		snprintf(other, sizeof(other), "other-%08" PRIx32, chance);
		interrupts = interrupts_open(&before);
		trial.interrupts = interrupts;
		report = trial_hold(&trial, &left);
		code = report_show(call, &trial, report, left, error);
		interrupts_close(interrupts, &before);
		json_decref(report);
	}
	json_decref(trial.service);
	json_decref(trial.spec);
	json_decref(trial.capabilities);
	free(trial.sent);
	free(trial.answered);
	return code;
}

const struct verb provision_verbs[] = {
	{
		.name = "provision test",
		.summary = "check an executable against the contract of provisioners",
		.example = "sluice provision test ./plugin --spec '{\"bridge\": \"br0\"}'",
		.local = true,
		.parameters =
			{
				{.name = "PLUGIN",
				 .kind = PARAMETER_TEXT,
				 .required = true,
				 .help = "the executable; up to two backends at a time are made, "
					 "and deleted"},
				{.name = "--spec",
				 .value = "JSON",
				 .kind = PARAMETER_TEXT,
				 .help = "its options: an object, or a file that has one"},
				{.name = "--config",
				 .letter = 'c',
				 .value = "FILE",
				 .kind = PARAMETER_TEXT,
				 .help = "config whose service and options are used"},
				{.name = "--service",
				 .value = "NAME",
				 .kind = PARAMETER_NAME,
				 .help = "which of its services (default: the first that scales)"},
				{.name = "--timeout",
				 .value = "TIME",
				 .kind = PARAMETER_DURATION,
				 .help = "of a call (default: the config's, or 60s)"},
			},
		.run = test_run,
	},
	{0},
};

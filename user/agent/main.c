// SPDX-License-Identifier: GPL-2.0-only
/* sluiced: options, signals, and the loop that the agent lives on. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "agent/agent.h"
#include "agent/manager.h"
#include "agent/sandbox.h"
#include "base/log.h"

#define CONFIG_PATH "/etc/sluice/sluice.yaml"

enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

static const char usage[] =
	"usage: sluiced [-c CONFIG] [--check | --cleanup] [-v]\n"
	"\n"
	"The agent of sluice: keeps the data plane, its pools and their backends as configured.\n"
	"It stays in the foreground; forwarding goes on when it stops.\n"
	"\n"
	"  -c, --config CONFIG  the config file (default " CONFIG_PATH ")\n"
	"      --check          check the config and stop\n"
	"      --cleanup        detach every interface, remove all pinned maps, and stop\n"
	"  -v, --verbose        log more\n"
	"      --version        print the version\n"
	"  -h, --help           print this\n"
	"\n"
	"SIGHUP reads the config again; SIGTERM and SIGINT stop.\n"
	"Exit status: 0 done, 1 failed, 2 usage.\n";

enum verb {
	VERB_RUN,
	VERB_CHECK,
	VERB_CLEANUP,
};

struct options {
	const char *config_path;
	enum verb verb;
};

/* Returns -1 to go on, or the exit status. */
static int options_read(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 'k'},
		{"cleanup", no_argument, NULL, 'u'},
		{"verbose", no_argument, NULL, 'v'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "c:vh", known, NULL)) != -1) {
		switch (option) {
		case 'c':
			options->config_path = optarg;
			break;
		case 'k':
			options->verb = VERB_CHECK;
			break;
		case 'u':
			options->verb = VERB_CLEANUP;
			break;
		case 'v':
			log_set_level(LOG_LEVEL_DEBUG);
			break;
		case 'V':
			puts("sluiced " SLUICE_VERSION);
			return EXIT_DONE;
		case 'h':
			fputs(usage, stdout);
			return EXIT_DONE;
		default:
			fputs("try: sluiced --help\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "sluiced: unexpected argument \"%s\"; try: sluiced --help\n",
			argv[optind]);
		return EXIT_USAGE;
	}
	return -1;
}

struct daemon {
	uv_loop_t loop;
	uv_signal_t signals[3];
	struct manager manager;
	struct agent agent;
	bool stopping, failed;
};

static void daemon_stop(struct daemon *daemon)
{
	if (daemon->stopping)
		return;
	daemon->stopping = true;
	for (size_t i = 0; i < 3; i++)
		uv_close((uv_handle_t *)&daemon->signals[i], NULL);
	manager_close(&daemon->manager);
	agent_stop(&daemon->agent);
}

/* What there is, in a few words. */
static void daemon_ready(struct daemon *daemon, const char *trouble)
{
	const struct config *config = daemon->agent.config;
	char status[400];

	snprintf(status, sizeof(status), "%zu services and %zu interfaces of the config%s%.300s",
		 config->service_count, config->interface_count, *trouble ? "; " : "", trouble);
	manager_ready(&daemon->manager, status);
}

static void daemon_reload(struct daemon *daemon)
{
	struct agent_outcome outcome;
	struct error error = {""};

	manager_reloading(&daemon->manager);
	if (agent_reload(&daemon->agent, &outcome, &error)) {
		log_error("reload failed, everything stays as it was: %s", error.text);
		error_prefix(&error, "reload failed: ");
	} else {
		log_info("reloaded %s: %zu steps, %u slots moved", daemon->agent.config_path,
			 outcome.steps, outcome.slots_moved);
	}
	daemon_ready(daemon, error.text);
}

static void signal_came(uv_signal_t *handle, int number)
{
	struct daemon *daemon = handle->data;

	if (number == SIGHUP) {
		daemon_reload(daemon);
		return;
	}
	log_info("stopping; forwarding goes on");
	agent_event(&daemon->agent, CAUSE_AGENT, "stop", NULL, "%s; forwarding goes on",
		    number == SIGTERM ? "SIGTERM" : "SIGINT");
	manager_stopping(&daemon->manager);
	daemon_stop(daemon);
}

static void signals_start(struct daemon *daemon)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < 3; i++) {
		uv_signal_init(&daemon->loop, &daemon->signals[i]);
		daemon->signals[i].data = daemon;
		uv_signal_start(&daemon->signals[i], signal_came, numbers[i]);
	}
}

/* Without it neither provisioners nor probes run: whoever started us should start both anew. */
static void runner_gone(struct agent *agent)
{
	struct daemon *daemon = agent->loop->data;

	if (daemon->stopping)
		return;
	log_error("runner: it has ended; stopping too, forwarding goes on");
	daemon->failed = true;
	daemon_stop(daemon);
}

static int daemon_start(struct daemon *daemon, const char *config_path, struct config *config,
			struct error *error)
{
	int err;

	uv_loop_init(&daemon->loop);
	daemon->loop.data = daemon;
	daemon->agent.runner_gone = runner_gone;
	manager_open(&daemon->manager, &daemon->loop);
	signals_start(daemon);
	err = agent_start(&daemon->agent, &daemon->loop, config_path, config, error);
	return !err && config->sandbox ? sandbox_enter(error) : err;
}

static int daemon_run(const char *config_path, struct config *config)
{
	struct daemon daemon = {0};
	struct error error;

	if (runner_start(config->executables, &daemon.agent.runner, &error)) {
		log_error("%s", error.text);
		config_free(config);
		return EXIT_FAILED;
	}
	if (daemon_start(&daemon, config_path, config, &error)) {
		log_error("%s", error.text);
		daemon.failed = true;
		daemon_stop(&daemon);
	} else {
		log_info("ready");
		daemon_ready(&daemon, "");
	}
	uv_run(&daemon.loop, UV_RUN_DEFAULT);
	runner_stop(&daemon.agent.runner);
	agent_free(&daemon.agent);
	uv_loop_close(&daemon.loop);
	return daemon.failed ? EXIT_FAILED : EXIT_DONE;
}

/* What to do about a config that cannot be read. */
static const char *config_remedy(int err, enum verb verb)
{
	if (err == -ENOENT)
		return "; write it (the example sluice.yaml has every field), or name another one "
		       "with --config";
	/* Who wants XDP off the interfaces at once must not have to mend a config first. */
	return verb == VERB_CLEANUP ? "; --cleanup needs agent.pin_dir alone, and --config "
				      "/dev/null stands for the default"
				    : "";
}

int main(int argc, char **argv)
{
	struct options options = {.config_path = CONFIG_PATH};
	struct config *config;
	struct error error;
	int status = options_read(argc, argv, &options);
	int err;

	if (status >= 0)
		return status;
	err = agent_config_read(options.config_path, &config, &error);
	if (err) {
		log_error("%s%s", error.text, config_remedy(err, options.verb));
		return EXIT_FAILED;
	}
	if (options.verb == VERB_RUN)
		return daemon_run(options.config_path, config);
	if (options.verb == VERB_CLEANUP)
		err = dataplane_cleanup(config->pin_dir, &error);
	if (err)
		log_error("%s", error.text);
	else
		log_info("%s: %s", options.config_path,
			 options.verb == VERB_CHECK ? "no error found" : "cleaned up");
	config_free(config);
	return err ? EXIT_FAILED : EXIT_DONE;
}

// SPDX-License-Identifier: GPL-2.0-only
/* sluiced: options, signals, and the loop that the agent lives on. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "agent/agent.h"
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

/* Tells a service manager; see sd_notify(3). */
static void manager_notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = path ? strlen(path) : 0;
	int fd;

	if (!length || length >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, length);
	if (*path == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		log_warning("NOTIFY_SOCKET %s: %s", path, strerror(errno));
	close(fd);
}

struct daemon {
	uv_loop_t loop;
	uv_signal_t signals[3];
	struct agent agent;
	bool stopping;
};

static void daemon_stop(struct daemon *daemon)
{
	if (daemon->stopping)
		return;
	daemon->stopping = true;
	for (size_t i = 0; i < 3; i++)
		uv_close((uv_handle_t *)&daemon->signals[i], NULL);
	agent_stop(&daemon->agent);
}

static void signal_came(uv_signal_t *handle, int number)
{
	struct daemon *daemon = handle->data;
	struct agent_outcome outcome;
	struct error error;

	if (number != SIGHUP) {
		log_info("stopping; forwarding goes on");
		agent_event(&daemon->agent, CAUSE_AGENT, "stop", NULL, "%s; forwarding goes on",
			    number == SIGTERM ? "SIGTERM" : "SIGINT");
		manager_notify("STOPPING=1\n");
		daemon_stop(daemon);
	} else if (agent_reload(&daemon->agent, &outcome, &error)) {
		log_error("reload failed, everything stays as it was: %s", error.text);
	} else {
		log_info("reloaded %s: %zu steps, %u slots moved", daemon->agent.config_path,
			 outcome.steps, outcome.slots_moved);
	}
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

static int daemon_run(const char *config_path, struct config *config)
{
	struct daemon daemon = {0};
	struct error error;
	int err;

	uv_loop_init(&daemon.loop);
	signals_start(&daemon);
	err = agent_start(&daemon.agent, &daemon.loop, config_path, config, &error);
	if (err) {
		log_error("%s", error.text);
		daemon_stop(&daemon);
	} else {
		log_info("ready");
		manager_notify("READY=1\n");
	}
	uv_run(&daemon.loop, UV_RUN_DEFAULT);
	agent_free(&daemon.agent);
	uv_loop_close(&daemon.loop);
	return err ? EXIT_FAILED : EXIT_DONE;
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

// SPDX-License-Identifier: GPL-2.0-only
/* The command "sluice": finds the verb, reads its parameters, runs it. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/complete.h"
#include "cli/help.h"

/* Options before the verb. Returns how many words they take, or -EINVAL. */
static int leading_options(int count, char **words, struct call *call, struct error *error)
{
	int used = 0, code = 1;

	for (; used < count; used++) {
		code = call_common(call, count, words, &used, error);
		if (code <= 0)
			break;
	}
	return code < 0 ? code : used;
}

static bool is_word(int count, char **words, const char *word, const char *letter)
{
	return count && (strcmp(words[0], word) == 0 || strcmp(words[0], letter) == 0);
}

static int run(int count, char **words, struct call *call, struct error *error)
{
	char *version[] = {"version"};
	const char *group = NULL;
	int used = leading_options(count, words, call, error), code;

	if (used < 0)
		return used;
	count -= used;
	words += used;
	if (is_word(count, words, "--complete", "--complete")) {
		complete_print(call, count - 1, words + 1);
		return 0;
	}
	if (is_word(count, words, "--version", "-V"))
		words = version;
	if (is_word(count, words, "--help", "-h"))
		return help_group("") > 0 ? 0 : -EINVAL;
	code = verb_find(count, words, &call->verb, &used, &group, error);
	if (code && group && is_word(count - 1, words + 1, "--help", "-h"))
		return help_group(group) > 0 ? 0 : -EINVAL;
	if (code)
		return code;
	code = call_parse(call, count - used, words + used, error);
	if (code == 1) {
		help_verb(call->verb);
		return 0;
	}
	return code ? code : call->verb->run(call, error);
}

/* `sluice ... | head -1`: who has seen enough and goes is no failure. */
static bool reader_gone(void)
{
	struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};

	return poll(&out, 1, 0) == 1 && out.revents & POLLERR;
}

int main(int argc, char **argv)
{
	const char *socket = getenv("SLUICE_SOCKET"), *terminal = getenv("TERM");
	struct call call = {
		.socket = socket && *socket ? socket : SOCKET_DEFAULT,
		.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && terminal &&
			  strcmp(terminal, "dumb") != 0,
	};
	struct error error = {""};
	int code;

	signal(SIGPIPE, SIG_IGN);
	code = run(argc - 1, argv + 1, &call, &error);
	if (fflush(stdout) == EOF || ferror(stdout)) {
		if (reader_gone())
			return EXIT_SUCCESS;
		if (!code)
			code = error_set(&error, -EIO,
					 "stdout: cannot be written; see where it leads");
	}
	if (code)
		fprintf(stderr, "sluice: %s\n", error.text);
	return code == -EINVAL ? EXIT_USAGE : code ? EXIT_FAILURE : call.status;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Making processes: nothing else in the project does. */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <sys/types.h>

#define PROCESS_STDIO 3

struct process_start {
	const char *path;         /* no shell, no search in PATH */
	char *const *arguments;   /* with argv[0], NULL at the end */
	char *const *environment; /* all of it, NULL at the end */
	int stdio[PROCESS_STDIO]; /* become standard input, output and error; stay the caller's */
};

/*
 * process_start - start an executable as the leader of a process group of its own, with every signal
 * at its default and none blocked. Returns its process id, or -errno if it could not be executed.
 */
pid_t process_start(const struct process_start *start);

/* process_fork - as fork(), but what libraries hooked onto that does not run. -1 with errno. */
pid_t process_fork(void);

#endif

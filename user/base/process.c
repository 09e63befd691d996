// SPDX-License-Identifier: GPL-2.0-only
/* Making processes. The only file that does; a test sees to it. */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Between fork and exec. A failure is told by a pipe that a successful exec closes. */
static _Noreturn void child_become(const struct process_start *start, int trouble)
{
	sigset_t none;
	int code;

	setpgid(0, 0);
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 0; i < PROCESS_STDIO; i++) {
		if (dup2(start->stdio[i], i) < 0)
			goto failed;
	}
	execve(start->path, start->arguments, start->environment);
failed:
	code = errno;
	code = (int)write(trouble, &code, sizeof(code));
	_exit(127);
}

pid_t process_fork(void)
{
	return _Fork(); /* libuv would reopen descriptors of its own, by their old numbers */
}

pid_t process_start(const struct process_start *start)
{
	int trouble[2], code = 0;
	pid_t pid;

	if (pipe2(trouble, O_CLOEXEC))
		return -errno;
	pid = process_fork();
	if (!pid)
		child_become(start, trouble[1]);
	if (pid < 0)
		code = errno;
	close(trouble[1]);
	if (pid > 0) {
		setpgid(pid, pid); /* whichever of the two comes first */
		if (read(trouble[0], &code, sizeof(code)) != sizeof(code))
			code = 0;
		if (code)
			waitpid(pid, NULL, 0);
	}
	close(trouble[0]);
	return code ? -code : pid;
}

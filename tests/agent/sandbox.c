// SPDX-License-Identifier: GPL-2.0-only
/* What the agent can do once it is in its sandbox, and what it cannot. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "../unit/unit.h"
#include "agent/sandbox.h"
#include "base/host.h"

/* Runs a check in a process of its own, for a sandbox has no way out. */
static void inside(int (*check)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		struct error error = {""};

		if (sandbox_enter(&error)) {
			fprintf(stderr, "%s\n", error.text);
			_exit(99);
		}
		_exit(check());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static bool status_has(const char *field, const char *value)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = !strncmp(line, field, strlen(field)) && strstr(line, value);
	if (file)
		fclose(file);
	if (!found)
		fprintf(stderr, "not so: %s %s\n", field, value);
	return found;
}

static int state_shown(void)
{
	char set[32];

	snprintf(set, sizeof(set), "\t%016llx\n", (unsigned long long)sandbox_capabilities());
	return !(status_has("CapEff:", set) && status_has("CapPrm:", set) &&
		 status_has("CapBnd:", set) && status_has("CapInh:", "\t0000000000000000\n") &&
		 status_has("CapAmb:", "\t0000000000000000\n") &&
		 status_has("NoNewPrivs:", "\t1\n") && status_has("Seccomp:", "\t2\n"));
}

static void sandbox_state(void **context)
{
	(void)context;
	inside(state_shown);
}

static bool denied(const char *what, long result, int expected)
{
	if (result < 0 && errno == expected)
		return true;
	fprintf(stderr, "%s: %ld, %s\n", what, result, strerror(errno));
	return false;
}

static int all_denied(void)
{
	char *const arguments[] = {(char *)"true", NULL};
	int page = (int)sysconf(_SC_PAGESIZE);
	void *memory = mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	bool good = denied("execve", execve("/bin/true", arguments, NULL), EPERM);

	good &= denied("execveat", syscall(SYS_execveat, AT_FDCWD, "/bin/true", arguments, NULL, 0),
		       EPERM);
	good &= denied("mount", mount("none", "/mnt", "tmpfs", 0, NULL), EPERM);
	good &= denied("unshare", unshare(CLONE_NEWNET), EPERM);
	good &= denied("setns", setns(0, 0), EPERM);
	good &= denied("setuid", setuid(0), EPERM);
	good &= denied("chroot", chroot("/"), EPERM);
	good &= denied("sethostname", sethostname("x", 1), EPERM);
	good &= denied("finit_module", syscall(SYS_finit_module, 0, "", 0), EPERM);
	good &= denied("keyctl", syscall(SYS_keyctl, 0, 0, 0, 0, 0), EPERM);
	good &= denied("perf_event_open", syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0), EPERM);
	good &= denied("process_vm_readv", syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0),
		       EPERM);
	good &= denied("io_uring_setup", syscall(SYS_io_uring_setup, 1, NULL), EPERM);
	good &= denied("clone3", syscall(SYS_clone3, NULL, 0), ENOSYS);
	good &= denied("socket of vsock", socket(AF_VSOCK, SOCK_STREAM, 0), EPERM);
	good &= denied("mprotect of code", mprotect(memory, (size_t)page, PROT_READ | PROT_EXEC),
		       EPERM);
	good &= denied("mmap of writable code",
		       (long)mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE | PROT_EXEC,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		       EPERM);
#ifndef __SANITIZE_ADDRESS__
	good &= denied("fork", fork(), EPERM);
	good &= denied("clone of a process", syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL),
		       EPERM);
	good &= denied("kill", kill(getppid(), 0), EPERM);
	good &= denied("ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL), EPERM);
#endif
	return !good;
}

static void sandbox_denies(void **context)
{
	(void)context;
	inside(all_denied);
}

static void *thread_run(void *data)
{
	return data;
}

static void work_run(uv_work_t *work)
{
	*(int *)work->data = 1;
}

static void work_done(uv_work_t *work, int status)
{
	(void)work;
	(void)status;
}

static int all_works(void)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *info = NULL;
	int worked = 0;
	uv_work_t work = {.data = &worked};
	pthread_t thread;
	uv_loop_t loop;
	void *result = NULL;
	FILE *file;

	if (pthread_create(&thread, NULL, thread_run, &loop) || pthread_join(thread, &result) ||
	    result != &loop)
		return 1;
	if (uv_loop_init(&loop) || uv_queue_work(&loop, &work, work_run, work_done) ||
	    uv_run(&loop, UV_RUN_DEFAULT) || !worked || uv_loop_close(&loop))
		return 2;
	/* Reads /etc, loads what /etc/nsswitch.conf names, asks a resolver if there is one. */
	if (getaddrinfo("localhost", "80", &hints, &info))
		return 3;
	freeaddrinfo(info);
	file = tmpfile();
	if (!file || fputs("x", file) < 0 || fflush(file) || fsync(fileno(file)) || fclose(file))
		return 4;
	return 0;
}

static void sandbox_allows(void **context)
{
	(void)context;
	inside(all_works);
}

static struct host_facts facts_outside;
static struct host_link link_outside;

static int host_known(void)
{
	struct host_facts facts;
	struct host_link link;

	host_read("/sys/fs/bpf", "/tmp", &facts);
	host_link_read("lo", &link);
	if (facts.clock_synchronised != facts_outside.clock_synchronised ||
	    facts.memlock != facts_outside.memlock || facts.forward4 != facts_outside.forward4 ||
	    facts.forward6 != facts_outside.forward6 || facts.bpffs != facts_outside.bpffs ||
	    facts.state_writable != facts_outside.state_writable || !facts.state_free)
		return 1;
	if (!link.present || link.mtu != link_outside.mtu || link.gro != link_outside.gro ||
	    link.lro != link_outside.lro || link.rp_filter != link_outside.rp_filter)
		return 2;
	return 0;
}

static void sandbox_shows_host(void **context)
{
	(void)context;
	host_read("/sys/fs/bpf", "/tmp", &facts_outside);
	host_link_read("lo", &link_outside);
	assert_int_not_equal(facts_outside.clock_synchronised, -1);
	assert_int_not_equal(link_outside.gro, -1);
	inside(host_known);
}

static const struct CMUnitTest cases[] = {
	{"control/sandbox: the stated capabilities, no_new_privs and a filter are what /proc shows",
	 sandbox_state, NULL, NULL, NULL},
	{"control/sandbox: programs, processes, identities, mounts, modules, code: all refused",
	 sandbox_denies, NULL, NULL, NULL},
	{"control/sandbox: threads, the loop's pool, name resolution and files go on working",
	 sandbox_allows, NULL, NULL, NULL},
	{"control/sandbox: the doctor sees as much of clock, limits, folders and links as outside",
	 sandbox_shows_host, NULL, NULL, NULL},
};

UNIT_MAIN("agent/sandbox", cases)

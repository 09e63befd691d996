// SPDX-License-Identifier: GPL-2.0-only
/* The agent's privileges after its start: capabilities, no_new_privs, a filter of system calls. */
#include "agent/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/sandbox_calls.h"
#include "base/log.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#define ARCHITECTURE 0
#endif

_Static_assert(ARCHITECTURE, "look through sandbox_calls.h for this one, and name it here");

#define CALL_COUNT (sizeof(sandbox_calls) / sizeof(sandbox_calls[0]))
#define FILTER_MAX (2 * CALL_COUNT + 64)

/* Numbers of x32, which are another set of the same calls. */
#define X32_BIT 0x40000000u

/* ------------------------------------------------------------------ capabilities */

uint64_t sandbox_capabilities(void)
{
#define CAPABILITY_BIT(name) | (UINT64_C(1) << CAP_##name)
	return 0 SANDBOX_CAPABILITIES(CAPABILITY_BIT);
#undef CAPABILITY_BIT
}

static int capabilities_drop(struct error *error)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};
	uint64_t kept = sandbox_capabilities();

	if (syscall(SYS_capget, &header, sets))
		return error_set(error, -errno, "sandbox: capget: %s", strerror(errno));
	/* Nothing can be gained back by no_new_privs; this says so to who looks. */
	for (unsigned int capability = 0; capability < 64; capability++) {
		if (!(kept >> capability & 1))
			prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
	}
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		sets[i].permitted &= (uint32_t)(kept >> (32 * i));
		sets[i].effective = sets[i].permitted;
		sets[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &header, sets))
		return error_set(error, -errno, "sandbox: capset: %s", strerror(errno));
	return 0;
}

/* ------------------------------------------------------------------ the filter */

struct filter {
	struct sock_filter code[FILTER_MAX];
	size_t length;
};

static void emit(struct filter *filter, uint16_t code, uint32_t value, uint8_t if_true,
		 uint8_t if_false)
{
	filter->code[filter->length++] =
		(struct sock_filter){.code = code, .jt = if_true, .jf = if_false, .k = value};
}

static void emit_load(struct filter *filter, size_t offset)
{
	emit(filter, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void emit_answer(struct filter *filter, uint32_t answer)
{
	emit(filter, BPF_RET | BPF_K, answer, 0, 0);
}

static const uint32_t refused = SECCOMP_RET_ERRNO | EPERM;
static const uint32_t unknown = SECCOMP_RET_ERRNO | ENOSYS;

#define NUMBER_OFFSET offsetof(struct seccomp_data, nr)
/* Low half of an argument; sockets, flags and protections fit into it. */
#define ARGUMENT_OFFSET(i)                                              \
	(offsetof(struct seccomp_data, args) + (i) * sizeof(uint64_t) + \
	 (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? sizeof(uint32_t) : 0))

/* If the call is this one: allowed when (argument & mask) == value, else refused. */
static void emit_masked(struct filter *filter, int call, unsigned int argument, uint32_t mask,
			uint32_t value)
{
	emit(filter, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 5);
	emit_load(filter, ARGUMENT_OFFSET(argument));
	emit(filter, BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
	emit(filter, BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0);
	emit_answer(filter, refused);
	emit_answer(filter, SECCOMP_RET_ALLOW);
}

/* Memory is never writable and executable at once; what is mapped is not made executable later. */
static void emit_memory(struct filter *filter)
{
	emit(filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 5);
	emit_load(filter, ARGUMENT_OFFSET(2));
	emit(filter, BPF_ALU | BPF_AND | BPF_K, PROT_WRITE | PROT_EXEC, 0, 0);
	emit(filter, BPF_JMP | BPF_JEQ | BPF_K, PROT_WRITE | PROT_EXEC, 0, 1);
	emit_answer(filter, refused);
	emit_answer(filter, SECCOMP_RET_ALLOW);
	emit_masked(filter, SYS_mprotect, 2, PROT_EXEC, 0);
}

static void emit_sockets(struct filter *filter)
{
	static const uint32_t families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET};
	const uint8_t count = sizeof(families) / sizeof(families[0]);

	emit(filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, (uint8_t)(count + 3));
	emit_load(filter, ARGUMENT_OFFSET(0));
	for (uint8_t i = 0; i < count; i++)
		emit(filter, BPF_JMP | BPF_JEQ | BPF_K, families[i], (uint8_t)(count - i), 0);
	emit_answer(filter, refused);
	emit_answer(filter, SECCOMP_RET_ALLOW);
}

/* A thread is no process. */
static void emit_threads(struct filter *filter)
{
#ifdef __SANITIZE_ADDRESS__
	emit_masked(filter, SYS_clone, 0, 0, 0);
#else
	emit_masked(filter, SYS_clone, 0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM);
#endif
}

static void filter_make(struct filter *filter)
{
	emit_load(filter, offsetof(struct seccomp_data, arch));
	emit(filter, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
	emit_answer(filter, SECCOMP_RET_KILL_PROCESS);
	emit_load(filter, NUMBER_OFFSET);
	/* No call at all: what a tracer makes of one that it skips, as strace's faults do. */
	emit(filter, BPF_JMP | BPF_JEQ | BPF_K, UINT32_MAX, 0, 1);
	emit_answer(filter, SECCOMP_RET_ALLOW);
	emit(filter, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
	emit_answer(filter, SECCOMP_RET_KILL_PROCESS);
	for (size_t i = 0; i < CALL_COUNT; i++) {
		emit(filter, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)sandbox_calls[i], 0, 1);
		emit_answer(filter, SECCOMP_RET_ALLOW);
	}
	emit_memory(filter);
	emit_sockets(filter);
	emit_threads(filter);
	/*
	 * Numbers from here on are the same on all architectures and young enough for every libc to
	 * have another way: it must be told that they are not there. clone3 is one, since it hides
	 * its flags from filters.
	 */
	emit(filter, BPF_JMP | BPF_JGE | BPF_K, SYS_clone3, 0, 1);
	emit_answer(filter, unknown);
	emit_answer(filter, refused);
}

static int filter_install(struct error *error)
{
	struct filter filter = {.length = 0};
	struct sock_fprog program;
	long code;

	filter_make(&filter);
	program = (struct sock_fprog){.len = (unsigned short)filter.length, .filter = filter.code};
	/* LOG: what is refused stands in the kernel's log with its number. */
	code = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		       SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG, &program);
	if (code > 0)
		return error_set(error, -EBUSY, "sandbox: thread %ld has a filter of its own",
				 code);
	if (code < 0)
		return error_set(
			error, -errno,
			"sandbox: the kernel takes no filter of system calls: %s; boot one "
			"with CONFIG_SECCOMP_FILTER, or set agent.sandbox: false",
			strerror(errno));
	return 0;
}

int sandbox_enter(struct error *error)
{
	int err;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return error_set(error, -errno, "sandbox: no_new_privs: %s", strerror(errno));
	err = capabilities_drop(error);
	if (!err)
		err = filter_install(error);
	return err;
}

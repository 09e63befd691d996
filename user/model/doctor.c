// SPDX-License-Identifier: GPL-2.0-only
/* The doctor: what is judged in which order, and the host with its agent. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model/doctor_private.h"

#define MIB             ((uint64_t)1 << 20)
#define STATE_FREE_MIN  (16 * MIB)
#define STATE_FILES_MIN 64u
#define MEMLOCK_MIN     (256 * MIB)
#define KERNEL_OLDEST   601u /* 6.1: the oldest that the data plane is tested on */
#define KERNEL_MEMCG    511u /* 5.11: from here on maps do not count as locked memory */

const char *const severity_names[] = {"note", "warning", "error", NULL};

void finding(struct findings *findings, enum severity severity, const char *check,
	     const char *subject, const char *format, ...)
{
	va_list list;

	findings->severity = severity;
	findings->check = check;
	findings->subject = subject;
	va_start(list, format);
	vsnprintf(findings->text, sizeof(findings->text), format, list);
	va_end(list);
}

void fix(struct findings *findings, const char *format, ...)
{
	char command[512];
	va_list list;

	va_start(list, format);
	vsnprintf(command, sizeof(command), format, list);
	va_end(list);
	json_array_append_new(findings->by_severity[findings->severity],
			      json_pack("{ss,ss,ss,ss,ss}", "check", findings->check, "severity",
					severity_names[findings->severity], "subject",
					findings->subject, "text", findings->text, "fix", command));
}

static void judge_agent(struct findings *findings, const struct doctor_facts *facts)
{
	if (facts->agent_problem) {
		finding(findings, SEVERITY_ERROR, "agent", "sluiced", "%s; %s",
			facts->agent_problem,
			facts->host.pins ? "packets are forwarded as the pinned maps say, but "
					   "nothing follows changes"
					 : "nothing is balanced");
		fix(findings, "systemctl start sluiced");
	}
	if (facts->maps_abi && facts->abi != facts->maps_abi) {
		finding(findings, SEVERITY_ERROR, "abi", facts->pin_dir,
			"the pinned maps have layout %u, the agent has %u", facts->maps_abi,
			facts->abi);
		fix(findings, "systemctl restart sluiced");
	}
}

static void judge_kernel(struct findings *findings, const struct doctor_facts *facts)
{
	const struct host_facts *host = &facts->host;
	unsigned int version = host->kernel_major * 100 + host->kernel_minor;

	if (version && version < KERNEL_OLDEST) {
		finding(findings, SEVERITY_WARNING, "kernel", "kernel",
			"version %u.%u is older than 6.1, the oldest that sluice is tested on",
			host->kernel_major, host->kernel_minor);
		fix(findings, "apt-get install -t stable linux-image-amd64");
	}
	if (version && version < KERNEL_MEMCG && host->memlock < MEMLOCK_MIN) {
		finding(findings, SEVERITY_ERROR, "memlock", "sluiced",
			"at most %llu KiB may be locked, too little for the maps on this kernel",
			(unsigned long long)host->memlock / 1024);
		fix(findings, "ulimit -l unlimited");
	}
	if (!host->bpffs) {
		finding(findings, SEVERITY_ERROR, "bpffs", facts->pin_dir,
			"it is not on a bpf file system, so that nothing can be pinned there");
		fix(findings, "mount -t bpf bpffs /sys/fs/bpf");
	}
	if (host->clock_synchronised == 0) {
		finding(findings, SEVERITY_NOTE, "clock", "clock",
			"it is not synchronised; deadlines of drains and times in logs go by it");
		fix(findings, "timedatectl set-ntp true");
	}
}

static void judge_state_dir(struct findings *findings, const struct doctor_facts *facts)
{
	const struct host_facts *host = &facts->host;

	if (host->state_writable == 0) {
		finding(findings, SEVERITY_ERROR, "state_dir", facts->state_dir,
			"it cannot be written to: no change will be accepted");
		fix(findings, "mount -o remount,rw $(findmnt -n -o TARGET -T %s)",
		    facts->state_dir);
	}
	if (host->state_free < STATE_FREE_MIN) {
		finding(findings, host->state_free < MIB ? SEVERITY_ERROR : SEVERITY_WARNING,
			"state_dir", facts->state_dir,
			"%llu KiB are free on its file system: no change is accepted when it is full",
			(unsigned long long)host->state_free / 1024);
		fix(findings, "du -xh --max-depth=2 $(findmnt -n -o TARGET -T %s) | sort -h",
		    facts->state_dir);
	} else if (host->state_files < STATE_FILES_MIN) {
		finding(findings, SEVERITY_WARNING, "state_dir", facts->state_dir,
			"its file system has room for %llu more files only",
			(unsigned long long)host->state_files);
		fix(findings,
		    "du -x --inodes --max-depth=2 $(findmnt -n -o TARGET -T %s) | sort -n",
		    facts->state_dir);
	}
}

static void judge_forwarding(struct findings *findings, const struct doctor_facts *facts)
{
	if (facts->nat4 && facts->host.forward4 == 0) {
		finding(findings, SEVERITY_WARNING, "ip_forward", "net.ipv4.ip_forward",
			"it is 0, and this host is the router of the backends in mode nat: what they "
			"send of their own accord goes nowhere");
		fix(findings, "sysctl -w net.ipv4.ip_forward=1");
	}
	if (facts->nat6 && facts->host.forward6 == 0) {
		finding(findings, SEVERITY_WARNING, "ip_forward", "net.ipv6.conf.all.forwarding",
			"it is 0, and this host is the router of the backends in mode nat: what they "
			"send of their own accord goes nowhere");
		fix(findings, "sysctl -w net.ipv6.conf.all.forwarding=1");
	}
}

json_t *doctor_judge(const struct doctor_facts *facts)
{
	struct findings findings = {.by_severity = {json_array(), json_array(), json_array()}};
	json_t *list = json_array();

	judge_agent(&findings, facts);
	judge_kernel(&findings, facts);
	judge_state_dir(&findings, facts);
	judge_forwarding(&findings, facts);
	for (size_t i = 0; i < facts->link_count; i++)
		judge_link(&findings, facts, &facts->links[i]);
	if (!facts->link_count && facts->agent_asked) {
		finding(&findings, SEVERITY_WARNING, "interfaces", "sluiced",
			"no interface is attached: nothing is balanced");
		fix(&findings, "sluice attach eth0");
	}
	judge_backends(&findings, facts);
	for (int severity = SEVERITY_ERROR; severity >= SEVERITY_NOTE; severity--) {
		json_array_extend(list, findings.by_severity[severity]);
		json_decref(findings.by_severity[severity]);
	}
	return list;
}

enum severity doctor_worst(const json_t *findings)
{
	enum severity worst = SEVERITY_NOTE;
	const json_t *one;
	size_t i;

	json_array_foreach(findings, i, one)
	{
		const char *word = json_string_value(json_object_get(one, "severity"));

		for (int severity = SEVERITY_NOTE; word && severity <= SEVERITY_ERROR; severity++) {
			if (!strcmp(word, severity_names[severity]) && severity > (int)worst)
				worst = (enum severity)severity;
		}
	}
	return worst;
}

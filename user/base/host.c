// SPDX-License-Identifier: GPL-2.0-only
/* What a host says of itself: kernel, clock, limits, file systems, forwarding. */
#include "base/host.h"

#include <dirent.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/host_number.h"

#define PATH_ROOM 4096

int host_number(const char *path)
{
	FILE *file = fopen(path, "re");
	int number = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%d", &number) != 1)
		number = -1;
	fclose(file);
	return number;
}

/* The folder, or the nearest one above it that is there. False: not even the root. */
static bool nearest_folder(const char *path, char folder[PATH_ROOM])
{
	char *slash;

	if (snprintf(folder, PATH_ROOM, "%s", path) >= PATH_ROOM)
		return false;
	while (access(folder, F_OK)) {
		slash = strrchr(folder, '/');
		if (!slash)
			return false;
		if (slash == folder)
			slash++;
		if (!*slash)
			return false;
		*slash = '\0';
	}
	return true;
}

static bool has_entries(const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	bool found = false;

	if (!folder)
		return false;
	while (!found && (entry = readdir(folder)))
		found = entry->d_name[0] != '.';
	closedir(folder);
	return found;
}

static void state_read(const char *path, struct host_facts *facts)
{
	char folder[PATH_ROOM];
	struct statfs status;

	facts->state_writable = -1;
	facts->state_free = facts->state_files = UINT64_MAX;
	if (!nearest_folder(path, folder) || statfs(folder, &status))
		return;
	facts->state_writable = access(folder, W_OK) == 0;
	facts->state_free = (uint64_t)status.f_bavail * (uint64_t)status.f_bsize;
	/* Some file systems do not count files: all zero. */
	if (status.f_files)
		facts->state_files = status.f_ffree;
}

void host_read(const char *pin_dir, const char *state_dir, struct host_facts *ret_facts)
{
	struct timex clock = {0};
	struct utsname name = {0};
	char folder[PATH_ROOM];
	struct statfs status;
	struct rlimit limit;
	int state;

	*ret_facts = (struct host_facts){.clock_synchronised = -1, .memlock = UINT64_MAX};
	if (!uname(&name))
		sscanf(name.release, "%u.%u", &ret_facts->kernel_major, &ret_facts->kernel_minor);
	ret_facts->cpus = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	ret_facts->bpffs = nearest_folder(pin_dir, folder) && !statfs(folder, &status) &&
			   (unsigned long)status.f_type == BPF_FS_MAGIC;
	ret_facts->pins = has_entries(pin_dir);
	state = adjtimex(&clock);
	if (state >= 0)
		ret_facts->clock_synchronised = state != TIME_ERROR;
	if (!getrlimit(RLIMIT_MEMLOCK, &limit) && limit.rlim_cur != RLIM_INFINITY)
		ret_facts->memlock = limit.rlim_cur;
	ret_facts->forward4 = host_number("/proc/sys/net/ipv4/ip_forward");
	ret_facts->forward6 = host_number("/proc/sys/net/ipv6/conf/all/forwarding");
	state_read(state_dir, ret_facts);
}

// SPDX-License-Identifier: GPL-2.0-only
/* The folder of the pins: the bpffs it lies on, and the lock that one agent holds on it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "agent/dataplane_private.h"
#include "base/file.h"
#include "base/log.h"

#define BPFFS "/sys/fs/bpf"

static bool is_bpffs(const char *path)
{
	struct statfs facts;

	return statfs(path, &facts) == 0 && facts.f_type == (__typeof__(facts.f_type))BPF_FS_MAGIC;
}

static int bpffs_mount(const char *pin_dir, struct error *error)
{
	if (strncmp(pin_dir, BPFFS "/", strlen(BPFFS "/")) != 0 || is_bpffs(BPFFS))
		return 0;
	if (mount("bpffs", BPFFS, "bpf", 0, "mode=0700") < 0)
		return error_set(error, -errno,
				 "%s: cannot mount a bpffs for the pins: %s; mount it by hand: "
				 "mount -t bpf bpffs %s",
				 BPFFS, strerror(errno), BPFFS);
	log_info("%s: no bpffs was there; mounted one for the pins", BPFFS);
	return 0;
}

/*
 * The process that holds the flock, from /proc/locks: unlike a pid file it cannot be stale. 0 if
 * it is not known. A line reads "1: FLOCK  ADVISORY  WRITE 4711 00:1b:2048 0 EOF".
 */
static long lock_holder(int lock)
{
	char line[256], wanted[64];
	struct stat facts;
	long holder = 0;
	FILE *locks;

	if (fstat(lock, &facts) < 0)
		return 0;
	locks = fopen("/proc/locks", "re");
	if (!locks)
		return 0;
	snprintf(wanted, sizeof(wanted), "%02x:%02x:%lu", major(facts.st_dev), minor(facts.st_dev),
		 (unsigned long)facts.st_ino);
	while (!holder && fgets(line, sizeof(line), locks)) {
		char place[64];
		long pid;

		if (sscanf(line, "%*d: FLOCK %*s %*s %ld %63s", &pid, place) == 2 &&
		    strcmp(place, wanted) == 0)
			holder = pid;
	}
	fclose(locks);
	return holder;
}

static int lock_taken(const char *pin_dir, int lock, struct error *error)
{
	long holder = lock_holder(lock);
	char who[32] = "";

	if (holder > 0)
		snprintf(who, sizeof(who), " (pid %ld)", holder);
	return error_set(
		error, -EBUSY,
		"%s: another sluiced%s holds these pins; stop it, or give this one another "
		"agent.pin_dir",
		pin_dir, who);
}

int pins_lock(const char *pin_dir, bool create, int *ret_lock, struct error *error)
{
	int error_code = 0;
	int lock;

	if (create) {
		error_code = bpffs_mount(pin_dir, error);
		if (!error_code)
			error_code = file_make_folder(pin_dir, error);
		if (error_code)
			return error_code;
	}
	lock = open(pin_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock < 0)
		return error_set(error, -errno, "%s: cannot open the folder of the pins: %s",
				 pin_dir, strerror(errno));
	if (create && !is_bpffs(pin_dir))
		error_code = error_set(
			error, -EINVAL,
			"%s: agent.pin_dir is not on a bpffs; choose a folder below " BPFFS,
			pin_dir);
	else if (flock(lock, LOCK_EX | LOCK_NB) < 0)
		error_code = lock_taken(pin_dir, lock, error);
	if (error_code) {
		close(lock);
		return error_code;
	}
	*ret_lock = lock;
	return 0;
}

void pins_path(const char *pin_dir, const char *prefix, const char *name, char path[PIN_PATH_MAX])
{
	size_t start = strlen(pin_dir) + 1;

	snprintf(path, PIN_PATH_MAX, "%s/%s%s", pin_dir, prefix, name);
	/* bpffs keeps dots for itself, and names of VLAN interfaces have one. */
	for (size_t i = start; i < PIN_PATH_MAX && path[i]; i++) {
		if (path[i] == '.')
			path[i] = ',';
	}
}

static int folder_empty(const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	char pin[PIN_PATH_MAX];
	int count = 0;

	while (folder && (entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		pins_path(path, "", entry->d_name, pin);
		if (unlink(pin) == 0)
			count++;
	}
	if (folder)
		closedir(folder);
	return count;
}

void pins_folder_remove(const char *pin_dir, const char *name)
{
	char path[PIN_PATH_MAX];

	pins_path(pin_dir, "", name, path);
	folder_empty(path);
	rmdir(path);
}

int pins_remove(const char *pin_dir)
{
	pins_folder_remove(pin_dir, NEXT_FOLDER);
	pins_folder_remove(pin_dir, SWAP_FOLDER);
	return folder_empty(pin_dir);
}

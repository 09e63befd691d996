// SPDX-License-Identifier: GPL-2.0-only
/* Which executables the runner may run: those that nobody but root can have changed. */
#include "agent/runner_trust.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool only_root_writes(const struct stat *facts)
{
	bool sticky_folder = S_ISDIR(facts->st_mode) && (facts->st_mode & S_ISVTX);

	return facts->st_uid == 0 && (sticky_folder || !(facts->st_mode & (S_IWGRP | S_IWOTH)));
}

/* The folders above it, from the root down. */
static int folders_check(const char *path)
{
	char folder[PATH_MAX];
	struct stat facts;

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		size_t length = slash == path ? 1 : (size_t)(slash - path);

		memcpy(folder, path, length);
		folder[length] = '\0';
		if (lstat(folder, &facts))
			return -errno;
		if (!only_root_writes(&facts))
			return -EPERM;
	}
	return 0;
}

static bool lies_below(const char *path, const char *folder)
{
	char resolved[PATH_MAX];
	size_t length;

	if (!realpath(folder, resolved))
		return false;
	length = strlen(resolved);
	if (length == 1)
		return true;
	return !strncmp(path, resolved, length) && (path[length] == '/' || !path[length]);
}

static bool lies_in_one(const char *path, char *const *folders)
{
	for (size_t i = 0; folders[i]; i++) {
		if (lies_below(path, folders[i]))
			return true;
	}
	return false;
}

int runner_trusts(const char *path, char *const *folders, char ret_path[PATH_MAX])
{
	struct stat facts;
	int err;

	if (!realpath(path, ret_path))
		return -errno;
	if (lstat(ret_path, &facts))
		return -errno;
	if (!S_ISREG(facts.st_mode) || access(ret_path, X_OK))
		return -EACCES;
	err = folders_check(ret_path);
	if (!err && !only_root_writes(&facts))
		err = -EPERM;
	if (!err && folders && !lies_in_one(ret_path, folders))
		err = -EPERM;
	return err;
}

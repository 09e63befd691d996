/* SPDX-License-Identifier: GPL-2.0-only */
/* Which executables the runner may run with its privileges. */
#ifndef AGENT_RUNNER_TRUST_H
#define AGENT_RUNNER_TRUST_H

#include <limits.h>

/*
 * runner_trusts - whether nobody but root can have changed the executable: it and every folder
 * above it belong to root, and neither group nor others may write to them (to a folder with the
 * sticky bit they may). folders: it lies in or below one of these; NULL = anywhere. ret_path is
 * where it really is, symbolic links resolved.
 *
 * Returns 0; -EPERM if it is not to be trusted, -EACCES if it is not executable, or another -errno.
 */
int runner_trusts(const char *path, char *const *folders, char ret_path[PATH_MAX]);

#endif

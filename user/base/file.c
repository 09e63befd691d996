// SPDX-License-Identifier: GPL-2.0-only
/* Whole files: read at once, replaced at once; folders made with their parents. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, size_t limit, char **ret_text, size_t *ret_length)
{
	size_t length = 0, room = 4096;
	char *text = malloc(room + 1), *larger;
	ssize_t got;

	while (text) {
		got = read(fd, text + length, room - length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		length += (size_t)got;
		if (length > limit) {
			free(text);
			return -EFBIG;
		}
		if (length < room)
			continue;
		room *= 2;
		larger = realloc(text, room + 1);
		if (!larger)
			free(text);
		text = larger;
	}
	if (!text)
		return -ENOMEM;
	if (got < 0) {
		int code = -errno;

		free(text);
		return code;
	}
	text[length] = '\0';
	*ret_text = text;
	*ret_length = length;
	return 0;
}

int file_read(const char *path, size_t limit, char **ret_text, size_t *ret_length,
	      struct error *error)
{
	bool standard = !strcmp(path, "-");
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	int code;

	if (fd < 0)
		return error_set(error, -errno, "%s: cannot open: %s", path, strerror(errno));
	code = read_all(fd, limit, ret_text, ret_length);
	if (!standard)
		close(fd);
	if (code == -EFBIG)
		return error_set(error, code, "%s: is larger than %zu bytes; is it the right file?",
				 path, limit);
	if (code)
		return error_set(error, code, "%s: cannot read: %s", path, strerror(-code));
	return 0;
}

static int write_all(int fd, const char *text, size_t length)
{
	while (length) {
		ssize_t done = write(fd, text, length);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		text += done;
		length -= (size_t)done;
	}
	return fdatasync(fd) ? -errno : 0;
}

int file_sync_folder(const char *path)
{
	char copy[PATH_MAX];
	int fd, code;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	code = fsync(fd) ? -errno : 0;
	close(fd);
	return code;
}

int file_replace(const char *path, const char *text, size_t length, struct error *error)
{
	char temporary[PATH_MAX];
	int fd, code;

	/* Always the same name: what a killed process left is written over, and does not pile up. */
	if ((size_t)snprintf(temporary, sizeof(temporary), "%s.new", path) >= sizeof(temporary))
		return error_set(error, -ENAMETOOLONG, "%s: the path is too long", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return error_set(error, -errno, "%s: cannot create %s: %s", path, temporary,
				 strerror(errno));
	code = write_all(fd, text, length);
	if (!code && fchmod(fd, 0644))
		code = -errno;
	close(fd);
	if (!code && rename(temporary, path))
		code = -errno;
	if (code) {
		unlink(temporary);
		return error_set(error, code,
				 "%s: cannot write: %s; the old file is untouched, see to "
				 "its disk",
				 path, strerror(-code));
	}
	code = file_sync_folder(path);
	if (code)
		return error_set(error, code, "%s: cannot sync its folder: %s", path,
				 strerror(-code));
	return 0;
}

int file_make_folder(const char *path, struct error *error)
{
	char part[PATH_MAX];
	struct stat status;
	size_t length = strlen(path);

	if (length >= sizeof(part))
		return error_set(error, -ENAMETOOLONG, "%s: the path is too long", path);
	for (size_t i = 1; i <= length; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0755) && errno != EEXIST)
			return error_set(error, -errno, "%s: cannot make folder %s: %s", path, part,
					 strerror(errno));
	}
	if (stat(path, &status))
		return error_set(error, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISDIR(status.st_mode))
		return error_set(error, -ENOTDIR, "%s: is a file, not a folder; remove it", path);
	return 0;
}

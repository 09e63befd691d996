// SPDX-License-Identifier: GPL-2.0-only
/* Tests of user/base: addresses, messages, whole files. */
#include "unit.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/ip.h"
#include "base/log.h"

static void ip_round_trip(void **context)
{
	static const char *const same[] = {"192.0.2.1", "2001:db8::1", "::1", "fe80::1:2"};
	char text[IP_TEXT_MAX];
	struct ip ip;

	(void)context;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		assert_int_equal(ip_parse(same[i], &ip), 0);
		assert_string_equal(ip_format(&ip, text), same[i]);
		assert_int_equal(ip_family(&ip), strchr(same[i], ':') ? 6 : 4);
	}
	assert_int_equal(ip_parse("192.0.2.1", &ip), 0);
	assert_int_equal(ip.word[2], htonl(0xffff));
	assert_int_equal(ip.word[3], htonl(0xc0000201));
}

static void ip_rejects(void **context)
{
	static const char *const bad[] = {"",           "192.0.2",   "192.0.2.256", "1.2.3.4.5",
					  "2001:db8:",  "2001::g",   " 192.0.2.1",  "192.0.2.1/24",
					  "01.02.03.4", "localhost", "::1%eth0"};
	struct ip ip, untouched;

	(void)context;
	memset(&ip, 0x5a, sizeof(ip));
	untouched = ip;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(ip_parse(bad[i], &ip), -EINVAL);
		assert_true(ip_equal(&ip, &untouched));
	}
}

static void ip_unicast(void **context)
{
	static const struct {
		const char *text;
		bool unicast;
	} rows[] = {{"192.0.2.1", true}, {"0.0.0.0", false},         {"224.0.0.1", false},
		    {"0.1.2.3", false},  {"255.255.255.255", false}, {"2001:db8::1", true},
		    {"::", false},       {"ff02::1", false},         {"223.255.255.1", true}};
	struct ip ip;

	(void)context;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(ip_parse(rows[i].text, &ip), 0);
		assert_int_equal(ip_is_unicast(&ip), rows[i].unicast);
	}
}

static void error_texts(void **context)
{
	struct error error;
	char large[1024];

	(void)context;
	assert_int_equal(error_set(&error, -EINVAL, "weight %d is above %d", 300, 255), -EINVAL);
	error_prefix(&error, "%s:%d: ", "sluice.yaml", 14);
	assert_message(&error, "sluice.yaml:14: weight 300 is above 255");
	assert_int_equal(error_set(NULL, -ENOENT, "nobody reads this"), -ENOENT);
	error_prefix(NULL, "nor this");
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	error_set(&error, -EINVAL, "%s", large);
	error_prefix(&error, "%s", large);
	assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
}

/* A text of 3-byte characters, cut in its middle: what is left is still UTF-8. */
static void error_cut(void **context)
{
	static const char head[] = "web: '", tail[] = "' is wrong; mend it";
	struct error error;
	char large[3001] = "";
	const char *end;

	(void)context;
	for (size_t i = 0; i < 1000; i++)
		strcat(large, "\xe2\x82\xac");
	error_set(&error, -EINVAL, "%s%s%s", head, large, tail);
	assert_memory_equal(error.text, head, sizeof(head) - 1);
	end = error.text + strlen(error.text) - strlen(tail);
	assert_string_equal(end, tail);
	for (const char *now = error.text + strlen(head); now != end;) {
		bool gap = !strncmp(now, " ... ", 5);

		assert_true(gap || !strncmp(now, "\xe2\x82\xac", 3));
		now += gap ? 5 : 3;
	}
}

static char *folder_make(void)
{
	char *folder = strdup("/tmp/sluice-unit-base-XXXXXX");

	assert_non_null(folder);
	assert_non_null(mkdtemp(folder));
	return folder;
}

static void file_round_trip(void **context)
{
	char *folder = folder_make(), *text = NULL, path[128], left[160];
	struct dirent *entry;
	int fd;
	struct stat status;
	struct error error;
	size_t length, entries = 0;
	DIR *listing;

	(void)context;
	snprintf(path, sizeof(path), "%s/a/b", folder);
	assert_int_equal(file_make_folder(path, &error), 0);
	assert_int_equal(file_make_folder(path, &error), 0);
	snprintf(path, sizeof(path), "%s/a/b/state", folder);
	assert_int_equal(file_replace(path, "old", 3, &error), 0);
	/* What a process that was killed leaves beside it does not pile up. */
	snprintf(left, sizeof(left), "%s.new", path);
	assert_int_equal(symlink("/dev/null", left), 0);
	assert_int_equal(file_replace(path, "old", 3, &error), -ELOOP);
	assert_int_equal(unlink(left), 0);
	fd = open(left, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "what was left, and longer", 25), 25);
	close(fd);
	assert_int_equal(file_replace(path, "new\0text", 8, &error), 0);
	assert_int_equal(file_read(path, 8, &text, &length, &error), 0);
	assert_int_equal(length, 8);
	assert_memory_equal(text, "new\0text", 9);
	free(text);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0644);
	snprintf(path, sizeof(path), "%s/a/b", folder);
	listing = opendir(path);
	assert_non_null(listing);
	while ((entry = readdir(listing)))
		entries += entry->d_name[0] != '.';
	closedir(listing);
	assert_int_equal(entries, 1);
	snprintf(path, sizeof(path), "%s/a/b/state", folder);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/a/b", folder);
	assert_int_equal(rmdir(path), 0);
	snprintf(path, sizeof(path), "%s/a", folder);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(folder), 0);
	free(folder);
}

static void file_limits(void **context)
{
	char *folder = folder_make(), *text = NULL, path[128], message[512];
	static char large[20000];
	struct error error;
	size_t length;

	(void)context;
	memset(large, 'x', sizeof(large));
	snprintf(path, sizeof(path), "%s/large", folder);
	assert_int_equal(file_replace(path, large, sizeof(large), &error), 0);
	assert_int_equal(file_read(path, sizeof(large), &text, &length, &error), 0);
	assert_int_equal(length, sizeof(large));
	free(text);
	assert_int_equal(file_read(path, sizeof(large) - 1, &text, &length, &error), -EFBIG);
	snprintf(message, sizeof(message), "%s: is larger than 19999 bytes; is it the right file?",
		 path);
	assert_message(&error, message);
	assert_int_equal(file_make_folder(path, &error), -ENOTDIR);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(file_read(path, 100, &text, &length, &error), -ENOENT);
	snprintf(message, sizeof(message), "%s: cannot open: No such file or directory", path);
	assert_message(&error, message);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(file_replace(path, "x", 1, &error), -ENOENT);
	free(folder);
}

/* What log_write puts on stderr, in buffer. */
static void log_capture(const char *text, char *buffer, size_t size)
{
	int pipes[2], saved = dup(STDERR_FILENO);
	ssize_t got;

	assert_int_equal(pipe(pipes), 0);
	assert_true(dup2(pipes[1], STDERR_FILENO) >= 0);
	log_debug("not %s", text);
	log_warning("%s", text);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(pipes[1]);
	close(saved);
	got = read(pipes[0], buffer, size - 1);
	close(pipes[0]);
	assert_true(got > 0);
	buffer[got] = '\0';
}

/* A log whose reader has stopped reading must not stop who writes it. */
static void log_unread(void **context)
{
	int pipes[2], saved = dup(STDERR_FILENO);
	static char buffer[1 << 20];
	size_t room = 0;
	ssize_t got;

	(void)context;
	unsetenv("JOURNAL_STREAM");
	assert_int_equal(pipe(pipes), 0);
	assert_true(dup2(pipes[1], STDERR_FILENO) >= 0);
	for (int i = 0; i < 5000; i++)
		log_warning("line %d of what nobody reads, and longer than a pipe has room", i);
	got = read(pipes[0], buffer, sizeof(buffer) - 1);
	log_warning("read again");
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	close(pipes[1]);
	assert_true(got > 0);
	room = (size_t)got;
	while ((got = read(pipes[0], buffer + room, sizeof(buffer) - 1 - room)) > 0)
		room += (size_t)got;
	close(pipes[0]);
	buffer[room] = '\0';
	assert_non_null(strstr(buffer, " lines are lost here, for nobody read them\n"));
	assert_string_equal(buffer + room - strlen("warning read again\n"), "warning read again\n");
}

static void log_lines(void **context)
{
	char buffer[256];

	(void)context;
	unsetenv("JOURNAL_STREAM");
	log_capture("eth0: no native XDP", buffer, sizeof(buffer));
	assert_string_equal(buffer, "warning eth0: no native XDP\n");
}

static const struct CMUnitTest cases[] = {
	CASE(ip_round_trip, "unit/ip: text of both families survives parse and format"),
	CASE(ip_rejects, "unit/ip: what is no address is refused and changes nothing"),
	CASE(ip_unicast, "unit/ip: zero, multicast and broadcast are not unicast"),
	CASE(error_texts, "unit/error: a message is set, prefixed and cut to its room"),
	CASE(error_cut,
	     "unit/error: a message that is too long loses its middle, and no half of a character is left"),
	CASE(file_round_trip, "unit/file: a file is replaced whole and leaves nothing beside it"),
	CASE(file_limits, "unit/file: a file above the limit or absent is refused with its name"),
	CASE(log_unread, "unit/log: a log that nobody reads stops nobody, and says what is lost"),
	CASE(log_lines, "unit/log: a line has its level and lines above the level are not written"),
};

UNIT_MAIN("base", cases)

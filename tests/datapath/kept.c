// SPDX-License-Identifier: GPL-2.0-only
/* What a failed case leaves behind. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keep.h"
#include "lab.h"

static size_t file_read(const char *folder, const char *kind, uint8_t *bytes, size_t size)
{
	char path[256];
	size_t length;
	FILE *file;

	snprintf(path, sizeof(path), "%s/failed/conformance-X1-it-breaks.%s.pcap", folder, kind);
	file = fopen(path, "r");
	assert_non_null(file);
	length = fread(bytes, 1, size, file);
	fclose(file);
	unlink(path);
	return length;
}

CASE_WITH(a_failed_case_leaves_its_frames,
	  "conformance/a failed case leaves what it sent, got and expected as pcap files",
	  .not_on_wire = "it sends no packet")
{
	const struct frame one = {.length = 60, .data = {1}}, two = {.length = 61, .data = {2}};
	char folder[] = "/tmp/sluice-kept.XXXXXX", path[64];
	const char *build = getenv("SLUICE_BUILD");
	uint8_t bytes[512];

	(void)state;
	assert_non_null(mkdtemp(folder));
	if (build)
		build = strdup(build);
	setenv("SLUICE_BUILD", folder, 1);
	keep_sent(&one);
	keep_sent(&two);
	keep_got(&two);
	keep_expected(&one);
	keep_write("conformance/X1 it breaks", "");
	assert_int_equal(file_read(folder, "sent", bytes, sizeof(bytes)), 24 + 16 + 60 + 16 + 61);
	assert_memory_equal(bytes, "\xd4\xc3\xb2\xa1\x02\x00\x04\x00", 8);
	assert_memory_equal(bytes + 24 + 16, one.data, 60);
	assert_memory_equal(bytes + 24 + 16 + 60 + 16, two.data, 61);
	assert_int_equal(file_read(folder, "got", bytes, sizeof(bytes)), 24 + 16 + 61);
	assert_int_equal(file_read(folder, "expected", bytes, sizeof(bytes)), 24 + 16 + 60);
	snprintf(path, sizeof(path), "%s/failed", folder);
	rmdir(path);
	rmdir(folder);
	if (build)
		setenv("SLUICE_BUILD", build, 1);
	else
		unsetenv("SLUICE_BUILD");
	free((char *)build);
}

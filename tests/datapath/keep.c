// SPDX-License-Identifier: GPL-2.0-only
/* The last frames of the case that runs, and pcap files of them. */
#include "keep.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cases.h"

struct frames {
	const char *name;
	size_t count; /* of all; the last KEEP_FRAMES are there */
	struct frame last[KEEP_FRAMES];
};

/* Cases run one after another, in one thread, and end by a jump: there is nowhere else for it. */
static struct frames sent = {.name = "sent"}, got = {.name = "got"},
		     expected = {.name = "expected"};

void keep_start(void)
{
	sent.count = got.count = expected.count = 0;
}

static void keep(struct frames *frames, const struct frame *frame)
{
	struct frame *place = &frames->last[frames->count++ % KEEP_FRAMES];

	place->length = frame->length;
	memcpy(place->data, frame->data, frame->length);
}

void keep_sent(const struct frame *frame)
{
	keep(&sent, frame);
}

void keep_got(const struct frame *frame)
{
	keep(&got, frame);
}

void keep_expected(const struct frame *frame)
{
	keep(&expected, frame);
}

/* https://www.ietf.org/archive/id/draft-gharris-opsawg-pcap-01.html, in this host's byte order. */
static void pcap_write(const struct frames *frames, const char *path)
{
	const uint32_t header[] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, FRAME_MAX, 1};
	size_t first = frames->count > KEEP_FRAMES ? frames->count - KEEP_FRAMES : 0;
	FILE *file = fopen(path, "w");

	if (!file) {
		print_error("# cannot write %s\n", path);
		return;
	}
	fwrite(header, sizeof(header), 1, file);
	for (size_t i = first; i < frames->count; i++) {
		const struct frame *frame = &frames->last[i % KEEP_FRAMES];
		const uint32_t record[] = {(uint32_t)i, 0, (uint32_t)frame->length,
					   (uint32_t)frame->length};

		fwrite(record, sizeof(record), 1, file);
		fwrite(frame->data, frame->length, 1, file);
	}
	fclose(file);
	print_message("# kept: %s\n", path);
}

void keep_write(const char *sentence, const char *suffix)
{
	const struct frames *const all[] = {&sent, &got, &expected};
	const char *build = getenv("SLUICE_BUILD");
	char folder[256], path[512], name[128];
	size_t length = 0;

	for (; sentence[length] && length + 1 < sizeof(name); length++)
		name[length] = isalnum((unsigned char)sentence[length]) ? sentence[length] : '-';
	name[length] = 0;
	snprintf(folder, sizeof(folder), "%s/failed", build ? build : "build");
	mkdir(folder, 0755);
	for (size_t i = 0; i < 3; i++) {
		if (!all[i]->count)
			continue;
		snprintf(path, sizeof(path), "%s/%s%s.%s.pcap", folder, name, suffix, all[i]->name);
		pcap_write(all[i], path);
	}
}

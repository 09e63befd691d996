// SPDX-License-Identifier: GPL-2.0-only
/* What one access to a place that is in no near cache costs on this machine. */
#include <stdint.h>
#include <stdlib.h>

#include "bench.h"

#define LINE_BYTES 64
#define ACCESSES   1000000u

struct line {
	uint32_t next;
	uint8_t rest[LINE_BYTES - sizeof(uint32_t)];
};

/* One cycle through all lines in random order (Sattolo's algorithm), so that none is foreseen. */
static void lines_link(struct line *lines, uint32_t count)
{
	uint64_t random = 1;

	for (uint32_t i = 0; i < count; i++)
		lines[i].next = i;
	for (uint32_t i = count - 1; i > 0; i--) {
		uint32_t other, next = lines[i].next;

		random = random * 6364136223846793005u + 1442695040888963407u;
		other = (uint32_t)((random >> 32) * i >> 32);
		lines[i].next = lines[other].next;
		lines[other].next = next;
	}
}

static uint32_t lines_walk(const struct line *lines)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < ACCESSES; i++)
		at = *(const volatile uint32_t *)&lines[at].next;
	return at;
}

double memory_access_ns(size_t bytes, double *rounds, size_t round_count)
{
	struct line *lines = aligned_alloc(LINE_BYTES, bytes);

	if (!lines)
		die("out of memory");
	lines_link(lines, (uint32_t)(bytes / LINE_BYTES));
	lines_walk(lines);
	for (size_t i = 0; i < round_count; i++) {
		double start = clock_thread_ns();

		lines_walk(lines);
		rounds[i] = (clock_thread_ns() - start) / ACCESSES;
	}
	free(lines);
	return median(rounds, round_count);
}

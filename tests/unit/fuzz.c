// SPDX-License-Identifier: GPL-2.0-only
/* The corpora of `make fuzz`, replayed: each file as it is, cut, and with bytes changed. */
#include "unit.h"

#include <dirent.h>

#include "../fuzz/answer.h"
#include "../fuzz/api.h"
#include "../fuzz/config.h"
#include "../fuzz/journal.h"
#include "../fuzz/parsers.h"
#include "../fuzz/saved.h"

#define CORPUS    "tests/fuzz/corpus"
#define INPUT_MAX 16384

struct target {
	const char *name;
	void (*one)(const uint8_t *input, size_t size);
	int changed; /* inputs made of each file */
	int cuts;    /* at most so many, spread over the file */
};

static void replay(const struct target *target, const uint8_t *input, size_t size)
{
	static uint8_t changed[INPUT_MAX];
	size_t step = size / (size_t)target->cuts + 1;
	uint64_t random = size;

	for (size_t cut = size % step; cut <= size; cut += step)
		target->one(input, cut);
	for (int i = 0; i < target->changed; i++) {
		memcpy(changed, input, size);
		for (uint64_t left = 1 + unit_next(&random) % 4; left; left--)
			changed[unit_next(&random) % size] = (uint8_t)unit_next(&random);
		target->one(changed, size);
	}
}

static void corpus_replay(const struct target *target)
{
	static uint8_t input[INPUT_MAX];
	struct dirent *entry;
	unsigned int files = 0;
	char path[512];
	DIR *folder;

	snprintf(path, sizeof(path), "%s/%s", CORPUS, target->name);
	folder = opendir(path);
	if (!folder)
		fail_msg("cannot open %s: run from the root of the sources", path);
	while ((entry = readdir(folder))) {
		FILE *file;
		size_t size;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", CORPUS, target->name, entry->d_name);
		file = fopen(path, "rb");
		assert_non_null(file);
		size = fread(input, 1, sizeof(input), file);
		fclose(file);
		assert_in_range(size, 1, sizeof(input) - 1);
		replay(target, input, size);
		files++;
	}
	closedir(folder);
	assert_in_range(files, 3, 1000);
}

#define REPLAY(which, count, cut_count)                             \
	static void which##_replayed(void **context)                \
	{                                                           \
		const struct target target = {.name = #which,       \
					      .one = fuzz_##which,  \
					      .changed = (count),   \
					      .cuts = (cut_count)}; \
                                                                    \
		(void)context;                                      \
		corpus_replay(&target);                             \
	}

REPLAY(parsers, 2000, 10000)
REPLAY(config, 60, 60)
REPLAY(api, 100, 100)
REPLAY(saved, 60, 60)
REPLAY(answer, 400, 400)
REPLAY(journal, 40, 60)

static const struct CMUnitTest cases[] = {
	CASE(parsers_replayed, "conformance/fuzz: packets are parsed without a fault"),
	CASE(config_replayed,
	     "conformance/fuzz: a config is refused with a reason, or can be applied"),
	CASE(api_replayed,
	     "conformance/fuzz: a body is refused with a reason, or reads back equal"),
	CASE(saved_replayed, "conformance/fuzz: a saved state is refused, or reads back equal"),
	CASE(answer_replayed,
	     "conformance/fuzz: what a provisioner answers is refused, or in range"),
	CASE(journal_replayed,
	     "conformance/fuzz: a journal is refused, or what it holds reads back"),
};

UNIT_MAIN("fuzz", cases)

// SPDX-License-Identifier: GPL-2.0-only
/* The corpus of `make fuzz`, replayed: each file as it is, cut at each byte, and with bytes changed. */
#include "unit.h"

#include <dirent.h>

#include "../fuzz/parsers.h"

#define CORPUS    "tests/fuzz/corpus"
#define INPUT_MAX 512
#define CHANGED   2000 /* inputs made of each file */

static void replay(const uint8_t *input, size_t size)
{
	uint8_t changed[INPUT_MAX];
	uint64_t random = size;

	for (size_t cut = 0; cut <= size; cut++)
		fuzz_one(input, cut);
	for (int i = 0; i < CHANGED; i++) {
		memcpy(changed, input, size);
		for (uint64_t left = 1 + unit_next(&random) % 4; left; left--)
			changed[unit_next(&random) % size] = (uint8_t)unit_next(&random);
		fuzz_one(changed, size);
	}
}

static void corpus_is_parsed(void **context)
{
	uint8_t input[INPUT_MAX];
	struct dirent *entry;
	unsigned int files = 0;
	char path[512];
	DIR *folder;

	(void)context;
	folder = opendir(CORPUS);
	if (!folder)
		fail_msg("cannot open %s: run from the root of the sources", CORPUS);
	while ((entry = readdir(folder))) {
		FILE *file;
		size_t size;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", CORPUS, entry->d_name);
		file = fopen(path, "rb");
		assert_non_null(file);
		size = fread(input, 1, sizeof(input), file);
		fclose(file);
		assert_in_range(size, 1, sizeof(input));
		replay(input, size);
		files++;
	}
	closedir(folder);
	assert_in_range(files, 12, 1000);
}

static const struct CMUnitTest cases[] = {
	CASE(corpus_is_parsed, "conformance/fuzz: the corpus is parsed without a fault"),
};

UNIT_MAIN("fuzz", cases)

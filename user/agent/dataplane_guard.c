// SPDX-License-Identifier: GPL-2.0-only
/* The guard's maps: prefixes written and removed in batches, read back whole, and the bits. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/dataplane_private.h"
#include "model/guard.h"
#include "sluice.skel.h"

/* So many at once: the kernel copies them as a whole. */
#define BATCH_MAX 4096u

/* What a batch is made of, as the kernel wants it. */
struct batch {
	struct guard_prefix_key keys[BATCH_MAX];
	uint32_t words[BATCH_MAX];
	uint32_t count;
};

static int prefixes_fd(const struct dataplane *dataplane)
{
	return bpf_map__fd(dataplane->object->maps.guard_prefixes);
}

static void batch_fill(struct batch *batch, const struct guard_write *writes, size_t count)
{
	batch->count = count < BATCH_MAX ? (uint32_t)count : BATCH_MAX;
	for (uint32_t i = 0; i < batch->count; i++) {
		const struct guard_rule *rule = &writes[i].rule;

		guard_prefix_key_fill(&batch->keys[i], writes[i].service, &rule->prefix);
		batch->words[i] = guard_prefix_word(rule->answer, rule->prefix.length);
	}
}

/* Those from `done` on by single calls: for kernels whose tries know no batches. */
static int batch_write_singly(int fd, const struct batch *batch, uint32_t done)
{
	for (; done < batch->count; done++) {
		int code =
			bpf_map_update_elem(fd, &batch->keys[done], &batch->words[done], BPF_ANY);

		if (code)
			return code;
	}
	return 0;
}

static int batch_write(int fd, const struct batch *batch)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options, .elem_flags = BPF_ANY);
	uint32_t done = batch->count;

	if (bpf_map_update_batch(fd, batch->keys, batch->words, &done, &options) == 0)
		return 0;
	/* One that cannot be written fails alone too, and then says why. */
	return batch_write_singly(fd, batch, done < batch->count ? done : 0);
}

int dataplane_guard_write(struct dataplane *dataplane, const struct guard_write *writes,
			  size_t count, struct error *error)
{
	struct batch *batch = malloc(sizeof(*batch));
	int code = batch ? 0 : -ENOMEM;

	for (size_t done = 0; !code && done < count; done += batch->count) {
		batch_fill(batch, writes + done, count - done);
		code = batch_write(prefixes_fd(dataplane), batch);
	}
	free(batch);
	if (code)
		error_set(error, code, "map guard_prefixes: cannot take %zu prefixes: %s", count,
			  strerror(-code));
	return code;
}

/* A prefix that is not there is no error. */
static int batch_remove(int fd, const struct batch *batch)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options);
	uint32_t done = batch->count;
	int failed = 0;

	if (bpf_map_delete_batch(fd, batch->keys, &done, &options) == 0)
		return 0;
	for (uint32_t i = done < batch->count ? done : 0; i < batch->count; i++) {
		int code = bpf_map_delete_elem(fd, &batch->keys[i]);

		if (code && code != -ENOENT && !failed)
			failed = code;
	}
	return failed;
}

int dataplane_guard_remove(struct dataplane *dataplane, const struct guard_write *removals,
			   size_t count, struct error *error)
{
	struct batch *batch = malloc(sizeof(*batch));
	int code = batch ? 0 : -ENOMEM;

	for (size_t done = 0; !code && done < count; done += batch->count) {
		batch_fill(batch, removals + done, count - done);
		code = batch_remove(prefixes_fd(dataplane), batch);
	}
	free(batch);
	if (code)
		error_set(error, code, "map guard_prefixes: cannot remove %zu prefixes: %s", count,
			  strerror(-code));
	return code;
}

/* ------------------------------------------------------------------ reading */

static int read_append(struct guard_write **writes, size_t *count,
		       const struct guard_prefix_key *key, uint32_t word)
{
	struct guard_write write = {.rule = {.answer = guard_word_answer(word)}};

	if (!guard_prefix_key_read(key, &write.service, &write.rule.prefix))
		return 0;
	/* Grown at powers of two. */
	if (!(*count & (*count - 1))) {
		size_t room = *count ? *count * 2 : 1;
		struct guard_write *grown = reallocarray(*writes, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		*writes = grown;
	}
	(*writes)[(*count)++] = write;
	return 0;
}

int dataplane_guard_read(const struct dataplane *dataplane, struct guard_write **ret_writes,
			 size_t *ret_count)
{
	int fd = prefixes_fd(dataplane), code = 0;
	struct guard_prefix_key key, next;
	struct guard_write *writes = NULL;
	const void *previous = NULL;
	size_t count = 0;
	uint32_t word;

	while (!code && bpf_map_get_next_key(fd, previous, &next) == 0) {
		key = next;
		previous = &key;
		if (bpf_map_lookup_elem(fd, &key, &word) == 0)
			code = read_append(&writes, &count, &key, word);
	}
	if (code) {
		free(writes);
		return code;
	}
	*ret_writes = writes;
	*ret_count = count;
	return 0;
}

/* ------------------------------------------------------------------ records of services */

void dataplane_guard_bits(struct dataplane *dataplane, uint32_t service, uint8_t bits)
{
	struct service *record = &dataplane->maps.services[service];
	uint8_t limit = record->guard & GUARD_LIMIT;

	__atomic_store_n(&record->guard, (uint8_t)(bits | limit), __ATOMIC_RELEASE);
}

void guard_limit_write(struct dataplane *dataplane, uint32_t service,
		       const struct new_flow_limit *limit)
{
	struct service *record = &dataplane->maps.services[service];
	uint8_t lists = record->guard & (GUARD_COMMON | GUARD_OWN);

	/* A packet between two words of the record is limited by a part of each: one packet. */
	if (limit->rate)
		guard_limit_fill(&dataplane->maps.guard_limits[service], limit);
	__atomic_store_n(&record->guard, (uint8_t)(lists | (limit->rate ? GUARD_LIMIT : 0)),
			 __ATOMIC_RELEASE);
}

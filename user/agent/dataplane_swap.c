// SPDX-License-Identifier: GPL-2.0-only
/*
 * New maps come into force. Their pins are complete in a folder beside; renaming that folder is the
 * step after which there is only forward: whoever comes next goes on from what the pins say.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/dataplane_migrate.h"
#include "base/log.h"
#include "sluice.skel.h"

/* Ages wrap: after so long, later and earlier cannot be told apart. */
#define GHOST_TICKS_MAX ((1u << SLUICE_SEEN_BITS) / 2 - 64)

typedef int (*pin_fn)(const char *folder, const char *name, void *data, struct error *error);

/* Calls for each pin in a folder whose name begins so; removing and renaming it is allowed. */
static int pins_each(const char *folder, const char *prefix, pin_fn call, void *data,
		     struct error *error)
{
	struct dirent **names;
	int count = scandir(folder, &names, NULL, alphasort), code = 0;

	if (count < 0)
		return error_set(error, -errno, "%s: cannot read it: %s", folder, strerror(errno));
	for (int i = 0; i < count; i++) {
		const char *name = names[i]->d_name;

		if (!code && name[0] != '.' && !strncmp(name, prefix, strlen(prefix)))
			code = call(folder, name, data, error);
		free(names[i]);
	}
	free(names);
	return code;
}

/* Dead links have no interface, and no program that could be swapped. */
static int link_swap(const char *folder, const char *name, void *data, struct error *error)
{
	struct bpf_link_info info = {0};
	uint32_t size = sizeof(info);
	char pin[PIN_PATH_MAX];
	int link, code;

	pins_path(folder, "", name, pin);
	link = bpf_obj_get(pin);
	if (link < 0)
		return error_set(error, link, "%s: cannot open the pinned link: %s", pin,
				 strerror(-link));
	code = bpf_obj_get_info_by_fd(link, &info, &size);
	if (!code && info.xdp.ifindex)
		code = bpf_link_update(link, *(int *)data, NULL);
	close(link);
	if (code)
		error_set(error, code, "%s: cannot swap the program of the link: %s", pin,
			  strerror(-code));
	return code;
}

static int program_get(const char *folder)
{
	char pin[PIN_PATH_MAX];

	pins_path(folder, "", PROGRAM_PIN, pin);
	return bpf_obj_get(pin);
}

static int links_swap(const char *pin_dir, int program, struct error *error)
{
	return pins_each(pin_dir, LINK_PREFIX, link_swap, &program, error);
}

/* A pinned flow table for writing; NULL if it is not there. */
static struct flow_bucket *flows_map(const char *folder, uint32_t *ret_count)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	void *memory = MAP_FAILED;
	char pin[PIN_PATH_MAX];
	int fd;

	pins_path(folder, "", "flows", pin);
	fd = bpf_obj_get(pin);
	if (fd < 0)
		return NULL;
	if (!bpf_obj_get_info_by_fd(fd, &info, &size) &&
	    info.value_size == sizeof(struct flow_bucket))
		memory = mmap(NULL, (size_t)info.max_entries * sizeof(struct flow_bucket),
			      PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	*ret_count = info.max_entries;
	return memory == MAP_FAILED ? NULL : memory;
}

/* Flows that packets made or used between the first copy and the swap. */
static void flows_follow(struct dataplane *dataplane, const char *swap)
{
	struct flow_table old_table, new_table;
	struct old_map carry;
	struct flow_moves moves = {.tick = dataplane_tick(dataplane)};

	new_table.buckets = flows_map(swap, &new_table.bucket_count);
	if (!new_table.buckets)
		return; /* shared, or in its place already */
	old_table.buckets = flows_map(dataplane->pin_dir, &old_table.bucket_count);
	old_map_open(swap, CARRY_PIN, &carry);
	if (carry.memory) {
		moves.moves = carry.memory;
		moves.count = carry.entries -
			      1; /* the last one only fills a map that must not be empty */
	}
	if (old_table.buckets)
		flows_move(&old_table, &new_table, &moves);
	if (old_table.buckets && new_table.bucket_count > old_table.bucket_count)
		dataplane->growth = (struct dataplane_growth){
			.from = old_table.bucket_count,
			.tick = moves.tick,
		};
	old_map_close(&carry);
	if (old_table.buckets)
		munmap(old_table.buckets, old_table.bucket_count * sizeof(struct flow_bucket));
	munmap(new_table.buckets, new_table.bucket_count * sizeof(struct flow_bucket));
}

/* From the folder into pin_dir, in place of what is there; "meta" comes last. */
static int pin_replace(const char *folder, const char *name, void *data, struct error *error)
{
	const char *pin_dir = data;
	char from[PIN_PATH_MAX], to[PIN_PATH_MAX];

	if (!strcmp(name, META_PIN) || !strcmp(name, CARRY_PIN))
		return 0;
	pins_path(folder, "", name, from);
	pins_path(pin_dir, "", name, to);
	if (rename(from, to) < 0)
		return error_set(error, -errno, "%s: cannot take the place of %s: %s", from, to,
				 strerror(errno));
	return 0;
}

static int pins_replace(const char *pin_dir, const char *swap, struct error *error)
{
	char from[PIN_PATH_MAX], to[PIN_PATH_MAX];
	int code = pins_each(swap, "", pin_replace, (void *)(uintptr_t)pin_dir, error);

	if (code)
		return code;
	pins_path(swap, "", META_PIN, from);
	pins_path(pin_dir, "", META_PIN, to);
	if (rename(from, to) < 0 && errno != ENOENT)
		return error_set(error, -errno, "%s: cannot take the place of %s: %s", from, to,
				 strerror(errno));
	pins_folder_remove(pin_dir, SWAP_FOLDER);
	return 0;
}

int swap_finish(struct dataplane *dataplane, struct error *error)
{
	const char *pin_dir = dataplane->pin_dir;
	char swap[PIN_PATH_MAX];
	int program, code;

	pins_path(pin_dir, "", SWAP_FOLDER, swap);
	if (access(swap, F_OK) < 0)
		return 0;
	program = program_get(swap);
	if (program < 0)
		program = program_get(pin_dir); /* all links have it: it is in its place */
	if (program < 0)
		return error_set(error, program, "%s: there is no program: %s", swap,
				 strerror(-program));
	code = links_swap(pin_dir, program, error);
	close(program);
	if (code)
		return code;
	flows_follow(dataplane, swap);
	return pins_replace(pin_dir, swap, error);
}

/* So that whoever finishes the swap knows where the backends of flows have gone. */
static int moves_pin(const struct migration *migration, const char *next, struct error *error)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
	int fd, code = 0;

	if (!migration->may_move)
		return 0;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "sluice_carry", sizeof(uint32_t),
			    sizeof(struct block_move), (uint32_t)migration->move_count + 1,
			    &options);
	if (fd < 0)
		return error_set(error, fd, "cannot make a map: %s", strerror(-fd));
	for (uint32_t i = 0; !code && i < migration->move_count; i++)
		code = bpf_map_update_elem(fd, &i, &migration->moves[i], BPF_ANY);
	code = code ? error_set(error, code, "cannot fill a map: %s", strerror(-code))
		    : pin_make(next, CARRY_PIN, fd, error);
	close(fd);
	return code;
}

static int swap_begin(struct dataplane *dataplane, struct error *error)
{
	char next[PIN_PATH_MAX], swap[PIN_PATH_MAX];
	int code;

	pins_path(dataplane->pin_dir, "", NEXT_FOLDER, next);
	pins_path(dataplane->pin_dir, "", SWAP_FOLDER, swap);
	code = moves_pin(dataplane->migration, next, error);
	if (!code && rename(next, swap) < 0)
		code = error_set(error, -errno, "%s: cannot be renamed to %s: %s", next, swap,
				 strerror(errno));
	return code;
}

/* A link could not be swapped: those that were get the program before back. */
static void swap_undo(struct dataplane *dataplane)
{
	int program = program_get(dataplane->pin_dir);
	struct error error;

	if (program < 0 || links_swap(dataplane->pin_dir, program, &error))
		log_error("the program before could not be put back everywhere; restart sluiced");
	else
		pins_folder_remove(dataplane->pin_dir, SWAP_FOLDER);
	if (program >= 0)
		close(program);
}

int dataplane_commit(struct dataplane *dataplane, struct error *error)
{
	int code;

	if (!dataplane->migration)
		return 0;
	code = swap_begin(dataplane, error);
	if (code)
		return code;
	code = links_swap(dataplane->pin_dir, dataplane->program, error);
	if (code) {
		swap_undo(dataplane);
		error_prefix(error, "%s: the program and maps before go on: ", dataplane->pin_dir);
		return code;
	}
	code = swap_finish(dataplane, error);
	if (code)
		return code;
	migration_free(dataplane);
	pins_tidy(dataplane);
	code = links_adopt(dataplane, error);
	if (!code)
		log_info("%s: the new maps and the new program are in force on %zu links",
			 dataplane->pin_dir, dataplane->link_count);
	return code;
}

static bool is_map(const char *pin)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	int fd = bpf_obj_get(pin);
	bool map = fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) && info.max_entries;

	if (fd >= 0)
		close(fd);
	return map;
}

static int pin_tidy(const char *folder, const char *name, void *data, struct error *error)
{
	char pin[PIN_PATH_MAX];

	(void)error;
	/* What is no map has a prefix with a dash, or is the program. */
	if (strchr(name, '-') || !strcmp(name, PROGRAM_PIN) ||
	    bpf_object__find_map_by_name(data, name))
		return 0;
	pins_path(folder, "", name, pin);
	if (is_map(pin) && !unlink(pin))
		log_info("%s: removed, this version has no such map", pin);
	return 0;
}

void pins_tidy(const struct dataplane *dataplane)
{
	struct error error;

	pins_each(dataplane->pin_dir, "", pin_tidy, dataplane->object->obj, &error);
}

void dataplane_flows_tidy(struct dataplane *dataplane, uint32_t buckets)
{
	const struct settings *settings = &dataplane->maps.settings;
	struct dataplane_growth *growth = &dataplane->growth;
	struct flow_table table = {dataplane->maps.flows, dataplane->maps.meta->flow_buckets};
	uint32_t age, longest = settings->proven_tcp_ticks;

	if (!growth->from)
		return;
	flow_ghosts_drop(&table, growth->from, growth->tick, growth->next, buckets);
	growth->next = growth->next + buckets < table.bucket_count ? growth->next + buckets : 0;
	/* Then the sweep has removed what was not seen since. */
	if (settings->proven_udp_ticks > longest)
		longest = settings->proven_udp_ticks;
	age = (dataplane_tick(dataplane) - growth->tick) & SLUICE_SEEN_MASK;
	if (age > longest || age > GHOST_TICKS_MAX)
		growth->from = 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/* The data plane's object: loaded with new maps or with those that are pinned, and let go. */
#include "agent/dataplane.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "agent/dataplane_private.h"
#include "agent/dataplane_probe.h"
#include "base/file.h"
#include "base/log.h"
#include "sluice.skel.h"
#include "sluice/service_table.h"

#define PROGRAM_FRESH_PIN "program-fresh"
#define VERIFIER_LOG_SIZE (1u << 20)
#define VERIFIER_TAIL     200

/* libbpf's chatter, one level down. */
static int __attribute__((format(printf, 2, 0)))
libbpf_talk(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char line[512];

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), format, arguments);
	line[strcspn(line, "\n")] = '\0';
	log_debug("libbpf: %s", line);
	return 0;
}

static int bpf_refused(int code, struct error *error)
{
	if (code == -ENOSYS)
		return error_set(
			error, code,
			"the kernel has no BPF (bpf: %s); boot one with CONFIG_BPF_SYSCALL",
			strerror(-code));
	if (code == -EPERM)
		return error_set(error, code,
				 "the kernel refuses BPF (bpf: %s); run sluiced as root, or with "
				 "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, and without a seccomp "
				 "filter or lockdown against it",
				 strerror(-code));
	return error_set(error, code, "the kernel refuses BPF: %s", strerror(-code));
}

/*
 * A program that returns the kernel's jiffies; being able to load it also tells whether there is
 * BPF and the privilege for it, before anything is changed.
 */
static int tick_program_load(struct error *error)
{
	const struct bpf_insn code[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_jiffies64},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .prog_flags = BPF_F_SLEEPABLE);
	int program = bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "sluice_tick", "GPL", code,
				    sizeof(code) / sizeof(code[0]), &options);

	return program < 0 ? bpf_refused(program, error) : program;
}

uint32_t dataplane_tick(struct dataplane *dataplane)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);

	if (bpf_prog_test_run_opts(dataplane->tick_program, &options) == 0)
		dataplane->tick =
			(options.retval >> dataplane->maps.settings.tick_shift) & SLUICE_SEEN_MASK;
	return dataplane->tick;
}

uint32_t dataplane_tick_ms(const struct dataplane *dataplane)
{
	return dataplane->tick_ms;
}

/* The last of what the verifier said, on one line. */
static void verifier_tail(const char *log, char tail[VERIFIER_TAIL + 1])
{
	size_t length = strlen(log);

	snprintf(tail, VERIFIER_TAIL + 1, "%s",
		 log + (length > VERIFIER_TAIL ? length - VERIFIER_TAIL : 0));
	for (char *at = tail; *at; at++) {
		if (*at == '\n')
			*at = ' ';
	}
}

static int object_load(struct dataplane *dataplane, const char *log, struct error *error)
{
	int code = sluice_bpf__load(dataplane->object);
	char tail[VERIFIER_TAIL + 1];

	if (!code) {
		dataplane->program = bpf_program__fd(dataplane->object->progs.sluice);
		dataplane->egress_ports = bpf_map__fd(dataplane->object->maps.egress_ports);
		return 0;
	}
	if (log[0]) {
		verifier_tail(log, tail);
		return error_set(error, code, "the kernel refuses the data plane: %s; it said: %s",
				 strerror(-code), tail);
	}
	if (code == -ENOMEM || code == -E2BIG)
		return error_set(error, code,
				 "cannot make the maps of the data plane: %s; lower the limits of "
				 "flows, slots and backends",
				 strerror(-code));
	return bpf_refused(code, error);
}

int program_pin(struct dataplane *dataplane, struct error *error)
{
	char path[PIN_PATH_MAX], fresh[PIN_PATH_MAX];
	int code;

	pins_path(dataplane->pin_dir, "", PROGRAM_PIN, path);
	pins_path(dataplane->pin_dir, "", PROGRAM_FRESH_PIN, fresh);
	unlink(fresh);
	code = pin_make(dataplane->pin_dir, PROGRAM_FRESH_PIN, dataplane->program, error);
	if (!code && rename(fresh, path) < 0)
		code = error_set(error, -errno, "%s: cannot pin: %s", path, strerror(errno));
	return code;
}

static int maps_renew(struct dataplane *dataplane, struct meta *meta, struct error *error)
{
	if (getrandom(&meta->instance, sizeof(meta->instance), 0) < 0)
		return error_set(error, -errno, "no random number: %s", strerror(errno));
	*dataplane->maps.meta = *meta;
	return maps_pin(dataplane, error);
}

/* What is pinned, and whether it is to give way to other maps. */
static int pinned_look(struct dataplane *dataplane, const struct meta *wanted,
		       struct meta *ret_pinned, struct error *error)
{
	int code = swap_finish(dataplane, error);

	if (code)
		return code;
	pins_folder_remove(dataplane->pin_dir, NEXT_FOLDER);
	code = meta_read(dataplane->pin_dir, ret_pinned, error);
	dataplane->adopted = code == 0;
	if (dataplane->adopted)
		return meta_check(dataplane->pin_dir, ret_pinned, wanted, error);
	if (code != -ENOENT)
		return code;
	if (pins_remove(dataplane->pin_dir) > 0)
		log_warning("%s: removed the pins of a start that was cut short",
			    dataplane->pin_dir);
	return 0;
}

/* The maps of the object: those that are pinned, or new ones. */
static int maps_choose(struct dataplane *dataplane, const struct meta *pinned,
		       const struct meta *wanted, struct error *error)
{
	int code;

	if (dataplane->adopted && meta_fits(pinned, wanted))
		return maps_adopt(dataplane, error);
	code = maps_size(dataplane, wanted, error);
	if (!code && dataplane->adopted)
		code = migration_begin(dataplane, pinned, wanted, error);
	return code;
}

static int pins_make(struct dataplane *dataplane, struct meta *meta, struct error *error)
{
	int code = 0;

	if (dataplane->migration)
		return migration_pin(dataplane, meta, error);
	if (!dataplane->adopted)
		code = maps_renew(dataplane, meta, error);
	return code ? code : program_pin(dataplane, error);
}

/* Load the object over new maps or the pinned ones; everything but the links. */
static int load(struct dataplane *dataplane, const struct config *config, char *log,
		struct error *error)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .kernel_log_buf = log,
		    .kernel_log_size = VERIFIER_LOG_SIZE);
	struct meta meta, pinned;
	int code;

	meta_fill(config, &meta);
	settings_fill(dataplane, config, &meta);
	code = pinned_look(dataplane, &meta, &pinned, error);
	if (code)
		return code;
	dataplane->object = object_open(dataplane, config, &options);
	if (!dataplane->object)
		return error_set(error, -errno, "cannot read the data plane's object: %s",
				 strerror(errno));
	memcpy((void *)(uintptr_t)&dataplane->object->rodata->settings, &dataplane->maps.settings,
	       sizeof(dataplane->maps.settings));
	code = maps_choose(dataplane, &pinned, &meta, error);
	if (!code)
		code = object_load(dataplane, log, error);
	if (!code)
		code = maps_map(dataplane, &meta, error);
	if (!code)
		code = pins_make(dataplane, &meta, error);
	if (code && dataplane->migration)
		error_prefix(error, "%s: the program and maps before go on: ", dataplane->pin_dir);
	return code;
}

static int memory_make(struct dataplane *dataplane, struct error *error)
{
	const struct meta *meta = dataplane->maps.meta;
	struct timespec now;

	dataplane->ways = calloc(meta->backends_max, sizeof(*dataplane->ways));
	dataplane->quic_keys = calloc(meta->backends_max, sizeof(*dataplane->quic_keys));
	dataplane->nat_keys = calloc(meta->backends_max, sizeof(*dataplane->nat_keys));
	dataplane->switched_ms = calloc(meta->services_max, sizeof(*dataplane->switched_ms));
	if (!dataplane->ways || !dataplane->quic_keys || !dataplane->nat_keys ||
	    !dataplane->switched_ms)
		return error_set(error, -ENOMEM, "out of memory for %u backends",
				 meta->backends_max);
	/* The agent before this one may have switched any table a moment ago. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	for (uint32_t i = 0; i < meta->services_max; i++)
		dataplane->switched_ms[i] =
			(uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	return 0;
}

static int open_locked(struct dataplane *dataplane, const struct config *config,
		       struct error *error)
{
	char *log = calloc(1, VERIFIER_LOG_SIZE);
	int code;

	if (!log)
		return error_set(error, -ENOMEM, "out of memory");
	code = load(dataplane, config, log, error);
	free(log);
	if (!code)
		code = memory_make(dataplane, error);
	if (code || !dataplane->adopted)
		return code;
	egress_renew(dataplane);
	if (dataplane->migration)
		return 0; /* the links stay with the program before, until all is carried over */
	pins_tidy(dataplane);
	code = links_adopt(dataplane, error);
	if (!code)
		log_info("%s: adopted the pinned maps and %zu links", dataplane->pin_dir,
			 dataplane->link_count);
	return code;
}

int dataplane_open(const struct config *config, struct dataplane **ret_dataplane,
		   struct error *error)
{
	struct dataplane *dataplane = calloc(1, sizeof(*dataplane));
	int code;

	if (!dataplane)
		return error_set(error, -ENOMEM, "out of memory");
	dataplane->lock = -1;
	libbpf_set_print(libbpf_talk);
	if (strlen(config->pin_dir) > PIN_PATH_MAX - 64) {
		code = error_set(error, -ENAMETOOLONG, "%s: agent.pin_dir is too long",
				 config->pin_dir);
		dataplane->tick_program = -1;
		goto out;
	}
	snprintf(dataplane->pin_dir, sizeof(dataplane->pin_dir), "%s", config->pin_dir);
	code = dataplane->tick_program = tick_program_load(error);
	if (code < 0)
		goto out;
	code = pins_lock(config->pin_dir, true, &dataplane->lock, error);
	if (!code)
		code = file_make_folder(config->state_dir, error);
	if (!code)
		code = open_locked(dataplane, config, error);
out:
	if (code < 0) {
		dataplane_close(dataplane);
		return code;
	}
	*ret_dataplane = dataplane;
	return 0;
}

void dataplane_close(struct dataplane *dataplane)
{
	if (!dataplane)
		return;
	migration_free(dataplane);
	links_close(dataplane);
	maps_unmap(dataplane);
	sluice_bpf__destroy(dataplane->jumbo);
	sluice_bpf__destroy(dataplane->object);
	if (dataplane->tick_program >= 0)
		close(dataplane->tick_program);
	if (dataplane->lock >= 0)
		close(dataplane->lock);
	free(dataplane->ways);
	free(dataplane->quic_keys);
	free(dataplane->nat_keys);
	free(dataplane->switched_ms);
	free(dataplane);
}

int dataplane_cleanup(const char *pin_dir, struct error *error)
{
	int lock, code;

	if (access(pin_dir, F_OK) < 0 && errno == ENOENT)
		return 0;
	libbpf_set_print(libbpf_talk);
	code = pins_lock(pin_dir, false, &lock, error);
	if (code)
		return code;
	links_detach(pin_dir);
	pins_remove(pin_dir);
	probe_path_cleanup();
	close(lock);
	if (rmdir(pin_dir) < 0)
		return error_set(error, -errno, "%s: cannot remove the folder of the pins: %s",
				 pin_dir, strerror(errno));
	return 0;
}

bool dataplane_migrates(const struct dataplane *dataplane)
{
	return dataplane->migration != NULL;
}

bool dataplane_adopted(const struct dataplane *dataplane)
{
	return dataplane->adopted;
}

const struct meta *dataplane_meta(const struct dataplane *dataplane)
{
	return dataplane->maps.meta;
}

const struct dataplane_maps *dataplane_maps(const struct dataplane *dataplane)
{
	return &dataplane->maps;
}

int dataplane_key_write(struct dataplane *dataplane, const struct service_key *key,
			const struct service_target *target, struct error *error)
{
	const struct dataplane_maps *maps = &dataplane->maps;

	if (service_table_put(maps->service_keys, maps->settings.key_mask, key,
			      target_word(target)))
		return error_set(error, -ENOSPC,
				 "map service_keys: no room for a key; raise limits.services");
	return 0;
}

void dataplane_key_delete(struct dataplane *dataplane, const struct service_key *key)
{
	service_table_remove(dataplane->maps.service_keys, dataplane->maps.settings.key_mask, key);
}

int dataplane_key_next(const struct dataplane *dataplane, const struct service_key *key,
		       struct service_key *ret_key)
{
	return service_table_next(dataplane->maps.service_keys, dataplane->maps.settings.key_mask,
				  key, ret_key);
}

int dataplane_port_write(struct dataplane *dataplane, uint32_t egress, uint32_t ifindex)
{
	return bpf_map_update_elem(dataplane->egress_ports, &egress, &ifindex, BPF_ANY);
}

void dataplane_port_delete(struct dataplane *dataplane, uint32_t egress)
{
	bpf_map_delete_elem(dataplane->egress_ports, &egress);
}

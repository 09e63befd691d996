// SPDX-License-Identifier: GPL-2.0-only
/* A whole config: YAML text in, a checked struct config out. */
#include "model/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/config_check.h"
#include "sluice/decap.h"
#include "sluice/limits.h"

/* A Unix socket's path with its NUL has 108 bytes. */
#define SOCKET_PATH_MAX 107

/* Longer interface names do not exist (IFNAMSIZ). */
#define INTERFACE_NAME_MAX 15

/* Last-seen ticks of about a second wrap at 8,192: twice the longest of these stays below. */
#define TIMEOUT_MIN_MS 1000
#define TIMEOUT_MAX_MS 4000000
#define REPLY_RATE_MAX 1000000

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->interface_count; i++)
		free(config->interfaces[i].name);
	for (size_t i = 0; i < config->service_count; i++)
		service_config_clear(&config->services[i]);
	guard_lists_clear(&config->guard);
	free(config->interfaces);
	free(config->services);
	free(config->pin_dir);
	free(config->socket);
	free(config->socket_group);
	for (size_t i = 0; config->executables && config->executables[i]; i++)
		free(config->executables[i]);
	free(config->executables);
	free(config->state_dir);
	free(config->metrics);
	free(config->owner);
	free(config);
}

/* "address:port", an IPv6 address in brackets; empty = off. */
static bool endpoint_valid(const char *text)
{
	const char *colon = strrchr(text, ':');
	char address[IP_TEXT_MAX] = "";
	struct ip ip;
	size_t length;

	if (!*text)
		return true;
	if (!colon || colon == text)
		return false;
	length = (size_t)(colon - text);
	if (text[0] == '[' && colon[-1] == ']') {
		text++;
		length -= 2;
	} else if (memchr(text, ':', length)) {
		return false;
	}
	if (length >= sizeof(address))
		return false;
	memcpy(address, text, length);
	length = strspn(colon + 1, "0123456789");
	return !ip_parse(address, &ip) && length >= 1 && length <= 5 && !colon[1 + length] &&
	       strtoul(colon + 1, NULL, 10) <= 65535 && strtoul(colon + 1, NULL, 10) > 0;
}

static bool endpoint_loopback(const char *text)
{
	return !*text || !strncmp(text, "127.", 4) || !strncmp(text, "[::1]:", 6);
}

static void check_metrics(struct check *check, const struct raw_agent *raw, struct config *config)
{
	config->metrics = check_text(check, "metrics", raw->metrics, "127.0.0.1:9980");
	config->metrics_remote = check_bool(check, "metrics_remote", raw->metrics_remote, false);
	if (!raw->metrics)
		return;
	if (!endpoint_valid(raw->metrics))
		check_fail(check, "metrics",
			   "metrics '%s' is not address:port; give one such as 127.0.0.1:9980, "
			   "[::1]:9980, or \"\" for none",
			   raw->metrics);
	else if (!endpoint_loopback(raw->metrics) && !config->metrics_remote)
		check_fail(check, "metrics",
			   "metrics '%s' can be reached from other hosts, without a password; give "
			   "metrics_remote: true if that is meant, or an address such as "
			   "127.0.0.1:9980",
			   raw->metrics);
}

/* Folders, and files, that executables may lie in. */
static void check_executables(struct check *check, const struct raw_agent *raw,
			      struct config *config)
{
	if (!raw->executables)
		return;
	config->executables = calloc(raw->executables_count + 1, sizeof(char *));
	if (!config->executables)
		check_no_memory(check);
	for (size_t i = 0; config->executables && i < raw->executables_count; i++) {
		char field[32];

		snprintf(field, sizeof(field), "executables[%zu]", i);
		config->executables[i] = check_path(check, field, raw->executables[i], NULL);
		if (!config->executables[i])
			break;
	}
}

static bool owner_valid(const char *text)
{
	size_t length = strlen(text);

	return length && length <= 20 && text[0] != '-' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

static void check_agent(struct check *check, const struct raw_agent *raw, struct config *config)
{
	static const struct raw_agent absent;
	size_t outer = check_into(check, "agent");

	if (!raw)
		raw = &absent;
	config->pin_dir = check_path(check, "pin_dir", raw->pin_dir, "/sys/fs/bpf/sluice");
	config->socket = check_path(check, "socket", raw->socket, "/run/sluice/sluice.sock");
	if (raw->socket && strlen(raw->socket) > SOCKET_PATH_MAX)
		check_fail(check, "socket", "socket has a path of %zu bytes; give at most %d",
			   strlen(raw->socket), SOCKET_PATH_MAX);
	config->state_dir = check_path(check, "state_dir", raw->state_dir, "/var/lib/sluice");
	check_metrics(check, raw, config);
	check_executables(check, raw, config);
	config->sandbox = check_bool(check, "sandbox", raw->sandbox, true);
	config->socket_group =
		raw->socket_group ? check_text(check, "socket_group", raw->socket_group, "") : NULL;
	if (raw->owner && !owner_valid(raw->owner))
		check_fail(check, "owner", "owner '%s' is not one; use at most 20 of a-z 0-9 -",
			   raw->owner);
	config->owner = check_text(check, "owner", raw->owner, "sluice");
	config->seed = check_number(check, "seed", raw->seed, (struct range){0, INT64_MAX, 1});
	check_out(check, outer);
}

static void check_limits(struct check *check, const struct raw_limits *raw,
			 struct limits_config *limits)
{
	static const struct raw_limits absent;
	size_t outer = check_into(check, "limits");

	if (!raw)
		raw = &absent;
	limits->services = (uint32_t)check_number(check, "services", raw->services,
						  (struct range){1, 65536, 64});
	limits->backends = (uint32_t)check_number(check, "backends", raw->backends,
						  (struct range){1, SLUICE_BACKENDS_MAX, 4096});
	limits->slots = (uint32_t)check_number(
		check, "slots", raw->slots,
		(struct range){2 * (SLUICE_SLOTS_SMALL + SLUICE_SLOTS_PER_LINE), 1u << 30,
			       4194304});
	limits->flows =
		(uint32_t)check_number(check, "flows", raw->flows,
				       (struct range){SLUICE_FLOWS_PER_BUCKET, 1u << 30, 1048576});
	check_out(check, outer);
}

static void check_timeouts(struct check *check, const struct raw_timeouts *raw,
			   struct timeouts_config *timeouts)
{
	static const struct raw_timeouts absent;
	size_t outer = check_into(check, "timeouts");

	if (!raw)
		raw = &absent;
	timeouts->closing_ms = check_number(check, "closing_ms", raw->closing_ms,
					    (struct range){TIMEOUT_MIN_MS, TIMEOUT_MAX_MS, 10000});
	timeouts->probation_ms =
		check_number(check, "probation_ms", raw->probation_ms,
			     (struct range){TIMEOUT_MIN_MS, TIMEOUT_MAX_MS, 30000});
	timeouts->tcp_idle_ms =
		check_number(check, "tcp_idle_ms", raw->tcp_idle_ms,
			     (struct range){TIMEOUT_MIN_MS, TIMEOUT_MAX_MS, 3600000});
	timeouts->udp_idle_ms =
		check_number(check, "udp_idle_ms", raw->udp_idle_ms,
			     (struct range){TIMEOUT_MIN_MS, TIMEOUT_MAX_MS, 120000});
	check_out(check, outer);
}

static void check_icmp(struct check *check, const struct raw_icmp *raw, struct icmp_config *icmp)
{
	static const struct raw_icmp absent;
	size_t outer = check_into(check, "icmp");

	if (!raw)
		raw = &absent;
	icmp->echo = check_word(check, "echo", raw->echo, echo_answer_names, ECHO_ANSWER);
	icmp->echo_rate = (uint32_t)check_number(check, "echo_rate", raw->echo_rate,
						 (struct range){1, REPLY_RATE_MAX, 1000});
	icmp->error_rate = (uint32_t)check_number(check, "error_rate", raw->error_rate,
						  (struct range){1, REPLY_RATE_MAX, 1000});
	check_out(check, outer);
}

/*
 * A prefix that outer sources are taken from. The data plane knows one by its first word, so there
 * has to be something in it.
 */
static void check_source(struct check *check, const char *field, const char *text,
			 unsigned char family, uint32_t shortest, struct prefix *prefix)
{
	struct error error;
	struct prefix read;

	if (!text)
		return;
	if (prefix_parse(text, &read, &error))
		check_fail(check, field, "%s", error.text);
	else if (ip_family(&read.address) != family || !ip_is_unicast(&read.address))
		check_fail(check, field, "%s '%s' is not one of IPv%u addresses that hosts have",
			   field, text, family);
	else if (read.length < shortest)
		check_fail(check, field, "%s '%s' is too large; give one of at least /%u", field,
			   text, shortest);
	else
		*prefix = read;
}

static void check_tunnel(struct check *check, const struct raw_tunnel *raw,
			 struct tunnel_config *tunnel)
{
	static const struct raw_tunnel absent;
	size_t outer = check_into(check, "tunnel");

	if (!raw)
		raw = &absent;
	tunnel->gue_port = (uint16_t)check_number(check, "gue_port", raw->gue_port,
						  (struct range){1, 65535, GUE_PORT});
	check_source(check, "source_prefix4", raw->source_prefix4, 4, 8, &tunnel->source_prefix4);
	check_source(check, "source_prefix6", raw->source_prefix6, 6, 32, &tunnel->source_prefix6);
	check_out(check, outer);
}

static void check_interface(struct check *check, const struct raw_interface *raw,
			    struct config *config, struct interface_config *interface)
{
	if (raw->name && (!raw->name[0] || strlen(raw->name) > INTERFACE_NAME_MAX ||
			  strpbrk(raw->name, "/ \t\n")))
		check_fail(check, "name",
			   "name '%s' is not that of an interface; 'ip link' lists those there are",
			   raw->name);
	interface->name = check_text(check, "name", raw->name, NULL);
	interface->mode = check_word(check, "mode", raw->mode, attach_mode_names, ATTACH_AUTO);
	for (size_t i = 0; !check->code && i < config->interface_count; i++) {
		if (!strcmp(config->interfaces[i].name, interface->name))
			check_fail(check, "name", "interface %s is here twice; remove one",
				   interface->name);
	}
}

static void check_interfaces(struct check *check, const struct raw_config *raw,
			     struct config *config)
{
	config->interfaces = calloc(raw->interfaces_count + 1, sizeof(*config->interfaces));
	if (!config->interfaces)
		check_no_memory(check);
	for (unsigned int i = 0; !check->code && i < raw->interfaces_count; i++) {
		size_t outer = check_into(check, "interfaces[%u]", i);

		check_interface(check, &raw->interfaces[i], config, &config->interfaces[i]);
		config->interface_count++;
		check_out(check, outer);
	}
}

/* A service beside those before it. */
static void check_service_beside(struct check *check, const struct config *config,
				 const struct service_config *service)
{
	for (size_t i = 0; !check->code && i < config->service_count; i++) {
		const struct service_config *other = &config->services[i];

		if (!strcmp(other->name, service->name))
			check_fail(check, "name", "name %s is that of another service; rename one",
				   service->name);
		if (ip_equal(&other->vip, &service->vip) && other->protocol == service->protocol &&
		    other->port == service->port)
			check_fail(check, "vip",
				   "service %s has the vip, protocol and port of service %s; "
				   "change one of them",
				   service->name, other->name);
		if (ip_equal(&other->vip, &service->vip) &&
		    other->unknown_port != service->unknown_port)
			check_fail(check, "unknown_port",
				   "unknown_port is %s here and %s in service %s, and both have "
				   "the same VIP; say the same in both",
				   empty_answer_names[service->unknown_port],
				   empty_answer_names[other->unknown_port], other->name);
	}
}

/* What the services up to one need of the maps. */
struct need {
	uint64_t backends, slot_lines;
};

static void check_service_fits_limits(struct check *check, const struct config *config,
				      const struct service_config *service, struct need *need)
{
	const struct limits_config *limits = &config->limits;
	const char *what = NULL;
	uint32_t limit = 0;

	/* Each table has a second place, where its successor is written. */
	need->slot_lines +=
		2 * (uint64_t)config_slot_lines(config_slot_count(service->backends_max));
	need->backends += config_backend_capacity(service->backends_max);
	if (config->service_count >= limits->services) {
		what = "services";
		limit = limits->services;
	} else if (need->backends > limits->backends) {
		what = "backends";
		limit = limits->backends;
	} else if (need->slot_lines > limits->slots / SLUICE_SLOTS_PER_LINE) {
		what = "slots";
		limit = limits->slots;
	}
	if (what)
		check_fail(check, "name",
			   "service %s: no room left in limits.%s %u; raise it, or lower "
			   "backends_max where it is too large",
			   service->name, what, limit);
}

/* What a backend in mode nat answers tells its service only by the backend's address and port. */
static void check_nat_beside(struct check *check, const struct config *config,
			     const struct service_config *service)
{
	char text[IP_TEXT_MAX];

	for (size_t i = 0; !check->code && i < config->service_count; i++) {
		const struct service_config *other = &config->services[i];
		size_t number;

		if (!service_nat_clash(service, other, &number))
			continue;
		check_fail(check, "backends",
			   "backend %s, %s, has the address and port of a backend of service %s, "
			   "which is in mode nat too; give it another port",
			   service->backends[number].name,
			   ip_format(&service->backends[number].address, text), other->name);
	}
}

static void check_services(struct check *check, const struct raw_config *raw, struct config *config)
{
	struct need need = {0};

	config->services = calloc(raw->services_count + 1, sizeof(*config->services));
	if (!config->services)
		check_no_memory(check);
	for (unsigned int i = 0; !check->code && i < raw->services_count; i++) {
		size_t outer = check_into(check, "services[%u]", i);

		check_service(check, &raw->services[i], &config->services[i]);
		check_service_beside(check, config, &config->services[i]);
		check_service_fits_limits(check, config, &config->services[i], &need);
		check_nat_beside(check, config, &config->services[i]);
		config->service_count++;
		check_out(check, outer);
	}
}

static int config_make(struct check *check, const struct raw_config *raw,
		       struct config **ret_config)
{
	static const struct raw_config absent;
	struct config *config = calloc(1, sizeof(*config));

	if (!config)
		return error_set(check->error, -ENOMEM, "out of memory");
	if (!raw)
		raw = &absent;
	check_agent(check, raw->agent, config);
	check_limits(check, raw->limits, &config->limits);
	check_timeouts(check, raw->timeouts, &config->timeouts);
	check_icmp(check, raw->icmp, &config->icmp);
	check_guard(check, raw->guard, &config->guard);
	check_tunnel(check, raw->tunnel, &config->tunnel);
	check_interfaces(check, raw, config);
	check_services(check, raw, config);
	if (check->code)
		config_free(config);
	else
		*ret_config = config;
	return check->code;
}

int config_parse(const char *text, size_t length, const char *name, struct config **ret_config,
		 struct error *error)
{
	struct source source;
	void *raw = NULL;
	int code = source_load(&source, text, length, name, &config_schema, &raw, error);

	if (!code) {
		struct check check = {.source = &source, .error = error};

		code = config_make(&check, raw, ret_config);
	}
	source_free_raw(&config_schema, raw);
	source_close(&source);
	return code;
}

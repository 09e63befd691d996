// SPDX-License-Identifier: GPL-2.0-only
/* Checks of services, their backends and their autoscaling. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "model/autoscale.h"
#include "model/config_check.h"
#include "sluice/limits.h"

#define HOUR_MS 3600000u
#define DAY_MS  (24 * HOUR_MS)
#define WEEK_MS (7 * DAY_MS)

/* With a quarter and 4 more for retired numbers it still fits in SLUICE_SERVICE_BACKENDS_MAX. */
#define BACKENDS_MAX_LIMIT 52000u

/* RFC 9000; and the draft on QUIC load balancers, which keeps the last value for "no ID". */
#define QUIC_ID_MAX     20
#define MSS_MIN         88
#define QUIC_CONFIG_MAX 6

static const char *const protocol_names[] = {"tcp", "udp", NULL};

static uint32_t number(struct check *check, const char *field, const char *text, uint32_t min,
		       uint32_t max, uint32_t standard)
{
	return (uint32_t)check_number(check, field, text, (struct range){min, max, standard});
}

void check_backend(struct check *check, const struct raw_backend *raw,
		   struct backend_config *backend)
{
	backend->name = check_name(check, raw->name);
	backend->address = check_address(check, "address", raw->address);
	backend->port = (uint16_t)number(check, "port", raw->port, 1, 65535, 0);
	backend->weight = number(check, "weight", raw->weight, 0, SLUICE_WEIGHT_MAX, 100);
	backend->drain = check_bool(check, "drain", raw->drain, false);
	backend->maint = check_bool(check, "maint", raw->maint, false);
}

/* nat keeps the packet's family; the tunnels do not care. */
static void check_family(struct check *check, const struct service_config *service,
			 const struct backend_config *backend, const char *text)
{
	if (service->mode != FORWARD_MODE_NAT ||
	    ip_family(&backend->address) == ip_family(&service->vip))
		return;
	check_fail(check, "address",
		   "address %s is IPv%d and the VIP of service %s IPv%d, and mode nat keeps the "
		   "family; give the IPv%d address, or use mode ipip",
		   text, ip_family(&backend->address), service->name, ip_family(&service->vip),
		   ip_family(&service->vip));
}

static bool same_server_id(const struct service_config *service, const struct ip *a,
			   const struct ip *b)
{
	uint8_t ids[2][SLUICE_QUIC_ID_MAX];

	quic_server_id(service, a, ids[0]);
	quic_server_id(service, b, ids[1]);
	return service->quic_id_length && !memcmp(ids[0], ids[1], sizeof(ids[0]));
}

/* A backend beside those before it. */
static void check_backend_beside(struct check *check, const struct service_config *service,
				 const struct backend_config *backend)
{
	char text[IP_TEXT_MAX];

	if (check->code)
		return;
	ip_format(&backend->address, text);
	if (ip_equal(&backend->address, &service->vip))
		check_fail(check, "address",
			   "address %s is the VIP of service %s; give the server's own", text,
			   service->name);
	check_family(check, service, backend, text);
	for (size_t i = 0; i < service->backend_count; i++) {
		if (!strcmp(service->backends[i].name, backend->name))
			check_fail(check, "name",
				   "name %s is that of another backend of service %s; rename one",
				   backend->name, service->name);
		if (ip_equal(&service->backends[i].address, &backend->address))
			check_fail(check, "address",
				   "address %s is that of backend %s already; remove one", text,
				   service->backends[i].name);
		if (same_server_id(service, &service->backends[i].address, &backend->address))
			check_fail(check, "address",
				   "address %s gives the QUIC server ID of backend %s, the last %d "
				   "bytes; raise quic_id_length",
				   text, service->backends[i].name, service->quic_id_length);
	}
}

static void check_backends(struct check *check, const struct raw_service *raw,
			   struct service_config *service)
{
	service->backends = calloc(raw->backends_count + 1, sizeof(*service->backends));
	if (!service->backends)
		check_no_memory(check);
	if (raw->backends_count > service->backends_max)
		check_fail(check, "backends",
			   "backends are %u, more than backends_max %u; raise backends_max",
			   raw->backends_count, service->backends_max);
	for (unsigned int i = 0; !check->code && i < raw->backends_count; i++) {
		struct backend_config *backend = &service->backends[i];
		size_t outer = check_into(check, "backends[%u]", i);

		check_backend(check, &raw->backends[i], backend);
		check_backend_beside(check, service, backend);
		service->backend_count++;
		check_out(check, outer);
	}
}

static uint16_t check_port(struct check *check, const char *text)
{
	if (!text)
		check_fail(check, "port", "port is missing; add it (any = every port)");
	else if (strcmp(text, "any"))
		return (uint16_t)number(check, "port", text, 1, 65535, 0);
	return 0;
}

/* A VLAN's ID, or a word in its place. */
static uint16_t check_vlan(struct check *check, const char *field, const char *text)
{
	if (!text || strcmp(text, "keep") == 0)
		return VLAN_KEEP;
	if (strcmp(text, "none") == 0)
		return VLAN_NONE;
	if (strspn(text, "0123456789") == strlen(text) && *text)
		return (uint16_t)number(check, field, text, 1, VLAN_ID_MAX, VLAN_KEEP);
	check_fail(check, field, "%s '%s' is not a VLAN; give keep, none, or 1 to %d", field, text,
		   VLAN_ID_MAX);
	return VLAN_KEEP;
}

/* What is wrong only together. */
static void check_service_fits(struct check *check, const struct service_config *service)
{
	if (service->scheduler != SCHEDULER_MAGLEV && service->tracking != TRACKING_FULL)
		check_fail(check, "scheduler",
			   "scheduler %s needs tracking: full, or its flows cannot be found again; "
			   "use maglev with tracking: minimal",
			   scheduler_names[service->scheduler]);
	if (service->quic_id_length && !service->quic)
		check_fail(check, "quic_id_length",
			   "quic_id_length is for services with quic: true; set that too");
	if (service->quic_id_offset + service->quic_id_length > QUIC_ID_MAX)
		check_fail(check, "quic_id_offset",
			   "a server ID of %d bytes from byte %d on is longer than a connection "
			   "ID, which has at most %d; lower quic_id_offset or quic_id_length",
			   service->quic_id_length, service->quic_id_offset, QUIC_ID_MAX);
	if (service->mss && service->protocol != IPPROTO_TCP)
		check_fail(check, "mss", "mss is for protocol tcp; set mss: 0");
	if (service->mss && service->mss < MSS_MIN)
		check_fail(check, "mss", "mss %d is below %d; give 0 (any), or %d to 65535",
			   service->mss, MSS_MIN, MSS_MIN);
	if (service->client_vlan && service->mode != FORWARD_MODE_NAT)
		check_fail(check, "client_vlan",
			   "client_vlan is for mode nat, in which answers pass here; set "
			   "client_vlan: keep");
	if (service->quic && service->protocol != IPPROTO_UDP)
		check_fail(check, "quic", "quic is for protocol udp; set quic: false");
}

/* What backends report themselves is never known if nobody asks them. */
static void check_reported(struct check *check, const struct service_config *service)
{
	for (int i = SIGNAL_CPU; service->autoscale && i <= SIGNAL_CUSTOM; i++) {
		enum scale_signal signal = (enum scale_signal)i;

		if (service->agent_check || !(signal_target(service->autoscale, signal) > 0))
			continue;
		check_fail(check, "autoscale",
			   "signal %s is what backends report when they are asked, and nobody asks "
			   "them; add agent_check",
			   scale_signal_names[signal]);
		return;
	}
}

void check_service(struct check *check, const struct raw_service *raw,
		   struct service_config *service)
{
	service->name = check_name(check, raw->name);
	service->vip = check_address(check, "vip", raw->vip);
	if (!raw->protocol)
		check_fail(check, "protocol", "protocol is missing; add it (tcp or udp)");
	service->protocol = check_word(check, "protocol", raw->protocol, protocol_names, 0)
				    ? IPPROTO_UDP
				    : IPPROTO_TCP;
	service->port = check_port(check, raw->port);
	service->mode = check_word(check, "mode", raw->mode, forward_mode_names, 0);
	service->tracking = check_word(check, "tracking", raw->tracking, tracking_names, 0);
	service->affinity = check_word(check, "affinity", raw->affinity, affinity_names, 0);
	service->scheduler = check_word(check, "scheduler", raw->scheduler, scheduler_names, 0);
	service->empty = check_word(check, "empty", raw->empty, empty_answer_names, 0);
	service->unknown_port =
		check_word(check, "unknown_port", raw->unknown_port, empty_answer_names, 0);
	service->quic = check_bool(check, "quic", raw->quic, false);
	service->mss = (uint16_t)number(check, "mss", raw->mss, 0, UINT16_MAX, 0);
	service->vlan = check_vlan(check, "vlan", raw->vlan);
	service->client_vlan = check_vlan(check, "client_vlan", raw->client_vlan);
	service->quic_id_length = (uint8_t)number(check, "quic_id_length", raw->quic_id_length, 0,
						  SLUICE_QUIC_ID_MAX, 0);
	service->quic_id_offset = (uint8_t)number(check, "quic_id_offset", raw->quic_id_offset, 0,
						  QUIC_ID_MAX - 1, 1);
	service->quic_id_config = (uint8_t)number(check, "quic_id_config", raw->quic_id_config, 0,
						  QUIC_CONFIG_MAX, 0);
	service->grace_ms = number(check, "grace_ms", raw->grace_ms, 0, HOUR_MS, 10000);
	service->drain_ms = number(check, "drain_ms", raw->drain_ms, 0, WEEK_MS, 300000);
	service->backends_max =
		number(check, "backends_max", raw->backends_max, 1, BACKENDS_MAX_LIMIT, 128);
	check_guard(check, raw->guard, &service->guard);
	service->new_flow_limit = check_new_flow_limit(
		check, raw->guard ? raw->guard->new_flow_limit : NULL, service);
	check_service_fits(check, service);
	check_backends(check, raw, service);
	if (raw->autoscale)
		service->autoscale = check_autoscale(check, raw->autoscale, service->backends_max);
	if (raw->health)
		service->health = check_health(check, raw->health, service);
	if (raw->agent_check)
		service->agent_check = check_agent_check(check, raw->agent_check);
	check_reported(check, service);
	check_warm_up(check, raw->warm_up, service);
}

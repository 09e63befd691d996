// SPDX-License-Identifier: GPL-2.0-only
/* Services and backends of the config as values: their words, names, copies and table sizes. */
#include "model/config.h"

#include <stdlib.h>
#include <string.h>

#include "model/config_check.h"
#include "sluice/limits.h"

const char *const forward_mode_names[] = {"l2", "ipip", "gue", "nat", NULL};
const char *const tracking_names[] = {"full", "minimal", NULL};
const char *const affinity_names[] = {"flow", "source", "source_port", NULL};
const char *const scheduler_names[] = {"maglev", "random", "round_robin", "least_flows", NULL};
const char *const empty_answer_names[] = {"drop", "pass", NULL};
const char *const echo_answer_names[] = {"answer", "pass", NULL};
const char *const scale_signal_names[] = {"packets", "new_flows", "bytes",  "live_flows",
					  "cpu",     "memory",    "custom", NULL};
const char *const attach_mode_names[] = {"auto", "native", "generic", NULL};

/* Enough slots that rounding to whole ones stays far below 1% of an equal share. */
#define SLOTS_PER_BACKEND 500

uint32_t config_slot_count(uint32_t backends_max)
{
	static const uint32_t sizes[] = {SLUICE_SLOTS_SMALL, SLUICE_SLOTS_MEDIUM,
					 SLUICE_SLOTS_LARGE};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (sizes[i] / SLOTS_PER_BACKEND >= backends_max)
			return sizes[i];
	}
	return SLUICE_SLOTS_HUGE;
}

void quic_server_id(const struct service_config *service, const struct ip *address,
		    uint8_t ret_id[SLUICE_QUIC_ID_MAX])
{
	const uint8_t *bytes = (const uint8_t *)address->word;

	memset(ret_id, 0, SLUICE_QUIC_ID_MAX);
	memcpy(ret_id, bytes + sizeof(address->word) - service->quic_id_length,
	       service->quic_id_length);
}

uint32_t config_slot_lines(uint32_t slot_count)
{
	return (slot_count + SLUICE_SLOTS_PER_LINE - 1) / SLUICE_SLOTS_PER_LINE;
}

uint32_t config_backend_capacity(uint32_t backends_max)
{
	return backends_max + backends_max / 4 + 4;
}

static bool same_end(const struct service_config *a, const struct backend_config *backend_a,
		     const struct service_config *b, const struct backend_config *backend_b)
{
	uint16_t port_a = backend_a->port ? backend_a->port : a->port;
	uint16_t port_b = backend_b->port ? backend_b->port : b->port;

	return port_a == port_b && ip_equal(&backend_a->address, &backend_b->address);
}

bool service_retags(const struct service_config *service)
{
	return service->vlan != VLAN_KEEP || service->client_vlan != VLAN_KEEP;
}

bool service_nat_clash(const struct service_config *service, const struct service_config *other,
		       size_t *ret_number)
{
	if (service->mode != FORWARD_MODE_NAT || other->mode != FORWARD_MODE_NAT ||
	    service->protocol != other->protocol)
		return false;
	for (size_t i = 0; i < service->backend_count; i++) {
		for (size_t n = 0; n < other->backend_count; n++) {
			if (!same_end(service, &service->backends[i], other, &other->backends[n]))
				continue;
			*ret_number = i;
			return true;
		}
	}
	return false;
}

bool name_valid(const char *text)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";
	size_t length = strlen(text);

	return length && length <= NAME_MAX_LENGTH && strchr(first, text[0]) &&
	       strspn(text, rest) == length;
}

void backend_config_clear(struct backend_config *backend)
{
	free(backend->name);
	backend->name = NULL;
}

static void autoscale_config_free(struct autoscale_config *autoscale)
{
	if (!autoscale)
		return;
	free(autoscale->provisioner);
	json_decref(autoscale->options);
	free(autoscale->schedules);
	free(autoscale);
}

void service_config_clear(struct service_config *service)
{
	for (size_t i = 0; i < service->backend_count; i++)
		backend_config_clear(&service->backends[i]);
	free(service->backends);
	guard_lists_clear(&service->guard);
	autoscale_config_free(service->autoscale);
	health_config_free(service->health);
	agent_check_config_free(service->agent_check);
	free(service->name);
}

void service_config_free(struct service_config *service)
{
	if (!service)
		return;
	service_config_clear(service);
	free(service);
}

static struct autoscale_config *autoscale_config_clone(const struct autoscale_config *autoscale)
{
	struct autoscale_config *clone = malloc(sizeof(*clone));

	if (!clone)
		return NULL;
	*clone = *autoscale;
	clone->provisioner = strdup(autoscale->provisioner);
	clone->options = autoscale->options ? json_deep_copy(autoscale->options) : json_object();
	clone->schedules = calloc(autoscale->schedule_count + 1, sizeof(*clone->schedules));
	for (size_t i = 0; clone->schedules && i < autoscale->schedule_count; i++)
		clone->schedules[i] = autoscale->schedules[i];
	if (clone->provisioner && clone->options && clone->schedules)
		return clone;
	autoscale_config_free(clone);
	return NULL;
}

static int backends_clone(struct service_config *clone, const struct service_config *service)
{
	clone->backends = calloc(service->backend_count + 1, sizeof(*clone->backends));
	if (!clone->backends)
		return -1;
	for (size_t i = 0; i < service->backend_count; i++) {
		clone->backends[i] = service->backends[i];
		clone->backends[i].name = strdup(service->backends[i].name);
		clone->backend_count = i + 1;
		if (!clone->backends[i].name)
			return -1;
	}
	return 0;
}

struct service_config *service_config_clone(const struct service_config *service)
{
	struct service_config *clone = malloc(sizeof(*clone));

	if (!clone)
		return NULL;
	*clone = *service;
	clone->backends = NULL;
	clone->backend_count = 0;
	clone->autoscale = NULL;
	clone->health = health_config_clone(service->health);
	clone->agent_check = agent_check_config_clone(service->agent_check);
	clone->guard = (struct guard_lists){0};
	clone->name = strdup(service->name);
	if (!clone->name || (service->health && !clone->health) ||
	    (service->agent_check && !clone->agent_check) || backends_clone(clone, service))
		goto failed;
	if (service->autoscale) {
		clone->autoscale = autoscale_config_clone(service->autoscale);
		if (!clone->autoscale)
			goto failed;
	}
	return clone;
failed:
	service_config_free(clone);
	return NULL;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* How a service's backends are probed and asked: its sections "health" and "agent_check". */
#ifndef MODEL_HEALTH_CONFIG_H
#define MODEL_HEALTH_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/health.h"

enum probe_type {
	PROBE_TCP = 0, /* a connection is accepted */
	PROBE_HTTP,
	PROBE_HTTPS,
	PROBE_UDP,  /* a datagram is answered */
	PROBE_ICMP, /* an echo request is answered */
	PROBE_EXEC, /* a command ends with status 0 */
};
extern const char *const probe_type_names[];

enum probe_via {
	PROBE_VIA_PATH = 0, /* to the VIP, in the forward mode's encapsulation */
	PROBE_VIA_ADDRESS,  /* to the backend's own address */
};
extern const char *const probe_via_names[];

enum all_down {
	ALL_DOWN_EMPTY = 0, /* the pool is empty: its service's answer for that */
	ALL_DOWN_ALL,       /* all of them take flows */
};
extern const char *const all_down_names[];

/* What a backend says about itself, and where it is asked. */
struct agent_check_config {
	uint16_t port; /* of the line protocol; 0: url is asked */
	char *url;     /* of a JSON object; %s stands for the backend's address; NULL: port */
	uint64_t interval_ms, timeout_ms;
};

#define PROBE_PAYLOAD_MAX 512u

struct probe_bytes {
	uint8_t *data; /* NULL: none */
	size_t length;
};

/* 100 to 599, a bit each. */
struct status_set {
	uint64_t bits[10];
};

struct health_config {
	enum probe_type type;
	enum probe_via via;
	uint16_t port; /* 0: where the service's packets go */
	uint64_t interval_ms, timeout_ms, down_interval_ms;
	uint32_t jitter; /* percent of the interval, either way */
	uint32_t rise, fall;
	bool initial_up;
	uint32_t panic_threshold; /* percent */
	enum all_down all_down;
	uint64_t hold_ms, hold_max_ms;
	/* HTTP and HTTPS */
	char *method, *path, *host, *body; /* host, body: NULL = the target's, any */
	char *status_text;
	struct status_set status;
	bool tls_verify;
	char *ca_file, *server_name; /* NULL: the system's; the host */
	/* UDP */
	struct probe_bytes payload, expect;
	/* exec */
	char *command;
};

/* health_config_free takes NULL; health_config_clone gives NULL for NULL, and without memory. */
void health_config_free(struct health_config *health);
struct health_config *health_config_clone(const struct health_config *health);
json_t *health_config_to_json(const struct health_config *health);

void agent_check_config_free(struct agent_check_config *check);
struct agent_check_config *agent_check_config_clone(const struct agent_check_config *check);
json_t *agent_check_config_to_json(const struct agent_check_config *check);

/* status_in - whether an HTTP status is one of the set. */
bool status_in(const struct status_set *set, long status);

#endif

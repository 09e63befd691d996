/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The schema of the config file: which keys there are and how they nest. Every scalar is text as
 * written (NULL: absent); its meaning is the business of config_check.
 */
#ifndef MODEL_CONFIG_SCHEMA_H
#define MODEL_CONFIG_SCHEMA_H

#include <stdbool.h>

#include <cyaml/cyaml.h>

struct raw_agent {
	char *pin_dir, *socket, *socket_group, *state_dir, *metrics, *metrics_remote, *owner, *seed;
	char *sandbox;
	char **executables;
	unsigned int executables_count;
};

struct raw_limits {
	char *services, *backends, *slots, *flows;
};

struct raw_timeouts {
	char *closing_ms, *probation_ms, *tcp_idle_ms, *udp_idle_ms;
};

struct raw_icmp {
	char *echo, *echo_rate, *error_rate;
};

struct raw_tunnel {
	char *gue_port, *source_prefix4, *source_prefix6;
};

struct raw_interface {
	char *name, *mode;
};

struct raw_backend {
	char *name, *address, *port, *weight, *drain, *maint;
};

struct raw_targets {
	char *packets, *new_flows, *bytes, *live_flows, *cpu, *memory, *custom;
};

struct raw_autoscale {
	char *provisioner, **options, *signal, *target, *min, *max, *step_down, *creating_max;
	char *hold_ms, *hold_max_ms, *drain_ms, *call_timeout_ms, *standby, *unhealthy_max;
	char *trend, *learn, *seasonal, *paused, *dry_run, **schedule;
	unsigned int options_count, schedule_count;
	struct raw_targets *targets;
};

struct raw_new_flow_limit {
	char *rate, *burst, *prefix4, *prefix6;
};

struct raw_guard {
	char **deny, **allow, *deny_file, *allow_file;
	unsigned int deny_count, allow_count;
	struct raw_new_flow_limit *new_flow_limit; /* of a service only */
};

struct raw_agent_check {
	char *port, *url, *interval_ms, *timeout_ms;
};

struct raw_health {
	char *type, *via, *port, *interval_ms, *timeout_ms, *down_interval_ms, *jitter;
	char *rise, *fall, *initial, *panic_threshold, *all_down, *hold_ms, *hold_max_ms;
	char *method, *path, *host, *status, *body, *tls_verify, *ca_file, *server_name;
	char *payload, *payload_hex, *expect, *expect_hex, *command;
};

struct raw_warm_up {
	char *duration_ms, *initial_weight;
};

struct raw_service {
	char *name, *vip, *protocol, *port, *mode, *tracking, *affinity, *scheduler, *empty, *quic;
	char *unknown_port, *mss, *vlan, *client_vlan, *quic_id_length, *quic_id_offset,
		*quic_id_config;
	char *grace_ms, *drain_ms, *backends_max;
	struct raw_backend *backends;
	unsigned int backends_count;
	struct raw_autoscale *autoscale;
	struct raw_guard *guard;
	struct raw_health *health;
	struct raw_agent_check *agent_check;
	struct raw_warm_up *warm_up;
};

struct raw_config {
	struct raw_agent *agent;
	struct raw_limits *limits;
	struct raw_timeouts *timeouts;
	struct raw_icmp *icmp;
	struct raw_guard *guard;
	struct raw_tunnel *tunnel;
	struct raw_interface *interfaces;
	unsigned int interfaces_count;
	struct raw_service *services;
	unsigned int services_count;
};

/* For a whole file, and for one service or backend of the API. */
extern const cyaml_schema_value_t config_schema, service_schema, backend_schema;

#endif

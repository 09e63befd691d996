// SPDX-License-Identifier: GPL-2.0-only
/* The schema of the config file as libcyaml reads it. */
#include "model/config_schema.h"

/* "key:" without a value is as good as no key. */
#define MAY_BE_NULL (CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER_NULL_STR)

#define TEXT(structure, field) \
	CYAML_FIELD_STRING_PTR(#field, MAY_BE_NULL, structure, field, 0, CYAML_UNLIMITED)
/* For this one an empty text has a meaning of its own. */
#define TEXT_OR_EMPTY(structure, field) \
	CYAML_FIELD_STRING_PTR(#field, CYAML_FLAG_OPTIONAL, structure, field, 0, CYAML_UNLIMITED)
#define SECTION(structure, field, fields) \
	CYAML_FIELD_MAPPING_PTR(#field, MAY_BE_NULL, structure, field, fields)
#define LIST(structure, field, entry) \
	CYAML_FIELD_SEQUENCE(#field, MAY_BE_NULL, structure, field, entry, 0, CYAML_UNLIMITED)

static const cyaml_schema_value_t text_entry = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 0, CYAML_UNLIMITED),
};

static const cyaml_schema_field_t agent_fields[] = {
	TEXT(struct raw_agent, pin_dir),
	TEXT(struct raw_agent, socket),
	TEXT(struct raw_agent, socket_group),
	TEXT(struct raw_agent, state_dir),
	TEXT_OR_EMPTY(struct raw_agent, metrics),
	TEXT(struct raw_agent, metrics_remote),
	TEXT(struct raw_agent, owner),
	TEXT(struct raw_agent, seed),
	TEXT(struct raw_agent, sandbox),
	LIST(struct raw_agent, executables, &text_entry),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t limits_fields[] = {
	TEXT(struct raw_limits, services),
	TEXT(struct raw_limits, backends),
	TEXT(struct raw_limits, slots),
	TEXT(struct raw_limits, flows),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t timeouts_fields[] = {
	TEXT(struct raw_timeouts, closing_ms),
	TEXT(struct raw_timeouts, probation_ms),
	TEXT(struct raw_timeouts, tcp_idle_ms),
	TEXT(struct raw_timeouts, udp_idle_ms),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t icmp_fields[] = {
	TEXT(struct raw_icmp, echo),
	TEXT(struct raw_icmp, echo_rate),
	TEXT(struct raw_icmp, error_rate),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t tunnel_fields[] = {
	TEXT(struct raw_tunnel, gue_port),
	TEXT(struct raw_tunnel, source_prefix4),
	TEXT(struct raw_tunnel, source_prefix6),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t interface_fields[] = {
	TEXT(struct raw_interface, name),
	TEXT(struct raw_interface, mode),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t interface_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_interface, interface_fields),
};

static const cyaml_schema_field_t backend_fields[] = {
	TEXT(struct raw_backend, name),
	TEXT(struct raw_backend, address),
	TEXT(struct raw_backend, port),
	TEXT(struct raw_backend, weight),
	TEXT(struct raw_backend, drain),
	TEXT(struct raw_backend, maint),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t backend_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_backend, backend_fields),
};

static const cyaml_schema_field_t targets_fields[] = {
	TEXT(struct raw_targets, packets), TEXT(struct raw_targets, new_flows),
	TEXT(struct raw_targets, bytes),   TEXT(struct raw_targets, live_flows),
	TEXT(struct raw_targets, cpu),     TEXT(struct raw_targets, memory),
	TEXT(struct raw_targets, custom),  CYAML_FIELD_END,
};

static const cyaml_schema_field_t autoscale_fields[] = {
	TEXT(struct raw_autoscale, provisioner),
	LIST(struct raw_autoscale, options, &text_entry),
	TEXT(struct raw_autoscale, signal),
	TEXT(struct raw_autoscale, target),
	SECTION(struct raw_autoscale, targets, targets_fields),
	TEXT(struct raw_autoscale, min),
	TEXT(struct raw_autoscale, max),
	TEXT(struct raw_autoscale, standby),
	LIST(struct raw_autoscale, schedule, &text_entry),
	TEXT(struct raw_autoscale, step_down),
	TEXT(struct raw_autoscale, creating_max),
	TEXT(struct raw_autoscale, hold_ms),
	TEXT(struct raw_autoscale, hold_max_ms),
	TEXT(struct raw_autoscale, drain_ms),
	TEXT(struct raw_autoscale, call_timeout_ms),
	TEXT(struct raw_autoscale, unhealthy_max),
	TEXT(struct raw_autoscale, trend),
	TEXT(struct raw_autoscale, learn),
	TEXT(struct raw_autoscale, seasonal),
	TEXT(struct raw_autoscale, paused),
	TEXT(struct raw_autoscale, dry_run),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t guard_fields[] = {
	LIST(struct raw_guard, deny, &text_entry),
	LIST(struct raw_guard, allow, &text_entry),
	TEXT(struct raw_guard, deny_file),
	TEXT(struct raw_guard, allow_file),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t new_flow_limit_fields[] = {
	TEXT(struct raw_new_flow_limit, rate),
	TEXT(struct raw_new_flow_limit, burst),
	TEXT(struct raw_new_flow_limit, prefix4),
	TEXT(struct raw_new_flow_limit, prefix6),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t service_guard_fields[] = {
	LIST(struct raw_guard, deny, &text_entry),
	LIST(struct raw_guard, allow, &text_entry),
	TEXT(struct raw_guard, deny_file),
	TEXT(struct raw_guard, allow_file),
	SECTION(struct raw_guard, new_flow_limit, new_flow_limit_fields),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t agent_check_fields[] = {
	TEXT(struct raw_agent_check, port),
	TEXT(struct raw_agent_check, url),
	TEXT(struct raw_agent_check, interval_ms),
	TEXT(struct raw_agent_check, timeout_ms),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t health_fields[] = {
	TEXT(struct raw_health, type),
	TEXT(struct raw_health, via),
	TEXT(struct raw_health, port),
	TEXT(struct raw_health, interval_ms),
	TEXT(struct raw_health, timeout_ms),
	TEXT(struct raw_health, down_interval_ms),
	TEXT(struct raw_health, jitter),
	TEXT(struct raw_health, rise),
	TEXT(struct raw_health, fall),
	TEXT(struct raw_health, initial),
	TEXT(struct raw_health, panic_threshold),
	TEXT(struct raw_health, all_down),
	TEXT(struct raw_health, hold_ms),
	TEXT(struct raw_health, hold_max_ms),
	TEXT(struct raw_health, method),
	TEXT(struct raw_health, path),
	TEXT(struct raw_health, host),
	TEXT(struct raw_health, status),
	TEXT(struct raw_health, body),
	TEXT(struct raw_health, tls_verify),
	TEXT(struct raw_health, ca_file),
	TEXT(struct raw_health, server_name),
	TEXT(struct raw_health, payload),
	TEXT(struct raw_health, payload_hex),
	TEXT(struct raw_health, expect),
	TEXT(struct raw_health, expect_hex),
	TEXT(struct raw_health, command),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t warm_up_fields[] = {
	TEXT(struct raw_warm_up, duration_ms),
	TEXT(struct raw_warm_up, initial_weight),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t service_fields[] = {
	TEXT(struct raw_service, name),
	TEXT(struct raw_service, vip),
	TEXT(struct raw_service, protocol),
	TEXT(struct raw_service, port),
	TEXT(struct raw_service, mode),
	TEXT(struct raw_service, tracking),
	TEXT(struct raw_service, affinity),
	TEXT(struct raw_service, scheduler),
	TEXT(struct raw_service, empty),
	TEXT(struct raw_service, unknown_port),
	TEXT(struct raw_service, quic),
	TEXT(struct raw_service, mss),
	TEXT(struct raw_service, vlan),
	TEXT(struct raw_service, client_vlan),
	TEXT(struct raw_service, quic_id_length),
	TEXT(struct raw_service, quic_id_offset),
	TEXT(struct raw_service, quic_id_config),
	TEXT(struct raw_service, grace_ms),
	TEXT(struct raw_service, drain_ms),
	TEXT(struct raw_service, backends_max),
	LIST(struct raw_service, backends, &backend_entry),
	SECTION(struct raw_service, autoscale, autoscale_fields),
	SECTION(struct raw_service, guard, service_guard_fields),
	SECTION(struct raw_service, health, health_fields),
	SECTION(struct raw_service, agent_check, agent_check_fields),
	SECTION(struct raw_service, warm_up, warm_up_fields),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t service_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_service, service_fields),
};

static const cyaml_schema_field_t config_fields[] = {
	SECTION(struct raw_config, agent, agent_fields),
	SECTION(struct raw_config, limits, limits_fields),
	SECTION(struct raw_config, timeouts, timeouts_fields),
	SECTION(struct raw_config, icmp, icmp_fields),
	SECTION(struct raw_config, guard, guard_fields),
	SECTION(struct raw_config, tunnel, tunnel_fields),
	LIST(struct raw_config, interfaces, &interface_entry),
	LIST(struct raw_config, services, &service_entry),
	CYAML_FIELD_END,
};

const cyaml_schema_value_t config_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_config, config_fields),
};

const cyaml_schema_value_t service_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_service, service_fields),
};

const cyaml_schema_value_t backend_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_backend, backend_fields),
};

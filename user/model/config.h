/* SPDX-License-Identifier: GPL-2.0-only */
/* The configuration as written by people: YAML in, checked structures out. No I/O. */
#ifndef MODEL_CONFIG_H
#define MODEL_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/ip.h"
#include "model/guard_config.h"
#include "model/health_config.h"
#include "sluice/abi.h"

#define NAME_MAX_LENGTH 63 /* names of services and backends: [a-z0-9][a-z0-9.-]* */

enum attach_mode {
	ATTACH_AUTO = 0, /* native, and generic with a warning where native cannot be had */
	ATTACH_NATIVE,
	ATTACH_GENERIC,
};

struct interface_config {
	char *name;
	enum attach_mode mode;
};

struct backend_config {
	char *name;
	struct ip address;
	uint16_t port;   /* host order; 0 = the service's */
	uint32_t weight; /* 0..SLUICE_WEIGHT_MAX */
	bool drain;      /* no new flows; existing ones stay until it is removed */
	bool maint;      /* no packets at all */
};

/* What a pool is scaled by. The first three are rates; the last three backends report themselves. */
enum scale_signal {
	SIGNAL_PACKETS = 0, /* packets/s */
	SIGNAL_NEW_FLOWS,   /* new flows/s */
	SIGNAL_BYTES,       /* bytes/s */
	SIGNAL_LIVE_FLOWS,
	SIGNAL_CPU,    /* percent of a backend */
	SIGNAL_MEMORY, /* percent of a backend */
	SIGNAL_CUSTOM, /* a number of the backend's own */
	SIGNALS,
};

/* "0 8 * * 1-5 10h 6": from these minutes on, for so long, at least so many backends. UTC. */
struct scale_schedule {
	char text[64];
	uint64_t minutes; /* bits of the minutes, hours, ... that fit */
	uint32_t hours, days, months, weekdays;
	bool any_day, any_weekday; /* a star: the other field alone decides */
	uint32_t duration_min;
	uint32_t min;
};

struct autoscale_config {
	char *provisioner; /* path of the executable */
	json_t *options;   /* object of strings, handed to the provisioner as "spec" */
	enum scale_signal signal;
	double target;            /* of the signal, per backend; > 0 */
	double targets[SIGNALS];  /* of more signals; 0 = not looked at; the largest need decides */
	uint32_t min, max;        /* backends; min 0: down to none, and up at the first packet */
	uint32_t standby;         /* backends kept ready beside the pool */
	uint32_t step_down;       /* backends that may be drained at once */
	uint32_t creating_max;    /* creations in flight at once */
	uint64_t hold_ms;         /* lower need must last so long before a scale-down */
	uint64_t hold_max_ms;     /* hold after regretted scale-downs; hold_ms: no regret */
	uint64_t drain_ms;        /* a draining backend is deleted after so long */
	uint64_t call_timeout_ms; /* a provisioner call that takes longer is killed */
	uint32_t unhealthy_max;   /* percent of the pool: above it, nothing is done */
	bool trend;               /* go on from sustained growth, over the time a backend takes */
	bool learn;               /* the target of the rates follows from the cpu's or custom's */
	bool seasonal;            /* at least what was needed yesterday at this time */
	bool paused;
	bool dry_run; /* decide and say, do nothing */
	struct scale_schedule *schedules;
	size_t schedule_count;
};

struct service_config {
	char *name;
	struct ip vip;
	uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP */
	uint16_t port;    /* host order; 0 = any */
	enum forward_mode mode;
	enum tracking tracking;
	enum affinity affinity;
	enum scheduler scheduler;
	enum empty_answer empty;
	enum empty_answer unknown_port; /* of the VIP: all its services say the same */
	bool quic;
	uint16_t mss;           /* TCP: the largest that a SYN may offer; 0 = any */
	uint16_t vlan;          /* of the way to the backends: an ID, VLAN_KEEP or VLAN_NONE */
	uint16_t client_vlan;   /* mode nat: of the way back to the clients */
	uint8_t quic_id_length; /* see struct service; 0 = connection IDs are not looked at */
	uint8_t quic_id_offset;
	uint8_t quic_id_config;
	uint64_t grace_ms;        /* UDP: see struct service */
	uint64_t drain_ms;        /* default deadline of a drain */
	uint32_t backends_max;    /* the largest pool; sizes the slot table */
	struct guard_lists guard; /* of the config file only: a clone has none, see model/guard.h */
	struct new_flow_limit new_flow_limit;
	struct backend_config *backends;
	size_t backend_count;
	struct autoscale_config *autoscale;     /* NULL: not scaled */
	struct health_config *health;           /* NULL: every backend is taken as healthy */
	struct agent_check_config *agent_check; /* NULL: the backends are not asked */
	uint64_t warm_up_ms;    /* weight ramp of what is new or was down; 0: none */
	uint32_t warm_up_first; /* where it begins; see struct health_rules */
};

struct limits_config {
	uint32_t services; /* records */
	uint32_t backends; /* records */
	uint32_t slots;    /* slots of all tables together, both copies counted */
	uint32_t flows;    /* entries; rounded up to a power of two of buckets */
};

struct timeouts_config {
	uint64_t closing_ms, probation_ms, tcp_idle_ms, udp_idle_ms;
};

enum echo_answer {
	ECHO_ANSWER = 0, /* by the data plane itself */
	ECHO_PASS,       /* by the host */
};

struct icmp_config {
	enum echo_answer echo; /* of pings to a VIP */
	uint32_t echo_rate;    /* answers per second and CPU */
	uint32_t error_rate;   /* ICMP errors per second and CPU */
};

struct tunnel_config {
	uint16_t gue_port; /* UDP port that backends take GUE at; host order */
	/* Outer sources; all zero: the host's own address. */
	struct prefix source_prefix4, source_prefix6;
};

struct config {
	char *pin_dir;       /* /sys/fs/bpf/sluice */
	char *socket;        /* /run/sluice/sluice.sock */
	char *socket_group;  /* of the socket; NULL: "sluice" if there is that group, else root */
	char *state_dir;     /* /var/lib/sluice */
	char *metrics;       /* "127.0.0.1:9980"; empty = off */
	bool metrics_remote; /* an address that other hosts reach is meant */
	bool sandbox;
	char **executables; /* folders and files that may be run, NULL at the end; NULL = any */
	char *owner;        /* names the objects of this agent; [a-z0-9-]; default "sluice" */
	uint64_t seed;
	struct limits_config limits;
	struct timeouts_config timeouts;
	struct icmp_config icmp;
	struct guard_lists guard;
	struct tunnel_config tunnel;
	struct interface_config *interfaces;
	size_t interface_count;
	struct service_config *services;
	size_t service_count;
};

/*
 * config_parse - read and check a whole YAML text. name stands for the file in messages, which
 * read "name:line:column: what is wrong; what to do". *ret_config belongs to the caller.
 * Returns 0, -EINVAL for a config that is wrong, -ENOMEM.
 */
int config_parse(const char *text, size_t length, const char *name, struct config **ret_config,
		 struct error *error);

void config_free(struct config *config);

/*
 * config_load_lists - read the guard's list files that the config names. read is file_read(), for
 * this layer has no files. Returns 0, -EINVAL with "file:line: what is wrong", or what read gave.
 */
typedef int (*config_read_fn)(const char *path, size_t limit, char **ret_text, size_t *ret_length,
			      struct error *error);
int config_load_lists(struct config *config, config_read_fn read, struct error *error);

/*
 * service_config_from_json - the same fields, names and checks for the API: one service object
 * with its backends. service_config_to_json gives the object back (a new reference).
 */
int service_config_from_json(const json_t *object, struct service_config **ret_service,
			     struct error *error);
json_t *service_config_to_json(const struct service_config *service);
void service_config_free(struct service_config *service);
struct service_config *service_config_clone(const struct service_config *service);
/* service_config_equal - whether all is the same that service_config_to_json() gives. */
bool service_config_equal(const struct service_config *a, const struct service_config *b);

int backend_config_from_json(const json_t *object, struct backend_config *ret_backend,
			     struct error *error);
void backend_config_clear(struct backend_config *backend);

/* config_slot_count - the prime size of a table for at most backends_max backends. */
uint32_t config_slot_count(uint32_t backends_max);

/*
 * quic_server_id - a backend's server ID of quic_id_length bytes: the last ones of its address, an
 * IPv4 address being read as ::ffff:a.b.c.d. So a server knows its own, and so does every host that
 * balances to it.
 */
void quic_server_id(const struct service_config *service, const struct ip *address,
		    uint8_t ret_id[SLUICE_QUIC_ID_MAX]);

/* config_slot_lines - lines of map "slots" that one table of so many slots takes. */
uint32_t config_slot_lines(uint32_t slot_count);

/* config_backend_capacity - records of a pool: more than backends_max, for retired numbers. */
uint32_t config_backend_capacity(uint32_t backends_max);

/* service_retags - whether packets of the service leave with other VLAN tags than they came with. */
bool service_retags(const struct service_config *service);

/*
 * service_nat_clash - whether a backend of this service has the address and port of one of the
 * other, both in mode nat and of one protocol. ret_number: which of service->backends.
 */
bool service_nat_clash(const struct service_config *service, const struct service_config *other,
		       size_t *ret_number);

/* name_valid - whether text may name a service or backend. */
bool name_valid(const char *text);

/* The words of config, API and CLI for an enum, NULL-terminated and in its order. */
extern const char *const forward_mode_names[],
	*const tracking_names[], *const affinity_names[],
					 *const scheduler_names[],
						 *const empty_answer_names[],
							 *const echo_answer_names[],
								 *const scale_signal_names[],
									 *const attach_mode_names[];

#endif

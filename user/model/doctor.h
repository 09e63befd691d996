/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is wrong with a host and its agent, or will be: facts in, findings out, each with how bad it
 * is and a command that mends it. Pure: the facts are gathered by who has them.
 */
#ifndef MODEL_DOCTOR_H
#define MODEL_DOCTOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/host.h"
#include "base/ip.h"
#include "model/config.h"

enum severity {
	SEVERITY_NOTE = 0, /* worth knowing; no need to do anything */
	SEVERITY_WARNING,  /* slower, or wrong in some cases */
	SEVERITY_ERROR,    /* packets are lost, or will be */
};
extern const char *const severity_names[];

/* An interface that is balanced, or is to be by the config. */
struct doctor_link {
	struct host_link host;
	bool attached;         /* the agent has the program there */
	uint32_t carrier_lost; /* how often it lost its link since the agent looks */
};

/* A backend with the way to it, as the agent knows it. */
struct doctor_backend {
	const char *service, *name;
	struct ip address;
	bool reachable;
	const char *problem; /* why not, or NULL */
	char interface[IF_NAMESIZE];
	uint32_t way_mtu;  /* 0: not known */
	uint32_t overhead; /* bytes before each packet */
	uint32_t mss;      /* that the service clamps to; 0: none */
};

struct doctor_facts {
	struct host_facts host;
	const char *pin_dir, *state_dir;
	const char *agent_problem; /* why the agent does not answer; NULL: it does */
	bool agent_asked;          /* the facts of links and backends are from the agent */
	uint32_t abi, maps_abi;    /* of the agent, and of the pinned maps; 0: not known */
	struct doctor_link *links;
	size_t link_count;
	struct doctor_backend *backends;
	size_t backend_count;
	bool nat4, nat6; /* there is a service in mode nat of this family */
};

/*
 * doctor_judge - [{"check", "severity", "subject", "text", "fix"}], the worst first. A new
 * reference, or NULL without memory. What the facts leave open is not judged.
 */
json_t *doctor_judge(const struct doctor_facts *facts);

/* doctor_worst - the worst severity in findings; SEVERITY_NOTE if there is nothing worse. */
enum severity doctor_worst(const json_t *findings);

#endif

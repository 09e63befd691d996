/* SPDX-License-Identifier: GPL-2.0-only */
/* What a verb is, as data: its name, its parameters with their bounds, its help, its function. */
#ifndef CLI_VERB_H
#define CLI_VERB_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* The statuses that are no failure of the command itself; 'sluice --help' names all. */
#define EXIT_USAGE     2
#define EXIT_DIFFERENT 3 /* plan, diff: there is something to report; doctor: warnings */
#define EXIT_TROUBLE   4 /* doctor: errors */

#define PARAMETERS_MAX 28

enum parameter_kind {
	PARAMETER_FLAG,
	PARAMETER_TEXT,
	PARAMETER_NAME, /* of a service or backend */
	PARAMETER_ADDRESS,
	PARAMETER_PORT,     /* 1..65535 */
	PARAMETER_PORT_ANY, /* 1..65535 or "any" */
	PARAMETER_VLAN,     /* 1..4094, "keep" or "none" */
	PARAMETER_NUMBER,   /* minimum..maximum */
	PARAMETER_REAL,     /* above 0 */
	PARAMETER_DURATION, /* "30s"; the number is in ms */
	PARAMETER_CHOICE,   /* one of choices */
};

/* An option ("--weight") or an argument by its place ("SERVICE"). */
struct parameter {
	const char *name;
	char letter;       /* of an option: its short form, or 0 */
	const char *value; /* what help calls an option's value */
	const char *help;
	enum parameter_kind kind;
	bool required;
	uint64_t minimum, maximum;
	const char *const *choices; /* NULL-terminated */
	const char *key;            /* its field in the request's body; NULL: not in it */
};

struct call;

struct verb {
	const char *name; /* "status", "backend drain" */
	const char *summary;
	const char *example;
	bool local;                                         /* asks no agent */
	struct parameter parameters[PARAMETERS_MAX];        /* ends with one that has no name */
	int (*run)(struct call *call, struct error *error); /* 0 or -errno, -EINVAL: usage */
};

/* What was given for a parameter. */
struct value {
	const char *text; /* NULL: nothing */
	uint64_t number;
	double real;
};

/* A verb as it was called. */
struct call {
	const struct verb *verb;
	const char *socket;
	bool json;
	bool colour;
	long timeout_s;                      /* of a request; 0 = the standard */
	int status;                          /* exit status of a success; EXIT_SUCCESS at first */
	struct value values[PARAMETERS_MAX]; /* in the order of the verb's parameters */
};

/* call_value - by the parameter's name, which the verb has. */
const struct value *call_value(const struct call *call, const char *name);
const char *call_text(const struct call *call, const char *name);

/* call_body - an object of what was given for the parameters that have a key. NULL: no memory. */
json_t *call_body(const struct call *call);

/*
 * call_parse - read the words after the verb's name into call->values, -s and --json. Returns 0,
 * 1 if help is asked for, or -EINVAL with a message.
 */
int call_parse(struct call *call, int count, char **words, struct error *error);

/* What every verb takes: --socket first, then --color; ends with one that has no name. */
extern const struct parameter common_options[];

/*
 * call_common - if words[*at] is one of these, take it with its value and move *at to the last word
 * of it. Returns 1, 0 if it is none of them, or -EINVAL with a message.
 */
int call_common(struct call *call, int count, char **words, int *at, struct error *error);

/* The verbs by subject, each array ends with one that has no name. */
extern const struct verb status_verbs[], interface_verbs[], service_verbs[], backend_verbs[],
	backend_show_verbs[], plan_verbs[], diff_verbs[], config_verbs[], scale_verbs[],
	flows_verbs[], guard_verbs[], decap_verbs[], doctor_verbs[], events_verbs[],
	completion_verbs[], help_verbs[], health_verbs[], provision_verbs[];
extern const struct verb *const all_verbs[]; /* ends with NULL */

#define PARAMETER_SERVICE                                                                 \
	{                                                                                 \
		.name = "SERVICE", .help = "name of the service", .kind = PARAMETER_NAME, \
		.required = true,                                                         \
	}
#define PARAMETER_BACKEND                                                                 \
	{                                                                                 \
		.name = "BACKEND", .help = "name of the backend", .kind = PARAMETER_NAME, \
		.required = true,                                                         \
	}

#endif

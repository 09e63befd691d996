/* SPDX-License-Identifier: GPL-2.0-only */
/* A trial of a provisioner: what the checks share. Calls are made, judged, and kept for findings. */
#ifndef CLI_PROVISION_TRIAL_H
#define CLI_PROVISION_TRIAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "cli/plugin.h"

/* Exit statuses of the contract, docs/PROVISIONERS.md. */
enum {
	STATUS_DONE = 0,
	STATUS_RETRY = 10,
	STATUS_QUOTA = 11,
	STATUS_BAD_CONFIG = 12,
	STATUS_CONFLICT = 14,
	STATUS_GOING_ON = 15,
};

#define TRIAL_OBJECTS 2 /* that are there at the same time, at most */

struct trial {
	/* what is asked for */
	const char *path;
	const char *owner, *other; /* two owners that nobody else has */
	json_t *service, *spec;
	uint64_t timeout_ms; /* of a call */
	int interrupts;      /* a signalfd */
	bool interrupted;
	uint64_t (*clock_ms)(void);

	/* what it has said */
	bool gets, resizes;
	json_t *sizes; /* borrowed from capabilities */
	json_t *capabilities;
	uint32_t delay_ms;
	uint64_t create_ms, delete_ms; /* that they took */
	struct ip address;             /* of object 1 */
	uint16_t port;
	uint32_t minted; /* the number of the last name */

	/* of the last call, for a finding */
	char *sent, *answered;
	char found[400], next[400];
};

struct reply {
	int status;     /* exit status */
	json_t *answer; /* of status 0 */
};

enum check_result {
	CHECK_OK,
	CHECK_FAILED,
	CHECK_SKIPPED
};

struct check {
	const char *name;
	const char *contract; /* what is to hold */
	enum check_result (*run)(struct trial *trial);
};
extern const struct check provision_questions[], provision_life[]; /* end with no name */

/* failed, skipped - what was found and what to do; why not. Both return the result. */
enum check_result check_failed(struct trial *trial, const char *next, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
enum check_result check_skipped(struct trial *trial, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* request_make - an object to send: name, service and size may be NULL. A new reference. */
json_t *request_make(const struct trial *trial, const char *owner, const char *name,
		     const json_t *service, const char *size);

/*
 * trial_call - one call. input is released. Returns false, with a finding, if it broke what holds for
 * every call: it ends by itself in time, says one JSON object if it is done and a reason if not.
 */
bool trial_call(struct trial *trial, const char *verb, json_t *input, struct reply *ret_reply);
bool trial_call_text(struct trial *trial, const char *verb, const char *input,
		     struct reply *ret_reply);
void reply_clear(struct reply *reply);

/* trial_keep - what a call has answered, for findings. */
void trial_keep(struct trial *trial, const struct plugin_call *call);

/* trial_kill - start a call and kill it, with all that it started, after so many ms. */
void trial_kill(struct trial *trial, const char *verb, json_t *input, uint64_t after_ms);

/*
 * trial_done - call until it is done: as long as it is still at it, or asks to be called again. Returns
 * its status, with the answer if it is 0, or -1 with a finding: another one is for the caller to judge.
 */
int trial_done(struct trial *trial, const char *verb, json_t *input, json_t **ret_answer);

/* name_mint - a name as the agent's are; size: at least NAME_ROOM. */
#define NAME_ROOM 80
void name_mint(struct trial *trial, char *name);

/*
 * listed - how often an owner's list has the name, which is asked until it is as often as wanted or
 * the delay that it may have is over. -1 with a finding.
 */
int listed(struct trial *trial, const char *owner, const char *name, int wanted);

/* deleted - delete the name of trial->owner, and see that it has gone. False with a finding. */
bool deleted(struct trial *trial, const char *name);

/* trial_run - run the checks of a table; each one is handed to tell, and becomes part of the report. */
void trial_run(struct trial *trial, const struct check *checks, json_t *report);

/* trial_sweep - delete whatever either owner has. Returns what is left, or -1 if it cannot be told. */
int trial_sweep(struct trial *trial);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The protocol between the agent and the objects that provisioners make for it: which call is next,
 * and what is to be journaled. Pure; time is passed in. tests/unit/provision.c runs it against a
 * provisioner that is late, lies and loses answers, and kills it between any two steps.
 *
 * What is journaled of an object is its name and its stage, before the call that it asks for is
 * begun. All else is in struct provision, in memory: a crash loses it, and the protocol begins with
 * one of zeros. Its names are never used again, so that a call which takes effect late, or an old
 * list, can mean no other object.
 *
 * A creation whose call did not end with success may take effect until the provisioner's
 * consistency delay has passed. Until then a deletion that succeeded proves nothing: it is repeated
 * after that time, and only then is the object forgotten.
 */
#ifndef MODEL_PROVISION_H
#define MODEL_PROVISION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a call ended. */
enum provisioner_outcome {
	PROVISIONER_DONE = 0,
	PROVISIONER_RETRY,      /* exit status 10: a passing trouble */
	PROVISIONER_QUOTA,      /* 11 */
	PROVISIONER_BAD_CONFIG, /* 12 */
	PROVISIONER_CONFLICT,   /* 14: the name is there with another spec */
	PROVISIONER_GOING_ON,   /* 15: ask again with the same name */
	PROVISIONER_FAILED,     /* any other status, or a signal */
	PROVISIONER_TIMEOUT,    /* killed by us */
	PROVISIONER_RUBBISH,    /* status 0, but not the answer that was asked for */
	PROVISIONER_MISSING,    /* could not be started */
	PROVISIONER_OUTCOMES,
};

/* What the journal has of an object. */
enum provision_stage {
	PROVISION_INTENDED = 0, /* its name is minted: it is to be created */
	PROVISION_THERE,        /* it was created */
	PROVISION_UNWANTED,     /* it is to be deleted; there is no way back */
};

enum provision_call {
	PROVISION_CALL_NONE = 0,
	PROVISION_CALL_CREATE,
	PROVISION_CALL_DELETE,
};

/* What a creation came to. */
enum provision_verdict {
	PROVISION_OPEN = 0,
	PROVISION_SERVES,  /* created; not yet journaled */
	PROVISION_FAILED,  /* to be deleted by name; not yet journaled */
	PROVISION_FOREIGN, /* the name is another's; what is ours is found by list */
};

/* What is remembered of an object; zeroed at first. */
struct provision {
	enum provision_call call; /* under way */
	enum provision_call last; /* the same, or the last one */
	enum provision_verdict verdict;
	bool gone;          /* deleted, and nothing can bring it back; not yet journaled */
	uint32_t failures;  /* of calls, in a row */
	uint64_t call_ms;   /* when that began */
	uint64_t since_ms;  /* when the first call of the creation began; 0 = it did not */
	uint64_t retry_ms;  /* no call before */
	uint64_t settle_ms; /* a creation that was cut off may take effect until then */
};

struct provision_input {
	uint64_t now_ms;
	uint64_t started_ms;  /* of the agent: any call before may have been cut off by its end */
	uint64_t delay_ms;    /* the provisioner's consistency delay */
	uint64_t patience_ms; /* a creation that goes on for longer has failed */
	enum provision_stage stage;
	bool may_create; /* its provisioner is known to be able to */
	bool outdated;   /* the config means another provisioner, or other options, by now */
	uint32_t seed;   /* of the jitter: objects that fail together are not tried together */
};

enum provision_action {
	PROVISION_WAIT = 0,
	PROVISION_CREATE,  /* begin the call; then provision_begun() */
	PROVISION_DELETE,  /* the same */
	PROVISION_CANCEL,  /* end the call under way; then provision_cancelled() */
	PROVISION_JOIN,    /* it serves: journal it as PROVISION_THERE, once it can be reached */
	PROVISION_GIVE_UP, /* journal it as PROVISION_UNWANTED */
	PROVISION_FORGET,  /* journal that it is no more */
};

/* provision_step - what is to be done next. Done twice, it is the same. */
enum provision_action provision_step(struct provision *provision,
				     const struct provision_input *input);

/* What became of that. */
void provision_begun(struct provision *provision, enum provision_call call,
		     const struct provision_input *input);
void provision_cancelled(struct provision *provision, const struct provision_input *input);
void provision_replied(struct provision *provision, enum provisioner_outcome outcome,
		       const struct provision_input *input);

/* provision_unreachable - it serves, but packets have no way to it: that creation has failed. */
void provision_unreachable(struct provision *provision);

/* provision_unsettled - whether a call may still take effect that nobody waits for any more. */
bool provision_unsettled(const struct provision *provision, const struct provision_input *input);

/*
 * provision_backoff_ms - how long to wait after so many failures in a row: 1 s doubling to 60 s, of
 * which chance takes up to a quarter away.
 */
uint64_t provision_backoff_ms(uint32_t failures, uint32_t seed);

/* ------------------------------------------------------------------ names */

/*
 * provision_name - "SERVICE-OWNER-NUMBER" with the next number; 0 or -EINVAL if that is no name.
 * The first number of a pool is the time, in seconds since 2026: so what was lost, with the journal
 * or with a service that comes back, is not minted again.
 */
int provision_name(char *name, size_t size, const char *service, const char *owner,
		   uint32_t *sequence, uint64_t wall_ms);

/* provision_name_ours - whether this owner may have minted it for this service. */
bool provision_name_ours(const char *name, const char *service, const char *owner);

/* ------------------------------------------------------------------ lists */

/*
 * When a provisioner is asked for its list, in which objects are found that nobody knows: at the
 * start, after what may have taken effect late, and now and then. Zeroed at first.
 */
struct provision_list {
	bool calling, late;
	uint32_t failures, replies;
	uint64_t due_ms;
};

bool provision_list_due(const struct provision_list *list, uint64_t now_ms);
void provision_list_begun(struct provision_list *list);
void provision_list_replied(struct provision_list *list, bool done, uint64_t now_ms,
			    uint64_t delay_ms, uint32_t seed);
/* provision_list_hurry - a call was cut off: look when the delay has passed for it and the list. */
void provision_list_hurry(struct provision_list *list, uint64_t now_ms, uint64_t delay_ms);

#endif

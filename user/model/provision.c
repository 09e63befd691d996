// SPDX-License-Identifier: GPL-2.0-only
/* Which call of a provisioner is next for an object, and what is to be journaled of it. */
#include "model/provision.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "model/autoscale.h"
#include "model/config.h"

#define GOING_ON_MS   1000u       /* until a provisioner that is still at it is asked again */
#define LIST_MS       300000u     /* between two lists when nothing has happened */
#define LIST_AFTER_MS 1000u       /* behind the last moment at which something may show late */
#define EPOCH_S       1767225600u /* 2026-01-01 */

uint64_t provision_backoff_ms(uint32_t failures, uint32_t seed)
{
	uint64_t wait = autoscale_backoff_ms(failures);
	uint32_t chance = (seed ^ failures * 0x9e3779b9u) * 0x85ebca6bu;

	return wait - wait / 4 * (chance >> 16) / 0xffff;
}

/* ------------------------------------------------------------------ an object */

/* Until when an effect may come of calls that were cut off: those of this agent, or of its last. */
static uint64_t settled_at(const struct provision *provision, const struct provision_input *input)
{
	uint64_t start = input->started_ms + input->delay_ms;

	return provision->settle_ms > start ? provision->settle_ms : start;
}

bool provision_unsettled(const struct provision *provision, const struct provision_input *input)
{
	return input->now_ms < settled_at(provision, input);
}

static void cut_off(struct provision *provision, const struct provision_input *input)
{
	provision->settle_ms = input->now_ms + input->delay_ms;
}

static enum provision_action create_step(const struct provision *provision,
					 const struct provision_input *input)
{
	if (provision->verdict == PROVISION_SERVES)
		return PROVISION_JOIN;
	if (provision->verdict == PROVISION_FOREIGN)
		return PROVISION_FORGET;
	/* Giving up makes it unwanted, and then the call under way is cancelled. */
	if (provision->verdict == PROVISION_FAILED || input->outdated)
		return PROVISION_GIVE_UP;
	if (provision->call || !input->may_create || input->now_ms < provision->retry_ms)
		return PROVISION_WAIT;
	return PROVISION_CREATE;
}

static enum provision_action delete_step(struct provision *provision,
					 const struct provision_input *input)
{
	if (provision->call == PROVISION_CALL_CREATE)
		return PROVISION_CANCEL;
	if (provision->gone)
		return PROVISION_FORGET;
	/* What a creation waited for is nothing that a deletion waits for. */
	if (provision->last == PROVISION_CALL_CREATE)
		*provision = (struct provision){.settle_ms = provision->settle_ms};
	if (provision->call || input->now_ms < provision->retry_ms)
		return PROVISION_WAIT;
	return PROVISION_DELETE;
}

enum provision_action provision_step(struct provision *provision,
				     const struct provision_input *input)
{
	switch (input->stage) {
	case PROVISION_INTENDED:
		return create_step(provision, input);
	case PROVISION_UNWANTED:
		return delete_step(provision, input);
	default:
		return provision->call ? PROVISION_CANCEL : PROVISION_WAIT;
	}
}

void provision_begun(struct provision *provision, enum provision_call call,
		     const struct provision_input *input)
{
	provision->call = provision->last = call;
	provision->call_ms = input->now_ms;
	if (!provision->since_ms)
		provision->since_ms = input->now_ms;
}

void provision_cancelled(struct provision *provision, const struct provision_input *input)
{
	if (provision->call == PROVISION_CALL_CREATE)
		cut_off(provision, input);
	*provision = (struct provision){.settle_ms = provision->settle_ms};
}

void provision_unreachable(struct provision *provision)
{
	provision->verdict = PROVISION_FAILED;
}

static void create_replied(struct provision *provision, enum provisioner_outcome outcome,
			   const struct provision_input *input)
{
	/* A conflict is an answer: nothing comes of that call. */
	if (outcome != PROVISIONER_DONE && outcome != PROVISIONER_CONFLICT)
		cut_off(provision, input);
	switch (outcome) {
	case PROVISIONER_DONE:
		provision->verdict = PROVISION_SERVES;
		provision->failures = 0;
		return;
	case PROVISIONER_GOING_ON:
		if (input->now_ms - provision->since_ms >= input->patience_ms)
			provision->verdict = PROVISION_FAILED;
		provision->retry_ms = input->now_ms + GOING_ON_MS;
		return;
	case PROVISIONER_RETRY:
	case PROVISIONER_MISSING:
		provision->failures++;
		provision->retry_ms =
			input->now_ms + provision_backoff_ms(provision->failures, input->seed);
		return;
	case PROVISIONER_CONFLICT:
		provision->verdict = PROVISION_FOREIGN;
		return;
	default:
		provision->verdict = PROVISION_FAILED;
	}
}

static void delete_replied(struct provision *provision, enum provisioner_outcome outcome,
			   const struct provision_input *input)
{
	uint64_t settled = settled_at(provision, input);

	if (outcome == PROVISIONER_DONE) {
		provision->gone = provision->call_ms >= settled;
		provision->retry_ms = settled;
		provision->failures = 0;
	} else if (outcome == PROVISIONER_GOING_ON) {
		provision->retry_ms = input->now_ms + GOING_ON_MS;
	} else {
		provision->failures++;
		provision->retry_ms =
			input->now_ms + provision_backoff_ms(provision->failures, input->seed);
	}
}

void provision_replied(struct provision *provision, enum provisioner_outcome outcome,
		       const struct provision_input *input)
{
	enum provision_call call = provision->call;

	provision->call = PROVISION_CALL_NONE;
	if (call == PROVISION_CALL_CREATE)
		create_replied(provision, outcome, input);
	else if (call == PROVISION_CALL_DELETE)
		delete_replied(provision, outcome, input);
}

/* ------------------------------------------------------------------ names */

int provision_name(char *name, size_t size, const char *service, const char *owner,
		   uint32_t *sequence, uint64_t wall_ms)
{
	uint64_t now_s = wall_ms / 1000;
	int length;

	if (!*sequence && now_s > EPOCH_S)
		*sequence = (uint32_t)(now_s - EPOCH_S);
	length = snprintf(name, size, "%s-%s-%" PRIu32, service, owner, ++*sequence);
	return length > 0 && (size_t)length < size && name_valid(name) ? 0 : -EINVAL;
}

bool provision_name_ours(const char *name, const char *service, const char *owner)
{
	size_t service_length = strlen(service), owner_length = strlen(owner), digits;

	if (strncmp(name, service, service_length) || name[service_length] != '-')
		return false;
	name += service_length + 1;
	if (strncmp(name, owner, owner_length) || name[owner_length] != '-')
		return false;
	name += owner_length + 1;
	digits = strspn(name, "0123456789");
	return digits && !name[digits];
}

/* ------------------------------------------------------------------ lists */

bool provision_list_due(const struct provision_list *list, uint64_t now_ms)
{
	return !list->calling && now_ms >= list->due_ms;
}

void provision_list_begun(struct provision_list *list)
{
	list->calling = true;
	list->late = false;
}

void provision_list_hurry(struct provision_list *list, uint64_t now_ms, uint64_t delay_ms)
{
	uint64_t due_ms = now_ms + 2 * delay_ms + LIST_AFTER_MS;

	/* The one under way may have been made before. */
	if (list->calling)
		list->late = true;
	else if (list->replies && list->due_ms > due_ms)
		list->due_ms = due_ms;
}

void provision_list_replied(struct provision_list *list, bool done, uint64_t now_ms,
			    uint64_t delay_ms, uint32_t seed)
{
	list->calling = false;
	if (!done) {
		list->due_ms = now_ms + provision_backoff_ms(++list->failures, seed);
		return;
	}
	list->failures = 0;
	/* What the last agent left under way may come, and be listed, later than this. */
	if (!list->replies++)
		list->late = true;
	list->due_ms = now_ms + LIST_MS;
	if (list->late)
		provision_list_hurry(list, now_ms, delay_ms);
	list->late = false;
}

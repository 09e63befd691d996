/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A list of the guard: prefixes of sources with what is answered for them, in the order of
 * prefix_compare, each once. A list never changes once it is made, so that copies of the agent's
 * state share it.
 */
#ifndef MODEL_GUARD_LIST_H
#define MODEL_GUARD_LIST_H

#include <stddef.h>

#include "base/error.h"
#include "model/prefix.h"
#include "sluice/abi.h"

struct guard_rule {
	struct prefix prefix;
	enum guard_answer answer;
	enum guard_answer configured; /* of a rule set at run time: what the config said then */
	bool runtime;                 /* set at run time, by a person */
};

struct guard_list {
	unsigned int users;
	char *text; /* as it is saved, once it was asked for: see guard_list_text */
	size_t count;
	struct guard_rule rules[];
};

extern const char *const guard_answer_names[]; /* "none", "deny", "allow" */

/*
 * guard_list_new - sorted, of rules in any order. A prefix that is there twice with one answer
 * counts once; with two answers it is -EINVAL. -ENOMEM.
 */
int guard_list_new(const struct guard_rule *rules, size_t count, struct guard_list **ret_list,
		   struct error *error);

/* guard_list_keep - one user more; guard_list_drop - one less. Both take NULL. */
struct guard_list *guard_list_keep(struct guard_list *list);
void guard_list_drop(struct guard_list *list);

/* guard_list_find - the rule of exactly this prefix, or NULL. The list may be NULL. */
const struct guard_rule *guard_list_find(const struct guard_list *list,
					 const struct prefix *prefix);

/*
 * guard_list_text - a list of run-time rules as it is saved: "deny 192.0.2.0/24 none" is the
 * answer, the prefix and what was configured; rules are parted by commas. It is made once and
 * belongs to the list. NULL: no memory.
 */
const char *guard_list_text(struct guard_list *list);

/* guard_list_parse - the other way. Returns 0, -EINVAL or -ENOMEM with a message. */
int guard_list_parse(const char *text, struct guard_list **ret_list, struct error *error);

/* guard_list_seek - the number of rules before this prefix, or up to it if past is set. */
size_t guard_list_seek(const struct guard_list *list, const struct prefix *prefix, bool past);

/* guard_list_match - the rule of the longest prefix that has the address, or NULL. */
const struct guard_rule *guard_list_match(const struct guard_list *list, const struct ip *address);

/*
 * guard_list_set - the run-time rules after these were set as well: those of `rules` whose answer
 * is not what is configured. Either list may be NULL. 0 or -ENOMEM.
 */
int guard_list_set(const struct guard_list *configured, const struct guard_list *runtime,
		   const struct guard_list *rules, struct guard_list **ret_runtime);

/*
 * guard_list_follow - the run-time rules that are left with this configured list: those about which
 * the config says the same as before. 0 or -ENOMEM.
 */
int guard_list_follow(const struct guard_list *configured, const struct guard_list *runtime,
		      struct guard_list **ret_runtime);

/* guard_list_merge - what is in force: run-time rules over configured ones. 0 or -ENOMEM. */
int guard_list_merge(const struct guard_list *configured, const struct guard_list *runtime,
		     struct guard_list **ret_list);

/* ------------------------------------------------------------------ writes to the map */

/* A list as the map holds it: for a service's number, or GUARD_ALL. */
struct guard_part {
	uint32_t service;
	const struct guard_list *list; /* may be NULL: nothing */
};

struct guard_write {
	uint32_t service;
	struct guard_rule rule;
};

/*
 * What leads from one content of the map to another. Writes, made in their order, and then removals
 * in theirs: so after each of them every source has its old answer or its new one.
 */
struct guard_changes {
	struct guard_write *writes, *removals;
	size_t write_count, removal_count;
};

/* guard_changes_make - 0 or -ENOMEM; to be cleared in either case. */
int guard_changes_make(const struct guard_part *before, size_t before_count,
		       const struct guard_part *after, size_t after_count,
		       struct guard_changes *ret_changes);
void guard_changes_clear(struct guard_changes *changes);

#endif

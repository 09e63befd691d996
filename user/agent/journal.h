/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The journal: one file, state_dir/journal, of all that the agent wants. It begins with a snapshot,
 * and each change is appended to it, and synced, before anything takes effect outside. Events that
 * change nothing wanted are in it too, so that their numbers go on after a restart; they are not
 * synced one by one. When it has grown it is written anew, beside, a slice at a time, and renamed.
 *
 * Records are framed as model/journal.h says. What is in them is private to the agent.
 */
#ifndef AGENT_JOURNAL_H
#define AGENT_JOURNAL_H

#include <uv.h>

#include "agent/desired.h"
#include "base/error.h"
#include "model/cause.h"
#include "model/event_log.h"

struct journal;

/*
 * journal_open - read what is there; a torn tail is cut. What an earlier version saved (state.json)
 * is read instead if there is no journal. -EINVAL: damaged, with a message; nothing is touched.
 */
int journal_open(uv_loop_t *loop, const char *state_dir, struct journal **ret_journal,
		 struct error *error);

/* journal_found - what was read, and of which maps; NULL if nothing was. The journal's. */
const struct desired *journal_found(const struct journal *journal, uint64_t *ret_instance);

/*
 * journal_begin - to be called once, with what is wanted from now on: the change from what was
 * found is appended, or, if found is false, a new journal is begun; its history is kept.
 */
int journal_begin(struct journal *journal, uint64_t instance, const struct change_cause *cause,
		  const struct desired *desired, bool found, struct error *error);

/*
 * journal_change - append a change, and sync. If nothing changed nothing is written. On error the
 * journal is as it was, and the change must not be made.
 */
int journal_change(struct journal *journal, const struct change_cause *cause,
		   const struct desired *old, const struct desired *now, struct error *error);

/*
 * journal_undo - the last change, from old to now, was taken back: append the way back; if there is
 * no room for that, cut the change off.
 */
int journal_undo(struct journal *journal, const struct change_cause *cause,
		 const struct desired *old, const struct desired *now, struct error *error);

/*
 * journal_event - note what happened and changed nothing wanted. event: a word like "interface";
 * service: whom it concerns, or NULL.
 */
void journal_event(struct journal *journal, const char *event, const struct change_cause *cause,
		   const char *service);

/* journal_tidy - begin to write it anew if it has grown. desired: what is wanted now; copied. */
void journal_tidy(struct journal *journal, const struct desired *desired);

/* journal_events - the latest events, changes among them. */
const struct event_log *journal_events(const struct journal *journal);

/* journal_watch - call this after each event that comes. */
void journal_watch(struct journal *journal, void (*told)(void *data), void *data);

/* journal_stop - let go of the loop. journal_free - after the loop has run out. Both take NULL. */
void journal_stop(struct journal *journal);
void journal_free(struct journal *journal);

#endif

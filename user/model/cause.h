/* SPDX-License-Identifier: GPL-2.0-only */
/* The cause of a change: who asked for it, and why, in words. Journal and events show it. */
#ifndef MODEL_CAUSE_H
#define MODEL_CAUSE_H

#include <stdbool.h>
#include <stdint.h>

enum cause_kind {
	CAUSE_CONFIG = 0, /* the config file, at a start or a reload */
	CAUSE_PERSON,     /* somebody, over the API */
	CAUSE_HEALTH,     /* a health check */
	CAUSE_AUTOSCALER,
	CAUSE_AGENT, /* the agent itself: a drain's deadline, numbers that are free again */
};
extern const char *const cause_kind_names[]; /* "config", "person", ...; ends with NULL */

#define CAUSE_USER_MAX 64
#define CAUSE_WHY_MAX  256

struct change_cause {
	enum cause_kind kind;
	/* Of CAUSE_PERSON: the process at the other end of the socket, when it connected. */
	bool peer_known;
	uint32_t uid, pid;
	char user[CAUSE_USER_MAX]; /* the name of uid; "" if it has none */
	char why[CAUSE_WHY_MAX];
	/* Of CAUSE_AUTOSCALER: what model/scale_history.h reads, the caller's; or NULL. */
	struct json_t *scale;
};

/* cause_make - of any kind. The text is made one line, and shortened in its middle if it must be. */
struct change_cause cause_make(enum cause_kind kind, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Room for the longest text of cause_who. */
#define CAUSE_WHO_MAX (CAUSE_USER_MAX + 48)

/* cause_who - "config", "autoscaler", or of a person "alice (uid 1000, pid 4242)". Returns text. */
const char *cause_who(const struct change_cause *cause, char text[CAUSE_WHO_MAX]);

#endif

// SPDX-License-Identifier: GPL-2.0-only
/* The cause of a change in words. */
#include "unit.h"

#include "model/cause.h"

static void who(void **context)
{
	struct change_cause person = cause_make(CAUSE_PERSON, "drain %s", "web-1");
	struct change_cause config = cause_make(CAUSE_CONFIG, "reload");
	char text[CAUSE_WHO_MAX];

	(void)context;
	assert_string_equal(cause_who(&config, text), "config");
	assert_string_equal(cause_who(&person, text), "a person, unknown");
	person.peer_known = true;
	person.uid = 4294967294u;
	person.pid = 4194304;
	assert_string_equal(cause_who(&person, text), "uid 4294967294 (pid 4194304)");
	memset(person.user, 'u', sizeof(person.user) - 1);
	assert_int_equal(strlen(cause_who(&person, text)),
			 sizeof(person.user) - 1 + strlen(" (uid 4294967294, pid 4194304)"));
}

static void why(void **context)
{
	struct change_cause cause = cause_make(CAUSE_PERSON, "apply a\nb\033[31m");
	char longer[2 * CAUSE_WHY_MAX];

	(void)context;
	assert_string_equal(cause.why, "apply a?b?[31m");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	cause = cause_make(CAUSE_AGENT, "begin %s end", longer);
	assert_true(strlen(cause.why) < sizeof(cause.why));
	assert_memory_equal(cause.why, "begin ", 6);
	assert_string_equal(cause.why + strlen(cause.why) - 4, " end");
}

static const struct CMUnitTest cases[] = {
	CASE(who, "control/who changed something is a name, a uid and a pid, or says so"),
	CASE(why, "control/why something changed is one line that fits, whatever it quotes"),
};

UNIT_MAIN("cause", cases)

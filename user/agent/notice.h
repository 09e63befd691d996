/* SPDX-License-Identifier: GPL-2.0-only */
/* Whom a part of the agent tells what it noticed; it knows no more of the agent than this. */
#ifndef AGENT_NOTICE_H
#define AGENT_NOTICE_H

struct notice {
	void (*told)(void *data, const char *event, const char *text); /* NULL: nobody */
	void *data;
};

/* notice_tell - event: a word like "interface"; the rest says what and why. */
void notice_tell(const struct notice *notice, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif

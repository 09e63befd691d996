/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the doctor share among themselves. */
#ifndef MODEL_DOCTOR_PRIVATE_H
#define MODEL_DOCTOR_PRIVATE_H

#include "model/doctor.h"

struct findings {
	json_t *by_severity[SEVERITY_ERROR + 1];
	/* The one that is being said. */
	const char *check, *subject;
	enum severity severity;
	char text[512];
};

/* finding - begin one: what is wrong. It is added by fix(), which says what to do. */
void finding(struct findings *findings, enum severity severity, const char *check,
	     const char *subject, const char *format, ...) __attribute__((format(printf, 5, 6)));
void fix(struct findings *findings, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* doctor_link.c */
void judge_link(struct findings *findings, const struct doctor_facts *facts,
		const struct doctor_link *link);

/* doctor_backend.c */
void judge_backends(struct findings *findings, const struct doctor_facts *facts);

#endif

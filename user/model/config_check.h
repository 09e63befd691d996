/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From the texts of a config to checked values. The first thing that is wrong is kept as the
 * message; after it every check gives its default, so that the callers need not ask each time.
 */
#ifndef MODEL_CONFIG_CHECK_H
#define MODEL_CONFIG_CHECK_H

#include "model/config.h"
#include "model/config_source.h"

struct check {
	struct source *source;
	struct error *error;
	int code;       /* 0 so far; else what the caller returns */
	char path[128]; /* of the thing whose fields are checked, see source_fail */
};

struct range {
	uint64_t min, max, standard;
};

/* check_fail - field (NULL: the thing itself) is wrong in this way. */
void check_fail(struct check *check, const char *field, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void check_no_memory(struct check *check);

/* check_into, check_out - go into a thing of the thing ("agent", "backends[2]"), and out. */
size_t check_into(struct check *check, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void check_out(struct check *check, size_t length);

/* text NULL: absent, the standard value is given. */
uint64_t check_number(struct check *check, const char *field, const char *text, struct range range);
bool check_bool(struct check *check, const char *field, const char *text, bool standard);
unsigned int check_word(struct check *check, const char *field, const char *text,
			const char *const *words, unsigned int standard);
/* A copy, or NULL after a failure; a standard of NULL says that the field must be there. */
char *check_text(struct check *check, const char *field, const char *text, const char *standard);
char *check_path(struct check *check, const char *field, const char *text, const char *standard);
char *check_name(struct check *check, const char *text);
struct ip check_address(struct check *check, const char *field, const char *text);

/* One backend, or one service with its backends, in place; to be cleared by the caller. */
void check_backend(struct check *check, const struct raw_backend *raw,
		   struct backend_config *backend);
void check_service(struct check *check, const struct raw_service *raw,
		   struct service_config *service);
/* The lists of a guard, and the limit of a service's; raw NULL: there are none. */
void check_guard(struct check *check, const struct raw_guard *raw, struct guard_lists *lists);
struct new_flow_limit check_new_flow_limit(struct check *check,
					   const struct raw_new_flow_limit *raw,
					   const struct service_config *service);
struct autoscale_config *check_autoscale(struct check *check, const struct raw_autoscale *raw,
					 uint32_t backends_max);
struct health_config *check_health(struct check *check, const struct raw_health *raw,
				   const struct service_config *service);
struct agent_check_config *check_agent_check(struct check *check,
					     const struct raw_agent_check *raw);
void check_warm_up(struct check *check, const struct raw_warm_up *raw,
		   struct service_config *service);

/* service_config_clear - what check_service filled in, without the struct itself. */
void service_config_clear(struct service_config *service);

#endif

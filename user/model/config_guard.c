// SPDX-License-Identifier: GPL-2.0-only
/* Checks of the guard's part of a config, and its list files. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "model/config_check.h"

#define LIST_FILE_MAX ((size_t)32 * 1024 * 1024)

static void check_list(struct check *check, const char *field, char *const *texts,
		       unsigned int count, enum guard_answer answer, struct guard_lists *lists)
{
	struct prefix prefix;
	struct error error;

	for (unsigned int i = 0; !check->code && i < count; i++) {
		if (prefix_parse(texts[i], &prefix, &error)) {
			size_t outer = check_into(check, "%s[%u]", field, i);

			check_fail(check, NULL, "%s", error.text);
			check_out(check, outer);
		} else if (guard_lists_add(lists, &prefix, answer)) {
			check_no_memory(check);
		}
	}
}

/* A prefix that is denied and allowed, where that can be told from the config alone. */
static void check_answers(struct check *check, const struct guard_lists *lists)
{
	struct guard_list *list;
	struct error error;

	if (check->code)
		return;
	if (guard_list_new(lists->rules, lists->count, &list, &error) == 0)
		guard_list_drop(list);
	else
		check_fail(check, NULL, "%s", error.text);
}

static char *check_file(struct check *check, const char *field, const char *text)
{
	return text ? check_path(check, field, text, NULL) : NULL;
}

void check_guard(struct check *check, const struct raw_guard *raw, struct guard_lists *lists)
{
	size_t outer;

	if (!raw)
		return;
	outer = check_into(check, "guard");
	check_list(check, "deny", raw->deny, raw->deny_count, GUARD_DENY, lists);
	check_list(check, "allow", raw->allow, raw->allow_count, GUARD_ALLOW, lists);
	check_answers(check, lists);
	lists->own_count = lists->count;
	lists->deny_file = check_file(check, "deny_file", raw->deny_file);
	lists->allow_file = check_file(check, "allow_file", raw->allow_file);
	check_out(check, outer);
}

struct new_flow_limit check_new_flow_limit(struct check *check,
					   const struct raw_new_flow_limit *raw,
					   const struct service_config *service)
{
	struct new_flow_limit limit = {0};
	size_t outer;

	if (!raw)
		return limit;
	outer = check_into(check, "guard.new_flow_limit");
	if (!raw->rate)
		check_fail(check, "rate", "rate is missing; add it (new flows a second)");
	limit.rate = (uint32_t)check_number(check, "rate", raw->rate,
					    (struct range){1, GUARD_RATE_MAX, 1});
	limit.burst = (uint32_t)check_number(check, "burst", raw->burst,
					     (struct range){1, GUARD_RATE_MAX, limit.rate});
	limit.prefix4 =
		(uint32_t)check_number(check, "prefix4", raw->prefix4, (struct range){0, 32, 32});
	limit.prefix6 =
		(uint32_t)check_number(check, "prefix6", raw->prefix6, (struct range){0, 128, 64});
	if (service->protocol == IPPROTO_UDP && service->tracking == TRACKING_MINIMAL)
		check_fail(check, NULL,
			   "a limit of new flows of a UDP service needs tracking: full, or no "
			   "datagram is known to be of an old flow");
	check_out(check, outer);
	return limit;
}

static int file_load(struct guard_lists *lists, const char *path, enum guard_answer answer,
		     config_read_fn read, struct error *error)
{
	size_t length;
	char *text;
	int code;

	if (!path)
		return 0;
	code = read(path, LIST_FILE_MAX, &text, &length, error);
	if (code)
		return code;
	code = guard_lists_read(lists, text, path, answer, error);
	free(text);
	return code;
}

/* Of one scope; prefixes with two answers are found when the lists are put in order. */
static int lists_load(struct guard_lists *lists, config_read_fn read, struct error *error)
{
	struct guard_list *list;
	int code = file_load(lists, lists->deny_file, GUARD_DENY, read, error);

	if (!code)
		code = file_load(lists, lists->allow_file, GUARD_ALLOW, read, error);
	if (code || (!lists->deny_file && !lists->allow_file))
		return code;
	code = guard_list_new(lists->rules, lists->count, &list, error);
	if (code)
		error_prefix(error,
			     "%s: ", lists->deny_file ? lists->deny_file : lists->allow_file);
	else
		guard_list_drop(list);
	return code;
}

int config_load_lists(struct config *config, config_read_fn read, struct error *error)
{
	int code = lists_load(&config->guard, read, error);

	for (size_t i = 0; !code && i < config->service_count; i++)
		code = lists_load(&config->services[i].guard, read, error);
	return code;
}

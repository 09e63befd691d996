// SPDX-License-Identifier: GPL-2.0-only
/* The requests about the guard: lists in pages, an address's answer, changes at run time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api_call.h"
#include "model/guard.h"
#include "model/missing.h"

#define LIMIT_DEFAULT 100u
#define LIMIT_MAX     10000u

/* The service of the request, or NULL: all. */
static int service_check(const struct api_call *call, const char *service, struct error *error)
{
	if (!service || state_pool(call->agent->desired->state, service))
		return 0;
	return service_missing(call->agent->desired->state, service, error);
}

static const struct guard_list *list_of(const struct api_call *call, const char *service)
{
	const struct guard_scope *scope = guard_scope_find(call->agent->desired->guard, service);

	return scope ? scope->effective : NULL;
}

static size_t answers_count(const struct guard_list *list, enum guard_answer answer)
{
	size_t count = 0;

	for (size_t i = 0; list && i < list->count; i++)
		count += list->rules[i].answer == answer;
	return count;
}

static json_t *rule_view(const char *service, const struct guard_rule *rule)
{
	char text[PREFIX_TEXT_MAX];

	return json_pack("{ss?,ss,ss,ss}", "service", service, "prefix",
			 prefix_format(&rule->prefix, text), "answer",
			 guard_answer_names[rule->answer], "origin",
			 origin_names[rule->runtime ? ORIGIN_RUNTIME : ORIGIN_CONFIG]);
}

/* ------------------------------------------------------------------ reading */

struct page {
	const char *service;
	enum guard_answer answer; /* GUARD_NONE: either */
	size_t limit, first;
};

static int answer_query(const struct api_call *call, enum guard_answer *ret_answer,
			struct error *error)
{
	const char *text = http_query(call->request, "answer");

	*ret_answer = GUARD_NONE;
	if (!text || !strcmp(text, "deny"))
		*ret_answer = text ? GUARD_DENY : GUARD_NONE;
	else if (!strcmp(text, "allow"))
		*ret_answer = GUARD_ALLOW;
	else
		return error_set(error, -EINVAL, "answer: '%s' is neither deny nor allow", text);
	return 0;
}

static int limit_query(const struct api_call *call, size_t *ret_limit, struct error *error)
{
	const char *text = http_query(call->request, "limit");
	unsigned long limit;

	*ret_limit = LIMIT_DEFAULT;
	if (!text)
		return 0;
	limit = strtoul(text, NULL, 10);
	if (!*text || strlen(text) > 5 || strspn(text, "0123456789") != strlen(text) || !limit ||
	    limit > LIMIT_MAX)
		return error_set(error, -EINVAL, "limit: '%s' is not within 1..%u", text,
				 LIMIT_MAX);
	*ret_limit = limit;
	return 0;
}

static int page_read(const struct api_call *call, struct page *page, struct error *error)
{
	const char *after = http_query(call->request, "after");
	struct prefix prefix;
	int err = answer_query(call, &page->answer, error);

	if (!err)
		err = limit_query(call, &page->limit, error);
	if (err || !after)
		return err;
	err = prefix_parse(after, &prefix, error);
	if (err)
		error_prefix(error, "after: ");
	else
		page->first = guard_list_seek(list_of(call, page->service), &prefix, true);
	return err;
}

/* A page of a list, in the order of its prefixes. */
static void page_answer(struct api_call *call, const struct page *page)
{
	const struct guard_list *list = list_of(call, page->service);
	size_t count = list ? list->count : 0, place = page->first;
	json_t *rules = json_array(), *next = json_null();
	char text[PREFIX_TEXT_MAX];

	for (; place < count && json_array_size(rules) < page->limit; place++) {
		if (page->answer == GUARD_NONE || list->rules[place].answer == page->answer)
			json_array_append_new(rules, rule_view(page->service, &list->rules[place]));
	}
	if (place < count)
		next = json_string(prefix_format(&list->rules[place - 1].prefix, text));
	call->answer = json_pack("{ss?,sI,sI,so,so}", "service", page->service, "deny",
				 (json_int_t)answers_count(list, GUARD_DENY), "allow",
				 (json_int_t)answers_count(list, GUARD_ALLOW), "rules", rules,
				 "next", next);
}

static uint32_t word_of(const struct guard_rule *rule)
{
	return rule ? guard_prefix_word(rule->answer, rule->prefix.length) : 0;
}

/* What a packet from this address meets, and the rule of each list that has a say. */
static int address_answer(struct api_call *call, const char *service, const char *text,
			  struct error *error)
{
	const struct guard_rule *common, *own = NULL;
	json_t *rules;
	struct ip ip;

	if (ip_parse(text, &ip))
		return error_set(error, -EINVAL, "address: '%s' is not an IP address", text);
	common = guard_list_match(list_of(call, NULL), &ip);
	if (service)
		own = guard_list_match(list_of(call, service), &ip);
	rules = json_array();
	if (own)
		json_array_append_new(rules, rule_view(service, own));
	if (common)
		json_array_append_new(rules, rule_view(NULL, common));
	call->answer = json_pack("{ss?,ss,ss,so}", "service", service, "address", text, "answer",
				 guard_answer_names[guard_decide(word_of(common), word_of(own))],
				 "rules", rules);
	return 0;
}

int api_guard_get(struct api_call *call, struct error *error)
{
	const char *address = http_query(call->request, "address");
	struct page page = {.service = http_query(call->request, "service")};
	int err = service_check(call, page.service, error);

	if (!err && address)
		return address_answer(call, page.service, address, error);
	if (!err)
		err = page_read(call, &page, error);
	if (!err)
		page_answer(call, &page);
	return err;
}

/* ------------------------------------------------------------------ changing */

struct guard_edit {
	const char *service;
	struct guard_lists lists;
};

static int edit_guard(struct desired *draft, void *context, struct error *error)
{
	const struct guard_edit *edit = context;

	return guard_set(draft->guard, edit->service, edit->lists.rules, edit->lists.count, error);
}

/* One of the body's lists. */
static int list_read(struct guard_edit *edit, const json_t *body, const char *field,
		     enum guard_answer answer, struct error *error)
{
	const json_t *array = json_object_get(body, field), *item;
	struct prefix prefix;
	size_t i;

	if (array && !json_is_array(array))
		return error_set(error, -EINVAL, "%s: not a list of prefixes", field);
	json_array_foreach(array, i, item)
	{
		const char *text = json_string_value(item);
		int err = prefix_parse(text ? text : "", &prefix, error);

		if (err) {
			error_prefix(error, "%s[%zu]: ", field, i);
			return err;
		}
		if (guard_lists_add(&edit->lists, &prefix, answer))
			return error_set(error, -ENOMEM, "guard: out of memory");
	}
	return 0;
}

static int body_read(const struct api_call *call, struct guard_edit *edit, struct error *error)
{
	const json_t *service = json_object_get(call->body, "service");
	const char *key;
	json_t *value;
	int err;

	json_object_foreach(call->body, key, value)
	{
		if (strcmp(key, "service") && strcmp(key, "deny") && strcmp(key, "allow") &&
		    strcmp(key, "remove"))
			return error_set(error, -EINVAL,
					 "request body: unknown field \"%s\"; see docs/API.md",
					 key);
	}
	if (service && !json_is_string(service) && !json_is_null(service))
		return error_set(error, -EINVAL, "service: not a name");
	edit->service = json_string_value(service);
	err = list_read(edit, call->body, "deny", GUARD_DENY, error);
	if (!err)
		err = list_read(edit, call->body, "allow", GUARD_ALLOW, error);
	if (!err)
		err = list_read(edit, call->body, "remove", GUARD_NONE, error);
	return err;
}

/* "guard of web: deny 192.0.2.0/24 and others" */
static struct change_cause guard_cause(const struct api_call *call, const struct guard_edit *edit)
{
	const struct guard_lists *lists = &edit->lists;
	char first[PREFIX_TEXT_MAX];

	if (!lists->count)
		return api_cause(call, "guard: no prefix");
	return api_cause(call, "guard%s%s: %s %s%s", edit->service ? " of " : "",
			 edit->service ? edit->service : "",
			 lists->rules[0].answer ? guard_answer_names[lists->rules[0].answer]
						: "remove",
			 prefix_format(&lists->rules[0].prefix, first),
			 lists->count > 1 ? " and others" : "");
}

static int guard_change(struct api_call *call, struct guard_edit *edit, struct error *error)
{
	struct change_cause cause = guard_cause(call, edit);
	const struct guard_list *list;
	int err = service_check(call, edit->service, error);

	if (!err)
		err = agent_change(call->agent, &cause, edit_guard, edit, NULL, error);
	if (err)
		return err;
	list = list_of(call, edit->service);
	call->answer = json_pack("{ss?,sI,sI}", "service", edit->service, "deny",
				 (json_int_t)answers_count(list, GUARD_DENY), "allow",
				 (json_int_t)answers_count(list, GUARD_ALLOW));
	return 0;
}

int api_guard_put(struct api_call *call, struct error *error)
{
	struct guard_edit edit = {0};
	int err = body_read(call, &edit, error);

	if (!err)
		err = guard_change(call, &edit, error);
	guard_lists_clear(&edit.lists);
	return err;
}

int api_guard_delete(struct api_call *call, struct error *error)
{
	const char *text = http_query(call->request, "prefix");
	struct guard_edit edit = {.service = http_query(call->request, "service")};
	struct prefix prefix;
	int err;

	if (!text)
		return error_set(error, -EINVAL, "prefix: missing; add ?prefix=");
	err = prefix_parse(text, &prefix, error);
	if (err)
		return err;
	if (guard_lists_add(&edit.lists, &prefix, GUARD_NONE))
		return error_set(error, -ENOMEM, "guard: out of memory");
	err = guard_change(call, &edit, error);
	guard_lists_clear(&edit.lists);
	return err;
}

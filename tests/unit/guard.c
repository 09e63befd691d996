// SPDX-License-Identifier: GPL-2.0-only
/* Tests of user/model/guard.h: prefixes, lists, what outlives a reload, and the order of writes. */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>

#include "model/guard.h"

static struct prefix prefix(const char *text)
{
	struct prefix parsed;
	struct error error;

	if (prefix_parse(text, &parsed, &error))
		fail_msg("refused: %s", error.text);
	return parsed;
}

static void prefixes_are_read_and_written(void **context)
{
	static const char *const rows[][2] = {
		{"192.0.2.0/24", "192.0.2.0/24"},   {"192.0.2.1", "192.0.2.1/32"},
		{"0.0.0.0/0", "0.0.0.0/0"},         {"::/0", "::/0"},
		{"2001:DB8::/32", "2001:db8::/32"}, {"2001:db8::1", "2001:db8::1/128"},
	};
	char text[PREFIX_TEXT_MAX];

	(void)context;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct prefix parsed = prefix(rows[i][0]);

		assert_string_equal(prefix_format(&parsed, text), rows[i][1]);
	}
}

static void wrong_prefixes_are_refused(void **context)
{
	static const char *const rows[][2] = {
		{"", "'' is not a prefix; give one such as 192.0.2.0/24 or 2001:db8::/32"},
		{"web", "'web' is not a prefix; give one such as 192.0.2.0/24 or 2001:db8::/32"},
		{"192.0.2/24",
		 "'192.0.2/24' is not a prefix; give one such as 192.0.2.0/24 or 2001:db8::/32"},
		{"192.0.2.0/33",
		 "'192.0.2.0/33' has no length behind its slash that fits; give 0 to 32"},
		{"192.0.2.0/",
		 "'192.0.2.0/' has no length behind its slash that fits; give 0 to 32"},
		{"192.0.2.0/-1",
		 "'192.0.2.0/-1' has no length behind its slash that fits; give 0 to 32"},
		{"2001:db8::/129",
		 "'2001:db8::/129' has no length behind its slash that fits; give 0 to 128"},
		{"192.0.2.1/24", "'192.0.2.1/24' has bits set behind its length; write "
				 "192.0.2.0/24, or the address alone"},
		{"2001:db8::1/64", "'2001:db8::1/64' has bits set behind its length; write "
				   "2001:db8::/64, or the address alone"},
	};
	struct prefix parsed;
	struct error error;

	(void)context;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(prefix_parse(rows[i][0], &parsed, &error), -EINVAL);
		assert_message(&error, rows[i][1]);
	}
}

static void list_files_have_comments_and_lines(void **context)
{
	static const char text[] =
		"# a feed\n\n192.0.2.0/24  # one\r\n\t2001:db8::/32\n198.51.100.1";
	struct guard_lists lists = {0};
	struct error error;

	(void)context;
	assert_int_equal(guard_lists_read(&lists, text, "f.txt", GUARD_DENY, &error), 0);
	assert_int_equal(lists.count, 3);
	assert_int_equal(lists.rules[1].prefix.length, 32);
	assert_int_equal(lists.rules[2].answer, GUARD_DENY);
	assert_int_equal(guard_lists_read(&lists, "192.0.2.0/24\n# x\nfoo bar\n", "f.txt",
					  GUARD_DENY, &error),
			 -EINVAL);
	assert_message(&error,
		       "f.txt:3: 'foo bar' is not a prefix; give one such as 192.0.2.0/24 or "
		       "2001:db8::/32");
	guard_lists_clear(&lists);
}

/* ------------------------------------------------------------------ lists */

/* "-" denies what follows, "+" allows it; ends with NULL. */
static struct guard_list *list(const char *const *texts)
{
	struct guard_lists lists = {0};
	struct guard_list *made = NULL;
	struct error error;

	for (; *texts; texts++) {
		struct prefix parsed = prefix(*texts + 1);

		assert_int_equal(
			guard_lists_add(&lists, &parsed, **texts == '+' ? GUARD_ALLOW : GUARD_DENY),
			0);
	}
	if (guard_list_new(lists.rules, lists.count, &made, &error))
		fail_msg("refused: %s", error.text);
	guard_lists_clear(&lists);
	return made;
}

#define LIST(...) list((const char *const[]){__VA_ARGS__, NULL})

static void the_longest_prefix_is_found(void **context)
{
	struct guard_list *all =
		LIST("-10.0.0.0/8", "+10.1.0.0/16", "-10.1.2.3", "-::/0", "-10.0.0.0/8");
	static const struct {
		const char *address, *prefix;
	} rows[] = {{"10.2.0.0", "10.0.0.0/8"},
		    {"10.1.2.4", "10.1.0.0/16"},
		    {"10.1.2.3", "10.1.2.3/32"},
		    {"2001:db8::1", "::/0"},
		    {"11.0.0.0", NULL}};
	char text[PREFIX_TEXT_MAX];

	(void)context;
	assert_int_equal(all->count, 4);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct guard_rule *rule;
		struct ip ip;

		assert_int_equal(ip_parse(rows[i].address, &ip), 0);
		rule = guard_list_match(all, &ip);
		if (rows[i].prefix)
			assert_string_equal(prefix_format(&rule->prefix, text), rows[i].prefix);
		else
			assert_null(rule);
	}
	guard_list_drop(all);
}

static void a_prefix_has_one_answer(void **context)
{
	const struct guard_rule rules[] = {
		{.prefix = prefix("10.0.0.0/8"), .answer = GUARD_DENY},
		{.prefix = prefix("10.0.0.0/8"), .answer = GUARD_ALLOW},
	};
	struct guard_list *made = NULL;
	struct error error;

	(void)context;
	assert_int_equal(guard_list_new(rules, 2, &made, &error), -EINVAL);
	assert_non_null(strstr(error.text, "10.0.0.0/8 has two answers"));
	assert_null(made);
}

static struct ip toy_address(uint32_t number)
{
	struct ip ip;

	assert_int_equal(ip_parse("10.0.0.0", &ip), 0);
	ip.word[3] |= htonl(number);
	return ip;
}

/* ------------------------------------------------------------------ configs and people */

static struct config *config_of(const char *guard)
{
	struct config *config = NULL;
	char text[512];
	struct error error;

	snprintf(
		text, sizeof(text),
		"guard: %s\nservices:\n  - {name: web, vip: 192.0.2.80, protocol: tcp, port: 80}\n",
		guard);
	if (config_parse(text, strlen(text), "c.yaml", &config, &error))
		fail_msg("refused: %s", error.text);
	return config;
}

static void apply(struct guard *guard, const char *text)
{
	struct config *config = config_of(text);
	struct error error;

	if (guard_apply(guard, config, &error))
		fail_msg("refused: %s", error.text);
	config_free(config);
}

static int set(struct guard *guard, const char *text, enum guard_answer answer)
{
	const struct guard_rule rule = {.prefix = prefix(text), .answer = answer};
	struct error error;

	return guard_set(guard, NULL, &rule, 1, &error);
}

static enum guard_answer answer(const struct guard *guard, const char *text)
{
	const struct guard_scope *scope = guard_scope_find(guard, NULL);
	struct prefix parsed = prefix(text);
	const struct guard_rule *rule = guard_list_find(scope->effective, &parsed);

	return rule ? rule->answer : GUARD_NONE;
}

static void run_time_answers_outlive_a_reload_that_does_not_touch_them(void **context)
{
	struct guard *guard = guard_new(), *copy;
	json_t *saved;
	struct error error;

	(void)context;
	apply(guard, "{deny: [10.0.0.0/8, 11.0.0.0/8]}");
	assert_int_equal(set(guard, "10.0.0.0/8", GUARD_ALLOW), 0);
	assert_int_equal(set(guard, "11.0.0.0/8", GUARD_NONE), 0);
	assert_int_equal(set(guard, "12.0.0.0/8", GUARD_DENY), 0);
	assert_int_equal(set(guard, "13.0.0.0/8", GUARD_NONE), -ENOENT);
	saved = guard_to_json(guard);
	copy = guard_clone(guard);
	guard_free(guard);
	assert_int_equal(answer(copy, "10.0.0.0/8"), GUARD_ALLOW);
	guard_free(copy);

	/* After a restart. */
	assert_int_equal(guard_from_json(saved, &guard, &error), 0);
	json_decref(saved);
	apply(guard, "{deny: [10.0.0.0/8, 11.0.0.0/8, 14.0.0.0/8]}");
	assert_int_equal(answer(guard, "10.0.0.0/8"), GUARD_ALLOW);
	assert_int_equal(answer(guard, "11.0.0.0/8"), GUARD_NONE);
	assert_int_equal(answer(guard, "12.0.0.0/8"), GUARD_DENY);
	assert_int_equal(answer(guard, "14.0.0.0/8"), GUARD_DENY);

	/* The config says something else about them now. */
	apply(guard, "{deny: [12.0.0.0/8], allow: [11.0.0.0/8]}");
	assert_int_equal(answer(guard, "10.0.0.0/8"), GUARD_NONE);
	assert_int_equal(answer(guard, "11.0.0.0/8"), GUARD_ALLOW);
	assert_int_equal(answer(guard, "12.0.0.0/8"), GUARD_DENY);
	assert_int_equal(answer(guard, "14.0.0.0/8"), GUARD_NONE);
	guard_free(guard);
}

static void saved_rules_are_checked(void **context)
{
	static const char *const rows[] = {
		"deny",
		"deny 10.0.0.0/8",
		"deny 10.0.0.0/8 maybe",
		"deny 10.0.0.0/8 none,",
		"deny 10.0.0.1/8 none",
		"deny 10.0.0.0/8 none,allow 10.0.0.0/8 none",
		"deny                                                                 10.0.0.0/8 none",
	};
	struct guard_list *made = NULL;
	struct error error;

	(void)context;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(guard_list_parse(rows[i], &made, &error), -EINVAL);
	assert_int_equal(guard_list_parse("", &made, &error), 0);
	assert_int_equal(made->count, 0);
	guard_list_drop(made);
	assert_int_equal(guard_list_parse("none ::/0 deny,allow 10.0.0.0/8 none", &made, &error),
			 0);
	assert_string_equal(guard_list_text(made), "allow 10.0.0.0/8 none,none ::/0 deny");
	guard_list_drop(made);
}

static void more_prefixes_than_there_is_room_for_are_refused(void **context)
{
	const size_t count = SLUICE_GUARD_PREFIXES_MAX;
	struct guard_rule *rules = calloc(count, sizeof(*rules));
	struct guard *guard = guard_new();
	struct error error;

	(void)context;
	assert_non_null(rules);
	for (size_t i = 0; i < count; i++) {
		rules[i].prefix = (struct prefix){toy_address((uint32_t)i), 32};
		rules[i].answer = GUARD_DENY;
	}
	assert_int_equal(guard_set(guard, NULL, rules, count, &error), 0);
	assert_int_equal(guard_set(guard, "web", rules, 1, &error), -ENOSPC);
	assert_message(&error, "guard: 524289 prefixes in all lists, and there is room for 524288; "
			       "merge some into shorter ones");
	guard_free(guard);
	free(rules);
}

static void a_config_says_where_it_is_wrong(void **context)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{"guard:\n  deny:\n    - 10.0.0.0/8\n    - 10.0.0.1/8\n",
		 "c.yaml:4:7: '10.0.0.1/8' has bits set behind its length; write 10.0.0.0/8, or the "
		 "address alone"},
		{"guard:\n  deny: [10.0.0.0/8]\n  allow: [10.0.0.0/8]\n",
		 "c.yaml:2:3: 10.0.0.0/8 has two answers, deny and allow; give it only one"},
		{"guard:\n  deny_file: list.txt\n",
		 "c.yaml:2:3: deny_file 'list.txt' is not an absolute path; give one that begins "
		 "with /"},
		{"guard: {new_flow_limit: {rate: 1}}\n",
		 "c.yaml:1:9: unknown key 'new_flow_limit'; known here: deny, allow, deny_file, "
		 "allow_file"},
		{"services:\n  - name: web\n    vip: 192.0.2.80\n    protocol: tcp\n    port: 80\n"
		 "    guard:\n      new_flow_limit:\n        burst: 5\n",
		 "c.yaml:8:9: rate is missing; add it (new flows a second)"},
		{"services:\n  - name: web\n    vip: 192.0.2.80\n    protocol: tcp\n    port: 80\n"
		 "    guard:\n      new_flow_limit:\n        rate: 5\n        prefix4: 33\n",
		 "c.yaml:9:9: prefix4 33 is above 32; give 0 to 32"},
		{"services:\n  - name: dns\n    vip: 192.0.2.80\n    protocol: udp\n    port: 53\n"
		 "    tracking: minimal\n    guard:\n      new_flow_limit:\n        rate: 5\n",
		 "c.yaml:9:9: a limit of new flows of a UDP service needs tracking: full, or no "
		 "datagram is known to be of an old flow"},
	};

	(void)context;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config *config = NULL;
		struct error error = {""};

		assert_int_equal(
			config_parse(rows[i].text, strlen(rows[i].text), "c.yaml", &config, &error),
			-EINVAL);
		assert_message(&error, rows[i].message);
	}
}

static void a_service_of_the_api_has_a_limit_and_no_lists(void **context)
{
	json_t *object =
		json_pack("{ss,ss,ss,si,s{s{si}}}", "name", "web", "vip", "192.0.2.80", "protocol",
			  "tcp", "port", 80, "guard", "new_flow_limit", "rate", 7);
	struct service_config *service = NULL;
	struct error error;
	json_t *back;

	(void)context;
	assert_int_equal(service_config_from_json(object, &service, &error), 0);
	assert_int_equal(service->new_flow_limit.rate, 7);
	assert_int_equal(service->new_flow_limit.burst, 7);
	assert_int_equal(service->new_flow_limit.prefix4, 32);
	assert_int_equal(service->new_flow_limit.prefix6, 64);
	back = service_config_to_json(service);
	service_config_free(service);
	assert_int_equal(service_config_from_json(back, &service, &error), 0);
	assert_int_equal(service->new_flow_limit.burst, 7);
	service_config_free(service);
	json_decref(back);
	json_object_set_new(json_object_get(object, "guard"), "deny",
			    json_pack("[s]", "10.0.0.0/8"));
	assert_int_equal(service_config_from_json(object, &service, &error), -EINVAL);
	assert_non_null(strstr(error.text, "PUT /v1/guard"));
	json_decref(object);
}

/* ------------------------------------------------------------------ the order of writes */

/* The map, as a list of what was written; slow and plain. */
struct toy {
	struct guard_write rules[256];
	size_t count;
};

static void toy_remove(struct toy *toy, const struct guard_write *write)
{
	for (size_t i = 0; i < toy->count; i++) {
		if (toy->rules[i].service == write->service &&
		    !prefix_compare(&toy->rules[i].rule.prefix, &write->rule.prefix))
			toy->rules[i--] = toy->rules[--toy->count];
	}
}

static uint32_t toy_find(const struct toy *toy, uint32_t service, const struct ip *address)
{
	uint32_t word = 0;

	for (size_t i = 0; i < toy->count; i++) {
		const struct guard_rule *rule = &toy->rules[i].rule;

		if (toy->rules[i].service == service && prefix_has(&rule->prefix, address) &&
		    (!word || rule->prefix.length >= guard_word_length(word)))
			word = guard_prefix_word(rule->answer, rule->prefix.length);
	}
	return word;
}

#define SERVICE 3u

/* The answers for the sources 10.0.0.0 to 10.0.0.31, each by the guard's own rule. */
static void toy_answers(const struct toy *toy, bool denied[32])
{
	for (uint32_t i = 0; i < 32; i++) {
		struct ip ip = toy_address(i);

		denied[i] = guard_decide(toy_find(toy, GUARD_ALL, &ip),
					 toy_find(toy, SERVICE, &ip)) == GUARD_DENY;
	}
}

/* Some prefixes within 10.0.0.0/27, deep in each other. */
static struct guard_list *list_random(uint64_t *state)
{
	struct guard_lists lists = {0};
	struct guard_list *made = NULL, *merged = NULL;
	size_t count = unit_next(state) % 9;

	for (size_t i = 0; i < count; i++) {
		struct ip ip = toy_address((uint32_t)(unit_next(state) % 32));
		struct prefix one;

		prefix_of(&ip, 27 + (uint32_t)(unit_next(state) % 6), &one);
		/* By the prefix, so that one that comes twice has one answer. */
		assert_int_equal(guard_lists_add(&lists, &one,
						 unit_next(state) % 2 ? GUARD_DENY : GUARD_ALLOW),
				 0);
		if (guard_list_new(lists.rules, lists.count, &made, NULL))
			lists.count--;
		else
			guard_list_drop(made);
	}
	assert_int_equal(guard_list_new(lists.rules, lists.count, &made, NULL), 0);
	assert_int_equal(guard_list_merge(made, NULL, &merged), 0);
	guard_list_drop(made);
	guard_lists_clear(&lists);
	return merged;
}

static void assert_old_or_new(const struct toy *toy, const bool old[32], const bool new[32])
{
	bool now[32];

	toy_answers(toy, now);
	for (int i = 0; i < 32; i++)
		assert_true(now[i] == old[i] || now[i] == new[i]);
}

static void toy_fill(struct toy *toy, const struct guard_part *parts)
{
	toy->count = 0;
	for (int part = 0; part < 2; part++) {
		for (size_t i = 0; i < parts[part].list->count; i++)
			toy->rules[toy->count++] = (struct guard_write){parts[part].service,
									parts[part].list->rules[i]};
	}
}

static void every_step_answers_as_before_or_as_after(void **context)
{
	uint64_t state = 4;

	(void)context;
	for (int round = 0; round < 3000; round++) {
		struct guard_part before[] = {{GUARD_ALL, list_random(&state)},
					      {SERVICE, list_random(&state)}};
		struct guard_part after[] = {{GUARD_ALL, list_random(&state)},
					     {SERVICE, list_random(&state)}};
		struct guard_changes changes;
		bool old[32], new[32];
		struct toy toy, whole;

		toy_fill(&toy, after);
		toy_answers(&toy, new);
		toy_fill(&toy, before);
		toy_answers(&toy, old);
		assert_int_equal(guard_changes_make(before, 2, after, 2, &changes), 0);
		for (size_t i = 0; i < changes.write_count; i++) {
			toy_remove(&toy, &changes.writes[i]);
			toy.rules[toy.count++] = changes.writes[i];
			assert_old_or_new(&toy, old, new);
		}
		for (size_t i = 0; i < changes.removal_count; i++) {
			toy_remove(&toy, &changes.removals[i]);
			assert_old_or_new(&toy, old, new);
		}
		toy_fill(&whole, after);
		assert_int_equal(toy.count, whole.count);
		assert_old_or_new(&toy, new, new);
		guard_changes_clear(&changes);
		for (int part = 0; part < 2; part++) {
			guard_list_drop((struct guard_list *)(uintptr_t)before[part].list);
			guard_list_drop((struct guard_list *)(uintptr_t)after[part].list);
		}
	}
}

static void keys_of_the_map_are_read_as_they_were_written(void **context)
{
	static const char *const texts[] = {"10.0.0.0/8",    "0.0.0.0/0", "::/0",
					    "2001:db8::/32", "192.0.2.1", "2001:db8::1"};
	const uint32_t services[] = {GUARD_ALL, 0, 65535};

	(void)context;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct prefix one = prefix(texts[i]), other;
		struct guard_prefix_key key;
		uint32_t service;

		for (size_t n = 0; n < 3; n++) {
			guard_prefix_key_fill(&key, services[n], &one);
			assert_true(guard_prefix_key_read(&key, &service, &other));
			assert_int_equal(service, services[n]);
			assert_int_equal(prefix_compare(&one, &other), 0);
		}
	}
}

static const struct CMUnitTest cases[] = {
	CASE(prefixes_are_read_and_written, "unit/guard: prefixes are read and written"),
	CASE(wrong_prefixes_are_refused,
	     "unit/guard: a wrong prefix is refused with what to write instead"),
	CASE(list_files_have_comments_and_lines,
	     "unit/guard: a list file has comments, and errors have its line"),
	CASE(the_longest_prefix_is_found, "unit/guard: the longest prefix of an address is found"),
	CASE(a_prefix_has_one_answer, "unit/guard: a prefix that is denied and allowed is refused"),
	CASE(run_time_answers_outlive_a_reload_that_does_not_touch_them,
	     "unit/guard: run-time answers outlive restarts, and reloads that do not touch them"),
	CASE(saved_rules_are_checked, "unit/guard: saved rules are read with every field checked"),
	CASE(more_prefixes_than_there_is_room_for_are_refused,
	     "unit/guard: more prefixes than there is room for are refused"),
	CASE(a_config_says_where_it_is_wrong, "unit/guard: a config says where it is wrong"),
	CASE(a_service_of_the_api_has_a_limit_and_no_lists,
	     "unit/guard: a service of the API has a limit, and no lists"),
	CASE(every_step_answers_as_before_or_as_after,
	     "unit/guard: after each write every source has its old answer or its new one"),
	CASE(keys_of_the_map_are_read_as_they_were_written,
	     "unit/guard: keys of the map are read as they were written"),
};

UNIT_MAIN("guard", cases)

// SPDX-License-Identifier: GPL-2.0-only
/* Tests of user/model/secret.h and user/model/change_words.h: what is shown has no secrets. */
#include "make.h"

#include "model/change_words.h"
#include "model/secret.h"

static void names(void **context)
{
	static const char *const secret[] = {"token", "API_TOKEN", "dbPassword", "ssh-key",
					     "secret2"};
	static const char *const plain[] = {"", "image", "ke", "size", "passenger"};

	(void)context;
	for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
		assert_true(secret_named(secret[i]));
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		assert_false(secret_named(plain[i]));
}

static void hidden(void **context)
{
	json_t *input = json_loads("{\"name\":\"web-1\",\"spec\":{\"image\":\"debian\","
				   "\"api_token\":\"s3cr3t\",\"auth\":{\"key\":[\"abcd\",\"x\"]}}}",
				   0, NULL);
	char text[] = "curl: s3cr3t refused by debian (s3cr3tabcd), x";

	(void)context;
	assert_non_null(input);
	secret_hide(text, input);
	assert_string_equal(text, "curl: *** refused by debian (******), x");
	secret_hide(text, NULL);
	json_decref(input);
}

static void options_hidden(void **context)
{
	json_t *list = json_pack("[s,s,s,s,i]", "api_token=s3=cr3t", "image=debian", "token",
				 "SSH_KEY=", 7);
	json_t *right = json_pack("[s,s,s,s,i]", "api_token=***", "image=debian", "token",
				  "SSH_KEY=***", 7);

	(void)context;
	secret_options_hide(list);
	assert_true(json_equal(list, right));
	secret_options_hide(NULL);
	json_decref(list);
	json_decref(right);
}

static struct state *state_with(const char *token, double target)
{
	struct state *state = state_new(&limits_small);
	struct web web;

	web_make(&web);
	web.scale.options = json_pack("{s:s}", "token", token);
	web.scale.target = target;
	web.service.autoscale = &web.scale;
	apply(state, &web);
	json_decref(web.scale.options);
	return state;
}

static void options_untold(void **context)
{
	struct state *old = state_with("first-secret", 100), *now = state_with("second-secret", 70);
	struct guard *guard = guard_new();
	json_t *changes, *services;
	char *text;

	(void)context;
	assert_int_equal(change_words(old, now, guard, guard, &changes, &services), 0);
	text = json_dumps(changes, JSON_COMPACT);
	assert_non_null(strstr(text, "service web: autoscale.options changed"));
	assert_non_null(strstr(text, "service web: autoscale.target 100"));
	assert_null(strstr(text, "secret"));
	free(text);
	json_decref(changes);
	json_decref(services);
	state_free(old);
	state_free(now);
	guard_free(guard);
}

static void many(void **context)
{
	struct state *old = state_new(&limits_small), *now = state_new(&limits_small);
	struct service_config service = service_make("web", "192.0.2.80", 80, 64);
	struct guard *guard = guard_new();
	json_t *changes, *services;
	struct error error;
	char name[16], address[16];

	(void)context;
	assert_int_equal(state_service_add(old, &service, ORIGIN_RUNTIME, &error), 0);
	assert_int_equal(state_service_add(now, &service, ORIGIN_RUNTIME, &error), 0);
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "b%d", i);
		snprintf(address, sizeof(address), "10.0.0.%d", i + 1);
		backend_add(now, "web", name, address);
	}
	assert_int_equal(change_words(old, now, guard, guard, &changes, &services), 0);
	assert_int_equal(json_array_size(changes), CHANGE_WORDS_MAX + 1);
	assert_string_equal(json_string_value(json_array_get(changes, 0)),
			    "backend b0 of web: added, 10.0.0.1, active");
	assert_string_equal(json_string_value(json_array_get(changes, CHANGE_WORDS_MAX)),
			    "and 30 more");
	assert_int_equal(json_array_size(services), 1);
	json_decref(changes);
	json_decref(services);
	state_free(old);
	state_free(now);
	guard_free(guard);
}

static const struct CMUnitTest cases[] = {
	CASE(names, "control/secrets: a field is one by its name"),
	CASE(hidden, "control/secrets: a provisioner's are hidden in what it says"),
	CASE(options_hidden, "control/secrets: options are shown with the names of secrets only"),
	CASE(options_untold, "control/secrets: a change tells that options changed, not to what"),
	CASE(many, "control/journal: many changes at once are told in few lines"),
};

UNIT_MAIN("secret", cases)

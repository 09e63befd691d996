/* SPDX-License-Identifier: GPL-2.0-only */
/* Bodies of the API: what a request adds. The first byte chooses the kind. */
#ifndef TESTS_FUZZ_API_H
#define TESTS_FUZZ_API_H

#include "model.h"

static inline void fuzz_api_service(const json_t *body)
{
	static const struct limits_config limits = {
		.services = 16, .backends = 4096, .slots = 1 << 20, .flows = 1024};
	struct service_config *service;
	struct error error = {""};
	struct state *state;
	int code = service_config_from_json(body, &service, &error);

	if (code) {
		fuzz_refused(code, &error);
		return;
	}
	fuzz_service(service);
	state = state_new(&limits);
	FUZZ_REQUIRE(state);
	code = state_service_add(state, service, ORIGIN_RUNTIME, &error);
	if (code)
		fuzz_refused(code, &error);
	else
		fuzz_state(state);
	state_free(state);
	service_config_free(service);
}

static inline void fuzz_api_backend(const json_t *body)
{
	struct backend_config backend;
	struct error error = {""};
	int code = backend_config_from_json(body, &backend, &error);

	if (code) {
		fuzz_refused(code, &error);
		return;
	}
	FUZZ_REQUIRE(name_valid(backend.name) && ip_is_unicast(&backend.address));
	backend_config_clear(&backend);
}

static inline void fuzz_api_guard(const json_t *body)
{
	struct guard *guard;
	struct error error = {""};
	int code = guard_from_json(body, &guard, &error);
	json_t *once, *twice;
	struct guard *again;

	if (code) {
		fuzz_refused(code, &error);
		return;
	}
	once = guard_to_json(guard);
	FUZZ_REQUIRE(once && !guard_from_json(once, &again, &error));
	twice = guard_to_json(again);
	FUZZ_REQUIRE(json_equal(once, twice));
	json_decref(once);
	json_decref(twice);
	guard_free(again);
	guard_free(guard);
}

static inline void fuzz_api(const uint8_t *input, size_t size)
{
	json_error_t json_error;
	json_t *body;
	char *text;

	if (!size)
		return;
	text = fuzz_copy(input + 1, size - 1);
	body = json_loadb(text, size - 1, JSON_REJECT_DUPLICATES, &json_error);
	free(text);
	if (body && input[0] % 3 == 0)
		fuzz_api_service(body);
	else if (body && input[0] % 3 == 1)
		fuzz_api_backend(body);
	else if (body)
		fuzz_api_guard(body);
	json_decref(body);
}

#endif

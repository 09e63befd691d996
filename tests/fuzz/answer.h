/* SPDX-License-Identifier: GPL-2.0-only */
/* What a provisioner prints: whatever it is, what is read from it is in range. */
#ifndef TESTS_FUZZ_ANSWER_H
#define TESTS_FUZZ_ANSWER_H

#include "fuzz.h"
#include "model/answer.h"

static inline void fuzz_answer_created(const json_t *answer)
{
	const char *name = json_string_value(json_object_get(answer, "name")), *wrong;
	struct ip address = {0};
	uint16_t port = 0;

	/* Asked for another name, it is always wrong. */
	FUZZ_REQUIRE(answer_created(answer, "\n", &address, &port) ||
		     (name && !strcmp(name, "\n")));
	wrong = answer_created(answer, name ? name : "web-1", &address, &port);
	FUZZ_REQUIRE(wrong ? *wrong : ip_is_unicast(&address));
}

static inline void fuzz_answer_list(const json_t *answer)
{
	const json_t *list = answer_list(answer), *item;
	size_t i;

	FUZZ_REQUIRE(!list || json_is_array(list));
	json_array_foreach(list, i, item)
		FUZZ_REQUIRE(json_string_value(json_object_get(item, "name")));
}

static inline void fuzz_answer(const uint8_t *input, size_t size)
{
	static const char *const names[] = {"create", "delete", "list", NULL};
	char *text = fuzz_copy(input, size), wrong[64] = "";
	json_t *answer = answer_decode(text, size, wrong, sizeof(wrong));
	bool verbs[4] = {false};
	uint32_t delay_ms = 0;

	FUZZ_REQUIRE(answer || *wrong);
	free(text);
	if (!answer)
		return;
	FUZZ_REQUIRE(json_is_object(answer));
	if (!answer_capabilities(answer, names, verbs, &delay_ms))
		FUZZ_REQUIRE(delay_ms <= 3600000);
	FUZZ_REQUIRE(!verbs[3]);
	fuzz_answer_created(answer);
	fuzz_answer_list(answer);
	json_decref(answer);
}

#endif

// SPDX-License-Identifier: GPL-2.0-only
/* What is said about a service or backend that is not there, with the one that may be meant. */
#include "model/missing.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "model/config_source.h"

static const char *letter_next(const char *text)
{
	return text + strspn(text, "0123456789");
}

/* web-1 and web-2: who names the one hardly means the other. */
static bool differ_in_numbers(const char *a, const char *b)
{
	for (a = letter_next(a), b = letter_next(b); *a && *a == *b;
	     a = letter_next(a + 1), b = letter_next(b + 1))
		;
	return !*a && !*b;
}

int service_missing(const struct state *state, const char *name, struct error *error)
{
	const char **names = calloc(state->pool_count + 1, sizeof(*names)), *closest;

	for (size_t i = 0, n = 0; names && i < state->pool_count; i++) {
		if (!differ_in_numbers(name, state->pools[i]->service->name))
			names[n++] = state->pools[i]->service->name;
	}
	closest = names ? word_closest(name, names) : NULL;
	free(names);
	if (closest)
		return error_set(error, -ENOENT,
				 "service %s: there is none of this name; did you mean '%s'?", name,
				 closest);
	return error_set(error, -ENOENT,
			 "service %s: there is none of this name; 'sluice service ls' lists them",
			 name);
}

int backend_missing(const struct pool *pool, const char *name, struct error *error)
{
	const char **names = calloc(pool->backend_count + 1, sizeof(*names)), *closest;
	const char *service = pool->service->name;

	for (size_t i = 0, n = 0; names && i < pool->backend_count; i++) {
		if (!differ_in_numbers(name, pool->backends[i].name))
			names[n++] = pool->backends[i].name;
	}
	closest = names ? word_closest(name, names) : NULL;
	free(names);
	if (closest)
		return error_set(error, -ENOENT,
				 "backend %s: service %s has none of this name; did you mean '%s'?",
				 name, service, closest);
	return error_set(error, -ENOENT,
			 "backend %s: service %s has none of this name; 'sluice backend ls %s' "
			 "lists them",
			 name, service, service);
}

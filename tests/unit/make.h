/* SPDX-License-Identifier: GPL-2.0-only */
/* Services, backends and states for tests, without the way through YAML. */
#ifndef TESTS_MAKE_H
#define TESTS_MAKE_H

#include <netinet/in.h>

#include "model/plan.h"
#include "model/state.h"
#include "unit.h"

static const struct limits_config limits_small = {
	.services = 16, .backends = 1024, .slots = 1 << 20, .flows = 1024};

static inline struct ip ip_make(const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(text, &ip), 0);
	return ip;
}

/* A tcp service without backends; its name is borrowed. */
static inline struct service_config service_make(const char *name, const char *vip, uint16_t port,
						 uint32_t backends_max)
{
	return (struct service_config){
		.name = (char *)(uintptr_t)name,
		.vip = ip_make(vip),
		.protocol = IPPROTO_TCP,
		.port = port,
		.grace_ms = 10000,
		.drain_ms = 300000,
		.backends_max = backends_max,
	};
}

static inline struct backend_config backend_make(const char *name, const char *address,
						 uint32_t weight)
{
	return (struct backend_config){
		.name = (char *)(uintptr_t)name,
		.address = ip_make(address),
		.weight = weight,
	};
}

static inline void service_add(struct state *state, const char *name, const char *vip, uint32_t max)
{
	struct service_config service = service_make(name, vip, 80, max);
	struct error error;

	if (state_service_add(state, &service, ORIGIN_CONFIG, &error))
		fail_msg("%s", error.text);
}

static inline void backend_add(struct state *state, const char *service, const char *name,
			       const char *address)
{
	struct backend_config backend = backend_make(name, address, 100);
	struct error error;

	if (state_backend_add(state, service, &backend, ORIGIN_RUNTIME, &error))
		fail_msg("%s", error.text);
}

static inline struct pool *pool_edit(struct state *state, const char *service)
{
	struct pool *pool = NULL;
	struct error error;

	if (state_pool_edit(state, service, &pool, &error))
		fail_msg("%s", error.text);
	return pool;
}

static inline struct service_config *service_edit(struct state *state, const char *service)
{
	return pool_service_edit(pool_edit(state, service));
}

static inline const struct pool_backend *backend_of(const struct state *state, const char *service,
						    const char *name)
{
	const struct pool_backend *backend = pool_backend(state_pool(state, service), name);

	assert_non_null(backend);
	return backend;
}

static inline void assert_refused(int code, int want, const struct error *error, const char *text)
{
	assert_string_equal(error->text, text);
	assert_int_equal(code, want);
}

/* A config of one service with backends, applied. */
struct web {
	struct backend_config backends[4];
	struct autoscale_config scale;
	struct service_config service;
	struct config config;
};

static inline void web_make(struct web *web)
{
	*web = (struct web){
		.backends = {backend_make("w1", "10.0.0.1", 100),
			     backend_make("w2", "10.0.0.2", 100)},
		.scale = {.provisioner = (char *)(uintptr_t) "/p",
			  .target = 100,
			  .min = 1,
			  .max = 4,
			  .step_down = 1,
			  .creating_max = 1,
			  .unhealthy_max = 50,
			  .call_timeout_ms = 1000},
		.service = service_make("web", "192.0.2.80", 80, 8),
		.config = {.limits = limits_small},
	};
	web->service.backends = web->backends;
	web->service.backend_count = 2;
	web->config.services = &web->service;
	web->config.service_count = 1;
}

static inline void apply(struct state *state, const struct web *web)
{
	struct error error;

	if (state_apply(state, &web->config, &error))
		fail_msg("%s", error.text);
}

/* The steps from before to after; before goes. */
static inline size_t steps_since(struct state *before, const struct state *after)
{
	struct plan *plan;
	size_t count;

	assert_int_equal(plan_make(before, after, &plan), 0);
	count = plan->step_count;
	plan_free(plan);
	state_free(before);
	return count;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Services, backends and states for tests, without the way through YAML. */
#ifndef TESTS_MAKE_H
#define TESTS_MAKE_H

#include <netinet/in.h>

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

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The service manager that started us, if one did: it is told our state, see sd_notify(3). */
#ifndef AGENT_MANAGER_H
#define AGENT_MANAGER_H

#include <sys/socket.h>
#include <sys/un.h>
#include <uv.h>

struct manager {
	int fd; /* -1: there is none that wants to know */
	struct sockaddr_un address;
	socklen_t address_length;
	uv_timer_t watchdog;
	uint64_t watchdog_ms; /* 0: none is wanted */
};

/* manager_open - by NOTIFY_SOCKET and WATCHDOG_USEC of the environment. */
void manager_open(struct manager *manager, uv_loop_t *loop);

/*
 * manager_ready - the API answers; status is for people. From now on the watchdog hears from the
 * loop, and from nowhere else: a loop that is stuck is silent.
 */
void manager_ready(struct manager *manager, const char *status);

void manager_reloading(struct manager *manager);
void manager_stopping(struct manager *manager);

/* manager_close - the loop may then run out. */
void manager_close(struct manager *manager);

#endif

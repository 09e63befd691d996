// SPDX-License-Identifier: GPL-2.0-only
/* What the service manager is told: ready, reloading, stopping, and that the loop is alive. */
#include "agent/manager.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

static void tell(const struct manager *manager, const char *text)
{
	if (manager->fd < 0)
		return;
	/* A manager that does not read must not hold us up. */
	if (sendto(manager->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
		   (const struct sockaddr *)&manager->address, manager->address_length) < 0)
		log_warning("the service manager cannot be told: %s", strerror(errno));
}

static void watchdog_feed(uv_timer_t *timer)
{
	tell(timer->data, "WATCHDOG=1\n");
}

/* How often it wants to hear from us, if it is us that it watches. */
static uint64_t watchdog_interval_ms(void)
{
	const char *interval = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t usec = interval ? strtoull(interval, NULL, 10) : 0;

	if (pid && strtol(pid, NULL, 10) != getpid())
		return 0;
	return usec && usec < 2000 ? 1 : usec / 1000;
}

void manager_open(struct manager *manager, uv_loop_t *loop)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t length = path ? strlen(path) : 0;

	*manager = (struct manager){.fd = -1, .address = {.sun_family = AF_UNIX}};
	uv_timer_init(loop, &manager->watchdog);
	manager->watchdog.data = manager;
	if (!length || length >= sizeof(manager->address.sun_path))
		return;
	memcpy(manager->address.sun_path, path, length);
	if (*path == '@')
		manager->address.sun_path[0] = '\0';
	manager->address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	manager->watchdog_ms = watchdog_interval_ms();
}

void manager_ready(struct manager *manager, const char *status)
{
	/* Room for a loop that is late: three times in each interval. */
	uint64_t every_ms = manager->watchdog_ms / 3 ? manager->watchdog_ms / 3 : 1;
	char text[512];

	snprintf(text, sizeof(text), "READY=1\nSTATUS=%.400s\n", status);
	tell(manager, text);
	if (manager->watchdog_ms && !uv_is_active((uv_handle_t *)&manager->watchdog))
		uv_timer_start(&manager->watchdog, watchdog_feed, 0, every_ms);
}

void manager_reloading(struct manager *manager)
{
	struct timespec now;
	char text[128];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\n",
		 (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	tell(manager, text);
}

void manager_stopping(struct manager *manager)
{
	tell(manager, "STOPPING=1\nSTATUS=stopping; forwarding goes on\n");
}

void manager_close(struct manager *manager)
{
	uv_close((uv_handle_t *)&manager->watchdog, NULL);
	if (manager->fd >= 0)
		close(manager->fd);
	manager->fd = -1;
}

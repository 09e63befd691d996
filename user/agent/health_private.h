/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the health monitor share among themselves. */
#ifndef AGENT_HEALTH_PRIVATE_H
#define AGENT_HEALTH_PRIVATE_H

#include "agent/dataplane_probe.h"
#include "agent/health.h"
#include "agent/probe.h"
#include "base/schedule.h"

struct watch;

/* A moment of a watch, and what is to be done then. */
struct due {
	struct moment moment; /* first: the schedule knows it alone */
	struct watch *watch;
	void (*run)(struct watch *watch, uint64_t now_ms);
};

/* Times in milliseconds are of the monotonic clock. */
struct watch {
	struct health_monitor *monitor;
	uint32_t backend; /* index in map "backends" */
	char *service, *name;
	struct ip address;
	uint16_t port, service_port; /* of the backend, of what clients connect to */
	uint32_t weight;
	const struct service_config *config; /* of the state in force */
	bool wanted;

	bool by_path; /* its probes go by the forwarding path */
	struct health machine;
	struct health_rules rules;
	struct due probe_due, wake_due;
	struct probe *probe;
	uint64_t begun_ms;
	bool again; /* probe once more at once when this one is over */
	struct {
		bool known, passed;
		char why[PROBE_WHY_MAX];
		uint64_t at_ms, took_ms;
	} last;
	uint64_t verdict_ms;
	uint64_t passes, failures, discarded;

	struct due ask_due;
	struct probe *question;
	bool heard;                  /* it has said something, at heard_ms */
	uint64_t asked_ms, heard_ms; /* heard_ms at first: of the watch's beginning */
	struct report report;
	char report_problem[PROBE_WHY_MAX];

	bool dirty; /* .now differs from what is in force */
	struct backend_health now;
};

struct health_monitor {
	struct agent *agent;
	struct prober *prober;
	struct probe_path *path; /* NULL: not used yet, or it cannot be had */
	bool path_failed;
	uv_timer_t timer;
	struct schedule schedule;
	struct watch **watches; /* by index in map "backends" */
	uint32_t watch_max;
	bool starting;      /* the first look: nothing is new */
	uint64_t commit_ms; /* what is dirty goes to agent_change() then; 0: nothing is */
	uint64_t stall_ms, stall_end_ms; /* the loop's last delay, and when it was over */
	uint64_t random;
	struct health_lateness lateness;
};

uint64_t monitor_now(void);
/* monitor_arm - after something was scheduled: the timer follows. */
void monitor_arm(struct health_monitor *monitor);
/* monitor_jitter - an interval made shorter by up to so many percent. */
uint64_t monitor_jitter(struct health_monitor *monitor, uint64_t interval_ms, uint32_t percent);

/* health_watch.c: one watch's life. */
struct watch *watch_new(struct health_monitor *monitor, const struct pool *pool,
			const struct pool_backend *backend, uint32_t id);
void watch_free(struct watch *watch);
/* watch_config - its service has this config now. */
void watch_config(struct watch *watch, const struct service_config *config);
/* watch_step - feed the machine, and see to what comes of it. */
void watch_step(struct watch *watch, enum health_event event, uint64_t now_ms);

/* health_probe.c: its probes. health_ask.c: its agent-check. */
void watch_probe_due(struct watch *watch, uint64_t now_ms);
void watch_probe_first(struct watch *watch, uint64_t now_ms);
void watch_ask_due(struct watch *watch, uint64_t now_ms);
bool watch_report_fresh(const struct watch *watch, uint64_t now_ms);
/* watch_target - where a probe of the watch goes. */
struct probe_target watch_target(const struct watch *watch);

/* health_commit.c: what changed goes into force. */
void health_commit(struct health_monitor *monitor);

#endif

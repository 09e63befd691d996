/* SPDX-License-Identifier: GPL-2.0-only */
/* What a host says of itself and of its interfaces; who asks decides what to make of it. */
#ifndef BASE_HOST_H
#define BASE_HOST_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

/* -1 where a number is signed: it could not be told. */
struct host_facts {
	unsigned int kernel_major, kernel_minor;
	unsigned int cpus;
	bool bpffs; /* on the folder that was asked for, or on what it will be made in */
	bool pins;  /* something is in that folder */
	int clock_synchronised;
	uint64_t memlock; /* bytes that may be locked; UINT64_MAX: any */
	int forward4, forward6;
	int state_writable;   /* of the other folder */
	uint64_t state_free;  /* bytes */
	uint64_t state_files; /* files that can still be made; UINT64_MAX: any */
};

/* host_read - pin_dir and state_dir need not be there. */
void host_read(const char *pin_dir, const char *state_dir, struct host_facts *ret_facts);

struct host_link {
	char name[IF_NAMESIZE];
	bool present, up, running;
	uint32_t mtu;
	uint32_t carrier_changes; /* since the interface is there */
	int xdp_generic; /* whether the XDP program that is attached runs in generic mode */
	char driver[32];
	int gro, lro, rxvlan;
	uint32_t rx_queues, rx_queues_max; /* 0: not known */
	uint32_t rss_queues;               /* that the indirection table names; 0: not known */
	uint32_t irqs, irq_cpus;           /* of the device, and the CPUs that they may run on */
	int rp_filter;                     /* in force: the larger of "all" and the interface's */
};

void host_link_read(const char *name, struct host_link *ret_link);

#endif

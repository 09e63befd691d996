/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A run over namespaces: the program is attached to an interface, frames come in from another
 * namespace, and are looked for wherever they may have gone.
 *
 *        client's namespace          balancer's namespace
 *          wire1 -------------------- wire0   the data plane; what it passes, the stack has
 *          wire3 -------------------- wire2   its other way out
 *          wire5 -------------------- wire4   the backends' program
 */
#ifndef DATAPATH_WIRE_H
#define DATAPATH_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"

#define WIRE_OTHER_NAME "wire2"

/* An interface with a program. */
struct wire_port {
	uint32_t ifindex;
	int program; /* that is attached; -1: none */
	int outside; /* socket at the other end of the pair */
	int stack;   /* socket behind the program */
};

struct wire {
	int home, client; /* namespaces: of before, of the client */
	struct wire_port balancer, backend;
	uint32_t other_ifindex; /* wire2 */
	int other;              /* socket on wire3 */
	uint64_t marks;         /* frames of the wire's own, one behind each that is sent */
	bool is_passed;         /* what was sent last has come to the stack: */
	struct frame passed;
};

/* Where a frame came out. */
enum wire_end {
	WIRE_NOWHERE,
	WIRE_BACK,  /* by the interface that it came in by */
	WIRE_OTHER, /* by the other one */
	WIRE_STACK, /* passed to the host */
};

/* wire_open - make it; this process is in the balancer's namespace from now on. False: says why. */
bool wire_open(struct wire *wire, int pass_program);

/* wire_close - back to the namespace of before. The others are gone with the process's last use. */
void wire_close(struct wire *wire);

/* wire_clear - forget what a failed case left. */
void wire_clear(struct wire *wire);

/* wire_carries - whether a frame reaches the program, and what it passes reaches the stack. */
bool wire_carries(const struct frame *frame);

/*
 * wire_send - run the program for a frame. When this returns it has been run, for the mark that was
 * sent behind the frame has arrived: a frame that is not IP, which every program passes and counts.
 */
void wire_send(struct wire *wire, struct wire_port *port, int program, const struct frame *frame);

/*
 * wire_receive - what has become of it. arrives: wait for it, for the counters say that it was not
 * dropped. A case fails if it does not come, or comes twice.
 */
enum wire_end wire_receive(struct wire *wire, const struct wire_port *port, bool arrives,
			   struct frame *ret_frame);

/* wire_commands - run lines of ip(8) in the balancer's namespace. */
bool wire_commands(const char *lines);

#endif

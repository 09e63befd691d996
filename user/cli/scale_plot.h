/* SPDX-License-Identifier: GPL-2.0-only */
/* A plot of load and pool over time, as an SVG file. */
#ifndef CLI_SCALE_PLOT_H
#define CLI_SCALE_PLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct plot_point {
	double time_s, load, capacity; /* load and capacity in the same unit */
	double need, pool;             /* backends; pool with those that boot */
	bool violated;
};

struct plot {
	const char *title;
	struct plot_point *points; /* one for each stretch of the time, see plot_add */
	size_t count;
	double length_s;
	bool failed; /* no memory */
};

/* plot_add - the next second. A point stands for a stretch: the largest of its values are kept. */
void plot_add(struct plot *plot, const struct plot_point *point);

/* plot_write - to a file. Returns 0 or -errno with a message. */
int plot_write(const struct plot *plot, const char *path, struct error *error);
void plot_clear(struct plot *plot);

#endif

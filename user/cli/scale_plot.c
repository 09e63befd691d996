// SPDX-License-Identifier: GPL-2.0-only
/* Draws load and pool over time into an SVG file. */
#include "cli/scale_plot.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define STRETCHES 1000 /* of the time; more cannot be seen */
#define WIDTH     1000.0
#define HEIGHT    220.0
#define LEFT      70.0
#define TOP       40.0
#define GAP       60.0

void plot_add(struct plot *plot, const struct plot_point *point)
{
	size_t at = (size_t)(point->time_s / plot->length_s * STRETCHES);
	struct plot_point *old;

	if (!plot->points)
		plot->points = calloc(STRETCHES + 1, sizeof(*plot->points));
	plot->failed = plot->failed || !plot->points;
	if (plot->failed)
		return;
	if (at > STRETCHES)
		at = STRETCHES;
	if (at >= plot->count) {
		plot->count = at + 1;
		plot->points[at] = *point;
		return;
	}
	old = &plot->points[at];
	old->load = fmax(old->load, point->load);
	old->need = fmax(old->need, point->need);
	old->capacity = fmin(old->capacity, point->capacity);
	old->pool = fmax(old->pool, point->pool);
	old->violated = old->violated || point->violated;
}

void plot_clear(struct plot *plot)
{
	free(plot->points);
	plot->points = NULL;
}

/* One panel: its place, and the value at its upper edge. */
struct panel {
	FILE *out;
	const struct plot *plot;
	double top, most;
};

typedef double (*value_fn)(const struct plot_point *point);

static double load_of(const struct plot_point *point)
{
	return point->load;
}

static double capacity_of(const struct plot_point *point)
{
	return point->capacity;
}

static double need_of(const struct plot_point *point)
{
	return point->need;
}

static double pool_of(const struct plot_point *point)
{
	return point->pool;
}

static double most_of(const struct plot *plot, value_fn value)
{
	double most = 1;

	for (size_t i = 0; i < plot->count; i++)
		most = fmax(most, value(&plot->points[i]));
	return most;
}

static double x_of(const struct plot *plot, double time_s)
{
	return LEFT + WIDTH * time_s / plot->length_s;
}

static void line_draw(const struct panel *panel, value_fn value, const char *colour)
{
	fprintf(panel->out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" points=\"",
		colour);
	for (size_t i = 0; i < panel->plot->count; i++) {
		const struct plot_point *point = &panel->plot->points[i];

		fprintf(panel->out, "%.1f,%.1f ", x_of(panel->plot, point->time_s),
			panel->top + HEIGHT * (1 - value(point) / panel->most));
	}
	fputs("\"/>\n", panel->out);
}

/* The frame, three marks on each axis, and the names of the lines. */
static void panel_draw(const struct panel *panel, const char *first, const char *second)
{
	for (int i = 0; i <= 2; i++)
		fprintf(panel->out, "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%.0f</text>\n",
			LEFT - 6, panel->top + HEIGHT * (1 - i / 2.0) + 4, panel->most * i / 2);
	for (int i = 0; i <= 4; i++)
		fprintf(panel->out,
			"<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.4g %s</text>\n",
			LEFT + WIDTH * i / 4, panel->top + HEIGHT + 16,
			panel->plot->length_s * i / 4 / (panel->plot->length_s > 10800 ? 3600 : 1),
			panel->plot->length_s > 10800 ? "h" : "s");
	fprintf(panel->out,
		"<rect x=\"%.0f\" y=\"%.0f\" width=\"%.0f\" height=\"%.0f\" fill=\"none\" "
		"stroke=\"#999\"/>\n"
		"<text x=\"%.0f\" y=\"%.0f\" fill=\"#1f6fb2\">%s</text>\n"
		"<text x=\"%.0f\" y=\"%.0f\" fill=\"#2b9348\">%s</text>\n",
		LEFT, panel->top, WIDTH, HEIGHT, LEFT + 8, panel->top + 16, first, LEFT + 200,
		panel->top + 16, second);
}

static void violations_draw(const struct panel *panel)
{
	double width = WIDTH / (double)panel->plot->count;

	for (size_t i = 0; i < panel->plot->count; i++) {
		if (panel->plot->points[i].violated)
			fprintf(panel->out,
				"<rect x=\"%.1f\" y=\"%.0f\" width=\"%.1f\" height=\"%.0f\" "
				"fill=\"#e63946\" fill-opacity=\"0.3\"/>\n",
				x_of(panel->plot, panel->plot->points[i].time_s), panel->top,
				fmax(width, 1), HEIGHT);
	}
}

static void plot_draw(FILE *out, const struct plot *plot)
{
	struct panel panel = {out, plot, TOP, 0};

	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
		"font-family=\"sans-serif\" font-size=\"12\">\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
		"<text x=\"%.0f\" y=\"22\" font-size=\"15\">%s</text>\n",
		LEFT + WIDTH + 40, TOP + 2 * HEIGHT + GAP + 30, LEFT, plot->title);
	panel.most = fmax(most_of(plot, load_of), most_of(plot, capacity_of));
	violations_draw(&panel);
	line_draw(&panel, capacity_of, "#2b9348");
	line_draw(&panel, load_of, "#1f6fb2");
	panel_draw(&panel, "load a second", "capacity; red: objective missed");
	panel.top = TOP + HEIGHT + GAP;
	panel.most = fmax(most_of(plot, need_of), most_of(plot, pool_of));
	line_draw(&panel, pool_of, "#2b9348");
	line_draw(&panel, need_of, "#1f6fb2");
	panel_draw(&panel, "backends needed", "backends there and ordered");
	fputs("</svg>\n", out);
}

int plot_write(const struct plot *plot, const char *path, struct error *error)
{
	struct error cause = {""};
	char *text = NULL;
	size_t length = 0;
	FILE *out = plot->failed ? NULL : open_memstream(&text, &length);
	int code;

	if (!out)
		return error_set(error, -ENOMEM, "%s: out of memory", path);
	plot_draw(out, plot);
	if (fclose(out))
		code = error_set(error, -ENOMEM, "%s: out of memory", path);
	else
		code = file_replace(path, text, length, &cause);
	if (*cause.text)
		error_set(error, code, "%s; give a file in a folder that can be written",
			  cause.text);
	free(text);
	return code;
}

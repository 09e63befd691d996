/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of the autoscaler's decision share: a service under a script. */
#ifndef UNIT_SCENE_H
#define UNIT_SCENE_H

#include "unit.h"

#include "model/autoscale.h"

/* A service under a script: one step a second. */
struct scene {
	struct autoscale_memory memory;
	struct autoscale_config config;
	struct autoscale_input input;
	struct autoscale_output output;
};

static inline struct scene scene_make(uint32_t active)
{
	return (struct scene){
		.config = {.target = 1000,
			   .min = 1,
			   .max = 8,
			   .step_down = 1,
			   .creating_max = 2,
			   .hold_ms = 30000,
			   .hold_max_ms = 30000,
			   .trend = true,
			   .unhealthy_max = 50},
		.input = {.now_ms = 1000000,
			  .signals[SIGNAL_PACKETS].fresh = true,
			  .lead_ms = 90000,
			  .active = active},
	};
}

static inline const struct autoscale_output *step(struct scene *scene, double demand)
{
	scene->input.now_ms += 1000;
	scene->input.signals[scene->config.signal].value = demand;
	autoscale_step(&scene->memory, &scene->config, &scene->input, &scene->output);
	return &scene->output;
}

static inline void steps(struct scene *scene, double demand, int count)
{
	while (count--)
		step(scene, demand);
}

#endif

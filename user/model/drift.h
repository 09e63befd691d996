/* SPDX-License-Identifier: GPL-2.0-only */
/* What is running and a config does not say: what people changed at run time. */
#ifndef MODEL_DRIFT_H
#define MODEL_DRIFT_H

#include "model/config_object.h"

/*
 * drift_make - {"differences": [{"interface", "service", "backend", "field", "config",
 * "running"}], "guard": [...]}; the first three are null unless it is one of these. A thing that
 * only one of both has differs as a whole: field is null, and so is config or running. guard is as
 * in impact.h, "from" being the config. Backends of the autoscaler are no difference. config may be
 * another than the running one; its lists are loaded. Returns 0 or -errno with a message.
 */
int drift_make(const struct running *running, const struct config *config, json_t **ret_drift,
	       struct error *error);

#endif

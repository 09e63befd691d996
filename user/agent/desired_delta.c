// SPDX-License-Identifier: GPL-2.0-only
/* What changed of all that is wanted, and all that is wanted put together from it. */
#include "agent/desired_delta.h"

#include <errno.h>

static int orphans_delta(const struct desired *old, const struct desired *now, json_t *delta)
{
	json_t *before, *after;
	int code = 0;

	if (!old->orphan_count && !now->orphan_count)
		return 0;
	before = desired_orphans_to_json(old);
	after = desired_orphans_to_json(now);
	if (!before || !after)
		code = -ENOMEM;
	else if (!json_equal(before, after))
		code = json_object_set(delta, "orphans", after) ? -ENOMEM : 0;
	json_decref(before);
	json_decref(after);
	return code;
}

json_t *desired_delta(const struct desired *old, const struct desired *now)
{
	json_t *delta = json_object();

	if (delta && !state_delta(old->state, now->state, delta) &&
	    !guard_delta(old->guard, now->guard, delta) && !orphans_delta(old, now, delta))
		return delta;
	json_decref(delta);
	return NULL;
}

int desired_image_apply(struct desired_image *image, const json_t *delta, struct error *error)
{
	json_t *orphans = json_object_get(delta, "orphans");
	int code = state_image_apply(&image->state, delta, error);

	if (!code && orphans) {
		json_decref(image->orphans);
		image->orphans = json_incref(orphans);
	}
	return code;
}

int desired_image_read(const struct desired_image *image, struct desired **ret_desired,
		       struct error *error)
{
	json_t *guard, *object;
	int code = state_image_guard(&image->state, &guard, error);

	if (code)
		return code;
	object = json_pack("{so,so,so}", "state", state_image_state(&image->state), "guard", guard,
			   "orphans", image->orphans ? json_incref(image->orphans) : json_array());
	if (!object)
		return error_set(error, -ENOMEM, "out of memory");
	code = desired_from_json(object, ret_desired, error);
	json_decref(object);
	return code;
}

void desired_image_clear(struct desired_image *image)
{
	state_image_clear(&image->state);
	json_decref(image->orphans);
	image->orphans = NULL;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the state share among themselves: blocks, numbers, and lists of backends. */
#ifndef MODEL_STATE_PARTS_H
#define MODEL_STATE_PARTS_H

#include "model/state.h"

/*
 * state_blocks_take - find the pool a service record, a block of backend records and two places
 * for its table; index is the pool's own place in the state, whose blocks do not count as used.
 */
int state_blocks_take(const struct state *state, size_t index, struct error *error);

/* state_blocks_check - no block overlaps another or ends beyond the limits. 0 or -EINVAL. */
int state_blocks_check(const struct state *state, struct error *error);

/* state_blocks_retire - remember the pool's blocks as not to be reused before a purge. */
int state_blocks_retire(struct state *state, const struct pool *pool, struct error *error);

/* pool_number_take - a number for the backend. pool_number_retire gives it up, if it has one. */
int pool_number_take(struct pool *pool, struct pool_backend *backend, struct error *error);
void pool_number_retire(struct pool *pool, struct pool_backend *backend);

/*
 * state_pool_add - add a pool for the service, without its backends; another service may have
 * its VIP, protocol and port: state_keys_check finds that. The pool is the state's last.
 */
int state_pool_add(struct state *state, const struct service_config *service, enum origin origin,
		   struct error *error);
int state_pool_remove(struct state *state, struct pool *pool, struct error *error);
void pool_clear(struct pool *pool);

/*
 * state_keys_check - no two services with the same VIP, protocol and port, and none that disagree
 * about what their VIP answers for an unknown port.
 */
int state_keys_check(const struct state *state, struct error *error);

/* scale_configured_of - what the service's config says of the fields that may change later. */
struct scale_configured scale_configured_of(const struct service_config *service);

/* pool_backend_add - an active backend with a number of its own. */
int pool_backend_add(struct pool *pool, const struct backend_config *backend, enum origin origin,
		     struct error *error);
/* pool_backend_remove - retire its number and close the gap in the list. */
void pool_backend_remove(struct pool *pool, struct pool_backend *backend);
/* pool_backend_undrain - of one that drains or has drained: active again, with a number. */
int pool_backend_undrain(struct pool *pool, struct pool_backend *backend, struct error *error);
void pool_backend_clear(struct pool_backend *backend);

#endif

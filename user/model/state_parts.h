/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the state share among themselves: blocks, numbers, and lists of backends. */
#ifndef MODEL_STATE_PARTS_H
#define MODEL_STATE_PARTS_H

#include "model/state.h"

/* ------------------------------------------------------------------ places in the maps */

/*
 * state_blocks_take - find the pool a service record, a block of backend records and two places
 * for its table. What blocks the pool has so far are its own no more: to be retired before.
 */
int state_blocks_take(struct state *state, struct pool *pool, struct error *error);

/* state_blocks_check - no block overlaps another or ends beyond the limits. 0 or -EINVAL. */
int state_blocks_check(const struct state *state, struct error *error);

/* state_blocks_retire - remember the pool's blocks as not to be reused before a purge. */
int state_blocks_retire(struct state *state, const struct pool *pool, struct error *error);

/* state_rooms_forget - after blocks have become free: what is taken is to be found out anew. */
void state_rooms_forget(struct state *state);

/* ------------------------------------------------------------------ pools */

struct pool *pool_new(const struct service_config *service, enum origin origin);
struct pool *pool_clone(const struct pool *pool);
/* pool_put - one user less; the last one frees it. Takes NULL. */
void pool_put(struct pool *pool);

/* state_pool_own - the pool at this position as one that may be changed; NULL: no memory. */
struct pool *state_pool_own(struct state *state, size_t position);
int state_pool_append(struct state *state, struct pool *pool);

/*
 * state_pool_add - add a pool for the service, without its backends; another service may have
 * its VIP, protocol and port: state_keys_check finds that. The pool is the state's last.
 */
int state_pool_add(struct state *state, const struct service_config *service, enum origin origin,
		   struct pool **ret_pool, struct error *error);

/* state_pools_remove - gone: of each pool whether it goes. */
int state_pools_remove(struct state *state, const bool *gone, struct error *error);

/* scale_configured_of - what the service's config says of the fields that may change later. */
struct scale_configured scale_configured_of(const struct service_config *service);

/* ------------------------------------------------------------------ keys */

/* Services by what packets know them by; to be cleared, also after -ENOMEM. */
struct state_keys {
	const struct state *state;
	struct index keys, vips;
};

int state_keys_make(const struct state *state, struct state_keys *ret_keys);
int state_keys_add(struct state_keys *keys, size_t position);
void state_keys_clear(struct state_keys *keys);

/* The pool that has the service's VIP, protocol and port; the first one of a VIP. Or NULL. */
const struct pool *state_keys_pool(const struct state_keys *keys,
				   const struct service_config *service);
const struct pool *state_keys_vip(const struct state_keys *keys, const struct ip *vip);

/*
 * state_keys_check - no two services with the same VIP, protocol and port, and none that disagree
 * about what their VIP answers for an unknown port.
 */
int state_keys_check(const struct state *state, struct error *error);

/* ------------------------------------------------------------------ backends of a pool */

/* pool_number_take - a number for the backend. pool_number_retire gives it up, if it has one. */
int pool_number_take(struct pool *pool, struct pool_backend *backend, struct error *error);
void pool_number_retire(struct pool *pool, struct pool_backend *backend);

/* pool_backend_at - the living backend with this address, or NULL. */
const struct pool_backend *pool_backend_at(const struct pool *pool, const struct ip *address);

/* pool_backend_append - one with a name and nothing else. Returns 0 or -ENOMEM. */
int pool_backend_append(struct pool *pool, const char *name, struct pool_backend **ret_backend);
/* pool_backend_place - give it its address, which never changes after. Returns 0 or -ENOMEM. */
int pool_backend_place(struct pool *pool, struct pool_backend *backend, const struct ip *address,
		       uint16_t port);
/* pool_backend_drop_last - take back what was appended. */
void pool_backend_drop_last(struct pool *pool);

/*
 * pool_backend_add, pool_backend_remove - a backend with a number of its own; and take one out.
 * pool_health_settle is to follow, once for all of them.
 */
int pool_backend_add(struct pool *pool, const struct backend_config *backend, enum origin origin,
		     struct error *error);
void pool_backend_remove(struct pool *pool, struct pool_backend *backend);
/* pool_backend_undrain - of one that drains or has drained: active again, with a number. */
int pool_backend_undrain(struct pool *pool, struct pool_backend *backend, struct error *error);
/* pool_backends_remove - gone: of each backend whether it goes. */
void pool_backends_remove(struct pool *pool, const bool *gone);
void pool_backend_clear(struct pool_backend *backend);

/* backend_health_begin - of a backend that is new, or whose service's rules are. */
void backend_health_begin(const struct pool *pool, struct pool_backend *backend);
/* backend_life_settle - warming or active, if it is either. */
void backend_life_settle(struct pool_backend *backend);
/* pool_health_settle - say of each backend whether it is dead; after each change of the pool. */
void pool_health_settle(struct pool *pool);
/* pool_health_follow - after a change of the service's config. */
void pool_health_follow(struct pool *pool, const struct health_config *before);

/* Events in a backend's life, and where they lead; see life_next. */
enum life_event {
	LIFE_EVENT_CREATED, /* it has an address */
	LIFE_EVENT_WARMED,  /* it is up, with its whole weight */
	LIFE_EVENT_COOLED,  /* it ramps up anew */
	LIFE_EVENT_DRAIN,
	LIFE_EVENT_UNDRAIN,
	LIFE_EVENT_DRAINED, /* the deadline has come */
	LIFE_EVENT_DELETE,
	LIFE_EVENT_FAIL,
};

/* life_next - where an event leads; false if there is no such way. */
bool life_next(enum lifecycle life, enum life_event event, enum lifecycle *ret_life);

#endif

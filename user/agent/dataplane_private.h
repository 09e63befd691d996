/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the data plane share among themselves; nobody else includes it. */
#ifndef AGENT_DATAPLANE_PRIVATE_H
#define AGENT_DATAPLANE_PRIVATE_H

#include "agent/dataplane.h"
#include "agent/dataplane_maps.h"

#define PIN_PATH_MAX 256

/*
 * A packet that looked up a table, or a key, has long left after so long; only then the table's
 * words may change, and what they led to may be cleared.
 */
#define TABLE_QUIET_MS 50

struct sluice_bpf;
struct bpf_map;
struct migration;

/* Where the program is attached, or was and is to be again when the interface comes back. */
struct dataplane_link {
	char pin[PIN_PATH_MAX];
	char name[IF_NAMESIZE];
	int fd;           /* -1 while the interface is gone */
	uint32_t ifindex; /* 0 while the interface is gone */
	enum attach_mode mode, wanted;
};

/* The way to a backend as it was last heard, whether or not its record is there yet. */
struct dataplane_way {
	struct ip address;
	struct ip source;
	union nexthop nexthop;
	uint16_t mtu;
};

struct dataplane {
	struct dataplane_maps maps;
	struct dataplane_way *ways; /* per backend */
	struct quic_key *quic_keys; /* per backend: its key in map "quic_ids"; all 0: none */
	struct nat_key *nat_keys;   /* the same for map "nat_replies" */
	uint64_t nat_count;         /* of those that are there */
	uint64_t *switched_ms;      /* per service: when its table was switched last */
	uint64_t taken_ms;          /* when a table was switched or a key went last */
	char pin_dir[PIN_PATH_MAX];
	int lock;                  /* pin_dir, locked */
	struct sluice_bpf *object; /* the fds of its maps and program live in it */
	struct sluice_bpf *jumbo;  /* NULL unless jumbo_switch() loaded it: the program is its */
	int program, egress_ports; /* borrowed from object */
	int tick_program;
	uint32_t tick, tick_ms; /* the last reading of the clock; the length of a tick */
	bool adopted;
	struct notice notice;
	struct migration *migration; /* NULL unless the maps are to take the place of others */
	struct dataplane_growth {
		uint32_t from; /* buckets of the flow table before; 0: has not grown */
		uint32_t tick; /* when it grew */
		uint32_t next; /* bucket to look at */
	} growth;
	bool is_jumbo; /* the program is the one for frames in several buffers */
	struct dataplane_link *links;
	size_t link_count;
};

/* In dataplane_link.c. */

/* links_adopt - take the pinned links over and give them the new program. */
int links_adopt(struct dataplane *dataplane, struct error *error);
void links_close(struct dataplane *dataplane);
/* links_update - give them the program. */
int links_update(const struct dataplane *dataplane, struct error *error);
/* interface_mode - how a program is attached there: native or generic. */
enum attach_mode interface_mode(uint32_t ifindex);
/*
 * link_make_wanted - attach a program in the wanted mode, or, for ATTACH_AUTO, in the best one.
 * Returns the link's fd, or -errno with a message.
 */
int link_make_wanted(int program, const char *name, uint32_t ifindex, enum attach_mode wanted,
		     enum attach_mode *ret_mode, struct error *error);
/* link_ifindex - the interface of a link; 0 when it has gone. */
uint32_t link_ifindex(int fd);
/* links_detach - detach every link pinned in the folder; for the clean-up. */
void links_detach(const char *pin_dir);

/* In dataplane_jumbo.c. */

struct bpf_object_open_opts;

/* link_needs_jumbo - whether frames may come in several buffers. An interface that is not there: no. */
bool link_needs_jumbo(const char *name, enum attach_mode mode);
/*
 * object_open - the program for the interfaces of the config, and of the pinned links; sets is_jumbo.
 * NULL with errno.
 */
struct sluice_bpf *object_open(struct dataplane *dataplane, const struct config *config,
			       const struct bpf_object_open_opts *options);
/*
 * jumbo_switch - load the program for frames in several buffers over the same maps, and put it in the
 * place of the one that is loaded, on every link. On error that one goes on.
 */
int jumbo_switch(struct dataplane *dataplane, struct error *error);

/* In dataplane.c: what takes a system call of BPF. 0 or -errno. */
/* program_pin - in the place of what is pinned. */
int program_pin(struct dataplane *dataplane, struct error *error);
int dataplane_key_write(struct dataplane *dataplane, const struct service_key *key,
			const struct service_target *target, struct error *error);
void dataplane_key_delete(struct dataplane *dataplane, const struct service_key *key);
/* dataplane_key_next - the key after this one (NULL: the first); not 0 after the last. */
int dataplane_key_next(const struct dataplane *dataplane, const struct service_key *key,
		       struct service_key *ret_key);
int dataplane_port_write(struct dataplane *dataplane, uint32_t egress, uint32_t ifindex);
void dataplane_port_delete(struct dataplane *dataplane, uint32_t egress);

/* In dataplane_mapping.c. */

#define META_PIN    "meta"
#define PROGRAM_PIN "program"

/* meta_read - the pinned record. Returns -ENOENT if nothing is pinned, else 0 or a message. */
int meta_read(const char *pin_dir, struct meta *ret_meta, struct error *error);
/* maps_size - the sizes of new maps. maps_adopt - pinned ones instead. Before the object is loaded. */
int maps_size(struct dataplane *dataplane, const struct meta *meta, struct error *error);
int maps_adopt(struct dataplane *dataplane, struct error *error);
int map_adopt(const char *pin_dir, struct bpf_map *map, struct error *error);
int maps_map(struct dataplane *dataplane, const struct meta *meta, struct error *error);
void maps_unmap(struct dataplane *dataplane);
/* maps_pin - all new maps, "meta" last: pins without it are those of a start that was cut short. */
int maps_pin(struct dataplane *dataplane, struct error *error);
int pin_make(const char *pin_dir, const char *name, int fd, struct error *error);

/* In dataplane_migrate.c. */

/*
 * migration_begin - the pinned maps are of another version or size: those of the object that
 * cannot go on are made anew. Between maps_size() and the load. migration_pin - pin them beside,
 * after the load. migration_free takes NULL; what was not committed is removed.
 */
int migration_begin(struct dataplane *dataplane, const struct meta *pinned,
		    const struct meta *wanted, struct error *error);
int migration_pin(struct dataplane *dataplane, const struct meta *wanted, struct error *error);
void migration_free(struct dataplane *dataplane);

/* In dataplane_swap.c. */

/* Folders in pin_dir: pins that are being made, and pins that are complete and come into force. */
#define NEXT_FOLDER "next"
#define SWAP_FOLDER "swap"
#define CARRY_PIN   "carry"

/*
 * swap_finish - bring the pins in SWAP_FOLDER into force: links, flows that came meanwhile, pins.
 * It can be cut off anywhere and done again. Nothing to do is success.
 */
int swap_finish(struct dataplane *dataplane, struct error *error);
/* pins_tidy - remove pins of maps that this version does not have. */
void pins_tidy(const struct dataplane *dataplane);

/* In dataplane_pins.c. */

/* pins_remove - every pin in the folder, and NEXT_FOLDER and SWAP_FOLDER in it; how many. */
int pins_remove(const char *pin_dir);
/* pins_folder_remove - a folder of pins in pin_dir, if it is there. */
void pins_folder_remove(const char *pin_dir, const char *name);

/* pins_lock - make sure of the bpffs, make the folder and lock it: *ret_lock is its fd. */
int pins_lock(const char *pin_dir, bool create, int *ret_lock, struct error *error);

/* pins_path - pin_dir/name, with the characters that bpffs reserves replaced. */
void pins_path(const char *pin_dir, const char *prefix, const char *name, char path[PIN_PATH_MAX]);

#define LINK_PREFIX  "link-"
#define DECAP_PREFIX "decap-"

/* In dataplane_meta.c. */

/* meta_fill - what new maps would be made for; the instance is left 0. */
void meta_fill(const struct config *config, struct meta *ret_meta);
/* meta_fits - whether pinned maps are as they are wanted. */
bool meta_fits(const struct meta *pinned, const struct meta *wanted);
/* meta_check - whether the maps wanted can take the place of the pinned ones: 0 or -EEXIST. */
int meta_check(const char *pin_dir, const struct meta *pinned, const struct meta *wanted,
	       struct error *error);
/* settings_fill - the program's constants, into dataplane->maps.settings and tick_ms. */
void settings_fill(struct dataplane *dataplane, const struct config *config,
		   const struct meta *meta);

/* In dataplane_execute.c. */

/* service_fill - a service's record but for its state, table and guard. */
void service_fill(const struct dataplane *dataplane, const struct pool *pool,
		  struct service *record);
/* service_key_fill, vip_key_fill - of a pool's service, and of its VIP's own entry. */
void service_key_fill(struct service_key *key, const struct pool *pool);
void vip_key_fill(struct service_key *key, const struct pool *pool);
uint16_t backend_port(const struct pool *pool, const struct pool_backend *backend);
uint8_t record_mode(const struct service_config *service);
/* table_differs - whether the table would be published again: 1, 0, or -ENOMEM, -EINVAL. */
int table_differs(const struct dataplane *dataplane, const struct pool *pool);

/* In dataplane_nexthop.c. */

/* way_write - put the way into the record of a backend, its next hop last. */
void way_write(struct backend *backend, const struct dataplane_way *way);
/* egress_renew - of adopted maps: forget the interfaces that have gone. */
void egress_renew(struct dataplane *dataplane);

/* In dataplane_quic.c. */

/* quic_id_write - the backend's server ID, if its service has such; in place of what it had. */
int quic_id_write(struct dataplane *dataplane, const struct pool *pool,
		  const struct pool_backend *backend, struct error *error);
void quic_id_clear(struct dataplane *dataplane, uint32_t backend);
/* quic_ids_prune - remove from adopted maps the IDs that were not written since the start. */
void quic_ids_prune(struct dataplane *dataplane);

/* In dataplane_guard.c. */

/* guard_limit_write - the limit of a service's new flows, with its bit in the service's record. */
void guard_limit_write(struct dataplane *dataplane, uint32_t service,
		       const struct new_flow_limit *limit);

/* In dataplane_nat.c: the same as above, for the way back from backends in mode nat. */
int nat_reply_write(struct dataplane *dataplane, const struct pool *pool,
		    const struct pool_backend *backend, struct error *error);
void nat_reply_clear(struct dataplane *dataplane, uint32_t backend);
void nat_replies_prune(struct dataplane *dataplane);

/* In dataplane_execute.c. */

struct table_member;
/* pool_members - the members of the pool's slot table; *ret_members belongs to the caller. */
int pool_members(const struct dataplane *dataplane, const struct pool *pool,
		 struct table_member **ret_members, size_t *ret_count);
void backend_clear(struct backend *record);
void service_clear(struct service *record);

#endif

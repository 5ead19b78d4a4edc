/*
 * Which sectors of an overlay are on its store: a bit for each, in RAM and on the store.
 *
 * A bit is set in RAM when the data is written, and on the store by a flush: which writes the bits only after a
 * flush of the store has brought the data to the medium, and flushes again. So a bit on the medium never stands
 * for data that is not there. Bits are never cleared.
 *
 * Flushes are served in rounds: those that come while one is going on are all served by the next.
 */
#pragma once

#include <caisson/spinlock.h>

#include "child.h"

struct overlay_map {
	struct block_device *store;
	uint64_t first;        /* sector of the map there */
	uint64_t n_sectors;    /* of the overlay */
	uint64_t n_blocks;     /* units of the store that the map takes */
	uint64_t *valid;       /* atomic words: on the store, by sector */
	uint64_t *durable;     /* atomic words: the map as the last round writes or wrote it */
	uint64_t *dirty;       /* atomic words: the blocks in which valid has more than durable */
	uint64_t *round;       /* the blocks that this round writes */
	spinlock_t lock;       /* guards the lists and busy; innermost */
	struct list waiting, served; /* flushes for the next round, and of this one */
	bool busy;
	/* Of the round; whoever goes on with it has them alone. */
	uint64_t next_block;
	unsigned step;
	struct child child;
	struct segment seg;
};

/** Sectors that the map of so many sectors takes. */
uint64_t overlay_map_sectors(uint64_t n);
/** All sectors in the base, or (overlay_map_load) as the store says. @return 0; -ENOMEM */
int overlay_map_init(struct overlay_map *map, struct block_device *store, uint64_t first, uint64_t n) __must_check;
void overlay_map_exit(struct overlay_map *map);
/** Read the map from the store, or write it there. Task context, or boot. @return as block_read */
int overlay_map_load(struct overlay_map *map) __must_check;
int overlay_map_store(struct overlay_map *map) __must_check;

/** How many sectors, from this one on, are all on the store or all in the base? Any context. */
uint32_t overlay_map_run(const struct overlay_map *map, uint64_t sector, uint32_t n, bool *on_store);
/** Does the store's map have all of these, or will it when the round that goes on is over? Any context. */
bool overlay_map_is_durable(const struct overlay_map *map, uint64_t sector, uint32_t n);
/** Their data was written. Any context. */
void overlay_map_set(struct overlay_map *map, uint64_t sector, uint32_t n);
/** Serve a flush. Any context. */
void overlay_map_flush(struct overlay_map *map, struct block_request *rq);

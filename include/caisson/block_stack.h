/*
 * Block devices made of others, or of memory: a part of a device, a RAM disk, an
 * overlay that leaves its base as it is.
 *
 * They stand in no list: whoever makes one has it, and gives it back with
 * block_put() when nothing is under way any more. A device uses those below it,
 * so these may be put right after it was made. All functions that make one: task
 * context, or boot; *out is left alone on an error.
 */
#pragma once

#include <caisson/block.h>

#define BLOCK_NAME 32 /* bytes of a name, the end included; what is longer is cut */

/**
 * Sectors [first, first + n) of a device.
 * @param n  a rest that is not a whole unit is left out
 * @return 0; -EINVAL none, beyond the end, or not at a unit; -ENOMEM
 */
int block_part_create(struct block_device *base, const char *name, uint64_t first, uint64_t n,
		      struct block_device **out) __must_check;

/**
 * Where does a part begin by the device's partition table (GPT, or MBR: 1 to 4, logical ones from 5 on)? The part must be
 * within the device and overlap no other. Task context, or boot: it reads and waits.
 * @return 0; -ENOENT no table, or no part of that number; -EINVAL the table makes no sense: a message says what; what
 * block_read returns
 */
int block_part_find(struct block_device *dev, unsigned number, uint64_t *first, uint64_t *n) __must_check;

/**
 * A disk in RAM, zeroes at first. Pages are allocated when they are written, and given back when they are
 * discarded or zeroed. Without memory that request ends with -ENOMEM.
 * @param bytes  a rest that is not a whole sector is left out
 * @return 0; -EINVAL no sector; -EFBIG; -ENOMEM
 */
int block_ram_create(const char *name, uint64_t bytes, struct block_device **out) __must_check;

/**
 * A disk like the base that can be written: what is written is kept in RAM, by sector, and the base is only read
 * (which is claimed). What is discarded gives its memory back, and may show the base again. Writes that find no
 * memory end with -ENOMEM, those beyond the limit with -ENOSPC.
 * @param limit  bytes of RAM, bookkeeping included
 * @return 0; -EBUSY somebody writes the base; -ENOTSUP its blocks are larger than a page; -EFBIG; -ENOMEM
 */
int block_overlay_create(struct block_device *base, const char *name, uint64_t limit,
			 struct block_device **out) __must_check;

/**
 * The same with a memory: what is written is kept on another device, the store, and is there again when an overlay of
 * the same base is made on it. An empty store (zeroes) is prepared; any other that does not belong to this base is
 * refused. After a flush what was written before is on the store; what was not flushed is there or is not, sector by
 * sector, whenever the machine stops. The base is claimed for reading, the store for writing.
 * Needs a bit of RAM for each 256 bytes of the base. The store's size: block_overlay_store_sectors().
 * @return 0; -EBUSY; -EROFS the store cannot be written; -ENOSPC it is too small; -EINVAL it holds something else, or
 * belongs to another base, with a message; what block_read and block_write return, -ENOMEM among it
 */
int block_overlay_open(struct block_device *base, struct block_device *store, const char *name,
		       struct block_device **out) __must_check;

/** Sectors that a store needs for a base of n sectors. */
uint64_t block_overlay_store_sectors(uint64_t n);

/* Devices by number, as Linux counts them: the character devices and the disks. */
#pragma once

#include <caisson/block.h>

#include "file.h"

#define DEVICE(major, minor) ((uint64_t)(major) << 8 | (minor))
#define DISK_MAJOR 254
#define DISK_MINORS 16 /* per disk, as Linux leaves room for its parts */

/** Lets allocations fail (process/failalloc.c), in builds that can. */
#define FAIL_DEVICE DEVICE(1, 200)
extern const struct open_file_ops failalloc_ops;

/** The number of the nth block device, in the order of block_for_each. */
static inline uint64_t disk_number(unsigned n)
{
	return DEVICE(DISK_MAJOR, n * DISK_MINORS);
}

/** @return the block device of that number, or NULL. Any context. */
struct block_device *disk_find(uint64_t number);
/**
 * Open a disk as a file (process/disk.c). While somebody has it open for writing, nobody else may claim it: no file
 * system is mounted from it, and the other way round.
 * @return 0; -ENXIO no such disk; -EBUSY, -EROFS, -ENOMEM
 */
int disk_open(uint64_t number, unsigned flags, const char *path, struct open_file **out) __must_check;

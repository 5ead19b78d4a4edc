/*
 * A disk of a VM: virtio-blk (virtio 1.2, section 5.2) in front of a block device.
 *
 *     vmm/virtio/blk.c          the device: what it offers, requests that the back end takes as they are
 *     vmm/virtio/blk_parts.c    requests that take several of the back end's, one after the other
 *
 * Data goes straight between guest RAM and the back end. A guest that has not taken the flush feature, or has switched
 * its cache to write-through, gets each write flushed before it is told that it is done.
 */
#pragma once

#include <caisson/block.h>
#include <caisson/types.h>
#include <vmm/virtio.h>

#define VIO_BLK_SERIAL 20 /* bytes, not ended by a zero when there are so many */

/** What a guest has had of a disk since the VM was made. */
struct vio_blk_counters {
	uint64_t reads, writes, flushes, discards; /* requests; zeroes count as discards */
	uint64_t read_bytes, written_bytes; /* asked for */
	uint64_t errors;      /* requests that ended with one, the guest's own mistakes included */
};

/** The backend of such a device; it has to live as long. */
struct vio_blk_disk {
	struct block_device *dev;
	bool read_only;       /* also where dev is not */
	char serial[VIO_BLK_SERIAL];
	struct vio_blk_counters counters; /* atomic to read */
};

extern const struct vio_type vio_blk_type;

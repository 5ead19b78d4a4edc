/* What the files of the virtio block driver share. */
#pragma once

#include <caisson/block.h>
#include <caisson/virtio.h>

#define VIRTIO_BLK_PIECES 62u /* of one request's data, at most */

/* Section 5.2.3 */
enum { F_SIZE_MAX = 1, F_SEG_MAX = 2, F_RO = 5, F_BLK_SIZE = 6, F_FLUSH = 9, F_DISCARD = 13, F_WRITE_ZEROES = 14 };

#define VIRTIO_BLK_FEATURES (BIT(F_SIZE_MAX) | BIT(F_SEG_MAX) | BIT(F_RO) | BIT(F_BLK_SIZE) | BIT(F_FLUSH) | \
			     BIT(F_DISCARD) | BIT(F_WRITE_ZEROES) | BIT(VIRTIO_F_INDIRECT_DESC))

/** How a request's data may be cut. */
struct virtio_blk_pieces {
	uint32_t size;         /* bytes in one piece, at most */
	unsigned n;            /* pieces, at most */
};

/**
 * Fill in what the device's configuration says. Boot.
 * @param queue_size  descriptors that a request may take
 * @return 0; -EINVAL it makes no sense, with a message; -EIO
 */
int virtio_blk_read_config(struct virtio_device *vdev, unsigned queue_size, struct block_device *dev,
			   struct virtio_blk_pieces *pieces) __must_check;

/* What a virtio block device's configuration says (virtio 1.2, sections 5.2.4 and 5.2.5), checked. */
#include "virtio_blk.h"

#include <errno.h>

#include <caisson/log.h>

#define LOG_NAME "virtio-blk"

#define BYTES_MAX (MiB)          /* a request must be through in BLOCK_TIMEOUT_US */
#define ZEROES_MAX (64 * MiB)    /* the same: a device may have to write them */

enum {
	CONFIG_CAPACITY = 0,
	CONFIG_SIZE_MAX = 8,
	CONFIG_SEG_MAX = 12,
	CONFIG_BLK_SIZE = 20,
	CONFIG_DISCARD_MAX = 36,
	CONFIG_DISCARD_UNIT = 44,
	CONFIG_ZEROES_MAX = 48,
};

/* What the file's functions work on. */
struct limits {
	struct virtio_device *vdev;
	struct block_device *dev;
	struct virtio_blk_pieces pieces;
};

/* A field that is there only with a feature. */
static int optional(struct virtio_device *vdev, unsigned feature, unsigned offset, uint64_t otherwise, uint64_t *out)
{
	int error = virtio_has(vdev, feature) ? virtio_config(vdev, offset, sizeof(uint32_t), out) : 0;

	if (!virtio_has(vdev, feature))
		*out = otherwise;
	return error;
}

/* How a request's data may be cut into pieces. Without SEG_MAX one piece is all we may assume. */
static int read_limits(struct limits *l, unsigned queue_size)
{
	uint64_t size_max, seg_max;
	int error = optional(l->vdev, F_SIZE_MAX, CONFIG_SIZE_MAX, BYTES_MAX, &size_max);

	if (!error)
		error = optional(l->vdev, F_SEG_MAX, CONFIG_SEG_MAX, 1, &seg_max);
	if (error)
		return error;
	l->pieces.size = (uint32_t)MIN(size_max, BYTES_MAX);
	l->pieces.n = MIN((unsigned)MIN(seg_max, VIRTIO_BLK_PIECES), queue_size - 2);
	return l->pieces.n ? 0 : -EINVAL;
}

/*
 * Whatever keeps to these two makes so many pieces at most. Segments that are no longer than a piece are pieces as
 * they are; where they can be longer, each but its last piece has the full size: so many fewer may there be.
 */
static void limit_requests(struct limits *l)
{
	struct block_device *dev = l->dev;
	bool any_length = l->pieces.size == BYTES_MAX;
	unsigned segs = any_length ? l->pieces.n : l->pieces.n - l->pieces.n / 2;
	uint64_t bytes = any_length ? BYTES_MAX : (uint64_t)(l->pieces.n - segs + 1) * l->pieces.size;

	dev->max_segs = segs;
	dev->max_sectors = (uint32_t)ALIGN_DOWN(MIN(bytes, BYTES_MAX) / BLOCK_SECTOR, dev->unit);
}

static int read_geometry(struct limits *l)
{
	struct block_device *dev = l->dev;
	uint64_t capacity, blk_size;
	int error = virtio_config(l->vdev, CONFIG_CAPACITY, sizeof(capacity), &capacity);

	if (!error)
		error = optional(l->vdev, F_BLK_SIZE, CONFIG_BLK_SIZE, BLOCK_SECTOR, &blk_size);
	if (error)
		return error;
	if (blk_size < BLOCK_SECTOR || (blk_size & (blk_size - 1)) || blk_size > BYTES_MAX)
		return -EINVAL;
	dev->unit = (uint32_t)(blk_size / BLOCK_SECTOR);
	dev->n_sectors = ALIGN_DOWN(capacity, dev->unit);
	dev->read_only = virtio_has(l->vdev, F_RO);
	dev->can_flush = virtio_has(l->vdev, F_FLUSH);
	dev->polled = l->vdev->polled;
	limit_requests(l);
	return dev->max_sectors ? 0 : -EINVAL;
}

/* A limit that makes no sense means a device that cannot, not one that is refused. */
static int read_clearing(struct limits *l)
{
	struct block_device *dev = l->dev;
	uint64_t discard, unit, zeroes;
	int error = optional(l->vdev, F_DISCARD, CONFIG_DISCARD_MAX, 0, &discard);

	if (!error)
		error = optional(l->vdev, F_DISCARD, CONFIG_DISCARD_UNIT, 1, &unit);
	if (!error)
		error = optional(l->vdev, F_WRITE_ZEROES, CONFIG_ZEROES_MAX, 0, &zeroes);
	if (error)
		return error;
	dev->max_discard_sectors = (uint32_t)ALIGN_DOWN(discard, dev->unit);
	dev->max_zeroes_sectors = (uint32_t)ALIGN_DOWN(MIN(zeroes, ZEROES_MAX / BLOCK_SECTOR), dev->unit);
	dev->discard_unit = MAX((uint32_t)unit, dev->unit);
	dev->can_discard = dev->max_discard_sectors > 0;
	dev->can_write_zeroes = dev->max_zeroes_sectors > 0;
	return 0;
}

int virtio_blk_read_config(struct virtio_device *vdev, unsigned queue_size, struct block_device *dev,
			   struct virtio_blk_pieces *pieces)
{
	struct limits l = { .vdev = vdev, .dev = dev };
	int error = read_limits(&l, queue_size);

	if (!error)
		error = read_geometry(&l);
	if (!error)
		error = read_clearing(&l);
	if (error)
		log_warn("%s: its configuration makes no sense to us (error %d)", vdev->name, error);
	*pieces = l.pieces;
	return error;
}

/* Between the files of virtio-blk. */
#pragma once

#include <caisson/block.h>
#include <vmm/virtio.h>
#include <vmm/virtio_blk.h>

/* Status of a request, 5.2.6. */
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2 };

#define BLK_SEGS_MAX (VIO_QUEUE_SIZE - 2u) /* of one request: a chain has header and status besides */
#define BLK_RANGES_MAX 16 /* that one request discards or zeroes */

/* A piece of the disk to discard or to zero, as the driver writes it down (5.2.6). */
struct blk_range {
	uint64_t sector;
	uint32_t n_sectors, flags;
};

struct blk {
	struct vio_blk_disk *disk;
	struct block_device *dev;
	bool flush_writes;     /* each, as it is done: the driver has no cache, and the back end has one */
	unsigned complaints;   /* atomic */
};

/* A request of the guest, from being popped to being pushed. */
struct blk_request {
	struct block_request rq;
	struct blk *blk;
	struct vio_queue *q;
	uint8_t *status;       /* in guest RAM */
	uint32_t write_len;    /* bytes that the guest has given room for, status included */
	uint16_t head;
	bool fills;            /* writes to all of them, if it succeeds */
	struct blk_parts *parts; /* behind the segments; NULL: it is only one */
	struct segment segs[];
};

/** Bytes at the start of the room for answers that were written, if n were and the status at its end. */
static inline uint32_t blk_written(uint32_t room, uint32_t n)
{
	return n + 1 == room ? room : n;
}

/** Tell the guest, let go of the request. No lock held, any context. */
void blk_finish(struct blk_request *r, int error);

/* Several parts (vmm/virtio/blk_parts.c). */

/** What q->chain wants of the back end. */
struct blk_work {
	enum block_op op;
	bool unmap;
	uint64_t sector, n_sectors; /* of reading and writing */
	enum vio_side side;
	uint32_t off;          /* where the data begins on that side */
	unsigned n_segs;       /* no more than these */
	bool flush;            /* when all is written */
	const struct blk_range *ranges; /* of the others */
	unsigned n_ranges;
};

/** Keep what q->chain wants for blk_parts_run. Queue's lock held. @return NULL: out of memory */
struct blk_request *blk_parts_new(struct blk *blk, struct vio_queue *q, const struct blk_work *work) __must_check;
/** Do it. No lock held, any context. */
void blk_parts_run(struct blk_request *r);

/* virtio-blk for guests (virtio 1.2, 5.2): what the device offers, and requests on their way to the back end. */
#include <vmm/virtio_blk.h>

#include <errno.h>
#include <string.h>

#include <caisson/mm.h>

#include "blk.h"

#define LOG_NAME "virtio"
#include <caisson/log.h>

#define COMPLAINTS_MAX 8u      /* errors of the back end in the log */

/* 5.2.3 */
enum { F_SEG_MAX = 2, F_RO = 5, F_BLK_SIZE = 6, F_FLUSH = 9, F_CONFIG_WCE = 11, F_DISCARD = 13, F_WRITE_ZEROES = 14 };
/* 5.2.6 */
enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13 };
enum { RANGE_UNMAP = 1 };

/* 5.2.4 */
struct config {
	uint64_t capacity;
	uint32_t size_max, seg_max;
	uint8_t geometry[4];
	uint32_t blk_size;
	uint8_t topology[8];
	uint8_t writeback, unused0;
	uint16_t num_queues;
	uint32_t max_discard_sectors, max_discard_seg, discard_sector_alignment;
	uint32_t max_write_zeroes_sectors, max_write_zeroes_seg;
	uint8_t write_zeroes_may_unmap, unused1[3];
};
#define CONFIG_SIZE 60
_Static_assert(offsetof(struct config, unused1) + 3 == CONFIG_SIZE && sizeof(struct config) <= VIO_CONFIG_MAX, "as in 5.2.4");

struct header {
	uint32_t type, reserved;
	uint64_t sector;
};

/* --- the end of requests --- */

static void complain(struct blk *blk, struct vio_queue *q, const struct block_request *rq, int error)
{
	static const char *const names[] = { "reading", "writing", "flushing", "discarding", "zeroing" };
	unsigned nth = __atomic_add_fetch(&blk->complaints, 1, __ATOMIC_RELAXED);
	const char *last = nth == COMPLAINTS_MAX ? " (that is the last that is said of it)" : "";

	if (nth > COMPLAINTS_MAX)
		return;
	if (rq->op == BLOCK_FLUSH)
		log_warn("%s: flushing: error %d of %s%s", q->dev->label, error, blk->dev->name, last);
	else
		log_warn("%s: %s at sector %lu: error %d of %s%s", q->dev->label, names[rq->op],
			 (unsigned long)rq->sector, error, blk->dev->name, last);
}

static void count_error(struct blk *blk)
{
	__atomic_fetch_add(&blk->disk->counters.errors, 1, __ATOMIC_RELAXED);
}

static uint8_t status_of(int error)
{
	return !error ? S_OK : error == -ENOTSUP ? S_UNSUPP : S_IOERR;
}

void blk_finish(struct blk_request *r, int error)
{
	struct vio_queue *q = r->q;
	uint16_t head = r->head;
	uint32_t written = blk_written(r->write_len, r->fills && !error ? r->write_len - 1 : 0);

	*r->status = status_of(error);
	if (error)
		count_error(r->blk);
	if (error && vio_runs(q->dev))
		complain(r->blk, q, &r->rq, error);
	kfree(r);
	vio_complete(q, head, written);
}

static void done(struct block_request *rq)
{
	blk_finish(container_of(rq, struct blk_request, rq), rq->status);
}

/* --- requests that are answered at once. Queue's lock held. --- */

/* @return 0, or -EAGAIN: there is no memory under the status byte now */
static int answer(struct blk *blk, struct vio_queue *q, uint8_t status, uint32_t written)
{
	const struct vio_chain *c = &q->chain;

	if (vio_copy_in(q, c->write_len - 1, &status, 1) != 1) {
		vio_unpop(q, 1);
		return -EAGAIN;
	}
	if (status != S_OK)
		count_error(blk);
	vio_push(q, c->head, blk_written(c->write_len, written));
	vio_publish(q);
	return 0;
}

static int answer_id(struct blk *blk, struct vio_queue *q)
{
	uint32_t n = MIN(q->chain.write_len - 1, VIO_BLK_SERIAL);

	if (vio_copy_in(q, 0, blk->disk->serial, n) != n) {
		vio_unpop(q, 1);
		return -EAGAIN;
	}
	return answer(blk, q, S_OK, n);
}

/* Memory is out. While others are under way, some comes back: the guest's kick is repeated until then. */
static int out_of_memory(struct blk *blk, struct vio_queue *q)
{
	if (q->held == 1)
		return answer(blk, q, S_IOERR, 0);
	vio_unpop(q, 1);
	return -EAGAIN;
}

/* --- requests for the back end. Queue's lock held. --- */

/* How many segments n bytes may take: no more than the pages that they touch. */
static unsigned count_pages(const struct vio_chain *c, enum vio_side side, uint32_t off, uint32_t n)
{
	const struct vio_piece *p = c->pieces + (side == VIO_WRITES ? c->n_read : 0);
	unsigned pages = 0;

	for (; n > 0; p++) {
		uint32_t len;

		if (off >= p->len) {
			off -= p->len;
			continue;
		}
		len = MIN(p->len - off, n);
		pages += (unsigned)((((p->gpa + off) & (PAGE_SIZE - 1)) + len + PAGE_SIZE - 1) >> PAGE_SHIFT);
		n -= len;
		off = 0;
	}
	return pages;
}

/* Where its answer goes. @return 0 or -ENOMEM: there is no memory under the status byte. */
static int set_answer(struct blk_request *r, struct blk *blk, struct vio_queue *q, bool fills)
{
	const struct vio_chain *c = &q->chain;
	struct segment seg;
	uint32_t covered;
	int n = vio_segments(q, VIO_WRITES, c->write_len - 1, 1, &seg, 1, &covered);

	if (n != 1)
		return -ENOMEM;
	r->blk = blk;
	r->q = q;
	r->status = seg.data;
	r->write_len = c->write_len;
	r->head = c->head;
	r->fills = fills;
	return 0;
}

/* As one request of the back end. @return NULL: out of memory */
static struct blk_request *whole(struct vio_queue *q, const struct blk_work *w)
{
	struct blk_request *r = kalloc(sizeof(*r) + w->n_segs * sizeof(r->segs[0]));
	uint32_t bytes = (uint32_t)w->n_sectors * BLOCK_SECTOR, covered;
	int n;

	if (!r)
		return NULL;
	n = vio_segments(q, w->side, w->off, bytes, r->segs, w->n_segs, &covered);
	if (n < 0 || covered != bytes) {
		kfree(r);
		return NULL;
	}
	r->parts = NULL;
	r->rq.op = w->op;
	r->rq.unmap = false;
	r->rq.sector = w->sector;
	r->rq.n_sectors = (uint32_t)w->n_sectors;
	r->rq.segs = r->segs;
	r->rq.n_segs = (unsigned)n;
	r->rq.done = done;
	return r;
}

static int begin(struct blk *blk, struct vio_queue *q, struct blk_work *w, struct blk_request **out)
{
	struct blk_request *r;
	bool one;

	w->n_segs = count_pages(&q->chain, w->side, w->off, (uint32_t)w->n_sectors * BLOCK_SECTOR);
	one = !w->ranges && !w->flush && w->n_sectors <= blk->dev->max_sectors &&
	      w->n_segs <= MIN(blk->dev->max_segs, BLK_SEGS_MAX);
	r = one ? whole(q, w) : blk_parts_new(blk, q, w);
	if (!r)
		return out_of_memory(blk, q);
	if (set_answer(r, blk, q, w->op == BLOCK_READ)) {
		kfree(r);
		return out_of_memory(blk, q);
	}
	*out = r;
	return 0;
}

static bool is_on_disk(const struct blk *blk, uint64_t sector, uint64_t n)
{
	return sector <= blk->dev->n_sectors && n <= blk->dev->n_sectors - sector;
}

static void count(struct blk *blk, bool write, uint64_t bytes)
{
	struct vio_blk_counters *c = &blk->disk->counters;

	if (write) {
		c->writes++;
		c->written_bytes += bytes;
	} else {
		c->reads++;
		c->read_bytes += bytes;
	}
}

static int begin_transfer(struct blk *blk, struct vio_queue *q, const struct header *h, struct blk_request **out)
{
	bool write = h->type == T_OUT;
	uint32_t bytes = write ? q->chain.read_len - (uint32_t)sizeof(*h) : q->chain.write_len - 1;
	struct blk_work work = {
		.op = write ? BLOCK_WRITE : BLOCK_READ,
		.sector = h->sector,
		.n_sectors = bytes / BLOCK_SECTOR,
		.side = write ? VIO_READS : VIO_WRITES,
		.off = write ? sizeof(*h) : 0,
		.flush = write && blk->flush_writes,
	};

	if (bytes % BLOCK_SECTOR || !is_on_disk(blk, h->sector, work.n_sectors) || (write && blk->disk->read_only))
		return answer(blk, q, S_IOERR, 0);
	count(blk, write, bytes);
	return bytes ? begin(blk, q, &work, out) : answer(blk, q, S_OK, 0);
}

static int begin_flush(struct blk *blk, struct vio_queue *q, struct blk_request **out)
{
	struct blk_work work = { .op = BLOCK_FLUSH };

	blk->disk->counters.flushes++;
	return begin(blk, q, &work, out);
}

/* 5.2.6.2: with flags that mean nothing, S_UNSUPP. */
static uint8_t check_range(const struct blk *blk, bool zeroes, const struct blk_range *range)
{
	if (range->flags & ~(zeroes ? (uint32_t)RANGE_UNMAP : 0))
		return S_UNSUPP;
	return is_on_disk(blk, range->sector, range->n_sectors) ? S_OK : S_IOERR;
}

static int begin_ranges(struct blk *blk, struct vio_queue *q, const struct header *h, struct blk_request **out)
{
	struct blk_range ranges[BLK_RANGES_MAX];
	uint32_t bytes = q->chain.read_len - (uint32_t)sizeof(*h);
	bool zeroes = h->type == T_WRITE_ZEROES;
	struct blk_work work = {
		.op = zeroes ? BLOCK_WRITE_ZEROES : BLOCK_DISCARD,
		.unmap = zeroes,
		.ranges = ranges,
		.n_ranges = (unsigned)(bytes / sizeof(ranges[0])),
		.flush = zeroes && blk->flush_writes,
	};

	if (!vio_has(q->dev, zeroes ? F_WRITE_ZEROES : F_DISCARD))
		return answer(blk, q, S_UNSUPP, 0);
	if (bytes % sizeof(ranges[0]) || work.n_ranges == 0 || work.n_ranges > BLK_RANGES_MAX)
		return answer(blk, q, S_IOERR, 0);
	if (vio_copy_out(q, sizeof(*h), ranges, bytes) != bytes)
		return out_of_memory(blk, q);
	for (unsigned i = 0; i < work.n_ranges; i++) {
		uint8_t status = check_range(blk, zeroes, &ranges[i]);

		if (status != S_OK)
			return answer(blk, q, status, 0);
		work.unmap &= ranges[i].flags & RANGE_UNMAP;
	}
	blk->disk->counters.discards++;
	return begin(blk, q, &work, out);
}

/* What was popped last. @return 0, with *out if the back end has to do with it; -EAGAIN: later */
static int begin_request(struct blk *blk, struct vio_queue *q, struct blk_request **out)
{
	const struct vio_chain *c = &q->chain;
	struct header h;

	if (c->read_len < sizeof(h) || c->write_len == 0) {
		vio_fail(q->dev, "a request without %s", c->write_len ? "a header" : "room for its status");
		vio_push(q, c->head, 0);
		return 0;
	}
	if (vio_copy_out(q, 0, &h, sizeof(h)) != sizeof(h))
		return out_of_memory(blk, q);
	switch (h.type) {
	case T_IN:
	case T_OUT:
		return begin_transfer(blk, q, &h, out);
	case T_FLUSH:
		return begin_flush(blk, q, out);
	case T_GET_ID:
		return answer_id(blk, q);
	case T_DISCARD:
	case T_WRITE_ZEROES:
		return begin_ranges(blk, q, &h, out);
	default:
		return answer(blk, q, S_UNSUPP, 0);
	}
}

/* @return as begin_request; -ENOENT: there is none, and a kick will come for the next */
static int take(struct blk *blk, struct vio_queue *q, struct blk_request **out)
{
	do {
		if (vio_pop(q))
			return begin_request(blk, q, out);
	} while (vio_want_kick(q, true));
	return -ENOENT;
}

/* The back end may answer before it returns: the queue's lock is not held then. */
static void submit(struct blk *blk, struct blk_request *r)
{
	int error;

	if (r->parts) {
		blk_parts_run(r);
		return;
	}
	error = block_submit(blk->dev, &r->rq);
	if (error)
		blk_finish(r, error);
}

/* In chains. A back end in memory copies at once, with interrupts off: 32 KiB are like one more. */
static unsigned cost(const struct blk *blk, const struct blk_request *r)
{
	if (!r || !blk->dev->memory)
		return 1;
	return r->parts ? VIO_KICK_MAX : 1 + r->rq.n_sectors / 64;
}

static int blk_kick(struct vio *dev, struct vio_queue *q)
{
	struct blk *blk = dev->state;

	for (unsigned n = 0; n < VIO_KICK_MAX;) {
		struct blk_request *r = NULL;
		irqflags_t flags = vio_lock(q);
		int error = take(blk, q, &r);

		vio_unlock(q, flags);
		n += cost(blk, r);
		if (r)
			submit(blk, r);
		if (error)
			return error == -ENOENT ? 0 : error;
	}
	return -EAGAIN;
}

/* --- the device --- */

static struct config *config_of(struct vio *dev)
{
	return (struct config *)dev->config;
}

/* Without the flush feature the driver knows of no cache, and there must be none (5.2.5). */
static void set_cache(struct vio *dev)
{
	struct blk *blk = dev->state;
	bool cache = vio_has(dev, F_FLUSH) && (!vio_has(dev, F_CONFIG_WCE) || config_of(dev)->writeback);

	config_of(dev)->writeback = cache;
	__atomic_store_n(&blk->flush_writes, !cache && blk->dev->can_flush, __ATOMIC_RELAXED);
}

static int blk_config_written(struct vio *dev, unsigned off, unsigned n)
{
	(void)off;
	(void)n;
	set_cache(dev);
	return 0;
}

static void blk_reset(struct vio *dev)
{
	config_of(dev)->writeback = 1;
}

static void describe(struct vio *dev, const struct block_device *b)
{
	*config_of(dev) = (struct config){
		.capacity = b->n_sectors,
		.seg_max = MIN(b->max_segs, BLK_SEGS_MAX),
		.blk_size = b->unit * BLOCK_SECTOR,
		.writeback = 1,
		.max_discard_sectors = b->max_discard_sectors,
		.max_discard_seg = BLK_RANGES_MAX,
		.discard_sector_alignment = MAX(b->discard_unit, b->unit),
		.max_write_zeroes_sectors = b->max_zeroes_sectors,
		.max_write_zeroes_seg = BLK_RANGES_MAX,
		.write_zeroes_may_unmap = b->can_write_zeroes && b->can_discard,
	};
	dev->config_size = CONFIG_SIZE;
	dev->offered = BIT(F_SEG_MAX) | BIT(F_BLK_SIZE) | BIT(F_FLUSH);
}

static int blk_create(struct vio *dev)
{
	struct vio_blk_disk *disk = dev->backend;
	struct blk *blk = kzalloc(sizeof(*blk));

	if (!blk)
		return -ENOMEM;
	*blk = (struct blk){ .disk = disk, .dev = disk->dev };
	dev->state = blk;
	describe(dev, disk->dev);
	disk->read_only |= disk->dev->read_only;
	if (disk->read_only) {
		dev->offered |= BIT(F_RO);
		return 0;
	}
	dev->offered |= BIT(F_CONFIG_WCE);
	dev->config_writable = BIT(offsetof(struct config, writeback));
	if (disk->dev->can_discard)
		dev->offered |= BIT(F_DISCARD);
	if (disk->dev->can_write_zeroes)
		dev->offered |= BIT(F_WRITE_ZEROES);
	return 0;
}

static void blk_destroy(struct vio *dev)
{
	kfree(dev->state);
}

const struct vio_type vio_blk_type = {
	.name = "virtio-blk",
	.id = VIO_ID_BLOCK,
	.n_queues = 1,
	.create = blk_create,
	.destroy = blk_destroy,
	.kick = blk_kick,
	.start = set_cache,
	.reset = blk_reset,
	.config_written = blk_config_written,
};

/*
 * Requests of a guest that take several of the back end's: data in more segments or sectors than it takes at once,
 * ranges to discard or to zero, writes with a flush behind them. One part is under way at a time.
 */
#include <errno.h>
#include <string.h>

#include <caisson/mm.h>
#include <caisson/time.h>

#include "blk.h"

#define IN_A_ROW 2u            /* parts that a back end in memory does at once, with interrupts off */
#define PAUSE_US 1000          /* before the next ones: others want the hart, too */

struct blk_parts {
	struct timer timer;    /* of the pause */
	struct blk_request *request;
	uint32_t came;         /* atomic: its submitter or its answer, whoever comes second goes on */
	bool unmap, flush;     /* flush: when all is written */
	enum block_op op;
	enum vio_side side;
	unsigned max_segs;
	uint64_t sector, left; /* sectors: of the data, or of the range */
	uint32_t off;          /* of the data in the chain */
	unsigned range, n_ranges; /* range: the next */
	struct blk_range *ranges;
	uint16_t n_read, n_write;
	struct vio_piece pieces[]; /* as they stood in the chain, or the ranges */
};

static size_t tail_size(const struct vio_chain *c, const struct blk_work *w)
{
	return w->ranges ? w->n_ranges * sizeof(w->ranges[0]) : (size_t)(c->n_read + c->n_write) * sizeof(c->pieces[0]);
}

static void keep(struct blk_parts *p, const struct vio_chain *c, const struct blk_work *w)
{
	if (w->ranges) {
		p->ranges = (struct blk_range *)p->pieces;
		memcpy(p->ranges, w->ranges, tail_size(c, w));
	} else {
		memcpy(p->pieces, c->pieces, tail_size(c, w));
	}
}

struct blk_request *blk_parts_new(struct blk *blk, struct vio_queue *q, const struct blk_work *w)
{
	unsigned max_segs = MIN(w->n_segs, MIN(blk->dev->max_segs, BLK_SEGS_MAX));
	size_t head = sizeof(struct blk_request) + max_segs * sizeof(struct segment);
	struct blk_request *r = kzalloc(head + sizeof(struct blk_parts) + tail_size(&q->chain, w));

	if (!r)
		return NULL;
	r->parts = (struct blk_parts *)((char *)r + head);
	*r->parts = (struct blk_parts){
		.request = r, .op = w->op, .unmap = w->unmap, .flush = w->flush, .side = w->side, .max_segs = max_segs,
		.sector = w->sector, .left = w->n_sectors, .off = w->off, .n_ranges = w->n_ranges,
		.n_read = q->chain.n_read, .n_write = q->chain.n_write,
	};
	keep(r->parts, &q->chain, w);
	return r;
}

/* The chain was replaced by others long ago: put it there again. Queue's lock held. */
static void recall(struct vio_queue *q, const struct blk_parts *p)
{
	q->chain.n_read = p->n_read;
	q->chain.n_write = p->n_write;
	memcpy(q->chain.pieces, p->pieces, (size_t)(p->n_read + p->n_write) * sizeof(p->pieces[0]));
}

/* As many of n sectors as have room in the segments. @return sectors, or negative errno */
static int64_t gather(struct blk_request *r, uint32_t n)
{
	struct blk_parts *p = r->parts;
	irqflags_t flags = vio_lock(r->q);
	uint32_t covered;
	int n_segs;

	recall(r->q, p);
	n_segs = vio_segments(r->q, p->side, p->off, n * BLOCK_SECTOR, r->segs, p->max_segs, &covered);
	vio_unlock(r->q, flags);
	if (n_segs < 0)
		return n_segs;
	r->rq.segs = r->segs;
	r->rq.n_segs = (unsigned)n_segs;
	return covered / BLOCK_SECTOR;
}

/* Let the segments end with the n-th sector. */
static void trim(struct blk_request *r, uint32_t n)
{
	uint32_t left = n * BLOCK_SECTOR;
	unsigned i;

	for (i = 0; left > r->segs[i].len; i++)
		left -= r->segs[i].len;
	r->segs[i].len = left;
	r->rq.n_segs = i + 1;
}

static int next_data(struct blk_request *r)
{
	const struct block_device *dev = r->blk->dev;
	struct blk_parts *p = r->parts;
	int64_t n = gather(r, (uint32_t)MIN(p->left, dev->max_sectors));

	if (n < 0)
		return (int)n;
	n &= ~(int64_t)(dev->unit - 1);
	if (n == 0) /* a unit in more pieces than the back end takes: more than the driver was told */
		return -EIO;
	trim(r, (uint32_t)n);
	r->rq.n_sectors = (uint32_t)n;
	p->off += r->rq.n_sectors * BLOCK_SECTOR;
	return 1;
}

static void next_range(struct blk_parts *p)
{
	while (p->left == 0 && p->range < p->n_ranges) {
		p->sector = p->ranges[p->range].sector;
		p->left = p->ranges[p->range].n_sectors;
		p->range++;
	}
}

static int next_of_range(struct blk_request *r)
{
	const struct block_device *dev = r->blk->dev;
	uint32_t max = r->parts->op == BLOCK_DISCARD ? dev->max_discard_sectors : dev->max_zeroes_sectors;

	r->rq.n_sectors = (uint32_t)MIN(r->parts->left, max);
	return 1;
}

/* @return 1: there is one more part, in r->rq; 0: that was all; negative errno */
static int next_part(struct blk_request *r)
{
	struct blk_parts *p = r->parts;
	int more;

	if (!vio_runs(r->q->dev)) /* a reset waits for it */
		return -EIO;
	next_range(p);
	r->rq.op = p->left ? p->op : BLOCK_FLUSH;
	if (p->left == 0) {
		more = p->flush;
		p->flush = false;
		return more;
	}
	r->rq.unmap = p->unmap;
	r->rq.sector = p->sector;
	more = p->ranges ? next_of_range(r) : next_data(r);
	p->sector += r->rq.n_sectors;
	p->left -= r->rq.n_sectors;
	return more;
}

static bool is_first(struct blk_parts *p)
{
	return !__atomic_exchange_n(&p->came, 1, __ATOMIC_ACQ_REL);
}

static void part_done(struct block_request *rq)
{
	struct blk_request *r = container_of(rq, struct blk_request, rq);

	if (is_first(r->parts))
		return;
	if (rq->status)
		blk_finish(r, rq->status);
	else
		blk_parts_run(r);
}

static void go_on(struct timer *t)
{
	blk_parts_run(container_of(t, struct blk_parts, timer)->request);
}

/* @return 0: part_done goes on; 1: it is done already; negative errno */
static int submit_part(struct blk_request *r)
{
	int error;

	r->rq.done = part_done;
	__atomic_store_n(&r->parts->came, 0, __ATOMIC_RELAXED);
	error = block_submit(r->blk->dev, &r->rq);
	if (error)
		return error;
	if (is_first(r->parts))
		return 0; /* it may be gone */
	return r->rq.status ? r->rq.status : 1;
}

/* A loop and no recursion: a back end in memory answers before it returns. */
void blk_parts_run(struct blk_request *r)
{
	for (unsigned n = 0; n < IN_A_ROW; n++) {
		int more = next_part(r);

		if (more <= 0) {
			blk_finish(r, more);
			return;
		}
		more = submit_part(r);
		if (more < 0)
			blk_finish(r, more);
		if (more <= 0)
			return;
	}
	timer_init(&r->parts->timer, go_on);
	timer_arm(&r->parts->timer, time_now() + time_from_us(PAUSE_US));
}

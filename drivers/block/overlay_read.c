/* Reading from a device whose sectors are in two places. */
#include "overlay_read.h"

#include <errno.h>

#include <caisson/mm.h>

#define READERS 4

/* One that serves a request. */
struct reader {
	struct overlay_reads *all;
	struct block_request *rq;
	struct segs to;
	uint64_t sector;
	uint32_t left;
	struct child part;
	struct reader *next; /* free list */
	struct segment segs[];
};

static void begin(struct reader *r, struct block_request *rq)
{
	r->rq = rq;
	r->to = segs_of(rq);
	r->sector = rq->sector;
	r->left = rq->n_sectors;
}

/* @return as child_submit: until then the reader is not ours. */
static int read_part(struct reader *r, struct block_device *from, uint64_t sector, uint32_t n)
{
	r->part.rq = (struct block_request){ .op = BLOCK_READ, .sector = sector, .n_sectors = n, .segs = r->segs };
	r->part.rq.n_segs = segs_cut(&r->to, (uint64_t)n * BLOCK_SECTOR, r->segs);
	return child_submit(&r->part, from);
}

/* @return 0 or negative errno: the request is through; else CHILD_UNDER_WAY. */
static int read_on(struct reader *r)
{
	int result = 0;

	while (r->left > 0 && !result) {
		struct block_device *from;
		uint64_t sector = r->sector, shift;
		uint32_t n = r->all->source(r->all, sector, r->left, &r->to, &from, &shift);

		r->sector += n;
		r->left -= n;
		if (from)
			result = read_part(r, from, sector + shift, n);
	}
	return result;
}

/* End the reader's request. @return true: it has another one; false: it is free, and not ours any more. */
static bool end(struct reader *r, int status)
{
	struct overlay_reads *all = r->all;
	struct block_request *rq = r->rq;
	irqflags_t flags = spin_lock_irqsave(&all->lock);
	bool more = !list_empty(&all->waiting);

	if (more) {
		struct block_request *next = list_first(&all->waiting, struct block_request, node);

		list_del(&next->node);
		begin(r, next);
	} else {
		r->next = all->free;
		all->free = r;
	}
	spin_unlock_irqrestore(&all->lock, flags);
	rq->status = status;
	rq->done(rq);
	return more;
}

static void go_on(struct reader *r, int status)
{
	do {
		if (!status)
			status = read_on(r);
		if (status == CHILD_UNDER_WAY)
			return;
		if (!end(r, status))
			return;
		status = 0;
	} while (true);
}

static void resume(struct child *c, int status)
{
	go_on(container_of(c, struct reader, part), status);
}

/* A free reader for this request, or it waits. */
static struct reader *take(struct overlay_reads *reads, struct block_request *rq)
{
	irqflags_t flags = spin_lock_irqsave(&reads->lock);
	struct reader *r = reads->free;

	if (r)
		reads->free = r->next;
	else
		list_push_back(&reads->waiting, &rq->node);
	spin_unlock_irqrestore(&reads->lock, flags);
	return r;
}

/* Checked already: the overlay's limits are those of what is below it, or lower. */
static int forward(struct block_device *to, struct block_request *rq, uint64_t shift)
{
	int error;

	rq->sector += shift;
	error = to->ops->submit(to, rq);
	if (error)
		rq->sector -= shift;
	return error;
}

/* What was copied on the way is copied again only if the rest comes from elsewhere. */
int overlay_read(struct overlay_reads *reads, struct block_request *rq)
{
	struct segs to = segs_of(rq);
	struct block_device *from;
	uint64_t shift;
	struct reader *r;

	if (reads->source(reads, rq->sector, rq->n_sectors, &to, &from, &shift) == rq->n_sectors) {
		if (from)
			return forward(from, rq, shift);
		rq->status = 0;
		rq->done(rq);
		return 0;
	}
	r = take(reads, rq);
	if (r) {
		begin(r, rq);
		go_on(r, 0);
	}
	return 0;
}

int overlay_reads_init(struct overlay_reads *reads, unsigned max_segs)
{
	size_t size = ALIGN_UP(sizeof(struct reader) + max_segs * sizeof(struct segment), 16);

	reads->memory = kzalloc(READERS * size);
	if (!reads->memory)
		return -ENOMEM;
	reads->lock = (spinlock_t)SPINLOCK_INIT;
	reads->free = NULL;
	list_init(&reads->waiting);
	for (unsigned i = 0; i < READERS; i++) {
		struct reader *r = (struct reader *)((char *)reads->memory + i * size);

		r->all = reads;
		r->part.resume = resume;
		r->next = reads->free;
		reads->free = r;
	}
	return 0;
}

void overlay_reads_exit(struct overlay_reads *reads)
{
	kfree(reads->memory);
}

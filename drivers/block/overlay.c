/* A disk over a base that is only read: what is written is kept in RAM. */
#include <caisson/block_stack.h>

#include <errno.h>
#include <stdio.h>

#include <caisson/log.h>
#include <caisson/mm.h>

#include "overlay_read.h"
#include "sparse.h"

#define LOG_NAME "block"

#define CLEAR_MAX (64 * MiB)

struct overlay {
	struct block_device dev;
	char name[BLOCK_NAME];
	struct block_device *base;
	struct block_claim claim;   /* of the base */
	struct overlay_reads reads;
	struct sparse changed;
	uint32_t warned;            /* atomic: somebody was told that it is full */
};

static struct overlay *overlay_of(struct block_device *dev)
{
	return container_of(dev, struct overlay, dev);
}

static uint32_t source(struct overlay_reads *reads, uint64_t sector, uint32_t n, struct segs *to,
		       struct block_device **from, uint64_t *shift)
{
	struct overlay *o = container_of(reads, struct overlay, reads);
	bool present;
	uint32_t found = sparse_read(&o->changed, sector, n, to, &present);

	*from = present ? NULL : o->base;
	*shift = 0;
	return found;
}

/* Once is enough: a guest goes on trying. */
static void report(struct overlay *o, int error)
{
	if (error && !__atomic_exchange_n(&o->warned, 1, __ATOMIC_RELAXED))
		log_warn("%s: %s: what is written fails until something is discarded", o->name,
			 error == -ENOSPC ? "its memory is full" : "no memory");
}

static int change(struct overlay *o, const struct block_request *rq)
{
	struct segs from = segs_of(rq);

	if (rq->op == BLOCK_WRITE)
		return sparse_write(&o->changed, rq->sector, rq->n_sectors, &from);
	if (rq->op == BLOCK_WRITE_ZEROES)
		return sparse_zero(&o->changed, rq->sector, rq->n_sectors);
	sparse_drop(&o->changed, rq->sector, rq->n_sectors);
	return 0;
}

static int overlay_submit(struct block_device *dev, struct block_request *rq)
{
	struct overlay *o = overlay_of(dev);

	if (rq->op == BLOCK_READ)
		return overlay_read(&o->reads, rq);
	rq->status = change(o, rq);
	report(o, rq->status);
	rq->done(rq);
	return 0;
}

static void overlay_poll(struct block_device *dev)
{
	block_poll(overlay_of(dev)->base);
}

static void overlay_destroy(struct block_device *dev)
{
	struct overlay *o = overlay_of(dev);

	sparse_exit(&o->changed);
	overlay_reads_exit(&o->reads);
	block_release(&o->claim);
	block_put(o->base);
	kfree(o);
}

static const struct block_ops overlay_ops = {
	.submit = overlay_submit,
	.poll = overlay_poll,
	.destroy = overlay_destroy,
};

static void describe(struct overlay *o, const struct block_device *base)
{
	o->dev = (struct block_device){
		.name = o->name,
		.ops = &overlay_ops,
		.n_sectors = base->n_sectors,
		.max_sectors = base->max_sectors,
		.max_segs = base->max_segs,
		.unit = base->unit,
		.can_discard = true,
		.can_write_zeroes = true,
		.max_discard_sectors = CLEAR_MAX / BLOCK_SECTOR,
		.max_zeroes_sectors = CLEAR_MAX / BLOCK_SECTOR,
		.discard_unit = PAGE_SIZE / BLOCK_SECTOR,
		.polled = base->polled,
		.memory = &o->changed.used,
		.users = 1,
	};
}

/* What can fail, in order; what was done before is undone. */
static int set_up(struct overlay *o, struct block_device *base, uint64_t limit)
{
	int error = block_claim(&o->claim, base, BLOCK_SHARED, o->name);

	if (error)
		return error;
	o->reads.source = source;
	error = overlay_reads_init(&o->reads, base->max_segs);
	if (error)
		goto release;
	error = sparse_init(&o->changed, base->n_sectors, limit);
	if (!error)
		return 0;
	overlay_reads_exit(&o->reads);
release:
	block_release(&o->claim);
	return error;
}

int block_overlay_create(struct block_device *base, const char *name, uint64_t limit, struct block_device **out)
{
	struct overlay *o;
	int error;

	/* A page is written as a whole or not at all: so is a unit, whatever memory there is. */
	if (base->unit > PAGE_SIZE / BLOCK_SECTOR)
		return -ENOTSUP;
	o = kzalloc(sizeof(*o));
	if (!o)
		return -ENOMEM;
	snprintf(o->name, sizeof(o->name), "%s", name);
	error = set_up(o, base, limit);
	if (error) {
		kfree(o);
		return error;
	}
	o->base = base;
	block_get(base);
	describe(o, base);
	*out = &o->dev;
	return 0;
}

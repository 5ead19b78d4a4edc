/*
 * A disk over a base that is only read: what is written is kept on another device.
 *
 * The store: a header in its first sector; at 1 MiB the map, which says which sectors are here; at the next whole MiB
 * the sectors, each as far from there as it is from the base's start.
 */
#include <caisson/block_stack.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <caisson/log.h>
#include <caisson/mm.h>

#include "crc32.h"
#include "overlay_map.h"
#include "overlay_read.h"

#define LOG_NAME "block"

#define MAGIC "caisson overlay"
#define VERSION 1u
#define MAP_FIRST (MiB / BLOCK_SECTOR)
#define UNIT_MAX 128u            /* sectors: 64 KiB */
#define IDENTITY 128u            /* sectors at the start of the base by which it is known */
#define WRITERS 64u

/* All little-endian, as we are. */
struct header {
	char magic[16];
	uint32_t version;
	uint32_t sum;            /* of the header, with 0 here */
	uint64_t base_sectors;
	uint32_t base_sum;       /* of its first sectors */
	uint32_t reserved;
	uint64_t map_first, data_first;
};

/* A write until its sectors are in the map. */
struct writer {
	struct overlay *overlay;
	struct block_request *rq;
	struct child child;
	struct writer *next;     /* free list */
};

struct overlay {
	struct block_device dev;
	char name[BLOCK_NAME];
	struct block_device *base, *store;
	struct block_claim base_claim, store_claim;
	uint64_t data_first;
	struct overlay_reads reads;
	struct overlay_map map;
	spinlock_t lock;         /* guards the rest; innermost */
	struct writer *free;
	struct list waiting;     /* writes for a writer */
	struct writer writers[WRITERS];
};

static struct overlay *overlay_of(struct block_device *dev)
{
	return container_of(dev, struct overlay, dev);
}

uint64_t block_overlay_store_sectors(uint64_t n)
{
	return MAP_FIRST + overlay_map_sectors(n) + n;
}

/* --- reading --- */

static uint32_t source(struct overlay_reads *reads, uint64_t sector, uint32_t n, struct segs *to,
		       struct block_device **from, uint64_t *shift)
{
	struct overlay *o = container_of(reads, struct overlay, reads);
	bool on_store;
	uint32_t found = overlay_map_run(&o->map, sector, n, &on_store);

	(void)to;
	*from = on_store ? o->store : o->base;
	*shift = on_store ? o->data_first : 0;
	return found;
}

/* --- writing --- */

/* The request as it is, for what the map does not change by. */
static int hand_down(struct overlay *o, struct block_request *rq)
{
	int error;

	rq->sector += o->data_first;
	error = block_submit(o->store, rq);
	if (error)
		rq->sector -= o->data_first;
	return error;
}

static int write(struct writer *w)
{
	const struct block_request *rq = w->rq;

	w->child.rq = (struct block_request){ .op = rq->op, .unmap = rq->unmap, .sector = rq->sector + w->overlay->data_first,
					      .n_sectors = rq->n_sectors, .segs = rq->segs, .n_segs = rq->n_segs };
	return child_submit(&w->child, w->overlay->store);
}

/* End the writer's request. @return true: it has another one; false: it is free, and not ours any more. */
static bool end(struct writer *w, int status)
{
	struct overlay *o = w->overlay;
	struct block_request *rq = w->rq;
	irqflags_t flags;
	bool more;

	if (!status)
		overlay_map_set(&o->map, rq->sector, rq->n_sectors);
	flags = spin_lock_irqsave(&o->lock);
	more = !list_empty(&o->waiting);
	if (more) {
		w->rq = list_first(&o->waiting, struct block_request, node);
		list_del(&w->rq->node);
	} else {
		w->next = o->free;
		o->free = w;
	}
	spin_unlock_irqrestore(&o->lock, flags);
	rq->status = status;
	rq->done(rq);
	return more;
}

static void go_on(struct writer *w, int status)
{
	while (status != CHILD_UNDER_WAY && end(w, status))
		status = write(w);
}

static void resume(struct child *c, int status)
{
	go_on(container_of(c, struct writer, child), status);
}

/* A free writer for this request, or it waits. */
static struct writer *take(struct overlay *o, struct block_request *rq)
{
	irqflags_t flags = spin_lock_irqsave(&o->lock);
	struct writer *w = o->free;

	if (w)
		o->free = w->next;
	else
		list_push_back(&o->waiting, &rq->node);
	spin_unlock_irqrestore(&o->lock, flags);
	return w;
}

static int submit_write(struct overlay *o, struct block_request *rq)
{
	struct writer *w;

	if (overlay_map_is_durable(&o->map, rq->sector, rq->n_sectors))
		return hand_down(o, rq);
	w = take(o, rq);
	if (w) {
		w->rq = rq;
		go_on(w, write(w));
	}
	return 0;
}

/* --- the device --- */

static int overlay_submit(struct block_device *dev, struct block_request *rq)
{
	struct overlay *o = overlay_of(dev);

	switch (rq->op) {
	case BLOCK_READ:
		return overlay_read(&o->reads, rq);
	case BLOCK_WRITE:
	case BLOCK_WRITE_ZEROES:
		return submit_write(o, rq);
	case BLOCK_FLUSH:
		overlay_map_flush(&o->map, rq);
		return 0;
	default: /* discarded sectors stay where they are, with anything in them */
		return hand_down(o, rq);
	}
}

static void overlay_poll(struct block_device *dev)
{
	block_poll(overlay_of(dev)->store);
	block_poll(overlay_of(dev)->base);
}

static void tear_down(struct overlay *o)
{
	overlay_map_exit(&o->map);
	overlay_reads_exit(&o->reads);
	block_release(&o->store_claim);
	block_release(&o->base_claim);
}

static void overlay_destroy(struct block_device *dev)
{
	struct overlay *o = overlay_of(dev);
	int error = block_flush(dev);

	if (error)
		log_warn("%s: the last changes may not be on %s (error %d)", o->name, o->store->name, error);
	tear_down(o);
	block_put(o->store);
	block_put(o->base);
	kfree(o);
}

static const struct block_ops overlay_ops = {
	.submit = overlay_submit,
	.poll = overlay_poll,
	.destroy = overlay_destroy,
};

static void describe(struct overlay *o)
{
	const struct block_device *base = o->base, *store = o->store;
	uint32_t unit = MAX(base->unit, store->unit);

	o->dev = (struct block_device){
		.name = o->name,
		.ops = &overlay_ops,
		.n_sectors = ALIGN_DOWN(base->n_sectors, unit),
		.max_sectors = (uint32_t)ALIGN_DOWN(MIN(base->max_sectors, store->max_sectors), unit),
		.max_segs = MIN(base->max_segs, store->max_segs),
		.unit = unit,
		.can_flush = true, /* the map has to be written in any case */
		.can_discard = store->can_discard,
		.can_write_zeroes = store->can_write_zeroes,
		.max_discard_sectors = (uint32_t)ALIGN_DOWN(store->max_discard_sectors, unit),
		.max_zeroes_sectors = (uint32_t)ALIGN_DOWN(store->max_zeroes_sectors, unit),
		.discard_unit = MAX(store->discard_unit, unit),
		.polled = base->polled || store->polled,
		.users = 1,
	};
}

/* --- the header --- */

static uint32_t sum_of(struct header h)
{
	h.sum = 0;
	return crc32_add(0, &h, sizeof(h));
}

static int sum_base(struct block_device *base, uint32_t *sum)
{
	uint32_t n = (uint32_t)MIN(base->n_sectors, IDENTITY);
	void *data = kalloc((size_t)n * BLOCK_SECTOR + 1); /* it may be empty */
	int error = data ? block_read(base, 0, data, n) : -ENOMEM;

	if (!error)
		*sum = crc32_add(0, data, (size_t)n * BLOCK_SECTOR);
	kfree(data);
	return error;
}

static int expected_header(struct overlay *o, struct header *h)
{
	*h = (struct header){ .magic = MAGIC, .version = VERSION, .base_sectors = o->base->n_sectors, .map_first = MAP_FIRST,
			      .data_first = o->data_first };
	return sum_base(o->base, &h->base_sum);
}

/* @return NULL: the store is this base's */
static const char *check_header(const struct header *found, const struct header *expected)
{
	if (memcmp(found->magic, expected->magic, sizeof(found->magic)))
		return "holds something else than an overlay; an empty one is zeroes";
	if (found->version != expected->version)
		return "was made by another version";
	if (found->sum != sum_of(*found))
		return "has a damaged header";
	if (found->base_sectors != expected->base_sectors || found->base_sum != expected->base_sum)
		return "belongs to another base, or the base was changed";
	if (found->map_first != expected->map_first || found->data_first != expected->data_first)
		return "is laid out in another way";
	return NULL;
}

static bool is_zero(const char *data, size_t n)
{
	return data[0] == 0 && memcmp(data, data + 1, n - 1) == 0;
}

/* Prepare an empty store. The header comes last: without it all of this is done again. */
static int format(struct overlay *o, struct header *h, char *sector)
{
	int error = overlay_map_store(&o->map);

	if (!error)
		error = block_flush(o->store);
	h->sum = sum_of(*h);
	memset(sector, 0, BLOCK_SECTOR);
	memcpy(sector, h, sizeof(*h));
	if (!error)
		error = block_write(o->store, 0, sector, 1);
	if (!error)
		error = block_flush(o->store);
	if (!error)
		log_info("%s: %s was empty: prepared for changes to %s", o->name, o->store->name, o->base->name);
	return error;
}

/* `start` has the store's first MAP_FIRST sectors: file systems begin with up to 64 KiB of zeroes. */
static int open_or_format(struct overlay *o, char *start)
{
	struct header found, expected;
	const char *wrong;
	int error = expected_header(o, &expected);

	if (!error)
		error = block_read(o->store, 0, start, MAP_FIRST);
	if (error)
		return error;
	if (is_zero(start, MAP_FIRST * BLOCK_SECTOR))
		return format(o, &expected, start);
	memcpy(&found, start, sizeof(found));
	wrong = check_header(&found, &expected);
	if (!wrong)
		return overlay_map_load(&o->map);
	log_error("%s: %s %s", o->name, o->store->name, wrong);
	return -EINVAL;
}

static int read_store(struct overlay *o)
{
	char *start = kalloc(MAP_FIRST * BLOCK_SECTOR);
	int error = start ? open_or_format(o, start) : -ENOMEM;

	kfree(start);
	return error;
}

/* --- making one --- */

static int check_store(const struct overlay *o)
{
	uint64_t needed = block_overlay_store_sectors(o->base->n_sectors);

	if (o->base->n_sectors > UINT64_MAX / 2 || o->store->n_sectors < needed) {
		log_error("%s: %s is too small: %lu KiB are needed for changes to %s", o->name, o->store->name,
			  (unsigned long)(needed / 2), o->base->name);
		return -ENOSPC;
	}
	return o->base->unit > UNIT_MAX || o->store->unit > UNIT_MAX || o->dev.max_sectors == 0 ? -ENOTSUP : 0;
}

static int claim(struct overlay *o)
{
	int error = block_claim(&o->base_claim, o->base, BLOCK_SHARED, o->name);

	return error ? error : block_claim(&o->store_claim, o->store, BLOCK_EXCLUSIVE, o->name);
}

/* What an error leaves half done tear_down() takes back. */
static int set_up(struct overlay *o)
{
	int error = check_store(o);

	if (!error)
		error = claim(o);
	if (!error)
		error = overlay_reads_init(&o->reads, o->dev.max_segs);
	if (!error)
		error = overlay_map_init(&o->map, o->store, MAP_FIRST, o->base->n_sectors);
	return error ? error : read_store(o);
}

static struct overlay *allocate(struct block_device *base, struct block_device *store, const char *name)
{
	struct overlay *o = kzalloc(sizeof(*o));

	if (!o)
		return NULL;
	snprintf(o->name, sizeof(o->name), "%s", name);
	o->base = base;
	o->store = store;
	o->data_first = MAP_FIRST + overlay_map_sectors(base->n_sectors);
	o->reads.source = source;
	o->lock = (spinlock_t)SPINLOCK_INIT;
	list_init(&o->waiting);
	for (unsigned i = 0; i < WRITERS; i++) {
		struct writer *w = &o->writers[i];

		*w = (struct writer){ .overlay = o, .child.resume = resume, .next = o->free };
		o->free = w;
	}
	describe(o);
	return o;
}

int block_overlay_open(struct block_device *base, struct block_device *store, const char *name,
		       struct block_device **out)
{
	struct overlay *o = allocate(base, store, name);
	int error;

	if (!o)
		return -ENOMEM;
	error = set_up(o);
	if (error) {
		tear_down(o);
		kfree(o);
		return error;
	}
	block_get(base);
	block_get(store);
	*out = &o->dev;
	return 0;
}

/*
 * virtio block device (virtio 1.2, section 5.2).
 *
 * A request is taken at once: it either gets a slot and goes to the device, or
 * waits for a slot. Both lists are in the order of their deadlines, because every
 * request has the same time from when the device has it. One that runs out of it costs the device a reset:
 * only then is nobody writing to the request's memory any more. What else was
 * under way is handed to the device again; a device that after such a reset does
 * not answer either is given up.
 */
#include "virtio_blk.h"

#include <errno.h>

#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/spinlock.h>
#include <caisson/time.h>

#include "segments.h"

#define LOG_NAME "virtio-blk"

#define POLL_US 10000            /* how often a device without an interrupt is looked at */
#define SOON_US 1000000          /* less time than this is not worth another try after a reset */
#define NAMES 26
#define SLOTS_MAX 64u            /* each has a table for the most pieces */

/* Section 5.2.6 */
enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_DISCARD = 11, T_WRITE_ZEROES = 13 };
enum { RANGE_UNMAP = 1 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2, S_NONE = 0xff };

struct header {
	uint32_t type, reserved;
	uint64_t sector;
};

/* The data of a request to discard or to zero. */
struct range {
	uint64_t sector;
	uint32_t n_sectors, flags;
};

/* What a request needs besides its data while the device has it. */
struct slot {
	struct header header;
	struct range range;
	uint8_t status;
	struct block_request *rq;
	struct virtq_desc *table; /* the first entry stays as it is: the header */
	void *bounce;          /* in place of data that the device cannot reach, or NULL */
	unsigned bounce_order;
	struct slot *next;     /* free list */
};

struct blk {
	struct block_device dev;
	struct virtio_device *vdev;
	struct virtq *vq;
	struct virtio_blk_pieces pieces;
	uint64_t timeout;      /* ticks */
	char name[4];
	spinlock_t lock;       /* guards the rest and the queue; inside it: heap, frames, timers */
	struct list started;   /* the device has them */
	struct list waiting;   /* for a slot */
	struct slot *free;
	struct timer timer;
	bool timer_armed;
	bool restarted;        /* and nothing has been answered since */
	struct slot slots[];
};

static unsigned n_devices;

static struct blk *blk_of(struct block_device *dev)
{
	return container_of(dev, struct blk, dev);
}

static bool has_data(const struct block_request *rq)
{
	return rq->op == BLOCK_READ || rq->op == BLOCK_WRITE;
}

static uint32_t bytes_of(const struct block_request *rq)
{
	return has_data(rq) ? rq->n_sectors * BLOCK_SECTOR : 0;
}

/* --- bounce buffers --- */

static unsigned order_of(uint32_t bytes)
{
	unsigned order = 0;

	while (PAGE_SIZE << order < bytes)
		order++;
	return order;
}

/* The device reaches RAM and our image by physical addresses; a task's stack is neither. */
static bool is_within_reach(const struct block_request *rq)
{
	for (unsigned i = 0; i < rq->n_segs; i++)
		if (!kva_has_hpa(rq->segs[i].data, rq->segs[i].len))
			return false;
	return true;
}

static int bounce(struct slot *s, const struct block_request *rq)
{
	struct segs segs = segs_of(rq);
	hpa_t frames;

	s->bounce = NULL;
	if (!has_data(rq) || is_within_reach(rq))
		return 0;
	s->bounce_order = order_of(bytes_of(rq));
	if (frame_alloc(s->bounce_order, 0, &frames))
		return -ENOMEM;
	s->bounce = hpa_to_kva(frames);
	if (rq->op == BLOCK_WRITE)
		segs_get(&segs, s->bounce, bytes_of(rq));
	return 0;
}

/* What was read, to where it was wanted. */
static void copy_back(struct slot *s)
{
	struct segs segs = segs_of(s->rq);

	if (s->bounce && s->rq->op == BLOCK_READ)
		segs_put(&segs, s->bounce, bytes_of(s->rq));
}

static void unbounce(struct slot *s)
{
	if (s->bounce)
		frame_free(kva_to_hpa(s->bounce), s->bounce_order);
	s->bounce = NULL;
}

/* --- to the device --- */

static uint32_t type_of(enum block_op op)
{
	static const uint8_t types[] = {
		[BLOCK_READ] = T_IN, [BLOCK_WRITE] = T_OUT, [BLOCK_FLUSH] = T_FLUSH,
		[BLOCK_DISCARD] = T_DISCARD, [BLOCK_WRITE_ZEROES] = T_WRITE_ZEROES,
	};

	return types[op];
}

/* A table under construction. */
struct table {
	struct virtq_desc *end; /* where the next entry goes */
	uint16_t n;
	uint32_t writable;
};

static void add_entry(struct table *t, void *data, uint32_t len, uint16_t flags)
{
	*t->end++ = (struct virtq_desc){ kva_to_hpa(data).v, len, flags, ++t->n };
	if (flags & VIRTQ_DESC_WRITE)
		t->writable += len;
}

/* A segment in pieces that the device takes. */
static void add_segment(const struct blk *blk, struct table *t, const struct segment *seg, uint16_t flags)
{
	char *data = seg->data;
	uint32_t left = seg->len;

	for (; unlikely(left > blk->pieces.size); left -= blk->pieces.size) {
		add_entry(t, data, blk->pieces.size, flags);
		data += blk->pieces.size;
	}
	add_entry(t, data, left, flags);
}

static void add_data(const struct blk *blk, struct table *t, const struct slot *s)
{
	const struct block_request *rq = s->rq;
	const struct segment one = { s->bounce, bytes_of(rq) }, *segs = s->bounce ? &one : rq->segs;
	unsigned n = s->bounce ? 1 : rq->n_segs;

	for (unsigned i = 0; i < n; i++)
		add_segment(blk, t, &segs[i], VIRTQ_DESC_NEXT | (rq->op == BLOCK_READ ? VIRTQ_DESC_WRITE : 0));
}

static void add_range(struct table *t, struct slot *s)
{
	s->range = (struct range){ s->rq->sector, s->rq->n_sectors,
				   s->rq->op == BLOCK_WRITE_ZEROES && s->rq->unmap ? RANGE_UNMAP : 0 };
	add_entry(t, &s->range, sizeof(s->range), VIRTQ_DESC_NEXT);
}

/* Header, data, status. */
static int offer(struct blk *blk, struct slot *s)
{
	struct table t = { .end = s->table + 1, .n = 1 };

	if (has_data(s->rq))
		add_data(blk, &t, s);
	else if (s->rq->op != BLOCK_FLUSH)
		add_range(&t, s);
	add_entry(&t, &s->status, sizeof(s->status), VIRTQ_DESC_WRITE);
	return virtq_add_table(blk->vq, s->table, t.n, t.writable, s);
}

/* @return 0; -ENOSPC: no slot or no room in the queue now, but when one under way is done; -ENOMEM. */
static int start(struct blk *blk, struct block_request *rq)
{
	struct slot *s = blk->free;
	int error = s ? bounce(s, rq) : -ENOSPC;

	if (error)
		return error;
	s->rq = rq;
	s->status = S_NONE;
	s->header = (struct header){ .type = type_of(rq->op), .sector = has_data(rq) ? rq->sector : 0 };
	error = offer(blk, s);
	if (error) {
		unbounce(s);
		return error;
	}
	blk->free = s->next;
	list_push_back(&blk->started, &rq->node);
	return 0;
}

static void end(struct block_request *rq, int status, struct list *ended)
{
	list_del(&rq->node);
	rq->status = status;
	list_push_back(ended, &rq->node);
}

/* Start what waits. Its time begins now: a device that is busy with others before it is none that does not answer. */
static void pump(struct blk *blk, struct list *ended)
{
	list_for_each_safe(rq, next, &blk->waiting, struct block_request, node) {
		int error;

		list_del(&rq->node);
		error = start(blk, rq);
		if (!error)
			rq->deadline = time_now() + blk->timeout;
		if (error == -ENOSPC) {
			list_push_front(&blk->waiting, &rq->node);
			break;
		}
		if (error)
			end(rq, error, ended);
	}
	virtq_kick(blk->vq);
}

/* --- from the device --- */

static int result_of(const struct slot *s, uint32_t written)
{
	uint8_t status = __atomic_load_n(&s->status, __ATOMIC_RELAXED);
	uint32_t expected = (s->rq->op == BLOCK_READ ? bytes_of(s->rq) : 0) + sizeof(s->status);

	if (status == S_OK)
		return written >= expected ? 0 : -EIO;
	return status == S_UNSUPP ? -ENOTSUP : -EIO;
}

static void free_slot(struct blk *blk, struct slot *s)
{
	s->next = blk->free;
	blk->free = s;
}

static void harvest(struct blk *blk, struct list *ended)
{
	uint32_t written;
	struct slot *s;

	while ((s = virtq_take(blk->vq, &written)) != NULL) {
		struct block_request *rq = s->rq;
		int result = result_of(s, written);

		if (!result)
			copy_back(s);
		unbounce(s);
		free_slot(blk, s);
		end(rq, result, ended);
		blk->restarted = false;
	}
}

/* --- when it goes wrong --- */

/* The device was reset: the slots are ours again. What it may still write to is never used for anything else. */
static void reclaim(struct blk *blk)
{
	struct slot *s;

	while ((s = virtq_reclaim(blk->vq)) != NULL) {
		if (!blk->vdev->loose)
			unbounce(s);
		free_slot(blk, s);
	}
}

static void end_late_of(struct list *list, uint64_t now, int error, struct list *ended)
{
	list_for_each_safe(rq, next, list, struct block_request, node) {
		if (rq->deadline <= now)
			end(rq, -ETIMEDOUT, ended);
		else if (error)
			end(rq, error, ended);
	}
}

/* End those whose time is up, or soon will be, and the others too if `error` is not 0. */
static void end_late(struct blk *blk, int error, struct list *ended)
{
	uint64_t soon = time_now() + time_from_us(SOON_US);

	end_late_of(&blk->started, soon, error, ended);
	end_late_of(&blk->waiting, soon, error, ended);
}

/* What was under way waits again, in front of the others, and all get their time again. */
static void take_back(struct blk *blk)
{
	uint64_t deadline = time_now() + time_from_us(BLOCK_TIMEOUT_US);

	while (!list_empty(&blk->started)) {
		struct list *last = blk->started.prev;

		list_del(last);
		list_push_front(&blk->waiting, last);
	}
	list_for_each(rq, &blk->waiting, struct block_request, node)
		rq->deadline = deadline;
}

static void start_again(struct blk *blk, struct list *ended)
{
	log_error("%s: no answer in %u s: reset", blk->name, BLOCK_TIMEOUT_US / 1000000);
	if (virtio_reset(blk->vdev))
		return;
	reclaim(blk);
	end_late(blk, 0, ended);
	take_back(blk);
	blk->restarted = virtio_restart(blk->vdev) == 0;
}

/* When the oldest request that the device has runs out of time, or UINT64_MAX. Nobody waits while it has none. */
static uint64_t first_deadline(const struct blk *blk)
{
	const struct list *from = &blk->started;

	return list_empty(from) ? UINT64_MAX : list_first(from, struct block_request, node)->deadline;
}

static void check_deadline(struct blk *blk, struct list *ended)
{
	if (first_deadline(blk) > time_now())
		return;
	if (blk->restarted)
		virtio_fail(blk->vdev, "does not answer after a reset either");
	else
		start_again(blk, ended);
}

/* --- all together --- */

static void arm_timer(struct blk *blk)
{
	uint64_t when = first_deadline(blk);

	if (!IS_ENABLED(CONFIG_IRQ) || blk->timer_armed || when == UINT64_MAX)
		return;
	blk->timer_armed = true;
	timer_arm(&blk->timer, blk->vdev->polled ? MIN(when, time_now() + time_from_us(POLL_US)) : when);
}

static void give_up(struct blk *blk, struct list *ended)
{
	reclaim(blk);
	end_late(blk, -EIO, ended);
}

/* Look at the device and the time. */
static void service_locked(struct blk *blk, struct list *ended)
{
	harvest(blk, ended);
	if (!virtio_is_broken(blk->vdev))
		check_deadline(blk, ended);
	if (virtio_is_broken(blk->vdev))
		give_up(blk, ended);
	else
		pump(blk, ended);
	arm_timer(blk);
}

static void service(struct blk *blk, bool from_timer)
{
	struct list ended = LIST_INIT(ended);
	irqflags_t flags = spin_lock_irqsave(&blk->lock);

	if (from_timer)
		blk->timer_armed = false;
	service_locked(blk, &ended);
	spin_unlock_irqrestore(&blk->lock, flags);
	list_for_each_safe(rq, next, &ended, struct block_request, node) {
		list_del(&rq->node);
		rq->done(rq);
	}
}

static void blk_used(struct virtq *q)
{
	service(virtq_device(q)->priv, false);
}

static void blk_broken(struct virtio_device *vdev)
{
	service(vdev->priv, false);
}

static void blk_timer(struct timer *t)
{
	service(container_of(t, struct blk, timer), true);
}

static void blk_poll(struct block_device *dev)
{
	service(blk_of(dev), false);
}

/* Those that wait go first. */
static int submit_locked(struct blk *blk, struct block_request *rq)
{
	int error;

	if (virtio_is_broken(blk->vdev))
		return -EIO;
	error = list_empty(&blk->waiting) ? start(blk, rq) : -ENOSPC;
	if (error == -ENOSPC) {
		list_push_back(&blk->waiting, &rq->node);
		error = 0;
	}
	virtq_kick(blk->vq);
	arm_timer(blk);
	return error;
}

static int blk_submit(struct block_device *dev, struct block_request *rq)
{
	struct blk *blk = blk_of(dev);
	irqflags_t flags;
	int error;

	list_init(&rq->node);
	flags = spin_lock_irqsave(&blk->lock);
	rq->deadline = time_now() + blk->timeout;
	error = submit_locked(blk, rq);
	spin_unlock_irqrestore(&blk->lock, flags);
	return error;
}

static const struct block_ops blk_ops = { .submit = blk_submit, .poll = blk_poll };

/* --- probe --- */

/* How many requests the device can have at once. */
static unsigned n_slots(const struct virtio_device *vdev, unsigned queue_size)
{
	return virtio_has(vdev, VIRTIO_F_INDIRECT_DESC) ? MIN(queue_size, SLOTS_MAX) : queue_size / 3;
}

/* Slots and behind them their tables. */
static struct blk *allocate(unsigned n, const struct virtio_blk_pieces *pieces)
{
	size_t slots = ALIGN_UP(sizeof(struct blk) + n * sizeof(struct slot), 16);
	unsigned entries = pieces->n + 2;
	struct blk *blk = kzalloc(slots + n * entries * sizeof(struct virtq_desc));
	struct virtq_desc *table;

	if (!blk)
		return NULL;
	table = (struct virtq_desc *)((char *)blk + slots) + n * entries;
	while (n-- > 0) {
		struct slot *s = &blk->slots[n];

		table -= entries;
		table[0] = (struct virtq_desc){ kva_to_hpa(&s->header).v, sizeof(s->header), VIRTQ_DESC_NEXT, 1 };
		s->table = table;
		free_slot(blk, s);
	}
	return blk;
}

static struct blk *make(struct virtio_device *vdev, struct virtq *vq, const struct block_device *dev,
			const struct virtio_blk_pieces *pieces)
{
	struct blk *blk = allocate(n_slots(vdev, virtq_size(vq)), pieces);

	if (!blk)
		return NULL;
	blk->vdev = vdev;
	blk->vq = vq;
	blk->pieces = *pieces;
	blk->timeout = time_from_us(BLOCK_TIMEOUT_US);
	blk->dev = *dev;
	blk->dev.ops = &blk_ops;
	blk->dev.name = blk->name;
	blk->lock = (spinlock_t)SPINLOCK_INIT;
	list_init(&blk->started);
	list_init(&blk->waiting);
	if (IS_ENABLED(CONFIG_IRQ))
		timer_init(&blk->timer, blk_timer);
	return blk;
}

static void publish(struct blk *blk, unsigned number)
{
	blk->name[0] = 'v';
	blk->name[1] = 'd';
	blk->name[2] = (char)('a' + number);
	blk->vdev->priv = blk;
	virtio_ready(blk->vdev);
	block_register(&blk->dev);
}

static int blk_probe(struct virtio_device *vdev)
{
	struct block_device dev = { 0 };
	struct virtio_blk_pieces pieces;
	struct virtq *vq;
	struct blk *blk;
	int error = n_devices < NAMES ? virtq_create(vdev, 0, VIRTQ_MAX, blk_used, &vq) : -ENOSPC;

	if (error)
		return error;
	if (virtq_size(vq) < 3)
		return -EINVAL;
	error = virtio_blk_read_config(vdev, virtq_size(vq), &dev, &pieces);
	if (error)
		return error;
	blk = make(vdev, vq, &dev, &pieces);
	if (!blk)
		return -ENOMEM;
	publish(blk, n_devices++);
	return 0;
}

VIRTIO_DRIVER(virtio_blk) = {
	.name = "virtio-blk",
	.device_id = VIRTIO_ID_BLOCK,
	.features = VIRTIO_BLK_FEATURES,
	.probe = blk_probe,
	.broken = blk_broken,
};

/*
 * virtio block device (virtio 1.2, section 5.2).
 *
 * A request is taken at once: it either gets a slot and goes to the device, or
 * waits for a slot. Both lists are in the order of their deadlines, because every
 * request has the same time. One that runs out of it costs the device a reset:
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
	void *bounce;          /* in place of data that the device cannot reach, or NULL */
	unsigned bounce_order;
	struct slot *next;     /* free list */
};

struct blk {
	struct block_device dev;
	struct virtio_device *vdev;
	struct virtq *vq;
	uint32_t piece_max;    /* bytes in one piece of a request's data */
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

/* A segment in pieces that the device takes. @return the place behind them. */
static struct virtq_buf *cut(const struct blk *blk, struct virtq_buf *buf, const struct segment *seg, bool read)
{
	char *data = seg->data;

	for (uint32_t left = seg->len; left > 0; left -= buf++->len) {
		*buf = (struct virtq_buf){ data, MIN(left, blk->piece_max), read };
		data += buf->len;
	}
	return buf;
}

static struct virtq_buf *gather_data(const struct blk *blk, struct slot *s, struct virtq_buf *buf)
{
	const struct block_request *rq = s->rq;
	const struct segment one = { s->bounce, bytes_of(rq) }, *segs = s->bounce ? &one : rq->segs;
	unsigned n = s->bounce ? 1 : rq->n_segs;

	for (unsigned i = 0; i < n; i++)
		buf = cut(blk, buf, &segs[i], rq->op == BLOCK_READ);
	return buf;
}

static struct virtq_buf *gather_range(struct slot *s, struct virtq_buf *buf)
{
	s->range = (struct range){ s->rq->sector, s->rq->n_sectors,
				   s->rq->op == BLOCK_WRITE_ZEROES && s->rq->unmap ? RANGE_UNMAP : 0 };
	*buf = (struct virtq_buf){ &s->range, sizeof(s->range), false };
	return buf + 1;
}

/* Header, data, status. @return how many pieces. */
static unsigned gather(const struct blk *blk, struct slot *s, struct virtq_buf *bufs)
{
	struct virtq_buf *buf = bufs;

	*buf++ = (struct virtq_buf){ &s->header, sizeof(s->header), false };
	if (has_data(s->rq))
		buf = gather_data(blk, s, buf);
	else if (s->rq->op != BLOCK_FLUSH)
		buf = gather_range(s, buf);
	*buf++ = (struct virtq_buf){ &s->status, sizeof(s->status), true };
	return (unsigned)(buf - bufs);
}

/* @return 0; -ENOSPC: no slot or no room in the queue now, but when one under way is done; -ENOMEM. */
static int start(struct blk *blk, struct block_request *rq)
{
	struct virtq_buf bufs[VIRTIO_BLK_PIECES + 2];
	struct slot *s = blk->free;
	int error = s ? bounce(s, rq) : -ENOSPC;

	if (error)
		return error;
	s->rq = rq;
	s->status = S_NONE;
	s->header = (struct header){ .type = type_of(rq->op), .sector = has_data(rq) ? rq->sector : 0 };
	error = virtq_add(blk->vq, bufs, gather(blk, s, bufs), s);
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

/* Start what waits. */
static void pump(struct blk *blk, struct list *ended)
{
	list_for_each_safe(rq, next, &blk->waiting, struct block_request, node) {
		int error;

		list_del(&rq->node);
		error = start(blk, rq);
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

/* When the oldest request runs out of time, or UINT64_MAX. */
static uint64_t first_deadline(const struct blk *blk)
{
	const struct list *from = list_empty(&blk->started) ? &blk->waiting : &blk->started;

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
	rq->deadline = time_now() + time_from_us(BLOCK_TIMEOUT_US);
	error = submit_locked(blk, rq);
	spin_unlock_irqrestore(&blk->lock, flags);
	return error;
}

static const struct block_ops blk_ops = { .submit = blk_submit, .poll = blk_poll };

/* --- probe --- */

static struct blk *allocate(struct virtio_device *vdev, struct virtq *vq)
{
	unsigned n = virtq_size(vq) / 3; /* at least three descriptors each */
	struct blk *blk = kzalloc(sizeof(*blk) + n * sizeof(blk->slots[0]));

	if (!blk)
		return NULL;
	blk->vdev = vdev;
	blk->vq = vq;
	blk->dev.ops = &blk_ops;
	blk->dev.name = blk->name;
	blk->lock = (spinlock_t)SPINLOCK_INIT;
	list_init(&blk->started);
	list_init(&blk->waiting);
	if (IS_ENABLED(CONFIG_IRQ))
		timer_init(&blk->timer, blk_timer);
	while (n > 0)
		free_slot(blk, &blk->slots[--n]);
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
	struct virtq *vq;
	struct blk *blk;
	int error = n_devices < NAMES ? virtq_create(vdev, 0, VIRTQ_MAX, blk_used, &vq) : -ENOSPC;

	if (error)
		return error;
	if (virtq_size(vq) < 3)
		return -EINVAL;
	blk = allocate(vdev, vq);
	if (!blk)
		return -ENOMEM;
	error = virtio_blk_read_config(vdev, virtq_size(vq), &blk->dev, &blk->piece_max);
	if (error)
		kfree(blk);
	else
		publish(blk, n_devices++);
	return error;
}

VIRTIO_DRIVER(virtio_blk) = {
	.name = "virtio-blk",
	.device_id = VIRTIO_ID_BLOCK,
	.features = VIRTIO_BLK_FEATURES,
	.probe = blk_probe,
	.broken = blk_broken,
};

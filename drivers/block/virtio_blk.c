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
#include <caisson/block.h>

#include <errno.h>
#include <string.h>

#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/spinlock.h>
#include <caisson/time.h>
#include <caisson/virtio.h>

#define LOG_NAME "virtio-blk"

#define PIECES_MAX 62u           /* of one request's data */
#define BYTES_MAX (MiB)          /* a request must be through in BLOCK_TIMEOUT_US */
#define ZEROES_MAX (64 * MiB)    /* the same: a device may have to write them */
#define POLL_US 10000            /* how often a device without an interrupt is looked at */
#define SOON_US 1000000          /* less time than this is not worth another try after a reset */
#define NAMES 26

/* Section 5.2.3 */
enum { F_SIZE_MAX = 1, F_SEG_MAX = 2, F_RO = 5, F_BLK_SIZE = 6, F_FLUSH = 9, F_DISCARD = 13, F_WRITE_ZEROES = 14 };
/* Section 5.2.4 */
enum {
	CONFIG_CAPACITY = 0,
	CONFIG_SIZE_MAX = 8,
	CONFIG_SEG_MAX = 12,
	CONFIG_BLK_SIZE = 20,
	CONFIG_DISCARD_MAX = 36,
	CONFIG_DISCARD_UNIT = 44,
	CONFIG_ZEROES_MAX = 48,
};
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
	unsigned pieces_max;
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

/* Between a request's segments and its bounce buffer. */
static void copy_segments(const struct block_request *rq, char *buffer)
{
	for (unsigned i = 0; i < rq->n_segs; i++) {
		if (rq->op == BLOCK_WRITE)
			memcpy(buffer, rq->segs[i].data, rq->segs[i].len);
		else
			memcpy(rq->segs[i].data, buffer, rq->segs[i].len);
		buffer += rq->segs[i].len;
	}
}

static int bounce(struct slot *s, const struct block_request *rq)
{
	hpa_t frames;

	s->bounce = NULL;
	if (!has_data(rq) || is_within_reach(rq))
		return 0;
	s->bounce_order = order_of(bytes_of(rq));
	if (frame_alloc(s->bounce_order, 0, &frames))
		return -ENOMEM;
	s->bounce = hpa_to_kva(frames);
	if (rq->op == BLOCK_WRITE)
		copy_segments(rq, s->bounce);
	return 0;
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
static struct virtq_buf *cut(const struct blk *blk, struct virtq_buf *buf, const struct block_segment *seg, bool read)
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
	const struct block_segment one = { s->bounce, bytes_of(rq) }, *segs = s->bounce ? &one : rq->segs;
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
	struct virtq_buf bufs[PIECES_MAX + 2];
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

		if (!result && s->bounce && rq->op == BLOCK_READ)
			copy_segments(rq, s->bounce);
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

/* A field that is there only with a feature. */
static int optional(struct virtio_device *vdev, unsigned feature, unsigned offset, uint64_t otherwise, uint64_t *out)
{
	int error = virtio_has(vdev, feature) ? virtio_config(vdev, offset, sizeof(uint32_t), out) : 0;

	if (!virtio_has(vdev, feature))
		*out = otherwise;
	return error;
}

/* How a request's data may be cut into pieces. Without SEG_MAX one piece is all we may assume. */
static int read_limits(struct blk *blk, unsigned queue_size)
{
	uint64_t size_max, seg_max;
	int error = optional(blk->vdev, F_SIZE_MAX, CONFIG_SIZE_MAX, BYTES_MAX, &size_max);

	if (!error)
		error = optional(blk->vdev, F_SEG_MAX, CONFIG_SEG_MAX, 1, &seg_max);
	if (error)
		return error;
	blk->piece_max = (uint32_t)MIN(size_max, BYTES_MAX);
	blk->pieces_max = MIN((unsigned)MIN(seg_max, PIECES_MAX), queue_size - 2);
	return blk->pieces_max ? 0 : -EINVAL;
}

/*
 * Whatever keeps to these two makes pieces_max pieces at most. Segments of at most piece_max bytes are pieces as
 * they are; where they can be longer, each but its last piece has piece_max bytes: so many fewer may there be.
 */
static void limit_requests(struct blk *blk)
{
	struct block_device *dev = &blk->dev;
	bool any_length = blk->piece_max == BYTES_MAX;
	unsigned segs = any_length ? blk->pieces_max : blk->pieces_max - blk->pieces_max / 2;
	uint64_t bytes = any_length ? BYTES_MAX : (uint64_t)(blk->pieces_max - segs + 1) * blk->piece_max;

	dev->max_segs = segs;
	dev->max_sectors = (uint32_t)ALIGN_DOWN(MIN(bytes, BYTES_MAX) / BLOCK_SECTOR, dev->unit);
}

static int read_geometry(struct blk *blk)
{
	struct block_device *dev = &blk->dev;
	uint64_t capacity, blk_size;
	int error = virtio_config(blk->vdev, CONFIG_CAPACITY, sizeof(capacity), &capacity);

	if (!error)
		error = optional(blk->vdev, F_BLK_SIZE, CONFIG_BLK_SIZE, BLOCK_SECTOR, &blk_size);
	if (error)
		return error;
	if (blk_size < BLOCK_SECTOR || (blk_size & (blk_size - 1)) || blk_size > BYTES_MAX)
		return -EINVAL;
	dev->unit = (uint32_t)(blk_size / BLOCK_SECTOR);
	dev->n_sectors = ALIGN_DOWN(capacity, dev->unit);
	dev->read_only = virtio_has(blk->vdev, F_RO);
	dev->can_flush = virtio_has(blk->vdev, F_FLUSH);
	dev->polled = blk->vdev->polled;
	limit_requests(blk);
	return dev->max_sectors ? 0 : -EINVAL;
}

/* A limit that makes no sense means a device that cannot, not one that is refused. */
static int read_clearing(struct blk *blk)
{
	struct block_device *dev = &blk->dev;
	uint64_t discard, unit, zeroes;
	int error = optional(blk->vdev, F_DISCARD, CONFIG_DISCARD_MAX, 0, &discard);

	if (!error)
		error = optional(blk->vdev, F_DISCARD, CONFIG_DISCARD_UNIT, 1, &unit);
	if (!error)
		error = optional(blk->vdev, F_WRITE_ZEROES, CONFIG_ZEROES_MAX, 0, &zeroes);
	if (error)
		return error;
	dev->max_discard_sectors = (uint32_t)ALIGN_DOWN(discard, dev->unit);
	dev->max_zeroes_sectors = (uint32_t)ALIGN_DOWN(MIN(zeroes, ZEROES_MAX / BLOCK_SECTOR), dev->unit);
	dev->discard_unit = MAX((uint32_t)unit, dev->unit);
	dev->can_discard = dev->max_discard_sectors > 0;
	dev->can_write_zeroes = dev->max_zeroes_sectors > 0;
	return 0;
}

static int read_config(struct blk *blk, unsigned queue_size)
{
	int error = read_limits(blk, queue_size);

	if (!error)
		error = read_geometry(blk);
	if (!error)
		error = read_clearing(blk);
	if (error)
		log_warn("%s: its configuration makes no sense to us (error %d)", blk->vdev->name, error);
	return error;
}

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
	error = read_config(blk, virtq_size(vq));
	if (error)
		kfree(blk);
	else
		publish(blk, n_devices++);
	return error;
}

VIRTIO_DRIVER(virtio_blk) = {
	.name = "virtio-blk",
	.device_id = VIRTIO_ID_BLOCK,
	.features = BIT(F_SIZE_MAX) | BIT(F_SEG_MAX) | BIT(F_RO) | BIT(F_BLK_SIZE) | BIT(F_FLUSH) | BIT(F_DISCARD) |
		    BIT(F_WRITE_ZEROES),
	.probe = blk_probe,
	.broken = blk_broken,
};

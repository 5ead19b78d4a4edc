/* Block devices: their list, the checking of requests, and waiting for them. */
#include <caisson/block.h>

#include <errno.h>
#include <string.h>

#include <arch/cpu.h>
#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/mutex.h>
#include <caisson/task.h>
#include <caisson/time.h>

#define LOG_NAME "block"

#define AT_ONCE 4u /* requests of one transfer that are under way together */
/* The last tenth of the time is spent looking: a device that finished without an interrupt is heard. */
#define SLEEP_US (BLOCK_TIMEOUT_US / 10 * 9)

/* Requests that one caller waits for. On its stack, so gone as soon as left is 0. */
struct batch {
	struct block_request rq[AT_ONCE];
	struct segment seg[AT_ONCE];
	unsigned left; /* atomic: not done yet */
};

/* What somebody waits for: any number of sectors, contiguous in memory. */
struct transfer {
	enum block_op op;
	bool unmap;
	uint64_t sector, n;
	char *data;            /* read and write */
};

static struct list devices = LIST_INIT(devices);
/* One for all: a batch with a queue of its own could be gone before its last notification. */
static struct waitq finished = WAITQ_INIT(finished);
/* Held while a part of a unit is read, changed and written: another part of it must not be lost. */
static struct mutex part_mutex = MUTEX_INIT(part_mutex);

void block_register(struct block_device *dev)
{
	list_push_back(&devices, &dev->node);
	log_info("%s: %lu KiB, %u bytes at least and %u KiB at most at once%s%s", dev->name,
		 (unsigned long)(dev->n_sectors / 2), dev->unit * BLOCK_SECTOR, dev->max_sectors / 2,
		 dev->read_only ? ", read-only" : "", dev->can_flush ? ", flush" : "");
}

struct block_device *block_find(const char *name)
{
	list_for_each(dev, &devices, struct block_device, node)
		if (strcmp(dev->name, name) == 0)
			return dev;
	return NULL;
}

void block_for_each(bool (*fn)(struct block_device *dev, void *arg), void *arg)
{
	list_for_each(dev, &devices, struct block_device, node)
		if (!fn(dev, arg))
			return;
}

static bool has_data(enum block_op op)
{
	return op == BLOCK_READ || op == BLOCK_WRITE;
}

static int check_range(const struct block_device *dev, enum block_op op, uint64_t sector, uint64_t n)
{
	if (sector > dev->n_sectors || n > dev->n_sectors - sector)
		return -EINVAL;
	return op != BLOCK_READ && dev->read_only ? -EROFS : 0;
}

/* What one request can be at most; 0: the device cannot do this. */
static uint32_t max_sectors(const struct block_device *dev, enum block_op op)
{
	if (op == BLOCK_DISCARD)
		return dev->can_discard ? dev->max_discard_sectors : 0;
	if (op == BLOCK_WRITE_ZEROES)
		return dev->can_write_zeroes ? dev->max_zeroes_sectors : 0;
	return dev->max_sectors;
}

static int check_segments(const struct block_device *dev, const struct block_request *rq)
{
	uint64_t bytes = 0;

	if (rq->n_segs > dev->max_segs)
		return -EINVAL;
	for (unsigned i = 0; i < rq->n_segs; i++) {
		if (rq->segs[i].len == 0)
			return -EINVAL;
		bytes += rq->segs[i].len;
	}
	return bytes == (uint64_t)rq->n_sectors * BLOCK_SECTOR ? 0 : -EINVAL;
}

static int check_request(const struct block_device *dev, const struct block_request *rq)
{
	uint32_t max;
	int error;

	if (rq->op > BLOCK_WRITE_ZEROES)
		return -EINVAL;
	max = max_sectors(dev, rq->op);
	if (max == 0)
		return -ENOTSUP;
	if (rq->n_sectors == 0 || rq->n_sectors > max)
		return -EINVAL;
	/* A power of two, always. */
	if ((rq->sector | rq->n_sectors) & (dev->unit - 1))
		return -EINVAL;
	error = check_range(dev, rq->op, rq->sector, rq->n_sectors);
	return error || !has_data(rq->op) ? error : check_segments(dev, rq);
}

int block_submit(struct block_device *dev, struct block_request *rq)
{
	int error = rq->op == BLOCK_FLUSH ? 0 : check_request(dev, rq);

	if (error)
		return error;
	if (rq->op == BLOCK_FLUSH && !dev->can_flush) {
		rq->status = 0;
		rq->done(rq);
		return 0;
	}
	return dev->ops->submit(dev, rq);
}

void block_poll(struct block_device *dev)
{
	if (dev->ops->poll)
		dev->ops->poll(dev);
}

void block_get(struct block_device *dev)
{
	__atomic_add_fetch(&dev->users, 1, __ATOMIC_RELAXED);
}

void block_put(struct block_device *dev)
{
	if (__atomic_sub_fetch(&dev->users, 1, __ATOMIC_ACQ_REL) == 0 && dev->ops->destroy)
		dev->ops->destroy(dev);
}

uint64_t block_memory(const struct block_device *dev)
{
	return dev->memory ? __atomic_load_n(dev->memory, __ATOMIC_RELAXED) * PAGE_SIZE : 0;
}

static bool is_finished(void *arg)
{
	struct batch *b = arg;

	return __atomic_load_n(&b->left, __ATOMIC_ACQUIRE) == 0;
}

static void request_done(struct block_request *rq)
{
	struct batch *b = rq->arg;

	__atomic_sub_fetch(&b->left, 1, __ATOMIC_RELEASE); /* from here on b may be gone */
	if (IS_ENABLED(CONFIG_MULTITASK))
		waitq_notify_all(&finished);
}

/* Not at boot, and not with interrupts off. */
static bool in_task(void)
{
	return IS_ENABLED(CONFIG_MULTITASK) && irq_enabled() && task_current();
}

/* Bounded: the driver ends every request at its deadline, when polled too. */
static void wait(struct block_device *dev, struct batch *b)
{
	if (in_task() && !dev->polled)
		(void)waitq_wait(&finished, is_finished, b, time_now() + time_from_us(SLEEP_US));
	while (!is_finished(b)) {
		block_poll(dev);
		cpu_relax();
	}
}

/* Submit the n-th request of a batch; what is not taken counts as done. */
static void add(struct block_device *dev, struct batch *b, unsigned n, const struct block_request *rq)
{
	int error;

	b->rq[n] = *rq;
	b->rq[n].done = request_done;
	b->rq[n].arg = b;
	__atomic_add_fetch(&b->left, 1, __ATOMIC_RELAXED);
	error = block_submit(dev, &b->rq[n]);
	if (error) {
		b->rq[n].status = error;
		__atomic_sub_fetch(&b->left, 1, __ATOMIC_RELAXED);
	}
}

/* Wait for n requests. @return the first error among them. */
static int finish(struct block_device *dev, struct batch *b, unsigned n)
{
	wait(dev, b);
	for (unsigned i = 0; i < n; i++)
		if (b->rq[i].status)
			return b->rq[i].status;
	return 0;
}

static void advance(struct transfer *t, uint64_t n)
{
	t->sector += n;
	t->n -= n;
	if (t->data)
		t->data += n * BLOCK_SECTOR;
}

/* The first part of a transfer as the i-th request of a batch. */
static void add_part(struct block_device *dev, struct batch *b, unsigned i, const struct transfer *t, uint32_t n)
{
	b->seg[i] = (struct segment){ t->data, n * BLOCK_SECTOR };
	add(dev, b, i, &(struct block_request){ .op = t->op, .unmap = t->unmap, .sector = t->sector, .n_sectors = n,
						.segs = &b->seg[i], .n_segs = 1 });
}

/* Whole units, checked. */
static int transfer_units(struct block_device *dev, struct transfer all)
{
	uint32_t max = max_sectors(dev, all.op);
	int error = 0;

	while (all.n > 0 && !error) {
		struct batch b = { .left = 0 };
		unsigned i;

		for (i = 0; i < AT_ONCE && all.n > 0; i++) {
			uint32_t n = (uint32_t)MIN(all.n, max);

			add_part(dev, &b, i, &all, n);
			advance(&all, n);
		}
		error = finish(dev, &b, i);
	}
	return error;
}

/* The unit around `part`, in memory at `unit`. */
static int change_unit(struct block_device *dev, const struct transfer *part, char *unit)
{
	size_t offset = part->sector % dev->unit * BLOCK_SECTOR, size = part->n * BLOCK_SECTOR;
	struct transfer whole = {
		.op = BLOCK_READ,
		.sector = part->sector - part->sector % dev->unit,
		.n = dev->unit,
		.data = unit,
	};
	int error = transfer_units(dev, whole);

	if (error)
		return error;
	if (part->op == BLOCK_READ) {
		memcpy(part->data, unit + offset, size);
		return 0;
	}
	memcpy(unit + offset, part->data, size);
	whole.op = BLOCK_WRITE;
	return transfer_units(dev, whole);
}

/* A part of one unit: the whole of it is read and, with the new part in it, written again. */
static int transfer_part(struct block_device *dev, const struct transfer *part)
{
	char *unit = kalloc((size_t)dev->unit * BLOCK_SECTOR);
	bool exclusive = part->op == BLOCK_WRITE && in_task();
	int error;

	if (!unit)
		return -ENOMEM;
	if (exclusive)
		mutex_lock(&part_mutex);
	error = change_unit(dev, part, unit);
	if (exclusive)
		mutex_unlock(&part_mutex);
	kfree(unit);
	return error;
}

static int transfer(struct block_device *dev, struct transfer all)
{
	int error = check_range(dev, all.op, all.sector, all.n);

	while (all.n > 0 && !error) {
		struct transfer now = all;
		uint32_t before = (uint32_t)(all.sector % dev->unit);

		if (before || all.n < dev->unit) {
			now.n = MIN(all.n, dev->unit - before);
			error = transfer_part(dev, &now);
		} else {
			now.n -= all.n % dev->unit;
			error = transfer_units(dev, now);
		}
		advance(&all, now.n);
	}
	return error;
}

int block_read(struct block_device *dev, uint64_t sector, void *data, uint32_t n)
{
	return transfer(dev, (struct transfer){ .op = BLOCK_READ, .sector = sector, .n = n, .data = data });
}

int block_write(struct block_device *dev, uint64_t sector, const void *data, uint32_t n)
{
	/* Nobody writes to the data of this operation. */
	return transfer(dev, (struct transfer){ .op = BLOCK_WRITE, .sector = sector, .n = n,
						.data = (char *)(uintptr_t)data });
}

/* Without data there are no parts of units to be read and written. */
static int clear(struct block_device *dev, struct transfer all)
{
	int error = check_range(dev, all.op, all.sector, all.n);

	if (!error && max_sectors(dev, all.op) == 0)
		error = -ENOTSUP;
	if (!error && (all.sector % dev->unit || all.n % dev->unit))
		error = -EINVAL;
	return error ? error : transfer_units(dev, all);
}

int block_discard(struct block_device *dev, uint64_t sector, uint64_t n)
{
	return clear(dev, (struct transfer){ .op = BLOCK_DISCARD, .sector = sector, .n = n });
}

int block_write_zeroes(struct block_device *dev, uint64_t sector, uint64_t n, bool unmap)
{
	return clear(dev, (struct transfer){ .op = BLOCK_WRITE_ZEROES, .unmap = unmap, .sector = sector, .n = n });
}

int block_flush(struct block_device *dev)
{
	struct batch b = { .left = 0 };

	add(dev, &b, 0, &(struct block_request){ .op = BLOCK_FLUSH });
	return finish(dev, &b, 1);
}

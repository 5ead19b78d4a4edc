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
	unsigned left; /* atomic: not done yet */
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

static int check_range(const struct block_device *dev, enum block_op op, uint64_t sector, uint32_t n)
{
	if (sector > dev->n_sectors || n > dev->n_sectors - sector)
		return -EINVAL;
	return op == BLOCK_WRITE && dev->read_only ? -EROFS : 0;
}

static int check_request(const struct block_device *dev, const struct block_request *rq)
{
	if (rq->op != BLOCK_READ && rq->op != BLOCK_WRITE)
		return -EINVAL;
	if (rq->n_sectors == 0 || rq->n_sectors > dev->max_sectors)
		return -EINVAL;
	if (rq->sector % dev->unit || rq->n_sectors % dev->unit)
		return -EINVAL;
	return check_range(dev, rq->op, rq->sector, rq->n_sectors);
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
		dev->ops->poll(dev);
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

static void advance(struct block_request *rq, uint32_t n)
{
	rq->sector += n;
	rq->n_sectors -= n;
	rq->data = (char *)rq->data + (size_t)n * BLOCK_SECTOR;
}

/* Whole units, checked. */
static int transfer_units(struct block_device *dev, struct block_request all)
{
	int error = 0;

	while (all.n_sectors > 0 && !error) {
		struct batch b = { .left = 0 };
		unsigned n;

		for (n = 0; n < AT_ONCE && all.n_sectors > 0; n++) {
			struct block_request part = all;

			part.n_sectors = MIN(all.n_sectors, dev->max_sectors);
			add(dev, &b, n, &part);
			advance(&all, part.n_sectors);
		}
		error = finish(dev, &b, n);
	}
	return error;
}

/* The unit around `part`, in memory at `unit`. */
static int change_unit(struct block_device *dev, const struct block_request *part, char *unit)
{
	size_t offset = part->sector % dev->unit * BLOCK_SECTOR, size = (size_t)part->n_sectors * BLOCK_SECTOR;
	struct block_request whole = {
		.op = BLOCK_READ,
		.sector = part->sector - part->sector % dev->unit,
		.n_sectors = dev->unit,
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
static int transfer_part(struct block_device *dev, const struct block_request *part)
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

static int transfer(struct block_device *dev, struct block_request all)
{
	int error = check_range(dev, all.op, all.sector, all.n_sectors);

	while (all.n_sectors > 0 && !error) {
		struct block_request now = all;
		uint32_t before = (uint32_t)(all.sector % dev->unit);

		if (before || all.n_sectors < dev->unit) {
			now.n_sectors = MIN(all.n_sectors, dev->unit - before);
			error = transfer_part(dev, &now);
		} else {
			now.n_sectors -= all.n_sectors % dev->unit;
			error = transfer_units(dev, now);
		}
		advance(&all, now.n_sectors);
	}
	return error;
}

int block_read(struct block_device *dev, uint64_t sector, void *data, uint32_t n)
{
	return transfer(dev, (struct block_request){ .op = BLOCK_READ, .sector = sector, .n_sectors = n, .data = data });
}

int block_write(struct block_device *dev, uint64_t sector, const void *data, uint32_t n)
{
	/* Nobody writes to the data of this operation. */
	return transfer(dev, (struct block_request){ .op = BLOCK_WRITE, .sector = sector, .n_sectors = n,
						     .data = (void *)(uintptr_t)data });
}

int block_flush(struct block_device *dev)
{
	struct batch b = { .left = 0 };

	add(dev, &b, 0, &(struct block_request){ .op = BLOCK_FLUSH });
	return finish(dev, &b, 1);
}

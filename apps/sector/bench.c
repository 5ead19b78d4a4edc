/* How many instructions a request costs, from block_submit to done(), interrupt included. */
#include "bench.h"

#include <errno.h>

#include <arch/cpu.h>
#include <caisson/mm.h>
#include <caisson/print.h>

#define DEPTH_MAX 128u
#define SECTORS 8u
#define CALIBRATION 10000u

static struct block_device *on;
static unsigned long left, under_way; /* interrupts off */
static struct list ready = LIST_INIT(ready);
static bool starting;
static int first_error;

static struct one {
	struct block_request rq;
	struct segment seg;
} all[DEPTH_MAX];

static void end(struct block_request *rq);

static void start(struct block_request *rq)
{
	struct one *one = container_of(rq, struct one, rq);
	int error;

	left--;
	under_way++;
	*rq = (struct block_request){ .op = BLOCK_READ, .sector = left * SECTORS % (on->n_sectors - SECTORS) / SECTORS * SECTORS,
				      .n_sectors = SECTORS, .segs = &one->seg, .n_segs = 1, .done = end };
	error = block_submit(on, rq);
	if (error) {
		rq->status = error;
		end(rq);
	}
}

/* Not from within itself: a device in memory is done before block_submit returns. */
static void start_ready(void)
{
	if (starting)
		return;
	starting = true;
	while (!list_empty(&ready) && left > 0 && !first_error) {
		struct block_request *rq = list_first(&ready, struct block_request, node);

		list_del(&rq->node);
		start(rq);
	}
	starting = false;
}

static void end(struct block_request *rq)
{
	under_way--;
	if (rq->status && !first_error)
		first_error = rq->status;
	list_push_back(&ready, &rq->node);
	start_ready();
}

/*
 * Interrupts are taken between the two. Without WFI: under --icount it would let the time jump beyond the requests'.
 * @return rounds
 */
static unsigned long __attribute__((noinline)) wait(const volatile unsigned long *until_zero, unsigned long at_most)
{
	unsigned long n = 0;

	while (*until_zero > 0 && n < at_most) {
		irq_enable();
		irq_disable();
		n++;
	}
	return n;
}

/* What a round of waiting costs. */
static uint64_t calibrate(void)
{
	unsigned long never = 1;
	uint64_t before = cpu_instret();

	wait(&never, CALIBRATION);
	return (cpu_instret() - before) / CALIBRATION;
}

static void measure(unsigned long depth, unsigned long n)
{
	irqflags_t flags = irq_save();
	uint64_t round = calibrate(), before = cpu_instret();

	left = n;
	list_init(&ready);
	for (unsigned long i = 0; i < depth; i++)
		list_push_back(&ready, &all[i].rq.node);
	start_ready();
	before += wait(&under_way, UINT64_MAX) * round;
	before = cpu_instret() - before;
	irq_restore(flags);
	if (!first_error)
		print("bench %lu %lu: %lu instructions per request\n", depth, n, (unsigned long)(before / n));
}

int bench(struct block_device *disk, unsigned long depth, unsigned long n)
{
	char *data = kalloc(DEPTH_MAX * SECTORS * BLOCK_SECTOR);

	if (!data)
		return -ENOMEM;
	if (depth == 0 || depth > DEPTH_MAX || n == 0 || disk->n_sectors <= SECTORS) {
		kfree(data);
		return -EINVAL;
	}
	on = disk;
	first_error = 0;
	for (unsigned i = 0; i < DEPTH_MAX; i++)
		all[i].seg = (struct segment){ data + i * SECTORS * BLOCK_SECTOR, SECTORS * BLOCK_SECTOR };
	measure(depth, n);
	kfree(data);
	return first_error;
}

/*
 * The virtio block driver with a device model that has a disk of its own, for the files of its tests. Includes the
 * driver; nobody sleeps (the tests of tests/unit/test_block.c do).
 */
#pragma once

#include <caisson/block.h>
#include <caisson/time.h>
#include <no_sleep.h>
#include <virtio_mock.h>

#undef LOG_NAME
#include "drivers/block/virtio_blk.c"

#define SECTORS 4096u
#define TIMEOUT (BLOCK_TIMEOUT_US * UINT64_C(10)) /* ticks */

static struct block_device *disk;
static bool indirect;         /* the device takes tables of descriptors */
static struct vd_queue *dq = &vd.q[0];
static uint8_t medium[SECTORS * BLOCK_SECTOR];
static unsigned n_flushes, n_clears;
static struct timer *timer;   /* the driver's, when armed */
static unsigned n_arms;
static bool answers;          /* the device does what it is told as soon as it is told */
static uint32_t longest;      /* piece of data seen */
static unsigned most_pieces;
static uint8_t bad_status;    /* if not 0: every answer */

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	t->fn = fn;
}

void timer_arm(struct timer *t, uint64_t deadline)
{
	assert_null(timer);
	t->deadline = deadline;
	timer = t;
	n_arms++;
}

static MAYBE_UNUSED void fire_timer(void)
{
	struct timer *t = timer;

	assert_non_null(t);
	mock_time = MAX(mock_time, t->deadline);
	timer = NULL;
	t->fn(t);
}

/* --- the device --- */

/* Data between header and status: to or from the medium. @return bytes written to memory. */
static uint32_t transfer(const struct vd_chain *c, uint64_t sector, bool to_memory)
{
	uint8_t *at = medium + sector * BLOCK_SECTOR;
	uint32_t written = 0;

	for (unsigned i = 1; i + 1 < c->n; i++) {
		void *data = (void *)(uintptr_t)c->d[i].addr;

		assert_true(kva_has_hpa(data, c->d[i].len));
		longest = MAX(longest, c->d[i].len);
		most_pieces = MAX(most_pieces, c->n - 2);
		if (to_memory)
			memcpy(data, at, c->d[i].len);
		else
			memcpy(at, data, c->d[i].len);
		at += c->d[i].len;
		written += to_memory ? c->d[i].len : 0;
	}
	return written;
}

/* What is discarded becomes 0xdd, or 0xee where zeroes may give space back. */
static void clear_range(const struct vd_chain *c, uint32_t type, uint64_t sector)
{
	const struct { uint64_t sector; uint32_t n, flags; } *range = (void *)(uintptr_t)c->d[1].addr;

	assert_int_equal(c->n, 3);
	assert_int_equal(c->n_readable, 2);
	assert_int_equal(c->d[1].len, 16);
	assert_int_equal(sector, 0);
	assert_in_range(range->sector + range->n, 1, SECTORS);
	assert_true(range->flags == 0 || (range->flags == 1 && type == T_WRITE_ZEROES));
	memset(medium + range->sector * BLOCK_SECTOR, type == T_DISCARD ? 0xdd : range->flags ? 0xee : 0,
	       range->n * BLOCK_SECTOR);
	n_clears++;
}

/* Do what a chain says. @return the length for its used entry. */
static uint32_t execute(const struct vd_chain *c)
{
	const struct { uint32_t type, reserved; uint64_t sector; } *h = (void *)(uintptr_t)c->d[0].addr;
	uint8_t *status = (uint8_t *)(uintptr_t)c->d[c->n - 1].addr;
	uint32_t written = 0;

	assert_int_equal(c->d[0].len, 16);
	assert_int_equal(c->d[c->n - 1].len, 1);
	assert_int_equal(h->reserved, 0);
	if (h->type == T_DISCARD || h->type == T_WRITE_ZEROES) {
		clear_range(c, h->type, h->sector);
	} else if (h->type == 4) {
		assert_int_equal(c->n, 2);
		assert_int_equal(h->sector, 0);
		n_flushes++;
	} else {
		assert_in_range(h->type, 0, 1);
		assert_int_equal(c->n_readable, h->type == 0 ? 1 : c->n - 1);
		written = transfer(c, h->sector, h->type == 0);
	}
	*status = bad_status;
	return written + 1;
}

static void answer_one(void)
{
	struct vd_chain c = vd_take(dq);

	vd_use(dq, c.head, execute(&c));
}

static void answer_all(void)
{
	while (vd_n_available(dq))
		answer_one();
}

static void device_runs(bool wfi)
{
	(void)wfi;
	mock_time += 10000;
	if (answers)
		answer_all();
	if (timer && timer->deadline <= mock_time)
		fire_timer();
}

static void set_config(unsigned offset, uint64_t value, unsigned size)
{
	memcpy(vd.config + offset, &value, size);
}

static struct block_request rqs[256];
static struct segment segs[256];
static uint8_t data[256 * BLOCK_SECTOR];
static unsigned n_done, order_done[256];

/* When a request ends, the device must not know its memory any more. */
static void done(struct block_request *rq)
{
	assert_true(mock_irq_on || vd.handler);
	order_done[n_done++] = (unsigned)(rq - rqs);
	if (rq->status == -ETIMEDOUT)
		assert_true(vd.resets > 1);
}

static MAYBE_UNUSED int submit(unsigned n, enum block_op op, uint64_t sector, uint32_t n_sectors, void *at)
{
	segs[n] = (struct segment){ at, n_sectors * BLOCK_SECTOR };
	rqs[n] = (struct block_request){ .op = op, .sector = sector, .n_sectors = n_sectors, .segs = &segs[n],
					 .n_segs = 1, .done = done };
	rqs[n].status = 1;
	return block_submit(disk, &rqs[n]);
}

/* Registered devices stay registered. */
static bool last_device(struct block_device *dev, void *arg)
{
	(void)arg;
	disk = dev;
	return true;
}

static int prepare(uint64_t features)
{
	uint64_t seed = 3;

	vd_init(VIRTIO_ID_BLOCK, features | BIT(VIRTIO_F_EVENT_IDX) | (indirect ? BIT(VIRTIO_F_INDIRECT_DESC) : 0));
	set_config(0, SECTORS, 8);
	mock_wait = device_runs;
	answers = true;
	bad_status = 0;
	n_flushes = n_clears = n_done = n_arms = longest = most_pieces = 0;
	timer = NULL;
	for (size_t i = 0; i < sizeof(medium); i++)
		medium[i] = (uint8_t)mock_random(&seed);
	memset(data, 0, sizeof(data));
	mock_frames_used = 0;
	n_devices = 0;
	return 0;
}

static MAYBE_UNUSED void bind(void)
{
	disk = NULL;
	assert_int_equal(vd_probe(), 0);
	block_for_each(last_device, NULL);
	assert_non_null(disk);
}

static MAYBE_UNUSED int setup(void **state)
{
	(void)state;
	prepare(BIT(F_FLUSH));
	bind();
	return 0;
}

#define T(f) cmocka_unit_test_setup(f, setup)

/* All tests, with tables of descriptors in the queue and with tables besides. */
#define RUN_BOTH(tests) run_both(tests, ARRAY_SIZE(tests))
static int with_indirect(void **state)
{
	(void)state;
	indirect = true;
	return 0;
}

static int run_both(const struct CMUnitTest *tests, size_t n)
{
	int failed = _cmocka_run_group_tests("direct", tests, n, NULL, NULL);

	return failed + _cmocka_run_group_tests("indirect", tests, n, with_indirect, NULL);
}

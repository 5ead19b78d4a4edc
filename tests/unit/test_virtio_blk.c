/* The virtio block driver against a device model with a disk of its own. */
// sources: drivers/block/block.c drivers/virtio/virtio.c drivers/virtio/queue.c core/time/time.c core/dt/dt.c core/dt/bus.c core/dt/map.c core/dt/index.c
#include <caisson/block.h>
#include <caisson/mutex.h>
#include <caisson/task.h>
#include <caisson/time.h>
#include <virtio_mock.h>

#undef LOG_NAME
#include "drivers/block/virtio_blk.c"

#define SECTORS 4096u
#define TIMEOUT (BLOCK_TIMEOUT_US * UINT64_C(10)) /* ticks */

static struct block_device *disk;
static struct vd_queue *dq = &vd.q[0];
static uint8_t medium[SECTORS * BLOCK_SECTOR];
static unsigned n_flushes;
static struct timer *timer;   /* the driver's, when armed */
static unsigned n_arms;
static bool answers;          /* the device does what it is told as soon as it is told */
static uint32_t longest;      /* piece of data seen */
static unsigned most_pieces;
static uint8_t bad_status;    /* if not 0: every answer */

/* Nobody sleeps here: the tests of tests/unit/test_block.c do. */
struct task *task_current(void)
{
	return NULL;
}

int waitq_wait(struct waitq *wq, bool (*pred)(void *), void *arg, uint64_t deadline)
{
	(void)wq, (void)pred, (void)arg, (void)deadline;
	fail_msg("nobody can sleep");
	return 0;
}

unsigned waitq_notify_all(struct waitq *wq)
{
	(void)wq;
	return 0;
}

void mutex_lock(struct mutex *m)
{
	(void)m;
	fail_msg("nobody can sleep");
}

void mutex_unlock(struct mutex *m)
{
	(void)m;
}

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

static void fire_timer(void)
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

/* Do what a chain says. @return the length for its used entry. */
static uint32_t execute(const struct vd_chain *c)
{
	const struct { uint32_t type, reserved; uint64_t sector; } *h = (void *)(uintptr_t)c->d[0].addr;
	uint8_t *status = (uint8_t *)(uintptr_t)c->d[c->n - 1].addr;
	uint32_t written = 0;

	assert_int_equal(c->d[0].len, 16);
	assert_int_equal(c->d[c->n - 1].len, 1);
	assert_int_equal(h->reserved, 0);
	if (h->type == 4) {
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
static struct block_segment segs[256];
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

static int submit(unsigned n, enum block_op op, uint64_t sector, uint32_t n_sectors, void *at)
{
	segs[n] = (struct block_segment){ at, n_sectors * BLOCK_SECTOR };
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

	vd_init(VIRTIO_ID_BLOCK, features | BIT(VIRTIO_F_EVENT_IDX));
	set_config(0, SECTORS, 8);
	mock_wait = device_runs;
	answers = true;
	bad_status = 0;
	n_flushes = n_done = n_arms = longest = most_pieces = 0;
	timer = NULL;
	for (size_t i = 0; i < sizeof(medium); i++)
		medium[i] = (uint8_t)mock_random(&seed);
	memset(data, 0, sizeof(data));
	mock_frames_used = 0;
	n_devices = 0;
	return 0;
}

static void bind(void)
{
	disk = NULL;
	assert_int_equal(vd_probe(), 0);
	block_for_each(last_device, NULL);
	assert_non_null(disk);
}

static int setup(void **state)
{
	(void)state;
	prepare(BIT(F_FLUSH));
	bind();
	return 0;
}

/* --- what it offers --- */

static void it_has_the_devices_properties(void **state)
{
	(void)state;
	assert_int_equal(disk->n_sectors, SECTORS);
	assert_int_equal(disk->unit, 1);
	assert_true(disk->can_flush);
	assert_false(disk->read_only || disk->polled);
	assert_int_equal(vd.status, 1 | 2 | 4 | 8);
	assert_string_equal(disk->name, "vda");
	assert_non_null(block_find("vda"));
	assert_null(block_find("vdb"));
}

static void reading_and_writing_reach_the_medium(void **state)
{
	(void)state;
	assert_int_equal(block_read(disk, 5, data, 3), 0);
	assert_memory_equal(data, medium + 5 * BLOCK_SECTOR, 3 * BLOCK_SECTOR);
	memset(data, 0x5a, BLOCK_SECTOR);
	assert_int_equal(block_write(disk, SECTORS - 1, data, 1), 0);
	assert_memory_equal(medium + sizeof(medium) - BLOCK_SECTOR, data, BLOCK_SECTOR);
	assert_int_equal(block_flush(disk), 0);
	assert_int_equal(n_flushes, 1);
}

static void data_may_be_anywhere(void **state)
{
	uint8_t *odd = data + 1;

	(void)state;
	for (unsigned offset = 0; offset < 70; offset += 23) {
		assert_int_equal(block_read(disk, 9, odd + offset, 1), 0);
		assert_memory_equal(odd + offset, medium + 9 * BLOCK_SECTOR, BLOCK_SECTOR);
	}
}

static void a_stack_is_not_shown_to_the_device(void **state)
{
	uint8_t stack[3 * BLOCK_SECTOR + 2];

	(void)state;
	mock_stack = stack; /* transfer() checks that the device sees none of it */
	mock_stack_size = sizeof(stack);
	assert_int_equal(block_read(disk, 100, stack + 1, 3), 0);
	assert_memory_equal(stack + 1, medium + 100 * BLOCK_SECTOR, 3 * BLOCK_SECTOR);
	memset(stack, 0x77, sizeof(stack));
	assert_int_equal(block_write(disk, 100, stack + 1, 3), 0);
	assert_memory_equal(medium + 100 * BLOCK_SECTOR, stack, 3 * BLOCK_SECTOR);
	assert_int_equal(mock_frames_used, 1); /* the queue's */
	mock_alloc_fail_at = 1;
	assert_int_equal(block_read(disk, 100, stack + 1, 3), -ENOMEM);
	assert_int_equal(block_read(disk, 100, stack + 1, 3), 0);
}

static void without_flush_there_is_nothing_to_do(void **state)
{
	(void)state;
	prepare(0);
	bind();
	assert_false(disk->can_flush);
	assert_int_equal(block_flush(disk), 0);
	assert_int_equal(n_flushes, 0);
}

static void a_read_only_device_is_not_written(void **state)
{
	(void)state;
	prepare(BIT(F_RO) | BIT(F_FLUSH));
	bind();
	assert_true(disk->read_only);
	assert_int_equal(block_write(disk, 0, data, 1), -EROFS);
	assert_int_equal(submit(0, BLOCK_WRITE, 0, 1, data), -EROFS);
	assert_int_equal(block_read(disk, 0, data, 1), 0);
	assert_int_equal(n_done, 0);
}

static void pieces_are_no_larger_than_the_device_takes(void **state)
{
	(void)state;
	prepare(BIT(F_SIZE_MAX) | BIT(F_SEG_MAX));
	set_config(8, 700, 4);
	set_config(12, 3, 4);
	bind();
	assert_int_equal(disk->max_segs, 2);
	assert_int_equal(disk->max_sectors, 2 * 700 / BLOCK_SECTOR);
	assert_int_equal(block_read(disk, 50, data, 200), 0);
	assert_memory_equal(data, medium + 50 * BLOCK_SECTOR, 200 * BLOCK_SECTOR);
	assert_int_equal(longest, 700);
	assert_int_equal(most_pieces, 2);
}

static void large_blocks_are_kept_to(void **state)
{
	(void)state;
	prepare(BIT(F_BLK_SIZE));
	set_config(20, 4096, 4);
	set_config(0, SECTORS - 3, 8);
	bind();
	assert_int_equal(disk->unit, 8);
	assert_int_equal(disk->n_sectors, SECTORS - 8);
	assert_int_equal(submit(0, BLOCK_READ, 4, 8, data), -EINVAL);
	assert_int_equal(submit(0, BLOCK_READ, 8, 4, data), -EINVAL);
	assert_int_equal(submit(0, BLOCK_READ, 8, 8, data), 0);
	vd_interrupt(0);
	assert_int_equal(block_read(disk, 3, data, 21), 0);
	assert_memory_equal(data, medium + 3 * BLOCK_SECTOR, 21 * BLOCK_SECTOR);
}

static void assert_refused(void)
{
	struct block_device *before = disk;

	assert_int_equal(vd_probe(), -EINVAL);
	assert_true(vd.status & VIRTIO_FAILED);
	assert_int_equal(mock_frames_used, 0);
	kfree(vd.handler_arg);
	block_for_each(last_device, NULL);
	assert_ptr_equal(disk, before);
}

static void configurations_without_sense_are_refused(void **state)
{
	static const uint32_t blk_sizes[] = { 0, 1, 511, 513, 3 * 512, 1u << 31 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(blk_sizes); i++) {
		prepare(BIT(F_BLK_SIZE));
		set_config(20, blk_sizes[i], 4);
		assert_refused();
	}
	prepare(BIT(F_SIZE_MAX));
	set_config(8, 511, 4);
	assert_refused();
	prepare(BIT(F_SEG_MAX) | BIT(F_SIZE_MAX));
	set_config(8, 4096, 4);
	assert_refused(); /* no piece at all */
	prepare(0);
	vd.q[0].max = 2;
	assert_refused();
}

static void a_huge_capacity_is_no_trouble(void **state)
{
	(void)state;
	prepare(0);
	set_config(0, UINT64_MAX, 8);
	bind();
	assert_int_equal(submit(0, BLOCK_READ, UINT64_MAX - 1, 2, data), -EINVAL);
	assert_int_equal(submit(0, BLOCK_READ, UINT64_MAX, 1, data), -EINVAL);
	assert_int_equal(submit(0, BLOCK_READ, 0, disk->max_sectors + 1, data), -EINVAL);
	assert_int_equal(submit(0, BLOCK_READ, 0, 0, data), -EINVAL);
	assert_int_equal(submit(0, (enum block_op)9, 0, 1, data), -EINVAL);
}

static void there_are_as_many_names_as_letters(void **state)
{
	(void)state;
	n_devices = NAMES - 1;
	bind();
	assert_string_equal(disk->name, "vdz");
	assert_int_equal(vd_probe(), -ENOSPC);
	kfree(vd.handler_arg);
}

static void M1_each_allocation_of_the_probe_may_fail(void **state)
{
	uint64_t n = 0;
	int error;

	(void)state;
	do {
		prepare(0);
		mock_alloc_fail_at = ++n;
		error = vd_probe();
		if (error) {
			assert_int_equal(error, -ENOMEM);
			assert_int_equal(mock_frames_used, 0);
			kfree(vd.handler_arg);
		}
	} while (error);
	assert_in_range(n, 5, 7);
}

/* --- several at once --- */

static void many_are_under_way_and_the_rest_wait(void **state)
{
	(void)state;
	answers = false;
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(submit(i, BLOCK_READ, i, 1, data + i * BLOCK_SECTOR), 0);
	assert_int_equal(vd_n_available(dq), VIRTQ_MAX / 3);
	assert_int_equal(n_done, 0);
	while (vd_n_available(dq)) {
		answer_all();
		vd_interrupt(VIRTIO_INT_QUEUE);
	}
	assert_int_equal(n_done, 200);
	for (unsigned i = 0; i < 200; i++) {
		assert_int_equal(rqs[i].status, 0);
		assert_int_equal(order_done[i], i);
	}
	assert_memory_equal(data, medium, 200 * BLOCK_SECTOR);
	assert_in_range(n_arms, 1, 1);
}

static void they_end_in_the_order_of_the_device(void **state)
{
	struct vd_chain c[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(submit(i, BLOCK_READ, 10 + i, 1, data + i * BLOCK_SECTOR), 0);
	for (unsigned i = 0; i < 3; i++)
		c[i] = vd_take(dq);
	vd_use(dq, c[2].head, execute(&c[2]));
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(n_done, 1);
	vd_use(dq, c[0].head, execute(&c[0]));
	vd_use(dq, c[1].head, execute(&c[1]));
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(n_done, 3);
	assert_int_equal(order_done[0], 2);
	assert_memory_equal(data, medium + 10 * BLOCK_SECTOR, 3 * BLOCK_SECTOR);
}

/* --- errors of single requests --- */

static void an_error_is_the_requests_alone(void **state)
{
	static const struct { uint8_t status; int result; } cases[] = {
		{ 1, -EIO }, { 2, -ENOTSUP }, { 3, -EIO }, { 0xff, -EIO }, { 0, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		bad_status = cases[i].status;
		assert_int_equal(block_read(disk, 0, data, 1), cases[i].result);
		assert_int_equal(block_write(disk, 0, data, 1), cases[i].result);
		assert_int_equal(block_flush(disk), cases[i].result);
	}
}

static void a_read_that_brings_too_little_is_an_error(void **state)
{
	struct vd_chain c;

	(void)state;
	assert_int_equal(submit(0, BLOCK_READ, 0, 2, data), 0);
	c = vd_take(dq);
	vd_use(dq, c.head, execute(&c) - 1);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(rqs[0].status, -EIO);
}

/* The status byte is not what the last user of its place left there. */
static void an_answer_without_a_status_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(block_flush(disk), 0);
	answers = false;
	assert_int_equal(submit(0, BLOCK_FLUSH, 0, 0, NULL), 0);
	vd_use(dq, vd_take(dq).head, 1);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(rqs[0].status, -EIO);
}

/* --- a device that does not answer --- */

static void a_device_that_does_not_answer_is_reset_and_used_again(void **state)
{
	unsigned resets = vd.resets;
	uint64_t start = mock_time;

	(void)state;
	answers = false;
	assert_int_equal(block_read(disk, 0, data, 4), -ETIMEDOUT);
	assert_in_range(mock_time - start, TIMEOUT, TIMEOUT + TIMEOUT / 10);
	assert_true(vd.resets > resets);
	assert_non_null(strstr(mock_log_text(), "no answer in 5 s: reset"));
	assert_int_equal(vd.status, 1 | 2 | 4 | 8);
	answers = true;
	assert_int_equal(block_read(disk, 7, data, 4), 0);
	assert_memory_equal(data, medium + 7 * BLOCK_SECTOR, 4 * BLOCK_SECTOR);
	answers = false; /* it has answered since: it gets another chance */
	assert_int_equal(block_read(disk, 0, data, 4), -ETIMEDOUT);
	answers = true;
	assert_int_equal(block_flush(disk), 0);
}

static void one_that_does_not_answer_twice_is_dead(void **state)
{
	uint64_t start;

	(void)state;
	answers = false;
	assert_int_equal(block_read(disk, 0, data, 4), -ETIMEDOUT);
	assert_int_equal(block_write(disk, 0, data, 4), -ETIMEDOUT);
	assert_non_null(strstr(mock_log_text(), "does not answer after a reset either"));
	assert_int_equal(vd.status, VIRTIO_FAILED);
	start = mock_time;
	assert_int_equal(block_read(disk, 0, data, 4), -EIO);
	assert_int_equal(submit(0, BLOCK_READ, 0, 1, data), -EIO);
	assert_int_equal(mock_time, start);
}

/* Without anybody polling, by the timer alone; memory of requests that ended stays as it is. */
static void the_timer_ends_requests_that_nobody_waits_for(void **state)
{
	(void)state;
	answers = false;
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(submit(i, BLOCK_READ, i, 1, data + i * BLOCK_SECTOR), 0);
		mock_time += 10;
	}
	fire_timer();
	assert_int_equal(n_done, 100); /* those that had a moment left too */
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(rqs[i].status, -ETIMEDOUT);
	assert_int_equal(vd_n_available(dq), 0);
	answer_all();
	for (size_t i = 0; i < sizeof(data); i++)
		assert_int_equal(data[i], 0);
	assert_null(timer);
}

static void what_came_later_is_handed_to_the_device_again(void **state)
{
	(void)state;
	answers = false;
	assert_int_equal(submit(0, BLOCK_READ, 0, 1, data), 0);
	mock_time += TIMEOUT / 2;
	for (unsigned i = 1; i < 60; i++)
		assert_int_equal(submit(i, BLOCK_READ, i, 1, data + i * BLOCK_SECTOR), 0);
	fire_timer();
	assert_int_equal(n_done, 1);
	assert_int_equal(rqs[0].status, -ETIMEDOUT);
	mock_time += TIMEOUT * 3 / 4; /* more than they had left, less than they have now */
	disk->ops->poll(disk);
	assert_int_equal(n_done, 1);
	while (vd_n_available(dq)) {
		answer_all();
		vd_interrupt(VIRTIO_INT_QUEUE);
	}
	assert_int_equal(n_done, 60);
	for (unsigned i = 1; i < 60; i++) {
		assert_int_equal(rqs[i].status, 0);
		assert_int_equal(order_done[i], i);
	}
	assert_memory_equal(data + BLOCK_SECTOR, medium + BLOCK_SECTOR, 59 * BLOCK_SECTOR);
}

static void a_lost_interrupt_is_no_loss(void **state)
{
	(void)state;
	assert_int_equal(submit(0, BLOCK_READ, 3, 1, data), 0);
	answer_all();
	assert_int_equal(n_done, 0);
	fire_timer();
	assert_int_equal(n_done, 1);
	assert_int_equal(rqs[0].status, 0);
	assert_null(strstr(mock_log_text(), "no answer"));
}

static void one_that_ignores_the_reset_keeps_the_bounce_buffer(void **state)
{
	uint8_t stack[BLOCK_SECTOR];
	uint64_t frames = mock_frames_used;

	(void)state;
	mock_stack = stack;
	mock_stack_size = sizeof(stack);
	answers = false;
	assert_int_equal(submit(0, BLOCK_READ, 0, 1, stack), 0);
	vd.ignores_reset = true;
	fire_timer();
	assert_int_equal(rqs[0].status, -ETIMEDOUT);
	assert_int_equal(mock_frames_used, frames + 1);
	assert_int_equal(submit(0, BLOCK_READ, 0, 1, data), -EIO);
	answer_one(); /* into the page that nobody else gets */
	frame_free(HPA((uintptr_t)((const struct vd_desc *)(uintptr_t)dq->desc)[1].addr), 0);
}

/* --- a device that lies, or gives up --- */

static void assert_all_end_with_eio(unsigned n)
{
	assert_int_equal(n_done, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(rqs[i].status, -EIO);
	assert_int_equal(submit(0, BLOCK_READ, 0, 1, data), -EIO);
	assert_int_equal(block_flush(disk), -EIO);
	assert_non_null(strstr(mock_log_text(), "not used any more"));
}

static void a_lie_ends_everything_under_way(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 60; i++)
		assert_int_equal(submit(i, BLOCK_READ, i, 1, data), 0);
	vd_use(dq, 5000, 1);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_all_end_with_eio(60);
}

static void needing_a_reset_ends_everything_under_way(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 60; i++)
		assert_int_equal(submit(i, BLOCK_WRITE, i, 1, data), 0);
	vd.status |= VIRTIO_NEEDS_RESET;
	vd_interrupt(VIRTIO_INT_CONFIG);
	assert_all_end_with_eio(60);
}

static void a_change_of_the_capacity_is_ignored(void **state)
{
	(void)state;
	set_config(0, 1, 8);
	vd.generation++;
	vd_interrupt(VIRTIO_INT_CONFIG);
	assert_int_equal(disk->n_sectors, SECTORS);
	assert_int_equal(block_read(disk, SECTORS - 1, data, 1), 0);
}

static void without_an_interrupt_the_timer_looks(void **state)
{
	(void)state;
	prepare(BIT(F_FLUSH));
	vd.no_irq = true;
	bind();
	assert_true(disk->polled);
	answers = false;
	assert_int_equal(submit(0, BLOCK_READ, 3, 1, data), 0);
	for (unsigned i = 0; i < 3; i++) {
		fire_timer();
		assert_int_equal(n_done, 0);
	}
	assert_true(mock_time < TIMEOUT / 10);
	answer_all();
	fire_timer();
	assert_int_equal(n_done, 1);
	assert_int_equal(rqs[0].status, 0);
	assert_null(timer);
}

/* Random answers, lies and silence: every request that was taken ends exactly once. */
static void fuzz_every_request_ends(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (unsigned round = 0; round < 15; round++) {
		unsigned taken = 0;

		n_done = 0;
		answers = false;
		for (unsigned i = 0; i < 200; i++) {
			taken += submit(i, (enum block_op)(mock_random(&seed) % 3), i, 1, data + i * BLOCK_SECTOR) == 0;
			if (mock_random(&seed) % 8 == 0 && vd_n_available(dq))
				answer_one();
			if (dq->ready && mock_random(&seed) % 512 == 0)
				vd_use(dq, (uint32_t)mock_random(&seed) % VIRTQ_MAX, (uint32_t)mock_random(&seed) % 600);
			if (mock_random(&seed) % 8 == 0)
				vd_interrupt(VIRTIO_INT_QUEUE);
		}
		while (timer)
			fire_timer();
		assert_int_equal(n_done, taken);
		if (disk->ops->submit(disk, &rqs[0]) == -EIO)
			setup(NULL);
		else
			fire_timer();
	}
}

#define T(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(it_has_the_devices_properties),
		T(reading_and_writing_reach_the_medium),
		T(data_may_be_anywhere),
		T(a_stack_is_not_shown_to_the_device),
		T(without_flush_there_is_nothing_to_do),
		T(a_read_only_device_is_not_written),
		T(pieces_are_no_larger_than_the_device_takes),
		T(large_blocks_are_kept_to),
		T(configurations_without_sense_are_refused),
		T(a_huge_capacity_is_no_trouble),
		T(there_are_as_many_names_as_letters),
		T(M1_each_allocation_of_the_probe_may_fail),
		T(many_are_under_way_and_the_rest_wait),
		T(they_end_in_the_order_of_the_device),
		T(an_error_is_the_requests_alone),
		T(a_read_that_brings_too_little_is_an_error),
		T(an_answer_without_a_status_is_an_error),
		T(a_device_that_does_not_answer_is_reset_and_used_again),
		T(one_that_does_not_answer_twice_is_dead),
		T(the_timer_ends_requests_that_nobody_waits_for),
		T(what_came_later_is_handed_to_the_device_again),
		T(a_lost_interrupt_is_no_loss),
		T(one_that_ignores_the_reset_keeps_the_bounce_buffer),
		T(a_lie_ends_everything_under_way),
		T(needing_a_reset_ends_everything_under_way),
		T(a_change_of_the_capacity_is_ignored),
		T(without_an_interrupt_the_timer_looks),
		T(fuzz_every_request_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

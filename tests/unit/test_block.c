/* Block devices: what is checked, cut and joined, and waiting for it, on a simulated machine of two harts. */
// sources: drivers/block/block.c core/task/sched.c core/task/place.c core/task/rr.c core/task/task.c core/task/waitq.c core/task/mutex.c core/task/gc.c core/time/time.c core/time/timer.c core/irq/irq.c core/smp/call.c core/smp/alone.c core/smp/power.c
#include <errno.h>

#include <caisson/block.h>
#include <caisson/mm.h>
#include <caisson/task.h>
#include <caisson/time.h>
#include <logged.h>
#include <machine.h>
#include <mem.h>
#include <test.h>

#define SECTORS 64u
#define LATENCY 50000u /* ticks */
#define TIMEOUT (BLOCK_TIMEOUT_US * UINT64_C(10))

static uint8_t medium[SECTORS * BLOCK_SECTOR], data[SECTORS * BLOCK_SECTOR];
static struct list under_way = LIST_INIT(under_way);
static struct timer answer;
static unsigned n_requests, most_at_once, n_at_once, n_polls;
static uint32_t largest;
static unsigned refuse_from;       /* the n-th request from 1 and those after it are not taken; 0: none */
static uint64_t bad_sector;        /* cannot be read or written */
static bool silent;                /* no interrupts: only polling finds what is done */

static int result_of(const struct block_request *rq)
{
	if (rq->op == BLOCK_FLUSH)
		return 0;
	return bad_sector >= rq->sector && bad_sector < rq->sector + rq->n_sectors ? -EIO : 0;
}

static void move(const struct block_request *rq)
{
	uint8_t *at = medium + rq->sector * BLOCK_SECTOR;

	if (rq->op == BLOCK_DISCARD || rq->op == BLOCK_WRITE_ZEROES)
		memset(at, rq->op == BLOCK_DISCARD ? 0xdd : 0, (size_t)rq->n_sectors * BLOCK_SECTOR);
	for (unsigned i = 0; i < rq->n_segs; i++) {
		if (rq->op == BLOCK_READ)
			memcpy(rq->segs[i].data, at, rq->segs[i].len);
		if (rq->op == BLOCK_WRITE)
			memcpy(at, rq->segs[i].data, rq->segs[i].len);
		at += rq->segs[i].len;
	}
}

static void finish_all(void)
{
	while (!list_empty(&under_way)) {
		struct block_request *rq = list_first(&under_way, struct block_request, node);

		list_del(&rq->node);
		n_at_once--;
		rq->status = result_of(rq);
		if (!rq->status)
			move(rq);
		rq->done(rq);
	}
}

static void answer_now(struct timer *t)
{
	(void)t;
	finish_all();
}

static int fake_submit(struct block_device *dev, struct block_request *rq)
{
	(void)dev;
	n_requests++;
	if (refuse_from && n_requests >= refuse_from)
		return -ENOMEM;
	if (rq->op != BLOCK_FLUSH)
		assert_true(rq->sector % dev->unit == 0 && rq->n_sectors % dev->unit == 0);
	largest = MAX(largest, rq->n_sectors);
	list_push_back(&under_way, &rq->node);
	rq->deadline = time_now() + TIMEOUT;
	n_at_once++;
	most_at_once = MAX(most_at_once, n_at_once);
	if (!silent)
		timer_arm(&answer, time_now() + LATENCY);
	return 0;
}

static void fake_poll(struct block_device *dev)
{
	(void)dev;
	n_polls++;
	if (!list_empty(&under_way) &&
	    time_now() > list_first(&under_way, struct block_request, node)->deadline - TIMEOUT + LATENCY)
		finish_all();
}

static const struct block_ops fake_ops = { .submit = fake_submit, .poll = fake_poll };

static struct block_device disk = {
	.name = "vda", .ops = &fake_ops, .n_sectors = SECTORS, .max_sectors = 4, .max_segs = 3, .unit = 1, .can_flush = true,
	.max_discard_sectors = 8, .max_zeroes_sectors = 16,
};
static struct block_device second = { .name = "vdb", .ops = &fake_ops, .max_sectors = 1, .max_segs = 1, .unit = 1 };

static int setup(void **state)
{
	uint64_t seed = 5;

	(void)state;
	for (size_t i = 0; i < sizeof(medium); i++)
		medium[i] = (uint8_t)mock_random(&seed);
	memset(data, 0, sizeof(data));
	n_requests = most_at_once = n_polls = largest = refuse_from = 0;
	bad_sector = UINT64_MAX;
	silent = false;
	disk.unit = 1;
	disk.read_only = disk.polled = false;
	disk.can_flush = disk.can_discard = disk.can_write_zeroes = true;
	mock_alloc_fail_at = 0;
	return 0;
}

/* --- list and checks --- */

static bool count_two(struct block_device *dev, void *arg)
{
	unsigned *n = arg;

	assert_string_equal(dev->name, *n == 0 ? "vda" : "vdb");
	return ++*n < 2;
}

static bool count_one(struct block_device *dev, void *arg)
{
	(void)dev;
	++*(unsigned *)arg;
	return false;
}

static void devices_are_found_in_their_order(void **state)
{
	unsigned n = 0;

	(void)state;
	block_for_each(count_two, &n);
	assert_int_equal(n, 2);
	n = 0;
	block_for_each(count_one, &n);
	assert_int_equal(n, 1);
	assert_ptr_equal(block_find("vdb"), &second);
	assert_null(block_find("vd"));
}

static unsigned n_done;

static void count_done(struct block_request *rq)
{
	assert_int_equal(rq->status, 0);
	n_done++;
}

static int submit(enum block_op op, uint64_t sector, uint32_t n)
{
	static struct block_request rq;
	static struct segment seg;

	seg = (struct segment){ data, n * BLOCK_SECTOR };
	rq = (struct block_request){ .op = op, .sector = sector, .n_sectors = n, .segs = &seg, .n_segs = 1,
				     .done = count_done };
	return block_submit(&disk, &rq);
}

static void requests_are_checked(void **state)
{
	(void)state;
	assert_int_equal(submit(BLOCK_READ, SECTORS - 1, 2), -EINVAL);
	assert_int_equal(submit(BLOCK_READ, SECTORS, 1), -EINVAL);
	assert_int_equal(submit(BLOCK_READ, UINT64_MAX, 1), -EINVAL);
	assert_int_equal(submit(BLOCK_READ, 0, 0), -EINVAL);
	assert_int_equal(submit(BLOCK_READ, 0, 5), -EINVAL);
	assert_int_equal(submit((enum block_op)5, 0, 1), -EINVAL);
	disk.unit = 2;
	assert_int_equal(submit(BLOCK_READ, 1, 2), -EINVAL);
	assert_int_equal(submit(BLOCK_READ, 2, 3), -EINVAL);
	disk.read_only = true;
	assert_int_equal(submit(BLOCK_WRITE, 0, 2), -EROFS);
	assert_int_equal(n_requests, 0);
	disk.can_flush = false;
	n_done = 0;
	assert_int_equal(submit(BLOCK_FLUSH, 0, 0), 0);
	assert_int_equal(n_done, 1);
	assert_int_equal(n_requests, 0);
}

static int submit_segments(enum block_op op, uint32_t n, const struct segment *segs, unsigned n_segs)
{
	static struct block_request rq;

	rq = (struct block_request){ .op = op, .sector = 2, .n_sectors = n, .segs = segs, .n_segs = n_segs,
				     .done = count_done };
	return block_submit(&disk, &rq);
}

static void segments_add_up_to_the_sectors(void **state)
{
	struct segment segs[4] = { { data, 1 }, { data + 2000, 1000 }, { data + 4001, 23 }, { data, 512 } };

	(void)state;
	assert_int_equal(submit_segments(BLOCK_READ, 2, segs, 2), -EINVAL);
	assert_int_equal(submit_segments(BLOCK_READ, 1, segs, 3), -EINVAL);
	assert_int_equal(submit_segments(BLOCK_READ, 3, segs, 4), -EINVAL); /* adds up, but one too many */
	assert_int_equal(submit_segments(BLOCK_WRITE, 1, segs, 0), -EINVAL);
	segs[3].len = 0;
	assert_int_equal(submit_segments(BLOCK_READ, 2, segs + 1, 3), -EINVAL);
	segs[2].len = 24;
	assert_int_equal(submit_segments(BLOCK_READ, 2, segs + 1, 3), -EINVAL); /* an empty one */
	segs[1].len = 1u << 31;
	segs[2].len = (1u << 31) + 1024;
	assert_int_equal(submit_segments(BLOCK_READ, 2, segs + 1, 2), -EINVAL); /* not modulo 2^32 */
	segs[1].len = 1000;
	assert_int_equal(n_requests, 0);
	segs[2].len = 23;
	n_done = 0;
	assert_int_equal(submit_segments(BLOCK_READ, 2, segs, 3), 0);
	finish_all();
	assert_int_equal(n_done, 1);
	assert_int_equal(data[0], medium[2 * BLOCK_SECTOR]);
	assert_memory_equal(data + 2000, medium + 2 * BLOCK_SECTOR + 1, 1000);
	assert_memory_equal(data + 4001, medium + 2 * BLOCK_SECTOR + 1001, 23);
}

static void discarding_and_zeroing_have_limits_of_their_own(void **state)
{
	(void)state;
	assert_int_equal(submit(BLOCK_DISCARD, 0, 9), -EINVAL);
	assert_int_equal(submit(BLOCK_WRITE_ZEROES, 0, 17), -EINVAL);
	assert_int_equal(submit(BLOCK_WRITE_ZEROES, SECTORS - 1, 2), -EINVAL);
	disk.read_only = true;
	assert_int_equal(submit(BLOCK_DISCARD, 0, 1), -EROFS);
	assert_int_equal(submit(BLOCK_WRITE_ZEROES, 0, 1), -EROFS);
	disk.read_only = disk.can_discard = disk.can_write_zeroes = false;
	assert_int_equal(submit(BLOCK_DISCARD, 0, 1), -ENOTSUP);
	assert_int_equal(submit(BLOCK_WRITE_ZEROES, 0, 1), -ENOTSUP);
	assert_int_equal(block_discard(&disk, 0, 1), -ENOTSUP);
	assert_int_equal(n_requests, 0);
}

static void long_ranges_are_cleared_in_several_requests(void **state)
{
	(void)state;
	assert_int_equal(block_write_zeroes(&disk, 3, 50, true), 0);
	assert_int_equal(n_requests, 4);
	for (size_t i = 0; i < sizeof(data); i++)
		assert_true(i < 3 * BLOCK_SECTOR || i >= 53 * BLOCK_SECTOR || medium[i] == 0);
	assert_int_equal(block_discard(&disk, 10, 9), 0);
	assert_int_equal(n_requests, 6);
	assert_int_equal(medium[10 * BLOCK_SECTOR], 0xdd);
	assert_int_equal(block_discard(&disk, 10, SECTORS), -EINVAL);
	disk.unit = 2;
	assert_int_equal(block_discard(&disk, 11, 2), -EINVAL);
	assert_int_equal(block_write_zeroes(&disk, 12, 3, false), -EINVAL);
	assert_int_equal(block_discard(&disk, 12, 0), 0);
}

static void transfers_are_checked_as_a_whole(void **state)
{
	(void)state;
	assert_int_equal(block_read(&disk, SECTORS - 20, data, 21), -EINVAL);
	assert_int_equal(block_write(&disk, UINT64_MAX - 1, data, 3), -EINVAL);
	disk.read_only = true;
	assert_int_equal(block_write(&disk, 0, data, 20), -EROFS);
	assert_int_equal(block_read(&disk, SECTORS, data, 0), 0);
	assert_int_equal(n_requests, 0);
}

/* --- cutting and joining --- */

static void a_long_transfer_is_several_requests_at_once(void **state)
{
	(void)state;
	assert_int_equal(block_read(&disk, 3, data, 39), 0);
	assert_memory_equal(data, medium + 3 * BLOCK_SECTOR, 39 * BLOCK_SECTOR);
	assert_int_equal(n_requests, 10);
	assert_int_equal(largest, 4);
	assert_int_equal(most_at_once, 4);
	memset(data, 0x33, 39 * BLOCK_SECTOR);
	assert_int_equal(block_write(&disk, 20, data, 39), 0);
	assert_memory_equal(medium + 20 * BLOCK_SECTOR, data, 39 * BLOCK_SECTOR);
	assert_int_equal(block_flush(&disk), 0);
	assert_int_equal(n_requests, 21);
}

static void an_error_in_any_of_them_is_the_transfers(void **state)
{
	(void)state;
	bad_sector = 9;
	assert_int_equal(block_read(&disk, 0, data, 60), -EIO);
	assert_int_equal(n_requests, 4); /* no more after those at once */
	assert_int_equal(block_read(&disk, 10, data, 10), 0);
}

static void one_that_is_not_taken_is_an_error_and_the_others_are_waited_for(void **state)
{
	(void)state;
	refuse_from = 3;
	assert_int_equal(block_read(&disk, 0, data, 60), -ENOMEM);
	assert_int_equal(n_at_once, 0);
	assert_memory_equal(data, medium, 8 * BLOCK_SECTOR);
	assert_int_equal(block_flush(&disk), -ENOMEM);
}

static void parts_of_units_are_read_and_written(void **state)
{
	static uint8_t expected[sizeof(medium)];
	uint64_t seed = 9;

	(void)state;
	disk.unit = 4;
	for (unsigned n = 0; n < 200; n++) {
		uint32_t first = (uint32_t)mock_random(&seed) % SECTORS, count = (uint32_t)mock_random(&seed) % 20;

		count = MIN(count, SECTORS - first);
		assert_int_equal(block_read(&disk, first, data, count), 0);
		assert_memory_equal(data, medium + first * BLOCK_SECTOR, count * BLOCK_SECTOR);
		memset(data, (int)n, sizeof(data));
		memcpy(expected, medium, sizeof(expected));
		memset(expected + first * BLOCK_SECTOR, (int)n, count * BLOCK_SECTOR);
		assert_int_equal(block_write(&disk, first, data, count), 0);
		assert_memory_equal(medium, expected, sizeof(expected));
	}
}

static void M1_a_part_of_a_unit_without_memory_is_an_error(void **state)
{
	size_t before = heap_in_use();

	(void)state;
	disk.unit = 4;
	mock_alloc_fail_at = 1;
	assert_int_equal(block_write(&disk, 1, data, 1), -ENOMEM);
	bad_sector = 0;
	assert_int_equal(block_write(&disk, 1, data, 1), -EIO);
	assert_int_equal(heap_in_use(), before);
}

/* --- waiting --- */

static void a_waiting_task_sleeps(void **state)
{
	uint64_t start = time_now();

	(void)state;
	assert_int_equal(block_read(&disk, 0, data, 1), 0);
	assert_int_equal(n_polls, 0);
	assert_in_range(time_now() - start, LATENCY, 3 * LATENCY);
}

static uint8_t of_reader[3][SECTORS * BLOCK_SECTOR];

static void reader(void *arg)
{
	unsigned n = (unsigned)(uintptr_t)arg;
	int error = 0;

	for (unsigned i = 0; i < 20 && !error; i++)
		error = block_read(&disk, n, of_reader[n], 30 + n);
	task_exit(error);
}

static void several_tasks_wait_for_one_device(void **state)
{
	struct task *t[3];

	(void)state;
	for (unsigned n = 0; n < 3; n++) {
		t[n] = task_create("reader", reader, (void *)(uintptr_t)n, NULL);
		assert_non_null(t[n]);
	}
	for (unsigned n = 0; n < 3; n++) {
		assert_int_equal(task_join(t[n]), 0);
		assert_memory_equal(of_reader[n], medium + n * BLOCK_SECTOR, (30 + n) * BLOCK_SECTOR);
	}
}

static void part_writer(void *arg)
{
	unsigned n = (unsigned)(uintptr_t)arg;
	uint8_t mine[BLOCK_SECTOR];

	for (unsigned i = 0; i < 10; i++) {
		memset(mine, (int)(16 * n + i), sizeof(mine));
		assert_int_equal(block_write(&disk, 8 + n, mine, 1), 0);
	}
	task_exit(0);
}

static void two_parts_of_a_unit_can_be_written_at_once(void **state)
{
	struct task *t[4];

	(void)state;
	disk.unit = 4;
	for (unsigned n = 0; n < 4; n++) {
		t[n] = task_create("part", part_writer, (void *)(uintptr_t)n, NULL);
		assert_non_null(t[n]);
	}
	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(task_join(t[n]), 0);
	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(medium[(8 + n) * BLOCK_SECTOR], 16 * n + 9);
}

static void a_lost_interrupt_is_found_before_the_time_is_up(void **state)
{
	uint64_t start = time_now();

	(void)state;
	silent = true;
	assert_int_equal(block_read(&disk, 0, data, 1), 0);
	assert_true(n_polls > 0);
	assert_in_range(time_now() - start, LATENCY, TIMEOUT);
}

static void a_device_without_an_interrupt_is_polled(void **state)
{
	uint64_t start = time_now();

	(void)state;
	silent = disk.polled = true;
	assert_int_equal(block_read(&disk, 0, data, 1), 0);
	assert_in_range(time_now() - start, LATENCY, 3 * LATENCY);
}

static void with_interrupts_off_it_is_polled(void **state)
{
	uint64_t start = time_now();

	(void)state;
	silent = true;
	irq_disable();
	assert_int_equal(block_read(&disk, 0, data, 1), 0);
	irq_enable();
	assert_in_range(time_now() - start, LATENCY, 3 * LATENCY);
}

#define T(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(devices_are_found_in_their_order),
		T(requests_are_checked),
		T(segments_add_up_to_the_sectors),
		T(discarding_and_zeroing_have_limits_of_their_own),
		T(long_ranges_are_cleared_in_several_requests),
		T(transfers_are_checked_as_a_whole),
		T(a_long_transfer_is_several_requests_at_once),
		T(an_error_in_any_of_them_is_the_transfers),
		T(one_that_is_not_taken_is_an_error_and_the_others_are_waited_for),
		T(parts_of_units_are_read_and_written),
		T(M1_a_part_of_a_unit_without_memory_is_an_error),
		T(a_waiting_task_sleeps),
		T(several_tasks_wait_for_one_device),
		T(two_parts_of_a_unit_can_be_written_at_once),
		T(a_lost_interrupt_is_found_before_the_time_is_up),
		T(a_device_without_an_interrupt_is_polled),
		T(with_interrupts_off_it_is_polled),
	};

	machine_start(2);
	timer_init(&answer, answer_now);
	block_register(&disk);
	block_register(&second);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

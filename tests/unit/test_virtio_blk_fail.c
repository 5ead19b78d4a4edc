/* The virtio block driver with a device that is silent, lies or gives up: every request ends, and only once. */
// sources: drivers/block/block.c drivers/block/segments.c drivers/block/claim.c drivers/block/virtio_blk_config.c drivers/virtio/virtio.c drivers/virtio/queue.c core/time/time.c core/dt/dt.c core/dt/bus.c core/dt/map.c core/dt/index.c
#include <virtio_blk_mock.h>

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

/* Somebody floods the device: it is slow then, but it answers, and nobody behind the flood is told of an error. */
static void waiting_for_a_slot_costs_no_time(void **state)
{
	unsigned resets = vd.resets, first;

	(void)state;
	answers = false;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(submit(i, BLOCK_READ, i, 1, data + i * BLOCK_SECTOR), 0);
	mock_time += TIMEOUT * 3 / 4;
	answer_all();
	vd_interrupt(VIRTIO_INT_QUEUE);
	first = n_done;
	assert_in_range(first, 1, 99);
	mock_time += TIMEOUT * 3 / 4;
	disk->ops->poll(disk);
	assert_int_equal(n_done, first);
	while (vd_n_available(dq)) {
		answer_all();
		vd_interrupt(VIRTIO_INT_QUEUE);
	}
	assert_int_equal(n_done, 100);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(rqs[i].status, 0);
	assert_int_equal(vd.resets, resets);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_device_that_does_not_answer_is_reset_and_used_again),
		T(one_that_does_not_answer_twice_is_dead),
		T(the_timer_ends_requests_that_nobody_waits_for),
		T(what_came_later_is_handed_to_the_device_again),
		T(waiting_for_a_slot_costs_no_time), T(a_lost_interrupt_is_no_loss),
		T(one_that_ignores_the_reset_keeps_the_bounce_buffer),
		T(a_lie_ends_everything_under_way),
		T(needing_a_reset_ends_everything_under_way),
		T(a_change_of_the_capacity_is_ignored),
		T(without_an_interrupt_the_timer_looks),
		T(fuzz_every_request_ends),
	};

	return RUN_BOTH(tests);
}

/* The virtio block driver: what it offers, and requests that go well or fail one by one. */
// sources: drivers/block/block.c drivers/block/segments.c drivers/block/claim.c drivers/block/virtio_blk_config.c drivers/virtio/virtio.c drivers/virtio/queue.c core/time/time.c core/dt/dt.c core/dt/bus.c core/dt/map.c core/dt/index.c
#include <virtio_blk_mock.h>

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

/* --- segments --- */

static void segments_are_pieces_of_one_request(void **state)
{
	struct segment at[62];
	struct block_request rq = { .op = BLOCK_READ, .sector = 40, .n_sectors = 62, .segs = at, .n_segs = 62, .done = done };

	(void)state;
	prepare(BIT(F_SEG_MAX));
	set_config(12, 126, 4);
	bind();
	assert_int_equal(disk->max_segs, 62);
	assert_int_equal(disk->max_sectors, 2048);
	for (unsigned i = 0; i < 62; i++) /* of 511, 513, 511 ... bytes, at odd addresses, backwards in memory */
		at[i] = (struct segment){ data + (62 - i) * 600 + 1, BLOCK_SECTOR - 1 + i % 2 * 2 };
	assert_int_equal(block_submit(disk, &rq), 0);
	assert_int_equal(vd_n_available(dq), 1);
	answer_all();
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(rq.status, 0);
	assert_int_equal(most_pieces, 62);
	for (unsigned i = 0, offset = 40 * BLOCK_SECTOR; i < 62; offset += at[i++].len)
		assert_memory_equal(at[i].data, medium + offset, at[i].len);
}

/* The most that may be asked for never makes more pieces than the device takes. */
static void segments_that_are_cut_are_not_too_many(void **state)
{
	static const struct { uint32_t size_max, seg_max; } cases[] = {
		{ 512, 1 }, { 700, 3 }, { 1000, 4 }, { 4096, 2 }, { 4096, 7 }, { 513, 61 }, { 1u << 20, 5 },
	};
	struct segment at[64];
	uint64_t seed = 11;

	(void)state;
	for (unsigned c = 0; c < ARRAY_SIZE(cases) * 20; c++) {
		struct block_request rq = { .op = BLOCK_WRITE, .segs = at, .done = done };
		uint32_t left;

		prepare(BIT(F_SIZE_MAX) | BIT(F_SEG_MAX));
		set_config(8, cases[c / 20].size_max, 4);
		set_config(12, cases[c / 20].seg_max, 4);
		bind();
		rq.n_sectors = MIN(disk->max_sectors, sizeof(data) / BLOCK_SECTOR);
		left = rq.n_sectors * BLOCK_SECTOR;
		for (rq.n_segs = 0; rq.n_segs + 1 < disk->max_segs && left > 1; left -= at[rq.n_segs++].len)
			at[rq.n_segs] = (struct segment){ data, 1 + (uint32_t)mock_random(&seed) % MIN(left - 1, 1400) };
		at[rq.n_segs++] = (struct segment){ data, left };
		assert_int_equal(block_submit(disk, &rq), 0);
		answer_all();
		vd_interrupt(VIRTIO_INT_QUEUE);
		assert_int_equal(rq.status, 0);
		assert_true(most_pieces <= cases[c / 20].seg_max && longest <= cases[c / 20].size_max);
	}
}

static void a_segment_on_a_stack_is_not_shown_to_the_device(void **state)
{
	uint8_t stack[300];
	struct segment at[3] = { { data, 100 }, { stack, 300 }, { data + 400, 112 } };
	struct block_request rq = { .sector = 9, .n_sectors = 1, .segs = at, .n_segs = 3, .done = done };

	(void)state;
	prepare(BIT(F_SEG_MAX));
	set_config(12, 126, 4);
	bind();
	mock_stack = stack;
	mock_stack_size = sizeof(stack);
	for (rq.op = BLOCK_READ; rq.op <= BLOCK_WRITE; rq.op++) {
		assert_int_equal(block_submit(disk, &rq), 0);
		answer_all();
		vd_interrupt(VIRTIO_INT_QUEUE);
		assert_int_equal(rq.status, 0);
		assert_memory_equal(data, medium + 9 * BLOCK_SECTOR, 100);
		assert_memory_equal(stack, medium + 9 * BLOCK_SECTOR + 100, 300);
		assert_memory_equal(data + 400, medium + 9 * BLOCK_SECTOR + 400, 112);
		memset(stack, 0x33, sizeof(stack));
	}
	assert_int_equal(mock_frames_used, 1); /* the queue's */
}

/* --- discarding and zeroing --- */

static void ranges_are_discarded_and_zeroed(void **state)
{
	static uint8_t expected[sizeof(medium)];

	(void)state;
	prepare(BIT(F_DISCARD) | BIT(F_WRITE_ZEROES));
	set_config(36, 100, 4);
	set_config(44, 8, 4);
	set_config(48, 1u << 31, 4);
	bind();
	assert_true(disk->can_discard && disk->can_write_zeroes);
	assert_int_equal(disk->max_discard_sectors, 100);
	assert_int_equal(disk->discard_unit, 8);
	assert_int_equal(disk->max_zeroes_sectors, 64 * MiB / BLOCK_SECTOR);
	memcpy(expected, medium, sizeof(medium));
	memset(expected + 7 * BLOCK_SECTOR, 0xdd, 250 * BLOCK_SECTOR);
	memset(expected + 300 * BLOCK_SECTOR, 0xee, 3 * BLOCK_SECTOR);
	memset(expected + 303 * BLOCK_SECTOR, 0, 2 * BLOCK_SECTOR);
	assert_int_equal(block_discard(disk, 7, 250), 0);
	assert_int_equal(n_clears, 3);
	assert_int_equal(block_write_zeroes(disk, 300, 3, true), 0);
	assert_int_equal(block_write_zeroes(disk, 303, 2, false), 0);
	assert_memory_equal(medium, expected, sizeof(medium));
	bad_status = 2;
	assert_int_equal(block_discard(disk, 0, 1), -ENOTSUP);
}

static void one_that_cannot_discard_is_not_asked_to(void **state)
{
	(void)state;
	assert_false(disk->can_discard || disk->can_write_zeroes);
	assert_int_equal(block_discard(disk, 0, 1), -ENOTSUP);
	prepare(BIT(F_DISCARD) | BIT(F_WRITE_ZEROES)); /* and says: not a single sector */
	bind();
	assert_false(disk->can_discard || disk->can_write_zeroes);
	assert_int_equal(block_write_zeroes(disk, 0, 1, false), -ENOTSUP);
	assert_int_equal(n_clears, 0);
}

/* --- several at once --- */

static void many_are_under_way_and_the_rest_wait(void **state)
{
	(void)state;
	answers = false;
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(submit(i, BLOCK_READ, i, 1, data + i * BLOCK_SECTOR), 0);
	assert_int_equal(vd_n_available(dq), indirect ? 64 : VIRTQ_MAX / 3);
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
		T(segments_are_pieces_of_one_request),
		T(segments_that_are_cut_are_not_too_many),
		T(a_segment_on_a_stack_is_not_shown_to_the_device),
		T(ranges_are_discarded_and_zeroed),
		T(one_that_cannot_discard_is_not_asked_to),
	};

	return RUN_BOTH(tests);
}

/* virtio-blk of a VM: requests as a driver frames them, what is offered, errors, and a driver that lies. */
// sources: vmm/virtio/blk.c vmm/virtio/blk_parts.c vmm/virtio/ring.c vmm/virtio/device.c vmm/virtio/mmio.c vmm/device/common.c vmm/image/dt_writer.c
#include <logged.h>
#include <vio_blk_mock.h>

static uint8_t bytes[64 * BLOCK_SECTOR];

static void assert_medium(uint64_t sector, const void *want, size_t n)
{
	assert_memory_equal(mb.medium + sector * BLOCK_SECTOR, want, n);
}

static void fill(uint64_t gpa, uint32_t n, unsigned seed)
{
	for (uint32_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(seed + i * 13 + (i >> 8));
	mg_put(gpa, bytes, n);
}

/* --- reading and writing --- */

static void writes_and_reads(void **state)
{
	const struct mg_piece out = { MG_DATA, 4096, false }, in = { MG_DATA + 0x4000, 4096, true };
	uint32_t written;

	(void)state;
	mb_start(BIT(MB_F_FLUSH));
	fill(MG_DATA, 4096, 1);
	assert_int_equal(mb_do(MB_OUT, 8, &out, 1, &written), MB_OK);
	assert_int_equal(written, 1);
	assert_int_equal(mg_interrupt(), 1);
	assert_medium(8, bytes, 4096);
	assert_int_equal(mb_do(MB_IN, 8, &in, 1, &written), MB_OK);
	assert_int_equal(written, 4097);
	mg_get(MG_DATA + 0x4000, bytes, 4096);
	assert_medium(8, bytes, 4096);
	assert_int_equal(mb.n_requests, 2);
	assert_int_equal(mb.disk.counters.reads, 1);
	assert_int_equal(mb.disk.counters.writes, 1);
	assert_int_equal(mb.disk.counters.read_bytes + mb.disk.counters.written_bytes, 8192);
}

/* 2.7.4.2: nothing may be concluded from how the driver cuts a request. */
static void framing_is_the_drivers(void **state)
{
	struct { uint32_t type, reserved; uint64_t sector; } header = { MB_IN, 0, 3 };
	const struct mg_piece pieces[] = {
		{ MB_HEADER, 5, false }, { MB_HEADER + 5, 11, false }, { MG_DATA + 0xff0, 100, true },
		{ MG_DATA + 0x2001, 411, true }, { MG_DATA + 0x3000, 1, true }, { MG_DATA + 0x3800, 513, true },
	};
	unsigned head;
	uint32_t written;

	(void)state;
	mb_start(0);
	mg_put(MB_HEADER, &header, sizeof(header));
	head = mg_add(0, pieces, ARRAY_SIZE(pieces));
	assert_int_equal(mg_kick(0), 0);
	assert_int_equal(mg_take(0, &written), head);
	assert_int_equal(written, 1025);
	mg_get(MG_DATA + 0xff0, bytes, 100);
	mg_get(MG_DATA + 0x2001, bytes + 100, 411);
	mg_get(MG_DATA + 0x3000, bytes + 511, 1);
	mg_get(MG_DATA + 0x3800, bytes + 512, 513);
	assert_medium(3, bytes, 1024);
	assert_int_equal(bytes[1024], MB_OK);
}

static void header_and_data_in_one_piece(void **state)
{
	struct { uint32_t type, reserved; uint64_t sector; } header = { MB_OUT, 0, 5 };
	const struct mg_piece pieces[] = { { MG_DATA, 16 + 512, false }, { MB_STATUS, 1, true } };

	(void)state;
	mb_start(BIT(MB_F_FLUSH));
	fill(MG_DATA + 16, 512, 9);
	mg_put(MG_DATA, &header, sizeof(header));
	mg_add(0, pieces, 2);
	assert_int_equal(mg_kick(0), 0);
	assert_int_equal(mb_status(0), MB_OK);
	assert_medium(5, bytes, 512);
}

static void several_in_flight_end_in_any_order(void **state)
{
	unsigned heads[4];

	(void)state;
	mb_start(BIT(MB_F_FLUSH));
	mb.later = true;
	for (unsigned i = 0; i < 4; i++) {
		const struct mg_piece data = { MG_DATA + i * 0x1000, 512, true };

		heads[i] = mb_add(MB_IN, i, &data, 1, i);
	}
	assert_int_equal(mg_kick(0), 0);
	assert_int_equal(mb.n_held, 4);
	assert_int_equal(mg_take(0, NULL), -1);
	mb_answer(2);
	assert_int_equal(mg_take(0, NULL), heads[2]);
	assert_int_equal(mb_status(2), MB_OK);
	assert_int_equal(mb_status(0), MB_NOTHING);
	mb_answer(0);
	assert_int_equal(mg_take(0, NULL), heads[0]);
	mb_answer(1);
	mb_answer(0);
	assert_int_equal(mg_take(0, NULL), heads[3]);
	assert_int_equal(mg_take(0, NULL), heads[1]);
}

static void a_long_queue_is_worked_on_in_pieces(void **state)
{
	const struct mg_piece pieces[] = { { MB_HEADER, 16, false }, { MB_STATUS, 1, true } };
	struct { uint32_t type, reserved; uint64_t sector; } header = { MB_FLUSH, 0, 0 };

	(void)state;
	mb_start(BIT(MB_F_FLUSH));
	mg_put(MB_HEADER, &header, sizeof(header));
	for (unsigned i = 0; i < 2; i++)
		mg_add(0, pieces, 2);
	for (unsigned i = 2; i < MG_SIZE_OF_QUEUE; i++) /* the same chain again and again */
		mg_offer(0, 0);
	assert_int_equal(mg_kick(0), VIO_KICK_MAX < MG_SIZE_OF_QUEUE + 1 ? -EAGAIN : 0);
	assert_int_equal(mb.n_requests, VIO_KICK_MAX);
	assert_int_equal(mg_kick(0), 0);
	assert_int_equal(mb.n_requests, MG_SIZE_OF_QUEUE);
}

/* --- caches --- */

static void with_the_flush_feature_writes_are_not_flushed(void **state)
{
	(void)state;
	mb_start(BIT(MB_F_FLUSH));
	assert_int_equal(mb_one(MB_OUT, 0, 512), MB_OK);
	assert_int_equal(mb.n_requests, 1);
	assert_int_equal(mb_one(MB_FLUSH, 0, 0), MB_OK);
	assert_int_equal(mb.ops[1], BLOCK_FLUSH);
	assert_int_equal(mb.disk.counters.flushes, 1);
}

static void without_it_each_write_is(void **state)
{
	(void)state;
	mb_start(0);
	assert_int_equal(mb_one(MB_OUT, 0, 512), MB_OK);
	assert_int_equal(mb.n_requests, 2);
	assert_int_equal(mb.ops[0], BLOCK_WRITE);
	assert_int_equal(mb.ops[1], BLOCK_FLUSH);
	assert_int_equal(mb_one(MB_IN, 0, 512), MB_OK);
	assert_int_equal(mb.n_requests, 3);
}

static void a_medium_without_a_cache_needs_none_of_it(void **state)
{
	(void)state;
	mb.dev.can_flush = false;
	mb_start(0);
	assert_int_equal(mb_one(MB_OUT, 0, 512), MB_OK);
	assert_int_equal(mb.n_requests, 1);
}

static void the_driver_can_switch_the_cache_off(void **state)
{
	(void)state;
	mb_start(BIT(MB_F_FLUSH) | BIT(MB_F_WCE));
	assert_int_equal(mv_read(0x100 + 32, 1), 1);
	mv_put(0x100 + 32, 1, 0);
	assert_int_equal(mb_one(MB_OUT, 0, 512), MB_OK);
	assert_int_equal(mb.n_requests, 2);
	mv_put(0x100 + 32, 1, 1);
	assert_int_equal(mb_one(MB_OUT, 0, 512), MB_OK);
	assert_int_equal(mb.n_requests, 3);
	mg_begin(BIT(MB_F_WCE)); /* 5.2.5.2: then there is none */
	assert_int_equal(mv_read(0x100 + 32, 1), 0);
}

/* --- the rest of the requests --- */

static void tells_its_serial_number(void **state)
{
	char got[20];
	uint32_t written;
	const struct mg_piece data = { MG_DATA, 20, true }, less = { MG_DATA, 4, true };

	(void)state;
	memcpy(mb.disk.serial, "ABCDEFGHIJKLMNOPQRST", 20);
	mb_start(0);
	assert_int_equal(mb_do(MB_ID, 0, &data, 1, &written), MB_OK);
	assert_int_equal(written, 21);
	mg_get(MG_DATA, got, 20);
	assert_memory_equal(got, mb.disk.serial, 20);
	assert_int_equal(mb_do(MB_ID, 0, &less, 1, &written), MB_OK);
	assert_int_equal(written, 5);
	assert_int_equal(mb.n_requests, 0);
}

struct range { uint64_t sector; uint32_t n, flags; };

static uint8_t do_ranges(uint32_t type, const struct range *ranges, uint32_t len)
{
	mg_put(MG_DATA, ranges, len);
	return mb_one(type, 0, len);
}

static void discards_and_zeroes_ranges(void **state)
{
	const struct range two[] = { { 4, 3, 0 }, { 100, 0, 0 }, { 200, 70, 0 } }, unmap = { 20, 1, 1 };

	(void)state;
	mb_start(BIT(MB_F_FLUSH) | BIT(MB_F_DISCARD) | BIT(MB_F_ZEROES));
	assert_int_equal(do_ranges(MB_DISCARD, two, sizeof(two)), MB_OK);
	assert_int_equal(mb.n_requests, 1 + 3); /* 70 sectors are 32 + 32 + 6 */
	assert_int_equal(mb.medium[4 * 512] | mb.medium[7 * 512 - 1] | mb.medium[270 * 512 - 1], 0xdd);
	assert_int_equal(mb.medium[270 * 512], (uint8_t)(270 * 7));
	assert_int_equal(do_ranges(MB_ZEROES, two, sizeof(two[0])), MB_OK);
	assert_int_equal(mb.medium[4 * 512] | mb.medium[7 * 512 - 1], 0);
	assert_int_equal(do_ranges(MB_ZEROES, &unmap, sizeof(unmap)), MB_OK);
	assert_int_equal(mb.medium[20 * 512], 1);
	assert_int_equal(mb.disk.counters.discards, 3);
}

static void bad_ranges_get_the_status_that_is_theirs(void **state)
{
	static const struct { uint32_t type; struct range range; uint32_t len; uint8_t status; } cases[] = {
		{ MB_DISCARD, { 0, 1, 1 }, 16, MB_UNSUPP }, /* 5.2.6.2: unmap is not for discarding */
		{ MB_DISCARD, { 0, 1, 2 }, 16, MB_UNSUPP },
		{ MB_ZEROES, { 0, 1, 2 }, 16, MB_UNSUPP },
		{ MB_ZEROES, { MB_SECTORS, 1, 0 }, 16, MB_IOERR },
		{ MB_ZEROES, { UINT64_MAX, 2, 0 }, 16, MB_IOERR },
		{ MB_DISCARD, { 0, UINT32_MAX, 0 }, 16, MB_IOERR },
		{ MB_DISCARD, { 0, 1, 0 }, 15, MB_IOERR },
		{ MB_DISCARD, { 0, 1, 0 }, 0, MB_IOERR },
		{ MB_DISCARD, { 0, 1, 0 }, 17 * 16, MB_IOERR },
	};

	(void)state;
	mb_start(BIT(MB_F_FLUSH) | BIT(MB_F_DISCARD) | BIT(MB_F_ZEROES));
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		mg_put(MG_DATA, &cases[i].range, 16);
		assert_int_equal(mb_one(cases[i].type, 0, cases[i].len), cases[i].status);
	}
	assert_int_equal(mb.n_requests, 0);
	mg_begin(BIT(MB_F_FLUSH)); /* it has not taken the features */
	assert_int_equal(mb_one(MB_DISCARD, 0, 16), MB_UNSUPP);
	assert_int_equal(mb_one(MB_ZEROES, 0, 16), MB_UNSUPP);
	assert_false(mg_needs_reset());
}

/* --- what is offered --- */

static void offers_what_the_back_end_has(void **state)
{
	(void)state;
	mb_start(0);
	assert_int_equal(mg_offered() & 0xffffff, BIT(2) | BIT(6) | BIT(MB_F_FLUSH) | BIT(MB_F_WCE) | BIT(MB_F_DISCARD) | BIT(MB_F_ZEROES));
	assert_int_equal(mv_read(0x100, 8), MB_SECTORS);
	assert_int_equal(mv_read(0x100 + 12, 4), 16);
	assert_int_equal(mv_read(0x100 + 20, 4), 512);
	assert_int_equal(mv_read(0x100 + 36, 4), 32);
	assert_int_equal(mv_read(0x100 + 44, 4), 8);
}

static void a_read_only_disk_is_not_written(void **state)
{
	(void)state;
	mb.disk.read_only = true;
	mb_start(BIT(MB_F_RO));
	assert_int_equal(mg_offered() & 0xffffff, BIT(2) | BIT(6) | BIT(MB_F_FLUSH) | BIT(MB_F_RO));
	assert_int_equal(mb_one(MB_OUT, 0, 512), MB_IOERR);
	assert_int_equal(mb_one(MB_IN, 0, 512), MB_OK);
	assert_int_equal(mb_one(MB_FLUSH, 0, 0), MB_OK);
	assert_int_equal(mb.n_requests, 2);
}

static void a_disk_that_cannot_discard_does_not_offer_it(void **state)
{
	(void)state;
	mb.dev.can_discard = mb.dev.can_write_zeroes = false;
	mb_start(0);
	assert_int_equal(mg_offered() & (BIT(MB_F_DISCARD) | BIT(MB_F_ZEROES)), 0);
}

/* --- errors --- */

static void a_request_that_makes_no_sense_gets_an_error(void **state)
{
	static const struct { uint32_t type; uint64_t sector; uint32_t len; uint8_t status; } cases[] = {
		{ MB_IN, 0, 511, MB_IOERR }, { MB_OUT, 0, 513, MB_IOERR }, { MB_IN, MB_SECTORS, 512, MB_IOERR },
		{ MB_OUT, MB_SECTORS - 1, 1024, MB_IOERR }, { MB_IN, UINT64_MAX, 512, MB_IOERR },
		{ MB_IN, UINT64_MAX / 512, 1024, MB_IOERR }, { MB_IN, MB_SECTORS, 0, MB_OK },
		{ MB_IN, MB_SECTORS + 1, 0, MB_IOERR }, { 2, 0, 512, MB_UNSUPP }, { UINT32_MAX, 0, 0, MB_UNSUPP },
	};

	(void)state;
	mb_start(BIT(MB_F_FLUSH));
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(mb_one(cases[i].type, cases[i].sector, cases[i].len), cases[i].status);
	assert_int_equal(mb.n_requests, 0);
	assert_int_equal(mb.disk.counters.errors, 9);
	assert_int_equal(mb_one(MB_IN, 0, 512), MB_OK);
}

static void without_header_or_status_it_needs_a_reset(void **state)
{
	static const struct mg_piece bad[][2] = {
		{ { MB_HEADER, 15, false }, { MB_STATUS, 1, true } },
		{ { MB_HEADER, 16, false }, { MG_DATA, 512, false } },
		{ { MB_STATUS, 1, true }, { MG_DATA, 512, true } },
	};

	(void)state;
	mb_start(BIT(MB_F_FLUSH));
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		mg_add(0, bad[i], 2);
		assert_int_equal(mg_kick(0), 0);
		assert_true(mg_needs_reset());
		assert_int_equal(mg_kick(0), 0);
		mg_begin(BIT(MB_F_FLUSH));
		assert_int_equal(mb_one(MB_IN, 0, 512), MB_OK);
	}
}

static void errors_of_the_back_end_are_the_guests(void **state)
{
	(void)state;
	mb_start(BIT(MB_F_FLUSH));
	mb.error = -EIO;
	assert_int_equal(mb_one(MB_IN, 0, 512), MB_IOERR);
	mb.error = -ENOTSUP;
	assert_int_equal(mb_one(MB_FLUSH, 0, 0), MB_UNSUPP);
	mb.error = 0;
	mb.refuse = -ENOMEM;
	assert_int_equal(mb_one(MB_OUT, 0, 512), MB_IOERR);
	assert_non_null(strstr(mock_log_text(), "writing at sector 0: error -12 of vda"));
	mb.refuse = 0;
	assert_int_equal(mb.disk.counters.errors, 3);
	assert_int_equal(mb_one(MB_OUT, 0, 512), MB_OK);
}

static void the_log_does_not_fill_with_them(void **state)
{
	unsigned lines = 0;

	(void)state;
	mb_start(BIT(MB_F_FLUSH));
	mock_log_clear();
	mb.error = -EIO;
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(mb_one(MB_IN, 0, 512), MB_IOERR);
	for (const char *c = mock_log_text(); *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, 8);
}

/* --- memory --- */

static void without_memory_a_lone_request_fails(void **state)
{
	(void)state;
	mb_start(BIT(MB_F_FLUSH));
	mock_alloc_fail_at = 1;
	assert_int_equal(mb_one(MB_IN, 0, 512), MB_IOERR);
	assert_int_equal(mb_one(MB_IN, 0, 512), MB_OK);
}

static void and_one_beside_others_waits(void **state)
{
	const struct mg_piece data = { MG_DATA, 512, true };

	(void)state;
	mb_start(BIT(MB_F_FLUSH));
	mb.later = true;
	mb_add(MB_IN, 0, &data, 1, 0);
	assert_int_equal(mg_kick(0), 0);
	mb_add(MB_IN, 1, &data, 1, 1);
	mock_alloc_fail_at = 1;
	assert_int_equal(mg_kick(0), -EAGAIN);
	assert_int_equal(mb.n_held, 1);
	assert_int_equal(mg_kick(0), 0);
	assert_int_equal(mb.n_held, 2);
	mb_answer(1);
	mb_answer(0);
	assert_int_equal(mb_status(0) | mb_status(1), MB_OK);
}

/* Whichever page is not to be had: an error, or the kick comes again. */
static void guest_memory_that_is_not_to_be_had(void **state)
{
	const struct mg_piece data = { MG_DATA, 8192, true };

	(void)state;
	mb_start(BIT(MB_F_FLUSH));
	for (unsigned after = 0; after < 6; after++) {
		mb_add(MB_IN, 0, &data, 1, 0);
		mg.no_memory = true;
		mg.fail_after = after;
		if (mg_kick(0) == -EAGAIN) {
			mg.no_memory = false;
			assert_int_equal(mb_status(0), MB_NOTHING);
			assert_int_equal(mg_kick(0), 0);
		}
		mg.no_memory = false;
		assert_true(mg_take(0, NULL) >= 0);
		assert_true(mb_status(0) == MB_OK || mb_status(0) == MB_IOERR);
	}
	assert_false(mg_needs_reset());
}

/* --- resets --- */

static void a_reset_waits_for_what_is_under_way(void **state)
{
	const struct mg_piece data = { MG_DATA, 512, true };

	(void)state;
	mb_start(BIT(MB_F_FLUSH));
	mb.later = true;
	mb_add(MB_IN, 0, &data, 1, 0);
	mb_add(MB_IN, 1, &data, 1, 1);
	assert_int_equal(mg_kick(0), 0);
	mg_interrupt();
	assert_int_equal(mv_try_write(0x070, 4, 0), -EAGAIN);
	mb_answer(0);
	assert_int_equal(mv_try_write(0x070, 4, 0), -EAGAIN);
	mb_answer(0);
	assert_int_equal(mv_try_write(0x070, 4, 0), 0);
	assert_int_equal(mg_interrupt(), 0);
	mb.later = false;
	mg_begin(BIT(MB_F_FLUSH));
	assert_int_equal(mb_one(MB_IN, 0, 512), MB_OK);
}

#define BLK_TEST(fn) cmocka_unit_test_setup_teardown(fn, mb_setup, mb_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BLK_TEST(writes_and_reads),
		BLK_TEST(framing_is_the_drivers),
		BLK_TEST(header_and_data_in_one_piece),
		BLK_TEST(several_in_flight_end_in_any_order),
		BLK_TEST(a_long_queue_is_worked_on_in_pieces),
		BLK_TEST(with_the_flush_feature_writes_are_not_flushed),
		BLK_TEST(without_it_each_write_is),
		BLK_TEST(a_medium_without_a_cache_needs_none_of_it),
		BLK_TEST(the_driver_can_switch_the_cache_off),
		BLK_TEST(tells_its_serial_number),
		BLK_TEST(discards_and_zeroes_ranges),
		BLK_TEST(bad_ranges_get_the_status_that_is_theirs),
		BLK_TEST(offers_what_the_back_end_has),
		BLK_TEST(a_read_only_disk_is_not_written),
		BLK_TEST(a_disk_that_cannot_discard_does_not_offer_it),
		BLK_TEST(a_request_that_makes_no_sense_gets_an_error),
		BLK_TEST(without_header_or_status_it_needs_a_reset),
		BLK_TEST(errors_of_the_back_end_are_the_guests),
		BLK_TEST(the_log_does_not_fill_with_them),
		BLK_TEST(without_memory_a_lone_request_fails),
		BLK_TEST(and_one_beside_others_waits),
		BLK_TEST(guest_memory_that_is_not_to_be_had),
		BLK_TEST(a_reset_waits_for_what_is_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

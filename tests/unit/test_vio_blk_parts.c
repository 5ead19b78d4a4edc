/* virtio-blk of a VM: requests that take several of the back end's. */
// sources: vmm/virtio/blk.c vmm/virtio/blk_parts.c vmm/virtio/ring.c vmm/virtio/device.c vmm/virtio/mmio.c vmm/device/common.c vmm/image/dt_writer.c
#include <vio_blk_mock.h>

#define N 24 /* pieces */

static uint8_t bytes[64 * BLOCK_SECTOR];
static struct mg_piece pieces[N];

/* N pieces of 1 to 3 sectors, none beside another. @return sectors */
static unsigned scatter(bool write)
{
	unsigned sectors = 0;

	for (unsigned i = 0; i < N; i++) {
		pieces[i] = (struct mg_piece){ MG_DATA + i * 0x1000 + 0x200 * (i % 3), (1 + i % 3) * BLOCK_SECTOR, write };
		sectors += 1 + i % 3;
	}
	return sectors;
}

static void put_all(unsigned seed)
{
	uint8_t *at = bytes;

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(seed + i * 11 + (i >> 9));
	for (unsigned i = 0; i < N; at += pieces[i++].len)
		mg_put(pieces[i].gpa, at, pieces[i].len);
}

static void assert_all(uint64_t sector)
{
	const uint8_t *at = mb.medium + sector * BLOCK_SECTOR;

	for (unsigned i = 0; i < N; at += pieces[i++].len) {
		mg_get(pieces[i].gpa, bytes, pieces[i].len);
		assert_memory_equal(bytes, at, pieces[i].len);
	}
}

static void more_pieces_than_the_back_end_takes(void **state)
{
	unsigned n;

	(void)state;
	mb.dev.max_segs = 5;
	mb_start(BIT(MB_F_FLUSH));
	n = scatter(false);
	put_all(3);
	assert_int_equal(mb_do(MB_OUT, 100, pieces, N, NULL), MB_OK);
	assert_memory_equal(mb.medium + 100 * BLOCK_SECTOR, bytes, n * BLOCK_SECTOR);
	assert_int_equal(mb.n_requests, (N + 4) / 5);
	scatter(true);
	assert_int_equal(mb_do(MB_IN, 50, pieces, N, NULL), MB_OK);
	assert_all(50);
}

static void more_sectors_than_the_back_end_takes(void **state)
{
	(void)state;
	mb.dev.max_sectors = 4;
	mb_start(BIT(MB_F_FLUSH));
	assert_int_equal(scatter(true), 48);
	assert_int_equal(mb_do(MB_IN, 7, pieces, N, NULL), MB_OK);
	assert_all(7);
	assert_int_equal(mb.n_requests, 12);
	assert_int_equal(mb.deepest, 1);
	assert_int_equal(mb_pauses, 6);
}

/* Blocks of 4 KiB: a part ends where a block does, though its segments would reach further. */
static void parts_are_whole_units(void **state)
{
	(void)state;
	mb.dev.unit = 8;
	mb.dev.max_segs = 6;
	mb_start(BIT(MB_F_FLUSH));
	scatter(true);
	assert_int_equal(mb_do(MB_IN, 16, pieces, N, NULL), MB_OK);
	assert_all(16);
	assert_int_equal(mv_read(0x100 + 20, 4), 4096);
	assert_int_equal(mb_do(MB_IN, 1, pieces, N, NULL), MB_IOERR);
}

/* A driver that was told of two segments cuts a sector into eight. */
static void a_unit_in_more_pieces_than_a_part_can_have(void **state)
{
	struct mg_piece eighths[8];

	(void)state;
	mb.dev.max_segs = 2;
	mb_start(BIT(MB_F_FLUSH));
	for (unsigned i = 0; i < 8; i++)
		eighths[i] = (struct mg_piece){ MG_DATA + i * 0x1000, 64, true };
	assert_int_equal(mb_do(MB_IN, 0, eighths, 8, NULL), MB_IOERR);
	assert_int_equal(mb.n_requests, 0);
}

static void parts_come_one_after_the_other(void **state)
{
	unsigned head;

	(void)state;
	mb.dev.max_sectors = 16;
	mb_start(0);
	mb.later = true;
	scatter(false);
	put_all(8);
	head = mb_add(MB_OUT, 0, pieces, N, 0);
	assert_int_equal(mg_kick(0), 0);
	for (unsigned i = 0; i < 4; i++) { /* three parts and the flush */
		assert_int_equal(mb.n_held, 1);
		assert_int_equal(mg_take(0, NULL), -1);
		mb_answer(0);
	}
	assert_int_equal(mb.ops[3], BLOCK_FLUSH);
	assert_int_equal(mg_take(0, NULL), head);
	assert_int_equal(mb_status(0), MB_OK);
	assert_memory_equal(mb.medium, bytes, 48 * BLOCK_SECTOR);
}

/* Meanwhile others are popped from the queue, whose chain is another one then. */
static void others_come_in_between(void **state)
{
	const struct mg_piece other = { MG_DATA + 0x1f000, 512, true };

	(void)state;
	mb.dev.max_sectors = 16;
	mb_start(BIT(MB_F_FLUSH));
	mb.later = true;
	scatter(true);
	mb_add(MB_IN, 0, pieces, N, 0);
	assert_int_equal(mg_kick(0), 0);
	for (unsigned i = 1; i < 4; i++) {
		mb_add(MB_IN, 900, &other, 1, i);
		assert_int_equal(mg_kick(0), 0);
		mb_answer(0);
		mb_answer(0);
		assert_int_equal(mb_status(i), MB_OK);
	}
	assert_int_equal(mb.n_held, 0);
	assert_int_equal(mb_status(0), MB_OK);
	assert_all(0);
}

static void a_part_that_fails_ends_it(void **state)
{
	(void)state;
	mb.dev.max_sectors = 16;
	mb_start(0);
	mb.error = -EIO;
	for (unsigned n = 1; n <= 4; n++) {
		mb.n_requests = 0;
		mb.fail_at = n;
		scatter(false);
		assert_int_equal(mb_do(MB_OUT, 0, pieces, N, NULL), MB_IOERR);
		assert_int_equal(mb.n_requests, n);
	}
	mb.refuse = -ENOMEM;
	assert_int_equal(mb_do(MB_OUT, 0, pieces, N, NULL), MB_IOERR);
}

static void a_reset_waits_for_one_part_only(void **state)
{
	(void)state;
	mb.dev.max_sectors = 4;
	mb_start(BIT(MB_F_FLUSH));
	mb.later = true;
	scatter(true);
	mb_add(MB_IN, 0, pieces, N, 0);
	assert_int_equal(mg_kick(0), 0);
	assert_int_equal(mv_try_write(0x070, 4, 0), -EAGAIN);
	mb_answer(0);
	assert_int_equal(mb.n_held, 0);
	assert_int_equal(mb.n_requests, 1);
	assert_int_equal(mv_try_write(0x070, 4, 0), 0);
}

/* In the pause of a long one: it ends, the reset after it. */
static void a_reset_in_a_pause(void **state)
{
	(void)state;
	mb.dev.max_sectors = 4;
	mb_start(BIT(MB_F_FLUSH));
	scatter(true);
	mb_add(MB_IN, 0, pieces, N, 0);
	assert_int_equal(mg_kick(0), 0);
	assert_int_equal(mb.n_requests, 2);
	assert_int_equal(mv_try_write(0x070, 4, 0), -EAGAIN);
	mb_wait();
	assert_int_equal(mb.n_requests, 2);
	assert_int_equal(mv_try_write(0x070, 4, 0), 0);
}

/* What memory copies with interrupts off is little at a time. */
static void a_kick_of_a_disk_in_memory_does_less(void **state)
{
	static const uint64_t none;
	const struct mg_piece data = { MG_DATA, 32 * KiB, true };

	(void)state;
	mb.dev.memory = &none;
	mb_start(BIT(MB_F_FLUSH));
	for (unsigned i = 0; i < 16; i++)
		mb_add(MB_IN, 0, &data, 1, i);
	for (unsigned i = 0; i < 30; i++)
		mg_offer(0, 3 * (i % 16));
	assert_int_equal(mg_kick(0), -EAGAIN);
	assert_int_equal(mb.n_requests, VIO_KICK_MAX / 2);
}

static void without_memory(void **state)
{
	(void)state;
	mb.dev.max_sectors = 16;
	mb_start(BIT(MB_F_FLUSH));
	scatter(true);
	mock_alloc_fail_at = 1;
	assert_int_equal(mb_do(MB_IN, 0, pieces, N, NULL), MB_IOERR);
	mg.no_memory = true;
	mg.fail_after = 10; /* header and status are there, the third part's data is not */
	mb_add(MB_IN, 0, pieces, N, 0);
	assert_int_equal(mg_kick(0), 0);
	mb_wait();
	mg.no_memory = false;
	assert_int_equal(mb_status(0), MB_IOERR);
	assert_true(mg_take(0, NULL) >= 0);
}

/* Any scattering, any limits: what is on the disk is what was written. */
static void at_random(void **state)
{
	uint64_t seed = 5;

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		static uint8_t want[MB_SECTORS * BLOCK_SECTOR];
		unsigned n = 0, total = 0;
		uint64_t sector;

		mb_setup(NULL);
		mb.dev.max_segs = 2 + (unsigned)(mock_random(&seed) % 20); /* a sector that crosses a page is two segments */
		mb.dev.max_sectors = 1 + (unsigned)(mock_random(&seed) % 40);
		mb_start(mock_random(&seed) % 2 ? BIT(MB_F_FLUSH) : 0);
		do {
			uint32_t len = BLOCK_SECTOR * (1 + (uint32_t)(mock_random(&seed) % 4));

			pieces[n] = (struct mg_piece){ MG_DATA + n * 0x1000 + mock_random(&seed) % 0x800, len, false };
			total += len;
		} while (++n < N && mock_random(&seed) % 8);
		sector = mock_random(&seed) % (MB_SECTORS - total / BLOCK_SECTOR);
		memcpy(want, mb.medium, sizeof(want));
		for (unsigned i = 0, at = 0; i < n; at += pieces[i++].len)
			for (unsigned b = 0; b < pieces[i].len; b++) {
				*(uint8_t *)mg_at(pieces[i].gpa + b) = (uint8_t)mock_random(&seed);
				want[sector * BLOCK_SECTOR + at + b] = *(uint8_t *)mg_at(pieces[i].gpa + b);
			}
		assert_int_equal(mb_do(MB_OUT, sector, pieces, n, NULL), MB_OK);
		assert_memory_equal(want, mb.medium, sizeof(want));
		mb_teardown(NULL);
	}
}

#define BLK_TEST(fn) cmocka_unit_test_setup_teardown(fn, mb_setup, mb_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BLK_TEST(more_pieces_than_the_back_end_takes),
		BLK_TEST(more_sectors_than_the_back_end_takes),
		BLK_TEST(parts_are_whole_units),
		BLK_TEST(a_unit_in_more_pieces_than_a_part_can_have),
		BLK_TEST(parts_come_one_after_the_other),
		BLK_TEST(others_come_in_between),
		BLK_TEST(a_part_that_fails_ends_it),
		BLK_TEST(a_reset_waits_for_one_part_only),
		BLK_TEST(a_reset_in_a_pause),
		BLK_TEST(a_kick_of_a_disk_in_memory_does_less),
		BLK_TEST(without_memory),
		cmocka_unit_test(at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

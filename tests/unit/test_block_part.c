/* Partition tables: parts are found by their number, and tables that lie are refused. */
// sources: drivers/block/block.c drivers/block/partition.c drivers/block/partition_mbr.c drivers/block/partition_gpt.c drivers/block/crc32.c
#include <caisson/block_stack.h>
#include <drivers/block/crc32.h>
#include <block_model.h>

static struct model_disk disk;
static uint64_t first, n;

static void put(unsigned sector, unsigned offset, uint64_t value, unsigned size)
{
	memcpy(disk.medium + sector * BLOCK_SECTOR + offset, &value, size);
}

static void put_entry(unsigned sector, unsigned i, uint8_t type, uint32_t start, uint32_t count)
{
	unsigned at = 446 + i * 16;

	put(sector, at, 0, 1);
	put(sector, at + 4, type, 1);
	put(sector, at + 8, start, 4);
	put(sector, at + 12, count, 4);
}

/* A sector with the signature and no part. */
static void put_table(unsigned sector)
{
	memset(disk.medium + sector * BLOCK_SECTOR, 0, BLOCK_SECTOR);
	put(sector, 510, 0xaa55, 2);
}

static int setup(void **state)
{
	(void)state;
	model_init(&disk, "vda", 1);
	put_table(0);
	mock_alloc_fail_at = 0;
	return 0;
}

static void assert_part(unsigned number, uint64_t at, uint64_t count)
{
	size_t before = heap_in_use();

	assert_int_equal(block_part_find(&disk.dev, number, &first, &n), 0);
	assert_int_equal(first, at);
	assert_int_equal(n, count);
	assert_int_equal(heap_in_use(), before);
}

static void assert_none(unsigned number)
{
	assert_int_equal(block_part_find(&disk.dev, number, &first, &n), -ENOENT);
}

static void assert_refused(unsigned number, const char *why)
{
	size_t before = heap_in_use();

	mock_log_clear();
	assert_int_equal(block_part_find(&disk.dev, number, &first, &n), -EINVAL);
	if (!strstr(mock_log_text(), why))
		fail_msg("%s", mock_log_text());
	assert_int_equal(heap_in_use(), before);
}

/* --- MBR --- */

static void primary_parts_have_numbers_1_to_4(void **state)
{
	(void)state;
	put_entry(0, 0, 0x83, 8, 100);
	put_entry(0, 3, 0x0c, 108, MODEL_SECTORS - 108);
	put(0, 446, 0x80, 1); /* it can be booted */
	assert_part(1, 8, 100);
	assert_part(4, 108, MODEL_SECTORS - 108);
	assert_none(2);
	assert_none(0);
	assert_none(5);
	assert_none(UINT32_MAX);
}

static void what_is_no_table_has_no_parts(void **state)
{
	(void)state;
	assert_none(1); /* a table without parts */
	put_entry(0, 0, 0x83, 8, 100);
	put(0, 446, 0x31, 1);
	assert_none(1); /* a file system's boot sector */
	put(0, 446, 0, 1);
	put(0, 511, 0, 1);
	assert_none(1);
}

static void primary_parts_that_lie_are_refused(void **state)
{
	(void)state;
	put_entry(0, 0, 0x83, 8, 100);
	put_entry(0, 1, 0x83, 107, 10);
	assert_refused(1, "two parts overlap");
	assert_refused(2, "two parts overlap");
	put_entry(0, 1, 0x83, 108, MODEL_SECTORS - 107);
	assert_refused(2, "beyond the disk's end");
	assert_part(1, 8, 100);
	put_entry(0, 1, 0x83, UINT32_MAX, UINT32_MAX);
	assert_refused(2, "beyond the disk's end");
	put_entry(0, 1, 0x83, 108, 0);
	assert_none(2);
	put_entry(0, 0, 0x83, 0, 100);
	assert_refused(1, "begins at the table");
}

static void blocks_of_4_KiB_count_in_tables(void **state)
{
	(void)state;
	disk.dev.unit = 8;
	put_entry(0, 0, 0x83, 2, 10);
	assert_part(1, 16, 80);
	put_entry(0, 0, 0x83, 2, MODEL_SECTORS / 8);
	assert_refused(1, "beyond the disk's end");
}

/* An extended part of 400 sectors at 100 with three parts in it. */
static void put_extended(void)
{
	put_entry(0, 0, 0x83, 8, 92);
	put_entry(0, 1, 0x0f, 100, 400);
	for (unsigned i = 0; i < 3; i++) {
		put_table(100 + i * 100);
		put_entry(100 + i * 100, 0, 0x83, 8, 50);
		if (i < 2)
			put_entry(100 + i * 100, 1, 0x05, (i + 1) * 100, 100);
	}
}

static void logical_parts_have_numbers_from_5(void **state)
{
	(void)state;
	put_extended();
	assert_part(1, 8, 92);
	assert_part(5, 108, 50);
	assert_part(6, 208, 50);
	assert_part(7, 308, 50);
	assert_none(2); /* is not one to use */
	assert_none(3);
	assert_none(8);
}

static void chains_that_lie_are_refused(void **state)
{
	(void)state;
	put_extended();
	put_entry(300, 1, 0x05, 100, 100);
	assert_refused(5, "does not end");
	put_entry(300, 1, 0x05, 400, 100);
	assert_refused(5, "outside it");
	put_entry(300, 1, 0, 0, 0);
	put_entry(300, 0, 0x83, 8, 193);
	assert_refused(7, "beyond the extended one's end");
	put_entry(200, 0, 0x83, 8, 120);
	put_entry(300, 0, 0x83, 8, 50);
	assert_refused(6, "two parts overlap");
	assert_part(5, 108, 50);
	put(200, 510, 0, 2);
	assert_refused(5, "is none");
	put_extended();
	put_entry(0, 0, 0x83, 8, 93);
	assert_refused(1, "overlaps the extended one");
	put_entry(0, 1, 0x05, MODEL_SECTORS, 10);
	assert_refused(1, "begins beyond the disk's end");
}

/* --- GPT --- */

static void put_sums(unsigned header, unsigned entries)
{
	put(header, 88, crc32_add(0, disk.medium + entries * BLOCK_SECTOR, 128 * 128), 4);
	put(header, 16, 0, 4);
	put(header, 16, crc32_add(0, disk.medium + header * BLOCK_SECTOR, 92), 4);
}

static void put_header(unsigned at, unsigned entries)
{
	memset(disk.medium + at * BLOCK_SECTOR, 0, BLOCK_SECTOR);
	memcpy(disk.medium + at * BLOCK_SECTOR, "EFI PART", 8);
	put(at, 8, 0x10000, 4);
	put(at, 12, 92, 4);
	put(at, 24, at, 8);
	put(at, 40, 34, 8);
	put(at, 48, MODEL_SECTORS - 34, 8);
	put(at, 72, entries, 8);
	put(at, 80, 128, 4);
	put(at, 84, 128, 4);
}

static void put_gpt_entry(unsigned entries, unsigned i, uint64_t from, uint64_t to)
{
	unsigned sector = entries + i / 4, at = i % 4 * 128;

	put(sector, at, 0x123456789, 8);
	put(sector, at + 32, from, 8);
	put(sector, at + 40, to, 8);
}

#define COPY (MODEL_SECTORS - 33) /* of the entries */

static void put_gpt(uint64_t from, uint64_t to)
{
	put_entry(0, 0, 0xee, 1, UINT32_MAX);
	put_header(1, 2);
	put_header(MODEL_SECTORS - 1, COPY);
	memset(disk.medium + 2 * BLOCK_SECTOR, 0, 128 * 128);
	put_gpt_entry(2, 0, 34, 133);
	put_gpt_entry(2, 127, from, to);
	memcpy(disk.medium + COPY * BLOCK_SECTOR, disk.medium + 2 * BLOCK_SECTOR, 128 * 128);
	put_sums(1, 2);
	put_sums(MODEL_SECTORS - 1, COPY);
}

static void the_sum_is_the_usual_one(void **state)
{
	(void)state;
	assert_int_equal(crc32_add(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(crc32_add(crc32_add(0, "1234", 4), "56789", 5), 0xcbf43926);
}

static void parts_of_a_gpt_are_found(void **state)
{
	(void)state;
	put_gpt(134, MODEL_SECTORS - 34);
	assert_part(1, 34, 100);
	assert_part(128, 134, MODEL_SECTORS - 34 - 134 + 1);
	assert_none(2);
	assert_none(129);
	assert_none(5000);
	assert_null(strstr(mock_log_text(), "copy"));
}

static void the_copy_is_used_when_the_table_is_spoilt(void **state)
{
	(void)state;
	for (unsigned at = BLOCK_SECTOR; at < 34 * BLOCK_SECTOR; at += 53) {
		if (at > BLOCK_SECTOR + 92 && at < 2 * BLOCK_SECTOR)
			continue;
		put_gpt(134, 200);
		disk.medium[at] ^= 0x10;
		mock_log_clear();
		assert_part(128, 134, 67);
		assert_non_null(strstr(mock_log_text(), "its copy at the disk's end is used"));
	}
	put_gpt(134, 200);
	disk.medium[BLOCK_SECTOR] = 0;
	disk.medium[(MODEL_SECTORS - 1) * BLOCK_SECTOR] = 0;
	assert_refused(1, "no header of a GPT");
}

static void assert_gpt_refused(const char *why)
{
	put_sums(1, 2);
	disk.medium[(MODEL_SECTORS - 1) * BLOCK_SECTOR] = 0; /* no copy */
	assert_refused(1, why);
	put_gpt(134, 200);
}

static void gpts_that_lie_are_refused(void **state)
{
	(void)state;
	put_gpt(133, 200);
	assert_refused(1, "two parts overlap");
	put_gpt(200, 134);
	assert_gpt_refused("outside the blocks");
	put_gpt(33, 33);
	assert_gpt_refused("outside the blocks");
	put_gpt(134, MODEL_SECTORS - 33);
	assert_gpt_refused("outside the blocks");
	put_gpt(134, UINT64_MAX);
	assert_gpt_refused("outside the blocks");
	put(1, 12, 91, 4);
	assert_gpt_refused("size of the GPT's header");
	put(1, 12, 513, 4);
	assert_gpt_refused("size of the GPT's header");
	put(1, 24, 2, 8);
	assert_gpt_refused("not where it says");
	put(1, 48, MODEL_SECTORS, 8);
	assert_gpt_refused("beyond the disk's end");
	put(1, 40, 1, 8);
	assert_gpt_refused("beyond the disk's end");
	put(1, 80, PAGE_SIZE, 4);
	assert_gpt_refused("number or size");
	put(1, 84, 64, 4);
	assert_gpt_refused("number or size");
	put(1, 84, 1u << 31, 4);
	assert_gpt_refused("number or size");
	put(1, 72, 3, 8); /* reaches into the first part */
	assert_gpt_refused("where the GPT's entries are");
	put(1, 72, UINT64_MAX / BLOCK_SECTOR, 8);
	assert_gpt_refused("where the GPT's entries are");
	put(1, 72, MODEL_SECTORS - 5, 8);
	assert_gpt_refused("entries reach beyond");
	assert_part(1, 34, 100);
}

static void random_changes_do_no_harm(void **state)
{
	uint64_t seed = 5;

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		bool gpt = i % 2;
		int error;

		setup(state);
		if (gpt)
			put_gpt(134, 200);
		else
			put_extended();
		for (unsigned j = 0; j < 3; j++) {
			unsigned sector = gpt ? 1 : (unsigned)mock_random(&seed) % 4 * 100;
			unsigned offset = (unsigned)mock_random(&seed) % (gpt ? 92 : 64);

			disk.medium[sector * BLOCK_SECTOR + offset + (gpt ? 0 : 446)] = (uint8_t)mock_random(&seed);
		}
		if (gpt)
			put_sums(1, 2);
		error = block_part_find(&disk.dev, 1 + (unsigned)mock_random(&seed) % 8, &first, &n);
		assert_true(error == 0 || error == -ENOENT || error == -EINVAL);
		if (!error)
			assert_true(n > 0 && first > 0 && n <= MODEL_SECTORS && first <= MODEL_SECTORS - n);
	}
}

/* --- errors --- */

static void an_error_of_the_disk_is_the_answer(void **state)
{
	(void)state;
	put_gpt(134, 200);
	for (unsigned i = 1; i <= 3; i++) {
		disk.fail_at = i;
		assert_int_equal(block_part_find(&disk.dev, 1, &first, &n), -EIO);
	}
	setup(state);
	put_extended();
	for (unsigned i = 1; i <= 4; i++) {
		disk.fail_at = i;
		assert_int_equal(block_part_find(&disk.dev, 1, &first, &n), -EIO);
	}
	assert_part(1, 8, 92);
}

static void M1_each_allocation_may_fail(void **state)
{
	uint64_t i = 0;
	int error;

	(void)state;
	put_gpt(134, 200);
	do {
		mock_alloc_fail_at = ++i;
		error = block_part_find(&disk.dev, 1, &first, &n);
		assert_true(error == -ENOMEM || error == 0);
	} while (error);
	assert_int_equal(i, 5);
}

static void disks_that_are_too_small_for_a_table(void **state)
{
	(void)state;
	put_gpt(134, 200);
	disk.dev.n_sectors = 0;
	assert_refused(1, "no sector");
	disk.dev.n_sectors = 1;
	assert_refused(1, "too small for a GPT");
	disk.dev.n_sectors = 2;
	assert_refused(1, "beyond the disk's end");
}

#define T(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(primary_parts_have_numbers_1_to_4),
		T(what_is_no_table_has_no_parts),
		T(primary_parts_that_lie_are_refused),
		T(blocks_of_4_KiB_count_in_tables),
		T(logical_parts_have_numbers_from_5),
		T(chains_that_lie_are_refused),
		T(the_sum_is_the_usual_one),
		T(parts_of_a_gpt_are_found),
		T(the_copy_is_used_when_the_table_is_spoilt),
		T(gpts_that_lie_are_refused),
		T(random_changes_do_no_harm),
		T(an_error_of_the_disk_is_the_answer),
		T(M1_each_allocation_may_fail),
		T(disks_that_are_too_small_for_a_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
